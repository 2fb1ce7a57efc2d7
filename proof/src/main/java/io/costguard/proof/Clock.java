package io.costguard.proof;

import io.costguard.Logged;
import io.costguard.redis.ClockHistories;
import io.costguard.redis.ClockUnderLoad;
import io.costguard.testing.RedisForTests;
import java.util.Objects;
import java.util.PrimitiveIterator;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongConsumer;

/** Redis' clock is set, forward and back, by a second or by ten years: each time one capacity more may go, at most. */
final class Clock implements Check {
    /** So that it is set back at times when much is used. */
    private static final int FEWEST = 50;

    @Override
    public void run(Trial trial) throws Exception {
        int jumps = Math.max(FEWEST, trial.times(500, 10_000));
        PrimitiveIterator.OfLong seeds = trial.random("clock").longs(2L * jumps).iterator();
        try (RedisForTests server = RedisForTests.start();
                ClockHistories histories = new ClockHistories(server.url(), server.keyPrefix())) {
            ClockHistories.Figures figures = histories.figures();
            trial.part("balances", () -> {
                long made = jump(figures, jumps, seeds, histories::run);
                trial.atLeast("clock jumps, from 1 s to 10 years", made, jumps);
            });
            trial.part("lines", () -> {
                long made = jump(figures, jumps, seeds, histories::runLine);
                trial.atLeast("clock jumps while calls wait", made, jumps);
                trial.atLeast("calls granted that had waited", figures.waitedAndGone(), jumps / 2);
            });
            trial.atLeast("of these jumps, back", figures.jumpsBack(), figures.jumps() / 5);
            trial.none("grants beyond the bound", figures.over());
            trial.none("limits refilled by a step back", figures.refilledByStepsBack());
            trial.none("limits, and calls that wait, that a step froze", figures.frozen());
            trial.none("histories of them that differ from the model", figures.differences());
            trial.atLeast("calls granted", figures.granted(), 5 * figures.jumps());
            trial.part("load", () -> underLoad(trial, server));
            if (!figures.first().isEmpty()) {
                trial.history(figures.first());
            }
        }
    }

    /** {@return how often the clock was set} At least so often, unless there are too few seeds. */
    private static long jump(
            ClockHistories.Figures figures, int jumps, PrimitiveIterator.OfLong seeds, LongConsumer history) {
        long before = figures.jumps();
        while (figures.jumps() < before + jumps && seeds.hasNext()) {
            history.accept(seeds.nextLong());
        }
        return figures.jumps() - before;
    }

    /** Real guards, in real time. */
    private static void underLoad(Trial trial, RedisForTests server) {
        int jumps = trial.times(40, 1_000);
        AtomicReference<ClockUnderLoad.Outcome> became = new AtomicReference<>();
        String logged = Logged.by(() -> {
            try {
                became.set(ClockUnderLoad.run(
                        server, jumps, trial.random("clock under load").nextLong()));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        ClockUnderLoad.Outcome outcome = Objects.requireNonNull(became.get(), "it was interrupted");
        trial.atLeast("clock jumps while real guards ask for all there is", outcome.jumps(), jumps);
        trial.atMost("calls granted meanwhile", outcome.granted(), outcome.most());
        trial.none("calls without a decision", outcome.failed());
        trial.atLeast("calls granted after the last jump, ten years back", outcome.afterwards(), 20);
        trial.atLeast(
                "jumps that are logged",
                logged.lines().filter(line -> line.contains("it was")).count(),
                Math.max(1, jumps / 4));
    }
}
