package io.costguard;

import java.time.Duration;

/**
 * The caller's handle on a reservation: settle it by what was used, or release it.
 *
 * <pre>{@code
 * try (Permit permit = guard.acquire(call)) {
 *     ...
 *     permit.settle(Cost.requests(1).input(912).output(341));
 * }
 * }</pre>
 *
 * <p>Safe for use by many threads. The first of {@link #settle}, {@link #release} and {@link #close} counts; what comes after
 * has no effect. None of them waits for Redis, and none throws for it.
 */
public interface Permit extends AutoCloseable {

    /** {@return this reservation's own name} */
    String id();

    /** {@return what is charged until it is settled: for all of its {@link #pieces}} */
    Cost estimate();

    /** {@return how many pieces it holds, of {@link CostGuard#acquireUpTo}; 1 of any other call} */
    int pieces();

    /** {@return how long the call waited for its budget} */
    Duration waited();

    /**
     * Replaces the estimate by what was used, of all pieces together. Requests stay as they were charged; a unit not mentioned is 0 used; dollars not
     * given come from the price list, if the model is in it.
     *
     * @param actual what it used
     */
    void settle(Cost actual);

    /** Gives everything back, the request too: for a call that was never sent. */
    void release();

    /** Leaves the estimate charged, if nothing else was said. */
    @Override
    void close();
}
