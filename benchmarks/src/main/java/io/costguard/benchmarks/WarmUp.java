package io.costguard.benchmarks;

import java.lang.management.CompilationMXBean;
import java.lang.management.ManagementFactory;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;

/**
 * Lets a contender run until Java has compiled what it runs: that takes a second or several, on a core that others use too, and half a
 * minute or more for an HTTP client and a guard around it.
 */
final class WarmUp {
    private static final CompilationMXBean COMPILER = ManagementFactory.getCompilationMXBean();
    private static final int PIECE_MILLIS = 150;

    /** Where less than this part of a piece was spent compiling, what is left to compile is hardly what runs. */
    private static final double IDLE = 0.1;

    /** A compilation is counted when it ends, which can take longer than one piece, and longer than several of a large method. */
    private static final int IDLE_PIECES = 3;

    private static final int IDLE_PIECES_FULL = 10;

    /** Enough to meet in a batch; of more, each takes from the compiler's share of the core. */
    private static final int FEW = 4;

    private WarmUp() {}

    static void run(Contender contender, ThreadFactory threads, int callers, Effort effort) throws Exception {
        long start = System.nanoTime();
        long atMost = TimeUnit.MILLISECONDS.toNanos(effort.of(600, 30_000));
        int enough = effort.of(IDLE_PIECES, IDLE_PIECES_FULL);
        int idle = 0;
        while (idle < enough && System.nanoTime() - start < atMost) {
            idle = compiles(contender, threads, Math.min(callers, FEW)) ? 0 : idle + 1;
        }
        if (callers > FEW && effort == Effort.FULL) {
            Load.run(contender, threads, callers, IDLE_PIECES * PIECE_MILLIS);
        }
    }

    private static boolean compiles(Contender contender, ThreadFactory threads, int callers) throws Exception {
        long start = System.nanoTime();
        long compiledMillis = COMPILER.getTotalCompilationTime();
        Load.run(contender, threads, callers, PIECE_MILLIS);
        long tookMillis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
        return COMPILER.getTotalCompilationTime() - compiledMillis > IDLE * tookMillis;
    }
}
