package io.costguard.describe;

import static org.assertj.core.api.Assertions.assertThat;

import com.knuddels.jtokkit.Encodings;
import com.knuddels.jtokkit.api.EncodingRegistry;
import io.costguard.ModelNames;
import io.costguard.PriceList;
import io.costguard.describe.dialects.Dialects;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** How near estimates of the input come to what providers reported, over all recordings whose input is all in the request. */
class EstimatesTest {
    /** What is not in the request itself: what the server finds in the web, and what it was given before. */
    private static final Pattern ELSEWHERE = Pattern.compile("\"(?:web_search[a-z_0-9]*|cachedContent)\"");

    private static final Path DOCS = Path.of("..", "docs", "providers.md");
    private static final String BEGIN = "| provider | recordings | lowest | median | highest |\n";

    private static final long SEED = 1;
    private static final EncodingRegistry ENCODINGS = Encodings.newLazyEncodingRegistry();
    private static final Estimator ESTIMATOR = new Estimator(PriceList.bundled(), EstimatesTest::unused);

    @Test
    void whereTheTokenizerIsPublicNoneIsTooLowAndHalfAreNearlyRight() {
        List<Double> ratios = ratios(true);

        assertThat(ratios).hasSizeGreaterThan(20);
        assertThat(ratios.get(0)).isGreaterThanOrEqualTo(0.95);
        assertThat(median(ratios)).isLessThanOrEqualTo(1.1);
    }

    @Test
    void whereItIsNotFewAreTooLowAndHalfAreNotMuchTooHigh() {
        List<Double> ratios = ratios(false);

        assertThat(ratios).hasSizeGreaterThan(20);
        assertThat(ratios.stream().filter(ratio -> ratio < 0.95).count()).isLessThanOrEqualTo(ratios.size() / 20);
        assertThat(ratios.get(0)).isGreaterThanOrEqualTo(0.5);
        assertThat(median(ratios)).isLessThanOrEqualTo(1.3);
    }

    /** {@code -Dcostguard.docs=write} has it written instead. */
    @Test
    void theTableInTheDocsIsTrue() throws IOException {
        String docs = Files.readString(DOCS);
        int begin = docs.indexOf(BEGIN);
        assertThat(begin).isPositive();
        int end = docs.indexOf("\n\n", begin) + 1;

        if (System.getProperty("costguard.docs", "").equals("write")) {
            Files.writeString(DOCS, docs.substring(0, begin) + table() + docs.substring(end));
        } else {
            assertThat(docs.substring(begin, end)).isEqualTo(table());
        }
    }

    private static String table() {
        StringBuilder table = new StringBuilder(BEGIN).append("| --- | --- | --- | --- | --- |\n");
        recordings().stream()
                .collect(Collectors.groupingBy(Exchange::provider, TreeMap::new, Collectors.toList()))
                .forEach((provider, exchanges) -> {
                    List<Double> ratios = exchanges.stream()
                            .map(EstimatesTest::ratio)
                            .sorted()
                            .toList();
                    table.append(String.format(
                            Locale.ROOT,
                            "| %s | %d | %.2f | %.2f | %.2f |%n",
                            provider,
                            ratios.size(),
                            ratios.get(0),
                            median(ratios),
                            ratios.get(ratios.size() - 1)));
                });
        return table.toString();
    }

    private static List<Exchange> recordings() {
        return Recordings.all().stream()
                // A prompt that was still in a cache is reported as none.
                .filter(exchange -> exchange.reportedInput().orElse(0) > 0)
                .filter(exchange -> !ELSEWHERE
                        .matcher(new String(exchange.request(), StandardCharsets.UTF_8))
                        .find())
                .toList();
    }

    /** One that learned nothing of other texts, so that what it counts does not depend on the tests before. */
    private static Tokenizers.Counter unused(String model) {
        return Tokenizers.encoding(model)
                .<Tokenizers.Counter>map(
                        type -> new WordCounter(ENCODINGS.getEncoding(type)::countTokensOrdinary, SEED))
                .orElseGet(() -> Tokenizers.of(model));
    }

    private static List<Double> ratios(boolean tokenizerIsPublic) {
        return recordings().stream()
                .filter(exchange -> Tokenizers.encoding(ModelNames.canonical(exchange.model()))
                                .isPresent()
                        == tokenizerIsPublic)
                .map(EstimatesTest::ratio)
                .sorted()
                .toList();
    }

    private static double ratio(Exchange exchange) {
        Target target = Target.of("POST", exchange.url());
        RequestFacts facts = ESTIMATOR.read(Dialects.bundled().of(target).orElseThrow(), target, exchange.request());
        return (double) facts.inputTokens() / exchange.reportedInput().orElseThrow();
    }

    private static double median(List<Double> sorted) {
        return sorted.get(sorted.size() / 2);
    }
}
