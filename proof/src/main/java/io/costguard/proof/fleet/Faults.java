package io.costguard.proof.fleet;

import io.costguard.proof.Check;
import io.costguard.proof.Trial;
import java.util.List;
import java.util.Random;

/** Each fault of Redis that the design names, injected again and again while calls are made, reserved and settled. */
public final class Faults implements Check {
    @Override
    public void run(Trial trial) throws Exception {
        int injections = trial.times(10, 200);
        long stall = 0;
        long outages = 0;
        long unmet = 0;
        long denials = 0;
        List<Row> rows = Row.ALL.stream()
                .filter(row -> trial.has(String.valueOf(row.number())))
                .toList();
        for (Row row : rows) {
            String name = "row " + row.number() + ", " + row.fault();
            Random random = trial.random(name);
            Wrongs wrongs = new Wrongs(trial::history, name);
            try (Bench bench = new Bench(wrongs, random)) {
                unmet += inject(row, bench, injections, random);
                stall = Math.max(stall, bench.longestStall());
                outages += bench.outages();
                denials += bench.denialsInFlight();
            } catch (Exception | AssertionError e) {
                // The row ends by that, and the next one begins.
                wrongs.add(e.toString());
            }
            trial.none(name + ": wrong outcomes of " + injections, wrongs.count());
        }
        trial.none("injections that nothing met", unmet);
        if (rows.size() == Row.ALL.size()) {
            trial.atLeast("calls denied as too many were in flight", denials, 100L * injections);
            trial.atLeast("outages that ended under load", outages, injections);
        }
        trial.atMost("longest stall after Redis is back, ms", stall, Bench.LONGEST_STALL_MILLIS);
    }

    /** {@return how many of them nothing met} */
    private static long inject(Row row, Bench bench, int injections, Random random) throws Exception {
        Row.Injection injection = row.opening().on(bench);
        long unmet = 0;
        for (int i = 1; i <= injections; i++) {
            bench.wrongs.plan("injection " + i);
            long before = bench.met();
            injection.inject(random);
            if (bench.met() == before) {
                unmet++;
                bench.wrongs.tell("nothing met it");
            }
        }
        return unmet;
    }
}
