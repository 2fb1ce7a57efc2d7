package io.costguard.benchmarks;

import java.util.List;

/** What a denial costs that this process gives by itself, because Redis denied the like a moment ago. */
final class LocalDenials {
    private LocalDenials() {}

    static void run(Bench bench) throws Exception {
        String url = bench.server().url();
        try (Contender bare = Contender.checked(new Bare(url));
                SpentBudget spent = new SpentBudget(url)) {
            Rounds p50s = Latency.measure(
                            List.of(bare, spent), bench.effort(), bench.effort().of(60, 180))
                    .p50();
            spent.checkAllButAFewWereLocal();
            Report report = bench.report();
            report.heading("a denial from the pre-check, 3 limits");
            report.atMost(
                    "p50 against bare EVALSHA",
                    Report.time(p50s.of(spent).dividedBy(SpentBudget.AT_ONCE).median()),
                    Report.time(p50s.of(bare).median()),
                    p50s.ratio(spent, bare).dividedBy(SpentBudget.AT_ONCE),
                    1 / 150.0);
        }
    }
}
