package io.costguard.http;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.costguard.Denial;
import io.costguard.GuardListener.Denied.By;
import io.costguard.RateLimitHeaders;
import io.costguard.describe.Dialect;
import io.costguard.describe.ErrorBody;
import io.costguard.describe.HeaderText;
import io.costguard.limit.Admission;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An answer that the guard gives in the provider's place, in its error shape: 429 for what passes within a minute, 402 for what does
 * not, 503 where Redis could not decide. SDKs retry a 429 and a 503, and turn a 402 into one typed error.
 */
public final class LocalAnswer {
    private static final Logger log = LoggerFactory.getLogger(LocalAnswer.class);

    /** A minute, and the slot by which a sliding window of a minute gives back late. */
    private static final Duration WORTH_A_RETRY = Duration.ofSeconds(64);

    /** What nobody but the client was told within a minute: no listener hears of a call that no budget can judge. */
    private static final Cache<String, Boolean> MISFITS = Caffeine.newBuilder()
            .maximumSize(1_000)
            .expireAfterWrite(Duration.ofMinutes(1))
            .build();

    private static final String MARK = "x-cost-guard";

    private final int status;
    private final Map<String, String> headers;
    private final byte[] body;

    private LocalAnswer(int status, String mark, String message, Optional<Dialect> dialect) {
        this.status = status;
        this.body = body(status, message, dialect);
        this.headers = new LinkedHashMap<>();
        headers.put("content-type", "application/json");
        headers.put("content-length", String.valueOf(body.length));
        headers.put(MARK, mark);
        if (status == 402) {
            headers.put("x-should-retry", "false");
        }
    }

    private static byte[] body(int status, String message, Optional<Dialect> dialect) {
        try {
            return dialect.map(known -> known.errorBody(status, message)).orElseGet(() -> ErrorBody.plain(message));
        } catch (RuntimeException e) {
            log.warn("a denial could not be written as its provider would", e);
            return ErrorBody.plain(message);
        }
    }

    static LocalAnswer denied(Admission.Refused refused, Optional<Dialect> dialect) {
        Denial denial = refused.denial();
        boolean passes = refused.by() != By.CAPACITY && denial.retryAfter().compareTo(WORTH_A_RETRY) <= 0;
        String mark = "denied; budget=" + parameter(denial.budget()) + "; limit=" + parameter(denial.limit());
        LocalAnswer answer = new LocalAnswer(
                passes ? 429 : 402, mark, String.valueOf(refused.exception().getMessage()), dialect);
        if (!refused.waited().isZero()) {
            answer.headers.put("x-should-retry", "false");
        }
        if (passes) {
            RateLimitHeaders.of(denial)
                    .forEach((name, value) -> answer.headers.put(name.toLowerCase(Locale.ROOT), value));
            long millis = Math.max(1, (denial.retryAfter().toNanos() + 999_999) / 1_000_000);
            answer.headers.put("retry-after-ms", String.valueOf(millis));
        }
        return answer;
    }

    static LocalAnswer unavailable(Exception why, Optional<Dialect> dialect) {
        return new LocalAnswer(503, "unavailable", String.valueOf(why.getMessage()), dialect);
    }

    static LocalAnswer misfit(Exception why, Optional<Dialect> dialect) {
        String message = String.valueOf(why.getMessage());
        if (MISFITS.asMap().putIfAbsent(message, true) == null) {
            log.warn("a call was denied that no budget can judge: {}; not repeated for a minute", message);
        }
        return new LocalAnswer(402, "denied", message, dialect);
    }

    /** {@return the status} */
    public int status() {
        return status;
    }

    /**
     * Names are in lower case; values are printable ASCII.
     *
     * @return the headers
     */
    public Map<String, String> headers() {
        return Map.copyOf(headers);
    }

    /** {@return the body} */
    public byte[] body() {
        return Arrays.copyOf(body, body.length);
    }

    /** A token as it is, anything else as a quoted string (RFC 9110, section 5.6). */
    private static String parameter(String value) {
        return value.matches("[A-Za-z0-9!#$%&'*+.^_`|~-]+") ? value : HeaderText.quoted(value);
    }
}
