package io.costguard.proof;

import io.costguard.redis.LedgerHistory;
import io.costguard.redis.LineHistories;
import io.costguard.redis.LineHistory;
import io.costguard.redis.SlidingHistories;
import io.costguard.testing.RedisForTests;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** Random histories in virtual time: of a ledger beside the model, of calls that wait, and of sliding windows. */
final class Histories implements Check {
    private static final int THREADS = 2;
    private static final int STEPS = 200;
    private static final int TRIES = 400;
    /** A process's name in a line has room for a seed of seven digits. */
    private static final int MOST_LINES = 10_000_000;

    private final AtomicLong ran = new AtomicLong();
    private final AtomicLong steps = new AtomicLong();
    private final AtomicLong differences = new AtomicLong();
    private final AtomicLong granted = new AtomicLong();
    private final AtomicLong denied = new AtomicLong();
    private final AtomicLong dryRunsShort = new AtomicLong();
    private final AtomicLong expired = new AtomicLong();
    private final AtomicLong linesRan = new AtomicLong();
    private final AtomicLong waitedAndGone = new AtomicLong();
    private final AtomicLong brokenPromises = new AtomicLong();
    private final AtomicLong windowsRan = new AtomicLong();
    private final AtomicLong letGo = new AtomicLong();
    private final AtomicLong windowsOver = new AtomicLong();
    private final Set<LedgerHistory.Step> happened = ConcurrentHashMap.newKeySet();

    /** What a thread does with a server of its own, as long as there is more to do. */
    private interface Work {
        void run(RedisForTests server, AtomicInteger next) throws Exception;
    }

    @Override
    public void run(Trial trial) throws Exception {
        trial.part("ledgers", () -> ledgers(trial));
        trial.part("lines", () -> lines(trial));
        trial.part("windows", () -> windows(trial));
    }

    private void ledgers(Trial trial) throws Exception {
        int ledgers = trial.times(5_000, 100_000);
        long[] ofLedgers = trial.random("ledgers").longs(ledgers).toArray();
        onTwoServers((server, next) -> ledgers(trial, ofLedgers, server, next));
        trial.atLeast("random histories of " + STEPS + " steps", ran.get(), ledgers);
        trial.none("differences to the model", differences.get());
        trial.atLeast("steps of them", steps.get(), (long) ledgers * STEPS);
        trial.all("kinds of steps that happened", happened.size(), LedgerHistory.Step.values().length);
        trial.atLeast("calls granted in them", granted.get(), ledgers);
        trial.atLeast("calls denied in them", denied.get(), ledgers);
        trial.atLeast("dry runs in them that would have denied a call", dryRunsShort.get(), ledgers);
        trial.atLeast("balances gone when their time was over", expired.get(), ledgers);
    }

    private void lines(Trial trial) throws Exception {
        int lines = Math.max(4 * LineHistories.COUNT, trial.times(120, 4_000));
        long[] ofLines = trial.random("lines").longs(lines, 0, MOST_LINES).toArray();
        onTwoServers((server, next) -> lines(trial, ofLines, server, next));
        trial.atLeast("histories of waiting calls", linesRan.get(), lines);
        trial.none("promises broken in them", brokenPromises.get());
        trial.atLeast("calls that waited and went in them", waitedAndGone.get(), 5L * lines);
    }

    private void windows(Trial trial) throws Exception {
        int windows = trial.times(10_000, 200_000);
        long[] ofWindows = trial.random("windows")
                .longs(windows / SlidingHistories.AT_ONCE)
                .toArray();
        onTwoServers((server, next) -> windows(trial, ofWindows, server, next));
        trial.atLeast("histories of sliding windows", windowsRan.get(), windows);
        trial.none("windows over their limit, wherever they begin", windowsOver.get());
        trial.atLeast("calls let go in them", letGo.get(), 5L * windows);
    }

    private static void onTwoServers(Work work) throws Exception {
        AtomicInteger next = new AtomicInteger();
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        try {
            List<Callable<Void>> all = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                all.add(() -> {
                    try (RedisForTests server = RedisForTests.start()) {
                        work.run(server, next);
                    }
                    return null;
                });
            }
            for (Future<Void> each : threads.invokeAll(all)) {
                each.get();
            }
        } finally {
            threads.shutdownNow();
        }
    }

    private void ledgers(Trial trial, long[] seeds, RedisForTests server, AtomicInteger next) {
        try (LedgerHistory histories = new LedgerHistory(server.url(), server.keyPrefix())) {
            for (int i = next.getAndIncrement(); i < seeds.length; i = next.getAndIncrement()) {
                List<Long> its = LedgerHistory.steps(seeds[i], STEPS);
                if (differs(histories, seeds[i], its) && differences.incrementAndGet() == 1) {
                    shorten(trial, histories, seeds[i], its);
                }
                ran.incrementAndGet();
            }
            LedgerHistory.Figures figures = histories.figures();
            granted.addAndGet(figures.granted());
            denied.addAndGet(figures.denied());
            dryRunsShort.addAndGet(figures.dryRunsShort());
            expired.addAndGet(figures.expired());
            for (LedgerHistory.Step step : LedgerHistory.Step.values()) {
                steps.addAndGet(figures.of(step));
                if (figures.of(step) > 0) {
                    happened.add(step);
                }
            }
        }
    }

    private static boolean differs(LedgerHistory histories, long seed, List<Long> steps) {
        try {
            histories.run(seed, steps);
            return false;
        } catch (AssertionError | RuntimeException e) {
            return true;
        }
    }

    private static void shorten(Trial trial, LedgerHistory histories, long seed, List<Long> steps) {
        List<Long> left = Shortened.of(steps, some -> differs(histories, seed, some), TRIES);
        try {
            histories.run(seed, left);
            trial.history("history " + seed + " differed once, and not again");
        } catch (AssertionError | RuntimeException e) {
            trial.history("history " + seed + ", " + left.size() + " of its " + steps.size() + " steps:\n"
                    + String.join("\n", histories.events()) + "\n" + e);
        }
    }

    private void lines(Trial trial, long[] seeds, RedisForTests server, AtomicInteger next) {
        try (LineHistories histories = new LineHistories(server.url(), server.keyPrefix())) {
            for (int i = next.getAndIncrement(); i < seeds.length; i = next.getAndIncrement()) {
                try {
                    linesRan.incrementAndGet();
                    LineHistory.Figures figures = histories.run(1 + i % LineHistories.COUNT, seeds[i]);
                    waitedAndGone.addAndGet(figures.waitedAndGone());
                } catch (AssertionError e) {
                    if (brokenPromises.incrementAndGet() == 1) {
                        trial.history(e.toString());
                    }
                }
            }
        }
    }

    private void windows(Trial trial, long[] seeds, RedisForTests server, AtomicInteger next) {
        try (SlidingHistories histories = new SlidingHistories(server.url(), server.keyPrefix())) {
            for (int i = next.getAndIncrement(); i < seeds.length; i = next.getAndIncrement()) {
                SlidingHistories.Outcome outcome = histories.run(seeds[i]);
                windowsRan.addAndGet(SlidingHistories.AT_ONCE);
                letGo.addAndGet(outcome.letGo());
                if (!outcome.over().isEmpty()
                        && windowsOver.addAndGet(outcome.over().size())
                                == outcome.over().size()) {
                    trial.history("seed " + seeds[i] + ": " + outcome.over().get(0));
                }
            }
        }
    }
}
