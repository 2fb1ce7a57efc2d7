package io.costguard.redis;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.LongConsumer;
import java.util.function.LongFunction;
import java.util.function.LongSupplier;

/**
 * What time it is at the server, as far as its last reply and the time passed since tell: microseconds of its {@code TIME}. It
 * never decides anything; requests carry it so that they can be refused when they come too late.
 */
final class ServerClock {
    private final LongSupplier nanoTime;
    private final LongFunction<CompletableFuture<Void>> after;
    private final LongConsumer alsoTold;
    private volatile Seen seen = new Seen(0, 0);

    private record Seen(long micros, long atNanos) {}

    /** In the time of this machine. */
    ServerClock() {
        this(
                System::nanoTime,
                nanos -> new CompletableFuture<Void>().completeOnTimeout(null, nanos, TimeUnit.NANOSECONDS));
    }

    /** @param after what completes when so many of {@code nanoTime} have passed */
    ServerClock(LongSupplier nanoTime, LongFunction<CompletableFuture<Void>> after) {
        this(nanoTime, after, micros -> {});
    }

    private ServerClock(LongSupplier nanoTime, LongFunction<CompletableFuture<Void>> after, LongConsumer alsoTold) {
        this.nanoTime = nanoTime;
        this.after = after;
        this.alsoTold = alsoTold;
    }

    /** That of one server of several, whose times may differ a little; this one is told what any of them says. */
    ServerClock ofOneServer() {
        return new ServerClock(nanoTime, after, this::told);
    }

    void told(long micros) {
        seen = new Seen(micros, nanoTime.getAsLong());
        alsoTold.accept(micros);
    }

    /** 0 before the first reply. */
    long micros() {
        Seen last = seen;
        return last.micros() == 0 ? 0 : last.micros() + (nanoTime.getAsLong() - last.atNanos()) / 1_000;
    }

    long nanoTime() {
        return nanoTime.getAsLong();
    }

    /** Completes after so long, unless it is completed before: then nothing of it is kept. */
    CompletableFuture<Void> after(long nanos) {
        return after.apply(nanos);
    }
}
