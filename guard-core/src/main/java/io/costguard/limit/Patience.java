package io.costguard.limit;

import io.costguard.WhenExhausted;
import java.time.Duration;

/**
 * How long a call may wait for its budgets.
 *
 * @param leaves what percentage of each limit must stay free for others when it goes; such a call does not stand in line
 */
public record Patience(long micros, int leaves) {
    public static final Patience NONE = new Patience(0, 0);
    /** A year: longer than any call waits. */
    private static final Duration LONGEST = Duration.ofDays(365);

    /** @param atMost what the call itself allows */
    static Patience of(WhenExhausted policy, Duration atMost) {
        if (policy.longestWait().isZero()) {
            return NONE;
        }
        Duration wait = shorter(policy.longestWait(), shorter(atMost, LONGEST));
        return new Patience(Math.max(0, wait.toNanos() / 1_000), policy.percentLeft());
    }

    private static Duration shorter(Duration one, Duration other) {
        return one.compareTo(other) < 0 ? one : other;
    }

    /** The most that such a call may ask of a limit of this capacity. */
    long mostOf(long capacity) {
        if (leaves == 0) {
            return capacity;
        }
        long rest = capacity % 100;
        return capacity - capacity / 100 * leaves - (rest * leaves + 99) / 100;
    }

    public boolean isNone() {
        return micros == 0 && leaves == 0;
    }
}
