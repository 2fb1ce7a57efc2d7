package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.entry;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** As draft-ietf-httpapi-ratelimit-headers-11 and the structured fields of RFC 9651 have them. */
class RateLimitHeadersTest {
    private static final Duration AT_ONCE = Duration.ZERO;

    @Test
    void eachLimitIsAPolicyWithWhatItHasLeft() {
        List<LimitStatus> statuses = List.of(
                status(Limit.requests(50).perMinute(), 49, 0, Duration.ofMillis(1_200), AT_ONCE),
                status(Limit.usd("25.00").perDay(), 20_000_000_000L, 0, Duration.ofHours(9), AT_ONCE));

        assertThat(RateLimitHeaders.of(statuses))
                .containsExactly(
                        entry(
                                "RateLimit-Policy",
                                "\"b: requests per minute\";q=50;w=60, \"b: usd per day\";q=25000000000;qu=\"nano-usd\";w=86400"),
                        entry(
                                "RateLimit",
                                "\"b: requests per minute\";r=49;t=2, \"b: usd per day\";r=20000000000;t=32400"));
    }

    @Test
    void aPolicyThatIsFullTellsNoTime() {
        assertThat(limit(status(Limit.tokens(100).perMinute(), 100, 0, AT_ONCE, AT_ONCE)))
                .isEqualTo("\"b: tokens per minute\";r=100");
    }

    @Test
    void nothingIsLeftInDebtOrBehindALine() {
        Limit limit = Limit.tokens(100).perMinute();

        assertThat(limit(status(limit, -40, 0, Duration.ofSeconds(84), AT_ONCE)))
                .isEqualTo("\"b: tokens per minute\";r=0;t=84");
        assertThat(limit(status(limit, 90, 2, Duration.ofSeconds(6), Duration.ofSeconds(100))))
                .isEqualTo("\"b: tokens per minute\";r=0;t=100");
    }

    @Test
    void windowsThatAreNoWholeSecondsAreNotTold() {
        assertThat(policy(Limit.requests(5).per(Duration.ofMillis(1_500))))
                .isEqualTo("\"b: requests per 1500 milliseconds\";q=5");
        assertThat(policy(Limit.requests(5).perMonth())).isEqualTo("\"b: requests per month\";q=5");
        assertThat(policy(Limit.concurrentCalls(5)))
                .isEqualTo("\"b: concurrent calls\";q=5;qu=\"concurrent-requests\"");
    }

    @Test
    void numbersHaveFifteenDigitsAtMost() {
        assertThat(policy(Limit.usd("2000000").perDay()))
                .isEqualTo("\"b: usd per day\";q=999999999999999;qu=\"nano-usd\";w=86400");
    }

    @Test
    void aDenialTellsWhenToComeBackInBothFields() {
        assertThat(RateLimitHeaders.of(denial("ra\"t\u00e9", Duration.ofMillis(4_001))))
                .containsExactly(
                        entry("Retry-After", "5"), entry("RateLimit", "\"ra\\\"t?: tokens per minute\";r=7;t=5"));
    }

    @Test
    void aDenialForGoodTellsNoTime() {
        assertThat(RateLimitHeaders.of(denial("b", Denial.NEVER))).isEmpty();
    }

    @Test
    void whoFallsUnderNoBudgetIsToldNothing() {
        assertThat(RateLimitHeaders.of(List.of())).isEmpty();
    }

    private static String limit(LimitStatus status) {
        return RateLimitHeaders.of(List.of(status)).getOrDefault("RateLimit", "");
    }

    private static String policy(Limit limit) {
        return RateLimitHeaders.of(List.of(status(limit, 0, 0, AT_ONCE, AT_ONCE)))
                .getOrDefault("RateLimit-Policy", "");
    }

    private static LimitStatus status(Limit limit, long balance, long waiting, Duration full, Duration newcomer) {
        return new LimitStatus(
                "b", limit.name(), balance, limit.capacity(), waiting, full, newcomer, limit.unit(), limit.window());
    }

    private static Denial denial(String budget, Duration retryAfter) {
        return new Denial(budget, "tokens per minute", 10, 7, retryAfter, 7, Unit.TOKENS, 0, Duration.ZERO);
    }
}
