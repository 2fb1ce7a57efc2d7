package io.costguard;

/** A part of a limit's capacity. */
public final class Share {
    private final int percent;

    private Share(int percent) {
        this.percent = percent;
    }

    /**
     * So many hundredths.
     *
     * @param percent how many
     * @return that share
     * @throws IllegalArgumentException unless it is from 1 to 100
     */
    public static Share percent(int percent) {
        if (percent < 1 || percent > 100) {
            throw new IllegalArgumentException("a share must be from 1 to 100 percent, not " + percent);
        }
        return new Share(percent);
    }

    /** {@return how many hundredths} */
    public int percent() {
        return percent;
    }

    /** So much of an amount below 2^53, rounded down. */
    long of(long amount) {
        return amount * percent / 100;
    }

    @Override
    public String toString() {
        return percent + " %";
    }
}
