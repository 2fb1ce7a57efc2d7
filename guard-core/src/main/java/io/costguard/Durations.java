package io.costguard;

import java.math.BigDecimal;
import java.time.Duration;

/** Durations as people read them. */
final class Durations {
    private Durations() {}

    /** Like {@code 20 ms}, {@code 3.25 s}, {@code 4 h 59 min 35 s}: rounded up to what it shows, from a day on to minutes. */
    static String format(Duration duration) {
        long millis = duration.toSeconds() * 1_000 + (duration.toNanosPart() + 999_999) / 1_000_000;
        if (millis < 1_000) {
            return millis + " ms";
        }
        if (millis < 60_000) {
            return BigDecimal.valueOf(millis, 3).stripTrailingZeros().toPlainString() + " s";
        }
        Duration up = millis < Duration.ofDays(1).toMillis()
                ? Duration.ofSeconds((millis + 999) / 1_000)
                : Duration.ofMinutes((millis + 59_999) / 60_000);
        String text = part(up.toDaysPart(), "d")
                + part(up.toHoursPart(), "h")
                + part(up.toMinutesPart(), "min")
                + part(up.toSecondsPart(), "s");
        return text.strip();
    }

    private static String part(long count, String unit) {
        return count == 0 ? "" : " " + count + " " + unit;
    }
}
