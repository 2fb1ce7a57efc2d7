package io.costguard.describe;

import io.costguard.Cost;
import io.costguard.Unit;
import java.math.BigDecimal;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a provider's own limit of a unit had left, by the headers of an answer, at the earliest when its call was sent.
 *
 * @param unit what that limit counts
 * @param amount how much
 */
public record Remaining(Unit unit, long amount) {
    private static final BigDecimal LONGEST_NANOS =
            BigDecimal.valueOf(Duration.ofDays(366).toNanos());

    private static final Pattern AMOUNT = Pattern.compile("[0-9]{1,16}");
    /** Like {@code 1h2m3.5s} or {@code 120ms}. */
    private static final Pattern SPAN = Pattern.compile("(?:[0-9]{1,12}(?:\\.[0-9]{1,12})?(?:h|ms|m|s|us|µs|ns)){1,6}");

    private static final Pattern PART = Pattern.compile("([0-9.]+)(h|ms|m|s|us|µs|ns)");
    private static final int LONGEST_TEXT = 64;

    /**
     * {@return what these headers say of a unit} What makes no sense says nothing, nor does a limit that is full again by now.
     *
     * @param unit what is counted
     * @param remaining the name of the header that says how much is left
     * @param reset the name of that which says when all of it is there again, if the provider sends it: after a span, or at a date of
     *     RFC 3339
     * @param headers by their names, in any case
     * @param sent when the call was sent
     * @param now when it was answered
     */
    public static Optional<Remaining> of(
            Unit unit,
            String remaining,
            String reset,
            Function<String, Optional<String>> headers,
            Instant sent,
            Instant now) {
        boolean isFullAgain = headers.apply(reset)
                .map(String::strip)
                .filter(text -> text.length() <= LONGEST_TEXT)
                .flatMap(text -> span(text).map(sent::plus).or(() -> date(text)))
                .filter(full -> !full.isAfter(now))
                .isPresent();
        return headers.apply(remaining)
                .map(String::strip)
                .filter(text -> !isFullAgain && AMOUNT.matcher(text).matches())
                .map(Long::parseLong)
                .filter(amount -> amount <= Cost.MAX_AMOUNT)
                .map(amount -> new Remaining(unit, amount));
    }

    /**
     * With that much more left.
     *
     * @param more how many
     * @return what is left then
     */
    public Remaining plus(long more) {
        return new Remaining(unit, Math.min(Cost.MAX_AMOUNT, amount + more));
    }

    private static Optional<Duration> span(String text) {
        if (!SPAN.matcher(text).matches()) {
            return Optional.empty();
        }
        BigDecimal nanos = BigDecimal.ZERO;
        Matcher part = PART.matcher(text);
        while (part.find()) {
            nanos = nanos.add(new BigDecimal(part.group(1)).multiply(BigDecimal.valueOf(nanos(part.group(2)))));
        }
        return Optional.of(Duration.ofNanos(nanos.min(LONGEST_NANOS).longValue()));
    }

    private static long nanos(String unit) {
        return switch (unit) {
            case "h" -> Duration.ofHours(1).toNanos();
            case "m" -> Duration.ofMinutes(1).toNanos();
            case "s" -> Duration.ofSeconds(1).toNanos();
            case "ms" -> Duration.ofMillis(1).toNanos();
            case "ns" -> 1;
            default -> 1_000;
        };
    }

    private static Optional<Instant> date(String text) {
        try {
            return Optional.of(Instant.parse(text));
        } catch (DateTimeException e) {
            return Optional.empty();
        }
    }
}
