package io.costguard.limit;

/**
 * What a region has of a budget.
 *
 * @param percent of each of its limits
 * @param version counts what became of it among the regions; of two, the higher one is the later
 * @param wants whether it could use more
 */
record Holding(int percent, long version, boolean wants) {

    /** The same or another share, later. */
    Holding next(int share) {
        return new Holding(share, version + 1, wants);
    }

    Holding wanting(boolean more) {
        return new Holding(percent, version, more);
    }

    /** A lower one that nobody has heard of yet: only its own region has written it down. */
    Holding loweredTo(int share) {
        return new Holding(share, version, wants);
    }
}
