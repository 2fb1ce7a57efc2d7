package io.costguard;

import java.io.IOException;

/**
 * A call was denied by a budget, and not sent; nothing was charged for it.
 *
 * <p>One that the pre-check gives, repeating what Redis said a moment ago, has no stack trace: to fill that costs more than the
 * whole denial. The denial of Redis that it repeats has one, and with {@code preCheck(Duration.ZERO)} all are of Redis. Who wants
 * one all the same calls {@link #fillInStackTrace()}.
 */
public class BudgetExceededException extends IOException {
    private static final long serialVersionUID = 1L;

    private final Denial denial;

    private record Repeated(Denial denial) {}

    @SuppressWarnings("this-escape") // Throwable does the same, and earlier
    public BudgetExceededException(Denial denial) {
        this.denial = denial;
        super.fillInStackTrace();
    }

    private BudgetExceededException(Repeated repeated) {
        this.denial = repeated.denial();
    }

    /** One without a stack trace, for a denial that repeats another. */
    public static BudgetExceededException repeated(Denial denial) {
        return new BudgetExceededException(new Repeated(denial));
    }

    /** Which budget and limit, how much was asked and is there, when to come back. */
    public Denial denial() {
        return denial;
    }

    @Override
    public String getMessage() {
        return denial.toString();
    }

    /** Does nothing while the exception is being made: the constructors here decide. */
    @Override
    public synchronized Throwable fillInStackTrace() {
        return denial == null ? this : super.fillInStackTrace();
    }
}
