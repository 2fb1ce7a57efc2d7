package io.costguard.examples.command;

import io.costguard.Budget;
import io.costguard.VirtualTime;
import io.costguard.describe.OutputHistory;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * What learning would have had calls reserve for their output, by the share of calls for which that is to be enough, beside what they
 * reserve without: all that they may use.
 */
record OutputCurve(List<Point> points, Point capped) {
    private static final int[] PERCENTS = {50, 80, 90, 95, 98, 99};

    /**
     * @param percent of calls for which it is to be enough
     * @param aboveShare of calls that used more than they had reserved
     * @param spareAtMedian how many tokens were reserved and not used, at the median of all calls
     */
    record Point(int percent, double aboveShare, long spareAtMedian) {}

    /** What one call reserved for its output. */
    record Reserved(RecordedCall call, long tokens) {
        long used() {
            return call.usage().allOutput();
        }

        boolean isExceeded() {
            return used() > tokens;
        }
    }

    static OutputCurve of(List<RecordedCall> calls, List<Budget> budgets) {
        List<Point> points = new ArrayList<>();
        for (int percent : PERCENTS) {
            points.add(point(percent, reserved(calls, budgets, percent)));
        }
        return new OutputCurve(points, point(0, reserved(calls, budgets, 0)));
    }

    /** What each call reserves, if its guard learns; in the order in which they are made. */
    static List<Reserved> reserved(List<RecordedCall> calls, List<Budget> budgets, int percent) {
        VirtualTime time = VirtualTime.beginningAt(calls.get(0).at());
        OutputHistory history = history(percent);
        List<Reserved> all = new ArrayList<>();
        for (RecordedCall call : calls) {
            time.at(call.at(), () -> {
                OptionalLong enough = history.enough(call.kind());
                all.add(new Reserved(call, call.reserved(enough, assumedOutput(budgets, call))));
                time.at(
                        call.at().plus(call.duration()),
                        () -> history.had(call.kind(), call.usage().allOutput()));
            });
        }
        time.run();
        return all;
    }

    private static Point point(int percent, List<Reserved> all) {
        long above = all.stream().filter(Reserved::isExceeded).count();
        long[] spare = all.stream()
                .mapToLong(each -> Math.max(0, each.tokens() - each.used()))
                .sorted()
                .toArray();
        return new Point(percent, (double) above / all.size(), spare[spare.length / 2]);
    }

    /** The history of a process that learns alone; with 0, of one that does not. */
    static OutputHistory history(int percent) {
        OutputHistory.Shelf nobodyElses = new OutputHistory.Shelf() {
            @Override
            public Optional<String> read(OutputHistory.Kind kind) {
                return Optional.empty();
            }

            @Override
            public void write(OutputHistory.Kind kind, String kept) {}
        };
        return percent == 0 ? OutputHistory.none() : new OutputHistory(percent, nobodyElses, Runnable::run);
    }

    /** The output to reserve for a call that sets no cap. */
    static long assumedOutput(List<Budget> budgets, RecordedCall call) {
        return budgets.stream()
                .filter(budget -> budget.appliesTo(call.call().attributes()))
                .mapToLong(Budget::assumedOutput)
                .max()
                .orElse(0);
    }

    /** What is in vain at the median, as a share of what is without learning. */
    double spareOfCapped(Point point) {
        return (double) point.spareAtMedian() / Math.max(1, capped.spareAtMedian());
    }
}
