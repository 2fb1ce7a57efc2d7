package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What limits that weigh tokens charge, with a real Redis. */
@Timeout(60)
class WeightsIT {
    /** Refills less than a unit in any test's time. */
    private static final Duration LONG = Duration.ofDays(366);

    private static final Limit INPUT = Limit.inputTokens(10_000).per(LONG).tokenBucket();
    private static final Limit TOKENS = Limit.tokens(10_000).per(LONG).tokenBucket();

    private static final Cost ESTIMATE = Cost.requests(1).input(1_200).output(300);

    private final RedisForTests redis = RedisForTests.shared();
    private final String prefix = redis.keyPrefix();
    private final List<AutoCloseable> open = new ArrayList<>();

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
    }

    @Test
    void aPromptIsReservedWholeAndWhatTheCacheServedIsGivenBackAtTheSettle() throws Exception {
        CostGuard guard = guard(INPUT.weighing(Weights.anthropic()), INPUT.fixedWindow());

        Permit permit = guard.acquire(call(ESTIMATE));
        assertThat(balances(guard)).containsExactly(8_800L, 8_800L);

        permit.settle(
                Cost.requests(1).input(1_100).cacheRead(1_000).cacheWrite(60).output(200));
        assertThat(balances(guard)).containsExactly(9_900L, 8_900L);
    }

    @Test
    void partsCountHoweverManyRequestsASettleMentions() throws Exception {
        CostGuard guard =
                guard(TOKENS.weighing(Weights.anthropic().cacheWrite(2).reasoning(3)));

        guard.acquire(call(ESTIMATE))
                .settle(Cost.requests(0)
                        .input(1_000)
                        .cacheRead(900)
                        .cacheWrite(10)
                        .output(50)
                        .reasoning(20));

        assertThat(balances(guard)).containsExactly(10_000L - (90 + 2 * 10 + 30 + 3 * 20));
    }

    @Test
    void aCallThatKnowsWhatIsCachedReservesTheRestAlone() throws Exception {
        CostGuard guard = guard(INPUT.weighing(Weights.anthropic()));

        guard.acquire(call(ESTIMATE.cacheRead(1_000))).close();

        assertThat(balances(guard)).containsExactly(9_800L);
    }

    @Test
    void outputIsReservedAndSettledAtItsWeight() throws Exception {
        CostGuard guard = guard(TOKENS.weighing(Weights.bedrock(5)));

        Permit permit = guard.acquire(call(ESTIMATE));
        assertThat(balances(guard)).containsExactly(10_000L - 1_200 - 5 * 300);

        permit.settle(Cost.requests(1).input(1_200).output(40));
        assertThat(balances(guard)).containsExactly(10_000L - 1_200 - 5 * 40);
    }

    @Test
    void whatIsUsedAboveAnEstimateIsADebtAtItsWeight() throws Exception {
        CostGuard guard = guard(TOKENS.weighing(Weights.bedrock(5)));

        guard.acquire(call(ESTIMATE)).settle(Cost.requests(1).output(2_001));

        assertThat(balances(guard)).containsExactly(-5L);
    }

    @Test
    void limitsOfOneUnitAndWindowThatWeighOtherwiseKeepApart() throws Exception {
        CostGuard plain = guard(TOKENS, TOKENS.weighing(Weights.bedrock(5)));
        plain.acquire(call(ESTIMATE)).close();

        assertThat(balances(plain)).containsExactly(8_500L, 7_300L);
        assertThat(balances(guard(TOKENS.weighing(Weights.bedrock(5)), TOKENS))).containsExactly(7_300L, 8_500L);
        assertThat(balances(guard(TOKENS.weighing(Weights.bedrock(10))))).containsExactly(10_000L);
        assertThat(balances(guard(TOKENS.weighing(Weights.none())))).containsExactly(8_500L);
    }

    @Test
    void outputThatWasReservedStaysChargedHoweverLittleWasUsed() throws Exception {
        CostGuard guard = guard(TOKENS.weighing(Weights.openAi()));

        guard.acquire(call(ESTIMATE)).settle(Cost.requests(1).input(1_000).output(10));
        assertThat(balances(guard)).containsExactly(10_000L - 1_000 - 300);

        guard.acquire(call(ESTIMATE)).settle(Cost.requests(1).input(1_000).output(310));
        assertThat(balances(guard)).containsExactly(8_700L - 1_000 - 310);
    }

    @Test
    void aCallThatWasNeverSentGetsItsReservedOutputBack() throws Exception {
        CostGuard guard = guard(TOKENS.weighing(Weights.openAi()));

        guard.acquire(call(ESTIMATE)).release();

        assertThat(balances(guard)).containsExactly(10_000L);
    }

    @Test
    void aDenialIsInTokensAsTheyWeigh() throws Exception {
        Limit limit = TOKENS.weighing(Weights.bedrock(5));
        CostGuard guard = guard(limit);
        guard.acquire(call(Cost.requests(1).input(9_000))).close();

        assertThatExceptionOfType(BudgetExceededException.class)
                .isThrownBy(() -> guard.acquire(call(ESTIMATE)))
                .satisfies(e -> {
                    assertThat(e.denial().limit()).isEqualTo(limit.name());
                    assertThat(e.denial().requested()).isEqualTo(2_700);
                    assertThat(e.denial().largestThatFits()).isEqualTo(1_000);
                });
        guard.acquire(call(Cost.requests(1).output(200))).close();
        assertThat(balances(guard)).containsExactly(0L);
    }

    @Test
    void aCallThatWeighsMoreThanALimitCanEverHoldIsRefusedForGood() {
        CostGuard guard = guard(TOKENS.weighing(Weights.none().output(1_000)));

        assertThatExceptionOfType(CostExceedsCapacityException.class)
                .isThrownBy(() -> guard.acquire(call(Cost.requests(1).output(Cost.MAX_AMOUNT))))
                .satisfies(e -> assertThat(e.denial().requested()).isEqualTo(Cost.MAX_AMOUNT));
    }

    private CostGuard guard(Limit... limits) {
        Budget budget = Budget.named("b");
        for (Limit limit : limits) {
            budget = budget.limit(limit);
        }
        // A machine that stalls fails no test.
        CostGuard guard = CostGuard.builder()
                .redis(redis.url())
                .keyPrefix(prefix)
                .decisionTimeout(Duration.ofSeconds(10))
                .budget(budget)
                .build();
        open.add(guard);
        return guard;
    }

    private static GuardedCall call(Cost cost) {
        return GuardedCall.of("some-model").cost(cost);
    }

    private static List<Long> balances(CostGuard guard) throws GuardUnavailableException {
        return guard.status(call(Cost.requests(1))).stream()
                .map(LimitStatus::balance)
                .toList();
    }
}
