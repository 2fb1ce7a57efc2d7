package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class BudgetTest {
    private static final Budget BUDGET = Budget.named("b");
    private static final Limit LIMIT = Limit.requests(5).perMinute();

    @ParameterizedTest
    @CsvSource({
        "gpt-4o*, gpt-4o-mini, true",
        "gpt-4o*, gpt-4o, true",
        "gpt-4o, gpt-4o-mini, false",
        "GPT-4O, gpt-4o, true",
        "gpt-4o-2024-08-06, gpt-4o, true",
        "*mini*, gpt-4o-mini-high, true",
        "*, anything, true",
        "gpt.4o, gpt-4o, false",
        "'\\E.*', gpt-4o, false",
        "claude-*, gpt-4o, false"
    })
    void aPatternOfModelsMatchesCanonicalNames(String pattern, String model, boolean applies) {
        assertThat(BUDGET.models(pattern).appliesTo(Map.of("model", model))).isEqualTo(applies);
    }

    @Test
    void anyPatternOfAnAttributeWillDoButEveryAttributeMustMatch() {
        Budget budget = BUDGET.models("gpt-*", "claude-*").where("tenant", "acme");

        assertThat(budget.appliesTo(Map.of("model", "claude-4", "tenant", "acme")))
                .isTrue();
        assertThat(budget.appliesTo(Map.of("model", "claude-4", "tenant", "other")))
                .isFalse();
        assertThat(budget.appliesTo(Map.of("model", "claude-4"))).isFalse();
        assertThat(BUDGET.appliesTo(Map.of())).isTrue();
    }

    @Test
    void anAttributeNeedNotBeOneOfTheGuardsOwn() {
        assertThat(BUDGET.per("tenant", "team of 7").countedPer()).containsExactly("tenant", "team of 7");
        assertThat(BUDGET.countedPer()).containsExactly("model", "apiKey");
        assertThat(BUDGET.per().countedPer()).isEmpty();
    }

    @Test
    void itTellsAllAttributesThatItLooksAt() {
        assertThat(BUDGET.models("gpt-*")
                        .where("tenant", "acme")
                        .per("user", "model")
                        .attributes())
                .containsExactly("model", "tenant", "user");
        assertThat(BUDGET.per().attributes()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"api_key, apiKey", "apikey, apiKey", "API-Key, apiKey", "Model, model", "PROVIDER, provider"})
    void anAttributeThatIsMisspelledIsRefusedWithTheOneThatWasMeant(String misspelled, String meant) {
        String said = "unknown attribute '" + misspelled + "'; did you mean '" + meant + "'?";

        assertThatIllegalArgumentException()
                .isThrownBy(() -> BUDGET.per(misspelled))
                .withMessage(said);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> BUDGET.where(misspelled, "*"))
                .withMessage(said);
    }

    @Test
    void anAttributeThatIsBlankOrNamedTwiceIsRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> BUDGET.per(" ")).withMessageContaining("blank");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> BUDGET.per("tenant", "tenant"))
                .withMessageContaining("budget 'b'")
                .withMessageContaining("twice");
    }

    @Test
    void noPatternIsRefused() {
        assertThatIllegalArgumentException().isThrownBy(BUDGET::models).withMessage("no pattern given for model");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "two\nlines", "nul\0"})
    void aNameThatCannotBeShownIsRefused(String name) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Budget.named(name))
                .withMessageContaining("1 to 100 printable characters");
    }

    @Test
    void aNameMayHave100CharactersAndNoMore() {
        assertThat(Budget.named("x".repeat(100)).name()).hasSize(100);
        assertThatIllegalArgumentException().isThrownBy(() -> Budget.named("x".repeat(101)));
    }

    @Test
    void aBudgetWithoutLimitsIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> BUDGET.check(PriceList.bundled()))
                .withMessage("budget 'b' has no limit; add one with limit(..)");
    }

    @Test
    void twoLimitsThatWouldBeOneBalanceAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> BUDGET.limit(LIMIT)
                        .limit(Limit.requests(500).perMinute())
                        .check(PriceList.bundled()))
                .withMessageContaining("two limits of requests per minute");
        BUDGET.limit(LIMIT).limit(Limit.requests(50).perHour()).check(PriceList.bundled());
    }

    @Test
    void aBudgetHasTwentyLimitsAtMost() {
        Budget full = BUDGET;
        for (int i = 1; i <= 20; i++) {
            full = full.limit(Limit.requests(1).per(Duration.ofSeconds(i)));
        }
        full.check(PriceList.bundled());
        Budget over = full.limit(LIMIT.tokenBucket()).limit(Limit.requests(1).per(Duration.ofSeconds(21)));

        assertThatIllegalArgumentException()
                .isThrownBy(() -> over.check(PriceList.bundled()))
                .withMessageContaining("limits, and may have 20 at most");
    }

    @Test
    void aLimitInDollarsNeedsThePriceOfEachModelThatIsNamed() {
        Budget dollars = BUDGET.limit(Limit.usd("1").perDay());

        dollars.models("gpt-4o", "claude-*", "GPT-4o-2024-08-06").check(PriceList.bundled());
        dollars.models("llama3-8b-8192", "us.amazon.nova-lite-v1:0").check(PriceList.bundled());
        assertThatIllegalArgumentException()
                .isThrownBy(() -> dollars.models("gpt-4o", "nobody-knows").check(PriceList.bundled()))
                .withMessage(
                        "budget 'b' limits dollars, and its model 'nobody-knows' has no price in the bundled prices; add it with"
                                + " prices(PriceList.bundled().plus(PriceList.read(file)))");
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, Cost.MAX_AMOUNT + 1})
    void anAssumedOutputThatIsNoneIsRefused(long tokens) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> BUDGET.assumedOutput(tokens))
                .withMessageContaining("not " + tokens);
    }

    @Test
    void eachStepGivesANewBudget() {
        Budget changed = BUDGET.limit(LIMIT).assumedOutput(7).dryRun().clampToCapacity();

        assertThat(BUDGET.limits()).isEmpty();
        assertThat(BUDGET.assumedOutput()).isEqualTo(1_000);
        assertThat(BUDGET.isDryRun()).isFalse();
        assertThat(changed.limits()).containsExactly(LIMIT);
        assertThat(changed.assumedOutput()).isEqualTo(7);
        assertThat(changed.isDryRun()).isTrue();
        assertThat(changed.isClampedToCapacity()).isTrue();
        assertThat(changed).hasToString("budget 'b' [5 requests per minute] per [model, apiKey]");
    }
}
