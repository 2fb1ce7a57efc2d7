package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Waits for what comes true, until the test's own timeout. */
public final class Awaiting {
    /**
     * For what is expected to succeed: a machine that stalls fails no test. It is less in the property {@code costguard.patience} where code is
     * mutated, so that what hangs fails.
     */
    public static final Duration PATIENCE = Duration.parse(System.getProperty("costguard.patience", "PT1M"));

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
