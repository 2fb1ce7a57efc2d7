package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Waits for what comes true, until the test's own timeout. */
public final class Awaiting {
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

    private Awaiting() {}

    /** What comes true. */
    public interface Condition<E extends Exception> {
        boolean isTrue() throws E;
    }

    /** Returns once it is true; fails where JUnit interrupts it. */
    public static <E extends Exception> void await(Condition<E> condition) throws E {
        while (!condition.isTrue()) {
            assertThat(Thread.currentThread().isInterrupted()).as("timed out").isFalse();
            LockSupport.parkNanos(LOOK_NANOS);
        }
    }
}
