package io.costguard;

import java.io.IOException;
import java.time.Duration;

/**
 * A call was denied by a budget, and not sent; nothing was charged for it.
 *
 * <p>One that the pre-check gives, repeating what Redis said a moment ago, has no stack trace: to fill that costs more than the
 * whole denial. The denial of Redis that it repeats has one, and with {@code preCheck(Duration.ZERO)} all are of Redis. Who wants
 * one all the same calls {@link #fillInStackTrace()}.
 */
public class BudgetExceededException extends IOException {
    private static final long serialVersionUID = 1L;

    /** Why, with all numbers. */
    private final Denial denial;
    /** How long in vain. */
    private final Duration waited;

    private record Repeated(Denial denial) {}

    /**
     * For a call that was denied at once.
     *
     * @param denial why
     */
    @SuppressWarnings("this-escape") // Throwable does the same, and earlier
    public BudgetExceededException(Denial denial) {
        this(denial, Duration.ZERO);
    }

    @SuppressWarnings("this-escape") // likewise
    private BudgetExceededException(Denial denial, Duration waited) {
        this.denial = denial;
        this.waited = waited;
        super.fillInStackTrace();
    }

    private BudgetExceededException(Repeated repeated) {
        this.denial = repeated.denial();
        this.waited = Duration.ZERO;
    }

    /**
     * One for a call that has waited in vain.
     *
     * @param waited how long in vain
     * @param denial why
     * @return the exception to throw
     */
    public static BudgetExceededException after(Duration waited, Denial denial) {
        return new BudgetExceededException(denial, waited);
    }

    /**
     * One without a stack trace, for a denial that repeats another.
     *
     * @param denial why
     * @return the exception to throw
     */
    public static BudgetExceededException repeated(Denial denial) {
        return new BudgetExceededException(new Repeated(denial));
    }

    /** {@return which budget and limit, how much was asked and is there, when to come back} */
    public Denial denial() {
        return denial;
    }

    /** {@return how long the call waited in vain; zero if it was denied at once} */
    public Duration waited() {
        return waited;
    }

    @Override
    public String getMessage() {
        return waited.isZero()
                ? denial.toString()
                : denial + ", as Redis last told it; the call waited " + Durations.format(waited) + " in vain";
    }

    /** Does nothing while the exception is being made: the constructors here decide. */
    @Override
    public synchronized Throwable fillInStackTrace() {
        return denial == null ? this : super.fillInStackTrace();
    }
}
