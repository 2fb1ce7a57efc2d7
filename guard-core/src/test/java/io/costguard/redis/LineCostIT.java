package io.costguard.redis;

import static io.costguard.Awaiting.await;
import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.PatientRedis;
import io.costguard.Permit;
import io.costguard.WhenExhausted;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Patience;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.testing.FaultyLink;
import io.costguard.testing.RedisForTests;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.RedisClient;

/** What a line costs Redis and the processes that wait, counted by the server itself. */
@Timeout(120)
class LineCostIT {
    /** Who are let go one after the other. */
    private static final int WAITERS = Integer.getInteger("costguard.waiters", 1_000);

    private static final int CROWD = 10_000;
    private static final int PROCESSES = 5;
    private static final int REFILL = 500;
    private static final int BYTES_A_WAITER = 1_600;

    /** As long as a decision may have: a machine that stalls fails no test. */
    private static final Duration TIMEOUT = Duration.ofMinutes(1);

    private static final Patience PATIENT = new Patience(Duration.ofDays(365).toNanos() / 1_000, 0);
    private static final Limit STILL =
            Limit.requests(CROWD).per(Duration.ofDays(300)).tokenBucket();

    private final RedisForTests server = RedisForTests.start();
    private final RedisClient jedis = PatientRedis.client(server.url());
    private final String prefix = server.keyPrefix();
    private final List<RedisLedger> ledgers = new ArrayList<>();

    @AfterEach
    void close() {
        ledgers.forEach(RedisLedger::close);
        jedis.close();
        server.close();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4})
    @Tag("fault-16")
    void inOneLineAGrantTakesAtMostTwoCallsAndTwoMessages(int processes) {
        Toll toll = letGo(ledgers(processes, server.url()), claims(1_000));

        assertThat(toll.calls).as("calls").isLessThanOrEqualTo(2L * WAITERS + processes * toll.seconds);
        assertThat(toll.messages).as("messages").isLessThanOrEqualTo(2L * WAITERS);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4})
    void inTwoLinesAGrantTakesAtMostFiveCallsAndThreeMessages(int processes) {
        Toll toll = letGo(ledgers(processes, server.url()), claims(1_000, 800));

        assertThat(toll.calls).as("calls").isLessThanOrEqualTo(5L * WAITERS + 2L * processes * toll.seconds);
        assertThat(toll.messages).as("messages").isLessThanOrEqualTo(3L * WAITERS);
    }

    @Test
    void whereChannelsAreForbiddenAProcessLooksTenTimesASecond() {
        try (Jedis admin = PatientRedis.connection(server.url())) {
            admin.aclSetUser("deaf", "on", ">password", "~*", "resetchannels", "+@all");
        }
        Toll toll = letGo(ledgers(1, "redis://deaf:password@" + server.host() + ":" + server.port()), claims(1_000));

        assertThat(toll.calls).as("calls").isLessThanOrEqualTo(2L * WAITERS + 10 * toll.seconds);
    }

    @Test
    @Tag("fault-16")
    void ofFiveThousandWaitersARefillWakesThoseWhomItLetsGo() {
        Subject subject = new Subject(prefix + ":{x}:herd", Budget.named("herd").limit(STILL));
        List<RedisLedger> processes = ledgers(PROCESSES, server.url());
        RedisLedger first = processes.get(0);
        Charge refill = charge(first, subject, REFILL);
        charge(first, subject, CROWD - REFILL);
        List<CompletableFuture<Verdict>> ends = joinInTurn(processes, List.of(one(subject)), REFILL);
        processes.forEach(each -> join(each, List.of(one(subject)), (5_000 - REFILL) / PROCESSES));
        final long callsBefore = calls("evalsha");
        final long messagesBefore = calls("publish");
        final long asksBefore = asks();
        final long begin = System.nanoTime();

        first.settle(List.of(new Settled(refill, new long[] {0})), () -> {});
        CompletableFuture.allOf(ends.toArray(CompletableFuture<?>[]::new)).join();

        long beats = PROCESSES * secondsSince(begin);
        long calls = calls("evalsha") - callsBefore;
        long messages = calls("publish") - messagesBefore;
        long asks = asks() - asksBefore;
        System.out.printf(
                "5,000 wait, %d are let go: %.2f calls, %.2f asks and %.2f messages a grant%n",
                REFILL, (double) calls / REFILL, (double) asks / REFILL, (double) messages / REFILL);
        assertThat(calls).as("calls").isLessThanOrEqualTo(2L * REFILL + beats);
        assertThat(messages).as("messages").isLessThanOrEqualTo(2L * REFILL);
        assertThat(asks).as("asks").isLessThanOrEqualTo(2L * REFILL);
    }

    @Test
    void tenThousandCallsInLineTakeNoThreadAndLittleMemory() throws Exception {
        GuardedCall call = GuardedCall.of("gpt-4o");
        try (CostGuard guard = CostGuard.builder()
                .redis(server.url())
                .keyPrefix(prefix)
                .decisionTimeout(TIMEOUT)
                .budget(Budget.named("crowd").limit(STILL))
                .whenExhausted(WhenExhausted.waitUpTo(Duration.ofDays(365)))
                .build()) {
            guard.acquire(call.cost(Cost.requests(CROWD)));
            // By whose end what is made once has been made.
            List<CompletableFuture<Permit>> permits = new ArrayList<>(acquire(guard, call, 100));
            final int threads = ManagementFactory.getThreadMXBean().getThreadCount();
            long before = usedMemory();

            permits.addAll(acquire(guard, call, CROWD));

            long bytes = (usedMemory() - before) / CROWD;
            int more = ManagementFactory.getThreadMXBean().getThreadCount() - threads;
            System.out.printf("10,000 calls in line: %d bytes each, %d threads more%n", bytes, more);
            assertThat(bytes).isLessThanOrEqualTo(BYTES_A_WAITER);
            assertThat(more).isLessThan(20);
            assertThat(permits).noneMatch(CompletableFuture::isDone);
        }
    }

    private static List<CompletableFuture<Permit>> acquire(CostGuard guard, GuardedCall call, int count)
            throws GuardUnavailableException {
        long before = guard.status(call).get(0).waiting();
        List<CompletableFuture<Permit>> permits = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            permits.add(guard.acquireAsync(call));
        }
        await(() -> guard.status(call).get(0).waiting() == before + count);
        return permits;
    }

    @Test
    void behindTenThousandANewcomerInAHurryIsDeniedWithinOneCall() throws Exception {
        Subject subject =
                new Subject(prefix + ":{x}:crowd", Budget.named("crowd").limit(STILL));
        List<Claim> claims = List.of(one(subject));
        RedisLedger crowded = ledgers(1, server.url()).get(0);
        charge(crowded, subject, CROWD);
        join(crowded, claims, CROWD);
        try (FaultyLink link = FaultyLink.to(server)) {
            RedisLedger other = ledgers(1, link.url()).get(0);
            // From this one on its process knows of the line, and names it.
            other.reserve(claims, Patience.NONE, deadline());
            int before = link.requests().passed("EVALSHA");

            Verdict verdict = other.reserve(claims, new Patience(TimeUnit.SECONDS.toMicros(1), 0), deadline());

            assertThat(verdict).isInstanceOf(Verdict.Shortfall.class);
            assertThat(link.requests().passed("EVALSHA") - before).isEqualTo(1);
        }
    }

    /** What it took to let all waiters go. */
    private record Toll(long calls, long messages, long seconds) {}

    private Toll letGo(List<RedisLedger> processes, List<Claim> claims) {
        processes.get(0).reserveAsync(claims, Patience.NONE, deadline()).join();
        final long callsBefore = calls("evalsha");
        final long messagesBefore = calls("publish");
        final long begin = System.nanoTime();
        List<CompletableFuture<Verdict>> ends = processes.size() == 1
                ? join(processes.get(0), claims, WAITERS)
                : joinInTurn(processes, claims, WAITERS);
        ends.forEach(end -> assertThat(end.join()).isInstanceOf(Verdict.Granted.class));
        Toll toll = new Toll(calls("evalsha") - callsBefore, calls("publish") - messagesBefore, secondsSince(begin));
        System.out.printf(
                "%d calls of %d processes in %d lines: %.2f calls and %.2f messages a grant in %d s%n",
                WAITERS,
                processes.size(),
                claims.size(),
                (double) toll.calls / WAITERS,
                (double) toll.messages / WAITERS,
                toll.seconds);
        return toll;
    }

    /** What becomes of so many calls of each process in turn, one after the other; returns once they stand in line. */
    private static List<CompletableFuture<Verdict>> joinInTurn(
            List<RedisLedger> processes, List<Claim> claims, int count) {
        List<CompletableFuture<Verdict>> ends = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            ends.addAll(join(processes.get(i % processes.size()), claims, 1));
        }
        return ends;
    }

    /** The same of so many calls at once of one process. */
    private static List<CompletableFuture<Verdict>> join(RedisLedger process, List<Claim> claims, int count) {
        List<CompletableFuture<Verdict>> joins = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            joins.add(process.reserveAsync(claims, PATIENT, deadline()));
        }
        return joins.stream()
                .map(CompletableFuture::join)
                .map(verdict -> verdict instanceof Verdict.Waiting waiting
                        ? waiting.place().end()
                        : CompletableFuture.completedFuture(verdict))
                .toList();
    }

    private List<Claim> claims(long... rates) {
        List<Claim> claims = new ArrayList<>();
        for (long rate : rates) {
            Budget budget = Budget.named("of-" + rate)
                    .limit(Limit.requests(rate).perSecond().burst(10));
            claims.add(one(new Subject(prefix + ":{x}:of-" + rate, budget)));
        }
        return claims;
    }

    private static Claim one(Subject subject) {
        return new Claim(subject, new long[] {1});
    }

    private static Charge charge(RedisLedger ledger, Subject subject, long amount) {
        List<Claim> claims = List.of(new Claim(subject, new long[] {amount}));
        Verdict verdict = ledger.reserveAsync(claims, Patience.NONE, deadline()).join();
        return ((Verdict.Granted) verdict).charges().get(0);
    }

    private List<RedisLedger> ledgers(int count, String url) {
        Script counting =
                TestScript.ofTheRealOne().withAsksCountedAt(prefix + ":asks").build();
        List<RedisLedger> opened = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            opened.add(new RedisLedger(Redis.at(url, TIMEOUT), counting, prefix, TIMEOUT));
        }
        ledgers.addAll(opened);
        return opened;
    }

    private long asks() {
        String asks = jedis.get(prefix + ":asks");
        return asks == null ? 0 : Long.parseLong(asks);
    }

    private long calls(String command) {
        Matcher stat = Pattern.compile("cmdstat_" + command + ":calls=(\\d+)").matcher(jedis.info("commandstats"));
        return stat.find() ? Long.parseLong(stat.group(1)) : 0;
    }

    private static long usedMemory() {
        System.gc();
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    private static long deadline() {
        return System.nanoTime() + TIMEOUT.toNanos();
    }

    /** The one that has begun, too. */
    private static long secondsSince(long nanos) {
        return TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - nanos) + 1;
    }
}
