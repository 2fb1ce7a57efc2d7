package io.costguard.jdk;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.http.tck.AdapterContract;
import io.costguard.http.tck.Client;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

class GuardedHttpClientIT extends AdapterContract {

    @Override
    protected Client client(CostGuard guard, Denials denials, Mode mode) {
        HttpClient client = GuardedHttpClient.newBuilder(guard, denials)
                .followRedirects(HttpClient.Redirect.NORMAL)
                .connectTimeout(CONNECT_TIMEOUT)
                .build();
        return mode == Mode.SYNC ? new Sync(client) : new Async(client);
    }

    private static HttpRequest request(Client.Sent request) {
        HttpRequest.Builder builder = HttpRequest.newBuilder(request.uri()).timeout(READ_TIMEOUT);
        request.headers().forEach(builder::header);
        if (request.method().equals("GET")) {
            return builder.build();
        }
        InputStream once = new ByteArrayInputStream(request.body());
        BodyPublisher body = request.form() == Client.Body.ONE_SHOT
                ? BodyPublishers.ofInputStream(() -> once)
                : BodyPublishers.ofByteArray(request.body());
        return builder.method(request.method(), body).build();
    }

    private static Client.Answer response(HttpResponse<InputStream> response) {
        return Client.Answer.of(response.statusCode(), response.headers().map(), response.body());
    }

    private record Sync(HttpClient client) implements Client {
        @Override
        public Answer send(Sent request) throws IOException, InterruptedException {
            return response(client.send(request(request), BodyHandlers.ofInputStream()));
        }

        @Override
        public void sendAndCancel(Sent request, Moment when) throws Exception {
            Thread caller = Thread.currentThread();
            FutureTask<Void> canceller = new FutureTask<>(() -> {
                when.await();
                caller.interrupt();
                return null;
            });
            new Thread(canceller).start();
            try {
                throw new AssertionError("answered: " + send(request).status());
            } catch (IOException | InterruptedException e) {
                assertThat(Thread.interrupted()).isFalse();
                canceller.get();
            }
        }
    }

    private record Async(HttpClient client) implements Client {
        @Override
        public Answer send(Sent request) throws IOException, InterruptedException {
            try {
                return response(client.sendAsync(request(request), BodyHandlers.ofInputStream())
                        .get());
            } catch (ExecutionException e) {
                if (e.getCause() instanceof IOException failure) {
                    throw failure;
                }
                throw new AssertionError(e);
            }
        }

        @Override
        public void sendAndCancel(Sent request, Moment when) throws Exception {
            CompletableFuture<HttpResponse<InputStream>> future =
                    client.sendAsync(request(request), BodyHandlers.ofInputStream());
            when.await();
            assertThat(future.cancel(true)).isTrue();
        }
    }
}
