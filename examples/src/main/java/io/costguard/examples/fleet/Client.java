package io.costguard.examples.fleet;

import io.costguard.CostGuard;
import io.costguard.jdk.GuardedHttpClient;
import io.costguard.okhttp.CostGuardInterceptor;
import io.costguard.testing.Recordings.Exchange;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.function.UnaryOperator;
import okhttp3.MediaType;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import okhttp3.ResponseBody;
import org.jspecify.annotations.Nullable;

/** An HTTP client of the user's, with the guard on it. */
interface Client {

    /** Makes the call of a recorded exchange, and reads its answer as it is told. */
    Answer send(Exchange exchange, ApiKey key, Reading reading) throws IOException, InterruptedException;

    /**
     * What came back: of the provider, or of the guard in its place, which then may say when to come back.
     *
     * @param isOfGuard whether the guard answered, and nothing was sent
     */
    record Answer(int status, boolean isOfGuard, Optional<Duration> comeBackAfter) {
        private static final Duration WHEN_REDIS_CANNOT_DECIDE = Duration.ofMillis(200);

        static Answer of(int status, UnaryOperator<@Nullable String> header) {
            boolean isOfGuard = header.apply("x-cost-guard") != null;
            if (!isOfGuard || status == 402) {
                return new Answer(status, isOfGuard, Optional.empty());
            }
            String millis = header.apply("retry-after-ms");
            return new Answer(
                    status,
                    true,
                    Optional.of(millis == null ? WHEN_REDIS_CANNOT_DECIDE : Duration.ofMillis(Long.parseLong(millis))));
        }
    }

    /** Which one. */
    enum Kind {
        OKHTTP {
            @Override
            Client guardedBy(CostGuard guard, URI provider) {
                OkHttpClient client = new OkHttpClient.Builder()
                        .addInterceptor(new CostGuardInterceptor(guard))
                        .build();
                MediaType json = MediaType.get("application/json");
                return (exchange, key, reading) -> {
                    Request request = new Request.Builder()
                            .url(provider.resolve(exchange.url().getPath()).toString())
                            .header("authorization", key.bearer())
                            .post(RequestBody.create(exchange.request(), json))
                            .build();
                    try (Response response = client.newCall(request).execute()) {
                        ResponseBody body = response.body();
                        if (body != null) {
                            read(body.byteStream(), exchange, reading);
                        }
                        return Answer.of(response.code(), response::header);
                    }
                };
            }
        },
        JDK {
            @Override
            Client guardedBy(CostGuard guard, URI provider) {
                HttpClient client = GuardedHttpClient.wrap(
                        HttpClient.newBuilder()
                                .version(HttpClient.Version.HTTP_1_1)
                                .build(),
                        guard);
                return (exchange, key, reading) -> {
                    HttpRequest request = HttpRequest.newBuilder(
                                    provider.resolve(exchange.url().getPath()))
                            .header("authorization", key.bearer())
                            .header("content-type", "application/json")
                            .POST(BodyPublishers.ofByteArray(exchange.request()))
                            .build();
                    HttpResponse<InputStream> response = client.send(request, BodyHandlers.ofInputStream());
                    try (InputStream body = response.body()) {
                        read(body, exchange, reading);
                    }
                    return Answer.of(
                            response.statusCode(),
                            name -> response.headers().firstValue(name).orElse(null));
                };
            }
        };

        abstract Client guardedBy(CostGuard guard, URI provider);

        private static void read(InputStream body, Exchange exchange, Reading reading) throws IOException {
            switch (reading) {
                case TO_THE_END -> body.transferTo(java.io.OutputStream.nullOutputStream());
                case HALF -> body.readNBytes(exchange.response().length / 2);
            }
        }

        String label() {
            return name().toLowerCase(Locale.ROOT);
        }
    }
}
