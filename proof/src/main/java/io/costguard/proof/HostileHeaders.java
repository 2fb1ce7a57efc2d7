package io.costguard.proof;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Cost;
import io.costguard.describe.Dialect;
import io.costguard.describe.Remaining;
import io.costguard.describe.Target;
import io.costguard.describe.dialects.Dialects;
import io.costguard.settle.Hostile;
import io.costguard.settle.Meter;
import io.costguard.settle.Metered;
import io.costguard.settle.RetryAfter;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.zip.DataFormatException;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.GZIPOutputStream;
import java.util.zip.Inflater;

/** Headers of answers that say when to come back, what is left, what the body is and how it is encoded; none of them as it should. For one thread. */
final class HostileHeaders {
    private static final int GZIP_HEADER = 10;
    private static final Instant NOW = Instant.parse("2026-02-28T23:59:59Z");

    private static final List<String> NAMES = List.of(
            "retry-after",
            "retry-after-ms",
            "x-ratelimit-remaining-requests",
            "x-ratelimit-remaining-tokens",
            "x-ratelimit-reset-requests",
            "x-ratelimit-reset-tokens",
            "anthropic-ratelimit-requests-remaining",
            "anthropic-ratelimit-tokens-remaining",
            "anthropic-ratelimit-tokens-reset",
            "anthropic-ratelimit-input-tokens-remaining",
            "x-gemini-service-tier",
            "x-amzn-bedrock-service-tier",
            "x-amzn-bedrock-input-token-count",
            "x-amzn-bedrock-output-token-count",
            "authorization",
            "x-api-key");

    private static final List<String> VALUES = List.of(
            "",
            " ",
            "0",
            "1",
            "00000000000000000001",
            "59.999",
            "60",
            "-1",
            "-0",
            "+5",
            "1e9",
            "1e999999999",
            "1e-999999999",
            "1e2147483648",
            "-1e999999999",
            "0x10",
            "1_000",
            "9007199254740991",
            "9007199254740992",
            "9223372036854775808",
            "9".repeat(64),
            "9".repeat(100_000),
            "NaN",
            "Infinity",
            "12 seconds",
            "1h2m3.5s",
            "120ms",
            "999999999999h999999999999h999999999999h",
            "1.5.5s",
            "s",
            "h".repeat(64),
            "Fri, 31 Dec 9999 23:59:59 GMT",
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "Sun, 30 Feb 2026 00:00:00 GMT",
            "2026-03-01T00:00:00Z",
            "+1000000000-12-31T23:59:59Z",
            "-1000000000-01-01T00:00:00Z",
            "null",
            "a,b,c",
            "\u0000",
            "\u00ff\u00fe",
            "\ud800",
            "(".repeat(3_000));

    private static final List<String> TYPES = List.of(
            "",
            "application/json",
            "APPLICATION/JSON; charset=utf-16",
            "text/event-stream",
            "text/event-stream;;;",
            "application/x-ndjson",
            "application/vnd.amazon.eventstream",
            "application/json-seq",
            "text/html",
            "json",
            "\u0130/\u0130",
            "a".repeat(10_000));

    private static final List<String> ENCODINGS = List.of(
            "",
            "identity",
            "gzip",
            "x-gzip",
            "GZIP ",
            "deflate",
            "br",
            "zstd",
            "gzip, gzip",
            "identity, gzip",
            "\u0000");

    private record Answer(Dialect dialect, Exchange exchange, byte[] plain, byte[] gzip, byte[] deflate) {
        byte[] body(Random random) {
            return switch (random.nextInt(4)) {
                case 0 -> plain;
                case 1 -> deflate;
                default -> gzip;
            };
        }
    }

    private static final List<Answer> ANSWERS = Recordings.all().stream()
            .flatMap(exchange -> Dialects.bundled().of(Target.of("POST", exchange.url())).stream()
                    .map(dialect -> answer(dialect, exchange)))
            .toList();

    private final Random random;

    HostileHeaders(Random random) {
        this.random = random;
    }

    private record Header(String name, String value) {}

    Hostile<?> next() {
        Answer answer = ANSWERS.get(random.nextInt(ANSWERS.size()));
        byte[] body = answer.body(random);
        boolean isPlain = body == answer.plain;
        List<Header> headers = new ArrayList<>();
        headers.add(new Header(
                "content-type",
                random.nextInt(3) == 0 ? any(TYPES) : answer.exchange().contentType()));
        headers.add(new Header(
                "content-encoding",
                random.nextInt(3) == 0 ? any(ENCODINGS) : isPlain ? "" : body == answer.gzip ? "gzip" : "deflate"));
        for (int i = random.nextInt(5); i >= 0; i--) {
            headers.add(new Header(any(NAMES), value()));
        }
        return new Headers(answer, headers, damaged(body, isPlain), 1 + random.nextInt(1_000));
    }

    /** {@return one of them, as a line of an answer} */
    String line() {
        return any(NAMES) + ": " + value();
    }

    private String any(List<String> of) {
        return of.get(random.nextInt(of.size()));
    }

    private String value() {
        return switch (random.nextInt(4)) {
            case 0 -> String.valueOf(random.nextLong() >> random.nextInt(64));
            case 1 ->
                DateTimeFormatter.RFC_1123_DATE_TIME.format(
                        NOW.plusSeconds(random.nextInt(200) - 100).atOffset(ZoneOffset.UTC));
            default -> any(VALUES);
        };
    }

    /** Cut off, most often, or with a bit of it turned, beginning and end (sizes, checksums) more often than the rest. */
    private byte[] damaged(byte[] body, boolean isPlain) {
        if (body.length == 0 || random.nextInt(4) == 0) {
            return body;
        }
        int near = Math.min(body.length, 24);
        int at = switch (random.nextInt(3)) {
            case 0 -> random.nextInt(near);
            case 1 -> body.length - 1 - random.nextInt(near);
            default -> random.nextInt(body.length);
        };
        if (isPlain || random.nextBoolean()) {
            return Arrays.copyOf(body, at);
        }
        byte[] turned = body.clone();
        turned[at] ^= (byte) (1 << random.nextInt(8));
        return turned;
    }

    private static Answer answer(Dialect dialect, Exchange exchange) {
        byte[] plain = exchange.response();
        ByteArrayOutputStream gzipped = new ByteArrayOutputStream();
        ByteArrayOutputStream deflated = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(gzipped);
                DeflaterOutputStream deflate = new DeflaterOutputStream(deflated)) {
            gzip.write(plain);
            deflate.write(plain);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return new Answer(dialect, exchange, plain, gzipped.toByteArray(), deflated.toByteArray());
    }

    private record Headers(Answer answer, List<Header> parts, byte[] bytes, int longestPiece)
            implements Hostile<Header> {
        @Override
        public Headers of(List<Header> less) {
            return new Headers(answer, less, bytes, longestPiece);
        }

        /** What counts its text is no tokenizer, and remembers nothing. */
        @Override
        public Headers afresh() {
            return this;
        }

        @Override
        public int size() {
            return Math.max(decoded(new Inflater(true), GZIP_HEADER), decoded(new Inflater(), 0));
        }

        /** A bit that is turned can make a body many times as long. */
        private int decoded(Inflater inflater, int from) {
            byte[] piece = new byte[1_024];
            int count = bytes.length;
            inflater.setInput(bytes, Math.min(from, bytes.length), Math.max(0, bytes.length - from));
            try {
                for (int more = inflater.inflate(piece); more > 0; more = inflater.inflate(piece)) {
                    count += more;
                }
            } catch (DataFormatException e) {
                // So far it was.
            } finally {
                inflater.end();
            }
            return count;
        }

        /** {@return what the headers are good for, or else how far the body was read} */
        @Override
        public Object read() {
            Function<String, Optional<String>> headers = name -> parts.stream()
                    .filter(header -> header.name.equalsIgnoreCase(name))
                    .map(Header::value)
                    .findFirst();
            Optional<Duration> wait = RetryAfter.of(headers, NOW);
            assertThat(wait.orElse(RetryAfter.LONGEST)).isPositive().isLessThanOrEqualTo(RetryAfter.LONGEST);
            List<Remaining> remaining = answer.dialect.remaining(headers, NOW.minusSeconds(2), NOW);
            assertThat(remaining).allSatisfy(left -> assertThat(left.amount()).isBetween(0L, Cost.MAX_AMOUNT));
            assertThat(answer.dialect.apiKey(Target.of("POST", answer.exchange.url()), headers))
                    .isNotNull();

            Meter meter = new Meter(
                    answer.dialect,
                    "a-model",
                    headers.apply("content-type").orElse(""),
                    headers.apply("content-encoding").orElse(""));
            meter.headers(headers);
            for (int from = 0; from < bytes.length; from += longestPiece) {
                meter.accept(ByteBuffer.wrap(bytes, from, Math.min(longestPiece, bytes.length - from)));
            }
            Metered metered = meter.result();
            metered.usage().ifPresent(usage -> {
                assertThat(usage.allInput()).isNotNegative();
                assertThat(usage.allOutput()).isNotNegative();
            });
            assertThat(metered.outputCounted()).isBetween(0L, 4L * answer.plain.length);
            return wait.isPresent() ? "holds" : !remaining.isEmpty() ? "corrects" : metered.state();
        }

        @Override
        public String toString() {
            return "headers of an answer like that of " + answer.exchange + ": "
                    + parts.stream()
                            .map(header -> header.name + ": " + header.value)
                            .collect(Collectors.joining("; "))
                    + ", with a body of " + new String(bytes, ISO_8859_1).length() + " bytes in pieces of "
                    + longestPiece;
        }
    }
}
