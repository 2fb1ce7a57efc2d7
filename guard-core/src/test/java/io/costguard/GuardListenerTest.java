package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.GuardListener.Settlement;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class GuardListenerTest {
    private static final Cost ESTIMATE = Cost.requests(1).input(110).output(400);
    private static final Cost ACTUAL = Cost.requests(1).input(100).output(500);

    @ParameterizedTest
    @EnumSource(
            value = Outcome.class,
            names = {"SETTLED", "REPORTED"})
    void theErrorOfAnEstimateIsAShareOfWhatWasUsed(Outcome outcome) {
        Settlement settlement = settlement(ACTUAL, outcome);

        assertThat(settlement.inputError()).hasValue(0.1);
        assertThat(settlement.outputError()).hasValue(-0.2);
    }

    @ParameterizedTest
    @EnumSource(
            value = Outcome.class,
            names = {"SETTLED", "REPORTED"},
            mode = EnumSource.Mode.EXCLUDE)
    void anEstimateHasNoErrorWhereNobodySaidWhatWasUsed(Outcome outcome) {
        Settlement settlement = settlement(ACTUAL, outcome);

        assertThat(settlement.inputError()).isEmpty();
        assertThat(settlement.outputError()).isEmpty();
    }

    @Test
    void anEstimateHasNoErrorWhereNothingWasUsed() {
        assertThat(settlement(Cost.requests(1).input(100), Outcome.REPORTED).outputError())
                .isEmpty();
    }

    @Test
    void theErrorOfOutputIsOfWhatWasReserved() {
        assertThat(settlement(ACTUAL.output(100), Outcome.REPORTED).outputError())
                .hasValue(3);
    }

    @Test
    void whereNothingWasReservedTheErrorIsAllThatWasUsed() {
        Settlement settlement = new Settlement(GuardedCall.of("gpt-4o"), Cost.requests(1), ACTUAL, Outcome.SETTLED);

        assertThat(settlement.inputError()).hasValue(-1);
        assertThat(settlement.outputError()).hasValue(-1);
    }

    private static Settlement settlement(Cost actual, Outcome outcome) {
        GuardedCall call = GuardedCall.of("gpt-4o").cost(ESTIMATE);
        return new Settlement(call, ESTIMATE, actual, outcome);
    }
}
