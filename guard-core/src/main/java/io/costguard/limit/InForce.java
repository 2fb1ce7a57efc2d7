package io.costguard.limit;

import io.costguard.Budget;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * Budgets, until their time is over, and those that take their place then, without anybody doing anything. Looked at when a call is put
 * into a request, which Redis refuses where it comes later than a decision may take: so, that long after its time is over, no call is
 * decided under a budget.
 *
 * @param isOver for many threads, and quick: each call asks
 * @param afterwards of the same budgets
 */
public record InForce(List<Budget> budgets, BooleanSupplier isOver, List<Budget> afterwards) {

    /** For ever. */
    public static InForce always(List<Budget> budgets) {
        return new InForce(budgets, () -> false, budgets);
    }
}
