package io.costguard;

import java.time.Duration;

/**
 * How a limit stands for one call's attributes. Amounts are in the limit's own unit, dollars in nano-dollars, tokens as
 * the limit weighs them ({@link Limit#weighing}). Immutable.
 *
 * @param budget the budget's name
 * @param limit the limit's name, like {@code tokens per minute}
 * @param balance how much may go now; below 0 while in debt
 * @param capacity how much there is when nothing is used
 * @param waiting how many calls wait for it
 * @param timeToFull how long until nothing is used, if nobody asks; of calls in flight, if nothing more is heard of any of them
 * @param newcomerWait how long this limit would keep a call of this cost waiting, if it came now: zero if it covers all that waits, and
 *     that call; else a lower bound, by what is known: zero for calls in flight too, of which one may end at any moment. A call that asks nothing of this limit is taken to ask one unit (a
 *     nano-dollar), and one that asks more than its capacity to ask all of it:
 *     but for {@link Budget#clampToCapacity()}, that one never goes, and is denied at once
 * @param unit what the limit counts
 * @param window the span that the capacity is for; of calls in flight, for how long one counts of which nothing is heard
 */
public record LimitStatus(
        String budget,
        String limit,
        long balance,
        long capacity,
        long waiting,
        Duration timeToFull,
        Duration newcomerWait,
        Unit unit,
        Limit.Window window) {

    /** Like {@code budget 'money': usd per day, $20.00 of $25.00 left, full in 9 h, 2 calls wait, a newcomer would wait 30 s}. */
    @Override
    public String toString() {
        String left = balance < 0
                ? "nothing left and " + unit.format(-balance) + " of debt"
                : unit.format(balance) + " of " + unit.format(capacity) + " left";
        return "budget '" + budget + "': " + limit + ", " + left + ", full in " + Durations.format(timeToFull) + ", "
                + waiting + (waiting == 1 ? " call waits" : " calls wait") + ", a newcomer would wait "
                + Durations.format(newcomerWait);
    }
}
