package io.costguard;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What becomes of a call when Redis cannot decide within the guard's deadline. Immutable. */
public final class WhenRedisFails {
    /** Of each limit at least as much is left to calls that are decided. */
    private static final int MOST_PERCENT = 50;

    private static final WhenRedisFails CLOSED = new WhenRedisFails("failClosed", null);
    private static final WhenRedisFails OPEN = new WhenRedisFails("failOpen", null);

    private final String name;
    private final @Nullable Share slice;

    private WhenRedisFails(String name, @Nullable Share slice) {
        this.name = name;
        this.slice = slice;
    }

    /**
     * The call is not sent, and the error says why; an outage is logged once, as a warning. The default.
     *
     * @return that policy
     */
    public static WhenRedisFails failClosed() {
        return CLOSED;
    }

    /**
     * The call is sent and counted nowhere; listeners are told of each, and an outage is logged once, as an error.
     *
     * @return that policy
     */
    public static WhenRedisFails failOpen() {
        return OPEN;
    }

    /**
     * The call is sent if slices that Redis leased to this process beforehand cover it, in all of its limits; else it is not, as with
     * {@link #failClosed()}. Listeners are told of each that is sent, and an outage is logged once, as a warning.
     *
     * <p>While Redis answers, each process holds a slice of every limit of the subjects that it used within the last minute, of up to a thousand
     * at once: {@code slice} of the limit's capacity, and one unit at least. It is charged in Redis, so that nobody else has it, and given back
     * when its subject has not been used for a minute, or the guard is closed. A slice is leased only while nobody waits and half of the limit
     * stays free for calls: so all processes together never set aside more than half, and those that come too late have none. When Redis is back,
     * what was spent is settled as ever, and the rest is given back. A process that dies leaves its slices charged until the limits refill.
     *
     * <p>How much of a slice may be spent while Redis is away is bounded so that it and what other processes are let go meanwhile stay within the
     * limit:
     * <ul>
     *   <li>of a token bucket: what it was, less what the whole bucket has refilled since it was leased or last renewed (every 10 s, or three times
     *       in the time after which nothing would be left of it, as far as a look each second allows). A subject that has a bucket whose slices
     *       would last less than 2 s is not leased anything
     *   <li>of a fixed window: until that window ends, by the latest that Redis's clock can be
     *   <li>of a sliding window: until the slot ends in which it was leased or renewed, which is a fifteenth of the window
     *   <li>of calls in flight: until half a lease after Redis was last heard
     * </ul>
     *
     * <p>Only a Redis that lost its state, or a {@link CostGuard#reset}, lets more go than the limits: at most all slices that processes hold,
     * of which {@link CostGuard#leased} tells those of this one.
     *
     * @param slice of each limit, for each process
     * @return that policy
     * @throws IllegalArgumentException if {@code slice} is above 50 %
     */
    public static WhenRedisFails spendLeased(Share slice) {
        if (slice.percent() > MOST_PERCENT) {
            throw new IllegalArgumentException("a slice must be at most " + MOST_PERCENT
                    + " % of a limit, as calls keep the rest while Redis answers, not " + slice);
        }
        return new WhenRedisFails("spendLeased", slice);
    }

    /** {@return how much of each limit a process holds for when Redis fails, if it holds anything} */
    public Optional<Share> slice() {
        return Optional.ofNullable(slice);
    }

    @Override
    public String toString() {
        return slice == null ? name : name + "(" + slice + ")";
    }
}
