package io.costguard.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.CallAttributes;
import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.GuardListener.Settlement;
import io.costguard.Limit;
import io.costguard.PriceList;
import io.costguard.Recorder;
import io.costguard.testing.RedisForTests;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is reserved for a call that asks for a service tier, and what is charged for the one in which it was served. */
class ServiceTiersIT {
    private static final Duration AT_MOST = Duration.ofMinutes(1);

    /** What ten tokens of the answer cost: 20 nano-dollars, 10 in flex, 50 with priority. */
    private static final String PRICES = """
            { "m": { "input_cost_per_token": 0, "output_cost_per_token": 2e-9, "output_cost_per_token_flex": 1e-9,
              "output_cost_per_token_priority": 5e-9 } }
            """;

    private final Recorder events = new Recorder();
    private final RedisForTests redis = RedisForTests.shared();

    @ParameterizedTest
    @CsvSource({
        "standard_only, default, 20, 20",
        "priority, priority, 50, 50",
        "priority, default, 50, 20",
        "priority, , 50, 50",
        "flex, flex, 10, 10",
        "flex, default, 10, 20",
        "auto, default, 50, 20",
        "auto, priority, 50, 50",
    })
    void aCallIsReservedInTheDearestTierItAllowsAndChargedInItsOwn(
            String asked, String served, long reserved, long charged) throws Exception {
        Settlement settled = settled(
                "api.openai.com",
                "/v1/chat/completions",
                Map.of(),
                "{'model':'m','max_tokens':10,'service_tier':'" + asked + "'}",
                "{" + (served == null ? "" : "'service_tier':'" + served + "',")
                        + "'usage':{'prompt_tokens':1,'completion_tokens':10}}");

        assertThat(settled.estimate().nanoUsd()).isEqualTo(reserved);
        assertThat(settled.actual().nanoUsd()).isEqualTo(charged);
    }

    @ParameterizedTest
    @CsvSource({
        "X-Vertex-AI-LLM-Shared-Request-Type, aiplatform.googleapis.com, "
                + "/v1/projects/p/locations/global/publishers/google/models/m:generateContent",
        "X-Amzn-Bedrock-Service-Tier, bedrock-runtime.us-east-1.amazonaws.com, /model/m/invoke"
    })
    void aTierMayBeAskedForInAHeader(String header, String host, String path) throws Exception {
        Settlement settled = settled(
                host,
                path,
                Map.of(header, "priority"),
                "{'max_tokens':10,'generationConfig':{'maxOutputTokens':10}}",
                "{'usage':{'outputTokens':10},'usageMetadata':{'candidatesTokenCount':10}}");

        assertThat(settled.estimate().nanoUsd()).isEqualTo(50);
        assertThat(settled.actual().nanoUsd()).isEqualTo(50);
    }

    private Settlement settled(String host, String path, Map<String, String> asked, String request, String response)
            throws Exception {
        try (CostGuard guard = guard()) {
            HttpCall call = guard.http()
                    .begin("POST", "https", host, -1, path, "", headers(asked), CallAttributes.none())
                    .orElseThrow();
            call.body(bytes(request));
            Admittance admittance = call.admit(Denials.THROW, AT_MOST, () -> false);
            assertThat(admittance).isInstanceOf(Admittance.Admitted.class);
            Exchange exchange = ((Admittance.Admitted) admittance).exchange();
            exchange.answered(
                    200, name -> name.equals("content-type") ? Optional.of("application/json") : Optional.empty());
            exchange.bytes(ByteBuffer.wrap(bytes(response)));
            exchange.complete();
        }
        assertThat(events.settlements).hasSize(1);
        return events.settlements.get(0);
    }

    private CostGuard guard() throws IOException {
        return CostGuard.builder()
                .redis(redis.url())
                .keyPrefix(redis.keyPrefix())
                .decisionTimeout(AT_MOST)
                .budget(Budget.named("money").limit(Limit.usd("1").perDay()))
                .prices(PriceList.parse(new ByteArrayInputStream(PRICES.getBytes(StandardCharsets.UTF_8))))
                .listener(events)
                .build();
    }

    private static Function<String, List<String>> headers(Map<String, String> headers) {
        return name -> headers.entrySet().stream()
                .filter(header -> header.getKey().equalsIgnoreCase(name))
                .map(Map.Entry::getValue)
                .toList();
    }

    private static byte[] bytes(String json) {
        return json.replace('\'', '"').getBytes(StandardCharsets.UTF_8);
    }
}
