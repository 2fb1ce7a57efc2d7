package io.costguard.examples;

import java.util.Locale;
import java.util.Optional;

/**
 * What happened in a worker, as it tells the demo: a line a time.
 *
 * @param waitedMillis of a call that was let go, how long it had waited
 */
record Event(long atMillis, String worker, What what, String model, String detail, long waitedMillis) {
    private static final String MARK = "event";

    /** What it was. */
    enum What {
        GRANTED,
        WAITING,
        DENIED,
        SETTLED
    }

    String written() {
        return String.join(
                "\t",
                MARK,
                String.valueOf(atMillis),
                worker,
                what.name(),
                model,
                String.valueOf(waitedMillis),
                detail.replace('\t', ' '));
    }

    /** Nothing for a line that tells something else. */
    static Optional<Event> read(String line) {
        String[] parts = line.split("\t", 7);
        if (parts.length < 7 || !parts[0].equals(MARK)) {
            return Optional.empty();
        }
        return Optional.of(new Event(
                Long.parseLong(parts[1]),
                parts[2],
                What.valueOf(parts[3]),
                parts[4],
                parts[6],
                Long.parseLong(parts[5])));
    }

    /** As people read it. */
    @Override
    public String toString() {
        return String.format("%-9s %-26s %-8s %s", worker, model, what.name().toLowerCase(Locale.ROOT), detail);
    }
}
