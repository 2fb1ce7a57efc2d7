package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class BudgetExceededExceptionTest {
    private static final Denial DENIAL =
            new Denial("b", "tokens per minute", 600, 20, Duration.ofSeconds(3), 20, Unit.TOKENS, 0, Duration.ZERO);

    @Test
    void itSaysWhatTheDenialSays() {
        assertThat(new BudgetExceededException(DENIAL)).hasMessage(DENIAL.toString());
        assertThat(BudgetExceededException.repeated(DENIAL))
                .hasMessage(DENIAL.toString())
                .isExactlyInstanceOf(BudgetExceededException.class)
                .extracting(BudgetExceededException::denial)
                .isEqualTo(DENIAL);
    }

    @Test
    void oneThatWaitedInVainSaysHowLongAndThatItsNumbersAreThoseOfTheLastAnswer() {
        assertThat(BudgetExceededException.after(Duration.ofMillis(6_501), DENIAL))
                .hasMessage(DENIAL + ", as Redis last told it; the call waited 6.501 s in vain");
    }

    @Test
    void itTellsWhereItWasThrownUnlessItRepeatsAnother() {
        String here = "itTellsWhereItWasThrownUnlessItRepeatsAnother";

        assertThat(new BudgetExceededException(DENIAL).getStackTrace()[0].getMethodName())
                .isEqualTo(here);
        assertThat(new CostExceedsCapacityException(DENIAL).getStackTrace()[0].getMethodName())
                .isEqualTo(here);
        assertThat(BudgetExceededException.repeated(DENIAL).getStackTrace()).isEmpty();
    }

    @Test
    void aRepeatedOneTellsWhereOnRequest() {
        BudgetExceededException repeated = BudgetExceededException.repeated(DENIAL);

        repeated.fillInStackTrace();

        assertThat(repeated.getStackTrace()[0].getMethodName()).isEqualTo("aRepeatedOneTellsWhereOnRequest");
    }
}
