package io.costguard;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What becomes of a call whose budget is spent. Immutable.
 *
 * <pre>{@code
 * WhenExhausted.waitUpTo(Duration.ofSeconds(30))                                  // in line, first come, first served
 * WhenExhausted.waitUpTo(Duration.ofMinutes(10)).leaving(Share.percent(20))       // only what nobody else needs
 * }</pre>
 */
public final class WhenExhausted {
    private static final WhenExhausted REJECT = new WhenExhausted(Duration.ZERO, null);

    private final Duration longestWait;
    private final @Nullable Share left;

    private WhenExhausted(Duration longestWait, @Nullable Share left) {
        this.longestWait = longestWait;
        this.left = left;
    }

    /**
     * Denied at once, with the time to come back.
     *
     * @return that policy
     */
    public static WhenExhausted reject() {
        return REJECT;
    }

    /**
     * Waits in the line of the whole fleet: first come, first served, large calls included. A call that cannot be let go in time, by
     * what is known when it asks, is denied at once; one that waited in vain is denied at the end.
     *
     * @param longest at most
     * @return that policy
     * @throws IllegalArgumentException if {@code longest} is not above 0
     */
    public static WhenExhausted waitUpTo(Duration longest) {
        if (longest.isZero() || longest.isNegative()) {
            throw new IllegalArgumentException(
                    "waitUpTo needs a time above 0, not " + longest + "; for no wait there is reject()");
        }
        return new WhenExhausted(longest, null);
    }

    /**
     * Goes only while nobody waits, and while that share of each limit's capacity stays free when it has gone: for calls that should
     * not take from more urgent ones. It does not stand in line, but asks again when there may be enough.
     *
     * <p>A call that asks more of a limit than that share leaves is denied at once, with {@link Budget#clampToCapacity()} too.
     *
     * @param share how much
     * @return that policy
     * @throws IllegalStateException for {@link #reject()}
     * @throws IllegalArgumentException for 100 percent, which would let nothing go
     */
    public WhenExhausted leaving(Share share) {
        if (longestWait.isZero()) {
            throw new IllegalStateException("leaving(..) is for calls that wait: waitUpTo(..).leaving(..)");
        }
        if (share.percent() == 100) {
            throw new IllegalArgumentException("leaving(100 %) would never let a call go; leave 99 % at most");
        }
        return new WhenExhausted(longestWait, share);
    }

    /** {@return how long a call waits at most; zero for {@link #reject()}} */
    public Duration longestWait() {
        return longestWait;
    }

    /** {@return what must stay free, in percent of each limit's capacity; 0 for a call that stands in line} */
    public int percentLeft() {
        return left == null ? 0 : left.percent();
    }

    @Override
    public String toString() {
        if (longestWait.isZero()) {
            return "reject";
        }
        return "wait up to " + longestWait + (left == null ? "" : ", leaving " + left);
    }
}
