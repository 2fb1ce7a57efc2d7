package io.costguard;

import java.io.Serializable;
import java.time.Duration;

/**
 * Why a call was not let go; nothing was charged for it. Amounts are in the limit's own unit, dollars in nano-dollars, tokens
 * as the limit weighs them ({@link Limit#weighing}).
 *
 * @param budget the budget's name
 * @param limit the name of the limit that would take longest, like {@code tokens per minute}
 * @param requested how much the call asked of it
 * @param available how much it has beyond what waits; below 0 while it is in debt, or has less than what waits. Its capacity where the
 *     call is larger than the limit can ever let go
 * @param retryAfter how long until it would have enough, if nobody else asked; {@link #NEVER} where waiting will never help
 * @param largestThatFits the largest amount that it would let go now; 0 while it is held. Where waiting will never help, the largest that it
 *     will ever let go
 * @param unit what that limit counts
 * @param ahead how many calls stood in line before this one
 * @param held for how long nobody goes, whatever is there; zero where there is no hold
 * @serial exclude
 */
@SuppressWarnings("InvalidBlockTag") // javadoc asks a record for comments on its fields, which cannot have any
public record Denial(
        String budget,
        String limit,
        long requested,
        long available,
        Duration retryAfter,
        long largestThatFits,
        Unit unit,
        long ahead,
        Duration held)
        implements Serializable {
    /** As long as a duration in nanoseconds gets: what {@link #retryAfter} is where waiting will never help. */
    public static final Duration NEVER = Duration.ofNanos(Long.MAX_VALUE);

    /** Every number that an operator needs, in one sentence. */
    @Override
    public String toString() {
        String start = "budget '" + budget + "' " + state() + ": " + limit + ", requested " + unit.format(requested);
        return retryAfter.equals(NEVER)
                ? start + ", at most " + atMostText()
                : start + ", available " + availableText() + ", retry after " + Durations.format(retryAfter);
    }

    private String state() {
        if (retryAfter.equals(NEVER)) {
            return "can never let this call go";
        }
        if (!held.isZero()) {
            return "is held for " + Durations.format(held);
        }
        String spent = unit == Unit.CONCURRENT_CALLS ? "is full" : "is spent";
        return available < requested ? spent : "has nothing to spare";
    }

    private String atMostText() {
        String most = unit.format(largestThatFits);
        return largestThatFits < available
                ? most + " of " + unit.format(available)
                        + ", as it leaves others their share; make the call smaller, the limit larger, or have it leave less"
                        + " with leaving(..)"
                : most + "; make the call smaller, the limit larger, or use clampToCapacity()";
    }

    private String availableText() {
        String text = unit.format(Math.max(0, available));
        if (ahead > 0) {
            return text + " behind " + ahead + (ahead == 1 ? " call" : " calls") + " in line";
        } else if (available < 0) {
            return text + " and " + unit.format(-available) + " of debt";
        }
        return largestThatFits < available && held.isZero()
                ? text + ", of which " + unit.format(largestThatFits) + " may go"
                : text;
    }
}
