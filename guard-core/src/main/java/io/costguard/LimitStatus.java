package io.costguard;

import java.time.Duration;

/**
 * How a limit stands for one call's attributes. Amounts are in the limit's own unit, dollars in nano-dollars.
 *
 * @param budget the budget's name
 * @param limit the limit's name, like {@code tokens per minute}
 * @param balance how much may go now; below 0 while in debt
 * @param capacity how much there is when nothing is used
 * @param waiting how many calls wait for it
 * @param timeToFull how long until nothing is used, if nobody asks
 */
public record LimitStatus(
        String budget, String limit, long balance, long capacity, long waiting, Duration timeToFull) {}
