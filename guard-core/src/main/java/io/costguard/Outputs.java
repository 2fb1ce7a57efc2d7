package io.costguard;

/**
 * How many output tokens are reserved for a call before anybody knows how many it will have. What a call uses above that is charged all the
 * same, as debt. Immutable.
 */
public final class Outputs {
    private static final int DEFAULT_PERCENT = 98;

    private static final Outputs CAPPED = new Outputs(0);

    private final int percent;

    private Outputs(int percent) {
        this.percent = percent;
    }

    /**
     * The most that the request allows; where it sets no cap, what the budget assumes ({@link Budget#assumedOutput}).
     *
     * @return that policy
     */
    public static Outputs capped() {
        return CAPPED;
    }

    /**
     * As many as 98 of 100 calls of the same provider, model and path needed of late, and no more than the request allows: most requests
     * allow far more than they use, and a budget that reserves all of that is blocked by what nobody spends.
     *
     * <p>The last 50 to 100 calls count, of this process, or of another until this one has seen as many; before there are 20, it is
     * {@link #capped}. What is learned is kept in Redis for a week, a kilobyte for each kind of call.
     *
     * @return that policy
     */
    public static Outputs learned() {
        return learned(Share.percent(DEFAULT_PERCENT));
    }

    /**
     * {@link #learned()} for as many calls as {@code share} says.
     *
     * @param share how much
     * @return that policy
     */
    public static Outputs learned(Share share) {
        return new Outputs(share.percent());
    }

    /** For so many calls in a hundred the reservation is to be enough; 0 where nothing is learned. */
    int percent() {
        return percent;
    }

    @Override
    public String toString() {
        return percent > 0 ? "learned, enough for " + percent + " %" : "capped";
    }
}
