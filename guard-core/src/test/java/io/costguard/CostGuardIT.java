package io.costguard;

import static io.costguard.Guards.LONG;
import static io.costguard.Guards.balances;
import static io.costguard.Guards.bucket;
import static io.costguard.Guards.budget;
import static io.costguard.Guards.tokens;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.costguard.GuardListener.Denied.By;
import io.costguard.testing.FaultyLink;
import java.io.ByteArrayInputStream;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import redis.clients.jedis.RedisClient;

/** What a user of the guard itself, without an HTTP client, sees. */
@Timeout(120)
class CostGuardIT {
    /** How long Redis may take where it is not expected to decide. */
    private static final Duration HASTE = Duration.ofSeconds(1);

    private static final Limit TOKENS = bucket(1_000);
    private static final Limit REQUESTS = Limit.requests(10).per(LONG).tokenBucket();

    @RegisterExtension
    private final Guards guards = new Guards();

    // -------------------------------------------------------------------------------------------- a reservation's life

    @Test
    void aGrantedCallIsChargedItsEstimateUntilItIsSettledByWhatItUsed() throws Exception {
        CostGuard guard = guards.guard(budget(TOKENS, REQUESTS));

        Permit permit = guard.acquire(tokens(600));
        assertThat(balances(guard)).containsExactly(400L, 9L);
        assertThat(permit.estimate()).isEqualTo(Cost.requests(1).input(600).usd("0.0015"));
        assertThat(permit.waited()).isZero();

        permit.settle(Cost.requests(1).input(200).output(50));
        assertThat(balances(guard)).containsExactly(750L, 9L);
        assertThat(guards.events.settlements)
                .containsExactly(new GuardListener.Settlement(
                        guards.events.grants.get(0).call(),
                        permit.estimate(),
                        Cost.requests(1).input(200).output(50).usd("0.001"),
                        Outcome.SETTLED));
    }

    @Test
    void aCallThatUsedMoreThanItsEstimateLeavesADebt() throws Exception {
        CostGuard guard = guards.guard(budget(TOKENS));

        guard.acquire(tokens(600)).settle(Cost.requests(1).input(1_500));

        assertThat(balances(guard)).containsExactly(-500L);
        assertThat(guard.tryAcquire(tokens(1))).isEmpty();
    }

    @Test
    void aReleasedCallGivesEverythingBack() throws Exception {
        CostGuard guard = guards.guard(budget(TOKENS, REQUESTS));

        guard.acquire(tokens(600)).release();

        assertThat(balances(guard)).containsExactly(1_000L, 10L);
    }

    @Test
    void aCallMayFallUnderAHundredBudgetsOfFiveHundredLimitsTogether() throws Exception {
        Budget[] budgets = new Budget[101];
        for (int i = 0; i < budgets.length; i++) {
            budgets[i] =
                    Budget.named("b" + i).where("one", i == 100 ? "more" : "*").per();
            for (int j = 1; j <= 5; j++) {
                budgets[i] = budgets[i].limit(
                        Limit.requests(100).per(LONG.minusDays(j)).tokenBucket());
            }
        }
        CostGuard guard = guards.guard(budgets);
        GuardedCall call = GuardedCall.of("m").with("one", "many");

        guard.acquire(call).settle(Cost.requests(1));
        guard.acquire(call).release();

        assertThat(guard.status(call)).hasSize(500).allMatch(status -> status.balance() == 99);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> guard.acquire(call.with("one", "more")))
                .withMessageContaining("falls under 101 budgets");
    }

    @Test
    void aCallThatFallsUnderMoreThanFiveHundredLimitsIsRefusedByName() throws Exception {
        Budget[] budgets = new Budget[26];
        for (int i = 0; i < budgets.length; i++) {
            budgets[i] = Budget.named("b" + i).per();
            for (int j = 1; j <= 20; j++) {
                budgets[i] = budgets[i].limit(
                        Limit.requests(100).per(LONG.minusDays(j)).tokenBucket());
            }
        }
        CostGuard guard = guards.guard(budgets);

        assertThatIllegalArgumentException()
                .isThrownBy(() -> guard.acquire(GuardedCall.of("m")))
                .withMessageContaining("falls under 520 limits, and may fall under 500");
    }

    @Test
    void aPermitSaysWhatItIs() throws Exception {
        Permit permit = guards.guard(budget(TOKENS, REQUESTS)).acquire(tokens(600));

        assertThat(permit).hasToString("permit " + permit.id() + " for " + permit.estimate());
    }

    @Test
    void whatAProcessGaveBackIsThereForItsNextCall() throws Exception {
        CostGuard guard = guards.guard(budget(TOKENS, REQUESTS));

        for (int i = 0; i < 200; i++) {
            guard.acquire(tokens(1_000)).release();
        }

        assertThat(balances(guard)).containsExactly(1_000L, 10L);
    }

    @Test
    void aPermitThatIsOnlyClosedKeepsItsEstimate() throws Exception {
        CostGuard guard = guards.guard(budget(TOKENS));

        guard.acquire(tokens(600)).close();

        assertThat(balances(guard)).containsExactly(400L);
        assertThat(guards.events.settlements)
                .extracting(GuardListener.Settlement::outcome)
                .containsExactly(Outcome.ESTIMATE_KEPT);
    }

    @Test
    @Tag("fault-18")
    @Tag("invariant-3")
    void ofManySettlesTheFirstCounts() throws Exception {
        CostGuard guard = guards.guard(budget(TOKENS));
        Permit permit = guard.acquire(tokens(600));

        permit.settle(Cost.requests(1).input(100));
        permit.settle(Cost.requests(1).input(900));
        permit.release();
        permit.close();

        assertThat(balances(guard)).containsExactly(900L);
        assertThat(guards.events.settlements).hasSize(1);
    }

    @Test
    @Tag("fault-18")
    void ofSettlesByManyThreadsOneCounts() throws Exception {
        CostGuard guard = guards.guard(budget(Limit.tokens(100_000).per(LONG).tokenBucket()));
        ExecutorService threads = Executors.newFixedThreadPool(8);
        guards.<AutoCloseable>opened(threads::shutdownNow);
        for (int round = 0; round < 100; round++) {
            Permit permit = guard.acquire(tokens(600));
            CountDownLatch go = new CountDownLatch(1);
            List<CompletableFuture<?>> ends = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                boolean releases = i % 2 == 0;
                ends.add(CompletableFuture.runAsync(
                        () -> {
                            await(go);
                            if (releases) {
                                permit.release();
                            } else {
                                permit.settle(Cost.requests(1).input(100));
                            }
                        },
                        threads));
            }
            go.countDown();
            CompletableFuture.allOf(ends.toArray(CompletableFuture<?>[]::new)).get();
        }

        assertThat(guards.events.settlements).hasSize(100);
        long used = guards.events.settlements.stream()
                .mapToLong(each -> each.actual().input())
                .sum();
        assertThat(balances(guard)).containsExactly(100_000 - used);
    }

    @Test
    void aSettleAfterItsGuardWasClosedBreaksNothing() throws Exception {
        CostGuard guard = guards.guard(budget(TOKENS));
        Permit permit = guard.acquire(tokens(600));
        guard.close();

        permit.settle(Cost.requests(1).input(1));

        assertThat(balances(guards.guard(budget(TOKENS)))).containsExactly(400L);
    }

    @Test
    void closingAGuardSettlesWhatHasEnded() throws Exception {
        CostGuard guard = guards.guard(budget(TOKENS));
        guard.acquire(tokens(600)).settle(Cost.requests(1).input(1));

        guard.close();

        assertThat(balances(guards.guard(budget(TOKENS)))).containsExactly(999L);
    }

    // ------------------------------------------------------------------------------------------------ which balances

    @Test
    void aCallIsChargedToAllOfItsLimitsOrToNone() throws Exception {
        CostGuard guard = guards.guard(
                budget(TOKENS, REQUESTS),
                Budget.named("small")
                        .per()
                        .limit(Limit.inputTokens(100).per(LONG).tokenBucket()));

        Decision decision =
                guard.decide(tokens(101).cost(Cost.requests(1).input(100).output(1)));
        assertThat(decision).isInstanceOf(Decision.Granted.class);
        assertThat(guard.tryAcquire(tokens(1))).isEmpty();

        assertThat(balances(guard)).containsExactly(899L, 9L, 0L);
    }

    @Test
    void modelsAndKeysAreCountedApartUnlessTheBudgetSaysOtherwise() throws Exception {
        CostGuard guard = guards.guard(
                budget(TOKENS),
                Budget.named("all").per().limit(Limit.requests(100).per(LONG).tokenBucket()));

        guard.acquire(tokens(600));
        guard.acquire(tokens(600).with("apiKey", "other"));
        guard.acquire(tokens(600).with("model", "claude-sonnet-4-5"));
        guard.acquire(tokens(300).with("model", "gpt-4o-2024-08-06"));

        assertThat(balances(guard)).containsExactly(100L, 96L);
    }

    @Test
    @Tag("threat-5")
    void aBudgetIsCountedPerAnyAttribute() throws Exception {
        CostGuard guard = guards.guard(Budget.named("tenant").per("tenant").limit(TOKENS));

        guard.acquire(tokens(600).with("tenant", "a"));
        guard.acquire(tokens(600).with("tenant", "b"));
        assertThat(guard.tryAcquire(tokens(600).with("tenant", "a"))).isEmpty();
    }

    @Test
    void aCallWithoutAnAttributeThatABudgetIsCountedPerIsRefusedByName() throws Exception {
        CostGuard guard = guards.guard(Budget.named("tenant").per("tenant").limit(TOKENS));

        assertThatExceptionOfType(MisfitException.class)
                .isThrownBy(() -> guard.acquire(tokens(1)))
                .withMessageContaining("'tenant'")
                .withMessageContaining("give the call that attribute");
        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(() -> guard.acquireAsync(tokens(1)).get())
                .withCauseInstanceOf(MisfitException.class);
    }

    @Test
    @Tag("threat-3")
    void aModelWithoutAPriceIsRefusedUnderALimitInDollars() throws Exception {
        CostGuard guard = guards.guard(budget(Limit.usd("1").per(LONG).fixedWindow()));

        assertThatExceptionOfType(MisfitException.class)
                .isThrownBy(() -> guard.acquire(tokens(1).with("model", "no-such-model")))
                .withMessageContaining("'no-such-model' without a provider has no price");
        assertThat(guard.tryAcquire(tokens(1)
                        .with("model", "no-such-model")
                        .cost(Cost.requests(1).usd("0.25"))))
                .isPresent();
    }

    @Test
    void dollarsComeFromThePriceList() throws Exception {
        PriceList prices = PriceList.parse(new ByteArrayInputStream(
                "{\"m\": {\"input_cost_per_token\": 0.000002, \"output_cost_per_token\": 0.00001}}"
                        .getBytes(StandardCharsets.UTF_8)));
        CostGuard guard = guards.guard(
                builder -> builder.prices(prices),
                budget(Limit.usd("1").per(LONG).fixedWindow()));
        GuardedCall call = GuardedCall.of("m").with("apiKey", "k");

        Permit permit = guard.acquire(call.cost(Cost.requests(1).input(1_000).output(500)));
        assertThat(balance(guard, call)).isEqualTo(1_000_000_000 - 7_000_000);
        permit.settle(Cost.requests(1).input(1_000).output(100));

        assertThat(balance(guard, call)).isEqualTo(1_000_000_000 - 3_000_000);
    }

    @Test
    void aPriceThatChangesWhileTheGuardRunsCountsForTheNextCallLikeThoseBefore(@TempDir Path folder) throws Exception {
        Path file = Files.writeString(folder.resolve("prices.json"), "{\"m\": {\"input_cost_per_token\": 0.000002}}");
        AtomicLong nanoTime = new AtomicLong();
        PriceList prices = PriceList.of(new ReloadingFile(file, nanoTime::get, Runnable::run));
        CostGuard guard = guards.guard(
                builder -> builder.prices(prices),
                budget(Limit.usd("1").per(LONG).fixedWindow()));
        GuardedCall call =
                GuardedCall.of("m").with("apiKey", "k").cost(Cost.requests(1).input(1_000));

        guard.acquire(call);
        Files.writeString(file, "{\"m\": {\"input_cost_per_token\": 0.000005}}");
        nanoTime.addAndGet(ReloadingFile.EVERY.toNanos());
        guard.acquire(call);

        assertThat(balance(guard, call)).isEqualTo(1_000_000_000 - 2_000_000 - 5_000_000);
    }

    @Test
    void aCallThatNoBudgetAppliesToGoesWithoutRedis() throws Exception {
        FaultyLink link = guards.link();
        link.refuseConnections();
        CostGuard guard = guards.guard(
                builder -> builder.redis(link.url()), budget(TOKENS).models("claude-*"));

        assertThat(guard.tryAcquire(tokens(1))).isPresent();
        assertThat(guard.status(tokens(1))).isEmpty();
    }

    @Test
    void aDryRunReportsAndNeverDenies() throws Exception {
        CostGuard guard = guards.guard(budget(TOKENS).dryRun());

        guard.acquire(tokens(600));
        guard.acquire(tokens(600));
        guard.acquire(tokens(5_000));

        assertThat(guards.events.denials).extracting(GuardListener.Denied::by).containsExactly(By.DRY_RUN, By.DRY_RUN);
        assertThat(guards.events.grants).hasSize(3);
    }

    // ----------------------------------------------------------------------------------------------------- denials

    @Test
    void aDenialSaysEveryNumberThatAnOperatorNeeds() throws Exception {
        CostGuard guard = guards.guard(budget(Limit.tokens(1_000).perMinute(), REQUESTS));
        guard.acquire(tokens(1_000));

        assertThatExceptionOfType(BudgetExceededException.class)
                .isThrownBy(() -> guard.acquire(tokens(600)))
                .satisfies(e -> {
                    Denial denial = e.denial();
                    assertThat(denial.budget()).isEqualTo("b");
                    assertThat(denial.limit()).isEqualTo("tokens per minute");
                    assertThat(denial.unit()).isEqualTo(Unit.TOKENS);
                    assertThat(denial.requested()).isEqualTo(600);
                    assertThat(denial.available()).isLessThan(600);
                    assertThat(denial.largestThatFits()).isEqualTo(denial.available());
                    assertThat(denial.retryAfter()).isPositive().isLessThanOrEqualTo(Duration.ofSeconds(36));
                    assertThat(e).hasMessageContaining("budget 'b' is spent: tokens per minute, requested 600");
                });
    }

    @Test
    void everyWayToAskGivesTheSameDenial() throws Exception {
        CostGuard guard = guards.guard(budget(TOKENS));
        guard.acquire(tokens(1_000));

        assertThat(guard.tryAcquire(tokens(600))).isEqualTo(Optional.empty());
        assertThat(guard.decide(tokens(600))).isInstanceOf(Decision.Denied.class);
        assertThatExceptionOfType(BudgetExceededException.class).isThrownBy(() -> guard.acquire(tokens(600)));
        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(() -> guard.acquireAsync(tokens(600)).get())
                .withCauseInstanceOf(BudgetExceededException.class);

        assertThat(guards.events.denials)
                .extracting(GuardListener.Denied::by)
                .containsOnly(By.REDIS)
                .hasSize(4);
    }

    @ParameterizedTest
    @ValueSource(longs = {1_001, 1L << 31, Cost.MAX_AMOUNT})
    @Tag("fault-27")
    void aCallAboveALimitsCapacityIsRefusedForGoodAndWritesNothing(long tokens) throws Exception {
        CostGuard guard = guards.guard(budget(TOKENS));

        assertThatExceptionOfType(CostExceedsCapacityException.class)
                .isThrownBy(() -> guard.acquire(tokens(tokens)))
                .withMessageContaining(String.valueOf(tokens))
                .withMessageContaining("1000")
                .satisfies(e -> assertThat(e)
                        .hasMessage(guards.events.denials.get(0).denial().toString()));

        try (RedisClient jedis = PatientRedis.client(guards.redis.url())) {
            assertThat(jedis.keys(guards.prefix + "*")).isEmpty();
        }
        assertThat(guards.events.denials).extracting(GuardListener.Denied::by).containsExactly(By.CAPACITY);
    }

    @ParameterizedTest
    @ValueSource(longs = {999, 1_000})
    void aCallUpToALimitsCapacityGoes(long tokens) throws Exception {
        CostGuard guard = guards.guard(budget(TOKENS));

        guard.acquire(tokens(tokens));

        assertThat(balances(guard)).containsExactly(1_000 - tokens);
    }

    @Test
    void aCallAboveCapacityGoesWhenTheLimitIsFullIfTheBudgetClampsIt() throws Exception {
        CostGuard guard = guards.guard(budget(TOKENS).clampToCapacity());

        Permit first = guard.acquire(tokens(1_500));
        assertThat(balances(guard).get(0)).isLessThanOrEqualTo(0L);
        assertThat(guard.tryAcquire(tokens(1_500))).isEmpty();
        first.release();
        assertThat(balances(guard)).containsExactly(1_000L);
        assertThat(guard.tryAcquire(tokens(1_500))).isPresent();
    }

    // ---------------------------------------------------------------------------------------------- Redis is away

    @Test
    @Tag("fault-1")
    void aGuardIsBuiltWhileRedisIsAwayAndFailsClosedUntilItComes() throws Exception {
        FaultyLink link = guards.link();
        link.refuseConnections();
        CostGuard guard = guards.guard(builder -> builder.redis(link.url()).decisionTimeout(HASTE), budget(TOKENS));

        assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> guard.acquire(tokens(1)));
        assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> guard.tryAcquire(tokens(1)));
        assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> guard.decide(tokens(1)));
        assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> guard.status(tokens(1)));
        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(() -> guard.acquireAsync(tokens(1)).get())
                .withCauseInstanceOf(GuardUnavailableException.class);

        link.acceptConnections();
        guard.acquire(tokens(1));
        assertThat(balances(guard)).containsExactly(999L);
    }

    @Test
    void aGuardThatFailsOpenLetsCallsGoUncountedAndReportsEachOfThem() throws Exception {
        FaultyLink link = guards.link();
        CostGuard guard = guards.guard(
                builder -> builder.redis(link.url()).decisionTimeout(HASTE).whenRedisFails(WhenRedisFails.failOpen()),
                budget(TOKENS));
        guard.acquire(tokens(100));
        link.refuseConnections();
        link.resetConnections();

        guard.acquire(tokens(200)).settle(Cost.requests(1).input(300));
        guard.acquireAsync(tokens(200)).get().release();
        assertThat(guard.decide(tokens(200))).isInstanceOf(Decision.Granted.class);

        assertThat(guards.events.failedOpen).hasSize(3);
        link.acceptConnections();
        assertThat(balances(guard)).containsExactly(900L);
    }

    @Test
    void aGuardThatFailsOpenStillDeniesWhatRedisDenies() throws Exception {
        CostGuard guard = guards.guard(builder -> builder.whenRedisFails(WhenRedisFails.failOpen()), budget(TOKENS));
        guard.acquire(tokens(1_000));

        assertThat(guard.tryAcquire(tokens(1))).isEmpty();
    }

    @Test
    void aClosedGuardSaysSo() throws Exception {
        CostGuard guard = guards.guard(budget(TOKENS));
        guard.close();

        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> guard.acquire(tokens(1)))
                .withMessageContaining("the guard is closed");
        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> guard.status(tokens(1)))
                .withMessage("the guard is closed");
        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> guard.hold(tokens(1), Duration.ofSeconds(1)))
                .withMessage("the guard is closed");
    }

    // -------------------------------------------------------------------------------------------------- threads

    @Test
    void anInterruptedThreadIsChargedNothingAndStaysInterrupted() throws Exception {
        CostGuard guard = guards.guard(budget(TOKENS));

        Thread.currentThread().interrupt();
        assertThatExceptionOfType(InterruptedIOException.class).isThrownBy(() -> guard.acquire(tokens(600)));

        assertThat(Thread.interrupted()).isTrue();
        assertThat(balances(guard)).containsExactly(1_000L);
    }

    @Test
    void aCallThatIsCancelledWhileRedisDecidesIsGivenBack() throws Exception {
        FaultyLink link = guards.link();
        CostGuard guard = guards.guard(
                builder -> builder.redis(link.url()).decisionTimeout(Duration.ofSeconds(20)), budget(TOKENS, REQUESTS));
        guard.acquire(tokens(1)).release();
        guard.flush();
        link.replies().hold("EVALSHA");
        CompletableFuture<Permit> permit = guard.acquireAsync(tokens(600));
        link.replies().awaitWithheld(1);

        permit.cancel(true);
        link.replies().pass();

        awaitBalances(guard, 1_000L, 10L);
    }

    @Test
    void aListenerThatThrowsBreaksNothing() throws Exception {
        GuardListener broken = new GuardListener() {
            @Override
            public void onGranted(Grant event) {
                throw new IllegalStateException("granted");
            }

            @Override
            public void onSettled(Settlement event) {
                throw new IllegalStateException("settled");
            }
        };
        CostGuard guard = guards.guard(builder -> builder.listener(broken), budget(TOKENS));

        guard.acquire(tokens(600)).settle(Cost.requests(1).input(1));

        assertThat(balances(guard)).containsExactly(999L);
    }

    // --------------------------------------------------------------------------------------------------- the rest

    @Test
    void theOffSwitchLetsEverythingPassWithoutRedis() throws Exception {
        System.setProperty("costguard.enabled", " FALSE ");
        try {
            CostGuard guard = guards.guard(builder -> builder.redis("redis://127.0.0.1:1"), budget(TOKENS));

            guard.acquire(tokens(5_000)).settle(Cost.requests(1));
            guard.acquireAsync(tokens(5_000)).get().release();
            assertThat(guard.tryAcquire(tokens(5_000))).isPresent();
            assertThat(guard.status(tokens(1))).isEmpty();
            guard.flush();
        } finally {
            System.clearProperty("costguard.enabled");
        }
    }

    @Test
    void aGuardThatIsBuiltSwitchedOffLetsEverythingPassWithoutRedis() throws Exception {
        CostGuard guard =
                guards.guard(builder -> builder.redis("redis://127.0.0.1:1").switchedOff(), budget(TOKENS));

        guard.acquire(tokens(5_000)).settle(Cost.requests(1));
        assertThat(guard.isSwitchedOff()).isTrue();
        assertThat(guard.lackingRights()).isEmpty();
    }

    @Test
    void theBudgetsInForceAreThoseSaidLast() {
        CostGuard guard = guards.guard(budget(TOKENS));
        Budget later = Budget.named("later").limit(Limit.requests(1).perDay());

        guard.update(List.of(later));

        assertThat(guard.budgets()).containsExactly(later);
        assertThat(guard.isSwitchedOff()).isFalse();
    }

    @Test
    void aCallIsToldWhatIsSaidOfItsThread() throws Exception {
        Budget tenants = Budget.named("tenants")
                .where("tenant", "acme")
                .per("tenant")
                .limit(Limit.requests(10).perDay());
        CostGuard guard = guards.guard(tenants);
        GuardedCall call = GuardedCall.of("m");

        CostGuard.with(Map.of("tenant", "acme")).call(() -> {
            guard.acquire(call).close();
            guard.acquireAsync(call).get().close();
            assertThat(guard.tryAcquire(call)).isPresent();
            assertThat(guard.decide(call)).isInstanceOf(Decision.Granted.class);
            assertThat(guard.tryAcquire(call.with("tenant", "own"))).isPresent();
            assertThat(guard.status(call)).extracting(LimitStatus::balance).containsExactly(6L);
            guard.hold(call, Duration.ofMinutes(1));
            assertThat(guard.tryAcquire(call)).isEmpty();
            return true;
        });

        assertThat(guard.tryAcquire(call)).isPresent();
        assertThat(guards.events.grants)
                .filteredOn(grant -> "acme".equals(grant.call().attributes().get("tenant")))
                .hasSize(4);
    }

    @Test
    void listenersSeeTheKeysFingerprintAndNeverTheKey() throws Exception {
        CostGuard guard = guards.guard(budget(TOKENS));

        guard.acquire(tokens(1));

        assertThat(guards.events.grants.get(0).call().attributes().get("apiKey"))
                .matches("[0-9a-zA-Z_-]{16,}")
                .doesNotContain("sk-canary");
        assertThat(guards.events.grants.toString()).doesNotContain("sk-canary");
    }

    @Test
    void aClientOfTheUsersOwnIsUsedAndStaysOpen() throws Exception {
        try (RedisClient jedis = PatientRedis.client(guards.redis.url())) {
            CostGuard guard = CostGuard.builder()
                    .redis(jedis)
                    .keyPrefix(guards.prefix)
                    .budget(budget(TOKENS))
                    .build();
            guard.acquire(tokens(600));
            guard.close();

            assertThat(jedis.ping()).isEqualTo("PONG");
            assertThat(jedis.keys(guards.prefix + "*"))
                    .isNotEmpty()
                    .allSatisfy(key -> assertThat(jedis.pttl(key)).isPositive());
        }
    }

    // ------------------------------------------------------------------------------------------------------ the parts

    private static long balance(CostGuard guard, GuardedCall call) throws GuardUnavailableException {
        return guard.status(call).get(0).balance();
    }

    private static void awaitBalances(CostGuard guard, Long... expected) throws Exception {
        while (!balances(guard).equals(List.of(expected))) {
            Thread.onSpinWait();
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
