package io.costguard.settle;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Cost;
import io.costguard.Logged;
import io.costguard.PriceList;
import io.costguard.describe.Dialect;
import io.costguard.describe.Estimator;
import io.costguard.describe.RequestFacts;
import io.costguard.describe.Target;
import io.costguard.describe.Tokenizers;
import io.costguard.describe.dialects.Dialects;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.function.Supplier;

/**
 * A process that meters and estimates what real providers and their clients sent, damaged in every way that costs little to write
 * down, and fails where one such reading throws, takes too long or too much memory, or changes what it was given.
 */
final class MutatedTraffic {
    private static final int MUTATIONS = 100_000;

    /** Until Java has compiled what runs, it is not looked at how long a reading takes. */
    private static final int WARM_UP = 2_000;

    /** Of CPU time, so that it matters little what else the machine does. */
    private static final long MOST_NANOS = 50_000_000;

    /** A virtual machine's CPU time has in it what its host took away: what is slow is read again, and its fastest reading counts. */
    private static final long SUSPICIOUS_NANOS = 5_000_000;

    private static final int MOST_TIMES = 5;

    /** By which the heap may hold more than after the first tenth: Jackson remembers up to 6,000 names of members, and mutations make new ones. */
    private static final long GROWTH = 2 << 20;

    /** Of a long body, what lies around its ends is mutated, and the middle left away; but of one in so many. */
    private static final int WHOLE = 20;

    private static final int LONGEST = 2_500;

    /** Bytes asked for by one reading, by the classes that it is the first to need too; half of what the longest frame would take. */
    private static final long MEMORY = 8 << 20;

    private static final long MEMORY_A_BYTE = 200;

    private static final byte[] PUNCTUATION = "{}[]\",:\\\n\r 0-.eE\0\1\377".getBytes(StandardCharsets.ISO_8859_1);

    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private final Estimator estimator = new Estimator(PriceList.bundled());
    private final List<Traffic> corpus = corpus();
    private final List<Long> heap = new ArrayList<>();
    private final Random random;
    private long longest;

    private record Traffic(
            Dialect dialect,
            Target target,
            Exchange exchange,
            Map<String, String> headers,
            byte[] request,
            byte[] response) {}

    private MutatedTraffic(long seed) {
        random = new Random(seed);
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

    private static byte[] shortened(byte[] body, boolean whole) {
        if (whole || body.length <= LONGEST) {
            return body;
        }
        byte[] ends = Arrays.copyOf(body, LONGEST);
        System.arraycopy(body, body.length - LONGEST / 2, ends, LONGEST / 2, LONGEST / 2);
        return ends;
    }

    /** Argument: the seed. */
    public static void main(String[] args) throws ExecutionException, InterruptedException {
        Tokenizers.loaded("gpt-4o").get();
        Tokenizers.loaded("gpt-4").get();
        MutatedTraffic all = new MutatedTraffic(Long.parseLong(args[0]));
        // The meter never throws: it logs.
        String logged = Logged.by(all::run);
        assertThat(logged).isEmpty();
        System.out.printf(
                Locale.ROOT,
                "%,d mutations: the longest took %.2f ms of CPU time, the heap held %s MB after each tenth%n",
                MUTATIONS,
                all.longest / 1e6,
                all.heap.stream()
                        .map(bytes -> String.format(Locale.ROOT, "%.2f", bytes / 1e6))
                        .toList());
    }

    private void run() {
        Set<Dialect> seen = new HashSet<>();
        Set<Object> outcomes = new HashSet<>();
        for (int i = 1; i <= MUTATIONS; i++) {
            Traffic traffic = corpus.get(random.nextInt(corpus.size()));
            Traffic other = corpus.get(random.nextInt(corpus.size()));
            seen.add(traffic.dialect());
            boolean whole = random.nextInt(WHOLE) == 0;
            if (random.nextInt(4) == 0) {
                outcomes.add(estimate(traffic, mutated(shortened(traffic.request(), whole), other.request())));
            } else {
                outcomes.add(meter(traffic, mutated(shortened(traffic.response(), whole), other.response())));
            }
            if (i <= WARM_UP) {
                longest = 0;
            }
            assertThat(longest).as(traffic::toString).isLessThan(MOST_NANOS);
            if (i % (MUTATIONS / 10) == 0) {
                heap.add(heapHeld());
            }
        }
        assertThat(outcomes).contains(true, false).contains((Object[]) Metered.State.values());
        assertThat(seen)
                .hasSize((int) corpus.stream().map(Traffic::dialect).distinct().count());
        assertThat(heap).allSatisfy(held -> assertThat(held).isLessThan(heap.get(0) + GROWTH));
    }

    private static long heapHeld() {
        System.gc();
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    private boolean estimate(Traffic traffic, byte[] request) {
        return reading(request, () -> {
            RequestFacts facts = estimator.read(traffic.dialect(), traffic.target(), request);
            Cost cost = estimator.estimate(facts, 1_000, OptionalLong.empty());
            assertThat(cost.requests()).isOne();
            assertThat(cost.input()).isBetween(0L, Cost.MAX_AMOUNT);
            assertThat(cost.output()).isBetween(0L, Cost.MAX_AMOUNT);
            return facts.isReadable();
        });
    }

    private Metered.State meter(Traffic traffic, byte[] response) {
        Exchange exchange = traffic.exchange();
        int longestPiece = 1 + random.nextInt(LONGEST);
        ByteBuffer bytes = random.nextBoolean()
                ? ByteBuffer.wrap(response)
                : ByteBuffer.wrap(response).asReadOnlyBuffer();
        return reading(response, () -> {
            Meter meter = new Meter(traffic.dialect(), exchange.model(), exchange.contentType(), "");
            meter.headers(name -> Optional.ofNullable(traffic.headers().get(name)));
            for (int from = 0; from < response.length; from += longestPiece) {
                ByteBuffer piece = bytes.slice(from, Math.min(longestPiece, response.length - from));
                meter.accept(piece);
                assertThat(piece.position()).isZero();
            }
            Metered metered = meter.result();
            assertThat(metered.outputCounted()).isBetween(0L, 4L * response.length);
            metered.usage().ifPresent(usage -> {
                assertThat(usage.allInput()).isNotNegative();
                assertThat(usage.allOutput()).isNotNegative();
            });
            return metered.state();
        });
    }

    /** Reads an input: its first byte to its last figure. */
    private <T> T reading(byte[] body, Supplier<T> read) {
        byte[] before = body.clone();
        long fastest = Long.MAX_VALUE;
        T result = null;
        for (int times = 0; times < MOST_TIMES && fastest > SUSPICIOUS_NANOS; times++) {
            long allocated = Allocated.bytes();
            long began = THREADS.getCurrentThreadCpuTime();
            result = read.get();
            fastest = Math.min(fastest, THREADS.getCurrentThreadCpuTime() - began);
            assertThat(Allocated.bytes() - allocated).isLessThan(MEMORY + MEMORY_A_BYTE * body.length);
        }
        longest = Math.max(longest, fastest);
        assertThat(Arrays.equals(body, before)).isTrue();
        return Objects.requireNonNull(result);
    }

    private byte[] mutated(byte[] body, byte[] other) {
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
