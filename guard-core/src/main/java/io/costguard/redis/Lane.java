package io.costguard.redis;

import java.nio.charset.StandardCharsets;

/**
 * A numbered sequence of batches, one in flight at a time. The script remembers a lane's last number and answer, which is what
 * makes a batch that is sent twice, or that arrives late, count once.
 */
final class Lane {
    private final String name;
    private long generation;
    private long number;
    private long usedNanos;
    private long usedMicros;

    Lane(String name, long nowNanos) {
        this.name = name;
        this.usedNanos = nowNanos;
    }

    byte[] key() {
        return (name + "." + generation).getBytes(StandardCharsets.US_ASCII);
    }

    /** The number of the batch in flight, or of the next one. */
    long number() {
        return number + 1;
    }

    /** The number was used: the next batch has the next. */
    void advance(long nowNanos) {
        number++;
        usedNanos = nowNanos;
    }

    /** The script answered its last batch at that time of the server's. */
    void answeredAt(long micros) {
        usedMicros = micros;
    }

    /** When the server answered it last; 0 before it did. */
    long usedMicros() {
        return number == 0 ? 0 : usedMicros;
    }

    /** Begins anew under another name, where the script no longer knows this one, or soon will not. */
    void renew() {
        generation++;
        number = 0;
    }

    boolean idleFor(long nanos, long nowNanos) {
        return number > 0 && nowNanos - usedNanos > nanos;
    }
}
