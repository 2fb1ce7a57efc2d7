package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.PatientRedis;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Patience;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.redis.FleetLineWorker.Scene;
import io.costguard.testing.JavaProcess;
import io.costguard.testing.RedisForTests;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redis.clients.jedis.RedisClient;

/** A line of a fleet of real processes; the script tells in which order it let them join and go. */
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class FleetLineIT {
    private static final int PROCESSES = 4;
    private static final int WAITERS = 400;
    private static final int RUNS = Integer.getInteger("costguard.fleetRuns", 2);
    /** Of whom one is killed. */
    private static final int MORTALS = Integer.getInteger("costguard.fleetProcesses", PROCESSES);

    /** How many of a thousand may go later than promised: a machine that has other things to do keeps processes from running. */
    private static final int LATE = Boolean.getBoolean("costguard.quietMachine") ? 0 : 20;

    private static final long PATIENCE_SECONDS = 60;
    private static final long PROMPT_MICROS = 100_000;
    private static final long MOVE_ON_MICROS = 5_000_000;

    private final RedisForTests server = RedisForTests.start();
    private final RedisClient jedis = PatientRedis.client(server.url());
    private final String prefix = server.keyPrefix();
    private final String audit = prefix + ":audit";
    private final List<Worker> workers = new ArrayList<>();

    @AfterEach
    void close() {
        workers.forEach(Worker::kill);
        jedis.close();
        server.close();
    }

    @Test
    @Tag("invariant-6")
    void fourHundredCallsOfFourProcessesGoInTheOrderInWhichTheyJoined() {
        startWorkers(PROCESSES);
        // By whose end they have loaded their classes.
        run(Scene.BUSY, -1);
        run(Scene.BUSY, 0);
        for (int seed = 1; seed <= RUNS; seed++) {
            Ends ends = run(Scene.BUSY, seed);

            List<LineAudit.LetGo> gone = letGo();
            assertInOrderOfJoining(seed, gone);
            long begin = gone.get(0).micros();
            long end = gone.get(gone.size() - 1).micros();
            assertThat(ends.letGo - ends.givenBack)
                    .as("seed %d: never over", seed)
                    .isLessThanOrEqualTo(100 + (end - begin) * 1_500 / 1_000_000);
            System.out.printf(
                    "seed %d: %d let go in %d ms, the first in line at the latest after %d ms%n",
                    seed, gone.size(), (end - begin) / 1_000, checkPrompt(Scene.BUSY));
        }
    }

    private void assertInOrderOfJoining(int seed, List<LineAudit.LetGo> letGo) {
        List<String> joined = joined();
        assertThat(joined).as("seed %d: who waited", seed).hasSizeGreaterThan(WAITERS / 2);
        List<LineAudit.LetGo> waited =
                letGo.stream().filter(gone -> gone.place() > 0).toList();
        assertThat(waited.stream().map(LineAudit.LetGo::call).toList())
                .as("seed %d: who was let go", seed)
                .isEqualTo(joined);
        assertThat(waited)
                .as("seed %d: who stood before them", seed)
                .allSatisfy(gone -> assertThat(gone.ahead()).isEmpty());
    }

    @Test
    void whereLinesOverlapACallGoesFirstOnlyWhereRoomForTheEarlierIsLeftAndNobodyIsLeftBehind() {
        startWorkers(PROCESSES);
        for (int seed = 1; seed <= RUNS; seed++) {
            run(Scene.CROSSED, seed);

            // Each was checked to leave room for those before it.
            List<LineAudit.LetGo> gone = letGo();
            long first = gone.stream().filter(LineAudit.LetGo::isBeforeOthers).count();
            System.out.printf(
                    "seed %d: %d joined, %d were let go while an earlier one waited for something else%n",
                    seed, joined().size(), first);
            assertThat(first).as("seed %d: who went before others", seed).isPositive();
        }
    }

    @Test
    @Tag("invariant-10")
    void whatIsGivenBackLetsTheFirstGoInAnotherProcessWithinATenthOfASecond() {
        startWorkers(1);
        Subject subject = still();
        try (RedisLedger ledger = audited()) {
            List<Charge> charges = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                charges.add(charge(ledger, subject, 1));
            }
            charge(ledger, subject, 380);
            workers.get(0).tell(Scene.STILL, prefix + ":{x}:still", 20, 1);
            assertThat(workers.get(0).hear()).isEqualTo("joined");

            for (Charge charge : charges) {
                giveBack(ledger, charge);
                assertThat(workers.get(0).hear()).isEqualTo("gone");
            }

            assertThat(workers.get(0).hear()).isEqualTo("done 20 0");
            System.out.printf(
                    "given back in another process: the first in line goes at the latest after %d ms%n",
                    checkPrompt(Scene.STILL));
        }
    }

    @Test
    void whenAProcessIsKilledTheOthersMoveOnAndNothingStaysChargedForItsCalls() {
        startWorkers(MORTALS);
        Subject subject = still();
        try (RedisLedger ledger = audited()) {
            Charge some = charge(ledger, subject, 30);
            Charge rest = charge(ledger, subject, 370);
            for (Worker worker : workers) {
                worker.tell(Scene.STILL, prefix + ":{x}:still", 40, 1);
                assertThat(worker.hear()).isEqualTo("joined");
            }
            giveBack(ledger, some);
            // Those of the first process, which joined first.
            for (int i = 0; i < 30; i++) {
                assertThat(workers.get(0).hear()).isEqualTo("gone");
            }

            long killed = micros();
            workers.get(0).kill();
            giveBack(ledger, rest);
            for (Worker worker : workers.subList(1, MORTALS)) {
                assertThat(worker.hearOfAllWhoWent()).isEqualTo("done 40 0");
            }

            List<LineAudit.LetGo> gone = letGo();
            LineAudit.LetGo last = gone.get(gone.size() - 1);
            System.out.printf(
                    "one of %d processes killed: the last of the others went %d ms later%n",
                    MORTALS, (last.micros() - killed) / 1_000);
            assertThat(last.micros() - killed).as("microseconds").isLessThanOrEqualTo(MOVE_ON_MICROS);
            assertThat(gone.stream().filter(each -> each.place() > 0)).hasSize(30 + (MORTALS - 1) * 40);
            assertThat(balance(ledger, subject)).isEqualTo(400 - 30 - (MORTALS - 1) * 40);
        }
    }

    /** What the calls of a run came to, of their first limit. */
    private record Ends(long letGo, long givenBack) {}

    /** Has each process make its part of the calls, until all were let go. */
    private Ends run(Scene scene, int seed) {
        jedis.del(audit);
        String key = prefix + ":{x}:" + scene + "-" + seed;
        for (int i = 0; i < PROCESSES; i++) {
            workers.get(i).tell(scene, key, WAITERS / PROCESSES, seed * 100 + i);
        }
        long letGo = 0;
        long givenBack = 0;
        for (Worker worker : workers) {
            assertThat(worker.hear()).isEqualTo("joined");
            String[] done = worker.hear().split(" ", -1);
            assertThat(done[0]).as("seed %d", seed).isEqualTo("done");
            letGo += Long.parseLong(done[1]);
            givenBack += Long.parseLong(done[2]);
        }
        Set<String> calls = letGo().stream().map(LineAudit.LetGo::call).collect(Collectors.toSet());
        assertThat(calls).as("seed %d: who was let go after waiting").containsAll(joined());
        for (Subject subject : scene.subjects(key)) {
            assertThat(jedis.exists(subject.key() + ":line"))
                    .as("seed %d: the line of %s", seed, subject.key())
                    .isFalse();
        }
        return new Ends(letGo, givenBack);
    }

    /** Whoever stood first in line and was covered was let go promptly; says how long that took at most, in milliseconds. */
    private long checkPrompt(Scene scene) {
        Map<String, LineAudit.Stood> lines = new HashMap<>();
        Map<String, Long> coveredSince = new HashMap<>();
        List<Long> took = new ArrayList<>();
        for (LineAudit.Entry entry : entries()) {
            if (entry instanceof LineAudit.Stood stood) {
                LineAudit.Stood before = lines.put(stood.key(), stood);
                long since = coveredSince.getOrDefault(stood.key(), LineAudit.NEVER);
                if (before == null || !before.first().equals(stood.first())) {
                    if (since <= stood.micros()) {
                        took.add(stood.micros() - since);
                    }
                    since = LineAudit.NEVER;
                }
                long covered = stood.firstCoveredAt(scene.budget);
                coveredSince.put(stood.key(), covered == stood.micros() ? Math.min(since, covered) : covered);
            }
        }
        assertThat(took).as("who stood first and was covered").isNotEmpty();
        List<Long> late = took.stream().filter(micros -> micros > PROMPT_MICROS).toList();
        assertThat(late.size() * 1_000)
                .as("microseconds in which calls stood first and were covered: %s, of %d", late, took.size())
                .isLessThanOrEqualTo(LATE == 0 ? 0 : Math.max(1_000, LATE * took.size()));
        return Collections.max(took) / 1_000;
    }

    private List<LineAudit.Entry> entries() {
        return jedis.lrange(audit.getBytes(StandardCharsets.UTF_8), 0, -1).stream()
                .map(LineAudit::read)
                .toList();
    }

    /** In the order in which they joined. */
    private List<String> joined() {
        List<String> joined = new ArrayList<>();
        for (LineAudit.Entry entry : entries()) {
            if (entry instanceof LineAudit.Joined join
                    && !joined.contains(join.member().call())) {
                joined.add(join.member().call());
            }
        }
        return joined;
    }

    /** In the order in which they went, each checked to have been covered. */
    private List<LineAudit.LetGo> letGo() {
        List<LineAudit.LetGo> letGo = new ArrayList<>();
        for (LineAudit.Entry entry : entries()) {
            if (entry instanceof LineAudit.LetGo gone) {
                gone.checkCovered();
                letGo.add(gone);
            }
        }
        return letGo;
    }

    private Subject still() {
        return Scene.STILL.subjects(prefix + ":{x}:still").get(0);
    }

    private RedisLedger audited() {
        return new RedisLedger(
                Redis.at(server.url(), FleetLineWorker.TIMEOUT),
                FleetLineWorker.audited(audit),
                prefix,
                FleetLineWorker.TIMEOUT);
    }

    private long micros() {
        return Long.parseLong(String.valueOf(
                jedis.eval("local t = redis.call('TIME') return string.format('%.0f', t[1] * 1000000 + t[2])")));
    }

    private static Charge charge(RedisLedger ledger, Subject subject, long amount) {
        List<Claim> claims = List.of(new Claim(subject, new long[] {amount}));
        long deadline = System.nanoTime() + FleetLineWorker.TIMEOUT.toNanos();
        Verdict verdict = ledger.reserveAsync(claims, Patience.NONE, deadline).join();
        return ((Verdict.Granted) verdict).charges().get(0);
    }

    private static void giveBack(RedisLedger ledger, Charge charge) {
        ledger.settle(List.of(new Settled(charge, new long[] {0})), () -> {});
    }

    private static long balance(RedisLedger ledger, Subject subject) {
        try {
            return ledger.look(
                            List.of(new Claim(subject, new long[subject.limits().size()])),
                            System.nanoTime() + FleetLineWorker.TIMEOUT.toNanos())
                    .get(0)
                    .get(0)
                    .balance();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void startWorkers(int count) {
        for (int i = 0; i < count; i++) {
            workers.add(new Worker());
        }
        workers.forEach(worker -> assertThat(worker.hear()).isEqualTo("ready"));
    }

    private final class Worker {
        private final Process process;
        private final Writer in;
        private final BlockingQueue<String> said = new LinkedBlockingQueue<>();

        Worker() {
            try {
                process = JavaProcess.of(
                                FleetLineWorker.class,
                                List.of("-Xmx128m", "-XX:TieredStopAtLevel=1"),
                                server.url(),
                                prefix,
                                audit)
                        .redirectError(ProcessBuilder.Redirect.INHERIT)
                        .start();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            in = process.outputWriter(StandardCharsets.UTF_8);
            Thread ears = new Thread(this::listen, "worker-" + process.pid());
            ears.setDaemon(true);
            ears.start();
        }

        private void listen() {
            try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
                out.lines().forEach(said::add);
            } catch (IOException | UncheckedIOException e) {
                said.add("ended: " + e);
            }
        }

        void tell(Scene scene, String key, int count, int seed) {
            try {
                in.write(scene + " " + key + " " + count + " " + seed + "\n");
                in.flush();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        String hear() {
            try {
                return String.valueOf(said.poll(PATIENCE_SECONDS, TimeUnit.SECONDS));
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }

        /** What it says after its calls went. */
        String hearOfAllWhoWent() {
            String heard = hear();
            while (heard.equals("gone")) {
                heard = hear();
            }
            return heard;
        }

        void kill() {
            process.destroyForcibly().onExit().join();
        }
    }
}
