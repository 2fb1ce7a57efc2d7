package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import io.costguard.describe.Dialect;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import redis.clients.jedis.RedisClient;

/** Settings that make no sense, at the earliest point. No Redis: a guard connects when it is first asked. */
class CostGuardBuilderTest {
    private static final Budget BUDGET =
            Budget.named("b").limit(Limit.requests(5).perMinute());

    @SuppressWarnings("NullAway") // what a caller without such a check may do
    private static final GuardedCall NOTHING = null;

    @Test
    void aGuardIsBuiltWithoutRedis() {
        assertThatCode(() -> builder().budget(BUDGET).build().close()).doesNotThrowAnyException();
    }

    @Test
    @ResourceLock(Resources.SYSTEM_ERR)
    void aGuardWithoutBudgetsSaysOnceThatItGuardsNothing() {
        assertThat(Logged.by(() -> {
                    try (CostGuard guard = builder().build()) {
                        guard.acquire(GuardedCall.of("gpt-4o")).release();
                        guard.acquire(GuardedCall.of("gpt-4o")).release();
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                }))
                .containsOnlyOnce("the guard has no budget: no call is guarded");
        assertThat(Logged.by(() -> builder().budget(BUDGET).build().close())).doesNotContain("no budget");
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, 1, -0.1, 80, Double.NaN, Double.POSITIVE_INFINITY})
    void aShareAtWhichNoLimitIsNearIsRefused(double share) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder().nearLimit(share))
                .withMessage("nearLimit must be a share of what limits can hold, above 0 and below 1, such as 0.8, not "
                        + share);
    }

    @Test
    @ResourceLock(Resources.SYSTEM_ERR)
    void aBudgetForAProviderThatNoCallHasIsToldWithThoseThatThereAre() {
        assertThat(builtWith(BUDGET.providers("openai", "opnai", "*-ai"), builder()))
                .contains(
                        "budget 'b' is for provider 'opnai', which no HTTP call has",
                        "anthropic, azure, bedrock",
                        "llamacpp")
                .contains("budget 'b' is for provider '*-ai'")
                .doesNotContain("for provider 'openai'");
    }

    @Test
    @ResourceLock(Resources.SYSTEM_ERR)
    void aBudgetForAProviderThatCallsMayHaveIsNotTold() {
        assertThat(builtWith(BUDGET.providers("OpenAI", "x*", "llamacpp"), builder()))
                .isEmpty();
        assertThat(builtWith(BUDGET.providers("mine"), builder().provider("llm.example.com", "mine")))
                .isEmpty();
        Dialect ofAnybody = (Dialect) Proxy.newProxyInstance(
                Dialect.class.getClassLoader(), new Class<?>[] {Dialect.class}, (dialect, method, arguments) -> {
                    throw new AssertionError("asked at build: " + method);
                });
        assertThat(builtWith(BUDGET.providers("anybody"), builder().dialect(ofAnybody)))
                .isEmpty();
    }

    private static String builtWith(Budget budget, CostGuard.Builder builder) {
        return Logged.by(() -> builder.budget(budget).build().close());
    }

    @Test
    void aCallThatIsNotGivenIsRefusedWithWhatToDo() {
        try (CostGuard guard = builder().budget(BUDGET).build()) {
            List<ThrowingCallable> uses = List.of(
                    () -> guard.acquire(NOTHING),
                    () -> guard.acquireAsync(NOTHING),
                    () -> guard.tryAcquire(NOTHING),
                    () -> guard.decide(NOTHING),
                    () -> guard.status(NOTHING),
                    () -> guard.hold(NOTHING, Duration.ofSeconds(1)));
            for (ThrowingCallable use : uses) {
                assertThatNullPointerException()
                        .isThrownBy(use)
                        .withMessage("no call was given; GuardedCall.of(name) makes one");
            }
        }
    }

    @Test
    void aBudgetWithoutLimitsIsRefused() {
        refused(builder().budget(Budget.named("empty")), "budget 'empty' has no limit");
    }

    @Test
    void twoBudgetsOfOneNameAreRefused() {
        refused(builder().budget(BUDGET).budget(BUDGET.models("gpt-4o")), "two budgets have the name 'b'");
    }

    @Test
    void aLimitInDollarsForAModelWithoutAPriceIsRefused() {
        refused(
                builder()
                        .budget(Budget.named("money")
                                .models("nobody-knows")
                                .limit(Limit.usd("1").perDay())),
                "its model 'nobody-knows' has no price");
    }

    @Test
    void aLimitThatIsCorrectedByTheProviderIsCountedAsTheProviderCounts() {
        Limit limit = Limit.requests(5).perMinute().correctedByProvider();

        refused(
                builder().budget(Budget.named("b").per("tenant", "apiKey").limit(limit)),
                "needs .per(\"model\", \"apiKey\")");
        assertThatCode(() -> builder()
                        .budget(Budget.named("b")
                                .per("tenant", "apiKey", "model")
                                .limit(limit))
                        .build()
                        .close())
                .doesNotThrowAnyException();
    }

    @Test
    void aLimitWhosePartsDoNotGoTogetherIsRefused() {
        refused(
                builder()
                        .budget(Budget.named("b")
                                .limit(Limit.requests(5).perDay().burst(9))),
                "a burst needs a token bucket");
    }

    @Test
    void redisMustBeSaidOnce() {
        refused(CostGuard.builder().budget(BUDGET), "say where Redis is, once");
        try (RedisClient client = RedisClient.create("redis://127.0.0.1:1")) {
            refused(builder().redis(client).budget(BUDGET), "say where Redis is, once");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "localhost:6379",
                "http://localhost",
                "redis://",
                "redis:// x",
                "redis://:pa ss@host",
                "redis://:pa#ss@host",
                "redis://:pa ss@host:99999",
                "redis://host:99999",
                "redis://host/first",
                "redis://host/-1"
            })
    void whatIsNoRedisUrlIsRefusedWithoutRepeatingIt(String url) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> CostGuard.builder().redis(url).budget(BUDGET).build())
                .withMessageContaining("not a Redis URL; write redis://host:6379")
                .satisfies(e -> assertThat(e).hasNoCause().hasMessageNotContainingAny("pa ss", "pa#ss"));
    }

    @Test
    void durationsOutOfRangeAreRefusedByName() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder().decisionTimeout(Duration.ofMillis(9)))
                .withMessage("decisionTimeout must be from PT0.01S to PT1M, not PT0.009S");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder().preCheck(Duration.ofSeconds(-1)))
                .withMessage("preCheck must be from PT0S to PT1M, not PT-1S");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder().lease(Duration.ofMillis(999)))
                .withMessage("lease must be from PT1S to PT24H, not PT0.999S");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{a}", "a b", "a\nb", "\u00e4"})
    void aKeyPrefixThatCouldMoveAKeyToAnotherSlotIsRefused(String prefix) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder().keyPrefix(prefix))
                .withMessageContaining("keyPrefix must be 1 to 100 letters, digits or any of");
    }

    @Test
    void aFingerprintKeyThatIsTooShortIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> builder().fingerprintKey(new byte[15]))
                .withMessage("fingerprintKey must be at least 16 bytes, not 15");
    }

    private static CostGuard.Builder builder() {
        return CostGuard.builder().redis("redis://127.0.0.1:1");
    }

    private static void refused(CostGuard.Builder builder, String why) {
        assertThatIllegalArgumentException().isThrownBy(builder::build).withMessageContaining(why);
    }
}
