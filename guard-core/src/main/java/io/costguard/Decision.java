package io.costguard;

/** The answer to a call that asked to go. */
public sealed interface Decision {
    /** It may go; its estimate is charged. The permit must be settled, released or closed. */
    record Granted(Permit permit) implements Decision {}

    /** It may not; nothing was charged. */
    record Denied(Denial denial) implements Decision {}
}
