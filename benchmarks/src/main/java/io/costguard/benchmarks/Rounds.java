package io.costguard.benchmarks;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** One figure of each contender a round. */
final class Rounds {
    private final Map<String, List<Double>> figures = new HashMap<>();

    void add(Contender contender, double figure) {
        figures.computeIfAbsent(contender.name(), name -> new ArrayList<>()).add(figure);
    }

    void clear() {
        figures.clear();
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

    private List<Double> list(Contender contender) {
        return figures.getOrDefault(contender.name(), List.of());
    }
}
