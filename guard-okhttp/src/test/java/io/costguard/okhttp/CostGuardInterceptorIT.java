package io.costguard.okhttp;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.http.tck.AdapterContract;
import io.costguard.http.tck.Client;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import okhttp3.Call;
import okhttp3.Callback;
import okhttp3.MediaType;
import okhttp3.OkHttp;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import okhttp3.ResponseBody;
import okio.BufferedSink;
import org.junit.jupiter.api.Test;

class CostGuardInterceptorIT extends AdapterContract {

    @Test
    void theseTestsRunOnTheOkHttpThatTheBuildSays() throws ReflectiveOperationException {
        // Asked at run time: the compiler copies the constant of the version that it sees.
        assertThat(OkHttp.class.getField("VERSION").get(null)).isEqualTo(System.getProperty("okhttp.version"));
    }

    @Override
    protected Client client(CostGuard guard, Denials denials, Mode mode) {
        OkHttpClient client = new OkHttpClient.Builder()
                .addInterceptor(new CostGuardInterceptor(guard, denials))
                .connectTimeout(CONNECT_TIMEOUT)
                .readTimeout(READ_TIMEOUT)
                .build();
        return mode == Mode.SYNC ? new Sync(client) : new Async(client);
    }

    private static Request request(Client.Sent request) {
        Request.Builder builder = new Request.Builder().url(request.uri().toString());
        request.headers().forEach(builder::header);
        if (request.method().equals("GET")) {
            return builder.build();
        }
        MediaType json = MediaType.get("application/json");
        RequestBody body = request.form() == Client.Body.ONE_SHOT
                ? new OneShot(json, request.body())
                : RequestBody.create(request.body(), json);
        return builder.method(request.method(), body).build();
    }

    private static Client.Answer response(Response response) {
        ResponseBody body = response.body();
        if (body == null) {
            throw new AssertionError("a response without a body");
        }
        return Client.Answer.of(response.code(), response.headers().toMultimap(), body.byteStream());
    }

    /** A body that fails when it is written a second time. */
    private static final class OneShot extends RequestBody {
        private final MediaType type;
        private final byte[] bytes;
        private boolean written;

        OneShot(MediaType type, byte[] bytes) {
            this.type = type;
            this.bytes = bytes;
        }

        @Override
        public MediaType contentType() {
            return type;
        }

        @Override
        public long contentLength() {
            return bytes.length;
        }

        @Override
        public boolean isOneShot() {
            return true;
        }

        @Override
        public void writeTo(BufferedSink sink) throws IOException {
            if (written) {
                throw new IOException("a one-shot body is written a second time");
            }
            written = true;
            sink.write(bytes);
        }
    }

    private record Sync(OkHttpClient client) implements Client {
        @Override
        public Answer send(Sent request) throws IOException {
            return response(client.newCall(request(request)).execute());
        }

        @Override
        public void sendAndCancel(Sent request, Moment when) throws Exception {
            Call call = client.newCall(request(request));
            FutureTask<Void> canceller = new FutureTask<>(() -> {
                when.await();
                call.cancel();
                return null;
            });
            new Thread(canceller).start();
            try (Response response = call.execute()) {
                throw new AssertionError("answered: " + response.code());
            } catch (IOException e) {
                canceller.get();
            }
        }
    }

    private record Async(OkHttpClient client) implements Client {
        @Override
        public Answer send(Sent request) throws IOException, InterruptedException {
            return response(await(enqueue(client.newCall(request(request)))));
        }

        @Override
        public void sendAndCancel(Sent request, Moment when) throws Exception {
            Call call = client.newCall(request(request));
            CompletableFuture<Response> response = enqueue(call);
            when.await();
            call.cancel();
            try {
                throw new AssertionError("answered: " + await(response).code());
            } catch (IOException e) {
                assertThat(call.isCanceled()).isTrue();
            }
        }

        private static CompletableFuture<Response> enqueue(Call call) {
            CompletableFuture<Response> future = new CompletableFuture<>();
            call.enqueue(new Callback() {
                @Override
                public void onFailure(Call failed, IOException e) {
                    future.completeExceptionally(e);
                }

                @Override
                public void onResponse(Call answered, Response response) {
                    future.complete(response);
                }
            });
            return future;
        }

        private static Response await(CompletableFuture<Response> future) throws IOException, InterruptedException {
            try {
                return future.get();
            } catch (ExecutionException e) {
                if (e.getCause() instanceof IOException failure) {
                    throw failure;
                }
                throw new InterruptedIOException(String.valueOf(e.getCause()));
            }
        }
    }
}
