package io.costguard.benchmarks;

import java.util.List;
import java.util.Random;

/** What one caller waits for a decision: slots of calls, each of one contender and, where it has several subjects, any of them. */
final class Latency {
    private static final int CALLS_A_SLOT = 200;

    private final Rounds p50s = new Rounds();
    private final Rounds p99s = new Rounds();
    private final Random random = new Random(1);

    private Latency() {}

    static Latency measure(List<? extends Contender> contenders, Effort effort, int rounds) throws Exception {
        for (Contender contender : contenders) {
            WarmUp.run(contender, Thread::new, 1, effort);
        }
        Latency latency = new Latency();
        Rounds.interleave(contenders, rounds, latency::slot);
        return latency;
    }

    private void slot(Contender contender) throws Exception {
        long[] nanos = new long[CALLS_A_SLOT];
        for (int i = 0; i < nanos.length; i++) {
            int key = random.nextInt(contender.keys());
            long start = System.nanoTime();
            contender.decide(key);
            nanos[i] = System.nanoTime() - start;
        }
        long[] sorted = Sample.sorted(nanos);
        p50s.add(contender, (double) Sample.at(sorted, 0.50));
        p99s.add(contender, (double) Sample.at(sorted, 0.99));
        // What is left to be settled is not the next one's to bear.
        contender.flush();
    }

    /** In nanoseconds. */
    Rounds p50() {
        return p50s;
    }

    /** In nanoseconds. */
    Rounds p99() {
        return p99s;
    }
}
