package io.costguard.examples.fleet;

import io.costguard.Outcome;
import java.util.Locale;
import java.util.Optional;

/**
 * What happened in a worker, as it tells: a line a time.
 *
 * @param call which one, empty where it is no call's
 * @param team whose key it has
 * @param run the agent run that it is a part of; empty for none
 * @param detail as people read it
 * @param numbers what happened, in figures
 */
public record Event(
        long atMillis,
        String worker,
        What what,
        String call,
        String model,
        String team,
        String run,
        String detail,
        Numbers numbers) {
    private static final String MARK = "event ";

    /** What it was. */
    public enum What {
        READY,
        GRANTED,
        WAITING,
        DENIED,
        SETTLED,
        HELD,
        UNCOUNTED,
        LEASED,
        REGRESSED,
        ENDED
    }

    /**
     * Figures; each is 0 where it is not about that.
     *
     * @param reserved what is charged until the call is settled
     * @param charged what stays charged
     * @param waitedMillis for how long it waited for its turn
     * @param tookMicros how long the decision took, of a call that did not wait; of one that ended, how long its provider took
     * @param ahead how many were in line before it
     * @param comeBackMillis after which it may be made again
     * @param status of the answer to a call that ended; 0 where there was none
     */
    public record Numbers(
            Amounts reserved,
            Amounts charged,
            long waitedMillis,
            long tookMicros,
            long ahead,
            long comeBackMillis,
            int status,
            Outcome outcome) {
        static final Numbers NONE = new Numbers(Amounts.NONE, Amounts.NONE, 0, 0, 0, 0, 0, Outcome.REPORTED);

        Numbers reserving(Amounts amounts) {
            return new Numbers(amounts, charged, waitedMillis, tookMicros, ahead, comeBackMillis, status, outcome);
        }

        Numbers charging(Amounts amounts, Outcome how) {
            return new Numbers(reserved, amounts, waitedMillis, tookMicros, ahead, comeBackMillis, status, how);
        }

        Numbers waited(long millis) {
            return new Numbers(reserved, charged, millis, tookMicros, ahead, comeBackMillis, status, outcome);
        }

        Numbers took(long micros) {
            return new Numbers(reserved, charged, waitedMillis, micros, ahead, comeBackMillis, status, outcome);
        }

        Numbers behind(long calls) {
            return new Numbers(reserved, charged, waitedMillis, tookMicros, calls, comeBackMillis, status, outcome);
        }

        Numbers comingBackAfter(long millis) {
            return new Numbers(reserved, charged, waitedMillis, tookMicros, ahead, millis, status, outcome);
        }

        Numbers answered(int with) {
            return new Numbers(reserved, charged, waitedMillis, tookMicros, ahead, comeBackMillis, with, outcome);
        }
    }

    String written() {
        return MARK + Wire.write(this);
    }

    /** Nothing for a line that tells something else. */
    static Optional<Event> read(String line) {
        return line.startsWith(MARK)
                ? Optional.of(Wire.read(line.substring(MARK.length()), Event.class))
                : Optional.empty();
    }

    /** As people read it. */
    @Override
    public String toString() {
        return String.format(
                "%-9s %-18s %-8s %-9s %s", worker, model, team, what.name().toLowerCase(Locale.ROOT), detail);
    }
}
