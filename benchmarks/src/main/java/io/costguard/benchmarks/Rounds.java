package io.costguard.benchmarks;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * One figure of each contender a round. A machine's speed drifts within seconds: only what was measured in the same round
 * compares.
 */
final class Rounds {
    private final Map<Contender, List<Double>> figures = new HashMap<>();

    interface Slot<T> {
        void run(T contender) throws Exception;
    }

    /** Gives each contender a slot in each round, in another order each time. */
    static <T> void interleave(List<T> contenders, int rounds, Slot<T> slot) throws Exception {
        for (int round = 0; round < rounds; round++) {
            List<T> order = new ArrayList<>(contenders);
            Collections.shuffle(order, new Random(round));
            for (T contender : order) {
                slot.run(contender);
            }
        }
    }

    void add(Contender contender, double figure) {
        figures.computeIfAbsent(contender, any -> new ArrayList<>()).add(figure);
    }

    Sample of(Contender contender) {
        return Sample.of(list(contender));
    }

    /** Each figure against that of the same round. */
    Sample ratio(Contender contender, Contender baseline) {
        List<Double> ratios = new ArrayList<>();
        for (int i = 0; i < list(contender).size(); i++) {
            ratios.add(list(contender).get(i) / list(baseline).get(i));
        }
        return Sample.of(ratios);
    }

    /** What one figure is above another, in figures of a third, each of the same round. */
    Sample added(Contender more, Contender less, Contender unit) {
        List<Double> added = new ArrayList<>();
        for (int i = 0; i < list(more).size(); i++) {
            added.add((list(more).get(i) - list(less).get(i)) / list(unit).get(i));
        }
        return Sample.of(added);
    }

    private List<Double> list(Contender contender) {
        return figures.getOrDefault(contender, List.of());
    }
}
