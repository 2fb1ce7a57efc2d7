package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

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
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redis.clients.jedis.RedisClient;

/**
 * A fleet of real processes on one subject. The script tells in which order it decided; that order, replayed through the model,
 * must give every answer that was given.
 */
@Tag("invariant-1")
@Tag("invariant-2")
class FleetIT {
    private static final int PROCESSES = 8;
    private static final int THREADS = 16;
    private static final int PAIRS = PROCESSES * THREADS * 1_600;
    private static final int PAGE = 500;

    private final Map<String, BigInteger> lowest = new HashMap<>();
    private final LedgerModel model = new LedgerModel();

    @Test
    @Timeout(value = 5, unit = TimeUnit.MINUTES)
    void eightProcessesNeverGoOverAndTheirBalanceIsTheModelsToTheUnit() throws Exception {
        try (RedisForTests server = RedisForTests.start();
                RedisClient jedis = PatientRedis.client(server.url())) {
            String prefix = server.keyPrefix();
            String audit = prefix + ":audit";
            runFleet(server.url(), prefix, audit);

            long entries = jedis.llen(audit);
            for (long from = 0; from < entries; from += PAGE) {
                for (byte[] entry : jedis.lrange(audit.getBytes(StandardCharsets.UTF_8), from, from + PAGE - 1)) {
                    replay(entry);
                }
            }

            String subject = jedis.keys(prefix + ":{*}:*").stream()
                    .filter(key -> !key.contains("lane"))
                    .findFirst()
                    .orElseThrow();
            assertThat(stored(jedis.get(subject.getBytes(StandardCharsets.UTF_8))))
                    .isEqualTo(model.balances(subject));
            assertThat(model.granted()).isEqualTo(PAIRS);
            assertThat(status(server.url(), prefix)).hasSize(3);
        }
    }

    private static void runFleet(String url, String prefix, String audit) throws IOException, InterruptedException {
        List<Process> workers = new ArrayList<>();
        for (int i = 0; i < PROCESSES; i++) {
            workers.add(JavaProcess.of(
                            FleetWorker.class,
                            List.of("-Xmx128m", "-XX:TieredStopAtLevel=1"),
                            url,
                            prefix,
                            audit,
                            String.valueOf(THREADS),
                            String.valueOf(PAIRS / PROCESSES / THREADS),
                            String.valueOf(i))
                    .inheritIO()
                    .start());
        }
        for (Process worker : workers) {
            assertThat(worker.waitFor()).isZero();
        }
    }

    /** Replays one batch, and checks that in every interval that ends with it no more was let go than the limits allow. */
    private void replay(byte[] entry) {
        ByteBuffer in = ByteBuffer.wrap(entry);
        long micros = ByteBuffer.wrap(entry, 4 + in.getInt() + 4 + 13 + 1, 8).getLong();
        check(micros, 0, 600_000, 500);
        check(micros, 1, 70_000_000, 150_000);
        model.replay(entry);
        check(micros, 0, 600_000, 500);
        check(micros, 1, 70_000_000, 150_000);
        assertThat(model.mostInAWindow(2)).isLessThanOrEqualTo(70_000_000);
    }

    private void check(long micros, int limit, long perMinute, long burst) {
        BigInteger minute = BigInteger.valueOf(60_000_000);
        BigInteger out = BigInteger.valueOf(model.out(limit))
                .multiply(minute)
                .subtract(BigInteger.valueOf(perMinute).multiply(BigInteger.valueOf(micros)));
        BigInteger low = lowest.merge("limit " + limit, out, BigInteger::min);
        assertThat(out.subtract(low))
                .isLessThanOrEqualTo(BigInteger.valueOf(burst).multiply(minute));
    }

    private static List<Long> stored(byte[] value) {
        Map<Long, Long> balances = new TreeMap<>();
        int count = value[0] & 31;
        for (int i = 0; i < count; i++) {
            long id = number(value, 1 + 7 * i, 3);
            long parts = number(value, 1 + 7 * i + 3, 4);
            long amount = number(value, 1 + 7 * count + 8 + 10 * i, 7) << 8 >> 8;
            balances.put(id, (id & 3) == 0 ? Math.floorDiv(amount, parts) : 70_000_000 - amount);
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
