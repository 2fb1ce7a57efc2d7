package io.costguard.settle;

import io.costguard.ServiceTier;
import io.costguard.describe.Usage;
import java.util.Optional;
import java.util.function.LongSupplier;

/**
 * What a meter saw of a response.
 *
 * @param usage as the provider reported it last; empty if it did not, or if it reported nonsense
 * @param output counts the output tokens of the text that passed: most often nobody asks, and counting costs
 * @param tier in which it was served, as the provider told last; empty if it did not tell
 * @param error an error's type and code, as far as there were any; empty if there was none
 * @param state how far the reading came
 */
public record Metered(
        Optional<Usage> usage, LongSupplier output, Optional<ServiceTier> tier, String error, State state) {
    /** Of a response of which nothing was read. */
    public static final Metered NOTHING =
            new Metered(Optional.empty(), () -> 0, Optional.empty(), "", State.UNREADABLE);

    /** Output tokens counted from the text that passed. */
    public long outputCounted() {
        return output.getAsLong();
    }

    /** How far a meter came in a response. */
    public enum State {
        /** It saw the end. */
        COMPLETE,
        /** All that came made sense, and there is more to come. */
        PARTIAL,
        /** It does not know this encoding or format, or the response is damaged, or beyond a bound. */
        UNREADABLE
    }
}
