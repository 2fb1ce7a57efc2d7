package io.costguard.limit;

import io.costguard.WhenExhausted;
import java.time.Duration;

/**
 * What a call puts up with where its budgets are short: how long it may wait for them, and with how little it goes.
 *
 * @param leaves what percentage of each limit must stay free for others when it goes; such a call does not stand in line
 * @param pieces how many like it are to go, or as many of them as there is room for: 1 where it is alone
 */
public record Patience(long micros, int leaves, int pieces) {
    public static final Patience NONE = new Patience(0, 0);
    /** A year: longer than any call waits. */
    private static final Duration LONGEST = Duration.ofDays(365);

    public Patience(long micros, int leaves) {
        this(micros, leaves, 1);
    }

    /** @param atMost what the call itself allows */
    static Patience of(WhenExhausted policy, Duration atMost) {
        if (policy.longestWait().isZero()) {
            return NONE;
        }
        Duration wait = shorter(policy.longestWait(), shorter(atMost, LONGEST));
        return new Patience(Math.max(0, wait.toNanos() / 1_000), policy.percentLeft());
    }

    /** The same of so many calls, or as many of them as there is room for. */
    Patience upTo(int many) {
        return many == pieces ? this : new Patience(micros, leaves, many);
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
        return micros == 0 && leaves == 0 && pieces == 1;
    }
}
