package io.costguard.examples;

import static com.github.tomakehurst.wiremock.client.WireMock.okJson;
import static com.github.tomakehurst.wiremock.client.WireMock.post;
import static org.assertj.core.api.Assertions.assertThat;

import com.github.tomakehurst.wiremock.WireMockServer;
import com.github.tomakehurst.wiremock.core.WireMockConfiguration;
import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.GuardListener;
import io.costguard.Limit;
import io.costguard.Outcome;
import io.costguard.jdk.GuardedHttpClient;
import io.costguard.testing.RedisForTests;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class OwnDialectIT {
    @Test
    void aCallInAFormatOfOnesOwnIsEstimatedAndSettledToWhatItReports() throws Exception {
        WireMockServer server =
                new WireMockServer(WireMockConfiguration.options().dynamicPort().bindAddress("127.0.0.1"));
        server.start();
        server.stubFor(post("/translate")
                .willReturn(okJson("{\"translation\":\"Guten Tag\",\"billed\":{\"in\":7,\"out\":5}}")));
        CompletableFuture<GuardListener.Settlement> settled = new CompletableFuture<>();
        try (CostGuard guard = CostGuard.builder()
                .redis(RedisForTests.shared().url())
                .keyPrefix(RedisForTests.shared().keyPrefix())
                .budget(Budget.named("tokens").limit(Limit.tokens(10_000).perMinute()))
                .dialect(new OwnDialect())
                .listener(new GuardListener() {
                    @Override
                    public void onSettled(Settlement event) {
                        settled.complete(event);
                    }
                })
                .build()) {
            HttpClient client = GuardedHttpClient.wrap(HttpClient.newHttpClient(), guard);
            HttpRequest request = HttpRequest.newBuilder(URI.create(server.baseUrl() + "/translate"))
                    .POST(HttpRequest.BodyPublishers.ofString("{\"model\":\"t1\",\"text\":\"Good day to you\"}"))
                    .build();

            assertThat(client.send(request, BodyHandlers.ofString()).body()).contains("Guten Tag");

            GuardListener.Settlement told = settled.get(10, TimeUnit.SECONDS);
            assertThat(told.outcome()).isEqualTo(Outcome.REPORTED);
            assertThat(told.call().attributes()).containsEntry("provider", "translator");
            assertThat(told.estimate().input()).isPositive();
            assertThat(told.actual().input()).isEqualTo(7);
            assertThat(told.actual().output()).isEqualTo(5);
        } finally {
            server.stop();
        }
    }
}
