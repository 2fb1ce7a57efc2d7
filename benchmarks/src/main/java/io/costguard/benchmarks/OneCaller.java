package io.costguard.benchmarks;

import java.util.List;

/** What one caller waits for a decision. */
final class OneCaller {
    private OneCaller() {}

    static void run(Bench bench) throws Exception {
        String url = bench.server().url();
        try (Contender bare = Contender.checked(new Bare(url));
                Contender ours = Contender.checked(Ours.reserving(url, 1));
                Contender settling = Contender.checked(Ours.settling(url, 1));
                Contender buckets = Contender.checked(new Bucket4jBuckets(url, 1, 3, Batching.OFF));
                Contender limiters = Contender.checked(new RedissonLimiters(url, 1, 3))) {
            Latency latency = Latency.measure(
                    List.of(bare, ours, settling, buckets, limiters),
                    bench.effort(),
                    bench.effort().of(6, 90));
            Report report = bench.report();
            report.heading("one caller, 3 limits");
            row(report, "p50 against bare EVALSHA", latency.p50(), ours, bare, 1.20);
            row(report, "p99 against bare EVALSHA", latency.p99(), ours, bare, 1.35);
            row(report, "p50 with settle against reserve alone", latency.p50(), settling, ours, 1.05);
            for (Contender peer : List.of(buckets, limiters)) {
                report.note(peer.name() + ", p50 against bare EVALSHA: "
                        + latency.p50().ratio(peer, bare));
            }
        }
    }

    private static void row(
            Report report, String name, Rounds rounds, Contender contender, Contender baseline, double goal) {
        report.atMost(
                name,
                Report.time(rounds.of(contender).median()),
                Report.time(rounds.of(baseline).median()),
                rounds.ratio(contender, baseline),
                goal);
    }
}
