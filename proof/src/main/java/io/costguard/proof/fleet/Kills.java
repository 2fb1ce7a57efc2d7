package io.costguard.proof.fleet;

import io.costguard.CostGuard;
import io.costguard.GuardUnavailableException;
import io.costguard.LimitStatus;
import io.costguard.PatientRedis;
import io.costguard.proof.Check;
import io.costguard.proof.ChildJvm;
import io.costguard.proof.ClassArchive;
import io.costguard.proof.Provider;
import io.costguard.proof.Trial;
import io.costguard.redis.DecisionAudit;
import io.costguard.testing.FaultyLink;
import io.costguard.testing.JavaProcess;
import io.costguard.testing.RedisForTests;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.RedisClient;

/**
 * A fleet of processes on shared budgets, of which one after the other is killed: half of them halt at a named point of a call, the others end
 * by a SIGKILL at any moment, some after a SIGSTOP that outlasts their leases; and what they send Redis, and it answers, is held and lost
 * meanwhile. What each wrote down, what Redis noted in the order in which it decided, what the model says of that, what the provider billed and what
 * is left in Redis have to agree.
 */
public final class Kills implements Check {
    private static final String AUDIT = "audit";
    private static final String PREFIX = "fleet";
    private static final int AT_ONCE = 4;
    /** So many halt at the points one after the other that some do between a grant and its settle. */
    private static final int FEWEST = 8;

    private static final int PAGE = 500;
    private static final int STOPPED_OF = 20;
    private static final long NUMBERS_OF_ONE = 10_000;
    private static final long FIRST_OF_SURVIVORS = 1_000_000_000;
    private static final long NUMBERS_OF_A_SURVIVOR = 100_000_000;
    private static final Duration AT_MOST = Duration.ofMinutes(2);
    /** Options of their JVMs, which live for a second or two. */
    private static final List<String> WORKER = options();

    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(5);
    private static final int SHOWN = 5;
    /** Half of them ask the guard themselves, as that is where calls have most points. */
    private static final List<Worker.Client> CLIENTS =
            List.of(Worker.Client.GUARD, Worker.Client.GUARD, Worker.Client.OKHTTP, Worker.Client.JDK);

    /** How one process ends. */
    enum Death {
        HALT,
        KILL,
        STOP_AND_KILL
    }

    /** @param afterMicros of being ready it is killed; of one that halts, in which of its calls it does */
    record Plan(int number, Worker.Client client, Death death, Worker.Point point, int afterMicros, long seed) {
        long firstCall() {
            return (number + 1) * NUMBERS_OF_ONE;
        }
    }

    @Override
    public void run(Trial trial) throws Exception {
        Path directory = Files.createTempDirectory("kills");
        Bill bill = new Bill();
        try (RedisForTests redis = RedisForTests.start();
                RedisClient jedis = PatientRedis.client(redis.url());
                FaultyLink link = FaultyLink.to(redis);
                Provider provider = Provider.answering(bill)) {
            DecisionAudit.install(directory, AUDIT);
            Fleet fleet = new Fleet(
                    directory, link.url(), provider.uri("/v1/chat/completions").toString());
            Audit audit = new Audit(jedis);
            Nemesis nemesis = new Nemesis(redis, link, trial.random("nemesis"));
            try (nemesis) {
                fleet.live(plans(trial), audit);
            }
            audit.drain();
            tell(trial, nemesis);
            verify(trial, fleet, audit, bill, redis.url());
        } finally {
            try (Stream<Path> files = Files.walk(directory)) {
                files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
            }
        }
    }

    private static List<String> options() {
        List<String> options = new ArrayList<>(JavaProcess.SHORT_LIVED);
        options.addAll(List.of("-Xmx64m", "-Xlog:disable", "-Xlog:all=error:stderr"));
        return options;
    }

    private static int kills(Trial trial) {
        return Math.max(FEWEST, trial.times(200, 5_000));
    }

    private static List<Plan> plans(Trial trial) {
        Random random = trial.random("kills");
        List<Worker.Point> points = new ArrayList<>(List.of(Worker.Point.values()));
        points.remove(Worker.Point.NOWHERE);
        List<Plan> plans = new ArrayList<>();
        int kills = kills(trial);
        for (int i = 0; i < kills; i++) {
            boolean halts = i % 2 == 0;
            Worker.Point point = halts ? points.get(i / 2 % points.size()) : Worker.Point.NOWHERE;
            Worker.Client client = CLIENTS.get(random.nextInt(CLIENTS.size()));
            if (client != Worker.Client.GUARD && isByHand(client, point)) {
                client = Worker.Client.GUARD;
            }
            Death death = halts ? Death.HALT : i % STOPPED_OF == 1 ? Death.STOP_AND_KILL : Death.KILL;
            plans.add(new Plan(
                    i, client, death, point, halts ? random.nextInt(60) : random.nextInt(200_000), random.nextLong()));
        }
        return plans;
    }

    /** Where only one who asks the guard himself has anything between the two. */
    private static boolean isByHand(Worker.Client client, Worker.Point point) {
        return client == Worker.Client.JDK && point == Worker.Point.AFTER_THE_GRANT;
    }

    /** The processes: some that are killed, some at a time, and one of each kind that lives. */
    private static final class Fleet {
        private final ClassArchive jvms;
        private final Path directory;
        private final String redis;
        private final String provider;
        private final List<Reconciliation.Ran> ran = new ArrayList<>();
        /** How processes ended that were to end otherwise. */
        private final List<String> unplanned = new ArrayList<>();

        private int halted;
        private int killed;
        private int stopped;

        Fleet(Path directory, String redis, String provider) throws IOException, InterruptedException {
            // One that calls nobody, as there is neither a Redis nor a provider.
            this.jvms = new ClassArchive(
                    directory,
                    Worker.class,
                    WORKER,
                    List.of(""),
                    "redis://127.0.0.1:1",
                    "none",
                    directory.resolve("journal-of-none").toString(),
                    "http://127.0.0.1:1",
                    Worker.Client.OKHTTP.name(),
                    Worker.Point.NOWHERE.name(),
                    "0",
                    "0",
                    "0",
                    "0",
                    "0");
            this.directory = directory;
            this.redis = redis;
            this.provider = provider;
        }

        void live(List<Plan> plans, Audit audit) throws Exception {
            List<ChildJvm> survivors = new ArrayList<>();
            ExecutorService slots = Executors.newFixedThreadPool(AT_ONCE);
            try {
                for (Worker.Client client : Worker.Client.values()) {
                    survivors.add(survivor(client));
                }
                List<Future<?>> deaths = new ArrayList<>();
                for (Plan plan : plans) {
                    Callable<Void> death = () -> {
                        die(plan);
                        return null;
                    };
                    deaths.add(slots.submit(death));
                }
                for (Future<?> death : deaths) {
                    while (!death.isDone()) {
                        audit.drain();
                        LockSupport.parkNanos(LOOK_NANOS);
                    }
                    try {
                        death.get();
                    } catch (ExecutionException e) {
                        unplanned.add(String.valueOf(e.getCause()));
                    }
                }
                for (ChildJvm survivor : survivors) {
                    attempt(() -> survivor.tell(""));
                }
                for (ChildJvm survivor : survivors) {
                    attempt(() -> survivor.awaitEnd(AT_MOST, 0));
                }
            } finally {
                slots.shutdownNow();
                slots.awaitTermination(AT_MOST.toSeconds(), TimeUnit.SECONDS);
                for (ChildJvm survivor : survivors) {
                    survivor.close();
                }
            }
        }

        private interface Step {
            void run() throws IOException, InterruptedException;
        }

        private void attempt(Step step) throws InterruptedException {
            try {
                step.run();
            } catch (IOException | IllegalStateException e) {
                unplanned.add(e.toString());
            }
        }

        private ChildJvm survivor(Worker.Client client) throws IOException {
            long first = FIRST_OF_SURVIVORS + ran.size() * NUMBERS_OF_A_SURVIVOR;
            return start("survivor by " + client, client, Worker.Point.NOWHERE, 0, first, first, false);
        }

        private void die(Plan plan) throws IOException, InterruptedException {
            int haltsAt = plan.death == Death.HALT ? plan.afterMicros : 0;
            try (ChildJvm process =
                    start(plan.toString(), plan.client, plan.point, haltsAt, plan.firstCall(), plan.seed, true)) {
                if (plan.death == Death.HALT) {
                    process.awaitEnd(AT_MOST, Worker.HALTED);
                } else {
                    LockSupport.parkNanos(TimeUnit.MICROSECONDS.toNanos(plan.afterMicros));
                    if (plan.death == Death.STOP_AND_KILL) {
                        process.signal("STOP");
                        LockSupport.parkNanos(Worker.LEASE.toNanos() * 5 / 4);
                        process.signal("CONT");
                        LockSupport.parkNanos(TimeUnit.MICROSECONDS.toNanos(plan.afterMicros));
                    }
                    if (!process.isAlive()) {
                        throw new IllegalStateException("it was dead before it was killed: " + plan);
                    }
                }
            }
            synchronized (this) {
                halted += plan.death == Death.HALT ? 1 : 0;
                killed += plan.death == Death.HALT ? 0 : 1;
                stopped += plan.death == Death.STOP_AND_KILL ? 1 : 0;
            }
        }

        private ChildJvm start(
                String plan,
                Worker.Client client,
                Worker.Point point,
                int haltsAt,
                long first,
                long seed,
                boolean isToDie)
                throws IOException {
            Path journal = directory.resolve("journal-" + first);
            ChildJvm process = jvms.start(
                    Worker.class,
                    WORKER,
                    redis,
                    PREFIX,
                    journal.toString(),
                    provider,
                    client.name(),
                    point.name(),
                    String.valueOf(haltsAt),
                    String.valueOf(first),
                    isToDie ? "3" : "1",
                    isToDie ? "1" : "8",
                    String.valueOf(seed));
            // From now on it calls.
            process.hear();
            synchronized (this) {
                ran.add(new Reconciliation.Ran(plan, journal, isToDie));
            }
            return process;
        }
    }

    /** What the scripts noted, replayed as it comes. */
    private static final class Audit {
        private final RedisClient jedis;
        private final DecisionAudit decisions = new DecisionAudit(Worker.LIMITS_OF_EACH);
        private @Nullable AssertionError difference;

        Audit(RedisClient jedis) {
            this.jedis = jedis;
        }

        void drain() {
            byte[] key = AUDIT.getBytes(StandardCharsets.US_ASCII);
            for (List<byte[]> page = jedis.lpop(key, PAGE); page != null; page = jedis.lpop(key, PAGE)) {
                for (byte[] entry : page) {
                    read(entry);
                }
            }
        }

        private void read(byte[] entry) {
            if (difference == null) {
                try {
                    decisions.read(entry);
                } catch (AssertionError e) {
                    difference = e;
                }
            }
        }
    }

    private static void tell(Trial trial, Nemesis nemesis) {
        int deeds = Nemesis.Deed.values().length;
        trial.all(
                "kinds of faults meanwhile, of Redis and on the way to it",
                nemesis.done().size(),
                deeds);
        int done = nemesis.done().values().stream().mapToInt(Integer::intValue).sum();
        trial.atLeast("  how many", done, kills(trial) / 4);
    }

    private static void verify(Trial trial, Fleet fleet, Audit audit, Bill bill, String redis) throws IOException {
        Reconciliation reconciliation = new Reconciliation(trial, audit.decisions.calls(), bill.calls());
        for (Reconciliation.Ran ran : fleet.ran) {
            reconciliation.read(ran);
        }
        int kills = kills(trial);
        trial.atLeast("processes killed", fleet.halted + fleet.killed, kills);
        trial.atLeast("  halted at a named point of a call", fleet.halted, kills / 2);
        trial.atLeast("  ended by SIGKILL at any moment", fleet.killed, kills / 2);
        trial.atLeast("  stopped for longer than their leases before", fleet.stopped, kills / STOPPED_OF);
        trial.none("  ended otherwise than planned", fleet.unplanned.size());
        fleet.unplanned.stream().limit(SHOWN).forEach(trial::history);
        AssertionError difference = audit.difference;
        trial.none("batches and balances other than the model's", difference == null ? 0 : 1);
        if (difference != null) {
            trial.history("after " + audit.decisions.batches() + " batches: " + difference.getMessage());
        }
        reconciliation.tell(kills);
        tellWhatIsLeft(trial, audit.decisions, redis);
        tellWhatIsHalf(trial, audit.decisions, reconciliation.halfSettled());
    }

    /** What the processes settled for the one budget, and not for the other. */
    private static void tellWhatIsHalf(Trial trial, DecisionAudit decisions, long halfSettled) {
        Set<String> survivors = new HashSet<>();
        Set<String> all = new HashSet<>();
        decisions.calls().forEach((number, call) -> {
            all.add(call.process());
            if (number >= FIRST_OF_SURVIVORS) {
                survivors.add(call.process());
            }
        });
        trial.all("processes that survived", survivors.size(), Worker.Client.values().length);
        trial.none("  nano-dollars that they were charged other than what each call was", half(decisions, survivors));
        all.removeAll(survivors);
        trial.atMost("  the same of those who died, who may have half settled", half(decisions, all), halfSettled);
    }

    private static long half(DecisionAudit decisions, Set<String> processes) {
        return processes.stream()
                .mapToLong(each -> Math.abs(decisions.chargedBy(each, Worker.LIMITS_SHARED, Worker.FOR_GOOD)
                        - decisions.chargedBy(each, Worker.LIMITS_OF_EACH, Worker.USD)))
                .sum();
    }

    private static void tellWhatIsLeft(Trial trial, DecisionAudit decisions, String redis) throws IOException {
        try (CostGuard guard = Worker.guard(redis, PREFIX).build()) {
            long deadline = System.nanoTime() + Worker.LEASE.multipliedBy(3).toNanos();
            while (inFlight(guard) > 0 && System.nanoTime() - deadline < 0) {
                LockSupport.parkNanos(LOOK_NANOS);
            }
            trial.none("slots of calls in flight held after the leases of the dead", inFlight(guard));
            LimitStatus forGood = guard.status(Worker.call(0)).get(Worker.FOR_GOOD);
            long used = forGood.capacity() - forGood.balance();
            trial.none(
                    "nano-dollars in Redis beyond all that was charged, less what was given back, or less",
                    Math.abs(used - decisions.charged(Worker.LIMITS_SHARED, Worker.FOR_GOOD)));
        }
    }

    private static long inFlight(CostGuard guard) throws GuardUnavailableException {
        LimitStatus status = guard.status(Worker.call(0)).get(Worker.IN_FLIGHT);
        return status.capacity() - status.balance();
    }
}
