package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.math.BigDecimal;
import java.util.function.LongFunction;
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
    void anAmountThatRedisCannotHoldExactlyIsRefusedByName(long amount) {
        refused("requests", Cost::requests, amount);
        refused("input tokens", ONE::input, amount);
        refused("output tokens", ONE::output, amount);
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
}
