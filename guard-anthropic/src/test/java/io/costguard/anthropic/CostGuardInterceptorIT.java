package io.costguard.anthropic;

import com.anthropic.backends.AnthropicBackend;
import com.anthropic.client.okhttp.OkHttpClient;
import com.anthropic.core.RequestOptions;
import com.anthropic.core.Timeout;
import com.anthropic.core.http.HttpClient;
import com.anthropic.core.http.HttpMethod;
import com.anthropic.core.http.HttpRequest;
import com.anthropic.core.http.HttpRequestBody;
import com.anthropic.core.http.HttpResponse;
import com.anthropic.errors.AnthropicIoException;
import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.http.tck.AdapterContract;
import io.costguard.http.tck.Client;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.reflect.Method;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.jspecify.annotations.Nullable;

/** The SDK's own transport, guarded. */
class CostGuardInterceptorIT extends AdapterContract {

    @Override
    protected Client client(CostGuard guard, Denials denials, Mode mode) {
        OkHttpClient transport = OkHttpClient.builder()
                .backend(AnthropicBackend.builder().build())
                .timeout(Timeout.builder()
                        .connect(connectTimeout)
                        .read(readTimeout)
                        .build())
                .build();
        HttpClient guarded = new CostGuardInterceptor(guard, denials).intercept(transport);
        return opened(mode == Mode.SYNC ? new Sync(transport, guarded) : new Async(guarded));
    }

    /** A client that is closed after its test. */
    private interface Closing extends Client, AutoCloseable {
        @Override
        void close();
    }

    private record Sync(OkHttpClient transport, HttpClient guarded) implements Closing {
        @Override
        public Answer send(Sent request) throws IOException {
            try {
                return answer(guarded.execute(request(request), RequestOptions.none()));
            } catch (AnthropicIoException e) {
                throw cause(e);
            }
        }

        @Override
        public void sendAndCancel(Sent request, Moment when) throws Exception {
            FutureTask<Answer> call = new FutureTask<>(() -> send(request));
            Thread thread = new Thread(call);
            thread.start();
            when.await();
            // Nobody else can cancel a call that the SDK makes while somebody waits for it.
            thread.interrupt();
            Method own = OkHttpClient.class.getMethod("getOkHttpClient$anthropic_java_client_okhttp");
            ((okhttp3.OkHttpClient) own.invoke(transport)).dispatcher().cancelAll();
            thread.join();
        }

        @Override
        public void close() {
            guarded.close();
        }
    }

    private record Async(HttpClient guarded) implements Closing {
        @Override
        public Answer send(Sent request) throws IOException, InterruptedException {
            try {
                return answer(guarded.executeAsync(request(request), RequestOptions.none())
                        .get());
            } catch (ExecutionException e) {
                if (e.getCause() instanceof AnthropicIoException io) {
                    throw cause(io);
                }
                throw e.getCause() instanceof RuntimeException unchecked ? unchecked : new IllegalStateException(e);
            }
        }

        @Override
        public void sendAndCancel(Sent request, Moment when) throws Exception {
            CompletableFuture<HttpResponse> call = guarded.executeAsync(request(request), RequestOptions.none());
            when.await();
            call.cancel(true);
        }

        @Override
        public void close() {
            guarded.close();
        }
    }

    private static IOException cause(AnthropicIoException e) {
        return e.getCause() instanceof IOException io ? io : new IOException(e);
    }

    private static HttpRequest request(Client.Sent sent) {
        String uri = sent.uri().toString();
        HttpRequest.Builder request =
                HttpRequest.builder().method(HttpMethod.valueOf(sent.method())).baseUrl(uri);
        sent.headers().forEach(request::putHeader);
        if (!sent.method().equals("GET")) {
            request.body(new Body(sent));
        }
        return request.build();
    }

    private static Client.Answer answer(HttpResponse response) {
        Map<String, List<String>> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        response.headers()
                .names()
                .forEach(name -> headers.put(name, response.headers().values(name)));
        return Client.Answer.of(response.statusCode(), headers, response.body());
    }

    private static final class Body implements HttpRequestBody {
        private final Client.Sent sent;
        private boolean written;

        Body(Client.Sent sent) {
            this.sent = sent;
        }

        @Override
        public void writeTo(OutputStream out) {
            if (written && !repeatable()) {
                throw new IllegalStateException("written twice");
            }
            written = true;
            try {
                out.write(sent.body());
            } catch (IOException e) {
                throw new AnthropicIoException("Request failed", e);
            }
        }

        @Override
        public @Nullable String contentType() {
            return null;
        }

        @Override
        public long contentLength() {
            return sent.body().length;
        }

        @Override
        public boolean repeatable() {
            return sent.form() == Client.Body.BYTES;
        }

        @Override
        public void close() {}
    }
}
