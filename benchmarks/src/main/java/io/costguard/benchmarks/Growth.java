package io.costguard.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** What one caller waits for a decision as Redis holds more. Each size is a database of its own: all are measured side by side. */
final class Growth {
    private static final int FILLING_CALLERS = 64;

    private Growth() {}

    static void run(Bench bench) throws Exception {
        subjects(bench, bench.effort() == Effort.QUICK ? List.of(1, 10_000) : List.of(1, 1_000, 1_000_000));
        bench.server().flush();
        openReservations(bench);
        bench.server().flush();
        line(bench);
    }

    private static void subjects(Bench bench, List<Integer> sizes) throws Exception {
        List<Subjects> contenders = new ArrayList<>();
        try {
            for (int i = 0; i < sizes.size(); i++) {
                Subjects contender = new Subjects(bench.server().url(i), sizes.get(i));
                contenders.add(contender);
                Contender.checked(contender);
                Load.count(contender, FILLING_CALLERS, sizes.get(i));
            }
            Rounds p50s = measure(bench, contenders);
            for (int i = 0; i < sizes.size(); i++) {
                if (bench.server().keys(i) < sizes.get(i)) {
                    throw new IllegalStateException(
                            sizes.get(i) + " subjects were " + bench.server().keys(i) + " keys");
                }
            }
            bench.report().heading("one caller, 3 limits, p50 with more subjects in Redis");
            for (int i = 1; i < sizes.size(); i++) {
                row(bench.report(), p50s, contenders.get(i), contenders.get(0));
            }
        } finally {
            contenders.forEach(Contender::close);
        }
    }

    private static void openReservations(Bench bench) throws Exception {
        int count = bench.effort().of(1_000, 10_000);
        try (OpenReservations one =
                        Contender.checked(new OpenReservations(bench.server().url(0), 1));
                OpenReservations many =
                        Contender.checked(new OpenReservations(bench.server().url(1), count))) {
            Rounds p50s = measure(bench, List.of(one, many));
            bench.report().heading("one caller, 3 limits and one of calls in flight, p50 with more open reservations");
            row(bench.report(), p50s, many, one);
            one.checkOpen();
            many.checkOpen();
        }
    }

    private static void line(Bench bench) throws Exception {
        int waiting = bench.effort().of(1_000, 10_000);
        try (LineOfCalls none = Contender.checked(new LineOfCalls(bench.server().url(0), 0));
                LineOfCalls many =
                        Contender.checked(new LineOfCalls(bench.server().url(1), waiting))) {
            Rounds p50s = measure(bench, List.of(none, many));
            bench.report().heading("one caller, 3 limits, p50 of a denial with more calls in line");
            bench.report()
                    .atMost(
                            many.name() + " against none",
                            Report.time(p50s.of(many).median()),
                            Report.time(p50s.of(none).median()),
                            p50s.ratio(many, none),
                            1.1);
        }
    }

    private static Rounds measure(Bench bench, List<? extends Contender> contenders) throws Exception {
        return Latency.measure(contenders, bench.effort(), bench.effort().of(6, 90))
                .p50();
    }

    private static void row(Report report, Rounds p50s, Contender more, Contender one) {
        report.atMost(
                more.name() + " against 1",
                Report.time(p50s.of(more).median()),
                Report.time(p50s.of(one).median()),
                p50s.ratio(more, one),
                1.1);
    }

    static String count(int number) {
        return String.format(Locale.ROOT, "%,d", number);
    }
}
