package io.costguard;

import static io.costguard.Awaiting.await;
import static io.costguard.Guards.LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.costguard.testing.FaultyLink;
import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongSupplier;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import redis.clients.jedis.Jedis;

/**
 * Regions that share a budget: each with a Redis of its own, and one that all reach. The time by which shares are known and given is the
 * test's; that of budgets is Redis's own. What is in force in all regions is summed after every step.
 */
@Timeout(180)
class RegionsIT {
    private static final int WHOLE = 1_000;
    private static final GuardedCall CALL = GuardedCall.of("gpt-4o");
    private static final Budget BUDGET = tokens(limit -> limit.fixedWindow());

    private static Map<String, RedisForTests> regional = Map.of();
    private static RedisForTests shared;

    private Fleet fleet = new Fleet();

    @BeforeAll
    static void start() {
        regional = Map.of("eu", RedisForTests.start(), "us", RedisForTests.start());
        shared = RedisForTests.start();
    }

    @AfterAll
    static void end() {
        regional.values().forEach(RedisForTests::close);
        shared.close();
    }

    @AfterEach
    void close() {
        fleet.close();
    }

    private static RedisForTests redis(String region) {
        return Objects.requireNonNull(regional.get(region));
    }

    private static Budget tokens(UnaryOperator<Limit> how) {
        return Budget.named("money").per().limit(how.apply(Limit.tokens(WHOLE).per(LONG)));
    }

    private static GuardedCall tokens(long tokens) {
        return CALL.cost(Cost.requests(1).input(tokens));
    }

    /** A process of a region. Where it stands still, what is in force in it counts all the same. */
    private static final class Member {
        final String region;
        final CostGuard guard;
        final FaultyLink link;
        boolean standsStill;

        Member(String region, CostGuard guard, FaultyLink link) {
            this.region = region;
            this.guard = guard;
            this.link = link;
        }

        /** In thousandths of the whole, or tokens. */
        long share() {
            try {
                return guard.status(CALL).get(0).capacity();
            } catch (GuardUnavailableException e) {
                throw new AssertionError(e);
            }
        }

        void use(long tokens) throws Exception {
            guard.acquire(tokens(tokens)).settle(Cost.requests(1).input(tokens));
        }

        void cut() {
            link.refuseConnections();
            link.resetConnections();
        }
    }

    /** The processes of one test. */
    private static final class Fleet implements AutoCloseable {
        final String prefix = "test-" + System.nanoTime();
        final AtomicLong nanos = new AtomicLong();
        final List<Member> processes = new ArrayList<>();

        Member process(String region) {
            return process(region, BUDGET);
        }

        Member process(String region, Budget budget) {
            return process(region, budget, Duration.ofSeconds(5), nanos::get);
        }

        Member process(String region, Budget budget, Duration decisionTimeout, LongSupplier nanoTime) {
            FaultyLink link = FaultyLink.to(shared);
            CostGuard guard = CostGuard.builder()
                    .redis(redis(region).url())
                    .keyPrefix(prefix)
                    .preCheck(Duration.ZERO)
                    .decisionTimeout(decisionTimeout)
                    .budget(budget)
                    .regions(
                            RegionalShares.of("money")
                                    .among("eu", "us")
                                    .in(region)
                                    .through(link.url()),
                            nanoTime)
                    .build();
            Member process = new Member(region, guard, link);
            processes.add(process);
            return process;
        }

        void pass(int seconds) {
            for (int i = 0; i < seconds; i++) {
                pass(Duration.ofSeconds(1));
            }
        }

        /** Each process looks once, after so long. */
        void pass(Duration time) {
            nanos.addAndGet(time.toNanos());
            for (Member process : processes) {
                if (!process.standsStill) {
                    process.guard.rebalance();
                }
                assertThat(inForce()).as("what is in force in all regions").isLessThanOrEqualTo(WHOLE);
            }
        }

        long inForce() {
            return regional.keySet().stream()
                    .mapToLong(region -> processes.stream()
                            .filter(process -> process.region.equals(region))
                            .mapToLong(Member::share)
                            .max()
                            .orElse(0))
                    .sum();
        }

        List<Long> shares() {
            return processes.stream().map(Member::share).toList();
        }

        @Override
        public void close() {
            for (Member process : processes) {
                process.guard.close();
                process.link.close();
            }
        }
    }

    @Test
    void atFirstEachRegionHasAnEqualPart() {
        fleet.process("eu");
        fleet.process("us");

        assertThat(fleet.shares()).as("before they have looked").containsExactly(100L, 100L);
        fleet.pass(3);
        assertThat(fleet.shares()).containsExactly(500L, 500L);
    }

    @Test
    void untilAllHaveToldWhatTheyHaveEachHasTheLeast() {
        fleet.process("eu");

        fleet.pass(100);

        assertThat(fleet.shares()).containsExactly(100L);
    }

    @Test
    void halfOfWhatARegionDoesNotUseGoesToOneThatWantsIt() throws Exception {
        Member eu = fleet.process("eu");
        Member us = fleet.process("us");
        fleet.pass(3);

        eu.use(100);
        us.use(500);
        fleet.pass(60);

        assertThat(fleet.shares()).containsExactly(300L, 700L);
        us.use(200);
        assertThat(us.guard.tryAcquire(tokens(1))).isEmpty();
    }

    @Test
    void whatNobodyWantsStaysWhereItIs() throws Exception {
        Member eu = fleet.process("eu");
        fleet.process("us");
        fleet.pass(3);

        eu.use(100);
        fleet.pass(100);

        assertThat(fleet.shares()).containsExactly(500L, 500L);
    }

    @Test
    void whoHasMoreThanAnEqualPartGivesItToWhoWantsItOnceItUsesNoMoreThanThat() throws Exception {
        Budget calls = Budget.named("money").per().limit(Limit.concurrentCalls(WHOLE));
        Member eu = fleet.process("eu", calls);
        Member us = fleet.process("us", calls);
        fleet.pass(3);
        try (Permit first = us.guard.acquireUpTo(CALL, 500)) {
            fleet.pass(60);
            assertThat(fleet.shares()).containsExactly(250L, 750L);

            Permit second = us.guard.acquireUpTo(CALL, 250);
            try (Permit others = eu.guard.acquireUpTo(CALL, 250)) {
                fleet.pass(30);
                assertThat(first.pieces() + second.pieces() + others.pieces()).isEqualTo(WHOLE);
                assertThat(fleet.shares()).as("lowered, and in use").containsExactly(250L, 500L);

                second.close();
                fleet.pass(3);
            }
        }
        assertThat(fleet.shares()).containsExactly(500L, 500L);
    }

    @Test
    void aShareThatIsLoweredIsNotGivenBeforeNoProcessGoesByTheLargerOne() throws Exception {
        fleet.process("eu");
        Member other = fleet.process("eu");
        Member us = fleet.process("us");
        fleet.pass(3);
        us.use(500);
        awaitLowered(other);
        assertThat(other.share()).isEqualTo(500);

        fleet.pass(30);

        assertThat(other.share()).as("of one that knows no more").isEqualTo(100);
        assertThat(other.guard.tryAcquire(tokens(101)))
                .as("more than the least")
                .isEmpty();
        assertThat(us.share()).isEqualTo(750);
    }

    /** It has looked whether the call is too large, and nothing else yet. */
    @Test
    void aCallOfAProcessThatStoodStillIsNotLetGoByTheShareOfBefore() throws Exception {
        AtomicReference<Runnable> meanwhile = new AtomicReference<>(() -> {});
        Duration decisionTimeout = Duration.ofSeconds(1);
        fleet.process("eu");
        Member us = fleet.process("us");
        Member other = fleet.process("eu", BUDGET, decisionTimeout, () -> {
            long looked = fleet.nanos.get();
            meanwhile.getAndSet(() -> {}).run();
            return looked;
        });
        fleet.pass(3);
        us.use(500);
        other.standsStill = true;
        meanwhile.set(() -> {
            long until = System.nanoTime() + decisionTimeout.toNanos();
            fleet.pass(30);
            await(() -> System.nanoTime() - until > 0);
        });

        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> other.guard.tryAcquire(tokens(400)));
        us.use(250);
    }

    @Test
    void whatWasUsedOfTheLargerShareIsNotGiven() throws Exception {
        Member exchanger = fleet.process("eu");
        Member other = fleet.process("eu");
        Member us = fleet.process("us");
        fleet.pass(3);
        us.use(500);
        awaitLowered(other);

        other.use(400);
        other.standsStill = false;
        fleet.pass(60);
        assertThat(us.share()).isEqualTo(500);

        fleet.pass(60);
        assertThat(exchanger.share())
                .as("taken back, for what is used and more")
                .isGreaterThan(400);
    }

    /** Returns when another process has just lowered its region's share, and this one, which stands still from then on, has not heard of it. */
    private void awaitLowered(Member other) {
        other.standsStill = true;
        await(() -> {
            other.guard.rebalance();
            fleet.pass(1);
            return text(redis("eu"), "share").contains("\n25 ");
        });
    }

    @Test
    void aBucketIsGivenOnceItHadTheTimeToFill() throws Exception {
        Member eu = fleet.process("eu", tokens(Limit::tokenBucket));
        Member us = fleet.process("us", tokens(Limit::tokenBucket));
        fleet.pass(3);
        us.use(500);
        await(() -> {
            fleet.pass(1);
            return eu.share() < 500;
        });
        fleet.pass(20);

        fleet.pass(LONG.minusMinutes(1));
        us.use(0);
        fleet.pass(1);
        assertThat(us.share()).isEqualTo(500);
        fleet.pass(60);

        assertThat(us.share()).isGreaterThan(500);
    }

    @Test
    void whileRegionsAreCutOffBothAnswerAndKeepWhatTheyHave() throws Exception {
        Member eu = fleet.process("eu");
        Member us = fleet.process("us");
        fleet.pass(3);
        us.use(500);
        fleet.pass(60);

        eu.cut();
        us.cut();
        fleet.pass(100);

        assertThat(fleet.shares()).containsExactly(250L, 750L);
        eu.use(250);
        us.use(250);
        assertThat(eu.guard.tryAcquire(tokens(1))).isEmpty();
        assertThat(us.guard.tryAcquire(tokens(1))).isEmpty();
    }

    /** Which way something is lost: what was asked for was not done, or nobody hears that it was. */
    enum Lost {
        REQUEST,
        REPLY;

        FaultyLink.Direction of(FaultyLink link) {
            return this == REQUEST ? link.requests() : link.replies();
        }
    }

    @ParameterizedTest
    @CsvSource({"REQUEST, eu", "REQUEST, us", "REPLY, eu", "REPLY, us"})
    void aCutAtAnyStepOfTheExchangeLeavesTheSumRight(Lost lost, String region) throws Exception {
        int steps = exchange(Integer.MAX_VALUE, region, lost, process -> {});
        assertThat(steps).isGreaterThan(8);
        for (int at = 0; at < steps; at++) {
            exchange(at, region, lost, Member::cut);
        }
    }

    @ParameterizedTest
    @CsvSource({"REQUEST, eu", "REQUEST, us", "REPLY, eu", "REPLY, us"})
    void aProcessThatDiesAtAnyStepOfTheExchangeLeavesTheSumRight(Lost lost, String region) throws Exception {
        int steps = exchange(Integer.MAX_VALUE, region, lost, process -> {});
        assertThat(steps).isGreaterThan(8);
        for (int at = 0; at < steps; at++) {
            exchange(at, region, lost, process -> process.standsStill = true);
        }
    }

    private interface Fault {
        void of(Member process);
    }

    /**
     * A part of the budget goes from one region to the other, whatever happens after so many steps: says how many there were.
     *
     * @param region whose first process it happens to
     */
    private int exchange(int at, String region, Lost lost, Fault fault) throws Exception {
        try (Fleet regions = new Fleet()) {
            List<Member> all =
                    List.of(regions.process("eu"), regions.process("us"), regions.process("eu"), regions.process("us"));
            Member first = region.equals("eu") ? all.get(0) : all.get(1);
            FaultyLink.Direction direction = lost.of(first.link);
            direction.resetAfter(at, "EVAL");
            while (direction.withheld() == 0 && all.get(3).share() <= 500) {
                step(regions, all.get(3));
            }
            int steps = direction.passed("EVAL");
            fault.of(first);
            for (int i = 0; i < 5; i++) {
                step(regions, all.get(3));
            }
            direction.pass();
            first.link.acceptConnections();
            await(() -> {
                step(regions, all.get(3));
                return all.get(3).share() > 500;
            });
            return steps;
        }
    }

    /** A region that uses all that it has, up to half of the whole. */
    private static void step(Fleet regions, Member busy) throws Exception {
        long used = WHOLE - busy.guard.status(CALL).get(0).balance() - (WHOLE - busy.share());
        busy.use(Math.max(0, Math.min(busy.share(), 500) - used));
        regions.pass(Duration.ofSeconds(4));
    }

    @Test
    void aRegionThatLostItsStateHasWhatTheSharedRedisSays() throws Exception {
        fleet.process("eu");
        Member us = fleet.process("us");
        fleet.pass(3);
        us.use(500);
        fleet.pass(60);
        assertThat(fleet.shares()).containsExactly(250L, 750L);

        forget(redis("us"), "share");
        fleet.pass(3);

        assertThat(fleet.shares()).containsExactly(250L, 750L);
    }

    @Test
    void whatARegionLostWhileItGaveItIsNotGivenTwice() throws Exception {
        Member exchanger = fleet.process("eu");
        Member us = fleet.process("us");
        fleet.pass(3);
        us.use(500);
        await(() -> {
            fleet.pass(1);
            return exchanger.share() < 500;
        });

        for (int i = 0; i < 30; i++) {
            forget(redis("eu"), "share");
            fleet.pass(1);
        }
        fleet.pass(60);

        assertThat(fleet.shares()).containsExactly(250L, 750L);
    }

    @Test
    void aSharedRedisThatLostItsStateHearsItFromTheRegions() throws Exception {
        Member eu = fleet.process("eu");
        Member us = fleet.process("us");
        fleet.pass(3);
        us.use(500);
        fleet.pass(60);
        assertThat(fleet.shares()).containsExactly(250L, 750L);

        us.cut();
        forget(shared, "shares");
        eu.use(250);
        fleet.pass(60);
        assertThat(fleet.shares()).as("while one has not told what it has").containsExactly(250L, 750L);

        us.link.acceptConnections();
        fleet.pass(5);
        assertThat(fleet.shares()).containsExactly(250L, 750L);
    }

    private String text(RedisForTests redis, String name) {
        try (Jedis client = new Jedis(redis.host(), redis.port())) {
            return client.get(fleet.prefix + ":" + name);
        }
    }

    private void forget(RedisForTests redis, String name) {
        try (Jedis client = new Jedis(redis.host(), redis.port())) {
            assertThat(client.del(fleet.prefix + ":" + name)).isEqualTo(1);
        }
    }

    @Test
    void underLoadWithACutTheSumOfWhatGoesIsNeverOver() throws Exception {
        Member eu = fleet.process("eu");
        Member us = fleet.process("us");
        Member usToo = fleet.process("us");
        AtomicBoolean over = new AtomicBoolean();
        AtomicLong used = new AtomicLong();
        ExecutorService threads = Executors.newCachedThreadPool();
        List<Future<?>> callers = new ArrayList<>();
        try {
            for (Member process : List.of(us, usToo)) {
                callers.add(threads.submit(() -> {
                    while (!over.get()) {
                        if (process.guard.tryAcquire(tokens(7)).isPresent()) {
                            used.addAndGet(7);
                        }
                    }
                    return null;
                }));
            }
            for (int i = 0; i < 150; i++) {
                if (i % 40 == 20) {
                    us.cut();
                    eu.cut();
                } else if (i % 40 == 30) {
                    us.link.acceptConnections();
                    eu.link.acceptConnections();
                }
                fleet.pass(1);
            }
            over.set(true);
            for (Future<?> caller : callers) {
                caller.get(1, TimeUnit.MINUTES);
            }
        } finally {
            over.set(true);
            threads.shutdownNow();
        }
        long left = eu.share();
        eu.use(left);

        assertThat(us.share()).isGreaterThan(750);
        assertThat(used.get()).isBetween(us.share() - 6, us.share());
        assertThat(used.get() + left).isLessThanOrEqualTo(WHOLE);
    }

    @Test
    void anUpdatedBudgetStaysShared() {
        Member eu = fleet.process("eu");
        fleet.process("us");
        fleet.pass(3);

        eu.guard.update(
                List.of(Budget.named("money").per().limit(Limit.tokens(600).per(LONG))));

        assertThat(eu.share()).isEqualTo(300);
    }

    @Test
    void regionsThatWereToldOtherRegionsShareNothing() throws Exception {
        Member eu = fleet.process("eu");
        Member us = fleet.process("us");
        fleet.pass(3);
        us.use(500);
        String others = text(shared, "shares").replace("least 10", "least 11");
        try (Jedis client = new Jedis(shared.host(), shared.port())) {
            client.set(fleet.prefix + ":shares", others);
        }

        assertThat(Logged.by(() -> fleet.pass(60))).contains("least 11").contains("least 10");
        assertThat(eu.share()).isEqualTo(500);
    }

    @Test
    void whatMakesNoSenseIsRefused() {
        RegionalShares shares =
                RegionalShares.of("money").among("eu", "us").in("eu").through("redis://localhost");
        refused(shares.in("asia"), BUDGET, "asia");
        refused(shares.keeping(Share.percent(51)), BUDGET, "50 % at most");
        refused(RegionalShares.of("rate").among("eu", "us").in("eu").through("redis://localhost"), BUDGET, "'rate'");
        refused(shares, Budget.named("money").limit(Limit.tokens(WHOLE).perDay()), "[model, apiKey]");
        refused(shares, Budget.named("money").per().limit(Limit.concurrentCalls(9)), "10 % of it is nothing");
        assertThatIllegalArgumentException().isThrownBy(() -> shares.among("eu", "eu"));
        assertThatIllegalArgumentException().isThrownBy(() -> shares.among("eu", "u s"));
    }

    private static void refused(RegionalShares shares, Budget budget, String why) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> CostGuard.builder()
                        .redis("redis://localhost")
                        .budget(budget)
                        .regions(shares)
                        .build())
                .withMessageContaining(why);
    }
}
