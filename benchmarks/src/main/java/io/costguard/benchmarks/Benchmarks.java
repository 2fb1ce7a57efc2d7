package io.costguard.benchmarks;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ThreadFactory;

/**
 * Runs all benchmarks, and says which goals they meet; exit status 1 where one is short. {@code ./benchmarks/run} pins it, once on
 * the core of its Redis and once on another, and passes its arguments on:
 *
 * <pre>
 *   --quick | --full     fewer rounds, or as many as the published figures have
 *   --pinned same|apart  where it runs, as the report names it; apart moves it to the second core
 *   --json FILE          where to write the report
 *   --only NAME,...      some of: latency, server, hot, virtual, keys, memory
 * </pre>
 */
public final class Benchmarks {
    private final Settings settings;
    private final Server server;
    private final Report report;

    private record Settings(int effort, String pinned, Path json, Set<String> only) {
        boolean has(String name) {
            return only.isEmpty() || only.contains(name);
        }
    }

    private Benchmarks(Settings settings, Server server) {
        this.settings = settings;
        this.server = server;
        this.report = new Report(System.out);
    }

    public static void main(String[] arguments) throws Exception {
        Settings settings = settings(arguments);
        boolean met;
        try (Server server = new Server()) {
            if (settings.pinned.equals("apart")) {
                Pinning.moveTo(1);
            }
            String machine = "JDK " + Runtime.version() + ", Redis " + server.version() + ", "
                    + Runtime.getRuntime().availableProcessors() + " processors for this process, pinned: "
                    + settings.pinned;
            System.out.println(machine);
            Benchmarks benchmarks = new Benchmarks(settings, server);
            benchmarks.run();
            benchmarks.report.write(settings.json, machine);
            met = benchmarks.report.allMet();
        }
        System.exit(met ? 0 : 1);
    }

    private static Settings settings(String[] arguments) {
        int effort = 1;
        String pinned = "no";
        Path json = Path.of("benchmarks/target/benchmarks.json");
        Set<String> only = new TreeSet<>();
        for (int i = 0; i < arguments.length; i++) {
            switch (arguments[i]) {
                case "--quick" -> effort = 1;
                case "--full" -> effort = 5;
                case "--pinned" -> pinned = arguments[++i];
                case "--json" -> json = Path.of(arguments[++i]);
                case "--only" -> only.addAll(List.of(arguments[++i].split(",")));
                default ->
                    throw new IllegalArgumentException("unknown argument " + arguments[i]
                            + "; there are --quick, --full, --pinned, --json and --only");
            }
        }
        return new Settings(effort, pinned, json, only);
    }

    private void run() throws Exception {
        if (settings.has("latency")) {
            latency();
        }
        if (settings.has("server")) {
            serverTime();
        }
        if (settings.has("hot")) {
            hotKey("platform threads", Thread::new, false);
        }
        if (settings.has("virtual") && Threads.hasVirtual()) {
            hotKey("virtual threads", Threads.virtual(), true);
        }
        if (settings.has("keys")) {
            manyKeys();
        }
        if (settings.has("memory")) {
            memory();
        }
    }

    // ------------------------------------------------------------------------------------------------- one caller

    private void latency() throws Exception {
        server.flush();
        try (Contender bare = checked(new Bare(server.url()));
                Contender ours = checked(new Ours(server.url(), 1, false));
                Contender settling = checked(new Ours(server.url(), 1, true));
                Contender buckets = checked(new Bucket4jBuckets(server.url(), 1, 3, false));
                Contender limiters = checked(new RedissonLimiters(server.url(), 1, 3))) {
            Latency latency =
                    Latency.measure(List.of(bare, ours, settling, buckets, limiters), 15 + 15 * settings.effort);
            report.atMost(
                    "one caller, 3 limits, p50 against bare EVALSHA",
                    Report.micros(latency.p50().of(ours).median()),
                    Report.micros(latency.p50().of(bare).median()),
                    latency.p50().ratio(ours, bare).median(),
                    1.20);
            report.atMost(
                    "one caller, 3 limits, p99 against bare EVALSHA",
                    "",
                    "",
                    latency.p99().ratio(ours, bare).median(),
                    1.35);
            report.atMost(
                    "one caller, reserve + settle, p50 against reserve alone",
                    Report.micros(latency.p50().of(settling).median()),
                    Report.micros(latency.p50().of(ours).median()),
                    latency.p50().ratio(settling, ours).median(),
                    1.05);
            System.out.println("    quartiles: ours " + latency.p50().ratio(ours, bare) + ", with settle "
                    + latency.p50().ratio(settling, bare) + ", " + buckets.name() + " "
                    + latency.p50().ratio(buckets, bare) + ", " + limiters.name() + " "
                    + latency.p50().ratio(limiters, bare));
        }
    }

    // ------------------------------------------------------------------------------------------------ server time

    private void serverTime() throws Exception {
        server.flush();
        int calls = 20_000 * settings.effort;
        double bare;
        double alone;
        double hot;
        double many;
        double settled;
        try (Contender contender = checked(new Bare(server.url()))) {
            bare = microsADecision(contender, 1, 1, calls);
        }
        try (Contender contender = checked(new Ours(server.url(), 1, false))) {
            alone = microsADecision(contender, 1, 1, calls);
            hot = microsADecision(contender, 256, 1, calls * 5);
        }
        try (Contender contender = checked(new Ours(server.url(), 1_000, false))) {
            many = microsADecision(contender, 256, 1_000, calls * 5);
        }
        try (Contender contender = checked(new Ours(server.url(), 1, true))) {
            settled = microsADecision(contender, 256, 1, calls * 5);
        }
        String peer = Report.micros(bare * 1_000);
        report.atMost("server time a decision, alone", Report.micros(alone * 1_000), peer, alone / bare, 7);
        report.atMost(
                "server time a decision, 256 callers, one key", Report.micros(hot * 1_000), peer, hot / bare, 1.5);
        report.atMost(
                "server time a decision, 256 callers, 1,000 keys", Report.micros(many * 1_000), peer, many / bare, 3.5);
        report.atMost(
                "server time, reserve + settle against reserve, one key",
                Report.micros(settled * 1_000),
                Report.micros(hot * 1_000),
                settled / hot,
                1.3);
    }

    private double microsADecision(Contender contender, int callers, int keys, int calls) throws Exception {
        Load.count(contender, callers, keys, calls / 4);
        server.forgetSpent();
        Load.count(contender, callers, keys, calls);
        Server.Spent spent = server.spent();
        if (callers > 1) {
            System.out.printf("    %.1f decisions a script call%n", (double) calls / spent.calls());
        }
        return (double) spent.micros() / calls;
    }

    // ------------------------------------------------------------------------------------------------- many callers

    private void hotKey(String how, ThreadFactory threads, boolean virtual) throws Exception {
        server.flush();
        try (Contender ours = checked(new Ours(server.url(), 1, false));
                Contender plain = checked(new Bucket4jBuckets(server.url(), 1, 3, false));
                Contender one = checked(new Bucket4jBuckets(server.url(), 1, 1, true));
                Contender batching = checked(new Bucket4jBuckets(server.url(), 1, 3, true));
                Contender limiters = checked(new RedissonLimiters(server.url(), 1, 3))) {
            List<Contender> contenders =
                    virtual ? List.of(ours, one, batching) : List.of(ours, plain, batching, limiters);
            Load load = Load.measure(contenders, threads, 256, 1, 1 + 2 * settings.effort, 400L * settings.effort);
            String work = "hot key, 256 " + how + ", 3 limits, against ";
            if (virtual) {
                rate(work, load, ours, batching, 3);
                rate(work, load, ours, one, 1);
            } else {
                rate(work, load, ours, plain, 25);
                rate(work, load, ours, batching, 4);
                rate(work, load, ours, limiters, 20);
                for (Contender peer : List.of(plain, batching, limiters)) {
                    report.atMost(
                            "  p99 against " + peer.name(),
                            Report.micros(load.p99().of(ours).median()),
                            Report.micros(load.p99().of(peer).median()),
                            load.p99().of(ours).median() / load.p99().of(peer).median(),
                            1);
                }
            }
        }
    }

    private void manyKeys() throws Exception {
        server.flush();
        try (Contender ours = checked(new Ours(server.url(), 1_000, false));
                Contender one = checked(new Bucket4jBuckets(server.url(), 1_000, 1, false));
                Contender limiters = checked(new RedissonLimiters(server.url(), 1_000, 3))) {
            Load load = Load.measure(
                    List.of(ours, one, limiters),
                    Thread::new,
                    256,
                    1_000,
                    1 + 2 * settings.effort,
                    400L * settings.effort);
            String work = "1,000 keys, 256 platform threads, 3 limits, against ";
            rate(work, load, ours, one, 10);
            rate(work, load, ours, limiters, 15);
        }
    }

    private void rate(String work, Load load, Contender ours, Contender peer, double goal) {
        double mine = load.rates().of(ours).median();
        double theirs = load.rates().of(peer).median();
        report.atLeast(work + peer.name(), Report.perSecond(mine), Report.perSecond(theirs), mine / theirs, goal);
    }

    // ------------------------------------------------------------------------------------------------------- memory

    private void memory() throws Exception {
        server.flush();
        int keys = 120_000;
        try (Ours ours = new Ours(server.url(), keys, false)) {
            ours.decide(0);
            long before = server.usedMemory();
            for (int key = 1; key <= keys / 2; key++) {
                ours.decide(key);
            }
            double each = (server.usedMemory() - before) / (keys / 2.0);
            report.atMost("memory of a subject with 3 limits, bytes", Report.number(each), "200", each / 200, 1);
        }
    }

    /** What is charged for calls that were let go must be what they asked, or its figures mean nothing. */
    private static <C extends Contender> C checked(C contender) throws Exception {
        contender.decide(0);
        long before = contender.charged(0);
        for (int i = 0; i < 100; i++) {
            contender.decide(0);
        }
        long charged = contender.charged(0) - before;
        if (charged < 90 || charged > 100) {
            throw new IllegalStateException(contender.name() + " let 100 calls go and charged " + charged);
        }
        return contender;
    }
}
