package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

/** What an operator reads. */
class LimitStatusTest {
    @Test
    void itIsReadInTheUnitOfTheLimit() {
        assertThat(status(20_000_000_000L, 2))
                .hasToString("budget 'money': usd per day, $20.00 of $25.00 left, full in 9 h, 2 calls wait, a newcomer"
                        + " would wait 30 s");
    }

    @Test
    void aDebtIsNoNegativeAmount() {
        assertThat(status(-500_000_000L, 1))
                .hasToString("budget 'money': usd per day, nothing left and $0.50 of debt, full in 9 h, 1 call waits, a"
                        + " newcomer would wait 30 s");
    }

    private static LimitStatus status(long balance, long waiting) {
        return new LimitStatus(
                "money",
                "usd per day",
                balance,
                25_000_000_000L,
                waiting,
                Duration.ofHours(9),
                Duration.ofSeconds(30),
                Unit.USD,
                Limit.usd("25.00").perDay().window());
    }
}
