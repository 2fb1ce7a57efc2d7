package io.costguard;

import static io.costguard.Awaiting.PATIENCE;
import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Limits of calls in flight, in virtual time. */
@Timeout(60)
class ConcurrentCallsIT {
    private static final Instant MORNING = Instant.parse("2026-03-02T08:00:00Z");
    private static final Duration LEASE = Duration.ofSeconds(150);
    private static final GuardedCall CALL =
            GuardedCall.of("gpt-4o").cost(Cost.requests(1).input(900));
    private static final GuardedCall PATIENT = CALL.whenExhausted(WhenExhausted.waitUpTo(Duration.ofHours(1)));

    private final VirtualTime time = VirtualTime.beginningAt(MORNING);
    private final List<CostGuard> guards = new ArrayList<>();

    @AfterEach
    void close() {
        guards.forEach(CostGuard::close);
    }

    @Test
    void asManyCallsGoAtOnceAsSaidAndTheNextIsToldToComeBackInASecond() throws Exception {
        CostGuard guard = guard(Limit.concurrentCalls(2));
        acquire(guard);
        acquire(guard);

        Denial denial = ((Decision.Denied) guard.decide(CALL)).denial();

        assertThat(denial.limit()).isEqualTo("concurrent calls");
        assertThat(denial.requested()).isEqualTo(1);
        assertThat(denial.available()).isZero();
        assertThat(denial.largestThatFits()).isZero();
        assertThat(denial.retryAfter()).isEqualTo(Duration.ofSeconds(1));
        assertThat(denial)
                .hasToString("budget 'b' is full: concurrent calls, requested 1, available 0, retry after 1 s");
    }

    @ParameterizedTest
    @EnumSource(names = {"SETTLED", "RELEASED", "ESTIMATE_KEPT"})
    void aCallThatEndsFreesItsSlotHoweverItEndsAndWhateverItUsed(Outcome outcome) throws Exception {
        CostGuard guard = guard(Limit.concurrentCalls(1), Limit.tokens(99_000).perDay());
        Permit permit = acquire(guard);

        switch (outcome) {
            case SETTLED -> permit.settle(Cost.requests(1).input(5_000).output(5_000));
            case RELEASED -> permit.release();
            default -> permit.close();
        }

        acquire(guard);
        assertThat(guard.tryAcquire(CALL)).isEmpty();
        permit.close();
        permit.release();
        assertThat(guard.tryAcquire(CALL))
                .as("after the first call ended again")
                .isEmpty();
    }

    @Test
    void aCallThatWaitsGoesAtTheMomentAtWhichAnotherEnds() throws Exception {
        CostGuard guard = guard(Limit.concurrentCalls(1));
        Permit permit = acquire(guard);
        List<Duration> went = new ArrayList<>();
        CompletableFuture<Void> first = guard.acquireAsync(PATIENT).thenAccept(next -> {
            went.add(sinceMorning());
            time.at(MORNING.plusSeconds(50), next::close);
        });
        CompletableFuture<Void> second = guard.acquireAsync(PATIENT).thenAccept(next -> went.add(sinceMorning()));
        time.at(MORNING.plusMillis(7_250), permit::close);

        time.run();

        assertThat(went).containsExactly(Duration.ofMillis(7_250), Duration.ofSeconds(50));
        assertThat(first).isCompleted();
        assertThat(second).isCompleted();
    }

    @Test
    void aCallMayWaitHoweverShortItsPatienceIsAsASlotMayComeFreeAtAnyMoment() throws Exception {
        CostGuard guard = guard(Limit.concurrentCalls(1));
        Permit permit = acquire(guard);
        assertThat(guard.tryAcquire(CALL)).as("remembered by the pre-check").isEmpty();
        CompletableFuture<Permit> next =
                guard.acquireAsync(CALL.whenExhausted(WhenExhausted.waitUpTo(Duration.ofMillis(20))));
        assertThat(next).isNotDone();

        permit.close();
        pass(Duration.ofMillis(1));

        assertThat(next).isCompleted();
    }

    @Test
    void aCallThatLeavesOthersTheirShareComesBackUntilThereIsAsMuch() throws Exception {
        CostGuard guard = guard(Limit.concurrentCalls(4));
        Permit first = acquire(guard);
        Permit second = acquire(guard);
        CompletableFuture<Permit> modest = guard.acquireAsync(
                CALL.whenExhausted(WhenExhausted.waitUpTo(Duration.ofSeconds(5)).leaving(Share.percent(50))));
        time.at(MORNING.plusSeconds(2), first::close);

        time.run();

        assertThat(modest).isCompleted();
        assertThat(acquire(guard)).isNotNull();
        second.close();
    }

    @Test
    void aCallThatLastsForMoreThanItsLeaseKeepsItsSlot() throws Exception {
        CostGuard guard = guard(Limit.concurrentCalls(1));
        Permit permit = acquire(guard);
        for (int i = 0; i < 100; i++) {
            pass(LEASE.dividedBy(5));
            assertThat(guard.tryAcquire(CALL)).isEmpty();
        }

        permit.close();

        acquire(guard);
    }

    @Test
    void aCallThatNobodyAskedAboutForMoreThanItsLeaseKeepsItsSlotToo() throws Exception {
        CostGuard guard = guard(Limit.concurrentCalls(1));
        Permit permit = acquire(guard);
        pass(LEASE.multipliedBy(9));
        assertThat(guard.tryAcquire(CALL)).isEmpty();

        permit.close();

        acquire(guard);
        assertThat(guard.tryAcquire(CALL)).isEmpty();
    }

    @Test
    void whoWaitsForACallThatLastsForMoreThanItsLeaseGoesWhenItEnds() throws Exception {
        CostGuard guard = guard(Limit.concurrentCalls(1));
        Permit permit = acquire(guard);
        CompletableFuture<Duration> went = guard.acquireAsync(PATIENT).thenApply(next -> sinceMorning());
        Duration end = LEASE.multipliedBy(7).plusMillis(3);
        time.at(MORNING.plus(end), permit::close);

        time.run();

        assertThat(went).isCompletedWithValue(end);
    }

    @Test
    void statusTellsHowManySlotsAreFreeAndWhenAllAreIfNothingMoreIsHeard() throws Exception {
        CostGuard guard = guard(Limit.concurrentCalls(3));
        acquire(guard);
        acquire(guard).close();

        LimitStatus status = guard.status(CALL).get(0);

        assertThat(status.limit()).isEqualTo("concurrent calls");
        assertThat(status.balance()).isEqualTo(2);
        assertThat(status.capacity()).isEqualTo(3);
        assertThat(status.newcomerWait()).isZero();
        assertThat(status.timeToFull()).isBetween(LEASE, LEASE.dividedBy(15).multipliedBy(16));
    }

    @Test
    void noOneKnowsHowLongANewcomerWouldWaitBehindOthers() throws Exception {
        CostGuard guard = guard(Limit.concurrentCalls(1));
        Permit permit = acquire(guard);
        CompletableFuture<Permit> next = guard.acquireAsync(PATIENT);

        LimitStatus status = guard.status(CALL).get(0);

        assertThat(status.waiting()).isEqualTo(1);
        assertThat(status.newcomerWait()).isZero();
        permit.close();
        time.run();
        assertThat(next).isCompleted();
    }

    @Test
    void aCallThatOneBudgetDeniesTakesNoSlotOfAnother() throws Exception {
        CostGuard guard = builder()
                .budget(Budget.named("all").per().limit(Limit.concurrentCalls(9)))
                .budget(Budget.named("each").per("user").where("user", "*").limit(Limit.concurrentCalls(1)))
                .buildIn(time);
        guards.add(guard);
        assertThat(guard.tryAcquire(CALL.with("user", "ann"))).isPresent();
        for (int i = 0; i < 5; i++) {
            assertThat(guard.tryAcquire(CALL.with("user", "ann"))).isEmpty();
        }

        assertThat(guard.tryAcquire(CALL.with("user", "bob"))).isPresent();
        assertThat(guard.status(CALL).get(0).balance()).isEqualTo(7);
    }

    @Test
    void aHoldLetsNobodyGoWhereSlotsAreFree() throws Exception {
        CostGuard guard = guard(Limit.concurrentCalls(2));
        guard.hold(CALL, Duration.ofSeconds(30));
        Denial denial = ((Decision.Denied) guard.decide(CALL)).denial();
        assertThat(denial.retryAfter()).isEqualTo(Duration.ofSeconds(30));
        assertThat(denial.held()).isEqualTo(Duration.ofSeconds(30));

        pass(Duration.ofSeconds(30));

        acquire(guard);
    }

    @Test
    void aResetFreesAllSlotsOfWhichThoseOfCallsThatGoOnAreTakenAgain() throws Exception {
        CostGuard guard = guard(Limit.concurrentCalls(2));
        Permit living = acquire(guard);
        acquire(guard);

        guard.reset(CALL);

        assertThat(guard.status(CALL).get(0).balance()).isEqualTo(2);
        pass(LEASE.dividedBy(2));
        assertThat(guard.status(CALL).get(0).balance()).as("after a renewal").isLessThan(2);
        living.close();
        pass(LEASE.multipliedBy(2));
        assertThat(guard.status(CALL).get(0).balance()).isGreaterThanOrEqualTo(1);
    }

    @Test
    void chargesAndRefundsByHandAreNoCallsInFlight() throws Exception {
        CostGuard guard = guard(Limit.concurrentCalls(2), Limit.requests(100).perDay());
        Permit permit = acquire(guard);

        guard.charge(CALL, Cost.requests(5));
        guard.refund(CALL, Cost.requests(2));

        assertThat(guard.status(CALL)).extracting(LimitStatus::balance).containsExactly(1L, 96L);
        permit.close();
    }

    @Test
    void callsInFlightKeepTheirSlotsUnderChangedBudgetsWhereverTheirLimitStandsThere() throws Exception {
        CostGuard guard = guard(Limit.requests(100).perDay(), Limit.concurrentCalls(2));
        Permit permit = acquire(guard);

        guard.update(List.of(Budget.named("b")
                .limit(Limit.concurrentCalls(3))
                .limit(Limit.requests(50).perDay())));
        pass(LEASE.multipliedBy(3));

        assertThat(guard.status(CALL)).extracting(LimitStatus::balance).startsWith(2L);
        permit.close();
        assertThat(guard.status(CALL)).extracting(LimitStatus::balance).startsWith(3L);
    }

    @Test
    void piecesThatAreReservedAsOneKeepTheirSlotsUntilTheyEnd() throws Exception {
        CostGuard guard = guard(Limit.concurrentCalls(5));
        Permit permit = guard.acquireUpTo(CALL, 3);

        pass(LEASE.multipliedBy(3));

        assertThat(guard.status(CALL)).extracting(LimitStatus::balance).containsExactly(2L);
        permit.close();
        assertThat(guard.status(CALL)).extracting(LimitStatus::balance).containsExactly(5L);
    }

    @Test
    void callsInFlightGoOnWhereABudgetLimitsThemNoMore() throws Exception {
        CostGuard guard = guard(Limit.requests(100).perDay(), Limit.concurrentCalls(2));
        Permit permit = acquire(guard);

        guard.update(List.of(Budget.named("b").limit(Limit.requests(50).perDay())));
        pass(LEASE.multipliedBy(3));
        permit.settle(Cost.requests(1));

        assertThat(guard.status(CALL)).extracting(LimitStatus::limit).containsExactly("requests per day");
    }

    private Duration sinceMorning() {
        return Duration.between(MORNING, time.now());
    }

    private void pass(Duration duration) {
        time.at(time.now().plus(duration), () -> {});
        time.run();
    }

    private static Permit acquire(CostGuard guard) throws GuardUnavailableException {
        return guard.tryAcquire(CALL).orElseThrow();
    }

    private CostGuard guard(Limit... limits) {
        Budget budget = Budget.named("b");
        for (Limit limit : limits) {
            budget = budget.limit(limit);
        }
        CostGuard guard = builder().budget(budget).buildIn(time);
        guards.add(guard);
        return guard;
    }

    private static CostGuard.Builder builder() {
        return CostGuard.builder()
                .redis(RedisForTests.shared().url())
                .keyPrefix(RedisForTests.shared().keyPrefix())
                .decisionTimeout(PATIENCE)
                .lease(LEASE);
    }
}
