package io.costguard;

/** How a guarded HTTP client shows a denial to the code that made the call. */
public enum Denials {
    /** As a response, in the provider's own error shape: 429, 402 or 503. */
    ANSWER,
    /** As a {@link BudgetExceededException} or {@link GuardUnavailableException}. */
    THROW;

    /**
     * Answers as the provider would have, so that code and SDKs that handle the provider's limits handle the guard's. The
     * default.
     */
    public static Denials answer() {
        return ANSWER;
    }

    /** Throws {@link BudgetExceededException} or {@link GuardUnavailableException}, both {@link java.io.IOException}s. */
    public static Denials throwException() {
        return THROW;
    }
}
