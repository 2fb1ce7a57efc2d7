package io.costguard.benchmarks;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/**
 * What one caller waits for a decision: slots of calls, the contenders in another order each round, each figure against that of
 * the baseline in the same round.
 */
final class Latency {
    private static final int CALLS_A_SLOT = 200;

    private final List<Contender> contenders;
    private final Rounds p50s = new Rounds();
    private final Rounds p99s = new Rounds();

    private Latency(List<Contender> contenders) {
        this.contenders = contenders;
    }

    static Latency measure(List<Contender> contenders, int rounds) throws Exception {
        Latency latency = new Latency(contenders);
        for (int round = 0; round < rounds / 3; round++) {
            latency.round(new Random(round));
        }
        latency.p50s.clear();
        latency.p99s.clear();
        for (int round = 0; round < rounds; round++) {
            latency.round(new Random(round));
        }
        return latency;
    }

    private void round(Random random) throws Exception {
        List<Contender> order = new ArrayList<>(contenders);
        Collections.shuffle(order, random);
        for (Contender contender : order) {
            long[] nanos = new long[CALLS_A_SLOT];
            for (int i = 0; i < nanos.length; i++) {
                long start = System.nanoTime();
                contender.decide(0);
                nanos[i] = System.nanoTime() - start;
            }
            long[] sorted = Sample.sorted(nanos);
            p50s.add(contender, (double) Sample.at(sorted, 0.50));
            p99s.add(contender, (double) Sample.at(sorted, 0.99));
        }
    }

    /** In nanoseconds. */
    Rounds p50() {
        return p50s;
    }

    Rounds p99() {
        return p99s;
    }
}
