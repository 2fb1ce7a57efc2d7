package io.costguard.proof;

import io.costguard.Awaiting.Condition;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Waits for what comes soon, and for no longer than a minute: what never comes ends a check, and says what it was. */
public final class Waiting {
    private static final Duration AT_MOST = Duration.ofMinutes(1);

    private Waiting() {}

    /**
     * Returns once it is so.
     *
     * @param what is waited for
     * @throws AssertionError if it is not so within a minute
     */
    public static <E extends Exception> void until(Condition<E> condition, String what) throws E {
        until(condition, AT_MOST, what);
    }

    static <E extends Exception> void until(Condition<E> condition, Duration atMost, String what) throws E {
        long deadline = System.nanoTime() + atMost.toNanos();
        while (!condition.isTrue()) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("not within " + atMost.toSeconds() + " s: " + what);
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
        }
    }

    /** {@return what comes of it, likewise} */
    static <T> T of(Future<T> future, String what) throws ExecutionException, InterruptedException {
        until(future::isDone, what);
        return future.get();
    }
}
