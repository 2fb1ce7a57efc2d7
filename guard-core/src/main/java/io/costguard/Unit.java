package io.costguard;

/** What a {@link Limit} counts. */
public enum Unit {
    /** Calls, whatever they cost. */
    REQUESTS("requests"),
    /** Input and output tokens together. */
    TOKENS("tokens"),
    /** Tokens of the prompt, those read from or written to a prompt cache included. */
    INPUT_TOKENS("input tokens"),
    /** Tokens of the answer, reasoning included. */
    OUTPUT_TOKENS("output tokens"),
    /** Money, held as integer nano-dollars. */
    USD("usd"),
    /** Calls that have been let go and have not ended yet. */
    CONCURRENT_CALLS("concurrent calls");

    private final String label;

    Unit(String label) {
        this.label = label;
    }

    /** {@return the name by which people read it: {@code input tokens}} */
    public String label() {
        return label;
    }

    /** The name of a single one: {@code input token}. */
    String one() {
        return this == USD ? label : label.substring(0, label.length() - 1);
    }

    /** Whether it counts tokens, which a limit may weigh. */
    boolean isTokens() {
        return this == TOKENS || this == INPUT_TOKENS || this == OUTPUT_TOKENS;
    }

    /**
     * {@return what {@code cost} has of this unit: requests, tokens, or nano-dollars; 1 of calls, whatever they cost}
     *
     * @param cost how much
     */
    public long of(Cost cost) {
        return switch (this) {
            case REQUESTS -> cost.requests();
            case TOKENS -> cost.input() + cost.output();
            case INPUT_TOKENS -> cost.input();
            case OUTPUT_TOKENS -> cost.output();
            case USD -> cost.nanoUsd();
            case CONCURRENT_CALLS -> 1;
        };
    }

    /**
     * {@code amount} as people read it: dollars for {@link #USD}, the number itself otherwise.
     *
     * @param amount how much
     * @return that text
     */
    public String format(long amount) {
        return this == USD ? Dollars.format(amount) : Long.toString(amount);
    }
}
