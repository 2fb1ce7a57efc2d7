package io.costguard.topology;

import static io.costguard.Awaiting.await;
import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.GuardListener.Regression;
import io.costguard.GuardListener.Regression.Lost;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.PatientRedis;
import io.costguard.Permit;
import io.costguard.Recorder;
import io.costguard.WhenExhausted;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.UnifiedJedis;

/** Rows 10 and 11 of the faults: a Redis that loses what it wrote gives that back, and nothing more. */
@Timeout(60)
class LostWritesIT {
    private static final Duration LONG = Duration.ofDays(30);
    private static final GuardedCall CALL = GuardedCall.of("search").with("apiKey", "sk-canary");

    private final ReplicatedRedis redis = new ReplicatedRedis();
    private final Jedis atMaster = PatientRedis.connection(redis.master().url());
    private final UnifiedJedis client = redis.client();
    private final Recorder events = new Recorder();
    private final List<CostGuard> guards = new ArrayList<>();

    @AfterEach
    void close() {
        guards.forEach(CostGuard::close);
        client.close();
        atMaster.close();
        redis.close();
    }

    @Test
    @Tag("fault-10")
    void whereAReplicaTakesOverWithoutTheLastWritesThoseAreThereAgainAndNothingElse() throws Exception {
        CostGuard guard = guard(Limit.tokens(100).per(LONG).tokenBucket());
        guard.acquire(tokens(30));
        redis.detach();
        guard.acquire(tokens(20));

        switchOver();

        int went = 0;
        while (guard.tryAcquire(tokens(1)).isPresent()) {
            went++;
        }
        assertThat(went).isEqualTo(100 - 30);
    }

    @Test
    void theFirstCallAfterAFailoverThatLostTheLastWritesTellsOfThat() throws Exception {
        CostGuard guard = guard(Limit.tokens(100).per(LONG).tokenBucket());
        guard.acquire(tokens(30));
        redis.detach();
        guard.acquire(tokens(20));

        switchOver();
        guard.acquire(tokens(1));

        assertThat(events.regressions).extracting(Regression::lost).containsExactly(Lost.BALANCES);
        assertThat(events.regressions.get(0).call().attributes()).containsEntry("model", "search");
    }

    @Test
    void aFailoverThatLostNothingIsNotToldOf() throws Exception {
        CostGuard guard = guard(Limit.tokens(100).per(LONG).tokenBucket());
        guard.acquire(tokens(30));
        guard.acquire(tokens(20));
        redis.detach();

        switchOver();
        acquireInTurn(guard, 10);

        assertThat(balance(guard)).isEqualTo(100 - 30 - 20 - 10);
        assertThat(events.regressions).isEmpty();
    }

    @Test
    void aFlushIsToldOfByWhatIsSettledAfterIt() throws Exception {
        CostGuard guard = guard(Limit.tokens(100).per(LONG).tokenBucket());
        Permit permit = guard.acquire(tokens(30));

        atMaster.flushAll();
        permit.settle(Cost.requests(1).input(40));

        await(() -> !events.regressions.isEmpty());
        assertThat(events.regressions).extracting(Regression::lost).containsExactly(Lost.BALANCES);
    }

    @Test
    @Tag("fault-11")
    void eachFlushIsToldOfOnceHoweverManyAskMeanwhile() throws Exception {
        CostGuard guard = guard(Limit.tokens(1_000_000).per(LONG).tokenBucket());
        AtomicInteger went = new AtomicInteger();
        List<CompletableFuture<Void>> load = load(3_000, guard, went);

        for (int flushes = 1; flushes <= 2; flushes++) {
            int before = 1_000 * flushes;
            await(() -> went.get() >= before);
            atMaster.flushAll();
        }

        awaitAll(load);
        assertThat(events.regressions).extracting(Regression::lost).containsExactly(Lost.BALANCES, Lost.BALANCES);
    }

    @Test
    @Tag("fault-10")
    void aCallThatWaitedWhereAReplicaTakesOverThatKnowsNothingOfItStandsInLineAgainAndSaysSo() throws Exception {
        CostGuard guard = guard(Limit.tokens(100).per(LONG).tokenBucket());
        Permit all = guard.acquire(tokens(100));
        redis.detach();
        CompletableFuture<Permit> waits =
                guard.acquireAsync(tokens(10).whenExhausted(WhenExhausted.waitUpTo(Duration.ofDays(365))));
        // Its guard must know that it has a place: Redis does before the reply is read.
        await(() -> guard.stats().waitingCalls() == 1);

        switchOver();
        await(() -> events.regressions.stream().anyMatch(each -> each.lost() == Lost.PLACE));
        assertThat(waits).isNotDone();
        all.release();

        assertThat(waits.get(1, TimeUnit.MINUTES).waited()).isPositive();
        assertThat(events.regressions)
                .allSatisfy(each -> assertThat(each.call().attributes()).containsEntry("model", "search"));
        assertThat(balance(guard)).isEqualTo(90);
    }

    @Test
    @Tag("fault-10")
    void aCallInFlightTakesItsSlotAgainWhereAReplicaTakesOverThatKnowsNothingOfIt() throws Exception {
        CostGuard guard = guard(Limit.concurrentCalls(2));
        redis.detach();
        Permit inFlight = guard.acquire(CALL);

        switchOver();

        await(() -> balance(guard) == 1);
        inFlight.close();
        guard.flush();
        assertThat(balance(guard)).isEqualTo(2);
    }

    @Test
    @Tag("fault-11")
    void whereAllIsFlushedOrABalanceDeletedUnderLoadOneCapacityMoreGoesEachTimeAndEveryCallIsAnswered()
            throws Exception {
        CostGuard guard = guard(Limit.tokens(100).per(LONG).tokenBucket());
        AtomicInteger went = new AtomicInteger();
        List<CompletableFuture<Void>> load = load(500, guard, went);

        for (int lost = 1; lost <= 4; lost++) {
            int before = 100 * lost;
            await(() -> went.get() >= before);
            if (lost % 2 == 0) {
                atMaster.flushAll();
            } else {
                PatientRedis.subjects(redis.master().url(), "costguard").forEach(atMaster::del);
            }
        }

        awaitAll(load);
        assertThat(went).hasValue(500);
        assertThat(balance(guard)).isZero();
    }

    private static List<CompletableFuture<Void>> load(int enough, CostGuard guard, AtomicInteger went) {
        List<CompletableFuture<Void>> load = new ArrayList<>();
        for (int thread = 0; thread < 4; thread++) {
            // Java's common pool may have a single thread.
            load.add(
                    CompletableFuture.runAsync(() -> callUntil(enough, guard, went), task -> new Thread(task).start()));
        }
        return load;
    }

    private static void awaitAll(List<CompletableFuture<Void>> load) throws Exception {
        for (CompletableFuture<Void> each : load) {
            each.get(1, TimeUnit.MINUTES);
        }
    }

    private static void acquireInTurn(CostGuard guard, int calls) throws Exception {
        for (int i = 0; i < calls; i++) {
            guard.acquire(tokens(1));
        }
    }

    private static void callUntil(int enough, CostGuard guard, AtomicInteger went) {
        try {
            while (went.get() < enough) {
                if (guard.tryAcquire(tokens(1)).isPresent()) {
                    went.incrementAndGet();
                }
            }
        } catch (GuardUnavailableException e) {
            throw new IllegalStateException("a call was not answered", e);
        }
    }

    private void switchOver() {
        redis.kill();
        redis.switchOver();
    }

    private CostGuard guard(Limit limit) {
        CostGuard guard = CostGuard.builder()
                .redis(client)
                .budget(Budget.named("b").per("apiKey").limit(limit))
                .preCheck(Duration.ZERO)
                .lease(Duration.ofSeconds(1))
                .decisionTimeout(Duration.ofMinutes(1))
                .listener(events)
                .build();
        guards.add(guard);
        return guard;
    }

    private static GuardedCall tokens(long tokens) {
        return CALL.cost(Cost.requests(1).input(tokens));
    }

    private static long balance(CostGuard guard) throws GuardUnavailableException {
        return guard.status(CALL).get(0).balance();
    }
}
