package io.costguard.examples;

import io.costguard.CostGuard;
import io.costguard.jdk.GuardedHttpClient;
import io.costguard.okhttp.CostGuardInterceptor;
import io.costguard.testing.Recordings.Exchange;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Optional;
import java.util.function.UnaryOperator;
import okhttp3.MediaType;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import org.jspecify.annotations.Nullable;

/** An HTTP client of the user's, with the guard on it. */
interface Client {

    /** Makes the call of a recorded exchange, and reads its answer to the end. */
    Answer send(Exchange exchange) throws IOException, InterruptedException;

    /** What came back: of the provider, or of the guard in its place, which then may say when to come back. */
    record Answer(Optional<Duration> comeBackAfter) {
        private static final Duration WHEN_REDIS_CANNOT_DECIDE = Duration.ofMillis(200);

        static Answer of(int status, UnaryOperator<@Nullable String> header) {
            if (header.apply("x-cost-guard") == null || status == 402) {
                return new Answer(Optional.empty());
            }
            String millis = header.apply("retry-after-ms");
            return new Answer(
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
                return exchange -> {
                    Request request = new Request.Builder()
                            .url(provider.resolve(exchange.url().getPath()).toString())
                            .header("authorization", KEY)
                            .post(RequestBody.create(exchange.request(), json))
                            .build();
                    try (Response response = client.newCall(request).execute()) {
                        if (response.body() != null) {
                            response.body().bytes();
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
                return exchange -> {
                    HttpRequest request = HttpRequest.newBuilder(
                                    provider.resolve(exchange.url().getPath()))
                            .header("authorization", KEY)
                            .header("content-type", "application/json")
                            .POST(BodyPublishers.ofByteArray(exchange.request()))
                            .build();
                    HttpResponse<byte[]> response = client.send(request, BodyHandlers.ofByteArray());
                    return Answer.of(
                            response.statusCode(),
                            name -> response.headers().firstValue(name).orElse(null));
                };
            }
        };

        private static final String KEY = "Bearer sk-of-the-demo";

        abstract Client guardedBy(CostGuard guard, URI provider);
    }
}
