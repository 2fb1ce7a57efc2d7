package io.costguard.describe;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.Executor;
import java.util.regex.Pattern;
import org.HdrHistogram.HistogramIterationValue;
import org.HdrHistogram.IntCountsHistogram;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How many output tokens answers had of late, by the kind of call. It counts in two windows, the one that fills and the one before: so it
 * remembers the last 50 to 100 answers of a kind, and has forgotten what was before a change after a hundred. A full window is put on a shelf
 * that a fleet shares, from which a process that knows nothing of a kind yet begins. Counts are kept to 1 %, rounded up.
 *
 * <p>Safe for use by many threads. Nobody waits for the shelf.
 */
public final class OutputHistory {
    static final int WINDOW = 50;
    static final int ENOUGH = 20;

    private static final Logger log = LoggerFactory.getLogger(OutputHistory.class);
    private static final int KINDS = 1_000;
    private static final int DIGITS = 2;
    private static final long MOST = 10_000_000;
    /** Values, each with how often it came. */
    private static final Pattern KEPT = Pattern.compile("(?:[0-9]{1,9}:[0-9]{1,2} ){0,50}");

    private final Cache<Kind, Recent> kinds =
            Caffeine.newBuilder().maximumSize(KINDS).build();

    private final int percent;
    private final Shelf shelf;
    private final Executor aside;

    /**
     * Calls whose answers are alike.
     *
     * @param provider to whom
     * @param model of which model
     * @param path of the URL
     */
    public record Kind(String provider, String model, String path) {}

    /** Where a fleet keeps what it learned. May throw what it likes: then nothing is kept. */
    public interface Shelf {
        /**
         * {@return what was kept last; empty if nothing was}
         *
         * @param kind of which kind
         */
        Optional<String> read(Kind kind);

        /**
         * Keeps it there.
         *
         * @param kind of which kind
         * @param kept as text
         */
        void write(Kind kind, String kept);
    }

    /**
     * Begins with what the fleet has learned.
     *
     * @param percent of answers for which what it tells is to be enough
     * @param shelf where it is kept, for the whole fleet
     * @param aside where the shelf is read and written
     */
    public OutputHistory(int percent, Shelf shelf, Executor aside) {
        this.percent = percent;
        this.shelf = shelf;
        this.aside = aside;
    }

    /**
     * One that learns nothing.
     *
     * @return that one
     */
    public static OutputHistory none() {
        Shelf empty = new Shelf() {
            @Override
            public Optional<String> read(Kind kind) {
                return Optional.empty();
            }

            @Override
            public void write(Kind kind, String kept) {}
        };
        return new OutputHistory(0, empty, Runnable::run);
    }

    /**
     * {@return how many tokens are enough for the next answer, as often as was asked for; empty while there are too few to tell}
     *
     * @param kind of which kind
     */
    public OptionalLong enough(Kind kind) {
        return percent == 0 ? OptionalLong.empty() : recent(kind).enoughFor(percent);
    }

    /**
     * An answer had so many.
     *
     * @param kind of which kind
     * @param tokens how many it had
     */
    public void had(Kind kind, long tokens) {
        if (percent == 0) {
            return;
        }
        Recent recent = recent(kind);
        recent.add(Math.min(MOST, Math.max(0, tokens)))
                .ifPresent(full -> aside.execute(() -> {
                    try {
                        shelf.write(kind, full);
                    } catch (RuntimeException e) {
                        log.debug("what was learned of outputs could not be kept", e);
                    }
                }));
    }

    private Recent recent(Kind kind) {
        Recent known = kinds.getIfPresent(kind);
        return known != null ? known : kinds.get(kind, unknown -> begun(unknown));
    }

    private Recent begun(Kind kind) {
        Recent recent = new Recent();
        aside.execute(() -> {
            try {
                shelf.read(kind).ifPresent(recent::beginsWith);
            } catch (RuntimeException e) {
                log.debug("what a fleet learned of outputs could not be read", e);
            }
        });
        return recent;
    }

    /** The last answers of one kind. */
    private static final class Recent {
        private IntCountsHistogram filling = new IntCountsHistogram(DIGITS);
        /** What is in the window that fills, and in the one before. */
        private IntCountsHistogram both = new IntCountsHistogram(DIGITS);

        private boolean seenMany;

        synchronized Optional<String> add(long tokens) {
            filling.recordValue(tokens);
            both.recordValue(tokens);
            if (filling.getTotalCount() < WINDOW) {
                return Optional.empty();
            }
            both = filling.copy();
            StringBuilder kept = new StringBuilder();
            for (HistogramIterationValue value : filling.recordedValues()) {
                kept.append(value.getValueIteratedTo())
                        .append(':')
                        .append(value.getCountAtValueIteratedTo())
                        .append(' ');
            }
            filling = new IntCountsHistogram(DIGITS);
            seenMany = true;
            return Optional.of(kept.toString());
        }

        /** What others have seen, unless this process has seen enough itself. */
        synchronized void beginsWith(String kept) {
            if (seenMany || !KEPT.matcher(kept).matches()) {
                return;
            }
            for (String each : kept.split(" ", -1)) {
                int colon = each.indexOf(':');
                long value = colon < 0 ? 0 : Long.parseLong(each.substring(0, colon));
                int count = colon < 0 ? 0 : Integer.parseInt(each.substring(colon + 1));
                if (count > 0 && value <= 2 * MOST) {
                    both.recordValueWithCount(value, count);
                }
            }
        }

        /**
         * Of n values, the r-th smallest is enough for r of n + 1 that may come next (David and Nagaraja, "Order Statistics", chapter 7, on
         * tolerance intervals); where that takes more than all of them, the largest has to do.
         */
        synchronized OptionalLong enoughFor(int percent) {
            long count = both.getTotalCount();
            if (count < ENOUGH) {
                return OptionalLong.empty();
            }
            long rank = Math.min(count, (percent * (count + 1) + 99) / 100);
            // Half a rank less, so that rounding does not add one.
            return OptionalLong.of(both.getValueAtPercentile(100.0 * (rank - 0.5) / count));
        }
    }
}
