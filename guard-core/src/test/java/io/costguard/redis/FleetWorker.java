package io.costguard.redis;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.PriceList;
import io.costguard.WhenExhausted;
import io.costguard.WhenRedisFails;
import io.costguard.limit.Admission;
import io.costguard.limit.Cardinality;
import io.costguard.limit.Fingerprint;
import io.costguard.limit.Limiter;
import io.costguard.limit.Listeners;
import io.costguard.limit.Subjects;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.locks.LockSupport;

/** A process of a fleet: threads that reserve and settle on one subject until each has done its share. */
final class FleetWorker {
    static final Duration TIMEOUT = Duration.ofSeconds(10);
    static final long REQUESTS_A_MINUTE = 1_800_000;
    static final long REQUESTS_AT_ONCE = 40;
    static final long TOKENS_A_MINUTE = 210_000_000;
    static final long TOKENS_AT_ONCE = 30_000;
    static final long NANO_USD_A_SECOND = 210_000_000;
    static final Budget BUDGET = Budget.named("fleet")
            .per()
            .limit(Limit.requests(REQUESTS_A_MINUTE).perMinute().burst(REQUESTS_AT_ONCE))
            .limit(Limit.tokens(TOKENS_A_MINUTE).perMinute().burst(TOKENS_AT_ONCE))
            .limit(Limit.usd(BigDecimal.valueOf(NANO_USD_A_SECOND, 9))
                    .perSecond()
                    .fixedWindow());
    private static final byte[] FINGERPRINT_KEY = "sixteen bytes it".getBytes(StandardCharsets.UTF_8);

    private FleetWorker() {}

    /** Arguments: where Redis is, the key prefix, the audit list, threads, pairs a thread, seed. */
    public static void main(String[] args) throws InterruptedException {
        Script script = TestScript.ofTheRealOne().withAuditAt(args[2]).build();
        int pairs = Integer.parseInt(args[4]);
        long seed = Long.parseLong(args[5]);
        List<Thread> threads = new ArrayList<>();
        List<Throwable> failures = new ArrayList<>();
        try (Limiter limiter =
                limiter(new RedisLedger(Redis.at(args[0], TIMEOUT), script, args[1], TIMEOUT), args[1])) {
            for (int i = 0; i < Integer.parseInt(args[3]); i++) {
                Random random = new Random(seed * 1_000 + i);
                Thread thread = new Thread(() -> work(limiter, random, pairs));
                thread.setUncaughtExceptionHandler((dead, failure) -> {
                    synchronized (failures) {
                        failures.add(failure);
                    }
                });
                threads.add(thread);
                thread.start();
            }
            for (Thread thread : threads) {
                thread.join();
            }
            limiter.flush();
        } catch (java.io.IOException e) {
            failures.add(e);
        }
        failures.forEach(Throwable::printStackTrace);
        System.exit(failures.isEmpty() ? 0 : 1);
    }

    static Limiter limiter(RedisLedger ledger, String prefix) {
        Fingerprint fingerprint = new Fingerprint(FINGERPRINT_KEY);
        return new Limiter(
                new Subjects(List.of(BUDGET), prefix, "apiKey", fingerprint, new Cardinality(1_000, System::nanoTime)),
                ledger,
                PriceList.bundled(),
                fingerprint,
                WhenExhausted.reject(),
                WhenRedisFails.failClosed(),
                TIMEOUT,
                Duration.ZERO,
                Listeners.of());
    }

    private static void work(Limiter limiter, Random random, int pairs) {
        for (int done = 0; done < pairs; ) {
            Cost estimate = Cost.requests(1)
                    .input(random.nextInt(200))
                    .output(random.nextInt(200))
                    .nanoUsd(random.nextInt(12_000));
            try {
                GuardedCall call = GuardedCall.of("model").cost(estimate);
                Admission admission = random.nextInt(4) > 0
                        ? limiter.decide(call)
                        : limiter.admitUpTo(call, 1 + random.nextInt(20), TIMEOUT);
                if (admission instanceof Admission.Granted granted) {
                    settle(granted, random);
                    done++;
                } else if (admission instanceof Admission.Refused refused) {
                    LockSupport.parkNanos(
                            Math.min(20_000_000, refused.denial().retryAfter().toNanos()));
                }
            } catch (GuardUnavailableException | InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    /** Mostly less than estimated, sometimes more; sometimes never sent, sometimes never settled. */
    private static void settle(Admission.Granted granted, Random random) {
        Cost estimate = granted.reservation().estimate();
        switch (random.nextInt(20)) {
            case 0 -> granted.reservation().release();
            case 1 -> granted.reservation().close();
            case 2 ->
                granted.reservation()
                        .settle(Cost.requests(estimate.requests())
                                .input(estimate.input() + random.nextInt(50))
                                .output(estimate.output() + random.nextInt(50))
                                .nanoUsd(estimate.nanoUsd() + random.nextInt(3_000)));
            default ->
                granted.reservation()
                        .settle(Cost.requests(estimate.requests())
                                .input(estimate.input() * random.nextInt(101) / 100)
                                .output(estimate.output() * random.nextInt(101) / 100)
                                .nanoUsd(estimate.nanoUsd() * random.nextInt(101) / 100));
        }
    }
}
