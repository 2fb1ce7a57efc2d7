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
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.costguard.GuardListener.Denied.By;
import io.costguard.testing.FaultyLink;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Work that is taken in batches: as many pieces as there is room for. */
@Timeout(120)
class UpToIT {
    private static final GuardedCall UNPRICED = CALL.with("model", "of-ours");

    @RegisterExtension
    private final Guards guards = new Guards();

    static Stream<Limit> limits() {
        return Stream.of(
                bucket(1_000),
                Limit.tokens(1_000)
                        .per(Duration.ofNanos(7_776_001_000_001_000L))
                        .tokenBucket(),
                Limit.tokens(1_000).per(LONG).fixedWindow(),
                Limit.tokens(1_000).per(LONG).slidingWindow());
    }

    // ---------------------------------------------------------------------------------------------- how many there are

    @ParameterizedTest
    @MethodSource("limits")
    void asManyGoAsThereIsRoomForAndNotOneMore(Limit limit) throws Exception {
        CostGuard guard = guards.guard(limit);

        Permit permit = guard.acquireUpTo(tokens(150), 10);

        assertThat(permit.pieces()).isEqualTo(6);
        assertThat(balance(guard)).isEqualTo(100);
        assertThat(guard.acquireUpTo(tokens(50), 10).pieces()).isEqualTo(2);
        assertThat(balance(guard)).isZero();
    }

    @Test
    void allGoWhereThereIsRoomForAll() throws Exception {
        CostGuard guard = guards.guard(bucket(1_000));

        assertThat(guard.acquireUpTo(tokens(150), 4).pieces()).isEqualTo(4);
        assertThat(balance(guard)).isEqualTo(400);
    }

    @Test
    void theLimitOfAnyBudgetWithTheLeastRoomSaysHowManyAndAllAreChargedThem() throws Exception {
        CostGuard guard = guards.guard(
                Budget.named("money").per().limit(Limit.usd("1").per(LONG)),
                budget(bucket(1_000), Limit.requests(10).per(LONG)));
        Cost each = Cost.requests(1).input(150).usd("0.3");

        Permit permit = guard.acquireUpTo(CALL.cost(each), 20);

        assertThat(permit.pieces()).isEqualTo(3);
        assertThat(permit.estimate()).isEqualTo(Cost.requests(3).input(450).usd("0.9"));
        assertThat(balances(guard)).containsExactly(100_000_000L, 550L, 7L);
        assertThat(guards.events.grants).singleElement().returns(permit.estimate(), GuardListener.Grant::estimate);
    }

    @Test
    void aBudgetThatOnlyTellsMakesThemNoFewerAndIsChargedWhatItCovers() throws Exception {
        CostGuard guard = guards.guard(
                Budget.named("small").limit(bucket(950)).dryRun(),
                Budget.named("large").limit(bucket(5_000)).dryRun(),
                budget(bucket(1_000)));
        guard.acquire(tokens(100));

        assertThat(guard.acquireUpTo(tokens(150), 10).pieces()).isEqualTo(6);

        assertThat(balances(guard)).containsExactly(850L, 4_000L, 0L);
        assertThat(guards.events.denials).singleElement().satisfies(denied -> {
            assertThat(denied.by()).isEqualTo(By.DRY_RUN);
            assertThat(denied.denial().budget()).isEqualTo("small");
            assertThat(denied.denial().requested()).isEqualTo(900);
        });
    }

    @Test
    void whereOnlyBudgetsThatTellApplyAllGoThatAreExact() throws Exception {
        CostGuard guard = guards.guard(
                budget(Limit.tokens(10).per(LONG).weighing(Weights.none().output(1_000)))
                        .dryRun());

        Permit permit = guard.acquireUpTo(UNPRICED.cost(Cost.requests(1).output(1L << 40)), 100);

        assertThat(permit.pieces()).isEqualTo(8);
    }

    @Test
    void eachIsACallInFlightAndAllOfThemEndTogether() throws Exception {
        CostGuard guard = guards.guard(Limit.concurrentCalls(5));
        Permit permit = guard.acquireUpTo(CALL, 8);
        assertThat(permit.pieces()).isEqualTo(5);
        assertThat(guard.tryAcquire(CALL)).isEmpty();

        permit.settle(Cost.requests(1));

        assertThat(balance(guard)).isEqualTo(5);
    }

    @Test
    void whatWaitsKeepsItsRoom() throws Exception {
        CostGuard guard = guards.guard(bucket(1_000), Limit.requests(10).per(LONG));
        guard.acquire(CALL.cost(Cost.requests(10)));
        CompletableFuture<Permit> waits = guard.acquireAsync(tokens(300).whenExhausted(PATIENTLY));
        awaitWaiting(guard, 1);

        Permit permit = guard.acquireUpTo(CALL.cost(Cost.requests(0).input(100)), 20);

        assertThat(permit.pieces()).isEqualTo(7);
        guard.refund(CALL, Cost.requests(1));
        assertThat(waits.get(1, TimeUnit.MINUTES).pieces()).isEqualTo(1);
        assertThat(balances(guard)).containsExactly(0L, 0L);
    }

    @Test
    void aShareThatIsToBeLeftIsNoRoom() throws Exception {
        CostGuard guard = guards.guard(bucket(1_000));
        GuardedCall call = tokens(100).whenExhausted(PATIENTLY.leaving(Share.percent(25)));

        assertThat(guard.acquireUpTo(call, 20).pieces()).isEqualTo(7);
        CompletableFuture<Permit> waits = guard.acquireUpToAsync(call, 20);
        await(() -> guards.events.waits.size() == 1);
        guard.refund(CALL, Cost.requests(0).input(250));

        assertThat(waits.get(1, TimeUnit.MINUTES).pieces()).isEqualTo(3);
        assertThat(balance(guard)).isEqualTo(250);
    }

    @Test
    void oneThatIsClampedGoesAlone() throws Exception {
        CostGuard guard = guards.guard(budget(bucket(1_000)).clampToCapacity());

        assertThat(guard.acquireUpTo(tokens(1_200), 3).pieces()).isEqualTo(1);
        assertThat(balance(guard)).isEqualTo(-200);
    }

    // ------------------------------------------------------------------------------------------ where not one has room

    @Test
    void whereNotOneHasRoomOneIsDenied() throws Exception {
        CostGuard guard = guards.guard(bucket(1_000));
        guard.acquire(tokens(900));

        assertThatExceptionOfType(BudgetExceededException.class)
                .isThrownBy(() -> guard.acquireUpTo(tokens(150), 3))
                .satisfies(e -> {
                    assertThat(e.denial().requested()).isEqualTo(150);
                    assertThat(e.denial().available()).isEqualTo(100);
                });
        assertThat(balance(guard)).isEqualTo(100);
    }

    @Test
    void underAHoldOneStandsInLine() throws Exception {
        CostGuard guard = guards.guard(bucket(1_000));
        guard.hold(CALL, Duration.ofHours(1));

        CompletableFuture<Permit> waits = guard.acquireUpToAsync(tokens(150).whenExhausted(PATIENTLY), 5);
        awaitWaiting(guard, 1);

        assertThat(guard.decide(tokens(1)))
                .isInstanceOfSatisfying(
                        Decision.Denied.class,
                        denied -> assertThat(denied.denial().available()).isEqualTo(850));
        guard.reset(CALL);
        assertThat(waits.get(1, TimeUnit.MINUTES).pieces()).isEqualTo(1);
        assertThat(balance(guard)).isEqualTo(850);
    }

    @Test
    void whoDoesNotWaitIsDeniedThoughOneMayEndAtAnyMoment() throws Exception {
        CostGuard guard = guards.guard(Limit.concurrentCalls(2));
        guard.acquireUpTo(CALL, 2);

        assertThatExceptionOfType(BudgetExceededException.class).isThrownBy(() -> guard.acquireUpTo(CALL, 2));
        assertThat(guard.status(CALL).get(0).waiting()).isZero();
    }

    @Test
    void oneThatCanNeverGoIsRefusedForGood() {
        CostGuard guard = guards.guard(bucket(1_000));

        assertThatExceptionOfType(CostExceedsCapacityException.class)
                .isThrownBy(() -> guard.acquireUpTo(tokens(1_001), 3));
    }

    @Test
    void whereNotOneHasRoomOneStandsInLineAndGoesAlone() throws Exception {
        CostGuard one = guards.guard(bucket(1_000));
        CostGuard other = guards.guard(bucket(1_000));
        one.acquire(tokens(1_000));
        CompletableFuture<Permit> first = other.acquireUpToAsync(tokens(200).whenExhausted(PATIENTLY), 4);
        awaitWaiting(one, 1);
        CompletableFuture<Permit> second = one.acquireAsync(tokens(300).whenExhausted(PATIENTLY));
        awaitWaiting(one, 2);

        one.refund(CALL, Cost.requests(0).input(600));

        assertThat(first.get(1, TimeUnit.MINUTES))
                .returns(1, Permit::pieces)
                .returns(200L, permit -> permit.estimate().input());
        assertThat(second.get(1, TimeUnit.MINUTES).waited()).isPositive();
        assertThat(balance(one)).isEqualTo(100);
    }

    @Test
    void aDenialIsRepeatedOnlyToPiecesThatAreAtLeastAsLarge() throws Exception {
        CostGuard guard = guards.guard(builder -> builder.preCheck(Duration.ofMinutes(1)), budget(bucket(1_000)));
        guard.acquire(tokens(900));
        assertThat(guard.tryAcquire(tokens(150))).isEmpty();

        assertThat(guard.acquireUpTo(tokens(40), 5).pieces()).isEqualTo(2);
        assertThatExceptionOfType(BudgetExceededException.class).isThrownBy(() -> guard.acquireUpTo(tokens(150), 5));
        assertThat(guards.events.denials).extracting(GuardListener.Denied::by).containsExactly(By.REDIS, By.PRE_CHECK);
    }

    // -------------------------------------------------------------------------------------------------- how they end

    @Test
    void theyAreSettledByWhatAllOfThemUsedAndTheirRequestsStay() throws Exception {
        CostGuard guard = guards.guard(bucket(1_000), Limit.requests(10).per(LONG));

        guard.acquireUpTo(tokens(150), 4).settle(Cost.requests(1).input(250));

        assertThat(balances(guard)).containsExactly(750L, 6L);
    }

    @Test
    void aReleaseGivesAllOfThemBack() throws Exception {
        CostGuard guard = guards.guard(bucket(1_000), Limit.requests(10).per(LONG));

        guard.acquireUpTo(tokens(150), 4).release();

        assertThat(balances(guard)).containsExactly(1_000L, 10L);
    }

    @Test
    void aLostReplyIsAnsweredWithTheSameNumber() throws Exception {
        FaultyLink link = guards.link();
        CostGuard guard = guards.guard(builder -> builder.redis(link.url()), budget(bucket(1_000)));
        CostGuard other = guards.guard(bucket(1_000));
        guard.acquire(tokens(1)).release();
        guard.flush();
        link.replies().dropNext("EVALSHA");

        CompletableFuture<Permit> permit = guard.acquireUpToAsync(tokens(150), 5);
        link.replies().awaitWithheld(1);
        other.acquire(tokens(250));
        link.resetConnections();

        assertThat(permit.get(1, TimeUnit.MINUTES).pieces()).isEqualTo(5);
        assertThat(balance(other)).isZero();
    }

    @Test
    void whereNobodyCountsAllGo() throws Exception {
        CostGuard open = guards.guard(
                builder -> builder.redis("redis://127.0.0.1:1")
                        .decisionTimeout(Duration.ofMillis(200))
                        .whenRedisFails(WhenRedisFails.failOpen()),
                budget(bucket(1_000)));
        CostGuard elsewhere = guards.guard(budget(bucket(1_000)).models("claude-*"));

        for (CostGuard guard : List.of(open, elsewhere)) {
            assertThat(guard.acquireUpTo(tokens(700), 3))
                    .returns(3, Permit::pieces)
                    .returns(2_100L, permit -> permit.estimate().input());
        }
    }

    @Test
    void whatMakesNoSenseIsRefusedAndNothingIsCharged() throws Exception {
        CostGuard guard = guards.guard(bucket(1_000));

        assertThatIllegalArgumentException()
                .isThrownBy(() -> guard.acquireUpTo(tokens(1), 0))
                .withMessageContaining("at least one");
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () -> guard.acquireUpTo(UNPRICED.cost(Cost.requests(1).input(1L << 50)), 8))
                .withMessageContaining("ask for fewer");
        assertThat(balance(guard)).isEqualTo(1_000);
    }

    // ------------------------------------------------------------------------------------------------------ a fleet

    @Test
    void whereAllTakeWhatThereIsNothingIsLeftAndNothingIsOver() throws Exception {
        ExecutorService threads = Executors.newCachedThreadPool();
        guards.<AutoCloseable>opened(threads::shutdownNow);
        List<Future<List<Permit>>> takers = new ArrayList<>();
        for (int process = 0; process < 4; process++) {
            CostGuard guard = guards.guard(bucket(7_003), Limit.requests(5_000).per(LONG));
            for (int thread = 0; thread < 4; thread++) {
                Random random = new Random(process * 4L + thread);
                takers.add(threads.submit(() -> all(guard, random)));
            }
        }
        List<Permit> taken = new ArrayList<>();
        for (Future<List<Permit>> taker : takers) {
            taken.addAll(taker.get(1, TimeUnit.MINUTES));
        }

        CostGuard guard = guards.guard(bucket(7_003), Limit.requests(5_000).per(LONG));
        assertThat(taken.stream().mapToInt(Permit::pieces).sum()).isEqualTo(1_000);
        assertThat(balances(guard)).containsExactly(3L, 4_000L);
        taken.forEach(Permit::release);
        await(() -> balances(guard).equals(List.of(7_003L, 5_000L)));
    }

    /** Takes until not one has room. */
    private static List<Permit> all(CostGuard guard, Random random) throws IOException {
        List<Permit> taken = new ArrayList<>();
        try {
            while (true) {
                taken.add(guard.acquireUpTo(tokens(7), 1 + random.nextInt(9)));
            }
        } catch (BudgetExceededException e) {
            return taken;
        }
    }
}
