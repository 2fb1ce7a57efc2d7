package io.costguard.benchmarks;

import java.util.List;

/** What it costs to meter a stream, of the time that an unguarded client takes to read it. */
final class Metering {
    private Metering() {}

    static void run(Bench bench) throws Exception {
        String url = bench.server().url();
        try (LocalProvider provider = LocalProvider.streaming();
                LocalProvider fast = LocalProvider.streamingAtOnce();
                Contender meter = Contender.checked(new MeterAlone(provider));
                Contender okHttp = Contender.checked(ChatCalls.okHttp(provider));
                Contender guardedOkHttp = Contender.checked(ChatCalls.guardedOkHttp(provider, url));
                Contender jdk = Contender.checked(ChatCalls.jdk(provider));
                Contender guardedJdk = Contender.checked(ChatCalls.guardedJdk(provider, url));
                Contender atOnce = Contender.checked(ChatCalls.okHttp("OkHttp, sent at once", fast))) {
            Rounds p50s = Latency.measure(
                            List.of(meter, okHttp, guardedOkHttp, jdk, guardedJdk, atOnce),
                            bench.effort(),
                            bench.effort().of(5, 90))
                    .p50();
            Report report = bench.report();
            report.heading("metering a stream of " + provider.pieces().size() + " events, of " + provider.answerLength()
                    + " bytes");
            row(report, p50s, meter, okHttp, guardedOkHttp);
            row(report, p50s, meter, jdk, guardedJdk);
            report.note("where the stream is sent at once, and read in few pieces: "
                    + Report.time(p50s.of(atOnce).median()) + ", "
                    + p50s.ratio(meter, atOnce) + " of that time");
        }
    }

    private static void row(Report report, Rounds p50s, Contender meter, Contender unguarded, Contender guarded) {
        report.atMost(
                "of the time of " + unguarded.name() + ", p50",
                Report.time(p50s.of(meter).median()),
                Report.time(p50s.of(unguarded).median()),
                p50s.ratio(meter, unguarded),
                0.02);
        report.note(guarded.name() + ", its decision by Redis too: "
                + Report.time(p50s.of(guarded).median()) + ", "
                + p50s.ratio(guarded, unguarded) + " of that time");
    }
}
