package io.costguard.redis;

import io.costguard.Budget;
import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.PatientRedis;
import io.costguard.limit.Claim;
import io.costguard.limit.Patience;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import redis.clients.jedis.RedisClient;

/** A server's {@code TIME} that is set while the threads of two guards ask for all there is, in real time. */
public final class ClockUnderLoad {
    private static final Duration TIMEOUT = Duration.ofMinutes(1);
    private static final int THREADS = 4;
    private static final long CAPACITY = 20;
    private static final long A_SECOND = 100;
    private static final int ASKED_BETWEEN = 100;
    private static final double LONGEST_LOG = Math.log(315_576_000);

    private final Subject subject;
    private final AtomicLong asked = new AtomicLong();
    private final AtomicLong granted = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();
    private volatile boolean isOver;

    /**
     * What became of it.
     *
     * @param jumps how often the clock was set
     * @param granted how many calls were let go
     * @param most how many may be: one capacity, one for each time that the clock was set forward, and what the time gives
     * @param failed how many calls had no decision
     * @param afterwards how many were let go once the clock had been set back by ten years, for the last time
     */
    public record Outcome(long jumps, long granted, long most, long failed, long afterwards) {}

    private ClockUnderLoad(String prefix) {
        this.subject = new Subject(
                prefix + ":{x}:s",
                Budget.named("clock").limit(Limit.requests(A_SECOND).perSecond().burst(CAPACITY)));
    }

    /**
     * Sets the clock so often, and says what became of it.
     *
     * @throws InterruptedException if this thread is interrupted
     */
    public static Outcome run(RedisForTests server, int jumps, long seed) throws InterruptedException {
        String prefix = server.keyPrefix();
        try (RedisClient jedis = PatientRedis.client(server.url())) {
            return new ClockUnderLoad(prefix).run(server.url(), prefix, jedis, jumps, new Random(seed));
        }
    }

    private Outcome run(String url, String prefix, RedisClient jedis, int jumps, Random random)
            throws InterruptedException {
        Script script = TestScript.ofTheRealOne()
                .replace(
                        "local time = redis.call('TIME')",
                        "local time = redis.call('TIME')\ntime[1] = time[1] + (redis.call('GET', '" + prefix
                                + ":set') or 0)")
                .build();
        List<Thread> threads = new ArrayList<>();
        List<RedisLedger> ledgers = new ArrayList<>();
        long start = System.nanoTime();
        long forward = 0;
        try {
            for (int i = 0; i < 2; i++) {
                RedisLedger ledger = new RedisLedger(Redis.at(url, TIMEOUT), script, prefix, TIMEOUT);
                ledgers.add(ledger);
                for (int j = 0; j < THREADS; j++) {
                    Thread thread = new Thread(() -> ask(ledger), "asks-" + i + "-" + j);
                    threads.add(thread);
                    thread.start();
                }
            }
            long set = 0;
            for (int i = 0; i < jumps; i++) {
                await(asked, asked.get() + ASKED_BETWEEN);
                long far = (long) Math.exp(random.nextDouble() * LONGEST_LOG);
                long to = random.nextBoolean() ? far : -far;
                forward += to > set ? 1 : 0;
                set = to;
                jedis.set(prefix + ":set", Long.toString(set));
            }
            jedis.set(prefix + ":set", Long.toString(set - (long) Math.exp(LONGEST_LOG)));
            long before = granted.get();
            await(granted, before + CAPACITY);
            isOver = true;
            for (Thread thread : threads) {
                thread.join();
            }
            long most = CAPACITY * (1 + forward)
                    + TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start) * A_SECOND / 1_000
                    + 1;
            return new Outcome(jumps + 1L, granted.get(), most, failed.get(), granted.get() - before);
        } finally {
            isOver = true;
            ledgers.forEach(RedisLedger::close);
        }
    }

    private static void await(AtomicLong what, long count) throws InterruptedException {
        long deadline = System.nanoTime() + TIMEOUT.toNanos();
        while (what.get() < count) {
            if (System.nanoTime() - deadline > 0) {
                throw new IllegalStateException("it is at " + what + ", and not yet at " + count);
            }
            TimeUnit.MILLISECONDS.sleep(1);
        }
    }

    private void ask(RedisLedger ledger) {
        while (!isOver) {
            try {
                Verdict verdict = ledger.reserve(
                        List.of(new Claim(subject, new long[] {1})),
                        Patience.NONE,
                        System.nanoTime() + TIMEOUT.toNanos());
                asked.incrementAndGet();
                if (verdict instanceof Verdict.Granted) {
                    granted.incrementAndGet();
                } else {
                    LockSupport.parkNanos(1_000_000);
                }
            } catch (GuardUnavailableException | RuntimeException e) {
                failed.incrementAndGet();
            }
        }
    }
}
