package io.costguard;

import java.io.Serializable;
import java.time.Duration;

/**
 * Why a call was not let go; nothing was charged for it. Amounts are in the limit's own unit, dollars in nano-dollars.
 *
 * @param budget the budget's name
 * @param limit the name of the limit that would take longest, like {@code tokens per minute}
 * @param requested how much the call asked of it
 * @param available how much it has; below 0 while it is in debt
 * @param retryAfter how long until it would have enough, if nobody else asked
 * @param largestThatFits the largest amount that it would let go now
 * @param unit what that limit counts
 */
public record Denial(
        String budget,
        String limit,
        long requested,
        long available,
        Duration retryAfter,
        long largestThatFits,
        Unit unit)
        implements Serializable {

    /** Every number that an operator needs, in one sentence. */
    @Override
    public String toString() {
        return "budget '" + budget + "' is spent: " + limit + ", requested " + unit.format(requested) + ", available "
                + unit.format(available) + ", retry after " + retryAfter.toMillis() + " ms";
    }
}
