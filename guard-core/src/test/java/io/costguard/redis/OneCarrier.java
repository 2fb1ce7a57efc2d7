package io.costguard.redis;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.Permit;
import io.costguard.WhenExhausted;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import jdk.jfr.consumer.RecordingStream;

/**
 * A process in which a thousand virtual threads wait on what may be a single carrier; what lets them go is a virtual thread too. A
 * thread that kept the carrier while it waits, or while it talks to Redis, would keep that one from running.
 */
final class OneCarrier {
    private static final int WAITERS = 1_000;

    private OneCarrier() {}

    /** Arguments: where Redis is, the key prefix. */
    public static void main(String[] args) throws Exception {
        AtomicInteger pinned = new AtomicInteger();
        CountDownLatch gone = new CountDownLatch(WAITERS);
        GuardedCall call = GuardedCall.of("gpt-4o");
        try (RecordingStream events = new RecordingStream();
                CostGuard guard = CostGuard.builder()
                        .redis(args[0])
                        .keyPrefix(args[1])
                        .decisionTimeout(Duration.ofSeconds(30))
                        .budget(Budget.named("b")
                                .limit(Limit.requests(WAITERS)
                                        .per(Duration.ofDays(300))
                                        .tokenBucket()))
                        .whenExhausted(WhenExhausted.waitUpTo(Duration.ofDays(365)))
                        .build()) {
            Permit all = guard.acquire(call.cost(Cost.requests(WAITERS)));
            events.enable("jdk.VirtualThreadPinned").withThreshold(Duration.ZERO);
            events.onEvent("jdk.VirtualThreadPinned", event -> {
                System.out.println(event);
                pinned.incrementAndGet();
            });
            events.startAsync();
            for (int i = 0; i < WAITERS; i++) {
                Callers.Kind.VIRTUAL.start("waits", () -> {
                    try {
                        guard.acquire(call);
                        gone.countDown();
                    } catch (IOException e) {
                        throw new IllegalStateException(e);
                    }
                });
            }
            Callers.Kind.VIRTUAL.start("lets them go", () -> {
                try {
                    while (guard.status(call).get(0).waiting() < WAITERS) {
                        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
                    }
                    all.release();
                } catch (IOException e) {
                    throw new IllegalStateException(e);
                }
            });
            boolean allGone = gone.await(60, TimeUnit.SECONDS);
            System.out.println(allGone ? "all gone" : gone.getCount() + " of them wait");
        }
        // The stream has told all its events by now.
        System.out.println(pinned + " pinned");
    }
}
