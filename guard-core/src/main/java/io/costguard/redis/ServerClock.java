package io.costguard.redis;

import java.util.function.LongSupplier;

/**
 * What time it is at the server, as far as its last reply and the time passed since tell: microseconds of its {@code TIME}. It
 * never decides anything; requests carry it so that they can be refused when they come too late.
 */
final class ServerClock {
    private final LongSupplier nanoTime;
    private volatile Seen seen = new Seen(0, 0);

    private record Seen(long micros, long atNanos) {}

    ServerClock(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
    }

    void told(long micros) {
        seen = new Seen(micros, nanoTime.getAsLong());
    }

    /** 0 before the first reply. */
    long micros() {
        Seen last = seen;
        return last.micros() == 0 ? 0 : last.micros() + (nanoTime.getAsLong() - last.atNanos()) / 1_000;
    }

    long nanoTime() {
        return nanoTime.getAsLong();
    }
}
