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
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;

/** What real providers and their clients sent, damaged in every way that costs little to write down. */
class MutatedTrafficTest {
    private static final int MUTATIONS = 100_000;

    /** Of a long body, what lies around its ends is mutated, and the middle left away. */
    private static final int LONGEST = 2_500;

    /** Bytes asked for by one reading, by the classes that it is the first to need too; half of what the longest frame would take. */
    private static final long MEMORY = 8 << 20;

    private static final long MEMORY_A_BYTE = 200;

    private static final byte[] PUNCTUATION = "{}[]\",:\\\n\r 0-.eE\0\1\377".getBytes(StandardCharsets.ISO_8859_1);

    private final Estimator estimator = new Estimator(PriceList.bundled());

    private record Traffic(
            Dialect dialect,
            Target target,
            Exchange exchange,
            Map<String, String> headers,
            byte[] request,
            byte[] response) {}

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
                                    shortened(exchange.request()),
                                    shortened(exchange.response())));
                })
                .toList();
    }

    private static byte[] shortened(byte[] body) {
        if (body.length <= LONGEST) {
            return body;
        }
        byte[] ends = Arrays.copyOf(body, LONGEST);
        System.arraycopy(body, body.length - LONGEST / 2, ends, LONGEST / 2, LONGEST / 2);
        return ends;
    }

    @BeforeAll
    static void loadTokenizers() throws ExecutionException, InterruptedException {
        Tokenizers.loaded("gpt-4o").get();
        Tokenizers.loaded("gpt-4").get();
    }

    @Test
    @ResourceLock(Resources.SYSTEM_ERR)
    void noMutationOfRecordedTrafficBreaksTheMeterOrTheEstimator() {
        long seed = Long.getLong("costguard.seed", new Random().nextLong());
        System.out.println("mutations of recorded traffic: -Dcostguard.seed=" + seed);
        Random random = new Random(seed);
        List<Traffic> corpus = corpus();
        Set<Dialect> seen = new HashSet<>();
        Set<Object> outcomes = new HashSet<>();
        // The meter never throws: it logs.
        String logged = Logged.by(() -> {
            for (int i = 0; i < MUTATIONS; i++) {
                Traffic traffic = corpus.get(random.nextInt(corpus.size()));
                Traffic other = corpus.get(random.nextInt(corpus.size()));
                seen.add(traffic.dialect());
                if (random.nextInt(4) == 0) {
                    byte[] request = mutated(traffic.request(), other.request(), random);
                    outcomes.add(estimate(traffic, request, seed));
                } else {
                    byte[] response = mutated(traffic.response(), other.response(), random);
                    outcomes.add(meter(traffic, response, random, seed));
                }
            }
        });
        assertThat(logged).as("seed %d", seed).isEmpty();
        assertThat(outcomes).contains(true, false).contains((Object[]) Metered.State.values());
        assertThat(seen)
                .hasSize((int) corpus.stream().map(Traffic::dialect).distinct().count());
    }

    private boolean estimate(Traffic traffic, byte[] request, long seed) {
        byte[] before = request.clone();
        long allocated = Allocated.bytes();
        RequestFacts facts = estimator.read(traffic.dialect(), traffic.target(), request);
        Cost cost = estimator.estimate(facts, 1_000, OptionalLong.empty());
        assertBounded(allocated, request, traffic, seed);

        assertThat(Arrays.equals(request, before)).isTrue();
        assertThat(cost.requests()).isOne();
        assertThat(cost.input()).isBetween(0L, Cost.MAX_AMOUNT);
        assertThat(cost.output()).isBetween(0L, Cost.MAX_AMOUNT);
        return facts.isReadable();
    }

    private static Metered.State meter(Traffic traffic, byte[] response, Random random, long seed) {
        Exchange exchange = traffic.exchange();
        byte[] before = response.clone();
        int longest = 1 + random.nextInt(LONGEST);
        ByteBuffer bytes = ByteBuffer.wrap(response).asReadOnlyBuffer();
        int taken = 0;
        long allocated = Allocated.bytes();
        Meter meter = new Meter(traffic.dialect(), exchange.model(), exchange.contentType(), "");
        meter.headers(name -> Optional.ofNullable(traffic.headers().get(name)));
        for (int from = 0; from < response.length; from += longest) {
            ByteBuffer piece = bytes.slice(from, Math.min(longest, response.length - from));
            meter.accept(piece);
            taken += piece.position();
        }
        Metered metered = meter.result();
        long counted = metered.outputCounted();
        assertBounded(allocated, response, traffic, seed);

        assertThat(Arrays.equals(response, before)).isTrue();
        assertThat(taken).isZero();
        assertThat(counted).isBetween(0L, 4L * response.length);
        metered.usage().ifPresent(usage -> {
            assertThat(usage.allInput()).isNotNegative();
            assertThat(usage.allOutput()).isNotNegative();
        });
        return metered.state();
    }

    private static void assertBounded(long before, byte[] body, Traffic traffic, long seed) {
        assertThat(Allocated.bytes() - before)
                .as("seed %d: %s", seed, traffic.exchange())
                .isLessThan(MEMORY + MEMORY_A_BYTE * body.length);
    }

    private static byte[] mutated(byte[] body, byte[] other, Random random) {
        byte[] mutated = body;
        for (int times = 1 + random.nextInt(3); times > 0 && mutated.length > 0; times--) {
            mutated = once(mutated, other, random);
        }
        return mutated;
    }

    private static byte[] once(byte[] body, byte[] other, Random random) {
        int at = random.nextInt(body.length);
        int length = random.nextInt(Math.min(body.length - at, 200) + 1);
        return switch (random.nextInt(7)) {
            case 0 -> replaced(body, at, 1, (byte) (body[at] ^ 1 << random.nextInt(8)));
            case 1 -> replaced(body, at, 1, PUNCTUATION[random.nextInt(PUNCTUATION.length)]);
            case 2 -> replaced(body, at, 0, PUNCTUATION[random.nextInt(PUNCTUATION.length)]);
            case 3 -> Arrays.copyOf(body, at);
            case 4 -> replaced(body, at, length);
            case 5 -> replaced(body, at, 0, Arrays.copyOfRange(body, at, at + length));
            default -> replaced(body, at, body.length - at, end(other, random));
        };
    }

    private static byte[] end(byte[] body, Random random) {
        return Arrays.copyOfRange(body, random.nextInt(body.length), body.length);
    }

    /** The body with {@code instead} in place of so many of its bytes. */
    private static byte[] replaced(byte[] body, int at, int length, byte... instead) {
        byte[] replaced = new byte[body.length - length + instead.length];
        ByteBuffer.wrap(replaced).put(body, 0, at).put(instead).put(body, at + length, body.length - at - length);
        return replaced;
    }
}
