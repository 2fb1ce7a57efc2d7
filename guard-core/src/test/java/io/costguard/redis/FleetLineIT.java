package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Limit;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Patience;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.testing.RedisForTests;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redis.clients.jedis.RedisClient;

/** A line of a fleet of real processes; the script tells in which order it let them join and go. */
@Timeout(value = 5, unit = TimeUnit.MINUTES)
class FleetLineIT {
    private static final int PROCESSES = 4;
    private static final int WAITERS = 400;
    private static final int RUNS = Integer.getInteger("costguard.fleetRuns", 3);
    private static final int MANY = 2_000;
    private static final long PATIENCE_SECONDS = 60;
    private static final Duration MOVE_ON_WITHIN = Duration.ofSeconds(15);

    private final RedisForTests server = RedisForTests.start();
    private final RedisClient jedis = RedisClient.create(server.url());
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
    void fourHundredCallsOfFourProcessesGoInTheOrderInWhichTheyJoined() {
        startWorkers();
        for (int seed = 1; seed <= RUNS; seed++) {
            jedis.del(audit);
            String key = prefix + ":{x}:busy-" + seed;
            for (int i = 0; i < PROCESSES; i++) {
                workers.get(i).tell("busy " + key + " " + WAITERS / PROCESSES + " " + (seed * 100 + i));
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
            checkOrder(seed, letGo, givenBack);
        }
    }

    private void checkOrder(int seed, long amount, long givenBack) {
        Map<String, Integer> joined = new HashMap<>();
        int last = -1;
        int letGo = 0;
        long first = Long.MAX_VALUE;
        long end = 0;
        for (LineAudit.Entry entry : entries()) {
            if (entry instanceof LineAudit.Joined join) {
                joined.put(join.member().call(), joined.size());
            } else if (entry instanceof LineAudit.LetGo gone) {
                gone.checkCovered();
                letGo++;
                first = Math.min(first, gone.micros());
                end = Math.max(end, gone.micros());
                if (gone.place() > 0) {
                    assertThat(gone.ahead())
                            .as("seed %d: who stands before %s", seed, gone.call())
                            .isEmpty();
                    assertThat(joined.getOrDefault(gone.call(), -1))
                            .as("seed %d: where %s joined", seed, gone.call())
                            .isGreaterThan(last);
                    last = joined.getOrDefault(gone.call(), -1);
                }
            }
        }
        assertThat(letGo).isEqualTo(WAITERS);
        assertThat(joined).as("seed %d: who waited", seed).hasSizeGreaterThan(WAITERS / 2);
        assertThat(amount - givenBack).as("seed %d", seed).isLessThanOrEqualTo(100 + (end - first) * 1_500 / 1_000_000);
        System.out.printf(
                "seed %d: %d joined, %d let go in %d ms%n", seed, joined.size(), letGo, (end - first) / 1_000);
    }

    @Test
    void whenAProcessIsKilledTheOthersMoveOnAndNothingStaysChargedForItsCalls() {
        startWorkers();
        Subject subject = new Subject(prefix + ":{x}:still", FleetLineWorker.STILL);
        try (RedisLedger ledger =
                new RedisLedger(Redis.at(server.url(), FleetLineWorker.TIMEOUT), prefix, FleetLineWorker.TIMEOUT)) {
            Charge some = charge(ledger, subject, 30);
            Charge rest = charge(ledger, subject, 130);
            for (Worker worker : workers) {
                worker.tell("still " + subject.key() + " 40 1");
                assertThat(worker.hear()).isEqualTo("joined");
            }
            giveBack(ledger, some);
            // Those of the first process, which joined first.
            for (int i = 0; i < 30; i++) {
                assertThat(workers.get(0).hear()).isEqualTo("gone");
            }

            workers.get(0).kill();
            Map<String, Integer> before = letGo();
            long killed = System.nanoTime();
            giveBack(ledger, rest);
            for (Worker worker : workers.subList(1, PROCESSES)) {
                String said = worker.hear();
                while (said.equals("gone")) {
                    said = worker.hear();
                }
                assertThat(said).isEqualTo("done 40 0");
            }
            Duration took = Duration.ofNanos(System.nanoTime() - killed);

            Map<String, Integer> after = letGo();
            System.out.printf("one of four processes killed: the others moved on within %d ms%n", took.toMillis());
            assertThat(took).isLessThan(MOVE_ON_WITHIN);
            assertThat(after.values().stream().filter(count -> count == 40)).hasSize(PROCESSES - 1);
            assertThat(before).containsValue(30);
            assertThat(after).containsValue(30);
            int all = after.values().stream().mapToInt(Integer::intValue).sum();
            assertThat(balance(ledger, subject)).isEqualTo(160 - all);
        }
    }

    @Test
    void inOneLineAGrantTakesAtMostTwoCallsAndTwoMessagesAndNoThread() {
        Budget budget =
                Budget.named("many").limit(Limit.requests(1_000).perSecond().burst(10));
        Subject subject = new Subject(prefix + ":{x}:many", budget);
        Patience patience = new Patience(PATIENCE_SECONDS * 1_000_000, 0);
        try (RedisLedger ledger =
                new RedisLedger(Redis.at(server.url(), FleetLineWorker.TIMEOUT), prefix, FleetLineWorker.TIMEOUT)) {
            charge(ledger, subject, 1);
            int threads = ManagementFactory.getThreadMXBean().getThreadCount();
            final long callsBefore = calls("evalsha");
            final long begin = System.nanoTime();
            List<CompletableFuture<Verdict>> joins = new ArrayList<>();
            for (int i = 0; i < MANY; i++) {
                joins.add(ledger.reserveAsync(
                        List.of(new Claim(subject, new long[] {1})),
                        patience,
                        System.nanoTime() + FleetLineWorker.TIMEOUT.toNanos()));
            }
            List<Verdict> verdicts = joins.stream().map(CompletableFuture::join).toList();
            final int whileWaiting = ManagementFactory.getThreadMXBean().getThreadCount();
            int waited = 0;
            for (Verdict verdict : verdicts) {
                if (verdict instanceof Verdict.Waiting waiting) {
                    waited++;
                    assertThat(waiting.place().end().join()).isInstanceOf(Verdict.Granted.class);
                }
            }
            long seconds = TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - begin) + 2;
            long calls = calls("evalsha") - callsBefore;
            long messages = calls("publish");

            System.out.printf(
                    "%d of %d waited: %.2f calls and %.2f messages a grant; threads %d, before %d%n",
                    waited, MANY, (double) calls / MANY, (double) messages / MANY, whileWaiting, threads);
            assertThat(waited).isGreaterThan(MANY / 2);
            assertThat(calls).isLessThanOrEqualTo(2L * MANY + seconds);
            assertThat(messages).isLessThanOrEqualTo(2L * MANY);
            assertThat(whileWaiting).isLessThan(threads + 20);
        }
    }

    private long calls(String command) {
        Matcher stat = Pattern.compile("cmdstat_" + command + ":calls=(\\d+)").matcher(jedis.info("commandstats"));
        return stat.find() ? Long.parseLong(stat.group(1)) : 0;
    }

    private List<LineAudit.Entry> entries() {
        return jedis.lrange(audit.getBytes(StandardCharsets.UTF_8), 0, -1).stream()
                .map(LineAudit::read)
                .toList();
    }

    /** How many calls of each process that has joined. */
    private Map<String, Integer> letGo() {
        Map<String, Integer> letGo = new HashMap<>();
        for (LineAudit.Entry entry : entries()) {
            if (entry instanceof LineAudit.Joined joined) {
                letGo.merge(joined.member().process(), 0, Integer::sum);
            } else if (entry instanceof LineAudit.LetGo gone) {
                letGo.merge(gone.process(), 1, Integer::sum);
            }
        }
        return letGo;
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

    private void startWorkers() {
        for (int i = 0; i < PROCESSES; i++) {
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
                process = new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java")
                                        .toString(),
                                "-Xmx128m",
                                "-XX:TieredStopAtLevel=1",
                                "-cp",
                                System.getProperty("java.class.path"),
                                FleetLineWorker.class.getName(),
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

        void tell(String what) {
            try {
                in.write(what + "\n");
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

        void kill() {
            process.destroyForcibly().onExit().join();
        }
    }
}
