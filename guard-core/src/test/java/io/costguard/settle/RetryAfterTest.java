package io.costguard.settle;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("fault-22")
class RetryAfterTest {
    private static final Instant NOW = Instant.parse("2026-11-25T10:00:00Z");

    @ParameterizedTest
    @CsvSource({"1,PT1S", "30,PT30S", "0.5,PT0.5S", "61,PT1M", "1e9,PT1M", "99999999999999999999,PT1M"})
    @Tag("threat-8")
    void secondsAreTakenUpToAMinute(String text, Duration wait) {
        assertThat(of(Map.of("retry-after", text))).contains(wait);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "0", "-1", "soon", "NaN", "Infinity", "1e-9999999999", "Wed, 25 Nov 2026 09:59:59 GMT"})
    void whatMakesNoSenseSaysNothing(String text) {
        assertThat(of(Map.of("retry-after", text))).isEmpty();
    }

    @Test
    void aNumberOfMoreThan64CharactersMakesNoSense() {
        assertThat(of(Map.of("retry-after", "1." + "0".repeat(62)))).contains(Duration.ofSeconds(1));
        assertThat(of(Map.of("retry-after", "1." + "0".repeat(63)))).isEmpty();
    }

    @Test
    void aDateIsComparedWithTheClock() {
        assertThat(of(Map.of("retry-after", "Wed, 25 Nov 2026 10:00:20 GMT"))).contains(Duration.ofSeconds(20));
        assertThat(of(Map.of("retry-after", "Wed, 25 Nov 2099 10:00:20 GMT"))).contains(RetryAfter.LONGEST);
    }

    @Test
    void millisecondsAreMoreExactAndComeFirst() {
        assertThat(of(Map.of("retry-after", "2", "retry-after-ms", "1250"))).contains(Duration.ofMillis(1_250));
        assertThat(of(Map.of("retry-after", "2", "retry-after-ms", "junk"))).contains(Duration.ofSeconds(2));
    }

    private static Optional<Duration> of(Map<String, String> headers) {
        return RetryAfter.of(name -> Optional.ofNullable(headers.get(name)), NOW);
    }
}
