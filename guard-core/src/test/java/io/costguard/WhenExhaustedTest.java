package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class WhenExhaustedTest {
    private static final WhenExhausted WAIT = WhenExhausted.waitUpTo(Duration.ofSeconds(1));

    @Test
    void leavingAllOfALimitIsRefusedAsNoCallWouldEverGo() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> WAIT.leaving(Share.percent(100)))
                .withMessage("leaving(100 %) would never let a call go; leave 99 % at most");
        assertThat(WAIT.leaving(Share.percent(99)).percentLeft()).isEqualTo(99);
    }
}
