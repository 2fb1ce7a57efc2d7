package io.costguard;

import io.costguard.describe.HeaderText;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;

/**
 * What a server tells its own callers of their limits: the fields {@code RateLimit-Policy} and {@code RateLimit} of
 * draft-ietf-httpapi-ratelimit-headers-11 ("RateLimit header fields for HTTP"), and {@code Retry-After} (RFC 9110, section 10.2.3).
 *
 * <pre>{@code
 * if (guard.decide(call) instanceof Decision.Denied denied) {
 *     answer(429, RateLimitHeaders.of(denied.denial()));
 * } else {
 *     answer(200, RateLimitHeaders.of(guard.status(call)));    // and settle the permit
 * }
 * }</pre>
 *
 * <p>A policy is called like {@code rate: requests per minute}, after its budget and its limit: who must not know of a budget is to be given
 * none of its statuses. Its quota is told in requests, or in {@code qu="concurrent-requests"}; for tokens and nano-dollars, for which the
 * draft has no units yet, in {@code qu="tokens"}, {@code "input-tokens"}, {@code "output-tokens"} and {@code "nano-usd"}. Numbers are cut to
 * the fifteen digits that a structured field can have. Without state.
 */
public final class RateLimitHeaders {
    /** The largest Integer of structured fields (RFC 9651, section 3.3.1). */
    private static final long LARGEST = 999_999_999_999_999L;

    private RateLimitHeaders() {}

    /**
     * The policies, what they have left, and how long until they have all of it again, or until this call could go if that is longer.
     * Nothing is left where calls wait. A policy that is full tells no time, and a window that is no whole number of
     * seconds, as that of a month, is not told.
     *
     * @param statuses of one call, as {@link CostGuard#status} tells them
     * @return the fields by their names; none where there are no statuses
     */
    public static Map<String, String> of(List<LimitStatus> statuses) {
        if (statuses.isEmpty()) {
            return Map.of();
        }
        StringJoiner policies = new StringJoiner(", ");
        StringJoiner limits = new StringJoiner(", ");
        for (LimitStatus status : statuses) {
            String name = HeaderText.quoted(policy(status.budget(), status.limit()));
            policies.add(name + ";q=" + number(status.capacity()) + unit(status.unit()) + window(status));
            long left = status.waiting() > 0 ? 0 : status.balance();
            Duration full = status.timeToFull();
            Duration span = full.compareTo(status.newcomerWait()) < 0 ? status.newcomerWait() : full;
            limits.add(name + ";r=" + number(left) + (span.isZero() ? "" : ";t=" + seconds(span)));
        }
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("RateLimit-Policy", policies.toString());
        fields.put("RateLimit", limits.toString());
        return fields;
    }

    /**
     * When to come back, and what the limit that denied the call has left until then.
     *
     * @param denial why
     * @return the fields by their names; none where waiting will never help
     */
    public static Map<String, String> of(Denial denial) {
        if (denial.retryAfter().equals(Denial.NEVER)) {
            return Map.of();
        }
        long seconds = Math.max(1, seconds(denial.retryAfter()));
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("Retry-After", String.valueOf(seconds));
        fields.put(
                "RateLimit",
                HeaderText.quoted(policy(denial)) + ";r=" + number(denial.largestThatFits()) + ";t=" + seconds);
        return fields;
    }

    /**
     * {@return what the policy is called that denied a call, as problem details ({@code violated-policies}) name it}
     *
     * @param denial why
     */
    public static String policy(Denial denial) {
        return policy(denial.budget(), denial.limit());
    }

    private static String policy(String budget, String limit) {
        return budget + ": " + limit;
    }

    private static String unit(Unit unit) {
        return switch (unit) {
            case REQUESTS -> "";
            case CONCURRENT_CALLS -> ";qu=\"concurrent-requests\"";
            case TOKENS -> ";qu=\"tokens\"";
            case INPUT_TOKENS -> ";qu=\"input-tokens\"";
            case OUTPUT_TOKENS -> ";qu=\"output-tokens\"";
            case USD -> ";qu=\"nano-usd\"";
        };
    }

    private static String window(LimitStatus status) {
        return status.unit() != Unit.CONCURRENT_CALLS
                        && status.window() instanceof Limit.Window.Span span
                        && span.micros() % 1_000_000 == 0
                ? ";w=" + span.micros() / 1_000_000
                : "";
    }

    private static long number(long amount) {
        return Math.max(0, Math.min(amount, LARGEST));
    }

    /** Rounded up. */
    private static long seconds(Duration span) {
        return span.toSeconds() + (span.toNanosPart() > 0 ? 1 : 0);
    }
}
