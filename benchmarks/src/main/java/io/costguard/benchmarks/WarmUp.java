package io.costguard.benchmarks;

import java.lang.management.CompilationMXBean;
import java.lang.management.ManagementFactory;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;

/** Lets a contender run until Java has compiled what it runs: that takes a second or several, on a core that others use too. */
final class WarmUp {
    private static final CompilationMXBean COMPILER = ManagementFactory.getCompilationMXBean();
    private static final int PIECE_MILLIS = 200;

    /** Where less than this part of a piece was spent compiling, what is left to compile is not what runs. */
    private static final double IDLE = 0.1;

    private WarmUp() {}

    static void run(Contender contender, ThreadFactory threads, int callers, Effort effort) throws Exception {
        long start = System.nanoTime();
        long atMost = TimeUnit.SECONDS.toNanos(effort.of(1, 15));
        boolean compiles = true;
        while (compiles && System.nanoTime() - start < atMost) {
            long pieceStart = System.nanoTime();
            long compiledMillis = COMPILER.getTotalCompilationTime();
            Load.run(contender, threads, callers, PIECE_MILLIS);
            long tookMillis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - pieceStart);
            compiles = COMPILER.getTotalCompilationTime() - compiledMillis > IDLE * tookMillis;
        }
    }
}
