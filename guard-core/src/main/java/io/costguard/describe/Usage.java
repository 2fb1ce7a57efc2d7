package io.costguard.describe;

import io.costguard.Cost;

/**
 * The tokens of one call as its provider counts them, no token in two of them.
 *
 * @param input of the prompt, without those read from or written to a prompt cache
 * @param cacheRead of the prompt, served by a prompt cache
 * @param cacheWrite of the prompt, written to a prompt cache
 * @param output of the answer, reasoning included
 */
public record Usage(long input, long cacheRead, long cacheWrite, long output) {
    public static final Usage NONE = new Usage(0, 0, 0, 0);

    /** All of the prompt. */
    public long allInput() {
        return input + cacheRead + cacheWrite;
    }

    /** As a cost, without dollars: every token of the prompt counts once. */
    public Cost cost(long requests) {
        long most = Cost.MAX_AMOUNT / 2;
        return Cost.requests(requests).input(Math.min(most, allInput())).output(Math.min(most, output));
    }
}
