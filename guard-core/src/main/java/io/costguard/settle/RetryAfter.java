package io.costguard.settle;

import java.math.BigDecimal;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Optional;
import java.util.function.Function;

/**
 * For how long a provider that answered 429 wants no more calls: {@code retry-after-ms}, or {@code Retry-After} in seconds or as a date
 * (RFC 9110, section 10.2.3). What makes no sense says nothing; what is very long is cut to {@link #LONGEST}, so that one answer cannot
 * stop a fleet.
 */
public final class RetryAfter {
    public static final Duration LONGEST = Duration.ofMinutes(1);

    private static final BigDecimal LONGEST_MILLIS = BigDecimal.valueOf(LONGEST.toMillis());
    private static final int LONGEST_TEXT = 64;

    private RetryAfter() {}

    /**
     * What these headers say, if they do.
     *
     * @param now by this process's clock, which a date is compared with
     */
    public static Optional<Duration> of(Function<String, Optional<String>> headers, Instant now) {
        Optional<Duration> millis = headers.apply("retry-after-ms").flatMap(text -> millis(text, BigDecimal.ONE));
        return millis.isPresent()
                ? millis
                : headers.apply("retry-after")
                        .flatMap(text -> millis(text, BigDecimal.valueOf(1_000)).or(() -> date(text, now)));
    }

    private static Optional<Duration> millis(String text, BigDecimal unit) {
        if (text.length() > LONGEST_TEXT) {
            return Optional.empty();
        }
        try {
            BigDecimal millis = new BigDecimal(text.strip()).multiply(unit).min(LONGEST_MILLIS);
            return positive(Duration.ofMillis(Math.max(0, (long) Math.ceil(millis.doubleValue()))));
        } catch (NumberFormatException e) {
            return Optional.empty();
        }
    }

    private static Optional<Duration> date(String text, Instant now) {
        try {
            Instant until = ZonedDateTime.parse(text.strip(), DateTimeFormatter.RFC_1123_DATE_TIME)
                    .toInstant();
            Duration wait = Duration.between(now, until);
            return positive(wait.compareTo(LONGEST) > 0 ? LONGEST : wait);
        } catch (DateTimeException e) {
            return Optional.empty();
        }
    }

    private static Optional<Duration> positive(Duration wait) {
        return wait.isZero() || wait.isNegative() ? Optional.empty() : Optional.of(wait);
    }
}
