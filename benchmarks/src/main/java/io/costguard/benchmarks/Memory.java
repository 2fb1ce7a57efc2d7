package io.costguard.benchmarks;

import java.time.Duration;

/** How much of Redis's memory a subject takes, an open reservation, and a lane. */
final class Memory {
    private static final int CALLERS = 256;

    /** Nearly as many as a hash table of 2^13 holds before it grows; with fewer, more of it is empty. */
    private static final int SUBJECTS = 7_500;

    private Memory() {}

    static void run(Bench bench) throws Exception {
        Server server = bench.server();
        Report report = bench.report();
        report.heading("memory in Redis");
        subjects(server, report);
        server.flush();
        openReservations(server, report, bench.effort().of(2_000, 10_000));
        server.flush();
        lanes(server, report);
    }

    private static void subjects(Server server, Report report) throws Exception {
        try (Subjects subjects = Contender.checked(new Subjects(server.url(), SUBJECTS))) {
            long keys = server.keys(0);
            long before = server.usedMemory();
            Load.count(subjects, CALLERS, SUBJECTS);
            double each = (double) (server.usedMemory() - before) / (server.keys(0) - keys);
            if (server.keys(0) < SUBJECTS) {
                throw new IllegalStateException(SUBJECTS + " subjects are " + server.keys(0) + " keys");
            }
            report.atMost("a subject with 3 limits", Report.bytes(each), "", Sample.of(each), 200);
        }
    }

    private static void openReservations(Server server, Report report, int count) throws Exception {
        try (OpenReservations open = Contender.checked(new OpenReservations(server.url(), count))) {
            long before = server.keysMemory();
            open.open(count);
            double each = (double) (server.keysMemory() - before) / count;
            open.checkOpen();
            // Where there is less than a byte for each, there is nothing for any.
            report.atMost(
                    "an open reservation, one of " + Growth.count(count) + " more",
                    Report.bytes(each),
                    "",
                    Sample.of(each),
                    1);
        }
    }

    private static void lanes(Server server, Report report) throws Exception {
        try (Contender ours = Contender.checked(Ours.settling(server.url(), 1))) {
            Load.count(ours, CALLERS, 20 * CALLERS);
            ours.flush();
            for (Server.Key lane : server.matching("*lane*")) {
                report.note("a lane, after batches of " + CALLERS + " callers: " + lane.bytes() + " B, time to live "
                        + Duration.ofMillis(lane.ttlMillis()).toSeconds() + " s");
            }
        }
    }
}
