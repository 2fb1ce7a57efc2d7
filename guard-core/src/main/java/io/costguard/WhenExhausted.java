package io.costguard;

/** What becomes of a call whose budget is spent. */
public final class WhenExhausted {
    private static final WhenExhausted REJECT = new WhenExhausted();

    private WhenExhausted() {}

    /** Denied at once, with the time to come back. */
    public static WhenExhausted reject() {
        return REJECT;
    }
}
