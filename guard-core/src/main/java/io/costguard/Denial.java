package io.costguard;

import java.io.Serializable;
import java.time.Duration;

/**
 * Why a call was not let go; nothing was charged for it. Amounts are in the limit's own unit, dollars in nano-dollars.
 *
 * @param budget the budget's name
 * @param limit the name of the limit that would take longest, like {@code tokens per minute}
 * @param requested how much the call asked of it
 * @param available how much it has beyond what waits; below 0 while it is in debt, or has less than what waits
 * @param retryAfter how long until it would have enough, if nobody else asked
 * @param largestThatFits the largest amount that it would let go now; 0 while it is held
 * @param unit what that limit counts
 * @param ahead how many calls stood in line before this one
 * @param held for how long nobody goes, whatever is there; zero where there is no hold
 */
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

    /** Every number that an operator needs, in one sentence. */
    @Override
    public String toString() {
        return "budget '" + budget + "' " + state() + ": " + limit + ", requested " + unit.format(requested)
                + ", available " + availableText() + ", retry after " + retryAfter.toMillis() + " ms";
    }

    private String state() {
        if (!held.isZero()) {
            return "is held for " + held.toMillis() + " ms";
        }
        return available < requested ? "is spent" : "has nothing to spare";
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
