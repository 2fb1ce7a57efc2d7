package io.costguard.limit;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Share;
import io.costguard.WhenExhausted;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PatienceTest {
    private static final WhenExhausted WAITS = WhenExhausted.waitUpTo(Duration.ofSeconds(9));

    @Test
    void aCallWaitsAsLongAsItsPolicySaysAndItHasTime() {
        assertThat(Patience.of(WAITS, Duration.ofMinutes(1))).isEqualTo(new Patience(9_000_000, 0));
        assertThat(Patience.of(WAITS, Duration.ofNanos(5_999))).isEqualTo(new Patience(5, 0));
        assertThat(Patience.of(WAITS, Duration.ofSeconds(-1))).isEqualTo(new Patience(0, 0));
        assertThat(Patience.of(WhenExhausted.waitUpTo(Duration.ofDays(400)), Duration.ofDays(500)))
                .as("a year at most")
                .isEqualTo(new Patience(Duration.ofDays(365).toMillis() * 1_000, 0));
        assertThat(Patience.of(WhenExhausted.reject(), Duration.ofMinutes(1))).isEqualTo(Patience.NONE);
        assertThat(Patience.of(WAITS.leaving(Share.percent(7)), Duration.ZERO)).isEqualTo(new Patience(0, 7));
    }

    /** What is left is at least the share, rounded up to whole units. */
    @ParameterizedTest
    @CsvSource({
        "100, 0, 100",
        "100, 20, 80",
        "1000, 99, 10",
        "101, 1, 99",
        "199, 50, 99",
        "250, 33, 167",
        "1, 1, 0",
        "9007199254740991, 10, 8106479329266891"
    })
    void theMostThatACallMayAskLeavesItsShare(long capacity, int share, long most) {
        assertThat(new Patience(0, share).mostOf(capacity)).isEqualTo(most);
    }

    @Test
    void whoeverPutsUpWithNothingHasNoPatience() {
        assertThat(Patience.NONE.isNone()).isTrue();
        assertThat(new Patience(1, 0).isNone()).isFalse();
        assertThat(new Patience(0, 1).isNone()).isFalse();
        assertThat(Patience.NONE.upTo(2).isNone()).isFalse();
        assertThat(Patience.NONE.upTo(2)).isEqualTo(new Patience(0, 0, 2));
        assertThat(Patience.NONE.upTo(1)).isSameAs(Patience.NONE);
    }
}
