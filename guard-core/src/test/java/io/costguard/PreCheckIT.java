package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.GuardListener.Denied.By;
import io.costguard.testing.FaultyLink;
import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the memory of denials saves, and that it never lets anything go. */
@Timeout(120)
class PreCheckIT {
    private static final int BURST = 10_000;
    private static final int THREADS = 16;
    private static final Duration ENDLESS = Duration.ofMinutes(1);
    private static final Limit TOKENS =
            Limit.tokens(1_000).per(Duration.ofDays(366)).tokenBucket();

    private final RedisForTests redis = RedisForTests.shared();
    private final String prefix = redis.keyPrefix();
    private final FaultyLink link = FaultyLink.to(redis);
    private final Recorder events = new Recorder();
    private final List<CostGuard> guards = new ArrayList<>();

    @AfterEach
    void close() {
        guards.forEach(CostGuard::close);
        link.close();
    }

    @Test
    void aDeniedBurstCostsRedisOneCallABound() throws Exception {
        CostGuard guard = spent(Duration.ofMillis(100));
        int before = link.requests().passed("EVALSHA");
        long begin = System.nanoTime();

        for (int i = 0; i < BURST; i++) {
            assertThat(guard.tryAcquire(tokens(1))).isEmpty();
        }

        long bounds = (System.nanoTime() - begin) / Duration.ofMillis(100).toNanos() + 1;
        assertThat(link.requests().passed("EVALSHA") - before).isBetween(1, (int) bounds);
        assertThat(events.denials).hasSize(BURST);
    }

    @Test
    void aDeniedBurstOfManyThreadsCostsRedisNoMoreThanWhatWasUnderWayBeforeTheFirstDenial() throws Exception {
        CostGuard guard = spent(ENDLESS);
        int before = link.requests().passed("EVALSHA");

        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        try {
            List<CompletableFuture<Void>> bursts = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                bursts.add(CompletableFuture.runAsync(
                        () -> {
                            for (int j = 0; j < BURST / THREADS; j++) {
                                assertThat(asked(guard, 1)).isEmpty();
                            }
                        },
                        threads));
            }
            CompletableFuture.allOf(bursts.toArray(CompletableFuture<?>[]::new)).get();
        } finally {
            threads.shutdownNow();
        }

        assertThat(link.requests().passed("EVALSHA") - before).isBetween(1, THREADS);
        assertThat(events.denials).hasSize(BURST);
        assertThat(events.denials).filteredOn(event -> event.by() == By.REDIS).hasSizeLessThanOrEqualTo(THREADS);
    }

    @Test
    void switchedOffEveryDenialIsOfRedis() throws Exception {
        CostGuard guard = spent(Duration.ZERO);

        for (int i = 0; i < 100; i++) {
            assertThat(guard.tryAcquire(tokens(1))).isEmpty();
        }

        assertThat(events.denials).extracting(GuardListener.Denied::by).containsOnly(By.REDIS);
    }

    @Test
    void aDenialIsForgottenOnceSomethingIsGivenBack() throws Exception {
        CostGuard guard = guard(ENDLESS);
        Permit permit = guard.acquire(tokens(1_000));
        assertThat(guard.tryAcquire(tokens(1))).isEmpty();
        assertThat(guard.tryAcquire(tokens(1))).isEmpty();

        permit.settle(Cost.requests(1).input(999));
        guard.flush();

        assertThat(guard.tryAcquire(tokens(1))).isPresent();
        assertThat(events.denials).extracting(GuardListener.Denied::by).containsExactly(By.REDIS, By.PRE_CHECK);
    }

    @Test
    void aLargeCallsDenialIsNotHeldAgainstASmallOne() throws Exception {
        CostGuard guard = guard(ENDLESS);
        guard.acquire(tokens(500));

        assertThat(guard.tryAcquire(tokens(501))).isEmpty();

        assertThat(guard.tryAcquire(tokens(500))).isPresent();
    }

    @Test
    void aDenialForTheSakeOfAShareIsNotHeldAgainstACallThatLeavesNone() throws Exception {
        CostGuard guard = guard(ENDLESS);
        guard.acquire(tokens(500));
        WhenExhausted leaving = WhenExhausted.waitUpTo(ENDLESS).leaving(Share.percent(50));

        assertThatExceptionOfType(BudgetExceededException.class)
                .isThrownBy(() -> guard.acquire(tokens(1).whenExhausted(leaving)));

        assertThat(guard.tryAcquire(tokens(1))).isPresent();
    }

    @Test
    void aDenialOfOneSubjectIsNotHeldAgainstAnother() throws Exception {
        CostGuard guard = spent(ENDLESS);
        assertThat(guard.tryAcquire(tokens(1))).isEmpty();

        assertThat(guard.tryAcquire(tokens(1).with("apiKey", "other"))).isPresent();
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    @Tag("invariant-2")
    @Tag("invariant-7")
    void whateverIsRememberedEveryGrantIsChargedInRedis(long seed) throws Exception {
        Random random = new Random(seed);
        List<CostGuard> fleet = List.of(guard(ENDLESS), guard(Duration.ofMillis(1)), guard(Duration.ZERO));
        Deque<Permit> open = new ArrayDeque<>();
        long charged = 0;
        int granted = 0;

        for (int i = 0; i < 2_000; i++) {
            CostGuard guard = fleet.get(random.nextInt(fleet.size()));
            if (random.nextInt(3) > 0 || open.isEmpty()) {
                Optional<Permit> permit = guard.tryAcquire(tokens(1 + random.nextInt(300)));
                if (permit.isPresent()) {
                    open.add(permit.get());
                    charged += permit.get().estimate().input();
                    granted++;
                }
            } else {
                Permit permit = open.remove();
                long used = random.nextLong(permit.estimate().input() + 1);
                permit.settle(Cost.requests(1).input(used));
                charged -= permit.estimate().input();
                charged += used;
            }
            for (CostGuard each : fleet) {
                each.flush();
            }
            assertThat(charged).isLessThanOrEqualTo(1_000);
        }

        assertThat(granted).isGreaterThan(10);
        assertThat(fleet.get(2).status(tokens(0)).get(0).balance()).isEqualTo(1_000 - charged);
    }

    private CostGuard spent(Duration bound) throws Exception {
        CostGuard guard = guard(bound);
        guard.acquire(tokens(1_000));
        return guard;
    }

    private CostGuard guard(Duration bound) {
        CostGuard guard = CostGuard.builder()
                .redis(link.url())
                .keyPrefix(prefix)
                .decisionTimeout(Duration.ofSeconds(10))
                .preCheck(bound)
                .listener(events)
                .budget(Budget.named("b").limit(TOKENS))
                .build();
        guards.add(guard);
        return guard;
    }

    private static Optional<Permit> asked(CostGuard guard, long tokens) {
        try {
            return guard.tryAcquire(tokens(tokens));
        } catch (GuardUnavailableException e) {
            throw new IllegalStateException(e);
        }
    }

    private static GuardedCall tokens(long tokens) {
        return GuardedCall.of("gpt-4o")
                .with("apiKey", "sk-1")
                .cost(Cost.requests(1).input(tokens));
    }
}
