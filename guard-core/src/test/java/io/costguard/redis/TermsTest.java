package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Leased;
import io.costguard.Limit;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What limits are to the script, and for how long what is charged to them counts. */
class TermsTest {
    private static final Limit.Amount TOKENS = Limit.tokens(900);
    private static final ZoneId BERLIN = ZoneId.of("Europe/Berlin");
    private static final long MONDAY = micros(Instant.parse("2026-03-02T00:00:00Z"));
    private static final long DAY = micros(Duration.ofDays(1));
    private static final int BOUNDS = 5;

    // ------------------------------------------------------------------------------------- for how long it counts

    @Test
    void whatIsChargedToAWindowCountsUntilThatCloses() {
        Limit day = TOKENS.perDay();

        assertThat(counts(day, MONDAY, 0)).isEqualTo(DAY);
        assertThat(counts(day, MONDAY + 1, 0)).isEqualTo(DAY - 1);
        assertThat(counts(day, MONDAY - 1, 0)).isEqualTo(1);
        assertThat(counts(TOKENS.perHour().fixedWindow(), MONDAY - 1_000, 300)).isEqualTo(700);
        assertThat(counts(day, MONDAY - 100, 300)).isZero();
    }

    @Test
    void aWeekBeginsOnMonday() {
        assertThat(counts(TOKENS.perWeek(), MONDAY - 7, 0)).isEqualTo(7);
        assertThat(counts(TOKENS.perWeek(), MONDAY, 0)).isEqualTo(7 * DAY);
        assertThat(counts(TOKENS.perWeek().fixedWindow(BERLIN), MONDAY, 0)).isEqualTo(7 * DAY - DAY / 24);
    }

    @Test
    void whatIsChargedToASlidingWindowCountsUntilItsSlotIsOver() {
        Limit minute = TOKENS.perMinute().slidingWindow();

        assertThat(counts(minute, MONDAY, 0)).isEqualTo(4_000_000);
        assertThat(counts(minute, MONDAY + 3_999_000, 200)).isEqualTo(800);
        assertThat(counts(TOKENS.perSecond().slidingWindow(), 66_667, 0))
                .as("rounded up, so that fifteen are no less than the window")
                .isEqualTo(66_667);
    }

    @Test
    void whatIsChargedToAMonthCountsUntilItsEndInItsZone() {
        assertThat(counts(TOKENS.perMonth(), MONDAY, 5)).isEqualTo(30 * DAY - 5);
        assertThat(counts(TOKENS.perDay().fixedWindow(BERLIN), MONDAY, 0)).isEqualTo(DAY - DAY / 24);
        long berlinsMonth =
                micros(ZonedDateTime.of(2026, 4, 1, 0, 0, 0, 0, BERLIN).toInstant());
        assertThat(counts(TOKENS.perMonth().fixedWindow(BERLIN), berlinsMonth - 1, 0))
                .isEqualTo(1);
        assertThat(counts(TOKENS.perMonth().fixedWindow(BERLIN), berlinsMonth, 0))
                .isEqualTo(30 * DAY);
    }

    @Test
    void whatIsChargedToABucketCountsForEverAndACallInFlightHalfItsLease() {
        assertThat(Terms.countsNanos(TOKENS.perMinute(), MONDAY, MONDAY + 5)).isEqualTo(Long.MAX_VALUE);
        assertThat(counts(Leased.calls(9, Duration.ofMinutes(3)), MONDAY, 0)).isEqualTo(90_000_000);
    }

    @ParameterizedTest
    @CsvSource({"5, 20, false", "5, 21, true", "16777215, 14, false", "16777215, 15, true", "7, 7, false", "8, 7, true"
    })
    void aSlotIsGoneAfterSixteen(long era, long now, boolean isGone) {
        assertThat(Terms.isGone(era, now)).isEqualTo(isGone);
    }

    // --------------------------------------------------------------------------------------- where windows begin

    @Test
    void theBoundsOfAMonthAreThoseAroundTheTimeOfTheServer() {
        assertThat(bounds(TOKENS.perMonth(), MONDAY))
                .containsExactly(
                        "2026-02-01T00:00:00Z",
                        "2026-03-01T00:00:00Z",
                        "2026-04-01T00:00:00Z",
                        "2026-05-01T00:00:00Z",
                        "2026-06-01T00:00:00Z");
    }

    @Test
    void theBoundsOfADayFollowTheClocksOfItsZone() {
        assertThat(bounds(TOKENS.perDay().fixedWindow(BERLIN), micros(Instant.parse("2026-03-28T23:30:00Z"))))
                .containsExactly(
                        "2026-03-27T23:00:00Z",
                        "2026-03-28T23:00:00Z",
                        "2026-03-29T22:00:00Z",
                        "2026-03-30T22:00:00Z",
                        "2026-03-31T22:00:00Z");
    }

    @Test
    void theBoundsOfAWeekAreItsMondays() {
        assertThat(bounds(TOKENS.perWeek().fixedWindow(BERLIN), micros(Instant.parse("2026-03-01T22:59:59Z"))))
                .startsWith("2026-02-15T23:00:00Z", "2026-02-22T23:00:00Z", "2026-03-01T23:00:00Z");
    }

    @Test
    void theBoundsOfAnHourAreWholeHoursOfItsZone() {
        assertThat(bounds(TOKENS.perHour().fixedWindow(ZoneId.of("Asia/Kolkata")), MONDAY))
                .startsWith("2026-03-01T22:30:00Z", "2026-03-01T23:30:00Z", "2026-03-02T00:30:00Z");
    }

    /** There the clock goes back by half an hour: the hour in which it does has an hour and a half. */
    @Test
    void anHourInWhichTheClockIsSetBackIsLonger() {
        ZoneId lordHowe = ZoneId.of("Australia/Lord_Howe");

        assertThat(bounds(TOKENS.perHour().fixedWindow(lordHowe), micros(Instant.parse("2026-04-04T14:10:00Z"))))
                .isSorted()
                .doesNotHaveDuplicates()
                .startsWith("2026-04-04T13:00:00Z", "2026-04-04T14:00:00Z");
    }

    // ------------------------------------------------------------------------------------------------ as bytes

    @Test
    void whatIsWrittenIsNoLongerThanItSays() {
        for (Limit limit : List.of(
                TOKENS.perMinute(),
                TOKENS.perDay(),
                TOKENS.perMonth(),
                TOKENS.perMinute().slidingWindow(),
                Limit.concurrentCalls(3),
                Limit.usd("1000000").perMonth())) {
            Terms terms = terms(limit);
            ByteBuffer out = ByteBuffer.allocate(terms.size());

            terms.write(out, MONDAY);

            assertThat(new String(terms.format(), StandardCharsets.US_ASCII)).startsWith("BBc0HBc0Bi8i8I4");
            assertThat(out.position()).isLessThanOrEqualTo(terms.size());
        }
    }

    @Test
    void termsHaveAsManyFieldsAsTheirFormat() {
        assertThat(terms(TOKENS.perMinute()).fields()).isEqualTo(5 + 3);
        assertThat(terms(TOKENS.perDay()).fields()).isEqualTo(5 + 3 + 2);
        assertThat(terms(TOKENS.perMonth()).fields()).isEqualTo(5 + 3 + 1 + BOUNDS);
        assertThat(Terms.of(Budget.named("b").limit(TOKENS.perMonth()).limit(TOKENS.perMinute()))
                        .fields())
                .isEqualTo(5 + 2 * 3 + 1 + BOUNDS);
    }

    /** A head with a name for each limit, a life and a stamp, a balance for each, and what windows, slots and long buckets need more. */
    @Test
    void aValueIsAsLongAsItsFormat() {
        assertThat(format(TOKENS.perMinute())).isEqualTo(">c8BI7i7I3 26");
        assertThat(format(Limit.tokens(1L << 50).perSecond())).isEqualTo(">c8BI7i7I3I7 33");
        assertThat(format(TOKENS.perDay())).isEqualTo(">c8BI7i7I3I7 33");
        assertThat(format(TOKENS.perMonth())).isEqualTo(">c8BI7i7I3I7I7I7 47");
        assertThat(format(TOKENS.perMinute().slidingWindow())).isEqualTo(">c8BI7i7I3I7c105 138");
        assertThat(format(Limit.concurrentCalls(3))).isEqualTo(">c8BI7i7I3I7c105 138");
        assertThat(format(TOKENS.perMinute(), TOKENS.perDay())).isEqualTo(">c15BI7i7I3i7I3I7 50");
    }

    @Test
    void aBalanceKeepsItsNameWhateverTheAmountAndHasItsKindInIt() {
        int name = name(TOKENS.perMinute());

        assertThat(name(Limit.tokens(60).perMinute())).isEqualTo(name);
        assertThat(name(Limit.requests(900).perMinute())).isNotEqualTo(name);
        assertThat(name(TOKENS.perHour().tokenBucket())).isNotEqualTo(name);
        assertThat(name).isNotEqualTo(0);
        assertThat(List.of(
                        TOKENS.perMinute(),
                        Limit.tokens(1L << 50).perSecond(),
                        TOKENS.perDay(),
                        TOKENS.perMonth(),
                        TOKENS.perMinute().slidingWindow(),
                        Limit.concurrentCalls(3)))
                .extracting(limit -> name(limit) & 7)
                .containsExactly(0, 1, 2, 3, 4, 5);
        int large = name(Limit.tokens(1L << 50).perMinute());
        assertThat(large >> 3).as("of a bucket, long or not").isEqualTo(name >> 3);
    }

    @Test
    void aValueIsReadByItsParts() {
        Terms terms = Terms.of(Budget.named("b")
                .limit(Limit.tokens(90).perMinute())
                .limit(TOKENS.perDay())
                .limit(Limit.requests(5).perSecond()));
        ByteBuffer value = ByteBuffer.allocate(100);
        value.position(3 + 22);
        value.put((byte) (128 + 27)).put(new byte[7]);
        putBalance(value, -1, 0x808182);
        putBalance(value, 0x0102030405L, 7);
        putBalance(value, 1_000_000, 255);
        value.position(3);

        Terms.State state = terms.read(value);

        assertThat(state.hasLine()).isTrue();
        assertThat(state.balances())
                .as("whole units, rounded down; of a window what is left")
                .containsExactly(-1, 900 - 0x0102030405L, 1_000_000 * 5 / 1_000_000);
        assertThat(state.eras()).containsExactly(0x808182, 7, 255);
        assertThat(value.position()).isEqualTo(3 + 22 + 8 + 3 * 10 + 7);
        value.put(3 + 22, (byte) 127).position(3);
        assertThat(terms.read(value).hasLine()).isFalse();
    }

    @Test
    void theSameBudgetHasTheSameTerms() {
        Budget budget = Budget.named("b").limit(TOKENS.perMinute());

        assertThat(Terms.of(budget)).isSameAs(Terms.of(budget));
    }

    @Test
    void whatALimitHasNoCoolDownOfIsZero() {
        Terms terms = Terms.of(Budget.named("b")
                .limit(TOKENS.perMinute().coolDown(Duration.ofSeconds(2)))
                .limit(TOKENS.perDay()));

        assertThat(terms.coolDowns()).containsExactly(2_000_000, 0);
    }

    /** A power of two of microseconds: an empty balance is full by then, and two windows are over. */
    @ParameterizedTest
    @CsvSource({"PT1S, 26", "PT67.108863S, 26", "PT67.108864S, 27", "PT134.217727S, 27", "PT134.217728S, 28"})
    void aValueLivesUntilItsBalanceIsFull(Duration period, int exponent) {
        assertThat(life(TOKENS.per(period).tokenBucket())).isEqualTo(exponent);
    }

    @Test
    void aValueOfAWindowLivesForTwoOfThemAndOneOfABucketUntilItsBurstIsFull() {
        assertThat(life(TOKENS.per(Duration.ofSeconds(40)).slidingWindow())).isEqualTo(27);
        assertThat(life(TOKENS.per(Duration.ofSeconds(40)).tokenBucket().burst(1_800)))
                .isEqualTo(27);
        assertThat(life(TOKENS.per(Duration.ofSeconds(40)).tokenBucket())).isEqualTo(26);
        assertThat(life(Limit.tokens(1).per(Duration.ofDays(366)).tokenBucket().burst(1_000_000)))
                .as("for ever")
                .isEqualTo(52);
    }

    /** So that what comes in a microsecond is a whole number of them; where they would be too many, none are told. */
    @Test
    void aBucketKnowsPartsOfAUnit() {
        assertThat(capacityAndRate(Limit.tokens(60).perMinute())).containsExactly(60L * 1_000_000, 1L);
        assertThat(capacityAndRate(Limit.tokens(90).perMinute())).containsExactly(90L * 2_000_000, 3L);
        assertThat(capacityAndRate(Limit.tokens(1L << 50).perSecond())).containsExactly(1L << 50, -1L);
        assertThat(capacityAndRate(Limit.tokens(7).perDay())).containsExactly(7L, -2L);
        assertThat(capacityAndRate(Limit.tokens(7).perMonth())).containsExactly(7L, -3L);
        assertThat(capacityAndRate(Limit.tokens(7).perMinute().slidingWindow())).containsExactly(7L, -4L);
        assertThat(capacityAndRate(Limit.concurrentCalls(7))).containsExactly(7L, -5L);
    }

    // ------------------------------------------------------------------------------------------------------------

    private static long counts(Limit limit, long earliest, long more) {
        long nanos = Terms.countsNanos(limit, earliest, earliest + more);
        assertThat(nanos % 1_000).isZero();
        return nanos / 1_000;
    }

    private static Terms terms(Limit limit) {
        return Terms.of(Budget.named("b").limit(limit));
    }

    private static ByteBuffer written(Limit limit) {
        Terms terms = terms(limit);
        ByteBuffer out = ByteBuffer.allocate(terms.size());
        terms.write(out, MONDAY);
        return out.flip();
    }

    /** After the count, the format of a value and its length, and the head of the value. */
    private static ByteBuffer afterTheHead(ByteBuffer in) {
        int format = in.get(1);
        int head = in.get(2 + format + 2);
        return in.position(2 + format + 2 + 1 + head);
    }

    private static String format(Limit... limits) {
        Budget budget = Budget.named("b");
        for (Limit limit : limits) {
            budget = budget.limit(limit);
        }
        Terms terms = Terms.of(budget);
        ByteBuffer in = ByteBuffer.allocate(terms.size());
        terms.write(in, MONDAY);
        assertThat(in.get(0)).isEqualTo((byte) limits.length);
        int length = in.get(1);
        int head = in.get(2 + length + 2);
        assertThat(head).isEqualTo(1 + 7 * limits.length);
        assertThat(in.get(2 + length + 3)).as("version and count").isEqualTo((byte) (32 | limits.length));
        return new String(in.array(), 2, length, StandardCharsets.US_ASCII) + " " + in.getShort(2 + length);
    }

    private static int name(Limit limit) {
        ByteBuffer in = written(limit);
        return in.getInt(2 + in.get(1) + 3) & 0xffffff;
    }

    private static void putBalance(ByteBuffer out, long balance, int era) {
        out.put((byte) (balance >> 48)).putShort((short) (balance >> 32)).putInt((int) balance);
        out.put((byte) (era >> 16)).putShort((short) era);
    }

    private static int life(Limit limit) {
        return afterTheHead(written(limit)).get();
    }

    private static long[] capacityAndRate(Limit limit) {
        ByteBuffer in = afterTheHead(written(limit));
        in.get();
        return new long[] {in.getLong(), in.getLong()};
    }

    private static List<String> bounds(Limit limit, long serverMicros) {
        Terms terms = terms(limit);
        ByteBuffer out = ByteBuffer.allocate(terms.size());
        terms.write(out, serverMicros);
        long[] bounds = LongStream.range(0, BOUNDS)
                .map(i -> out.getLong(out.position() - (BOUNDS - (int) i) * 8))
                .toArray();
        return Arrays.stream(bounds)
                .mapToObj(
                        micros -> Instant.EPOCH.plus(micros, ChronoUnit.MICROS).toString())
                .toList();
    }

    private static long micros(Instant at) {
        return ChronoUnit.MICROS.between(Instant.EPOCH, at);
    }

    private static long micros(Duration span) {
        return span.toNanos() / 1_000;
    }
}
