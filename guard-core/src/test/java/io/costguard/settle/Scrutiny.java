package io.costguard.settle;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.Arrays;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;

/**
 * Reads hostile inputs, and says what was wrong with that: it threw, it logged, it took long or much memory, it changed what it was given, or
 * it came to something wrong. Needs {@link LoggedHere}. For one thread.
 */
public final class Scrutiny {
    /** Of CPU time, so that it matters little what else the machine does. */
    public static final long MOST_NANOS = 50_000_000;

    /**
     * A virtual machine's CPU time has in it what its host took away, and Java loads and compiles what is read first: what is slow is read
     * again, each time as if it were the first, and its fastest reading counts.
     */
    private static final long SUSPICIOUS_NANOS = 5_000_000;

    private static final int MOST_TIMES = 5;

    /** Bytes asked for by one reading, by the classes that it is the first to need too; half of what the longest frame would take. */
    private static final long MEMORY = 8 << 20;

    private static final long MEMORY_A_BYTE = 200;

    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private boolean isWarm;
    private long longestNanos;

    /** In what way a reading failed. */
    public enum Fault {
        /** It threw, or logged: what must not throw logs. */
        EXCEPTION,
        /** It took more than {@link #MOST_NANOS} of CPU time. */
        HANG,
        /** It asked for far more memory than there were bytes. */
        MEMORY,
        /** Bytes are others now. */
        CHANGED,
        /** What came of it is not what it should be. */
        WRONG
    }

    /** What an input came to: something that was read, or a fault. */
    public record Reading(Optional<Object> outcome, Optional<Fault> fault, String why) {
        static Reading failed(Fault fault, String why) {
            return new Reading(Optional.empty(), Optional.of(fault), why);
        }
    }

    /** From now on it is looked at how long a reading takes, and how much memory: what is loaded and compiled once, is. */
    public void isWarm() {
        isWarm = true;
        longestNanos = 0;
    }

    /** {@return how long the longest reading took} */
    public long longestNanos() {
        return longestNanos;
    }

    /** Reads an input: its first byte to its last figure. */
    public Reading of(Hostile<?> input) {
        byte[] before = input.bytes().clone();
        long most = MEMORY + MEMORY_A_BYTE * input.size();
        long fastest = Long.MAX_VALUE;
        long least = Long.MAX_VALUE;
        Object outcome = null;
        for (int times = 0; times < MOST_TIMES && (fastest > SUSPICIOUS_NANOS || least > most); times++) {
            Hostile<?> read = times == 0 ? input : input.afresh();
            LoggedHere.here();
            long allocated = Allocated.bytes();
            long began = THREADS.getCurrentThreadCpuTime();
            try {
                outcome = read.read();
            } catch (AssertionError e) {
                return Reading.failed(Fault.WRONG, text(e));
            } catch (Exception | StackOverflowError | OutOfMemoryError e) {
                return Reading.failed(Fault.EXCEPTION, text(e));
            }
            fastest = Math.min(fastest, THREADS.getCurrentThreadCpuTime() - began);
            least = Math.min(least, Allocated.bytes() - allocated);
            String logged = LoggedHere.here();
            if (!logged.isEmpty()) {
                return Reading.failed(Fault.EXCEPTION, logged);
            }
        }
        longestNanos = Math.max(longestNanos, fastest);
        if (!Arrays.equals(input.bytes(), before)) {
            return Reading.failed(Fault.CHANGED, "its bytes were changed");
        }
        // What a reading is the first to need is loaded by it, so that it is read again, and its least counts.
        if (isWarm && least > most) {
            return Reading.failed(Fault.MEMORY, least + " bytes of memory for " + input.size());
        }
        if (isWarm && fastest > MOST_NANOS) {
            return Reading.failed(
                    Fault.HANG, String.format(Locale.ROOT, "%.1f ms of CPU time at the least", fastest / 1e6));
        }
        return new Reading(Optional.of(Objects.requireNonNull(outcome)), Optional.empty(), "");
    }

    /** {@return its stack trace} */
    public static String text(Throwable failure) {
        StringWriter text = new StringWriter();
        failure.printStackTrace(new PrintWriter(text));
        return text.toString();
    }
}
