package io.costguard.redis;

import static io.costguard.Awaiting.await;
import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.LimitStatus;
import io.costguard.Permit;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Patience;
import io.costguard.limit.Standing;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.testing.FaultyLink;
import io.costguard.testing.RedisCluster;
import io.costguard.testing.RedisForTests;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.HostAndPortMapper;
import redis.clients.jedis.RedisClusterClient;
import redis.clients.jedis.util.JedisClusterCRC16;

/** Calls whose budgets lie in several slots of a cluster, on three nodes. */
@Timeout(300)
class AcrossSlotsIT {
    private static final Duration PATIENT = Duration.ofMinutes(1);
    private static final Limit DAILY = Limit.requests(100).perDay();
    private static final int MANY_MILLIS = 60_000;
    /** Ends with the JVM, in which the class runs again for each mutant. */
    private static final RedisCluster cluster = RedisCluster.start(3, 0);

    private final String prefix = cluster.keyPrefix();
    private final RedisClusterClient client = client(node -> node, MANY_MILLIS);
    private final List<RedisLedger> ledgers = new ArrayList<>();
    private final RedisLedger ledger = ledger(client);

    // Each on a node of its own; by their slots, "b" is the first, and "a" the last.
    private final Subject a = subject("a", DAILY);
    private final Subject b = subject("b", DAILY);
    private final Subject c = subject("c", DAILY);

    @AfterEach
    void close() {
        ledgers.forEach(RedisLedger::close);
        client.close();
    }

    // ------------------------------------------------------------------------------------------------- all or none

    @Test
    void aCallIsChargedInEachOfItsSlots() throws Exception {
        Verdict.Granted granted = granted(ledger, 10, a, b, c);

        assertThat(granted.charges())
                .extracting(charge -> charge.claim().subject())
                .containsExactlyInAnyOrder(a, b, c);
        assertThat(balances(a, b, c)).containsExactly(90L, 90L, 90L);
    }

    @ParameterizedTest
    @ValueSource(strings = {"a", "b", "c"})
    @Tag("invariant-4")
    void aCallThatOneSlotDoesNotCoverIsChargedInNone(String spent) throws Exception {
        granted(ledger, 95, subject(spent, DAILY));

        Verdict verdict = reserve(ledger, 10, a, b, c);

        assertThat(verdict).isInstanceOfSatisfying(Verdict.Shortfall.class, denied -> {
            assertThat(denied.claim().subject()).isEqualTo(subject(spent, DAILY));
            assertThat(denied.available()).isEqualTo(5);
        });
        assertThat(balances(a, b, c).stream().mapToLong(Long::longValue).sum()).isEqualTo(300 - 95);
    }

    @Test
    void aCallOfOneSlotIsDecidedWhileTheNodesOfOthersAreAway() throws Exception {
        List<FaultyLink> links = links();
        try (RedisClusterClient linked = client(by(links), 250)) {
            RedisLedger own = ledger(linked);
            granted(own, 1, a, b);
            FaultyLink ofA = links.get(nodeOf(a));
            ofA.replies().drop("EVALSHA");
            CompletableFuture<Verdict> away = own.reserveAsync(claims(1, a), Patience.NONE, deadline());

            granted(own, 1, b);
            Charge charge = granted(own, 1, b).charges().get(0);
            own.settle(List.of(new Settled(charge, new long[] {0})), () -> {});
            await(() -> balances(b).equals(List.of(98L)));

            assertThat(away).isNotDone();
            ofA.replies().pass();
            assertThat(away.get()).isInstanceOf(Verdict.Granted.class);
        } finally {
            links.forEach(FaultyLink::close);
        }
    }

    @Test
    void aFleetIsNeverOverInAnySlotAndGivesBackAllThatItTookInVain() throws Exception {
        RedisLedger other = ledger(client);
        List<Subject> all = List.of(a, b, c);
        AtomicLongArray taken = new AtomicLongArray(all.size());
        List<List<Subject>> kinds = List.of(List.of(a, b, c), List.of(a, b), List.of(c, b), List.of(c, a), List.of(a));
        List<CompletableFuture<Void>> callers = IntStream.range(0, 8)
                .mapToObj(caller -> running(() -> {
                    for (int call = 0; call < 50; call++) {
                        List<Subject> asked = kinds.get((caller + call) % kinds.size());
                        long amount = 1L + call % 3;
                        Verdict verdict =
                                reserve(caller % 2 == 0 ? ledger : other, amount, asked.toArray(Subject[]::new));
                        if (verdict instanceof Verdict.Granted) {
                            asked.forEach(subject -> taken.addAndGet(all.indexOf(subject), amount));
                        }
                    }
                }))
                .toList();
        for (CompletableFuture<Void> caller : callers) {
            caller.get();
        }
        ledger.flush(deadline());
        other.flush(deadline());

        for (int i = 0; i < all.size(); i++) {
            assertThat(balances(all.get(i))).containsExactly(100 - taken.get(i));
        }
        assertThat(taken.get(all.indexOf(a))).isBetween(98L, 100L);
    }

    // ------------------------------------------------------------------------------------------------ exactly once

    @Test
    @Tag("slow")
    void repliesThatAreLostAtAnyNodeChargeAndSettleOnce() throws Exception {
        List<FaultyLink> links = links();
        try (RedisClusterClient linked = client(by(links), 250)) {
            RedisLedger own = ledger(linked);
            granted(own, 1, a, b, c);
            long left = 99;
            for (FaultyLink link : links) {
                link.replies().dropNext("EVALSHA");
                List<Charge> charges = granted(own, 10, a, b, c).charges();
                link.replies().dropNext("EVALSHA");
                own.settle(
                        charges.stream()
                                .map(each -> new Settled(each, new long[] {4}))
                                .toList(),
                        () -> {});
                own.flush(deadline());
                left -= 4;

                assertThat(balances(a, b, c)).containsExactly(left, left, left);
            }
        } finally {
            links.forEach(FaultyLink::close);
        }
    }

    @Test
    @Tag("slow")
    void aCallWhoseLastSlotStaysUnknownLeavesNothingInAny() throws Exception {
        List<FaultyLink> links = links();
        try (RedisClusterClient linked = client(by(links), 250)) {
            Duration soon = Duration.ofMillis(600);
            RedisLedger own = kept(new RedisLedger(Redis.of(linked), prefix, soon));
            granted(own, 1, a, b, c);
            links.get(nodeOf(a)).replies().drop("EVALSHA");

            CompletableFuture<Verdict> asked =
                    own.reserveAsync(claims(10, a, b, c), Patience.NONE, System.nanoTime() + soon.toNanos());
            await(asked::isCompletedExceptionally);
            links.get(nodeOf(a)).replies().pass();

            await(() -> balances(a, b, c).equals(List.of(99L, 99L, 99L)));
        } finally {
            links.forEach(FaultyLink::close);
        }
    }

    /** Two subjects, each by itself: what one script over both would have to be told, nobody tells. */
    @ParameterizedTest(name = "seed {0}")
    @ValueSource(longs = {1, 2, 3})
    void anyHistoryIsTheModelsInEachSlot(long seed) throws Exception {
        Script audited = TestScript.ofTheRealOne()
                .withAuditAt("AUDIT")
                .replace("'AUDIT'", "KEYS[2] .. ':audit'")
                .build();
        Subject one =
                subject("a", Limit.requests(50).perHour(), Limit.tokens(900).perDay());
        Subject two = subject(
                "b",
                Limit.requests(60).perDay().slidingWindow(),
                Limit.tokens(700).perMonth());
        RedisLedger own = kept(new RedisLedger(Redis.of(client), audited, prefix, PATIENT));
        List<CompletableFuture<Void>> callers = IntStream.range(0, 4)
                .mapToObj(caller -> running(() -> anyHistory(own, new Random(seed * 10 + caller), one, two)))
                .toList();
        for (CompletableFuture<Void> caller : callers) {
            caller.get();
        }
        own.flush(deadline());

        for (Subject subject : List.of(one, two)) {
            LedgerModel model = new LedgerModel();
            byte[] audit = (subject.key() + ":audit").getBytes(StandardCharsets.UTF_8);
            for (byte[] entry : client.lrange(audit, 0, -1)) {
                model.replay(entry);
            }
            assertThat(model.granted()).isPositive();
            assertThat(model.out(0)).isBetween(0L, subject.limits().get(0).capacity());
            assertThat(model.out(1)).isNotNegative();
        }
    }

    private static void anyHistory(RedisLedger ledger, Random random, Subject one, Subject two) throws Exception {
        List<Charge> open = new ArrayList<>();
        for (int step = 0; step < 100; step++) {
            List<Claim> claims = new ArrayList<>();
            for (Subject subject : random.nextInt(4) > 0 ? List.of(one, two) : List.of(one)) {
                claims.add(new Claim(subject, new long[] {1 + random.nextInt(4), random.nextInt(90)}));
            }
            if (ledger.reserve(claims, Patience.NONE, deadline()) instanceof Verdict.Granted granted) {
                assertThat(granted.charges()).hasSameSizeAs(claims);
                open.addAll(granted.charges());
            }
            while (open.size() > 6) {
                Charge charge = open.remove(random.nextInt(open.size()));
                long[] used = {charge.claim().amounts()[0] * random.nextInt(2), random.nextInt(90)};
                ledger.settle(List.of(new Settled(charge, used)), () -> {});
            }
        }
        for (Charge charge : open) {
            ledger.settle(List.of(new Settled(charge, new long[] {0, 0})), () -> {});
        }
    }

    // ---------------------------------------------------------------------------------------------------- waiting

    @Test
    void callsOfTwoProcessesWaitInOneOrderForAllTheirSlots() throws Exception {
        RedisLedger other = ledger(client);
        List<Charge> charges = granted(ledger, 100, a, b, c).charges();
        List<CompletableFuture<Verdict>> waiting = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            waiting.add(waits(i % 2 == 0 ? ledger : other, 100, a, b, c));
        }

        for (CompletableFuture<Verdict> next : waiting) {
            assertThat(next).isNotDone();
            settleUnused(charges);
            charges = ((Verdict.Granted) next.get()).charges();
        }
        assertThat(balances(a, b, c)).containsExactly(0L, 0L, 0L);
    }

    @Test
    void callsThatComeAtOnceStandInTheSameOrderInEachLine() throws Exception {
        RedisLedger other = ledger(client);
        granted(ledger, 100, a, b);
        List<CompletableFuture<Verdict>> comers = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            comers.add((i % 2 == 0 ? ledger : other).reserveAsync(claims(1, a, b), LONG, deadline()));
        }
        List<Verdict.Place> places = new ArrayList<>();
        for (CompletableFuture<Verdict> comer : comers) {
            places.add(((Verdict.Waiting) comer.get()).place());
        }

        assertThat(line(a)).hasSize(60).isEqualTo(line(b));
        assertThat(line(a)).extracting(Waits::place).doesNotHaveDuplicates();

        places.forEach(Verdict.Place::leave);
        await(() -> line(a).isEmpty() && line(b).isEmpty());
    }

    @Test
    void aCallThatWaitsForAnotherSlotKeepsItsRoomHereAndNoMore() throws Exception {
        List<Charge> charges = granted(ledger, 100, b).charges();
        CompletableFuture<Verdict> waits = waits(ledger, 60, a, b);

        granted(ledger, 40, a);
        assertThat(reserve(ledger, 1, a)).isInstanceOf(Verdict.Shortfall.class);
        assertThat(waits).isNotDone();

        settleUnused(charges);
        assertThat(waits.get()).isInstanceOf(Verdict.Granted.class);
        assertThat(balances(a, b)).containsExactly(0L, 40L);
    }

    @Test
    void aCallBehindOneThatWaitsForAnotherSlotGoesAsSoonAsThereIsRoomForBoth() throws Exception {
        List<Charge> ofA = granted(ledger, 100, a).charges();
        granted(ledger, 100, b);
        CompletableFuture<Verdict> first = waits(ledger, 60, a, b);
        CompletableFuture<Verdict> second = waits(ledger(client), 40, a);

        settleUnused(ofA);

        assertThat(second.get()).isInstanceOf(Verdict.Granted.class);
        assertThat(first).isNotDone();
    }

    @Test
    void aCallThatCannotBeLetGoInTimeByOneSlotStandsInNone() throws Exception {
        granted(ledger, 100, a, b);

        Verdict verdict = ledger.reserve(claims(1, a, b), new Patience(1, 0), deadline());

        assertThat(verdict).isInstanceOf(Verdict.Shortfall.class);
        assertThat(line(a)).isEmpty();
        assertThat(line(b)).isEmpty();
    }

    @Test
    void aCallThatGivesUpLeavesAllItsLines() throws Exception {
        granted(ledger, 100, a, b);
        Verdict.Waiting waiting = (Verdict.Waiting) ledger.reserve(claims(1, a, b), LONG, deadline());
        assertThat(line(a)).hasSize(1);

        waiting.place().leave();

        await(() -> line(a).isEmpty() && line(b).isEmpty());
    }

    @Test
    void aCallThatRedisForgotInOneSlotStandsThereAgain() throws Exception {
        List<Charge> charges = granted(ledger, 100, a, b).charges();
        CompletableFuture<Verdict> waits = waits(ledger, 10, a, b);
        List<Waits> before = line(a);

        client.del(a.key() + ":line");
        await(() -> line(a).equals(before));

        settleUnused(charges);
        assertThat(waits.get()).isInstanceOf(Verdict.Granted.class);
    }

    @Test
    void aCallThatIsShortInOneSlotBeginsTheCoolDownThere() throws Exception {
        Subject cooling = subject("b", DAILY.coolDown(Duration.ofHours(100)));
        granted(ledger, 95, cooling);

        Verdict verdict = reserve(ledger, 10, a, cooling, c);

        assertThat(verdict)
                .isInstanceOfSatisfying(
                        Verdict.Shortfall.class,
                        denied -> assertThat(denied.heldMicros())
                                .isEqualTo(Duration.ofHours(100).toNanos() / 1_000));
        granted(ledger, 1, a, c);
        assertThat(reserve(ledger, 1, cooling)).isInstanceOf(Verdict.Shortfall.class);
    }

    // ------------------------------------------------------------------------------------------ by hand, and a guard

    @Test
    void whatIsDoneByHandReachesEachSlot() throws Exception {
        ledger.change(Ledger.Change.CHARGE, claims(30, a, b)).get();
        ledger.change(Ledger.Change.REFUND, claims(10, a, b)).get();
        assertThat(balances(a, b)).containsExactly(80L, 80L);
        ledger.hold(List.of(a, b), Duration.ofHours(1)).get();
        assertThat(reserve(ledger, 1, a)).isInstanceOf(Verdict.Shortfall.class);
        assertThat(reserve(ledger, 1, b)).isInstanceOf(Verdict.Shortfall.class);

        ledger.change(Ledger.Change.RESET, claims(0, a, b)).get();

        granted(ledger, 100, a, b);
    }

    @Test
    void aGuardHoldsACallToBudgetsOfItsKeyAndOfEverything() throws Exception {
        try (CostGuard guard = CostGuard.builder()
                .redis(client)
                .keyPrefix(prefix)
                .decisionTimeout(PATIENT)
                .budget(Budget.named("key").limit(Limit.requests(2).perHour()))
                .budget(Budget.named("all").per().limit(Limit.tokens(100).perDay()))
                .build()) {
            GuardedCall call = GuardedCall.of("gpt-4o")
                    .with("apiKey", "sk-1")
                    .cost(Cost.requests(1).input(40));
            Permit permit = guard.acquire(call);
            permit.settle(Cost.requests(1).input(90));

            assertThat(guard.status(call)).extracting(LimitStatus::balance).containsExactly(1L, 10L);
            assertThat(guard.tryAcquire(call)).isEmpty();
            assertThat(guard.status(call)).extracting(LimitStatus::balance).containsExactly(1L, 10L);
        }
    }

    // --------------------------------------------------------------------------------------------------- the words

    private static final Patience LONG = new Patience(Duration.ofDays(300).toNanos() / 1_000, 0);

    /** One that stands in line, and where. */
    private record Waits(String call, double place) {}

    /** What a test does on a thread of its own. */
    private interface Task {
        void run() throws Exception;
    }

    private static CompletableFuture<Void> running(Task task) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        Thread thread = new Thread(() -> {
            try {
                task.run();
                done.complete(null);
            } catch (Throwable e) {
                done.completeExceptionally(e);
            }
        });
        thread.setDaemon(true);
        thread.start();
        return done;
    }

    private RedisLedger ledger(RedisClusterClient of) {
        return kept(new RedisLedger(Redis.of(of), prefix, PATIENT));
    }

    private RedisLedger kept(RedisLedger opened) {
        ledgers.add(opened);
        return opened;
    }

    private Subject subject(String tag, Limit... limits) {
        Budget budget = Budget.named(tag);
        for (Limit limit : limits) {
            budget = budget.limit(limit);
        }
        return new Subject(prefix + ":{" + tag + "}:s", budget);
    }

    private static List<Claim> claims(long amount, Subject... subjects) {
        return Stream.of(subjects)
                .map(subject -> new Claim(subject, new long[] {amount}))
                .toList();
    }

    private static long deadline() {
        return System.nanoTime() + PATIENT.toNanos();
    }

    private static Verdict reserve(RedisLedger ledger, long amount, Subject... subjects) throws Exception {
        return ledger.reserve(claims(amount, subjects), Patience.NONE, deadline());
    }

    private static Verdict.Granted granted(RedisLedger ledger, long amount, Subject... subjects) throws Exception {
        Verdict verdict = reserve(ledger, amount, subjects);
        assertThat(verdict).isInstanceOf(Verdict.Granted.class);
        return (Verdict.Granted) verdict;
    }

    private static CompletableFuture<Verdict> waits(RedisLedger ledger, long amount, Subject... subjects)
            throws Exception {
        Verdict verdict = ledger.reserve(claims(amount, subjects), LONG, deadline());
        assertThat(verdict).isInstanceOf(Verdict.Waiting.class);
        return ((Verdict.Waiting) verdict).place().end();
    }

    private void settleUnused(List<Charge> charges) {
        ledger.settle(
                charges.stream().map(each -> new Settled(each, new long[] {0})).toList(), () -> {});
    }

    private List<Long> balances(Subject... subjects) throws Exception {
        List<List<Standing>> standings = ledger.look(claims(1, subjects), deadline());
        return standings.stream().map(limits -> limits.get(0).balance()).toList();
    }

    private List<Waits> line(Subject subject) {
        byte[] key = (subject.key() + ":line").getBytes(StandardCharsets.UTF_8);
        // A process, and which of its calls.
        return client.zrangeWithScores(key, 0, -1).stream()
                .filter(member -> member.getScore() > 0)
                .map(member -> new Waits(HexFormat.of().formatHex(member.getBinaryElement(), 0, 18), member.getScore()))
                .toList();
    }

    /** Which of the nodes. */
    private static int nodeOf(Subject subject) {
        return JedisClusterCRC16.getSlot(subject.key()) * 3 / 16_384;
    }

    private static HostAndPort addressOf(RedisForTests node) {
        return new HostAndPort(node.host(), node.port());
    }

    private static List<FaultyLink> links() {
        return cluster.nodes().stream().map(FaultyLink::to).toList();
    }

    private static HostAndPortMapper by(List<FaultyLink> links) {
        List<HostAndPort> nodes =
                cluster.nodes().stream().map(AcrossSlotsIT::addressOf).toList();
        return node -> {
            FaultyLink link = links.get(nodes.indexOf(node));
            return new HostAndPort(link.host(), link.port());
        };
    }

    /** @param by where a node is reached */
    private static RedisClusterClient client(HostAndPortMapper by, int socketMillis) {
        Set<HostAndPort> nodes =
                cluster.nodes().stream().map(AcrossSlotsIT::addressOf).collect(Collectors.toSet());
        return RedisClusterClient.builder()
                .nodes(nodes)
                .maxAttempts(1)
                .clientConfig(DefaultJedisClientConfig.builder()
                        .hostAndPortMapper(by)
                        .connectionTimeoutMillis(MANY_MILLIS)
                        .socketTimeoutMillis(socketMillis)
                        .blockingSocketTimeoutMillis(MANY_MILLIS)
                        .build())
                .build();
    }
}
