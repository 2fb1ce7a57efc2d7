package io.costguard;

/** How a guarded HTTP client shows a denial to the code that made the call. */
public enum Denials {
    /** As a response, in the provider's own error shape: 429, 402 or 503. */
    ANSWER,
    /** As a {@link BudgetExceededException}, a {@link GuardUnavailableException}, or the like. */
    THROW;

    /**
     * Answers as the provider would have, so that code and SDKs that handle the provider's limits handle the guard's. The
     * default.
     *
     * @return that way
     */
    public static Denials answer() {
        return ANSWER;
    }

    /**
     * Throws {@link BudgetExceededException} or {@link GuardUnavailableException}, both {@link java.io.IOException}s; for a call that no
     * budget can judge an {@code IOException} whose cause is a {@link MisfitException}.
     *
     * @return that way
     */
    public static Denials throwException() {
        return THROW;
    }
}
