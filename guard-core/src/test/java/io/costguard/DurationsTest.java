package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DurationsTest {
    @ParameterizedTest
    @CsvSource({
        "PT0S, 0 ms",
        "PT0.000000001S, 1 ms",
        "PT0.02S, 20 ms",
        "PT0.9990001S, 1 s",
        "PT3.25S, 3.25 s",
        "PT20S, 20 s",
        "PT1M, 1 min",
        "PT59.9999S, 1 min",
        "PT1M0.001S, 1 min 1 s",
        "PT4H59M34.803S, 4 h 59 min 35 s",
        "PT24H, 1 d",
        "PT24H0.001S, 1 d 1 min",
        "P41DT3H, 41 d 3 h"
    })
    void aDurationIsReadableAndNeverTooShort(Duration duration, String text) {
        assertThat(Durations.format(duration)).isEqualTo(text);
    }
}
