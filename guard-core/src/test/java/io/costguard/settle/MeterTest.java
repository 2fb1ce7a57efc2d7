package io.costguard.settle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

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
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MeterTest {
    private static final Dialect OPENAI = Dialects.bundled()
            .of(Target.of("POST", Recordings.of("openai-chat-n2").url()))
            .orElseThrow();
    private static final Dialect ANTHROPIC = Dialects.bundled()
            .of(Target.of("POST", Recordings.of("anthropic-messages-basic").url()))
            .orElseThrow();

    private static final Dialect OLLAMA = dialect("http://localhost:11434/api/chat");
    private static final Dialect TGI = dialect("https://me.us-east-1.aws.endpoints.huggingface.cloud/");
    private static final Dialect BEDROCK = dialect("https://bedrock-runtime.us-east-1.amazonaws.com/model/a.b/invoke");
    private static final Dialect VERTEX_EMBEDDINGS = dialect(
            "https://aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/google/models/text-embedding-005:predict");

    private static Dialect dialect(String url) {
        return Dialects.bundled().of(Target.of("POST", URI.create(url))).orElseThrow();
    }

    private static Optional<Dialect> dialect(Exchange exchange) {
        return Dialects.bundled().of(Target.of("POST", exchange.url()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"1e999999999", "1e2147483648", "1e99999999999", "-1e-99999999999"})
    void aCostThatIsNonsenseLeavesTheTokensThatWereReported(String cost) {
        Meter meter = new Meter(OPENAI, "gpt-4o", "application/json", "");

        meter.accept(ByteBuffer.wrap(
                ("{\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,\"cost\":" + cost + "}}")
                        .getBytes(StandardCharsets.UTF_8)));

        assertThat(meter.result().usage()).hasValue(Usage.of(7, 3));
    }

    /** As the HTML standard has it: "Server-sent events", parsing an event stream. */
    @Test
    void aStreamBehindAByteOrderMarkIsReadFromItsFirstEvent() {
        String event = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n";
        Meter meter = new Meter(OPENAI, "gpt-4o", "text/event-stream", "");

        meter.accept(ByteBuffer.wrap(("\ufeff" + event + "data: [DONE]\n\n").getBytes(StandardCharsets.UTF_8)));

        assertThat(meter.result().usage()).isPresent();
    }

    @BeforeAll
    static void loadTokenizers() throws ExecutionException, InterruptedException {
        Tokenizers.loaded("gpt-4o").get();
        Tokenizers.loaded("gpt-4").get();
    }

    @Test
    void aStreamWithoutUsageIsCounted() {
        Exchange exchange = Recordings.of("openai-chat-stream-no-usage");

        Metered metered = metered(exchange, exchange.response(), 17, "");

        assertThat(metered.usage()).isEmpty();
        assertThat(metered.outputCounted()).isPositive();
    }

    @Test
    void aLongAnswerWithoutUsageIsCountedAsItPasses() {
        String line = "The quick brown fox jumps over the lazy dog, and then it has a rest under the tree.";
        String stream = ("data: {\"choices\":[{\"delta\":{\"content\":\" " + line + "\"}}]}\n\n").repeat(1_000);
        long tokens = Tokenizers.of("gpt-4o").count((" " + line).repeat(1_000));

        assertThat(metered(OPENAI, "text/event-stream", stream).outputCounted()).isCloseTo(tokens, withinPercentage(1));
    }

    /** What is counted in two parts has one token more here than as a whole. */
    @Test
    void ofTheTextOfAnAnswerNoMoreThan8192BytesAreKeptUncounted() {
        String full = "data: {\"choices\":[{\"delta\":{\"content\":\"" + " the".repeat(2_047) + "\"}}]}\n\n";
        String event = "data: {\"choices\":[{\"delta\":{\"content\":\"%s\"}}]}\n\n";
        long whole = Tokenizers.of("gpt-4o").count(" the".repeat(2_047) + "hello");

        Metered metered = metered(OPENAI, "text/event-stream", full + event.formatted("hel") + event.formatted("lo"));

        assertThat(metered.outputCounted()).isEqualTo(whole + 1);
    }

    @Test
    void aTextThatIsLongerThanWhatIsKeptIsCountedAtOnce() {
        String words = " the".repeat(3_000);
        String event = "data: {\"choices\":[{\"delta\":{\"content\":\"" + words + "\"}}]}\n\n";

        assertThat(metered(OPENAI, "text/event-stream", event + event).outputCounted())
                .isEqualTo(2 * Tokenizers.of("gpt-4o").count(words));
    }

    @Test
    void usageInTheHeadersCountsWhateverTheBodyIs() {
        Map<String, String> headers = Map.of(
                "x-amzn-bedrock-input-token-count", "7",
                "x-amzn-bedrock-output-token-count", "3");
        Meter meter = new Meter(BEDROCK, "a.b", "application/json", "");

        meter.headers(name -> Optional.ofNullable(headers.get(name)));

        assertThat(meter.result().usage()).contains(Usage.of(7, 3));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                " \r\n {\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}",
                " data: {\"a\":1}\n\ndata: {\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}\n\n"
            })
    void aBodyOfNoContentTypeIsWhatItBeginsLike(String body) {
        assertThat(metered(OPENAI, "", body).usage()).contains(Usage.of(9, 4));
    }

    @Test
    void aBodyOfNoContentTypeMayBeAnArray() {
        String prediction = "{\"embeddings\":{\"statistics\":{\"token_count\":7}}}";

        assertThat(metered(TGI, "", "[{\"generated_text\":\"good morning to you\"}]")
                        .state())
                .isEqualTo(Metered.State.COMPLETE);
        assertThat(metered(VERTEX_EMBEDDINGS, "", "{\"predictions\":[" + prediction + "]}")
                        .usage())
                .contains(Usage.of(7, 0));
    }

    @Test
    void theWordThatEndsAStreamIsNoDocumentAndAnotherOfItsLengthIsNoEnd() {
        String usage = "data: {\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}\n\n";

        assertThat(metered(OPENAI, "text/event-stream", usage + "data: [DONE]\n\n")
                        .state())
                .isEqualTo(Metered.State.COMPLETE);
        assertThat(metered(OPENAI, "text/event-stream", usage + "data: [1, 2]\n\n")
                        .state())
                .isEqualTo(Metered.State.PARTIAL);
    }

    @Test
    void whatAnEventReportsThatBreaksOffDoesNotCount() {
        Metered metered = metered(OPENAI, "text/event-stream", """
                data: {"usage":{"prompt_tokens":9,"completion_tokens":4}}

                data: {"usage":{"prompt_tokens":9,"completion_tokens":5},

                """);

        assertThat(metered.usage()).contains(Usage.of(9, 4));
        assertThat(metered.state()).isEqualTo(Metered.State.UNREADABLE);
    }

    @Test
    @Tag("fault-26")
    void ofSeveralReportsInAStreamTheLastCounts() {
        Metered metered = metered(OPENAI, "text/event-stream", """
                data: {"usage":{"prompt_tokens":9,"completion_tokens":40}}

                data: {"usage":{"prompt_tokens":9,"completion_tokens":30}}

                data: {"usage":null}

                data: [DONE]

                """);

        assertThat(metered.usage()).contains(Usage.of(9, 30));
    }

    @Test
    @Tag("fault-33")
    void ofTwoReportsInOneDocumentTheLargerCounts() {
        Metered metered = metered(OPENAI, "application/json", """
                {"usage":{"prompt_tokens":9,"completion_tokens":40,"completion_tokens":3}}""");

        assertThat(metered.usage()).contains(Usage.of(9, 40));
    }

    @ParameterizedTest
    @ValueSource(strings = {"-1", "1e308", "9007199254740992", "9223372036854775808", "1.5", "\"12\"", "true", "NaN"})
    @Tag("fault-26")
    @Tag("threat-4")
    void usageThatIsNonsenseCountsAsNotReported(String output) {
        Metered metered = metered(
                OPENAI,
                "application/json",
                "{\"choices\":[{\"message\":{\"content\":\"hello there\"}}],\"usage\":{\"prompt_tokens\":9,"
                        + "\"completion_tokens\":" + output + "}}");

        assertThat(metered.usage()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"\"prompt_tokens\":9,\"completion_tokens\":-1", "\"completion_tokens\":-1,\"prompt_tokens\":9"})
    void nonsenseBesideACountIsNonsenseInEitherOrder(String usage) {
        assertThat(metered(OPENAI, "application/json", "{\"usage\":{" + usage + "}}")
                        .usage())
                .isEmpty();
    }

    @Test
    void nonsenseOfOneTextOfARequestIsNotMadeUpForByTheOthers() {
        String tokens = "{\"embeddings\":{\"statistics\":{\"token_count\":%s}}}";

        assertThat(metered(
                                VERTEX_EMBEDDINGS,
                                "application/json",
                                "{\"predictions\":[" + tokens.formatted("-1") + "," + tokens.formatted("7") + "]}")
                        .usage())
                .isEmpty();
    }

    @Test
    @Tag("fault-26")
    void generatedUsagesAreReadAndChargedAsAModelDoes() {
        long seed = Long.getLong("costguard.seed", 1);
        System.out.println("generated usages: -Dcostguard.seed=" + seed);
        Random random = new Random(seed);
        Charges charges = new Charges(PriceList.bundled());
        Cost estimate = Cost.requests(1).input(1_000).output(4_000);
        Set<Outcome> outcomes = new HashSet<>();
        for (int i = 0; i < 10_000; i++) {
            UsageModel model = new UsageModel(random);
            Metered metered = metered(ANTHROPIC, "text/event-stream", model.stream());
            Charges.Charged charged = charges.of(
                    new Ending.Answered(200, metered),
                    estimate,
                    Optional.of(ANTHROPIC),
                    "anthropic",
                    "claude",
                    Set.of(ServiceTier.STANDARD));

            assertThat(metered.usage()).as("seed %d: %s", seed, model.stream()).isEqualTo(model.usage());
            long input =
                    model.usage().map(Usage::input).filter(told -> told > 0).orElse(estimate.input());
            long output = model.usage().map(Usage::output).orElse(metered.outputCounted());
            assertThat(charged)
                    .as("seed %d: %s", seed, model.stream())
                    .isEqualTo(new Charges.Charged(
                            Cost.requests(1).input(input).output(output),
                            model.usage().isPresent() ? Outcome.REPORTED : Outcome.COUNTED));
            outcomes.add(charged.outcome());
        }
        assertThat(outcomes).containsExactlyInAnyOrder(Outcome.REPORTED, Outcome.COUNTED);
    }

    /** A stream with reports of all kinds, and what is to be read of it: what each count was last, if all of them are counts. */
    private static final class UsageModel {
        private final StringBuilder stream =
                new StringBuilder("data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"good morning\"}}\n\n");
        private final Map<String, Long> counts = new HashMap<>();
        private final Set<String> nonsense = new HashSet<>();
        private final Random random;
        private long soFar;

        UsageModel(Random random) {
            this.random = random;
            for (int reports = random.nextInt(5); reports > 0; reports--) {
                report();
            }
            stream.append("data: {\"type\":\"message_stop\"}\n\n");
        }

        private void report() {
            Map<String, Long> largest = new HashMap<>();
            List<String> members = new ArrayList<>();
            for (int left = 1 + random.nextInt(3); left > 0; left--) {
                String name = random.nextBoolean() ? "input_tokens" : "output_tokens";
                String value = value();
                members.add("\"" + name + "\":" + value);
                if (value.matches("[0-9]{1,16}(\\.0)?") && Double.parseDouble(value) < 0x1p53) {
                    largest.merge(name, (long) Double.parseDouble(value), Math::max);
                    nonsense.remove(name);
                } else if (!value.equals("null")) {
                    nonsense.add(name);
                }
            }
            counts.putAll(largest);
            stream.append("data: {\"type\":\"message_delta\",\"usage\":{")
                    .append(String.join(",", members))
                    .append("}}\n\n");
        }

        private String value() {
            return switch (random.nextInt(16)) {
                case 0 -> "null";
                case 1 -> "0";
                case 2 -> "\"" + random.nextInt(100) + "\"";
                case 3 -> "-" + (1 + random.nextInt(100));
                case 4 -> random.nextInt(100) + ".5";
                case 5 -> "9007199254740992";
                case 6 -> "9223372036854775808";
                case 7 -> random.nextBoolean() ? "1e308" : "1e2";
                case 8 -> "false";
                case 9 -> random.nextInt(100) + ".0";
                case 10, 11 -> String.valueOf(soFar);
                case 12 -> String.valueOf(random.nextInt(1_000_000));
                default -> String.valueOf(soFar += random.nextInt(1_000));
            };
        }

        String stream() {
            return stream.toString();
        }

        Optional<Usage> usage() {
            return counts.isEmpty() || !nonsense.isEmpty()
                    ? Optional.empty()
                    : Optional.of(Usage.of(
                            counts.getOrDefault("input_tokens", 0L), counts.getOrDefault("output_tokens", 0L)));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "null",
                "[]",
                "\"text\"",
                "{",
                "}{",
                "<html>no</html>",
                "{\"usage\":",
                "{'usage':1}",
                "{\"usage\":{\"prompt_tokens\":1}} trailing",
                "\0\0\0"
            })
    void whatIsNotTheExpectedJsonReportsNothingWrong(String body) {
        Metered metered = metered(OPENAI, "application/json", body);

        assertThat(metered.outputCounted()).isZero();
        assertThat(metered.usage().map(Usage::output).orElse(0L)).isZero();
    }

    @ParameterizedTest
    @CsvSource({"[,1000000", "{\"a\":,1000000"})
    void deepAndEndlessDocumentsAreLeftUnread(String unit, int times) {
        Metered metered = metered(OPENAI, "application/json", unit.repeat(times) + " ");

        assertThat(metered.usage()).isEmpty();
        assertThat(metered.state()).isEqualTo(Metered.State.UNREADABLE);
    }

    @Test
    @Tag("fault-33")
    void aNumberOfAMillionDigitsIsNoUsage() {
        String digits = "1".repeat(1_000_000);

        assertThat(metered(OPENAI, "application/json", "{\"usage\":{\"prompt_tokens\":" + digits + "}}")
                        .usage())
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 100_000})
    void aDocumentThatIsCutTellsWhatPassed(int length) {
        String usage = """
                {"id":"%s","usage":{"prompt_tokens":9,"completion_tokens":40}""".formatted("x".repeat(length));

        Metered cut = metered(OPENAI, "application/json", usage + ",\"choices\":[{");

        assertThat(cut.usage()).contains(Usage.of(9, 40));
        assertThat(cut.state()).isEqualTo(Metered.State.PARTIAL);
        assertThat(metered(OPENAI, "application/json", usage + "}").state()).isEqualTo(Metered.State.COMPLETE);
        assertThat(metered(OPENAI, "application/json", usage.substring(0, usage.length() - 2))
                        .usage())
                .contains(Usage.of(9, 0));
    }

    @Test
    void askedHalfWayADocumentGoesOn() {
        byte[] body = """
                {"usage":{"prompt_tokens":9,"completion_tokens":40}}""".getBytes(StandardCharsets.UTF_8);
        Meter meter = new Meter(OPENAI, "gpt-4o", "application/json", "");
        meter.accept(ByteBuffer.wrap(body, 0, 30));
        assertThat(meter.result().usage()).contains(Usage.of(9, 0));

        meter.accept(ByteBuffer.wrap(body, 30, body.length - 30));
        assertThat(meter.result().usage()).contains(Usage.of(9, 40));
        assertThat(meter.result().state()).isEqualTo(Metered.State.COMPLETE);
    }

    @Test
    void askedHalfWayALineThatIsNotWholeCountsOnceItIs() {
        byte[] line = """
                {"message":{"content":"hello there, and how are you?"},"done":false}
                """.getBytes(StandardCharsets.UTF_8);
        Meter asked = new Meter(OLLAMA, "llama3", "application/x-ndjson", "");
        Meter never = new Meter(OLLAMA, "llama3", "application/x-ndjson", "");
        for (byte b : line) {
            asked.accept(ByteBuffer.wrap(new byte[] {b}));
            asked.result();
            never.accept(ByteBuffer.wrap(new byte[] {b}));
        }

        assertThat(asked.result().outputCounted())
                .isPositive()
                .isEqualTo(never.result().outputCounted());
    }

    @ParameterizedTest
    @ValueSource(strings = {"application/x-ndjson", "application/jsonl", "application/stream+json"})
    void linesOfJsonAreReadOneByOne(String contentType) {
        Metered metered = metered(OLLAMA, contentType, """
                {"message":{"content":"hi"},"done":false}
                {"done":true,"prompt_eval_count":9,"eval_count":4}""");

        assertThat(metered.usage()).contains(Usage.of(9, 4));
        assertThat(metered.state()).isEqualTo(Metered.State.COMPLETE);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 200_000})
    void theTokensOfSeveralTextsInOneRequestAddUp(int length) {
        String prediction =
                "{\"embeddings\":{\"values\":[\"" + "0".repeat(length) + "\"],\"statistics\":{\"token_count\":7}}}";
        byte[] body = ("{\"predictions\":[" + prediction + "," + prediction + "," + prediction + "]}")
                .getBytes(StandardCharsets.UTF_8);
        Meter meter = new Meter(VERTEX_EMBEDDINGS, "text-embedding-005", "application/json", "");
        Recordings.pieces(body, 4_096).forEach(piece -> {
            meter.accept(ByteBuffer.wrap(piece));
            meter.result();
        });

        assertThat(meter.result().usage()).contains(Usage.of(21, 0));
    }

    @Test
    void aTextThatIsToldAgainAsAWholeIsCountedOnce() {
        String event = "data:{\"token\":{\"text\":\"%s\"},\"generated_text\":%s,\"details\":null}\n\n";

        Metered streamed = metered(
                TGI,
                "text/event-stream",
                event.formatted("good morning", "null") + event.formatted(" to you", "\"good morning to you\""));

        assertThat(streamed.state()).isEqualTo(Metered.State.COMPLETE);
        assertThat(streamed.outputCounted())
                .isPositive()
                .isEqualTo(metered(TGI, "application/json", "[{\"generated_text\":\"good morning to you\"}]")
                        .outputCounted());
    }

    @Test
    void anEscapedKeyIsTheKey() {
        Metered metered = metered(
                OPENAI, "application/json", "{\"us\\u0061ge\":{\"prompt_tokens\":1,\"completion_\\u0074okens\":2}}");

        assertThat(metered.usage()).contains(Usage.of(1, 2));
    }

    @Test
    void aByteOrderMarkIsPassedOver() {
        Metered metered = metered(
                OPENAI,
                "text/event-stream",
                "\ufeffdata: {}\n\ndata: {\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n\n");

        assertThat(metered.usage()).contains(Usage.of(1, 0));
    }

    @ParameterizedTest
    @ValueSource(strings = {"br", "zstd", "gzip, br"})
    void anEncodingThatIsNotKnownIsLeftUnread(String encoding) {
        Meter meter = new Meter(OPENAI, "gpt-4o", "application/json", encoding);
        meter.accept(ByteBuffer.wrap(new byte[] {1, 2, 3}));

        assertThat(meter.result().state()).isEqualTo(Metered.State.UNREADABLE);
    }

    @Test
    void aDamagedEncodingIsLeftUnreadFromThereOn() throws IOException {
        Exchange exchange = Recordings.of("openai-chat-n2");
        byte[] body = gzip(exchange.response());
        body[body.length / 2] ^= 0x55;
        body[body.length / 2 + 1] ^= 0x55;

        assertThat(metered(exchange, body, 17, "gzip").state()).isNotEqualTo(Metered.State.COMPLETE);
    }

    @Test
    @Tag("fault-31")
    void anEncodingThatBreaksOffAnywhereTellsWhatPassed() throws IOException {
        Exchange exchange = Recordings.of("openai-chat-stream-include-usage");
        byte[] whole = gzip(exchange.response());
        for (int cut = 0; cut < whole.length; cut++) {
            assertThat(metered(exchange, Arrays.copyOf(whole, cut), cut, "gzip").usage())
                    .as("cut at byte %d", cut)
                    .satisfiesAnyOf(
                            none -> assertThat(none).isEmpty(),
                            all -> assertThat(all)
                                    .contains(Usage.of(
                                            exchange.reportedInput().orElseThrow(),
                                            exchange.reportedOutput().orElseThrow())));
        }
        Metered checksumMissing = metered(exchange, Arrays.copyOf(whole, whole.length - 8), 17, "gzip");
        assertThat(checksumMissing.usage()).isPresent();
        assertThat(metered(exchange, Arrays.copyOf(whole, whole.length / 2), 17, "gzip")
                        .state())
                .isEqualTo(Metered.State.PARTIAL);
    }

    @Test
    void theBufferIsLeftAsItIs() {
        ByteBuffer buffer = ByteBuffer.wrap("{\"usage\":{}}".getBytes(StandardCharsets.UTF_8))
                .asReadOnlyBuffer();

        new Meter(OPENAI, "gpt-4o", "application/json", "").accept(buffer);

        assertThat(buffer.position()).isZero();
    }

    private static Metered metered(Exchange exchange, byte[] body, int longest, String encoding) {
        Meter meter = new Meter(dialect(exchange).orElseThrow(), exchange.model(), exchange.contentType(), encoding);
        meter.headers(name -> Optional.ofNullable(exchange.headers().get(name)));
        Recordings.pieces(body, Math.max(1, longest)).forEach(piece -> meter.accept(ByteBuffer.wrap(piece)));
        return meter.result();
    }

    private static Metered metered(Dialect dialect, String contentType, String body) {
        Meter meter = new Meter(dialect, "gpt-4o", contentType, "");
        meter.accept(ByteBuffer.wrap(body.getBytes(StandardCharsets.UTF_8)));
        return meter.result();
    }

    private static byte[] gzip(byte[] body) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(body);
        }
        return out.toByteArray();
    }
}
