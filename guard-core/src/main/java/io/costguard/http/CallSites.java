package io.costguard.http;

import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * Notes where calls are made, for the report of one whose response is forgotten. A stack trace takes microseconds, more the deeper the
 * stack: so a place is noted of the first calls, among which a mistake mostly shows, then of one in many, and of each once a response
 * was forgotten. Safe for use by many threads.
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
