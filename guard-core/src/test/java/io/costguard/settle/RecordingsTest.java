package io.costguard.settle;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Cost;
import io.costguard.Outcome;
import io.costguard.PriceList;
import io.costguard.ServiceTier;
import io.costguard.describe.Dialect;
import io.costguard.describe.Target;
import io.costguard.describe.Tokenizers;
import io.costguard.describe.Usage;
import io.costguard.describe.dialects.Dialects;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What real providers answered, held against what their recordings' manifest says of it. */
class RecordingsTest {
    private static final Cost ESTIMATE = Cost.requests(1).input(1_000).output(4_000);
    private static final Charges CHARGES = new Charges(PriceList.bundled());

    static List<Exchange> all() {
        return Recordings.all();
    }

    static List<Exchange> streams() {
        return all().stream().filter(Exchange::isStream).toList();
    }

    static List<Exchange> errors() {
        return all().stream().filter(exchange -> exchange.status() >= 300).toList();
    }

    @BeforeAll
    static void loadTokenizers() throws ExecutionException, InterruptedException {
        Tokenizers.loaded("gpt-4o").get();
        Tokenizers.loaded("gpt-4").get();
    }

    @Test
    void allOfThemAreOfADialectThatKnowsTheirProvider() {
        assertThat(all()).hasSize(81).allSatisfy(exchange -> {
            Target target = target(exchange);
            String provider = dialect(exchange).provider(target);
            // A server of one's own is whose its user says that it is.
            assertThat(provider).isEqualTo(target.provider().isEmpty() ? "openai" : exchange.provider());
        });
    }

    @ParameterizedTest
    @MethodSource("all")
    void usageIsWhatTheProviderReportedInHoweverManyPiecesItComes(Exchange exchange) throws IOException {
        byte[] body = exchange.response();
        assertReported(exchange, metered(exchange, body, body.length, ""));
        for (int longest = 1; longest <= 17; longest++) {
            assertReported(exchange, metered(exchange, body, longest, ""));
        }
        byte[] gzipped = gzip(body);
        assertReported(exchange, metered(exchange, gzipped, gzipped.length, "gzip"));
        assertReported(exchange, metered(exchange, gzipped, 7, "gzip"));
    }

    private static void assertReported(Exchange exchange, Metered metered) {
        assertThat(metered.state()).isEqualTo(Metered.State.COMPLETE);
        assertThat(metered.error().isEmpty()).isEqualTo(exchange.status() < 300);
        assertThat(metered.usage().isPresent()).isEqualTo(exchange.isUsageReported());
        metered.usage().ifPresent(usage -> {
            assertThat(usage.allInput()).isEqualTo(exchange.reportedInput().orElse(0));
            assertThat(usage.allOutput()).isEqualTo(exchange.reportedOutput().orElse(0));
            assertThat(usage.reasoning())
                    .isEqualTo(exchange.number("reasoning_tokens").orElse(0));
            assertThat(usage.cacheWrite() + usage.cacheWriteLong())
                    .isEqualTo(exchange.number("cache_write_tokens").orElse(0));
            // Cohere bills 8 tokens, and says that of 503 which it processed 448 were cached.
            long cached = exchange.number("cached_input_tokens").orElse(0);
            assertThat(usage.cacheRead()).isEqualTo(exchange.provider().equals("cohere") ? 0 : cached);
        });
    }

    @Test
    void whoTellsTheTierOfARecordedAnswerServedItInTheStandardOne() {
        List<String> told = new ArrayList<>();
        for (Exchange exchange : all()) {
            metered(exchange, exchange.response(), 17, "").tier().ifPresent(tier -> {
                assertThat(tier).as(exchange.folder()).isEqualTo(ServiceTier.STANDARD);
                told.add(exchange.provider());
            });
        }

        assertThat(told).contains("openai", "azure", "anthropic", "gemini", "vertex", "mistral", "xai");
    }

    @ParameterizedTest
    @MethodSource("streams")
    @Tag("fault-25")
    @Tag("threat-4")
    void aStreamThatIsCutAtAnyByteSettlesToTheLargerOfUsageSeenAndInputAndWhatPassed(Exchange exchange) {
        byte[] body = exchange.response();
        long before = 0;
        Meter meter = meter(exchange, "");
        for (int cut = 0; cut < body.length; cut++) {
            // To ask a meter changes nothing of what it says next.
            Metered metered = meter.result();
            meter.accept(ByteBuffer.wrap(body, cut, 1));
            Cost settled = charged(exchange, new Ending.Cut(exchange.status(), metered))
                    .actual();

            long seen = metered.usage()
                    .map(usage -> usage.allOutput() + (usage.allInput() > 0 ? usage.allInput() : ESTIMATE.input()))
                    .orElse(0L);
            long passed = ESTIMATE.input() + metered.outputCounted();
            assertThat(settled.input() + settled.output())
                    .as("cut at byte %d", cut)
                    .isEqualTo(Math.max(seen, passed))
                    .isGreaterThanOrEqualTo(ESTIMATE.input());
            long told = metered.outputCounted()
                    + metered.usage().map(Usage::allOutput).orElse(0L);
            assertThat(told).as("cut at byte %d", cut).isGreaterThanOrEqualTo(before);
            before = told;
        }
        assertThat(before).isPositive();
    }

    @ParameterizedTest
    @MethodSource("errors")
    void whatTheProviderRefusedIsRefunded(Exchange exchange) {
        Metered metered = metered(exchange, exchange.response(), 17, "");

        assertThat(charged(exchange, new Ending.Answered(exchange.status(), metered)))
                .isEqualTo(new Charges.Charged(Cost.requests(1).nanoUsd(0), Outcome.REFUNDED));
    }

    private static Charges.Charged charged(Exchange exchange, Ending ending) {
        return CHARGES.of(
                ending,
                ESTIMATE,
                Optional.of(dialect(exchange)),
                exchange.provider(),
                exchange.model(),
                Set.of(ServiceTier.STANDARD));
    }

    private static Meter meter(Exchange exchange, String encoding) {
        Meter meter = new Meter(dialect(exchange), exchange.model(), exchange.contentType(), encoding);
        meter.headers(name -> Optional.ofNullable(exchange.headers().get(name)));
        return meter;
    }

    static Metered metered(Exchange exchange, byte[] body, int longest, String encoding) {
        Meter meter = meter(exchange, encoding);
        Recordings.pieces(body, longest).forEach(piece -> meter.accept(ByteBuffer.wrap(piece)));
        return meter.result();
    }

    private static Dialect dialect(Exchange exchange) {
        return Dialects.bundled().of(target(exchange)).orElseThrow();
    }

    private static Target target(Exchange exchange) {
        return Target.of("POST", exchange.url());
    }

    private static byte[] gzip(byte[] body) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(body);
        }
        return out.toByteArray();
    }
}
