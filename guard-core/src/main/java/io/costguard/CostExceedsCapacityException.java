package io.costguard;

/** A call asks more than a limit can ever hold: waiting will never help. A smaller call will, or a larger limit. */
public final class CostExceedsCapacityException extends BudgetExceededException {
    private static final long serialVersionUID = 1L;

    public CostExceedsCapacityException(Denial denial) {
        super(denial);
    }

    @Override
    public String getMessage() {
        Denial denial = denial();
        return "budget '" + denial.budget() + "' can never let this call go: " + denial.limit() + ", requested "
                + denial.unit().format(denial.requested()) + ", at most "
                + denial.unit().format(denial.largestThatFits())
                + "; make the call smaller, the limit larger, or use clampToCapacity()";
    }
}
