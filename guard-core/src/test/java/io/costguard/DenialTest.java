package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

/** What an operator reads. */
class DenialTest {
    @Test
    void aSpentBudgetSaysWhatIsThere() {
        assertThat(denial(20, 20, 0, Duration.ZERO))
                .hasToString(
                        "budget 'b' is spent: tokens per minute, requested 600, available 20, retry after 3000 ms");
    }

    @Test
    void aDebtIsNoNegativeAmount() {
        assertThat(denial(-20, 0, 0, Duration.ZERO))
                .hasToString("budget 'b' is spent: tokens per minute, requested 600, available 0 and 20 of debt, retry"
                        + " after 3000 ms");
    }

    @Test
    void aLineSaysHowManyStandInItAndWhatIsLeftForWhoComesNext() {
        assertThat(denial(-20, 0, 3, Duration.ZERO))
                .hasToString("budget 'b' is spent: tokens per minute, requested 600, available 0 behind 3 calls in"
                        + " line, retry after 3000 ms");
        assertThat(denial(20, 20, 1, Duration.ZERO)).asString().contains("available 20 behind 1 call in line");
    }

    @Test
    void aHoldIsNoSpentBudget() {
        assertThat(denial(900, 0, 0, Duration.ofSeconds(2)))
                .hasToString("budget 'b' is held for 2000 ms: tokens per minute, requested 600, available 900, retry"
                        + " after 3000 ms");
    }

    @Test
    void aShareThatStaysFreeIsNoSpentBudget() {
        assertThat(denial(900, 500, 0, Duration.ZERO))
                .hasToString("budget 'b' has nothing to spare: tokens per minute, requested 600, available 900, of"
                        + " which 500 may go, retry after 3000 ms");
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
