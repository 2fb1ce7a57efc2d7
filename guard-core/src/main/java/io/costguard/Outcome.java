package io.costguard;

/** How a reservation ended, and so what stays charged. */
public enum Outcome {
    /** The caller said what was used. */
    SETTLED,
    /** The provider reported what was used. */
    REPORTED,
    /** Nothing was reported: the input estimate, and the output that passed. */
    COUNTED,
    /** An error that may be billed: the request and the input estimate. */
    INPUT_KEPT,
    /** Nobody knows what was used: the estimate. */
    ESTIMATE_KEPT,
    /** The provider cannot have billed it: the request alone. */
    REFUNDED,
    /** It was never sent: nothing. */
    RELEASED;

    /** {@return whether nothing of what was reserved in tokens and money stays charged, whatever a limit's weights say} */
    public boolean givesTokensBack() {
        return this == REFUNDED || this == RELEASED;
    }
}
