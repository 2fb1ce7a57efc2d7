package io.costguard.anthropic;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.anthropic.backends.AnthropicBackend;
import com.anthropic.client.okhttp.OkHttpClient;
import com.anthropic.core.RequestOptions;
import com.anthropic.core.Timeout;
import com.anthropic.core.http.Headers;
import com.anthropic.core.http.HttpClient;
import com.anthropic.core.http.HttpMethod;
import com.anthropic.core.http.HttpRequest;
import com.anthropic.core.http.HttpRequestBody;
import com.anthropic.core.http.HttpResponse;
import com.anthropic.errors.AnthropicIoException;
import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.Outcome;
import io.costguard.http.tck.AdapterContract;
import io.costguard.http.tck.Client;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.Method;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

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

    @Test
    void aClientIsGuardedOnceByOneGuard() {
        CostGuard guard = guard(roomy());
        CostGuardInterceptor interceptor = new CostGuardInterceptor(guard);
        HttpClient guarded = interceptor.intercept(new Answering(CHAT.response()));

        assertThat(new CostGuardInterceptor(guard).intercept(guarded)).isSameAs(guarded);
        assertThat(new CostGuardInterceptor(guard(roomy())).intercept(guarded)).isNotSameAs(guarded);
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void whatTheSdkThrowsIsThrownAsItIs(Mode mode) throws Exception {
        Answering transport = new Answering(CHAT.response());
        RuntimeException thrown = new IllegalStateException("of the SDK's");
        transport.failure = thrown;

        assertThatThrownBy(() -> executed(transport, request(), mode)).isSameAs(thrown);

        assertThat(events.settled().outcome()).isEqualTo(Outcome.RELEASED);
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void whatIsSkippedOfABodyIsReadForItsUsage(Mode mode) throws Exception {
        try (InputStream body =
                executed(new Answering(CHAT.response()), request(), mode).body()) {
            body.skipNBytes(CHAT.response().length);
            assertThat(body.read()).isNegative();
        }

        assertThat(events.settled().outcome()).isEqualTo(Outcome.REPORTED);
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aBodyThatCanBeWrittenOnceAndSaysNoLengthIsNotRead(Mode mode) throws Exception {
        Answering transport = new Answering(CHAT.response());
        HttpRequest once = request().toBuilder()
                .body(new Body(CHAT.request(), Client.Body.ONE_SHOT, -1))
                .build();

        executed(transport, once, mode).close();

        assertThat(transport.sent.toByteArray()).isEqualTo(CHAT.request());
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aResponseThatFailsToShowItsBodyEndsItsCall(Mode mode) throws Exception {
        Answering transport = new Answering(CHAT.response());
        transport.ofBody = new IllegalStateException("of another interceptor's");

        assertThatThrownBy(() -> executed(transport, request(), mode)).isSameAs(transport.ofBody);

        assertThat(events.settled().outcome()).isNotEqualTo(Outcome.RELEASED);
    }

    @Test
    void nothingIsSkippedOfABodyBackwards() throws Exception {
        try (InputStream body =
                executed(new Answering(CHAT.response()), request(), Mode.SYNC).body()) {
            assertThat(body.skip(-1)).isZero();
            assertThat(body.readAllBytes()).isEqualTo(CHAT.response());
        }
    }

    private static HttpRequest request() {
        return HttpRequest.builder()
                .method(HttpMethod.POST)
                .baseUrl("https://api.openai.com/v1/chat/completions")
                .body(new Body(CHAT.request(), Client.Body.BYTES, -1))
                .build();
    }

    private HttpResponse executed(HttpClient transport, HttpRequest request, Mode mode) throws Exception {
        HttpClient guarded = new CostGuardInterceptor(guard(roomy())).intercept(transport);
        if (mode == Mode.SYNC) {
            return guarded.execute(request, RequestOptions.none());
        }
        try {
            return guarded.executeAsync(request, RequestOptions.none()).get(60, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RuntimeException unchecked ? unchecked : e;
        }
    }

    /** A transport that answers everything with 200 and this body, or fails before it has sent anything. */
    private static final class Answering implements HttpClient {
        private final ByteArrayOutputStream sent = new ByteArrayOutputStream();
        private final byte[] answer;
        private @Nullable RuntimeException failure;
        private @Nullable RuntimeException ofBody;

        Answering(byte[] answer) {
            this.answer = answer;
        }

        @Override
        public HttpResponse execute(HttpRequest request, RequestOptions options) {
            if (failure != null) {
                throw failure;
            }
            request.body().orElseThrow().writeTo(sent);
            return new HttpResponse() {
                @Override
                public int statusCode() {
                    return 200;
                }

                @Override
                public Headers headers() {
                    return Headers.builder()
                            .put("content-type", "application/json")
                            .build();
                }

                @Override
                public InputStream body() {
                    if (ofBody != null) {
                        throw ofBody;
                    }
                    return new ByteArrayInputStream(answer);
                }

                @Override
                public void close() {}
            };
        }

        @Override
        public CompletableFuture<HttpResponse> executeAsync(HttpRequest request, RequestOptions options) {
            return failure == null
                    ? CompletableFuture.completedFuture(execute(request, options))
                    : CompletableFuture.failedFuture(failure);
        }

        @Override
        public void close() {}
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
            request.body(new Body(sent.body(), sent.form(), sent.body().length));
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
        private final byte[] bytes;
        private final Client.Body form;
        private final long length;
        private boolean written;

        Body(byte[] bytes, Client.Body form, long length) {
            this.bytes = bytes;
            this.form = form;
            this.length = length;
        }

        @Override
        public void writeTo(OutputStream out) {
            if (written && !repeatable()) {
                throw new IllegalStateException("written twice");
            }
            written = true;
            try {
                out.write(bytes);
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
            return length;
        }

        @Override
        public boolean repeatable() {
            return form == Client.Body.BYTES;
        }

        @Override
        public void close() {}
    }
}
