package io.costguard.redis;

import io.costguard.Limit;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongFunction;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What time it is at the server, as far as its last reply and the time passed since tell: microseconds of its {@code TIME}. It
 * never decides anything; requests carry it so that they can be refused when they come too late. Where it is not where it must be by
 * the time passed since, it was set, which is logged, once. Safe for use by many threads.
 */
final class ServerClock {
    private static final Logger log = LoggerFactory.getLogger(ServerClock.class);
    /** As far as the script lets it stand still. */
    private static final long STEP_MICROS = 10_000_000;
    /** One part in so many is how far two clocks may drift apart. */
    private static final long DRIFT = 1_000;

    private static final long SAME_STEP_NANOS = TimeUnit.HOURS.toNanos(1);

    private final LongSupplier nanoTime;
    private final LongFunction<CompletableFuture<Void>> after;
    /** Of which this one is a part; null where it is of all servers. */
    private final @Nullable ServerClock all;

    private volatile Seen seen = new Seen(0, 0, 0);
    /** What the next that was asked after it is compared with. */
    private final AtomicReference<@Nullable Seen> compared = new AtomicReference<>();

    private final AtomicReference<@Nullable Step> lastStep = new AtomicReference<>();

    /** What it was at the server at some time between when it was asked and when that was heard. */
    private record Seen(long micros, long askedNanos, long heardNanos) {
        /** By how much more than can be explained the clock has gone on until then; below 0 if it went back. */
        long stepMicros(Seen later) {
            long least = micros + (later.askedNanos - heardNanos) / 1_000;
            long most = micros + (later.heardNanos - askedNanos) / 1_000;
            return later.micros < least ? later.micros - least : Math.max(0, later.micros - most);
        }

        /** Unless the clock was set in between, both are true then: the one that leaves less open is worth more, while it is not too old. */
        Seen orBetter(Seen later) {
            long sinceHeard = later.heardNanos - heardNanos;
            boolean leavesLessOpen = heardNanos - askedNanos + sinceHeard / DRIFT < later.heardNanos - later.askedNanos;
            return leavesLessOpen && stepMicros(later) == 0 ? this : later;
        }
    }

    /** A clock was set by so much, as one of these heard. */
    private record Step(ServerClock heardBy, long micros, long nanos) {
        /** As several may hear of one server, or of several that follow the same time. */
        boolean isHeardAgain(Step other) {
            return heardBy != other.heardBy
                    && Math.abs(micros - other.micros) < STEP_MICROS
                    && other.nanos - nanos < SAME_STEP_NANOS;
        }
    }

    /** In the time of this machine. */
    ServerClock() {
        this(
                System::nanoTime,
                nanos -> new CompletableFuture<Void>().completeOnTimeout(null, nanos, TimeUnit.NANOSECONDS));
    }

    /** @param after what completes when so many of {@code nanoTime} have passed */
    ServerClock(LongSupplier nanoTime, LongFunction<CompletableFuture<Void>> after) {
        this(nanoTime, after, null);
    }

    private ServerClock(LongSupplier nanoTime, LongFunction<CompletableFuture<Void>> after, @Nullable ServerClock all) {
        this.nanoTime = nanoTime;
        this.after = after;
        this.all = all;
    }

    /** That of one server of several, whose times may differ a little; this one is told what any of them says. */
    ServerClock ofOneServer() {
        return new ServerClock(nanoTime, after, this);
    }

    void told(long micros, long askedNanos) {
        Seen now = new Seen(micros, askedNanos, nanoTime.getAsLong());
        seen = seen.orBetter(now);
        if (all != null) {
            all.seen = all.seen.orBetter(now);
            compare(now, all);
        }
    }

    /** What was asked before the other was heard may be older: that says nothing. */
    private void compare(Seen now, ServerClock reports) {
        Seen before = compared.get();
        if (before == null) {
            compared.compareAndSet(null, now);
        } else if (now.askedNanos - before.heardNanos >= 0 && compared.compareAndSet(before, now)) {
            long micros = before.stepMicros(now);
            long drift = (now.heardNanos - before.askedNanos) / 1_000 / DRIFT;
            if (Math.abs(micros) > STEP_MICROS + drift) {
                reports.report(new Step(this, micros, now.heardNanos));
            }
        }
    }

    private void report(Step step) {
        Step last = lastStep.getAndSet(step);
        if (last != null && last.isHeardAgain(step)) {
            return;
        }
        long seconds = (Math.abs(step.micros) + 500_000) / 1_000_000;
        if (step.micros < 0) {
            log.warn(
                    "the clock of Redis is {} s behind where it was: it was set back, or another server answers now; balances and"
                            + " debts stay, and nothing refills for that step",
                    seconds);
        } else {
            log.warn(
                    "the clock of Redis is {} s ahead of where it was: it was set forward, another server answers now, or this"
                            + " process stood still; a clock that is set forward refills what that time would have, at most to capacity",
                    seconds);
        }
    }

    /** At the earliest; 0 before the first reply. */
    long micros() {
        Seen last = seen;
        return last.micros() == 0 ? 0 : last.micros() + (nanoTime.getAsLong() - last.heardNanos()) / 1_000;
    }

    /** For how long at least what is charged from now on to this limit counts together with what is sent then; 0 where that is not known. */
    long countsNanos(Limit limit) {
        Seen last = seen;
        if (last.micros() == 0) {
            return 0;
        }
        long now = nanoTime.getAsLong();
        long earliest = last.micros() + (now - last.heardNanos()) / 1_000;
        long latest = last.micros() + (now - last.askedNanos()) / 1_000;
        return Terms.countsNanos(limit, earliest, latest);
    }

    long nanoTime() {
        return nanoTime.getAsLong();
    }

    /** Completes after so long, unless it is completed before: then nothing of it is kept. */
    CompletableFuture<Void> after(long nanos) {
        return after.apply(nanos);
    }
}
