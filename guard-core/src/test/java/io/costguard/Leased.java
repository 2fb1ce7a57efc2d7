package io.costguard;

import java.time.Duration;

/** Limits of calls in flight as a guard counts them whose lease is as long as a test likes. */
public final class Leased {
    private Leased() {}

    /** So many calls at once. */
    public static Limit calls(long calls, Duration lease) {
        return Limit.concurrentCalls(calls).leased(lease);
    }
}
