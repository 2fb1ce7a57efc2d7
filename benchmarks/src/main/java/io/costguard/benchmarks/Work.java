package io.costguard.benchmarks;

/** What each contender decides over: the same three limits, and what a call takes of them. */
final class Work {
    /** One request, 1,000 tokens, $0.001 in nano-dollars. */
    private static final long[] AMOUNTS = {1, 1_000, 1_000_000};

    /** How many calls each limit gains in an hour: a little, so that there is always something to refill. */
    static final long PER_HOUR = 3_600;

    /** How many calls each limit can hold: more than any run makes. */
    static final long BURST = 1_000_000_000;

    private Work() {}

    static long amount(int limit) {
        return AMOUNTS[limit];
    }
}
