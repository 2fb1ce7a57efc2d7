package io.costguard;

/** The answer to a call that asked to go. */
public sealed interface Decision {
    /**
     * It may go; its estimate is charged. The permit must be settled, released or closed.
     *
     * @param permit what settles it, or gives it back
     */
    record Granted(Permit permit) implements Decision {}

    /**
     * It may not; nothing was charged.
     *
     * @param denial why
     */
    record Denied(Denial denial) implements Decision {}
}
