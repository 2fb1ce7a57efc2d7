package io.costguard.limit;

import io.costguard.Budget;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;

/**
 * The latest of each budget that was ever updated, so that whatever was asked under one before it is decided and settled under this. Budgets
 * are the same that share their balances: by their name, and what they are counted per. Immutable, but for the time that passes.
 */
public final class LatestBudgets {
    public static final LatestBudgets NONE = new LatestBudgets(Map.of(), () -> false, Map.of());

    private final Map<Identity, Budget> budgets;
    private final BooleanSupplier isOver;
    private final Map<Identity, Budget> afterwards;

    private record Identity(String name, List<String> countedPer) {
        static Identity of(Budget budget) {
            return new Identity(budget.name(), budget.countedPer());
        }
    }

    private LatestBudgets(Map<Identity, Budget> budgets, BooleanSupplier isOver, Map<Identity, Budget> afterwards) {
        this.budgets = budgets;
        this.isOver = isOver;
        this.afterwards = afterwards;
    }

    /** These in the place of those before them; one that is not among them stays what it was last. */
    public LatestBudgets with(InForce latest) {
        return new LatestBudgets(
                with(budgets, latest.budgets()), latest.isOver(), with(afterwards, latest.afterwards()));
    }

    private static Map<Identity, Budget> with(Map<Identity, Budget> known, List<Budget> latest) {
        Map<Identity, Budget> more = new HashMap<>(known);
        latest.forEach(budget -> more.put(Identity.of(budget), budget));
        return Map.copyOf(more);
    }

    public Subject of(Subject subject) {
        if (budgets.isEmpty()) {
            return subject;
        }
        Map<Identity, Budget> inForce = isOver.getAsBoolean() ? afterwards : budgets;
        Budget latest = inForce.getOrDefault(Identity.of(subject.budget()), subject.budget());
        return latest == subject.budget() ? subject : new Subject(subject.key(), latest);
    }
}
