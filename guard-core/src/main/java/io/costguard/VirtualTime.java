package io.costguard;

import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Comparator;
import java.util.PriorityQueue;

/**
 * A time that passes only when it is told to, in steps from one thing that is due to the next: for replays of what was recorded, and for
 * tests of budgets that last a day. A guard lives in it that is made with {@link CostGuard.Builder#buildIn}.
 *
 * <pre>{@code
 * VirtualTime time = VirtualTime.beginningAt(Instant.parse("2026-03-02T08:00:00Z"));
 * CostGuard guard = CostGuard.builder().redis(url).budget(budget).buildIn(time);
 * time.at(Instant.parse("2026-03-02T17:30:00Z"), () -> guard.acquireAsync(call).thenAccept(Permit::close));
 * time.run();
 * }</pre>
 *
 * <p>Not safe for use by many threads: what is due runs on the thread that calls {@link #run()}, and only there may the guard be asked.
 * It knows microseconds, as Redis does; what is due in between is due at the next.
 */
public final class VirtualTime {
    private static final Instant LATEST = Instant.parse("2200-01-01T00:00:00Z");

    private final PriorityQueue<Due> agenda =
            new PriorityQueue<>(Comparator.comparingLong(Due::micros).thenComparingLong(Due::order));

    private long micros;
    private long order;

    private record Due(long micros, long order, Runnable what) {}

    private VirtualTime(long micros) {
        this.micros = micros;
    }

    /**
     * {@return a time that stands at {@code begin}}
     *
     * @param begin its first moment
     * @throws IllegalArgumentException if that is not from 1970 to 2199
     */
    public static VirtualTime beginningAt(Instant begin) {
        return new VirtualTime(micros(begin));
    }

    /** {@return the moment that it is} */
    public Instant now() {
        return Instant.EPOCH.plus(micros, ChronoUnit.MICROS);
    }

    /**
     * Has something run when it is that time; now, if that is over already. Of what is due at the same time, what was said first runs
     * first.
     *
     * @param when a moment that has not been yet
     * @param what what happens then
     * @throws IllegalArgumentException if that is not from 1970 to 2199
     */
    public void at(Instant when, Runnable what) {
        agenda.add(new Due(Math.max(micros, micros(when)), order++, what));
    }

    /** Lets time pass until nothing is due any more. What is thrown by what is due is thrown here; the rest stays due. */
    public void run() {
        for (Due due = agenda.poll(); due != null; due = agenda.poll()) {
            micros = due.micros;
            due.what.run();
        }
    }

    private static long micros(Instant when) {
        if (when.isBefore(Instant.EPOCH) || !when.isBefore(LATEST)) {
            throw new IllegalArgumentException("a virtual time must be from 1970 to 2199, not " + when);
        }
        return ChronoUnit.MICROS.between(Instant.EPOCH, when.plusNanos(999));
    }

    @Override
    public String toString() {
        return now().toString();
    }
}
