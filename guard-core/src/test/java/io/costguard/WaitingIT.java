package io.costguard;

import static io.costguard.Awaiting.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.testing.FaultyLink;
import io.costguard.testing.RedisForTests;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.RedisClient;

/** What a caller sees of the line. */
@Timeout(60)
class WaitingIT {
    private static final GuardedCall CALL = GuardedCall.of("gpt-4o");
    private static final WhenExhausted PATIENTLY = WhenExhausted.waitUpTo(Duration.ofSeconds(30));
    /** Longer than any stall of the machine between two calls. */
    private static final Limit TWO_IN_THREE_SECONDS = Limit.requests(2).per(Duration.ofSeconds(3));

    private static final Limit ONE_IN_THREE_SECONDS = Limit.requests(1).per(Duration.ofSeconds(3));

    private static final Limit SLOW = Limit.requests(1).perMinute();

    private final RedisForTests redis = RedisForTests.shared();
    private final String prefix = redis.keyPrefix();
    private final List<CostGuard> guards = new ArrayList<>();
    private final Recorder events = new Recorder();

    @AfterEach
    void close() {
        guards.forEach(CostGuard::close);
    }

    @Test
    void aCallWaitsForItsTurnAndKnowsHowLong() throws Exception {
        CostGuard guard = guard(ONE_IN_THREE_SECONDS);
        assertThat(guard.acquire(CALL).waited()).isZero();

        Permit permit = guard.acquire(CALL);

        assertThat(permit.waited()).isPositive();
        assertThat(events.waits)
                .singleElement()
                .satisfies(
                        waiting -> assertThat(waiting.expected().retryAfter()).isPositive());
        assertThat(events.grants)
                .last()
                .satisfies(grant -> assertThat(grant.waited()).isEqualTo(permit.waited()));
    }

    @Test
    void aCallThatCannotBeLetGoInTimeIsDeniedAtOnce() throws Exception {
        CostGuard guard = guard(SLOW);
        guard.acquire(CALL);

        assertThatExceptionOfType(BudgetExceededException.class)
                .isThrownBy(() -> guard.acquire(CALL))
                .satisfies(denied -> assertThat(denied.waited()).isZero());
        assertThat(events.waits).isEmpty();
    }

    @Test
    void statusTellsWhoWaitsAndHowLongANewcomerOfThatCostWould() throws Exception {
        Limit limit = Limit.requests(10).perHour();
        CostGuard guard = guard(limit);
        GuardedCall patient = CALL.whenExhausted(WhenExhausted.waitUpTo(Duration.ofHours(3)));
        assertThat(guard.status(CALL.cost(Cost.requests(10))).get(0).newcomerWait())
                .isZero();
        long beganNanos = System.nanoTime();
        guard.acquire(CALL.cost(Cost.requests(10)));
        CompletableFuture<Permit> one = guard.acquireAsync(patient.cost(Cost.requests(3)));
        CompletableFuture<Permit> other = guard.acquireAsync(patient.cost(Cost.requests(4)));
        await(() -> waiting(guard) == 2);

        LimitStatus small = guard(limit).status(CALL).get(0);
        LimitStatus large = guard.status(CALL.cost(Cost.requests(5))).get(0);
        Duration elapsed = Duration.ofNanos(System.nanoTime() - beganNanos);

        assertThat(small.waiting()).isEqualTo(2);
        assertThat(small.newcomerWait())
                .isBetween(Duration.ofMinutes(6 * (3 + 4 + 1)).minus(elapsed), Duration.ofMinutes(6 * (3 + 4 + 1)));
        assertThat(large.newcomerWait())
                .isBetween(Duration.ofMinutes(6 * (3 + 4 + 5)).minus(elapsed), Duration.ofMinutes(6 * (3 + 4 + 5)));
        assertThat(one).isNotDone();
        assertThat(other).isNotDone();
    }

    @Test
    void aLimitOfWhichACallAsksNothingTellsTheWaitOfTheSmallest() throws Exception {
        CostGuard guard = guard(Limit.tokens(10).perHour());
        assertThat(guard.status(CALL).get(0).newcomerWait()).isZero();

        guard.acquire(CALL.cost(Cost.requests(1).input(10)));

        assertThat(guard.status(CALL).get(0).newcomerWait()).isBetween(Duration.ofMinutes(4), Duration.ofMinutes(6));
    }

    @Test
    void callsThatDoNotWaitAreDeniedWhileOthersWait() throws Exception {
        CostGuard guard = guard(Limit.requests(1).per(Duration.ofSeconds(20)));
        guard.acquire(CALL);
        CompletableFuture<Permit> waits = guard.acquireAsync(CALL);
        await(() -> waiting(guard) == 1);

        assertThat(guard.tryAcquire(CALL)).isEmpty();
        assertThat(guard.decide(CALL)).isInstanceOf(Decision.Denied.class);
        assertThatExceptionOfType(BudgetExceededException.class)
                .isThrownBy(() -> guard.acquire(CALL.whenExhausted(WhenExhausted.reject())));
        assertThat(waits).isNotDone();
    }

    @Test
    void callsThatAreCancelledWhileTheyWaitAreNoOutage() throws Exception {
        CostGuard guard = guard(
                Limit.requests(1).per(Duration.ofSeconds(20)),
                builder -> builder.redis(redis.url())
                        .whenRedisFails(WhenRedisFails.failOpen())
                        .whenExhausted(WhenExhausted.waitUpTo(Duration.ofHours(1))));
        guard.acquire(CALL);
        List<CompletableFuture<Permit>> waits = new ArrayList<>();
        for (int i = 0; i < 50; i++) {
            waits.add(guard.acquireAsync(CALL));
        }
        await(() -> waiting(guard) == 50);

        waits.forEach(wait -> wait.cancel(true));

        await(() -> waiting(guard) == 0);
        assertThat(events.failedOpen).isEmpty();
        assertThat(events.grants).hasSize(1);
    }

    @Test
    void whatIsGivenBackLetsTheFirstGoEarlyInAnotherProcess() throws Exception {
        Limit limit = Limit.requests(2).per(Duration.ofSeconds(20)).burst(2);
        CostGuard one = guard(limit);
        CostGuard other = guard(limit);
        Permit permit = one.acquire(CALL.cost(Cost.requests(2)));
        CompletableFuture<Permit> waits = other.acquireAsync(CALL);
        await(() -> waiting(other) == 1);

        permit.release();

        assertThat(waits.get(5, TimeUnit.SECONDS).waited()).isLessThan(Duration.ofSeconds(10));
    }

    @Test
    void anInterruptedCallLeavesAtOnceAndKeepsTheFlag() throws Exception {
        CostGuard guard = guard(Limit.requests(1).per(Duration.ofSeconds(20)));
        guard.acquire(CALL);
        CompletableFuture<Boolean> flag = new CompletableFuture<>();
        Thread caller = new Thread(() -> {
            try {
                guard.acquire(CALL);
                flag.complete(false);
            } catch (InterruptedIOException e) {
                flag.complete(Thread.currentThread().isInterrupted());
            } catch (IOException e) {
                flag.completeExceptionally(e);
            }
        });
        caller.start();
        await(() -> waiting(guard) == 1);

        caller.interrupt();

        assertThat(flag.get(5, TimeUnit.SECONDS)).isTrue();
        await(() -> waiting(guard) == 0);
    }

    @Test
    void aCancelledCallLeavesAtOnceAndTheNextGoes() throws Exception {
        CostGuard guard = guard(Limit.requests(10).per(Duration.ofSeconds(14)));
        Permit permit = guard.acquire(CALL.cost(Cost.requests(10)));
        CompletableFuture<Permit> large = guard.acquireAsync(CALL.cost(Cost.requests(9)));
        await(() -> waiting(guard) == 1);
        CompletableFuture<Permit> small = guard.acquireAsync(CALL.cost(Cost.requests(10)));
        await(() -> waiting(guard) == 2);

        large.cancel(false);
        await(() -> waiting(guard) == 1);
        permit.release();

        assertThat(small.get(5, TimeUnit.SECONDS).waited()).isPositive();
    }

    @Test
    void aCallThatWaitedInVainSaysSo() throws Exception {
        CostGuard guard = guard(Limit.tokens(100).per(Duration.ofSeconds(10)));
        Permit permit = guard.acquire(CALL.cost(Cost.requests(1).input(100)));
        CompletableFuture<Permit> waits = guard.acquireAsync(
                CALL.cost(Cost.requests(1).input(10)).whenExhausted(WhenExhausted.waitUpTo(Duration.ofSeconds(2))));
        await(() -> waiting(guard) == 1);

        permit.settle(Cost.requests(1).input(1_000));

        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(() -> waits.get(10, TimeUnit.SECONDS))
                .havingCause()
                .isInstanceOfSatisfying(BudgetExceededException.class, denied -> {
                    assertThat(denied.waited()).isPositive();
                    assertThat(events.denials)
                            .singleElement()
                            .satisfies(event -> assertThat(event.waited()).isEqualTo(denied.waited()));
                })
                .withMessageContaining("waited");
        await(() -> waiting(guard) == 0);
    }

    /** How Redis can be away. */
    enum Away {
        DOWN,
        SILENT;

        void begins(FaultyLink link) {
            if (this == DOWN) {
                link.refuseConnections();
                link.resetConnections();
            } else {
                link.requests().drop();
            }
        }
    }

    /** @param leaving whether the call waits for a share that stays free, and stands in no line */
    @ParameterizedTest
    @CsvSource({"DOWN, false", "DOWN, true", "SILENT, false", "SILENT, true"})
    void aCallWhoseTimeEndsWhileRedisIsAwayIsToldSoAndNotThatItsBudgetIsSpent(Away away, boolean leaving)
            throws Exception {
        try (FaultyLink link = FaultyLink.to(redis)) {
            CostGuard guard = guard(TWO_IN_THREE_SECONDS, builder -> over(link, builder));

            CompletableFuture<Permit> waits = waitsUntilItsTimeIsOver(guard, leaving);
            away.begins(link);

            assertThatExceptionOfType(ExecutionException.class)
                    .isThrownBy(() -> waits.get(20, TimeUnit.SECONDS))
                    .havingCause()
                    .isInstanceOf(GuardUnavailableException.class)
                    .withMessageMatching("the call waited \\d{4,5} ms, and then Redis did not say .*");
            assertThat(events.denials).isEmpty();
        }
    }

    @Test
    void aCallWhoseTimeEndsWhileRedisIsAwayGoesIfTheGuardFailsOpen() throws Exception {
        try (FaultyLink link = FaultyLink.to(redis)) {
            CostGuard guard = guard(
                    TWO_IN_THREE_SECONDS, builder -> over(link, builder).whenRedisFails(WhenRedisFails.failOpen()));

            CompletableFuture<Permit> waits = waitsUntilItsTimeIsOver(guard, false);
            Away.DOWN.begins(link);

            assertThat(waits.get(20, TimeUnit.SECONDS)).isNotNull();
            assertThat(events.failedOpen)
                    .singleElement()
                    .satisfies(event -> assertThat(event.cause()).hasMessageContaining("the call waited"));
        }
    }

    private static CostGuard.Builder over(FaultyLink link, CostGuard.Builder builder) {
        return builder.redis(link.url()).decisionTimeout(Duration.ofMillis(500));
    }

    private CompletableFuture<Permit> waitsUntilItsTimeIsOver(CostGuard guard, boolean leaving) throws Exception {
        WhenExhausted policy = WhenExhausted.waitUpTo(Duration.ofSeconds(4));
        GuardedCall both = CALL.cost(Cost.requests(2));
        guard.acquire(both);
        CompletableFuture<Permit> waits = guard.acquireAsync(
                leaving ? CALL.whenExhausted(policy.leaving(Share.percent(50))) : both.whenExhausted(policy));
        await(() -> !events.waits.isEmpty());
        return waits;
    }

    @Test
    void aGuardThatIsClosedLeavesNobodyInLine() throws Exception {
        Limit limit = Limit.requests(1).per(Duration.ofSeconds(20));
        CostGuard guard = guard(limit);
        CostGuard other = guard(limit);
        guard.acquire(CALL);
        CompletableFuture<Permit> waits = guard.acquireAsync(CALL);
        await(() -> waiting(other) == 1);

        guard.close();

        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(() -> waits.get(5, TimeUnit.SECONDS))
                .withCauseInstanceOf(GuardUnavailableException.class);
        assertThat(waiting(other)).isZero();
    }

    @Test
    void aLineThatIsLostIsStoodInAgain() throws Exception {
        CostGuard guard = guard(ONE_IN_THREE_SECONDS);
        guard.acquire(CALL);
        CompletableFuture<Permit> waits = guard.acquireAsync(CALL);
        await(() -> waiting(guard) == 1);

        try (RedisClient jedis = PatientRedis.client(redis.url())) {
            jedis.keys(prefix + "*:line").forEach(jedis::del);
        }

        assertThat(waits.get(20, TimeUnit.SECONDS).waited()).isPositive();
        assertThat(events.regressions).isNotEmpty();
    }

    @Test
    void aCallThatLeavesAShareComesBackUntilThereIsEnough() throws Exception {
        CostGuard guard = guard(Limit.requests(10).per(Duration.ofSeconds(6)));
        guard.acquire(CALL.cost(Cost.requests(9)));

        Permit permit = guard.acquire(CALL.whenExhausted(PATIENTLY.leaving(Share.percent(50))));

        assertThat(permit.waited()).isPositive();
        assertThat(guard.status(CALL).get(0).balance()).isGreaterThanOrEqualTo(5);
    }

    @Test
    void aCallThatLeavesAShareComesBackSoonAfterThereIsEnoughHoweverLongThatWasToTake() throws Exception {
        CostGuard guard = guard(Limit.requests(10).per(Duration.ofSeconds(30)));
        Permit permit = guard.acquire(CALL.cost(Cost.requests(10)));
        CompletableFuture<Permit> waits = guard.acquireAsync(CALL.whenExhausted(PATIENTLY.leaving(Share.percent(50))));
        await(() -> !events.waits.isEmpty());

        permit.release();

        assertThat(waits.get(20, TimeUnit.SECONDS).waited()).isLessThan(Duration.ofSeconds(10));
    }

    @Test
    void whatOthersSayOnAProcesssChannelChangesNothing() throws Exception {
        CostGuard guard = guard(Limit.requests(1).per(Duration.ofSeconds(20)));
        Permit permit = guard.acquire(CALL);
        CompletableFuture<Permit> waits = guard.acquireAsync(CALL);
        try (Jedis jedis = PatientRedis.connection(redis.url())) {
            String channels = prefix + ":turn:*";
            await(() -> !jedis.pubsubChannels(channels).isEmpty());
            String channel = jedis.pubsubChannels(channels).get(0);

            for (String junk :
                    List.of("", "junk", "1", "1 ", "-1 5", "1 1 1", "1 9999999999999999999", "123456789 5")) {
                jedis.publish(channel, junk);
            }
            permit.release();

            assertThat(waits.get(10, TimeUnit.SECONDS).waited()).isLessThan(Duration.ofSeconds(10));
            assertThat(jedis.publish(channel, "who listens")).isEqualTo(1);
        }
    }

    @Test
    void nobodyGoesWhileAHoldLastsInTheWholeFleet() throws Exception {
        Limit limit = Limit.requests(100).perMinute();
        CostGuard one = guard(limit);
        CostGuard other = guard(limit);

        one.hold(CALL, Duration.ofSeconds(2));

        assertThat(other.tryAcquire(CALL)).isEmpty();
        assertThat(other.acquire(CALL).waited()).isPositive();
        assertThat(events.holds).hasSize(1);
    }

    @Test
    void aDenialUnderAHoldSaysThatAndThatNothingFits() throws Exception {
        CostGuard guard = guard(Limit.requests(100).perHour());
        guard.hold(CALL, Duration.ofMinutes(50));

        Denial denial = denied(guard, CALL);

        assertThat(denial.held()).isBetween(Duration.ofMinutes(49), Duration.ofMinutes(50));
        assertThat(denial.retryAfter()).isEqualTo(denial.held());
        assertThat(denial.largestThatFits()).isZero();
        assertThat(denial.available()).isEqualTo(100);
        assertThat(denial).asString().contains("is held for ").doesNotContain("spent");
        // What the process remembers of it says the same.
        assertThat(denied(guard, CALL)).satisfies(again -> {
            assertThat(again.held()).isBetween(Duration.ofMinutes(49), denial.held());
            assertThat(again.largestThatFits()).isZero();
        });
    }

    @Test
    void aDenialBehindALineSaysHowManyStandInItAndWhatIsLeftForOthers() throws Exception {
        CostGuard guard = guard(Limit.requests(10).perHour());
        GuardedCall patient = CALL.whenExhausted(WhenExhausted.waitUpTo(Duration.ofHours(3)));
        guard.acquire(CALL.cost(Cost.requests(6)));
        CompletableFuture<Permit> waits = guard.acquireAsync(patient.cost(Cost.requests(7)));
        await(() -> waiting(guard) == 1);

        Denial denial = denied(guard, CALL);

        assertThat(denial.ahead()).isEqualTo(1);
        assertThat(denial.available()).isEqualTo(4 - 7);
        assertThat(denial.largestThatFits()).isZero();
        assertThat(denial).asString().contains("available 0 behind 1 call in line");
        assertThat(waits).isNotDone();
    }

    @Test
    void aDenialToLeaveAShareSaysWhatMayGo() throws Exception {
        CostGuard guard = guard(Limit.requests(10).perHour());
        GuardedCall modest =
                CALL.whenExhausted(WhenExhausted.waitUpTo(Duration.ofSeconds(1)).leaving(Share.percent(50)));
        guard.acquire(CALL.cost(Cost.requests(2)));

        Denial denial = denied(guard, modest.cost(Cost.requests(4)));

        assertThat(denial.available()).isEqualTo(8);
        assertThat(denial.largestThatFits()).isEqualTo(3);
        assertThat(denial).asString().contains("has nothing to spare").contains("available 8, of which 3 may go");
        assertThat(guard.tryAcquire(modest.cost(Cost.requests(3)))).isPresent();
    }

    private static Denial denied(CostGuard guard, GuardedCall call) throws IOException {
        Decision decision = guard.decide(call);
        assertThat(decision).isInstanceOf(Decision.Denied.class);
        return ((Decision.Denied) decision).denial();
    }

    @Test
    void whatACallMustLeaveIsLeftByCallsThatDoNotWaitToo() throws Exception {
        CostGuard guard = guard(Limit.requests(10).perHour());
        GuardedCall modest = CALL.whenExhausted(PATIENTLY.leaving(Share.percent(60)));

        assertThat(guard.tryAcquire(modest.cost(Cost.requests(4)))).isPresent();
        assertThat(guard.tryAcquire(modest)).isEmpty();
        assertThatExceptionOfType(CostExceedsCapacityException.class)
                .isThrownBy(() -> guard.acquire(modest.cost(Cost.requests(5))));
    }

    @Test
    void aCallThatAsksMoreThanTheShareItLeavesIsDeniedAtOnceWhereItWouldBeClampedToo() throws Exception {
        CostGuard guard = guard(
                Budget.named("b").clampToCapacity().limit(Limit.requests(10).perHour()),
                builder -> builder.redis(redis.url()));
        GuardedCall large = CALL.cost(Cost.requests(11));

        assertThatExceptionOfType(CostExceedsCapacityException.class)
                .isThrownBy(() -> guard.acquire(large.whenExhausted(PATIENTLY.leaving(Share.percent(60)))))
                .withMessageContaining("requested 11, at most 4 of 10, as it leaves others their share")
                .satisfies(denied -> assertThat(denied.waited()).isZero());
        assertThat(events.waits).isEmpty();
        assertThat(guard.tryAcquire(large)).isPresent();
    }

    @Test
    void aCrowdIsLetGoOneByOne() throws Exception {
        CostGuard guard = guard(Limit.requests(200).perSecond().burst(1));
        List<CompletableFuture<Permit>> all = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            all.add(guard.acquireAsync(CALL));
        }

        for (CompletableFuture<Permit> each : all) {
            each.get(20, TimeUnit.SECONDS);
        }
        assertThat(waiting(guard)).isZero();
    }

    private CostGuard guard(Limit limit) {
        return guard(limit, builder -> builder.redis(redis.url()));
    }

    private CostGuard guard(Limit limit, UnaryOperator<CostGuard.Builder> more) {
        return guard(Budget.named("b").limit(limit), more);
    }

    private CostGuard guard(Budget budget, UnaryOperator<CostGuard.Builder> more) {
        CostGuard guard = more.apply(CostGuard.builder()
                        .keyPrefix(prefix)
                        .budget(budget)
                        .whenExhausted(PATIENTLY)
                        // A machine that stalls fails no test.
                        .decisionTimeout(Duration.ofSeconds(5))
                        .listener(events))
                .build();
        guards.add(guard);
        return guard;
    }

    private static long waiting(CostGuard guard) {
        try {
            return guard.status(CALL).get(0).waiting();
        } catch (GuardUnavailableException e) {
            throw new IllegalStateException(e);
        }
    }
}
