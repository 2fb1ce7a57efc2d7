package io.costguard;

/**
 * A call that no budget can judge, whatever is left of it: its model has no price under a limit in dollars, it lacks an attribute that a
 * budget is counted per, a header that is to be one ({@link Attributes}) has several values or one too long, or it falls under more budgets
 * than one decision can take. Nothing was asked or charged; the message says what
 * to do. Unlike a denial, it is for the developer: another call like it fares the same until budgets, prices or the call are changed.
 */
public final class MisfitException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    /**
     * For a call that no budget can judge.
     *
     * @param message what does not fit
     */
    public MisfitException(String message) {
        super(message);
    }
}
