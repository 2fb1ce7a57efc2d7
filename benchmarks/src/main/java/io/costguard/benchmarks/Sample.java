package io.costguard.benchmarks;

import java.util.Arrays;
import java.util.List;

/** Figures of the same thing, one a round; told by their median and quartiles. */
record Sample(double[] sorted) {

    static Sample of(List<Double> values) {
        double[] sorted =
                values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        return new Sample(sorted);
    }

    /** Something that is counted once. */
    static Sample of(double value) {
        return new Sample(new double[] {value});
    }

    /** Each of them for one of so many. */
    Sample dividedBy(double count) {
        return new Sample(Arrays.stream(sorted).map(value -> value / count).toArray());
    }

    double median() {
        return at(0.5);
    }

    double at(double quantile) {
        double place = quantile * (sorted.length - 1);
        int below = (int) place;
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
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

    /** Its quartiles; empty where there is but one. */
    String quartiles() {
        return sorted.length == 1 ? "" : Report.number(at(0.25)) + " to " + Report.number(at(0.75));
    }

    @Override
    public String toString() {
        return Report.number(median()) + " (" + quartiles() + ")";
    }
}
