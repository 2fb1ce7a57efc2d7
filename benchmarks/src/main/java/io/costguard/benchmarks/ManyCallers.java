package io.costguard.benchmarks;

import java.util.List;
import java.util.concurrent.ThreadFactory;

/** What 256 callers get out of it, each calling again as soon as it is let go. */
final class ManyCallers {
    private static final int CALLERS = 256;

    private ManyCallers() {}

    static void hotKey(Bench bench) throws Exception {
        String url = bench.server().url();
        try (Contender ours = Contender.checked(Ours.reserving(url, 1));
                Contender plain = Contender.checked(new Bucket4jBuckets(url, 1, 3, Batching.OFF));
                Contender batching = Contender.checked(new Bucket4jBuckets(url, 1, 3, Batching.ON));
                Contender limiters = Contender.checked(new RedissonLimiters(url, 1, 3))) {
            Load load = measure(bench, Thread::new, List.of(ours, plain, batching, limiters));
            Report report = bench.report();
            report.heading("hot key, 256 platform threads, 3 limits");
            rate(report, load, ours, plain, 25);
            rate(report, load, ours, batching, 4);
            rate(report, load, ours, limiters, 20);
            p99(report, load, ours, plain);
            p99(report, load, ours, batching);
            p99(report, load, ours, limiters);
        }
    }

    static void virtualThreads(Bench bench) throws Exception {
        String heading = "hot key, 256 virtual threads, 3 limits";
        if (!Threads.hasVirtual()) {
            bench.report().heading(heading + ": not on this Java");
            return;
        }
        String url = bench.server().url();
        try (Contender ours = Contender.checked(Ours.reserving(url, 1));
                Contender batching = Contender.checked(new Bucket4jBuckets(url, 1, 3, Batching.ON));
                Contender one = Contender.checked(new Bucket4jBuckets(url, 1, 1, Batching.ON))) {
            Load load = measure(bench, Threads.virtual(), List.of(ours, batching, one));
            Report report = bench.report();
            report.heading(heading);
            rate(report, load, ours, batching, 3);
            rate(report, load, ours, one, 1);
        }
    }

    static void manyKeys(Bench bench) throws Exception {
        String url = bench.server().url();
        try (Contender ours = Contender.checked(Ours.reserving(url, 1_000));
                Contender one = Contender.checked(new Bucket4jBuckets(url, 1_000, 1, Batching.OFF));
                Contender limiters = Contender.checked(new RedissonLimiters(url, 1_000, 3))) {
            Load load = measure(bench, Thread::new, List.of(ours, one, limiters));
            Report report = bench.report();
            report.heading("1,000 keys, 256 platform threads, 3 limits");
            rate(report, load, ours, one, 10);
            rate(report, load, ours, limiters, 15);
        }
    }

    private static Load measure(Bench bench, ThreadFactory threads, List<Contender> contenders) throws Exception {
        Effort effort = bench.effort();
        return Load.measure(contenders, threads, CALLERS, effort, effort.of(2, 15), effort.of(200, 1_000));
    }

    private static void rate(Report report, Load load, Contender ours, Contender peer, double goal) {
        report.atLeast(
                "rate against " + peer.name(),
                Report.perSecond(load.rates().of(ours).median()),
                Report.perSecond(load.rates().of(peer).median()),
                load.rates().ratio(ours, peer),
                goal);
    }

    private static void p99(Report report, Load load, Contender ours, Contender peer) {
        report.atMost(
                "p99 against " + peer.name(),
                Report.time(load.p99().of(ours).median()),
                Report.time(load.p99().of(peer).median()),
                load.p99().ratio(ours, peer),
                1);
    }
}
