package io.costguard.proof;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Cost;
import io.costguard.Outcome;
import io.costguard.PriceList;
import io.costguard.describe.Dialect;
import io.costguard.describe.Target;
import io.costguard.describe.Usage;
import io.costguard.describe.dialects.Dialects;
import io.costguard.settle.Charges;
import io.costguard.settle.Ending;
import io.costguard.settle.Hostile;
import io.costguard.settle.Meter;
import io.costguard.settle.Metered;
import java.net.URI;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Answers whose usage is revised, repeated and nonsense, beside the whole of what should become of it: of each count the last report that
 * says something stands, the largest of one event; the call is charged that if none of them is nonsense. For one thread.
 */
final class HostileUsages {
    private static final long LARGEST = (1L << 53) - 1;
    private static final Cost ESTIMATE = Cost.requests(1).input(1_234).output(567);
    private static final Charges CHARGES = new Charges(PriceList.bundled());

    /** As they can be written in JSON. */
    private static final String[] VALUES = {
        "0",
        "1",
        "28.0",
        "4096",
        "9007199254740991",
        "9007199254740992",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "9".repeat(100),
        "-1",
        "-0",
        "0.5",
        "1e3",
        "1E+308",
        "1e308",
        "1e-400",
        "\"17\"",
        "\"\"",
        "\"NaN\"",
        "true",
        "null",
        "{}",
        "[]",
        "[5]",
        "{\"count\":5}"
    };

    /** In which places a provider says what it used, and how those come to the tokens of prompt and answer. */
    @SuppressWarnings("ImmutableEnumChecker") // none is ever changed
    private enum Shape {
        CHAT(
                "https://api.openai.com/v1/chat/completions",
                "text/event-stream",
                "{\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":%s}",
                List.of("prompt_tokens"),
                List.of("completion_tokens")),
        CHAT_AT_ONCE(
                "https://api.openai.com/v1/chat/completions",
                "application/json",
                "{\"object\":\"chat.completion\",\"choices\":[],\"usage\":%s}",
                List.of("prompt_tokens"),
                List.of("completion_tokens")),
        RESPONSES(
                "https://api.openai.com/v1/responses",
                "text/event-stream",
                "{\"type\":\"response.in_progress\",\"response\":{\"usage\":%s}}",
                List.of("input_tokens"),
                List.of("output_tokens")),
        MESSAGES(
                "https://api.anthropic.com/v1/messages",
                "text/event-stream; charset=utf-8",
                "{\"type\":\"message_delta\",\"delta\":{},\"usage\":%s}",
                List.of("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
                List.of("output_tokens")),
        MESSAGE_STARTS(
                "https://api.anthropic.com/v1/messages",
                "text/event-stream",
                "{\"type\":\"message_start\",\"message\":{\"usage\":%s}}",
                List.of("input_tokens", "cache_read_input_tokens"),
                List.of("output_tokens")),
        GEMINI(
                "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.0-flash:streamGenerateContent",
                "text/event-stream",
                "{\"candidates\":[],\"usageMetadata\":%s}",
                List.of("promptTokenCount", "toolUsePromptTokenCount"),
                List.of("candidatesTokenCount", "thoughtsTokenCount")),
        OLLAMA(
                "http://localhost:11434/api/chat",
                "application/x-ndjson",
                "%s",
                List.of("prompt_eval_count"),
                List.of("eval_count"));

        final String contentType;
        final String event;
        final List<String> input;
        final List<String> output;
        final Dialect dialect;

        Shape(String url, String contentType, String event, List<String> input, List<String> output) {
            this.contentType = contentType;
            this.event = event;
            this.input = input;
            this.output = output;
            this.dialect =
                    Dialects.bundled().of(Target.of("POST", URI.create(url))).orElseThrow();
        }

        boolean isStream() {
            return !contentType.equals("application/json");
        }

        String framed(String document) {
            return contentType.startsWith("text/event-stream") ? "data: " + document + "\n\n" : document + "\n";
        }

        String name(Random random) {
            List<String> names = random.nextBoolean() ? input : output;
            return names.get(random.nextInt(names.size()));
        }
    }

    private final Random random;

    HostileUsages(Random random) {
        this.random = random;
    }

    /** A count, as it is written. */
    private record Report(String name, String value) {
        OptionalLong count() {
            if (!value.matches("[0-9]{1,16}(\\.0)?")) {
                return OptionalLong.empty();
            }
            long count = Long.parseLong(value.replace(".0", ""));
            return count <= LARGEST ? OptionalLong.of(count) : OptionalLong.empty();
        }

        /** What is no value of this place says nothing in it: it is another place. */
        boolean isSilent() {
            return value.equals("null") || value.startsWith("{") || value.startsWith("[");
        }

        @Override
        public String toString() {
            return "\"" + name + "\":" + value;
        }
    }

    Hostile<?> next() {
        Shape shape = Shape.values()[random.nextInt(Shape.values().length)];
        int sensible = random.nextInt(4);
        List<List<Report>> events = new ArrayList<>();
        for (int i = shape.isStream() ? 1 + random.nextInt(8) : 1; i > 0; i--) {
            List<Report> reports = new ArrayList<>();
            for (int j = random.nextInt(5); j > 0; j--) {
                String value = random.nextInt(4) < sensible
                        ? String.valueOf(random.nextInt(100_000))
                        : VALUES[random.nextInt(VALUES.length)];
                reports.add(new Report(shape.name(random), value));
            }
            events.add(!events.isEmpty() && random.nextInt(4) == 0 ? events.get(events.size() - 1) : reports);
        }
        return new Answer(shape, events, 1 + random.nextInt(400));
    }

    private static final class Answer implements Hostile<List<Report>> {
        private final Shape shape;
        private final List<List<Report>> events;
        private final int longestPiece;
        private final byte[] bytes;

        Answer(Shape shape, List<List<Report>> events, int longestPiece) {
            this.shape = shape;
            this.events = events;
            this.longestPiece = longestPiece;
            this.bytes = events.stream()
                    .map(reports -> reports.stream().map(Report::toString).collect(Collectors.joining(",", "{", "}")))
                    .map(usage -> shape.framed(shape.event.replace("%s", usage)))
                    .collect(Collectors.joining())
                    .getBytes(UTF_8);
        }

        @Override
        public List<List<Report>> parts() {
            return events;
        }

        @Override
        public Answer of(List<List<Report>> parts) {
            return new Answer(shape, parts, longestPiece);
        }

        /** It has no text, and one model for all. */
        @Override
        public Answer afresh() {
            return this;
        }

        @Override
        public byte[] bytes() {
            return bytes;
        }

        @Override
        public Object read() {
            Meter meter = new Meter(shape.dialect, "a-model", shape.contentType, "");
            for (int from = 0; from < bytes.length; from += longestPiece) {
                meter.accept(ByteBuffer.wrap(bytes, from, Math.min(longestPiece, bytes.length - from)));
            }
            Metered metered = meter.result();
            Optional<Map<String, Long>> counts = counts();
            assertThat(metered.usage().isPresent()).as("usage was taken").isEqualTo(counts.isPresent());
            Charges.Charged charged = CHARGES.of(
                    new Ending.Answered(200, metered), ESTIMATE, Optional.of(shape.dialect), "", "a-model", Set.of());
            if (counts.isEmpty()) {
                assertThat(charged.outcome()).isIn(Outcome.COUNTED, Outcome.ESTIMATE_KEPT);
                assertThat(charged.actual().input()).isEqualTo(ESTIMATE.input());
                return charged.outcome();
            }
            Usage usage = metered.usage().orElseThrow();
            long input = sum(shape.input, counts.get());
            long output = sum(shape.output, counts.get());
            assertThat(usage.allInput()).as("input").isEqualTo(input);
            assertThat(usage.allOutput()).as("output").isEqualTo(output);
            assertThat(charged.outcome()).isEqualTo(Outcome.REPORTED);
            assertThat(charged.actual().requests()).isOne();
            assertThat(charged.actual().input())
                    .isEqualTo(input == 0 ? ESTIMATE.input() : Math.min(input, Cost.MAX_AMOUNT / 2));
            assertThat(charged.actual().output()).isEqualTo(Math.min(output, Cost.MAX_AMOUNT / 2));
            return charged.outcome();
        }

        /** What stands of each name in the end; empty where that is nothing, or nonsense. */
        private Optional<Map<String, Long>> counts() {
            Map<String, Long> counts = new HashMap<>();
            Set<String> nonsense = new HashSet<>();
            for (List<Report> reports : events) {
                Map<String, Long> ofEvent = new HashMap<>();
                for (Report report : reports) {
                    if (report.isSilent()) {
                        continue;
                    }
                    report.count()
                            .ifPresentOrElse(
                                    count -> {
                                        ofEvent.merge(report.name, count, Math::max);
                                        nonsense.remove(report.name);
                                    },
                                    () -> nonsense.add(report.name));
                }
                counts.putAll(ofEvent);
            }
            return counts.isEmpty() || !nonsense.isEmpty() ? Optional.empty() : Optional.of(counts);
        }

        private static long sum(List<String> names, Map<String, Long> counts) {
            return names.stream()
                    .mapToLong(name -> counts.getOrDefault(name, 0L))
                    .sum();
        }

        @Override
        public String toString() {
            return "usages of " + shape + ", in pieces of " + longestPiece;
        }
    }
}
