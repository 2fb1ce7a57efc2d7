package io.costguard.benchmarks;

import java.util.List;

/** What a guarded HTTP call takes longer than an unguarded one, from its first byte read to its last, in bare round trips. */
final class GuardedHttp {
    private GuardedHttp() {}

    static void run(Bench bench) throws Exception {
        String url = bench.server().url();
        try (LocalProvider provider = LocalProvider.start();
                Contender bare = Contender.checked(new Bare(url));
                Contender okHttp = Contender.checked(ChatCalls.okHttp(provider));
                Contender guardedOkHttp = Contender.checked(ChatCalls.guardedOkHttp(provider, url));
                Contender jdk = Contender.checked(ChatCalls.jdk(provider));
                Contender guardedJdk = Contender.checked(ChatCalls.guardedJdk(provider, url))) {
            Rounds p50s = Latency.measure(
                            List.of(bare, okHttp, guardedOkHttp, jdk, guardedJdk),
                            bench.effort(),
                            bench.effort().of(5, 90))
                    .p50();
            Report report = bench.report();
            report.heading("guarded HTTP call less unguarded, 3 limits");
            row(report, p50s, guardedOkHttp, okHttp, bare);
            row(report, p50s, guardedJdk, jdk, bare);
            report.note("bare EVALSHA: " + Report.time(p50s.of(bare).median()));
        }
    }

    private static void row(Report report, Rounds p50s, Contender guarded, Contender unguarded, Contender bare) {
        report.atMost(
                unguarded.name() + ", p50, in bare EVALSHAs",
                Report.time(p50s.of(guarded).median()),
                Report.time(p50s.of(unguarded).median()),
                p50s.added(guarded, unguarded, bare),
                1.35);
    }
}
