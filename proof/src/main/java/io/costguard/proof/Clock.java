package io.costguard.proof;

import io.costguard.redis.ClockHistories;
import io.costguard.testing.RedisForTests;

/** Redis' clock is set, forward and back, by a second or by ten years: each time one capacity more may go, at most. */
final class Clock implements Check {
    @Override
    public void run(Trial trial) throws Exception {
        int jumps = trial.times(500, 10_000);
        long[] seeds = trial.random("clock").longs(2L * jumps).toArray();
        try (RedisForTests server = RedisForTests.start();
                ClockHistories histories = new ClockHistories(server.url(), server.keyPrefix())) {
            ClockHistories.Figures figures = histories.figures();
            int next = 0;
            while (figures.jumps() < jumps && next < seeds.length) {
                histories.run(seeds[next++]);
            }
            long withoutLines = figures.jumps();
            while (figures.jumps() < withoutLines + jumps && next < seeds.length) {
                histories.runLine(seeds[next++]);
            }
            trial.atLeast("clock jumps, from 1 s to 10 years", withoutLines, jumps);
            trial.atLeast("clock jumps while calls wait", figures.jumps() - withoutLines, jumps);
            trial.atLeast("of both, back", figures.jumpsBack(), figures.jumps() / 5);
            trial.none("grants beyond the bound", figures.over());
            trial.none("limits refilled by a step back", figures.refilledByStepsBack());
            trial.none("limits, and calls that wait, that a step froze", figures.frozen());
            trial.none("histories of them that differ from the model", figures.differences());
            trial.atLeast("calls granted", figures.granted(), 10L * jumps);
            trial.atLeast("of those, calls that had waited", figures.waitedAndGone(), jumps / 2);
            if (!figures.first().isEmpty()) {
                trial.history(figures.first());
            }
        }
    }
}
