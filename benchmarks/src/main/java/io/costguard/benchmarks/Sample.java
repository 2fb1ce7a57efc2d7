package io.costguard.benchmarks;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** Figures of the same thing, one a round; told by their median and quartiles. */
record Sample(double[] sorted) {

    static Sample of(List<Double> values) {
        double[] sorted =
                values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        return new Sample(sorted);
    }

    double median() {
        return at(0.5);
    }

    double at(double quantile) {
        return sorted[(int) Math.min(sorted.length - 1, Math.round(quantile * (sorted.length - 1)))];
    }

    /** Where {@code sorted} holds single calls: its quantiles. */
    static long at(long[] sorted, double quantile) {
        return sorted[(int) Math.min(sorted.length - 1, Math.round(quantile * (sorted.length - 1)))];
    }

    static long[] sorted(long[] values) {
        long[] copy = values.clone();
        Arrays.sort(copy);
        return copy;
    }

    @Override
    public String toString() {
        return String.format(Locale.ROOT, "%.3f [%.3f, %.3f]", median(), at(0.25), at(0.75));
    }
}
