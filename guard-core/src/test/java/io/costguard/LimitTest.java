package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.math.BigDecimal;
import java.time.Duration;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LimitTest {
    private static final ZoneId BERLIN = ZoneId.of("Europe/Berlin");

    @Test
    void upToAnHourALimitIsATokenBucketAndFromADayOnAFixedWindow() {
        Limit.Amount amount = Limit.requests(5);

        assertThat(amount.perSecond().algorithm()).isEqualTo(new Limit.Algorithm.TokenBucket());
        assertThat(amount.perHour().algorithm()).isEqualTo(new Limit.Algorithm.TokenBucket());
        assertThat(amount.perDay().algorithm()).isEqualTo(new Limit.Algorithm.FixedWindow(ZoneOffset.UTC));
        assertThat(amount.perWeek().algorithm()).isEqualTo(new Limit.Algorithm.FixedWindow(ZoneOffset.UTC));
        assertThat(amount.perMonth().algorithm()).isEqualTo(new Limit.Algorithm.FixedWindow(ZoneOffset.UTC));
    }

    @Test
    void aLimitIsNamedByWhatMakesItABalanceOfItsOwnNeverByItsAmount() {
        assertThat(Limit.requests(5).perMinute().name())
                .isEqualTo("requests per minute")
                .isEqualTo(Limit.requests(500).perMinute().burst(7).name());
        assertThat(Limit.tokens(5).per(Duration.ofSeconds(90)).name()).isEqualTo("tokens per 90 seconds");
        assertThat(Limit.tokens(5).per(Duration.ofNanos(1_001_000)).name()).isEqualTo("tokens per 1001 microseconds");
        assertThat(Limit.inputTokens(5).perHour().fixedWindow().name())
                .isEqualTo("input tokens per hour (fixed window, Z)");
        assertThat(Limit.outputTokens(5).perDay().tokenBucket().name())
                .isEqualTo("output tokens per day (token bucket)");
        assertThat(Limit.tokens(5).perMinute().slidingWindow().name()).isEqualTo("tokens per minute (sliding window)");
        assertThat(Limit.usd("5").perMonth().fixedWindow(BERLIN).name())
                .isEqualTo("usd per month (fixed window, Europe/Berlin)");
        assertThat(Limit.usd("5").per(Duration.ofDays(7)).name())
                .isEqualTo(Limit.usd("6").perWeek().name());
    }

    @Test
    void aLimitReadsAsItIsSaid() {
        assertThat(Limit.tokens(200_000).perMinute()).hasToString("200000 tokens per minute");
        assertThat(Limit.requests(1).per(Duration.ofMillis(500))).hasToString("1 request per 500 milliseconds");
        assertThat(Limit.inputTokens(1).per(Duration.ofMillis(1))).hasToString("1 input token per millisecond");
        assertThat(Limit.usd("25.00").perDay()).hasToString("$25.00 per day");
        assertThat(Limit.usd(new BigDecimal("0.000000001")).perSecond()).hasToString("$0.000000001 per second");
    }

    @Test
    void aLimitOfCallsInFlightHasNoWindowInItsNameAndHoldsAsManyAsSaid() {
        Limit limit = Limit.concurrentCalls(3);

        assertThat(limit).hasToString("3 concurrent calls");
        assertThat(Limit.concurrentCalls(1)).hasToString("1 concurrent call");
        assertThat(limit.name()).isEqualTo("concurrent calls");
        assertThat(limit.capacity()).isEqualTo(3);
        assertThat(limit.unit()).isEqualTo(Unit.CONCURRENT_CALLS);
        assertThat(limit.charge(Cost.requests(9).input(7), Cost.requests(0))).isEqualTo(1);
        limit.check();
    }

    @Test
    void aLimitOfCallsInFlightTakesNothingThatIsForWindowsOrTokens() {
        Limit limit = Limit.concurrentCalls(3);
        for (Limit wrong : List.of(
                limit.tokenBucket(),
                limit.fixedWindow(),
                limit.fixedWindow(BERLIN),
                limit.slidingWindow(),
                limit.burst(9))) {
            assertThatIllegalArgumentException()
                    .isThrownBy(wrong::check)
                    .withMessageStartingWith("3 concurrent calls: calls are counted while they last")
                    .withMessageContaining("drop .burst(..), .tokenBucket(), .fixedWindow(..) or .slidingWindow()");
        }
        assertThatIllegalArgumentException()
                .isThrownBy(limit.weighing(Weights.bedrock(5))::check)
                .withMessageContaining("drop .weighing(..)");
        assertThatIllegalArgumentException()
                .isThrownBy(limit.correctedByProvider()::check)
                .withMessageContaining("drop .correctedByProvider()");
        assertThatIllegalArgumentException()
                .isThrownBy(limit.coolDown(Duration.ofSeconds(1))::check)
                .withMessageContaining("drop .coolDown(..)");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Limit.concurrentCalls(0))
                .withMessage("a limit of concurrent calls must be above 0 and below 2^53, not 0");
    }

    @Test
    void aLimitHoldsItsAmountUnlessABurstSaysOtherwise() {
        assertThat(Limit.requests(5).perMinute().capacity()).isEqualTo(5);
        assertThat(Limit.requests(5).perMinute().burst(50).capacity()).isEqualTo(50);
        assertThat(Limit.usd("5").perMinute().burst("0.5").capacity()).isEqualTo(500_000_000);
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, Long.MIN_VALUE, Cost.MAX_AMOUNT + 1, Long.MAX_VALUE})
    void anAmountThatIsNoneIsRefused(long amount) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Limit.requests(amount))
                .withMessage("a limit of requests must be above 0 and below 2^53, not " + amount);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Limit.requests(1).perMinute().burst(amount))
                .withMessage("a burst must be above 0 and below 2^53, not " + amount);
    }

    @Test
    void aLimitOfNoMoneyIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Limit.usd("0.00"))
                .withMessage("a limit of usd must be above 0 and below 2^53, not 0 nano-dollars");
    }

    @ParameterizedTest
    @CsvSource({
        "PT0S, from a millisecond to 366 days",
        "PT-1S, from a millisecond to 366 days",
        "PT0.0009S, from a millisecond to 366 days",
        "PT8784H0.001S, from a millisecond to 366 days",
        "PT2562047788015215H, from a millisecond to 366 days",
        "PT0.0010005S, whole microseconds"
    })
    void aWindowThatIsTooShortTooLongOrTooFineIsRefused(Duration length, String why) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Limit.requests(1).per(length))
                .withMessageStartingWith("a limit's window must be")
                .withMessageContaining(why)
                .withMessageContaining(length.toString());
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Limit.requests(1).perDay().coolDown(length))
                .withMessageStartingWith("a cool-down must be")
                .withMessageContaining(why)
                .withMessageContaining(length.toString());
    }

    @Test
    void aCoolDownStaysWhateverElseIsSaidAndIsNoPartOfTheName() {
        Duration hour = Duration.ofHours(1);
        Limit limit = Limit.tokens(5).perDay().coolDown(hour);

        assertThat(limit.name()).isEqualTo(Limit.tokens(5).perDay().name());
        assertThat(limit).isNotEqualTo(Limit.tokens(5).perDay());
        assertThat(Limit.tokens(5).perDay().coolDown()).isZero();
        assertThat(List.of(
                        limit,
                        limit.slidingWindow(),
                        limit.tokenBucket().burst(9),
                        limit.correctedByProvider(),
                        limit.weighing(Weights.none().output(5))))
                .allSatisfy(each -> assertThat(each.coolDown()).isEqualTo(hour));
    }

    @Test
    void aBurstNeedsATokenBucket() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Limit.requests(5).perDay().burst(9).check())
                .withMessageContaining("add .tokenBucket() or drop .burst(..)");
        Limit.requests(5).perDay().burst(9).tokenBucket().check();
    }

    @Test
    void aBurstInDollarsNeedsALimitInDollars() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Limit.tokens(5).perMinute().burst("1.00"))
                .withMessageContaining("not in tokens");
    }

    @Test
    void onlyBucketsOfRequestsAndTokensAreCorrectedByTheProvider() {
        Limit.tokens(5).perMinute().correctedByProvider().check();
        Limit.requests(5).perDay().correctedByProvider().tokenBucket().burst(9).check();
        for (Limit limit : List.of(
                Limit.requests(5).perDay(),
                Limit.tokens(5).perMinute().fixedWindow(),
                Limit.usd("1").perHour())) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> limit.correctedByProvider().check())
                    .withMessageContaining("drop .correctedByProvider(), or make it a token bucket");
        }
    }

    @Test
    void whetherItIsCorrectedIsPartOfALimit() {
        Limit limit = Limit.tokens(5).perMinute();

        assertThat(limit.correctedByProvider())
                .isNotEqualTo(limit)
                .isEqualTo(limit.correctedByProvider())
                .extracting(Limit::name)
                .isEqualTo(limit.name());
    }

    @Test
    void whatComesBackToABucketIsCountedInWholeUnits() {
        assertThat(Limit.tokens(7).perMinute().refill(Duration.ofSeconds(59))).isEqualTo(6);
        assertThat(Limit.tokens(7).perMinute().refill(Duration.ofMinutes(1))).isEqualTo(7);
        assertThat(Limit.tokens(Cost.MAX_AMOUNT).perSecond().refill(Duration.ofDays(366)))
                .isEqualTo(Cost.MAX_AMOUNT);
        assertThatIllegalStateException()
                .isThrownBy(() -> Limit.tokens(7).perDay().refill(Duration.ofHours(1)));
    }

    @Test
    void aMonthIsAWindowOfTheCalendarAndNothingElse() {
        for (Limit limit : List.of(
                Limit.tokens(5).perMonth().tokenBucket(),
                Limit.tokens(5).perMonth().slidingWindow())) {
            assertThatIllegalArgumentException()
                    .isThrownBy(limit::check)
                    .withMessageContaining("months differ in length; say .per(Duration), or use .fixedWindow()");
        }
    }

    @Test
    void aSlidingWindowHasNoBurst() {
        Limit.tokens(5).perMinute().slidingWindow().check();
        assertThatIllegalArgumentException()
                .isThrownBy(() ->
                        Limit.tokens(5).perMinute().slidingWindow().burst(9).check())
                .withMessageContaining("a burst needs a token bucket");
    }

    @Test
    void aZoneNeedsAWindowOfTheCalendar() {
        Limit.tokens(5).perHour().fixedWindow(BERLIN).check();
        Limit.tokens(5).perMonth().fixedWindow(BERLIN).check();
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () -> Limit.tokens(5).perMinute().fixedWindow(BERLIN).check())
                .withMessageContaining("a zone means something for windows of an hour, a day, a week or a month");
    }

    @Test
    void limitsAreEqualByWhatTheySay() {
        assertThat(Limit.tokens(5).per(Duration.ofMinutes(1)))
                .isEqualTo(Limit.tokens(5).perMinute())
                .hasSameHashCodeAs(Limit.tokens(5).perMinute())
                .isNotEqualTo(Limit.tokens(6).perMinute())
                .isNotEqualTo(Limit.inputTokens(5).perMinute())
                .isNotEqualTo(Limit.tokens(5).perMinute().burst(5))
                .isNotEqualTo(Limit.tokens(5).perMinute().fixedWindow());
        assertThat(Limit.tokens(5).perDay().fixedWindow(ZoneId.of("UTC")))
                .isEqualTo(Limit.tokens(5).perDay());
    }

    // --- weights

    @Test
    void weightsThatMakeADifferenceToALimitArePartOfItsName() {
        Weights all = Weights.none()
                .cacheRead(0)
                .cacheWrite("1.25")
                .output(5)
                .reasoning("0.5")
                .outputAsReserved();

        assertThat(Limit.inputTokens(5).perMinute().weighing(all).name())
                .isEqualTo("input tokens per minute (cache reads x0, cache writes x1.25)");
        assertThat(Limit.outputTokens(5).perMinute().weighing(all).name())
                .isEqualTo("output tokens per minute (output x5, reasoning x0.5, output as reserved)");
        assertThat(Limit.tokens(5)
                        .perDay()
                        .tokenBucket()
                        .weighing(Weights.bedrock(15))
                        .name())
                .isEqualTo("tokens per day (token bucket) (cache reads x0, output x15)");
        assertThat(Limit.tokens(5).perMinute().weighing(Weights.none()).name()).isEqualTo("tokens per minute");
        assertThat(Limit.outputTokens(5)
                        .perMinute()
                        .weighing(Weights.anthropic())
                        .name())
                .isEqualTo("output tokens per minute");
    }

    @Test
    void whateverElseIsSaidOfALimitItWeighsTheSame() {
        Limit limit = Limit.tokens(5).perMinute().weighing(Weights.bedrock(5));

        for (Limit more : List.of(
                limit.burst(9),
                limit.correctedByProvider(),
                limit.fixedWindow().tokenBucket(),
                Limit.tokens(5).perMinute().correctedByProvider().weighing(Weights.bedrock(5)))) {
            assertThat(more.weights()).isEqualTo(Weights.bedrock(5));
            assertThat(more.name()).isEqualTo(limit.name());
        }
        assertThat(Limit.tokens(5).perMinute().correctedByProvider().weighing(Weights.bedrock(5)))
                .isEqualTo(limit.correctedByProvider())
                .isNotEqualTo(Limit.tokens(5).perMinute().correctedByProvider());
        assertThat(limit).hasToString("5 tokens per minute (cache reads x0, output x5)");
    }

    @Test
    void onlyTokensHaveWeights() {
        Limit.requests(5).perMinute().weighing(Weights.none()).check();
        for (Limit limit : List.of(Limit.requests(5).perMinute(), Limit.usd("5").perDay())) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> limit.weighing(Weights.anthropic()).check())
                    .withMessageContaining("drop .weighing(..), or make it a limit of those");
        }
    }

    @Test
    void aLimitOfWhichNothingCountsIsRefused() {
        Limit.outputTokens(5)
                .perMinute()
                .weighing(Weights.gemini().reasoning(1))
                .check();
        Limit.inputTokens(5).perMinute().weighing(Weights.gemini()).check();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Limit.outputTokens(5)
                        .perMinute()
                        .weighing(Weights.gemini())
                        .check())
                .withMessageContaining("none of its tokens count");
    }
}
