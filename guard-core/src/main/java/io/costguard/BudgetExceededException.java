package io.costguard;

import java.io.IOException;

/** A call was denied by a budget, and not sent; nothing was charged for it. */
public class BudgetExceededException extends IOException {
    private static final long serialVersionUID = 1L;

    private final Denial denial;

    public BudgetExceededException(Denial denial) {
        this(denial.toString(), denial);
    }

    BudgetExceededException(String message, Denial denial) {
        super(message);
        this.denial = denial;
    }

    /** Which budget and limit, how much was asked and is there, when to come back. */
    public Denial denial() {
        return denial;
    }
}
