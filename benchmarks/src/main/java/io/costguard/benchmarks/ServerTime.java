package io.costguard.benchmarks;

import java.util.List;

/** What a decision costs Redis: the time it spends in scripts, all that was left to be settled included. */
final class ServerTime {
    private static final int CALLERS = 256;

    private final Server server;
    private final Rounds micros = new Rounds();
    private final Rounds decisionsAScript = new Rounds();

    private record Task(Contender contender, int callers, int calls) {}

    private ServerTime(Server server) {
        this.server = server;
    }

    static void run(Bench bench) throws Exception {
        String url = bench.server().url();
        try (Contender bare = Contender.checked(new Bare(url));
                Contender alone = Contender.checked(Ours.reserving(url, 1));
                Contender hot = Contender.checked(Ours.reserving(url, 1));
                Contender settling = Contender.checked(Ours.settling(url, 1));
                Contender many = Contender.checked(Ours.reserving(url, 1_000))) {
            int calls = bench.effort().of(600, 5_000);
            List<Task> tasks = List.of(
                    new Task(bare, 1, calls),
                    new Task(alone, 1, calls),
                    new Task(hot, CALLERS, 4 * calls),
                    new Task(settling, CALLERS, 4 * calls),
                    new Task(many, CALLERS, 4 * calls));
            for (Task task : tasks) {
                WarmUp.run(task.contender, Thread::new, task.callers, bench.effort());
            }
            ServerTime time = new ServerTime(bench.server());
            Rounds.interleave(tasks, bench.effort().of(3, 45), time::slot);

            Report report = bench.report();
            report.heading("server time a decision, 3 limits");
            time.row(report, "alone, against bare EVALSHA", alone, bare, 7);
            time.row(report, "256 callers, 1 key, against bare EVALSHA", hot, bare, 1.5);
            time.row(report, "256 callers, 1,000 keys, against bare EVALSHA", many, bare, 3.5);
            time.row(report, "256 callers, with settle against reserve", settling, hot, 1.3);
            report.note("decisions a script call, of 256 callers: 1 key " + time.decisionsAScript.of(hot)
                    + ", with settle " + time.decisionsAScript.of(settling) + ", 1,000 keys "
                    + time.decisionsAScript.of(many));
        }
    }

    private void slot(Task task) throws Exception {
        task.contender.flush();
        server.forgetSpent();
        Load.count(task.contender, task.callers, task.calls);
        task.contender.flush();
        Server.Spent spent = server.spent();
        micros.add(task.contender, (double) spent.micros() / task.calls);
        decisionsAScript.add(task.contender, (double) task.calls / spent.calls());
    }

    private void row(Report report, String name, Contender contender, Contender baseline, double goal) {
        report.atMost(
                name,
                Report.time(micros.of(contender).median() * 1_000),
                Report.time(micros.of(baseline).median() * 1_000),
                micros.ratio(contender, baseline),
                goal);
    }
}
