package io.costguard.benchmarks;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Many callers that begin at once. */
final class Crowd {
    private Crowd() {}

    /** What one of them does. */
    interface Caller {
        void run(int number, long beganNanos) throws Exception;
    }

    /**
     * Returns when all are done.
     *
     * @return how many nanoseconds it took them
     * @throws IllegalStateException if one of them failed
     */
    static long run(ThreadFactory threads, int callers, Caller caller) throws InterruptedException {
        CountDownLatch ready = new CountDownLatch(callers);
        CountDownLatch begin = new CountDownLatch(1);
        CountDownLatch done = new CountDownLatch(callers);
        AtomicLong began = new AtomicLong();
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        for (int i = 0; i < callers; i++) {
            int number = i;
            threads.newThread(() -> {
                        try {
                            ready.countDown();
                            begin.await();
                            caller.run(number, began.get());
                        } catch (Throwable e) {
                            failure.compareAndSet(null, e);
                        } finally {
                            done.countDown();
                        }
                    })
                    .start();
        }
        ready.await();
        began.set(System.nanoTime());
        begin.countDown();
        done.await();
        long took = System.nanoTime() - began.get();
        if (failure.get() != null) {
            throw new IllegalStateException("a caller failed", failure.get());
        }
        return took;
    }
}
