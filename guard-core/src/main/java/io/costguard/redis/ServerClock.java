package io.costguard.redis;

import io.costguard.Limit;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.LongFunction;
import java.util.function.LongSupplier;

/**
 * What time it is at the server, as far as its last reply and the time passed since tell: microseconds of its {@code TIME}. It
 * never decides anything; requests carry it so that they can be refused when they come too late.
 */
final class ServerClock {
    private final LongSupplier nanoTime;
    private final LongFunction<CompletableFuture<Void>> after;
    private final AlsoTold alsoTold;
    private volatile Seen seen = new Seen(0, 0, 0);

    /** What it was at the server at some time between when it was asked and when that was heard. */
    private record Seen(long micros, long askedNanos, long heardNanos) {}

    @FunctionalInterface
    private interface AlsoTold {
        void told(long micros, long askedNanos);
    }

    /** In the time of this machine. */
    ServerClock() {
        this(
                System::nanoTime,
                nanos -> new CompletableFuture<Void>().completeOnTimeout(null, nanos, TimeUnit.NANOSECONDS));
    }

    /** @param after what completes when so many of {@code nanoTime} have passed */
    ServerClock(LongSupplier nanoTime, LongFunction<CompletableFuture<Void>> after) {
        this(nanoTime, after, (micros, askedNanos) -> {});
    }

    private ServerClock(LongSupplier nanoTime, LongFunction<CompletableFuture<Void>> after, AlsoTold alsoTold) {
        this.nanoTime = nanoTime;
        this.after = after;
        this.alsoTold = alsoTold;
    }

    /** That of one server of several, whose times may differ a little; this one is told what any of them says. */
    ServerClock ofOneServer() {
        return new ServerClock(nanoTime, after, this::told);
    }

    void told(long micros, long askedNanos) {
        seen = new Seen(micros, askedNanos, nanoTime.getAsLong());
        alsoTold.told(micros, askedNanos);
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
