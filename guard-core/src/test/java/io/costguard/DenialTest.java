package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

/** What an operator reads. */
class DenialTest {
    @Test
    void aSpentBudgetSaysWhatIsThere() {
        assertThat(denial(20, 20, 0, Duration.ZERO))
                .hasToString("budget 'b' is spent: tokens per minute, requested 600, available 20, retry after 3 s");
    }

    @Test
    void aDebtIsNoNegativeAmount() {
        assertThat(denial(-20, 0, 0, Duration.ZERO))
                .hasToString("budget 'b' is spent: tokens per minute, requested 600, available 0 and 20 of debt, retry"
                        + " after 3 s");
    }

    @Test
    void aLineSaysHowManyStandInItAndWhatIsLeftForWhoComesNext() {
        assertThat(denial(-20, 0, 3, Duration.ZERO))
                .hasToString("budget 'b' is spent: tokens per minute, requested 600, available 0 behind 3 calls in"
                        + " line, retry after 3 s");
        assertThat(denial(20, 20, 1, Duration.ZERO)).asString().contains("available 20 behind 1 call in line");
    }

    @Test
    void aHoldIsNoSpentBudget() {
        assertThat(denial(900, 0, 0, Duration.ofSeconds(2)))
                .hasToString("budget 'b' is held for 2 s: tokens per minute, requested 600, available 900, retry"
                        + " after 3 s");
    }

    @Test
    void aShareThatStaysFreeIsNoSpentBudget() {
        assertThat(denial(900, 500, 0, Duration.ZERO))
                .hasToString("budget 'b' has nothing to spare: tokens per minute, requested 600, available 900, of"
                        + " which 500 may go, retry after 3 s");
    }

    @Test
    void aCallThatCanNeverGoIsNotToldWhenToComeBack() {
        assertThat(new Denial("b", "tokens per minute", 600, 500, Denial.NEVER, 500, Unit.TOKENS, 0, Duration.ZERO))
                .hasToString("budget 'b' can never let this call go: tokens per minute, requested 600, at most 500;"
                        + " make the call smaller, the limit larger, or use clampToCapacity()");
    }

    @Test
    void aCallThatCanNeverGoForTheShareThatItLeavesIsToldSo() {
        assertThat(new Denial("b", "tokens per minute", 600, 1_000, Denial.NEVER, 500, Unit.TOKENS, 0, Duration.ZERO))
                .hasToString("budget 'b' can never let this call go: tokens per minute, requested 600, at most 500 of"
                        + " 1000, as it leaves others their share; make the call smaller, the limit larger, or have it"
                        + " leave less with leaving(..)");
    }

    private static Denial denial(long available, long largestThatFits, long ahead, Duration held) {
        return new Denial(
                "b",
                "tokens per minute",
                600,
                available,
                Duration.ofSeconds(3),
                largestThatFits,
                Unit.TOKENS,
                ahead,
                held);
    }
}
