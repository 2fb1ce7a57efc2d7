package io.costguard.benchmarks;

/** How much is measured. */
enum Effort {
    /** To see where it stands. */
    QUICK,
    /** For figures to be quoted. */
    FULL;

    int of(int quick, int full) {
        return this == QUICK ? quick : full;
    }
}
