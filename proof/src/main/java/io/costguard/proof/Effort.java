package io.costguard.proof;

/** How much is tried. */
public enum Effort {
    /** As much as shows that a check still works; what a fault is looked for with. */
    BRIEF,
    QUICK,
    FULL
}
