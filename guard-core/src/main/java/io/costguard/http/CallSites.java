package io.costguard.http;

import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Notes where calls are made, for the report of one whose response is forgotten. A stack trace takes longer than all else the guard
 * does in this process: so a place is noted of the first calls, which is where a mistake shows, then of one in many, and once a
 * response was forgotten of each. Safe for use by many threads.
 */
final class CallSites {
    private static final int FIRST = 1_000;
    private static final int SAMPLE = 64;

    private final AtomicInteger calls = new AtomicInteger();
    private volatile boolean oneWasForgotten;

    /** Where this call is made, if that is noted. */
    @Nullable Throwable here() {
        int number = calls.getAndIncrement();
        boolean noted = oneWasForgotten || Integer.compareUnsigned(number, FIRST) < 0 || number % SAMPLE == 0;
        return noted ? new Throwable("the call was made here") : null;
    }

    void oneWasForgotten() {
        oneWasForgotten = true;
    }
}
