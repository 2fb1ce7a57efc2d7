package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.math.BigDecimal;
import java.util.List;
import java.util.function.LongFunction;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CostTest {
    private static final Cost ONE = Cost.requests(1);

    @Test
    void eachStepGivesANewCost() {
        Cost cost = ONE.input(900).output(300).usd("0.0042");

        assertThat(ONE).isEqualTo(Cost.requests(1));
        assertThat(cost.requests()).isEqualTo(1);
        assertThat(cost.input()).isEqualTo(900);
        assertThat(cost.output()).isEqualTo(300);
        assertThat(cost.nanoUsd()).isEqualTo(4_200_000);
        assertThat(cost).hasToString("1 request, 900 input and 300 output tokens, $0.0042");
    }

    @Test
    void noDollarsAreNotTheSameAsZeroDollars() {
        assertThat(ONE.givenNanoUsd()).isEmpty();
        assertThat(ONE.usd("0").givenNanoUsd()).hasValue(0);
        assertThat(ONE.usd("0")).isNotEqualTo(ONE);
        assertThat(ONE).hasToString("1 request, 0 input and 0 output tokens");
    }

    @Test
    void theSameDollarsAreEqualHoweverWritten() {
        assertThat(ONE.usd(new BigDecimal("1.50")))
                .isEqualTo(ONE.usd("1.5"))
                .isEqualTo(ONE.nanoUsd(1_500_000_000))
                .hasSameHashCodeAs(ONE.usd("1.500"));
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, Cost.MAX_AMOUNT})
    void everyAmountUpTo2To53Goes(long amount) {
        assertThat(Cost.requests(amount).requests()).isEqualTo(amount);
        assertThat(ONE.input(amount).input()).isEqualTo(amount);
        assertThat(ONE.output(amount).output()).isEqualTo(amount);
        assertThat(ONE.nanoUsd(amount).nanoUsd()).isEqualTo(amount);
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, Long.MIN_VALUE, Cost.MAX_AMOUNT + 1, Long.MAX_VALUE})
    @Tag("fault-29")
    void anAmountThatRedisCannotHoldExactlyIsRefusedByName(long amount) {
        refused("requests", Cost::requests, amount);
        refused("input tokens", ONE::input, amount);
        refused("output tokens", ONE::output, amount);
        refused("cache read tokens", ONE::cacheRead, amount);
        refused("cache write tokens", ONE::cacheWrite, amount);
        refused("reasoning tokens", ONE::reasoning, amount);
        refused("nano-dollars", ONE::nanoUsd, amount);
    }

    private static void refused(String what, LongFunction<Cost> cost, long amount) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> cost.apply(amount))
                .withMessage(what + " must be from 0 to 2^53 - 1, not " + amount);
    }

    @Test
    void inputAndOutputTogetherMustBeExactToo() {
        Cost most = ONE.input(Cost.MAX_AMOUNT - 5);

        assertThat(most.output(5).output()).isEqualTo(5);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> most.output(6))
                .withMessageContaining("together must be below 2^53");
    }

    @Test
    void partsOfInputAndOutputAreToldApartAndAddNothing() {
        Cost cost = ONE.input(900).cacheRead(800).cacheWrite(50).output(300).reasoning(120);

        assertThat(cost.input()).isEqualTo(900);
        assertThat(cost.cacheRead()).isEqualTo(800);
        assertThat(cost.cacheWrite()).isEqualTo(50);
        assertThat(cost.output()).isEqualTo(300);
        assertThat(cost.reasoning()).isEqualTo(120);
        assertThat(Unit.TOKENS.of(cost)).isEqualTo(1_200);
        assertThat(cost.usd("0.1"))
                .hasToString(
                        "1 request, 900 input (800 cache read, 50 cache write) and 300 output tokens (120 reasoning), $0.10");
    }

    @Test
    void costsThatDifferInAPartAreNotEqual() {
        Cost cost = ONE.input(900).output(300);

        assertThat(List.of(cost, cost.cacheRead(1), cost.cacheWrite(1), cost.reasoning(1)))
                .doesNotHaveDuplicates();
        assertThat(cost.cacheRead(1).cacheWrite(2).reasoning(3))
                .isEqualTo(cost.reasoning(3).cacheWrite(2).cacheRead(1))
                .hasSameHashCodeAs(cost.reasoning(3).cacheWrite(2).cacheRead(1));
    }

    @Test
    void manyTimesACostIsAsManyTimesEachOfItsAmounts() {
        Cost cost = Cost.requests(2)
                .input(900)
                .cacheRead(800)
                .cacheWrite(50)
                .output(300)
                .reasoning(120);

        assertThat(cost.times(3))
                .isEqualTo(Cost.requests(6)
                        .input(2_700)
                        .cacheRead(2_400)
                        .cacheWrite(150)
                        .output(900)
                        .reasoning(360));
        assertThat(cost.usd("0.1").times(3).givenNanoUsd()).hasValue(300_000_000);
        for (Cost most : List.of(ONE.input(Cost.MAX_AMOUNT), ONE.nanoUsd(Cost.MAX_AMOUNT))) {
            assertThatIllegalArgumentException().isThrownBy(() -> most.times(2));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> most.times(2_000))
                    .withMessageContaining("not below 2^53");
        }
    }

    @Test
    void aPartThatIsLargerThanItsWholeIsRefused() {
        Cost cost = ONE.input(900).cacheRead(800).output(300);

        assertThat(cost.cacheWrite(100).reasoning(300).cacheWrite()).isEqualTo(100);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> cost.cacheWrite(101))
                .withMessageContaining("800 + 101 are more than 900");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> cost.input(799))
                .withMessageContaining("800 + 0 are more than 799");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> cost.reasoning(301))
                .withMessage("reasoning tokens are of the output: 301 are more than 300");
    }
}
