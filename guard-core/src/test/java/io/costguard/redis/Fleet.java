package io.costguard.redis;

import io.costguard.GuardedCall;
import io.costguard.LimitStatus;
import io.costguard.PatientRedis;
import io.costguard.limit.Limiter;
import io.costguard.testing.JavaProcess;
import io.costguard.testing.RedisForTests;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import redis.clients.jedis.RedisClient;

/**
 * A fleet of real processes that reserve and settle on one subject. The script tells in which order it decided; that order is replayed through the
 * model while they run, and must give every answer that was given.
 */
public final class Fleet {
    private static final int PAGE = 500;
    private static final long PAUSE_MILLIS = 5;
    private static final Duration IDLE_AT_MOST = Duration.ofMinutes(2);
    private static final BigInteger MINUTE = BigInteger.valueOf(60_000_000);

    private final LedgerModel model = new LedgerModel();
    private final Map<Integer, BigInteger> lowest = new HashMap<>();
    private long batches;
    private long over;
    private String difference = "";

    /**
     * What became of it.
     *
     * @param granted how many calls the model says were let go
     * @param denied how many it says were not
     * @param batches in how many the fleet asked
     * @param over how often more was let go, in an interval that ends with a batch, than the limits allow
     * @param drift by how many units the balances that are stored differ from the model's, all limits together
     * @param immortal how many keys are left that have no time to live
     * @param limits how many limits a process sees in the end
     * @param difference the first answer that the model has otherwise, after which it hears nothing more; empty where there is none
     */
    public record Outcome(
            long granted,
            long denied,
            long batches,
            long over,
            long drift,
            long immortal,
            long limits,
            String difference) {}

    private Fleet() {}

    /**
     * Runs one to its end.
     *
     * @param server that is used by nobody else
     * @param processes how many there are
     * @param threads in each
     * @param pairs of a reserve and a settle, a thread
     * @param seed of what they ask
     * @return what became of it
     * @throws AssertionError where a process failed
     * @throws IOException if a process cannot be started
     * @throws InterruptedException if this thread is interrupted; the processes are ended
     */
    public static Outcome run(RedisForTests server, int processes, int threads, int pairs, long seed)
            throws IOException, InterruptedException {
        try (RedisClient jedis = PatientRedis.client(server.url())) {
            return new Fleet().run(server, jedis, processes, threads, pairs, seed);
        }
    }

    private Outcome run(RedisForTests server, RedisClient jedis, int processes, int threads, int pairs, long seed)
            throws IOException, InterruptedException {
        String prefix = server.keyPrefix();
        String audit = prefix + ":audit";
        List<Process> workers = new ArrayList<>();
        try {
            for (int i = 0; i < processes; i++) {
                workers.add(JavaProcess.of(
                                FleetWorker.class,
                                List.of("-Xmx64m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"),
                                server.url(),
                                prefix,
                                audit,
                                String.valueOf(threads),
                                String.valueOf(pairs),
                                String.valueOf(seed * processes + i))
                        .inheritIO()
                        .start());
            }
            long idleSince = System.nanoTime();
            while (workers.stream().anyMatch(Process::isAlive)) {
                if (replayed(jedis, audit) > 0) {
                    idleSince = System.nanoTime();
                } else if (System.nanoTime() - idleSince > IDLE_AT_MOST.toNanos()) {
                    throw new AssertionError("nothing was decided any more, and the fleet has not ended");
                }
                workers.get(0).waitFor(PAUSE_MILLIS, TimeUnit.MILLISECONDS);
            }
            replayed(jedis, audit);
            for (Process worker : workers) {
                if (worker.waitFor() != 0) {
                    throw new AssertionError("a process of the fleet ended with " + worker.exitValue());
                }
            }
        } finally {
            workers.forEach(Process::destroyForcibly);
        }
        return outcome(server, jedis, prefix);
    }

    /** Takes what there is of the order, so that it never takes much room; says how much that was. */
    private int replayed(RedisClient jedis, String audit) {
        int all = 0;
        for (List<byte[]> page = List.of(new byte[0]); !page.isEmpty(); all += page.size()) {
            page = jedis.lpop(audit.getBytes(StandardCharsets.UTF_8), PAGE);
            page = page == null ? List.of() : page;
            page.forEach(this::replay);
        }
        return all;
    }

    /** Replays one batch, and checks that in every interval that ends with it no more was let go than the limits allow. */
    private void replay(byte[] entry) {
        if (!difference.isEmpty()) {
            return;
        }
        batches++;
        long micros = ByteBuffer.wrap(entry, 4 + ByteBuffer.wrap(entry).getInt() + 4 + 13 + 1, 8)
                .getLong();
        boolean wasOver = isOver(micros);
        try {
            model.replay(entry);
        } catch (AssertionError e) {
            difference = "batch " + batches + ": " + e.getMessage();
        }
        over += wasOver || isOver(micros) ? 1 : 0;
    }

    private boolean isOver(long micros) {
        boolean requests = isOver(micros, 0, FleetWorker.REQUESTS_A_MINUTE, FleetWorker.REQUESTS_AT_ONCE);
        boolean tokens = isOver(micros, 1, FleetWorker.TOKENS_A_MINUTE, FleetWorker.TOKENS_AT_ONCE);
        return requests || tokens || model.mostInAWindow(2) > FleetWorker.NANO_USD_A_SECOND;
    }

    private boolean isOver(long micros, int limit, long perMinute, long burst) {
        BigInteger out = BigInteger.valueOf(model.out(limit))
                .multiply(MINUTE)
                .subtract(BigInteger.valueOf(perMinute).multiply(BigInteger.valueOf(micros)));
        BigInteger low = lowest.merge(limit, out, BigInteger::min);
        return out.subtract(low).compareTo(BigInteger.valueOf(burst).multiply(MINUTE)) > 0;
    }

    private Outcome outcome(RedisForTests server, RedisClient jedis, String prefix) throws IOException {
        String subject = PatientRedis.subjects(server.url(), prefix).stream()
                .filter(key -> key.contains("{"))
                .findFirst()
                .orElseThrow(() -> new AssertionError("the fleet left no balance"));
        List<Long> stored = stored(jedis.get(subject.getBytes(StandardCharsets.UTF_8)));
        List<Long> balances = model.balances(subject);
        long drift = stored.size() == balances.size() ? 0 : Long.MAX_VALUE;
        for (int i = 0; i < Math.min(stored.size(), balances.size()); i++) {
            drift += Math.abs(stored.get(i) - balances.get(i));
        }
        long immortal = jedis.keys(prefix + "*").stream()
                .filter(key -> jedis.pttl(key) == -1)
                .count();
        long limits = status(server.url(), prefix).size();
        return new Outcome(model.granted(), model.denied(), batches, over, drift, immortal, limits, difference);
    }

    private static List<Long> stored(byte[] value) {
        Map<Long, Long> balances = new TreeMap<>();
        int count = value[0] & 31;
        for (int i = 0; i < count; i++) {
            long id = number(value, 1 + 7 * i, 3);
            long parts = number(value, 1 + 7 * i + 3, 4);
            long amount = number(value, 1 + 7 * count + 8 + 10 * i, 7) << 8 >> 8;
            balances.put(id, (id & 3) == 0 ? Math.floorDiv(amount, parts) : FleetWorker.NANO_USD_A_SECOND - amount);
        }
        return List.copyOf(balances.values());
    }

    private static long number(byte[] value, int from, int bytes) {
        byte[] wide = new byte[8];
        System.arraycopy(value, from, wide, 8 - bytes, bytes);
        return ByteBuffer.wrap(wide).getLong();
    }

    private static List<LimitStatus> status(String url, String prefix) throws IOException {
        try (Limiter limiter = FleetWorker.limiter(
                new RedisLedger(Redis.at(url, FleetWorker.TIMEOUT), prefix, FleetWorker.TIMEOUT), prefix)) {
            return limiter.status(GuardedCall.of("model"));
        }
    }
}
