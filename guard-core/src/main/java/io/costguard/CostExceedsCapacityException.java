package io.costguard;

/**
 * A call asks more than a limit can ever hold, or than it can hold beyond the share that the call leaves: waiting will never help. A
 * smaller call will, or a larger limit. Immutable.
 */
public final class CostExceedsCapacityException extends BudgetExceededException {
    private static final long serialVersionUID = 1L;

    /**
     * For a call that can never go.
     *
     * @param denial why
     */
    public CostExceedsCapacityException(Denial denial) {
        super(denial);
    }
}
