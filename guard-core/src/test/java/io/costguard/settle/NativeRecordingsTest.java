package io.costguard.settle;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Cost;
import io.costguard.Outcome;
import io.costguard.PriceList;
import io.costguard.describe.Dialect;
import io.costguard.describe.Dialects;
import io.costguard.describe.Estimator;
import io.costguard.describe.RequestFacts;
import io.costguard.describe.Target;
import io.costguard.describe.Usage;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What providers with formats of their own sent and answered, held against what they reported. */
class NativeRecordingsTest {
    private static final Set<String> PROVIDERS =
            Set.of("anthropic", "gemini", "vertex", "cohere", "ollama", "huggingface");

    /** Their input is not all in the request: it names a cache, or the server fetches more. */
    private static final Set<String> MORE_THAN_THE_REQUEST = Set.of(
            "anthropic-messages-stream-web-search",
            "gemini-generateContent-cached-content",
            "vertex-generateContent-cached-content");

    private static final double MOST_TOO_LOW = 0.95;
    private static final double MOST_TOO_HIGH_BY_HALF = 1.3;

    private final Estimator estimator = new Estimator(PriceList.bundled());

    static List<Exchange> recordings() {
        return Recordings.all().stream()
                .filter(exchange -> PROVIDERS.contains(exchange.provider()))
                .filter(exchange -> !exchange.url().getPath().contains("/chat/completions"))
                .toList();
    }

    static List<Exchange> streams() {
        return recordings().stream().filter(Exchange::isStream).toList();
    }

    static List<Exchange> failed() {
        return recordings().stream()
                .filter(exchange -> exchange.status() >= 300)
                .toList();
    }

    static List<Exchange> withAllOfTheirInput() {
        return recordings().stream()
                .filter(exchange -> exchange.reportedInput().isPresent())
                .filter(exchange -> !MORE_THAN_THE_REQUEST.contains(exchange.folder()))
                .toList();
    }

    @Test
    void allOfTheirRecordingsHaveADialect() {
        assertThat(recordings())
                .hasSize(30)
                .allMatch(exchange -> Dialects.bundled()
                        .of(target(exchange))
                        .map(dialect -> dialect.provider(target(exchange)))
                        .equals(Optional.of(exchange.provider())));
    }

    @ParameterizedTest
    @MethodSource("recordings")
    void aResponseIsMeteredToWhatItsProviderReported(Exchange exchange) {
        byte[] body = exchange.response();
        for (int longest = 1; longest <= 17; longest++) {
            assertReported(exchange, metered(exchange, body, longest));
        }
        assertReported(exchange, metered(exchange, body, body.length));
    }

    private static void assertReported(Exchange exchange, Metered metered) {
        assertThat(metered.state()).isEqualTo(Metered.State.COMPLETE);
        assertThat(metered.error().isEmpty()).isEqualTo(exchange.status() < 300);
        assertThat(String.valueOf(metered.usage().isPresent()))
                .isEqualTo(exchange.manifest().get("usage_present"));
        metered.usage().ifPresent(usage -> {
            OptionalLong reasoning = exchange.number("reasoning_tokens");
            assertThat(usage.allInput()).isEqualTo(exchange.reportedInput().orElse(0));
            assertThat(usage.allOutput()).isEqualTo(exchange.reportedOutput().orElse(0));
            assertThat(usage.reasoning()).isEqualTo(reasoning.orElse(0));
            assertThat(usage.cacheWrite() + usage.cacheWriteLong())
                    .isEqualTo(exchange.number("cache_write_tokens").orElse(0));
            // Cohere bills 8 tokens, and says that of 503 which it processed 448 were cached.
            long cached = exchange.number("cached_input_tokens").orElse(0);
            assertThat(usage.cacheRead()).isEqualTo(exchange.provider().equals("cohere") ? 0 : cached);
        });
    }

    @ParameterizedTest
    @MethodSource("streams")
    void aStreamThatIsCutAtAnyByteTellsNoLessThanItDidBefore(Exchange exchange) {
        byte[] body = exchange.response();
        long counted = 0;
        long reported = 0;
        for (int cut = 0; cut <= body.length; cut++) {
            Metered metered = metered(exchange, Arrays.copyOf(body, cut), 4_096);
            long output = metered.usage().map(Usage::allOutput).orElse(0L);
            assertThat(metered.outputCounted()).as("at byte %d", cut).isGreaterThanOrEqualTo(counted);
            assertThat(output).as("at byte %d", cut).isGreaterThanOrEqualTo(reported);
            counted = metered.outputCounted();
            reported = output;
        }
        assertThat(counted + reported).isPositive();
    }

    @ParameterizedTest
    @MethodSource("failed")
    void anErrorThatWasRecordedWasNotBilled(Exchange exchange) {
        Cost estimate = Cost.requests(1).input(1_000).output(100);
        Charges charges = new Charges(PriceList.bundled());
        Metered metered = metered(exchange, exchange.response(), 17);

        assertThat(charges.of(
                                new Ending.Answered(exchange.status(), metered),
                                estimate,
                                Optional.of(dialect(exchange)),
                                exchange.provider(),
                                exchange.model())
                        .outcome())
                .isEqualTo(Outcome.REFUNDED);
    }

    @ParameterizedTest
    @MethodSource("withAllOfTheirInput")
    void theInputOfARequestIsNotEstimatedTooLow(Exchange exchange) {
        assertThat(ratio(exchange)).isGreaterThanOrEqualTo(MOST_TOO_LOW);
    }

    @Test
    void halfOfTheEstimatesAreNotMuchTooHigh() {
        List<Double> ratios =
                withAllOfTheirInput().stream().map(this::ratio).sorted().toList();

        assertThat(ratios.get(ratios.size() / 2)).isLessThanOrEqualTo(MOST_TOO_HIGH_BY_HALF);
    }

    private double ratio(Exchange exchange) {
        return (double) facts(exchange).inputTokens() / exchange.reportedInput().orElseThrow();
    }

    @ParameterizedTest
    @MethodSource("recordings")
    void modelCapAndChoicesOfARequestAreRead(Exchange exchange) {
        RequestFacts facts = facts(exchange);
        boolean embeds = exchange.url().getPath().toLowerCase(Locale.ROOT).contains("embed");

        assertThat(facts.isReadable()).isTrue();
        // A server that is not asked for a model is known by its host.
        assertThat(facts.models())
                .containsExactly(exchange.model().isEmpty() ? exchange.url().getHost() : exchange.model());
        assertThat(facts.outputCap()).isEqualTo(embeds ? OptionalLong.of(0) : exchange.number("request_max_tokens"));
        assertThat(facts.choices()).isEqualTo(exchange.number("request_n").orElse(1));
    }

    private RequestFacts facts(Exchange exchange) {
        return estimator.read(dialect(exchange), target(exchange), exchange.request());
    }

    private static Target target(Exchange exchange) {
        return Target.of("POST", exchange.url());
    }

    private static Dialect dialect(Exchange exchange) {
        return Dialects.bundled().of(target(exchange)).orElseThrow();
    }

    private static Metered metered(Exchange exchange, byte[] body, int longest) {
        Meter meter = new Meter(dialect(exchange), exchange.model(), exchange.contentType(), "");
        meter.headers(name -> Optional.ofNullable(exchange.headers().get(name)));
        Recordings.pieces(body, longest).forEach(piece -> meter.accept(ByteBuffer.wrap(piece)));
        return meter.result();
    }
}
