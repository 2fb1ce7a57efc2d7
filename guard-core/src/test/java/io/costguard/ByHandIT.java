package io.costguard;

import static io.costguard.Awaiting.await;
import static io.costguard.Guards.CALL;
import static io.costguard.Guards.LONG;
import static io.costguard.Guards.PATIENTLY;
import static io.costguard.Guards.awaitWaiting;
import static io.costguard.Guards.balance;
import static io.costguard.Guards.balances;
import static io.costguard.Guards.bucket;
import static io.costguard.Guards.budget;
import static io.costguard.Guards.tokens;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.testing.FaultyLink;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What people do to balances while calls run: reset, charge and refund. */
@Timeout(120)
class ByHandIT {
    private static final Limit TOKENS = bucket(1_000);

    @RegisterExtension
    private final Guards guards = new Guards();

    static Stream<Limit> limits() {
        return Stream.of(
                TOKENS,
                Limit.tokens(1_000)
                        .per(Duration.ofNanos(7_776_001_000_001_000L))
                        .tokenBucket()
                        .burst(1_000),
                Limit.tokens(1_000).per(LONG).fixedWindow(),
                Limit.tokens(1_000).per(LONG).slidingWindow());
    }

    // ------------------------------------------------------------------------------------------------------ reset

    @ParameterizedTest
    @MethodSource("limits")
    void aResetFillsABalanceAndEndsItsDebt(Limit limit) throws Exception {
        CostGuard guard = guards.guard(limit);
        guard.acquire(tokens(900)).settle(Cost.requests(1).input(3_000));

        guard.reset(CALL);

        assertThat(guard.status(CALL).get(0))
                .returns(1_000L, LimitStatus::balance)
                .returns(Duration.ZERO, LimitStatus::timeToFull);
    }

    @ParameterizedTest
    @MethodSource("limits")
    void whatWasReservedBeforeAResetGivesNothingBack(Limit limit) throws Exception {
        CostGuard guard = guards.guard(limit);
        Permit before = guard.acquire(tokens(600));
        guard.reset(CALL);
        guard.acquire(tokens(300));

        before.release();

        assertThat(balance(guard)).isEqualTo(700);
    }

    @Test
    void whatIsUsedAboveAnEstimateOfBeforeAResetIsCharged() throws Exception {
        CostGuard guard = guards.guard(TOKENS);
        Permit before = guard.acquire(tokens(600));
        guard.reset(CALL);

        before.settle(Cost.requests(1).input(650));

        assertThat(balance(guard)).isEqualTo(950);
    }

    @Test
    void aResetComesAfterWhatWasSettledBefore() throws Exception {
        CostGuard guard = guards.guard(TOKENS);
        Permit permit = guard.acquire(tokens(1));
        permit.settle(Cost.requests(1).input(700));

        guard.reset(CALL);

        assertThat(balance(guard)).isEqualTo(1_000);
    }

    @Test
    void aResetLetsCallsOfOtherProcessesGoThatWait() throws Exception {
        CostGuard one = guards.guard(TOKENS);
        CostGuard other = guards.guard(TOKENS);
        one.acquire(tokens(1_000));
        CompletableFuture<Permit> first = other.acquireAsync(tokens(400).whenExhausted(PATIENTLY));
        awaitWaiting(other, 1);
        CompletableFuture<Permit> second = other.acquireAsync(tokens(500).whenExhausted(PATIENTLY));
        awaitWaiting(other, 2);

        one.reset(CALL);

        assertThat(first.get(1, TimeUnit.MINUTES).waited()).isPositive();
        assertThat(second.get(1, TimeUnit.MINUTES).waited()).isPositive();
        assertThat(balance(one)).isEqualTo(100);
    }

    @Test
    void aResetKeepsTheLineOfThoseForWhomThereIsNoRoomYet() throws Exception {
        CostGuard guard = guards.guard(TOKENS);
        guard.acquire(tokens(1_000));
        CompletableFuture<Permit> first = guard.acquireAsync(tokens(800).whenExhausted(PATIENTLY));
        awaitWaiting(guard, 1);
        CompletableFuture<Permit> second = guard.acquireAsync(tokens(900).whenExhausted(PATIENTLY));
        awaitWaiting(guard, 2);

        guard.reset(CALL);
        assertThat(first.get(1, TimeUnit.MINUTES).waited()).isPositive();
        assertThat(guard.status(CALL).get(0).waiting()).isEqualTo(1);
        guard.reset(CALL);

        assertThat(second.get(1, TimeUnit.MINUTES).waited()).isPositive();
    }

    @Test
    void aResetEndsAHold() throws Exception {
        CostGuard guard = guards.guard(TOKENS);
        guard.hold(CALL, Duration.ofHours(1));
        CompletableFuture<Permit> waits = guard.acquireAsync(tokens(1).whenExhausted(PATIENTLY));
        awaitWaiting(guard, 1);

        guard.reset(CALL);

        assertThat(waits.get(1, TimeUnit.MINUTES).waited()).isPositive();
        assertThat(guard.tryAcquire(tokens(1))).isPresent();
    }

    @Test
    void aDenialOfBeforeAResetIsNotRepeated() throws Exception {
        CostGuard guard = guards.guard(builder -> builder.preCheck(Duration.ofMinutes(1)), budget(TOKENS));
        guard.acquire(tokens(1_000));
        assertThat(guard.tryAcquire(tokens(1))).isEmpty();

        guard.reset(CALL);

        assertThat(guard.tryAcquire(tokens(1))).isPresent();
    }

    @Test
    void aResetThatDidNotReachRedisInTimeIsForgotten() throws Exception {
        FaultyLink link = guards.link();
        CostGuard hasty = guards.guard(
                builder -> builder.decisionTimeout(Duration.ofMillis(200)).redis(link.url()), budget(TOKENS));
        CostGuard guard = guards.guard(TOKENS);
        guard.charge(CALL, Cost.requests(1).input(300));
        link.requests().drop("EVALSHA");
        assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> hasty.reset(CALL));
        // After it: what waits for Redis is taken there in its order.
        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> hasty.charge(CALL, Cost.requests(1).input(50)));

        link.requests().pass();

        await(() -> balance(guard) == 650);
    }

    // --------------------------------------------------------------------------------------------- charge and refund

    @ParameterizedTest
    @MethodSource("limits")
    void aChargeIsDebtWhereItIsNotThere(Limit limit) throws Exception {
        CostGuard guard = guards.guard(limit);

        guard.charge(CALL, Cost.requests(1).input(700));
        guard.charge(CALL, Cost.requests(1).input(700));

        assertThat(balance(guard)).isEqualTo(-400);
    }

    @ParameterizedTest
    @MethodSource("limits")
    void aRefundGivesBackUpToCapacityWheneverItWasCharged(Limit limit) throws Exception {
        CostGuard guard = guards.guard(limit);
        guard.acquire(tokens(600));
        guard.charge(CALL, Cost.requests(0).input(600));

        guard.refund(CALL, Cost.requests(0).input(250));
        assertThat(balance(guard)).isEqualTo(50);
        guard.refund(CALL, Cost.requests(0).input(5_000));

        assertThat(balance(guard)).isEqualTo(1_000);
    }

    @Test
    void everyLimitOfEveryBudgetIsChargedAndGivenBackWhatItCounts() throws Exception {
        CostGuard guard = guards.guard(
                Budget.named("other")
                        .per()
                        .limit(Limit.usd("1").per(LONG))
                        .limit(Limit.requests(10).per(LONG)),
                budget(TOKENS));
        Cost cost = Cost.requests(2).input(100).usd("0.25");

        guard.charge(CALL, cost);
        assertThat(balances(guard)).containsExactly(750_000_000L, 8L, 900L);
        guard.refund(CALL, Cost.requests(1).usd("0.05"));

        assertThat(balances(guard)).containsExactly(800_000_000L, 9L, 900L);
    }

    @Test
    void aRefundLetsACallOfAnotherProcessGoThatWaits() throws Exception {
        CostGuard one = guards.guard(TOKENS);
        CostGuard other = guards.guard(TOKENS);
        one.acquire(tokens(1_000));
        CompletableFuture<Permit> waits = other.acquireAsync(tokens(400).whenExhausted(PATIENTLY));
        awaitWaiting(other, 1);

        one.refund(CALL, Cost.requests(0).input(400));

        assertThat(waits.get(1, TimeUnit.MINUTES).waited()).isPositive();
        assertThat(balance(one)).isZero();
    }

    @Test
    void aDenialOfBeforeARefundIsNotRepeated() throws Exception {
        CostGuard guard = guards.guard(builder -> builder.preCheck(Duration.ofMinutes(1)), budget(TOKENS));
        guard.acquire(tokens(1_000));
        assertThat(guard.tryAcquire(tokens(1))).isEmpty();

        guard.refund(CALL, Cost.requests(0).input(1));

        assertThat(guard.tryAcquire(tokens(1))).isPresent();
    }

    @Test
    void whatIsAskedOfALostReplyIsDoneOnce() throws Exception {
        FaultyLink link = guards.link();
        CostGuard guard = guards.guard(builder -> builder.redis(link.url()), budget(TOKENS));
        guard.acquire(tokens(500));

        withItsReplyLost(link, () -> guard.charge(CALL, Cost.requests(1).input(100)));
        withItsReplyLost(link, () -> guard.refund(CALL, Cost.requests(0).input(30)));

        assertThat(balance(guard)).isEqualTo(430);
    }

    private interface Asking {
        void run() throws GuardUnavailableException;
    }

    private static void withItsReplyLost(FaultyLink link, Asking asking) throws Exception {
        link.replies().dropNext("EVALSHA");
        FutureTask<Void> asked = new FutureTask<>(() -> {
            asking.run();
            return null;
        });
        new Thread(asked).start();
        link.replies().awaitWithheld(1);
        link.resetConnections();
        asked.get(1, TimeUnit.MINUTES);
    }

    @Test
    void whatDidNotReachRedisInTimeFollowsOnceItIsBack() throws Exception {
        FaultyLink link = guards.link();
        CostGuard hasty = guards.guard(
                builder -> builder.decisionTimeout(Duration.ofMillis(200)).redis(link.url()), budget(TOKENS));
        CostGuard guard = guards.guard(TOKENS);
        guard.acquire(tokens(500));
        link.requests().drop("EVALSHA");
        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> hasty.charge(CALL, Cost.requests(1).input(100)))
                .withMessageContaining("do not ask for it again");
        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> hasty.refund(CALL, Cost.requests(0).input(30)))
                .withMessageContaining("do not ask for it again");

        link.requests().pass();

        await(() -> balance(guard) == 430);
    }

    @Test
    void aClosedGuardSaysSo() {
        CostGuard guard = guards.guard(TOKENS);
        guard.close();

        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> guard.charge(CALL, Cost.requests(1).input(1)))
                .withMessageContaining("closed");
        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> guard.reset(CALL))
                .withMessageContaining("closed");
    }
}
