package io.costguard.settle;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Cost;
import io.costguard.PriceList;
import io.costguard.describe.Dialect;
import io.costguard.describe.Estimator;
import io.costguard.describe.Forgetting;
import io.costguard.describe.RequestFacts;
import io.costguard.describe.Target;
import io.costguard.describe.Tokenizers;
import io.costguard.describe.dialects.Dialects;
import io.costguard.settle.Scrutiny.Reading;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.stream.IntStream;

/**
 * What real providers and their clients sent, damaged in every way that costs little to write down. A process of its own reads so much of it
 * with a small heap, and fails where one reading does, or where the heap fills. For one thread.
 */
public final class MutatedTraffic {
    /** Until Java has compiled what runs, it is not looked at how long a reading takes. */
    public static final int WARM_UP = 2_000;

    /** By which the heap may hold more than after the first tenth: Jackson remembers up to 6,000 names of members, and mutations make new ones. */
    private static final long GROWTH = 2 << 20;

    /** Of a long body, what lies around its ends is mutated, and the middle left away; but of one in so many. */
    private static final int WHOLE = 20;

    private static final int LONGEST = 2_500;

    private static final byte[] PUNCTUATION = "{}[]\",:\\\n\r 0-.eE\0\1\377".getBytes(StandardCharsets.ISO_8859_1);

    private static final Estimator ESTIMATOR = new Estimator(PriceList.bundled());
    private static final List<Traffic> CORPUS = corpus();

    private final Random random;

    private record Traffic(
            Dialect dialect,
            Target target,
            Exchange exchange,
            Map<String, String> headers,
            byte[] request,
            byte[] response) {}

    /** Draws what it damages, and how. */
    public MutatedTraffic(Random random) {
        this.random = random;
    }

    private static List<Traffic> corpus() {
        return Recordings.all().stream()
                .flatMap(exchange -> {
                    Target target = Target.of("POST", exchange.url());
                    return Dialects.bundled().of(target).stream()
                            .map(dialect -> new Traffic(
                                    dialect,
                                    target,
                                    exchange,
                                    exchange.headers(),
                                    exchange.request(),
                                    exchange.response()));
                })
                .toList();
    }

    /** Arguments: the seed, and how many mutations. */
    public static void main(String[] args) throws ExecutionException, InterruptedException {
        Tokenizers.loaded("gpt-4o").get();
        Tokenizers.loaded("gpt-4").get();
        MutatedTraffic traffic = new MutatedTraffic(new Random(Long.parseLong(args[0])));
        int mutations = Integer.parseInt(args[1]);
        Scrutiny scrutiny = new Scrutiny();
        List<Long> heap = new ArrayList<>();
        Set<Dialect> seen = new HashSet<>();
        Set<Object> outcomes = new HashSet<>();
        LoggedHere.watch();
        for (int i = 1; i <= mutations; i++) {
            Body body = traffic.next();
            seen.add(body.traffic.dialect());
            Reading reading = scrutiny.of(body);
            assertThat(reading.why()).as(body.traffic::toString).isEmpty();
            reading.outcome().ifPresent(outcomes::add);
            if (i == WARM_UP) {
                scrutiny.isWarm();
            }
            if (i % (mutations / 10) == 0) {
                heap.add(heapHeld());
            }
        }
        assertThat(outcomes).contains(true, false).contains((Object[]) Metered.State.values());
        assertThat(seen)
                .hasSize((int) CORPUS.stream().map(Traffic::dialect).distinct().count());
        assertThat(heap).allSatisfy(held -> assertThat(held).isLessThan(heap.get(0) + GROWTH));
        System.out.printf(
                Locale.ROOT,
                "%,d mutations: the longest took %.2f ms of CPU time, the heap held %s MB after each tenth%n",
                mutations,
                scrutiny.longestNanos() / 1e6,
                heap.stream()
                        .map(bytes -> String.format(Locale.ROOT, "%.2f", bytes / 1e6))
                        .toList());
    }

    private static long heapHeld() {
        System.gc();
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    /** {@return the body of a request or of a response, damaged} */
    public Body next() {
        Traffic traffic = CORPUS.get(random.nextInt(CORPUS.size()));
        Traffic other = CORPUS.get(random.nextInt(CORPUS.size()));
        boolean whole = random.nextInt(WHOLE) == 0;
        boolean isRequest = random.nextInt(4) == 0;
        byte[] bytes = isRequest
                ? mutated(shortened(traffic.request(), whole), other.request())
                : mutated(shortened(traffic.response(), whole), other.response());
        return new Body(traffic, isRequest, bytes, 1 + random.nextInt(LONGEST), random.nextBoolean(), ESTIMATOR);
    }

    /** One of them. */
    public static final class Body implements Hostile<Byte> {
        private final Traffic traffic;
        private final boolean isRequest;
        private final byte[] bytes;
        private final int longestPiece;
        private final boolean isReadOnly;
        private final Estimator estimator;

        private Body(
                Traffic traffic,
                boolean isRequest,
                byte[] bytes,
                int longestPiece,
                boolean isReadOnly,
                Estimator estimator) {
            this.traffic = traffic;
            this.isRequest = isRequest;
            this.bytes = bytes;
            this.longestPiece = longestPiece;
            this.isReadOnly = isReadOnly;
            this.estimator = estimator;
        }

        @Override
        public List<Byte> parts() {
            return IntStream.range(0, bytes.length).mapToObj(i -> bytes[i]).toList();
        }

        @Override
        public Body of(List<Byte> parts) {
            byte[] left = new byte[parts.size()];
            for (int i = 0; i < left.length; i++) {
                left[i] = parts.get(i);
            }
            return new Body(traffic, isRequest, left, longestPiece, isReadOnly, estimator);
        }

        @Override
        public Body afresh() {
            return new Body(traffic, isRequest, bytes, longestPiece, isReadOnly, Forgetting.estimator());
        }

        @Override
        public byte[] bytes() {
            return bytes;
        }

        /** {@return whether a request could be read, or how far an answer was} */
        @Override
        public Object read() {
            return isRequest ? estimate() : meter();
        }

        private boolean estimate() {
            RequestFacts facts = estimator.read(traffic.dialect(), traffic.target(), bytes);
            Cost cost = estimator.estimate(facts, 1_000, OptionalLong.empty());
            assertThat(cost.requests()).isOne();
            assertThat(cost.input()).isBetween(0L, Cost.MAX_AMOUNT);
            assertThat(cost.output()).isBetween(0L, Cost.MAX_AMOUNT);
            return facts.isReadable();
        }

        private Metered.State meter() {
            Exchange exchange = traffic.exchange();
            ByteBuffer buffer = isReadOnly ? ByteBuffer.wrap(bytes).asReadOnlyBuffer() : ByteBuffer.wrap(bytes);
            Meter meter = new Meter(traffic.dialect(), exchange.model(), exchange.contentType(), "");
            meter.headers(name -> Optional.ofNullable(traffic.headers().get(name)));
            for (int from = 0; from < bytes.length; from += longestPiece) {
                ByteBuffer piece = buffer.slice(from, Math.min(longestPiece, bytes.length - from));
                meter.accept(piece);
                assertThat(piece.position()).isZero();
            }
            Metered metered = meter.result();
            assertThat(metered.outputCounted()).isBetween(0L, 4L * bytes.length);
            metered.usage().ifPresent(usage -> {
                assertThat(usage.allInput()).isNotNegative();
                assertThat(usage.allOutput()).isNotNegative();
            });
            return metered.state();
        }

        @Override
        public String toString() {
            return (isRequest ? "a request like that of " : "an answer like that of ") + traffic.exchange()
                    + ", in pieces of " + longestPiece;
        }
    }

    private static byte[] shortened(byte[] body, boolean whole) {
        if (whole || body.length <= LONGEST) {
            return body;
        }
        byte[] ends = Arrays.copyOf(body, LONGEST);
        System.arraycopy(body, body.length - LONGEST / 2, ends, LONGEST / 2, LONGEST / 2);
        return ends;
    }

    /** {@return a body with one to three damages, one of which may be the end of another} */
    public byte[] mutated(byte[] body, byte[] other) {
        byte[] mutated = body;
        for (int times = 1 + random.nextInt(3); times > 0 && mutated.length > 0; times--) {
            mutated = once(mutated, other);
        }
        return mutated;
    }

    private byte[] once(byte[] body, byte[] other) {
        int at = random.nextInt(body.length);
        int length = random.nextInt(Math.min(body.length - at, 200) + 1);
        return switch (random.nextInt(7)) {
            case 0 -> replaced(body, at, 1, (byte) (body[at] ^ 1 << random.nextInt(8)));
            case 1 -> replaced(body, at, 1, PUNCTUATION[random.nextInt(PUNCTUATION.length)]);
            case 2 -> replaced(body, at, 0, PUNCTUATION[random.nextInt(PUNCTUATION.length)]);
            case 3 -> Arrays.copyOf(body, at);
            case 4 -> replaced(body, at, length);
            case 5 -> replaced(body, at, 0, Arrays.copyOfRange(body, at, at + length));
            default -> replaced(body, at, body.length - at, end(other));
        };
    }

    private byte[] end(byte[] body) {
        return Arrays.copyOfRange(body, random.nextInt(body.length), body.length);
    }

    /** The body with {@code instead} in place of so many of its bytes. */
    private static byte[] replaced(byte[] body, int at, int length, byte... instead) {
        byte[] replaced = new byte[body.length - length + instead.length];
        ByteBuffer.wrap(replaced).put(body, 0, at).put(instead).put(body, at + length, body.length - at - length);
        return replaced;
    }
}
