package io.costguard.limit;

import io.costguard.Budget;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The latest of each budget that was ever updated, so that whatever was asked under one before it is decided and settled under this. Budgets
 * are the same that share their balances: by their name, and what they are counted per. Immutable.
 */
public final class LatestBudgets {
    public static final LatestBudgets NONE = new LatestBudgets(Map.of());

    private final Map<Identity, Budget> budgets;

    private record Identity(String name, List<String> countedPer) {
        static Identity of(Budget budget) {
            return new Identity(budget.name(), budget.countedPer());
        }
    }

    private LatestBudgets(Map<Identity, Budget> budgets) {
        this.budgets = budgets;
    }

    /** These in the place of those before them; one that is not among them stays what it was last. */
    public LatestBudgets with(List<Budget> latest) {
        Map<Identity, Budget> more = new HashMap<>(budgets);
        latest.forEach(budget -> more.put(Identity.of(budget), budget));
        return new LatestBudgets(Map.copyOf(more));
    }

    public Subject of(Subject subject) {
        if (budgets.isEmpty()) {
            return subject;
        }
        Budget latest = budgets.getOrDefault(Identity.of(subject.budget()), subject.budget());
        return latest == subject.budget() ? subject : new Subject(subject.key(), latest);
    }
}
