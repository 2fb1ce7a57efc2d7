package io.costguard.settle;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Cost;
import io.costguard.Outcome;
import io.costguard.PriceList;
import io.costguard.describe.Dialect;
import io.costguard.describe.Dialects;
import io.costguard.describe.Target;
import io.costguard.describe.Tokenizers;
import io.costguard.describe.Usage;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What providers on OpenAI's paths answered, held against what their recordings' manifest says of it. */
class OpenAiRecordingsTest {
    private static final Set<String> PROVIDERS = Set.of(
            "openai", "azure", "deepseek", "groq", "mistral", "openrouter", "perplexity", "together", "vllm", "xai");

    static List<Exchange> recordings() {
        return Recordings.all().stream()
                .filter(exchange -> PROVIDERS.contains(exchange.provider())
                        || exchange.folder().equals("ollama-chat-openai-compatible-local"))
                .toList();
    }

    static List<Exchange> streams() {
        return recordings().stream().filter(Exchange::isStream).toList();
    }

    static List<Exchange> errors() {
        return recordings().stream()
                .filter(exchange -> exchange.status() >= 400)
                .toList();
    }

    @BeforeAll
    static void loadTokenizers() throws ExecutionException, InterruptedException {
        Tokenizers.loaded("gpt-4o").get();
        Tokenizers.loaded("gpt-4").get();
    }

    @Test
    void thereIsADialectForAllOfThem() {
        assertThat(recordings())
                .hasSize(44)
                .allSatisfy(exchange ->
                        assertThat(Dialects.bundled().of(target(exchange))).isPresent());
    }

    @ParameterizedTest
    @MethodSource("recordings")
    void usageIsWhatTheProviderReportedInHoweverManyPiecesItComes(Exchange exchange) {
        byte[] body = exchange.response();
        for (int longest = 1; longest <= 17; longest++) {
            assertReported(exchange, metered(exchange, body, longest));
        }
        assertReported(exchange, metered(exchange, body, body.length));
    }

    private static void assertReported(Exchange exchange, Metered metered) {
        assertThat(metered.state()).isEqualTo(Metered.State.COMPLETE);
        assertThat(metered.error().isEmpty()).isEqualTo(exchange.status() < 300);
        assertThat(metered.usage().isPresent())
                .isEqualTo(Boolean.parseBoolean(exchange.manifest().get("usage_present")));
        metered.usage().ifPresent(usage -> {
            long reasoning = exchange.number("reasoning_tokens").orElse(0);
            assertThat(usage.allInput()).isEqualTo(exchange.reportedInput().orElse(0));
            assertThat(usage.allOutput()).isEqualTo(exchange.reportedOutput().orElse(0));
            assertThat(usage.cacheRead())
                    .isEqualTo(exchange.number("cached_input_tokens").orElse(0));
            assertThat(usage.cacheWrite())
                    .isEqualTo(exchange.number("cache_write_tokens").orElse(0));
            assertThat(usage.reasoning()).isEqualTo(reasoning);
        });
    }

    @ParameterizedTest
    @MethodSource("streams")
    void ofAStreamThatIsCutAtAnyByteWhatWasSeenNeverShrinks(Exchange exchange) {
        byte[] body = exchange.response();
        long used = 0;
        long counted = 0;
        for (int cut = 0; cut <= body.length; cut++) {
            Metered metered = metered(exchange, Arrays.copyOf(body, cut), 4_096);
            long usage = metered.usage()
                    .map(seen -> seen.allInput() + seen.allOutput())
                    .orElse(0L);
            assertThat(usage).isGreaterThanOrEqualTo(used);
            assertThat(metered.outputCounted()).isGreaterThanOrEqualTo(counted);
            used = usage;
            counted = metered.outputCounted();
        }
    }

    @ParameterizedTest
    @MethodSource("errors")
    void whatTheProviderRefusedIsRefunded(Exchange exchange) {
        Cost estimate = Cost.requests(1).input(100).output(1_000).nanoUsd(5_000);

        assertThat(charged(exchange, estimate))
                .isEqualTo(new Charges.Charged(Cost.requests(1).nanoUsd(0), Outcome.REFUNDED));
    }

    @ParameterizedTest
    @CsvSource({
        "openai-chat-audio-input, 1, 0",
        "openai-chat-audio-output, 0, 12",
    })
    void audioIsCountedApart(String folder, long input, long output) {
        Usage usage = usage(folder);

        assertThat(usage.audioInput()).isEqualTo(input);
        assertThat(usage.audioOutput()).isEqualTo(output);
    }

    @ParameterizedTest
    @CsvSource({
        "openrouter-chat-stream-cost, 60000",
        "openrouter-chat-tools-cost, 678000",
        "perplexity-chat-sonar, 5020000",
        "perplexity-chat-sonar-stream, 5010000",
        "xai-responses-stream, 514350",
    })
    void whatTheProviderSaysThatItCostIsTaken(String folder, long nanoUsd) {
        assertThat(usage(folder).nanoUsd()).hasValue(nanoUsd);
    }

    @ParameterizedTest
    @CsvSource({"azure-chat-foundry-stream-usage", "openai-chat-n2"})
    void whereTheProviderDoesNotSayWhatItCostThereIsNoFigure(String folder) {
        assertThat(usage(folder).nanoUsd()).isEqualTo(OptionalLong.empty());
    }

    @Test
    void aPerplexityStreamRepeatsTheTextAndItIsCountedOnce() {
        Exchange exchange = Recordings.of("perplexity-chat-sonar-stream");

        assertThat(metered(exchange, exchange.response(), 4_096).outputCounted())
                .isEqualTo(Tokenizers.of("sonar").count("1 2 3"));
    }

    @Test
    void aModerationIsChargedItsRequestAlone() {
        Exchange exchange = Recordings.of("openai-moderations-basic");

        assertThat(charged(exchange, Cost.requests(1).nanoUsd(0)).actual()).isEqualTo(Cost.requests(1));
    }

    private static Usage usage(String folder) {
        Exchange exchange = Recordings.of(folder);
        return metered(exchange, exchange.response(), 17).usage().orElseThrow();
    }

    private static Charges.Charged charged(Exchange exchange, Cost estimate) {
        Metered metered = metered(exchange, exchange.response(), 17);
        return new Charges(PriceList.bundled())
                .of(
                        new Ending.Answered(exchange.status(), metered),
                        estimate,
                        Dialects.bundled().of(target(exchange)),
                        exchange.provider(),
                        exchange.model());
    }

    private static Metered metered(Exchange exchange, byte[] body, int longest) {
        Dialect dialect = Dialects.bundled().of(target(exchange)).orElseThrow();
        Meter meter = new Meter(dialect, exchange.model(), exchange.contentType(), "");
        meter.headers(name -> Optional.ofNullable(exchange.headers().get(name)));
        Recordings.pieces(body, longest).forEach(piece -> meter.accept(ByteBuffer.wrap(piece)));
        return meter.result();
    }

    private static Target target(Exchange exchange) {
        return Target.of("POST", exchange.url());
    }
}
