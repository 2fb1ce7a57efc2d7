package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.Limit;
import io.costguard.PatientRedis;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Standing;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.testing.RedisForTests;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import redis.clients.jedis.RedisClient;

/** What the script promises, one promise a test, in virtual time. */
class ScriptIT {
    private static final long SECOND = 1_000_000;
    private static final long HOUR = 3_600 * SECOND;
    /** Of a value with one limit. */
    private static final int HEAD = 1 + 3 + 4;

    private final String prefix = RedisForTests.shared().keyPrefix();
    private final RedisClient jedis = PatientRedis.client(RedisForTests.shared().url());
    private final Redis redis = Redis.of(jedis);
    private final Script script =
            TestScript.ofTheRealOne().withTimeAt(prefix + ":time").build();
    private final Lane lane = new Lane(prefix + ":{lane}", 0);
    private long now = Instant.parse("2026-03-02T10:00:00Z").toEpochMilli() * 1_000;

    @BeforeEach
    void startTheClock() {
        tick(0);
    }

    @AfterEach
    void close() {
        jedis.close();
    }

    // ------------------------------------------------------------------------------------------------ all or nothing

    @Test
    @Tag("invariant-4")
    void aCallIsChargedToAllItsSubjectsOrToNone() {
        Subject wide = subject("wide", Limit.requests(100).perHour());
        Subject narrow =
                subject("narrow", Limit.requests(10).perHour(), Limit.tokens(5).perHour());
        granted(narrow, 0, 5);

        Verdict verdict = decide(new Claim(wide, new long[] {1}), new Claim(narrow, new long[] {1, 3}));

        assertThat(verdict).isInstanceOfSatisfying(Verdict.Shortfall.class, denied -> {
            assertThat(denied.claim().subject()).isEqualTo(narrow);
            assertThat(denied.limit()).isEqualTo(1);
            assertThat(denied.available()).isEqualTo(0);
        });
        assertThat(balances(wide)).containsExactly(100L);
    }

    @Test
    void aDenialNamesTheLimitWithTheLongestWait() {
        Subject subject =
                subject("s", Limit.requests(1).perSecond(), Limit.tokens(1).perHour());
        granted(subject, 1, 1);

        assertThat(decide(new Claim(subject, new long[] {1, 1})))
                .isInstanceOfSatisfying(Verdict.Shortfall.class, denied -> {
                    assertThat(denied.limit()).isEqualTo(1);
                    assertThat(denied.waitMicros()).isEqualTo(HOUR);
                });
    }

    @Test
    void anAmountOfZeroNeitherAsksNorIsCharged() {
        Subject subject =
                subject("s", Limit.requests(5).perHour(), Limit.tokens(1).perHour());
        granted(subject, 1, 1);

        granted(subject, 1, 0);

        assertThat(balances(subject)).containsExactly(3L, 0L);
    }

    @Test
    void aCallAboveCapacityGoesWhenTheLimitIsFullAndLeavesDebt() {
        Subject subject = subject("s", Limit.requests(10).perHour());

        granted(subject, 25);
        assertThat(balances(subject)).containsExactly(-15L);

        assertThat(decide(new Claim(subject, new long[] {25}))).isInstanceOf(Verdict.Shortfall.class);
    }

    @Test
    void aDryRunThatIsShortIsReportedAndNotCharged() {
        Subject real = subject("real", Limit.requests(10).perHour());
        Subject dry = new Subject(
                prefix + ":{x}:dry",
                Budget.named("dry").limit(Limit.requests(1).perHour()).dryRun());
        decide(new Claim(real, new long[] {1}), new Claim(dry, new long[] {1}));

        Verdict verdict = decide(new Claim(real, new long[] {1}), new Claim(dry, new long[] {1}));

        assertThat(verdict).isInstanceOfSatisfying(Verdict.Granted.class, granted -> {
            assertThat(granted.charges()).hasSize(1);
            assertThat(granted.dryRuns())
                    .singleElement()
                    .satisfies(denied -> assertThat(denied.available()).isZero());
        });
        assertThat(balances(dry)).containsExactly(0L);
    }

    // -------------------------------------------------------------------------------------------------- exactly once

    @Test
    void aBatchThatIsSentTwiceIsChargedOnceAndAnsweredAlike() {
        Subject subject = subject("s", Limit.requests(10).perHour());
        Batch batch = batch(reserve(subject, 4));

        byte[] first = sendRaw(Batch.Mode.RUN, batch, now + SECOND);
        tick(5 * SECOND);
        byte[] second = sendRaw(Batch.Mode.RUN, batch, now - SECOND);

        assertThat(second).isEqualTo(first);
        assertThat(balances(subject)).containsExactly(6L);
    }

    @Test
    void aBatchThatComesTooLateHasNoEffectAndItsNumberStaysUnused() {
        Subject subject = subject("s", Limit.requests(10).perHour());
        Batch batch = batch(reserve(subject, 4));

        assertThat(batch.read(sendRaw(Batch.Mode.RUN, batch, now - 1)))
                .isEqualTo(new Batch.Reply(Batch.Status.LATE, now, List.of(), List.of()));
        assertThat(balances(subject)).containsExactly(10L);

        assertThat(batch.read(sendRaw(Batch.Mode.RUN, batch, now)).status()).isEqualTo(Batch.Status.DONE);
    }

    @Test
    void anOlderNumberAGapAndAnUnknownLaneAreRefusedWithoutEffect() {
        Subject subject = subject("s", Limit.requests(10).perHour());
        Lane behind = new Lane(prefix + ":{lane}", 0);
        granted(subject, 1);
        granted(subject, 1);

        Lane ahead = new Lane(prefix + ":{lane}", 0);
        for (int i = 0; i < 5; i++) {
            ahead.advance(0);
        }
        Lane unknown = new Lane(prefix + ":{elsewhere}", 0);
        unknown.advance(0);

        for (Lane refused : List.of(behind, ahead, unknown)) {
            assertThat(send(refused, Batch.Mode.RUN, batch(reserve(subject, 1))).status())
                    .isEqualTo(Batch.Status.LANE_REFUSED);
        }
        assertThat(balances(subject)).containsExactly(8L);
    }

    @Test
    void aCancelThatComesFirstTakesTheNumberSoThatTheLateBatchDoesNothing() {
        Subject subject = subject("s", Limit.requests(10).perHour());
        Batch batch = batch(reserve(subject, 4));

        assertThat(send(lane, Batch.Mode.CANCEL, batch).status()).isEqualTo(Batch.Status.CANCELLED_BEFORE_IT_CAME);
        assertThat(send(lane, Batch.Mode.RUN, batch).status()).isEqualTo(Batch.Status.CANCELLED_BEFORE_IT_CAME);

        assertThat(balances(subject)).containsExactly(10L);
    }

    @Test
    void aCancelUndoesWhatItsBatchGrantedButNotWhatItSettled() {
        Subject subject = subject("s", Limit.requests(10).perHour());
        Charge charge = granted(subject, 4).charges().get(0);
        Batch batch = batch(
                new Batch.Call.Settle(new Settled(charge, new long[] {1})), reserve(subject, 5), reserve(subject, 100));

        send(lane, Batch.Mode.RUN, batch);
        assertThat(balances(subject)).containsExactly(4L);
        Batch.Reply cancelled = send(lane, Batch.Mode.CANCEL, batch);

        assertThat(cancelled.status()).isEqualTo(Batch.Status.CANCELLED_AFTER_IT_RAN);
        assertThat(cancelled.results().get(0)).isInstanceOf(Batch.Result.Done.class);
        assertThat(balances(subject)).containsExactly(9L);
    }

    @Test
    void aCancelThatIsSentAgainGivesNothingBackAgain() {
        Subject subject = subject("s", Limit.requests(10).perHour());
        granted(subject, 5);
        Batch batch = batch(reserve(subject, 4));
        send(lane, Batch.Mode.RUN, batch);

        byte[] first = sendRaw(Batch.Mode.CANCEL, batch, now);
        byte[] second = sendRaw(Batch.Mode.CANCEL, batch, now);

        assertThat(second).isEqualTo(first);
        assertThat(balances(subject)).containsExactly(5L);
    }

    // ------------------------------------------------------------------------------------------- settling, eras, debt

    @Test
    void aRefundGivesNothingToABucketThatHasBeenFullSince() {
        Subject subject = subject("s", Limit.requests(10).perSecond());
        Charge charge = granted(subject, 10).charges().get(0);
        tick(2 * SECOND);
        granted(subject, 10);

        settle(charge, 0);

        assertThat(balances(subject)).containsExactly(0L);
    }

    @Test
    @Tag("invariant-8")
    void aRefundGivesNothingToAWindowThatHasClosed() {
        Subject subject = subject("s", Limit.requests(10).perHour().fixedWindow());
        Charge charge = granted(subject, 10).charges().get(0);
        tick(HOUR);
        granted(subject, 7);

        settle(charge, 0);

        assertThat(balances(subject)).containsExactly(3L);
    }

    @Test
    void aRefundGivesNothingToABalanceThatWasMadeAnew() {
        Subject subject =
                subject("s", Limit.requests(10).perHour(), Limit.tokens(10).perDay());
        Charge charge = granted(subject, 10, 10).charges().get(0);
        jedis.del(subject.key());
        tick(1);
        granted(subject, 6, 6);

        settle(charge, 0, 0);

        assertThat(balances(subject)).containsExactly(4L, 4L);
    }

    @Test
    void settlesOfOneSubjectAreGivenBackAndChargedTogether() {
        Subject subject = subject(
                "s", Limit.requests(1_000).perHour(), Limit.tokens(1_000).perHour());
        Charge one = granted(subject, 1, 100).charges().get(0);
        Charge two = granted(subject, 1, 200).charges().get(0);
        Charge three = granted(subject, 1, 300).charges().get(0);

        List<Batch.Result> results = run(
                new Batch.Call.Settle(new Settled(one, new long[] {1, 40})),
                new Batch.Call.Settle(new Settled(two, new long[] {0, 0})),
                new Batch.Call.Settle(new Settled(three, new long[] {1, 350})));

        assertThat(results).hasSize(3).containsOnly(new Batch.Result.Done());
        assertThat(balances(subject)).containsExactly(1_000L - 2, 1_000L - 40 - 350);
    }

    @Test
    void settlesOfDifferentErasAreToldApart() {
        Subject subject = subject("s", Limit.requests(100).perHour());
        Charge early = granted(subject, 10).charges().get(0);
        tick(HOUR);
        Charge late = granted(subject, 20).charges().get(0);

        run(
                new Batch.Call.Settle(new Settled(early, new long[] {0})),
                new Batch.Call.Settle(new Settled(late, new long[] {5})));

        assertThat(balances(subject)).containsExactly(95L);
    }

    @Test
    void usageAboveTheEstimateIsDebtThatTheNextWindowPaysOff() {
        Subject subject = subject("s", Limit.requests(10).perHour().fixedWindow());
        Charge charge = granted(subject, 10).charges().get(0);
        settle(charge, 35);
        assertThat(balances(subject)).containsExactly(-25L);

        tick(HOUR);
        assertThat(balances(subject)).containsExactly(-15L);
        tick(HOUR);
        assertThat(balances(subject)).containsExactly(-5L);
        tick(HOUR);
        assertThat(balances(subject)).containsExactly(5L);
    }

    @Test
    void aBudgetThatShrinksBelowItsUseOwesNothingToTheNextWindow() {
        Subject subject = subject("s", Limit.requests(1_000).perHour().fixedWindow());
        granted(subject, 600);
        Subject shrunk = subject("s", Limit.requests(10).perHour().fixedWindow());

        assertThat(balances(shrunk)).containsExactly(-590L);
        assertThat(decide(new Claim(shrunk, new long[] {1}))).isInstanceOf(Verdict.Shortfall.class);
        assertThat(balances(subject)).containsExactly(400L);
        tick(HOUR);

        assertThat(balances(shrunk)).containsExactly(10L);
    }

    // --------------------------------------------------------------------------------------------- the limits of a key

    @Test
    void aBucketThatMustBeToldOtherwiseKeepsItsBalance() {
        Limit plain = Limit.tokens(6_000).perHour();
        Limit odd = Limit.tokens(999_999_937).perHour().burst(Cost.MAX_AMOUNT);
        granted(subject("s", plain), 2_500);

        assertThat(balances(subject("s", odd))).containsExactly(3_500L);
        granted(subject("s", odd), 500);
        assertThat(balances(subject("s", plain))).containsExactly(3_000L);
        granted(subject("s", Limit.tokens(7_000).perHour()), 1_000);
        assertThat(balances(subject("s", plain))).containsExactly(2_000L);
    }

    @Test
    void addingRemovingAndReorderingLimitsNeverMixesTwoBalances() {
        Limit requests = Limit.requests(10).perHour();
        Limit tokens = Limit.tokens(100).perHour();
        Limit daily = Limit.tokens(1_000).perDay();
        granted(subject("s", requests, tokens), 1, 20);

        assertThat(balances(subject("s", tokens, requests))).containsExactly(80L, 9L);
        granted(subject("s", daily, tokens), 5, 5);
        granted(subject("s", requests), 2);

        assertThat(balances(subject("s", requests, tokens, daily))).containsExactly(7L, 75L, 995L);
    }

    @Test
    void aLimitThatNobodyNamesIsForgottenOnceItIsFull() {
        Limit tokens = Limit.tokens(100).perSecond();
        Limit requests = Limit.requests(10).perHour();
        granted(subject("s", requests, tokens), 1, 100);
        tick(2 * HOUR);
        granted(subject("s", requests), 1);

        assertThat(jedis.get(subject("s", requests).key().getBytes(StandardCharsets.UTF_8)))
                .hasSize(HEAD + 1 + 7 + 10);
    }

    // --------------------------------------------------------------------------------------------------- the clock

    @Test
    void aClockThatIsALittleBackStandsStill() {
        Subject subject = subject("s", Limit.requests(3_600).perHour());
        granted(subject, 3_600);
        tick(100 * SECOND);
        granted(subject, 50);

        tick(-9 * SECOND);
        assertThat(balances(subject)).containsExactly(50L);
        tick(9 * SECOND);
        assertThat(balances(subject)).containsExactly(50L);
        tick(SECOND);
        assertThat(balances(subject)).containsExactly(51L);
    }

    @Test
    @Tag("fault-12")
    void aClockThatIsSetBackRefillsNothingAndFreezesNothing() {
        Subject subject = subject("s", Limit.requests(3_600).perHour());
        Charge charge = granted(subject, 3_600).charges().get(0);

        tick(-24 * HOUR);
        assertThat(balances(subject)).containsExactly(0L);
        settle(charge, 0);
        assertThat(balances(subject)).containsExactly(0L);
        settle(charge, 3_601);
        tick(11 * SECOND);

        assertThat(balances(subject)).containsExactly(10L);
    }

    @Test
    @Tag("fault-12")
    void aJumpForwardAndBackGivesAtMostOneCapacity() {
        Subject bucket = subject("bucket", Limit.requests(10).perHour());
        Subject window = subject("window", Limit.requests(10).perHour().fixedWindow());
        granted(bucket, 10);
        granted(window, 10);

        tick(87_600 * HOUR);
        granted(bucket, 10);
        granted(window, 10);
        tick(-87_600 * HOUR);

        assertThat(decide(new Claim(bucket, new long[] {1}))).isInstanceOf(Verdict.Shortfall.class);
        assertThat(decide(new Claim(window, new long[] {1}))).isInstanceOf(Verdict.Shortfall.class);
        tick(HOUR);
        assertThat(balances(bucket)).containsExactly(10L);
        assertThat(balances(window)).containsExactly(10L);
    }

    // -------------------------------------------------------------------------------------------- calendar windows

    static Stream<Arguments> calendars() {
        return Stream.of(
                Arguments.of(
                        "a day with an hour less",
                        Limit.requests(9).perDay(),
                        "2026-03-28T23:00:00Z",
                        "2026-03-29T22:00:00Z"),
                Arguments.of(
                        "a day with an hour more",
                        Limit.requests(9).perDay(),
                        "2026-10-24T22:00:00Z",
                        "2026-10-25T23:00:00Z"),
                Arguments.of("a week", Limit.requests(9).perWeek(), "2026-03-01T23:00:00Z", "2026-03-08T23:00:00Z"),
                Arguments.of("a month", Limit.requests(9).perMonth(), "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("calendars")
    void aCalendarWindowOpensAndClosesAtMidnightOfItsZone(String what, Limit limit, String opens, String closes) {
        Subject subject = subject("s", limit.fixedWindow(ZoneId.of("Europe/Berlin")));
        long start = micros(opens);
        long stop = micros(closes);

        tick(start - now - 1);
        granted(subject, 9);
        tick(1);
        granted(subject, 9);
        tick(stop - now - 1);
        assertThat(decide(new Claim(subject, new long[] {1})))
                .isInstanceOfSatisfying(
                        Verdict.Shortfall.class,
                        denied -> assertThat(denied.waitMicros()).isEqualTo(1));
        tick(1);

        granted(subject, 9);
    }

    @Test
    void anEvenWindowBeginsWithItsWeekOnMonday() {
        Subject subject = subject("s", Limit.requests(1).perWeek());
        now = micros("2026-03-01T23:59:59.999999Z");
        tick(0);
        granted(subject, 1);
        tick(1);

        granted(subject, 1);
    }

    @Test
    void boundsThatAreNotThoseOfTheServersTimeAreAskedForAgainAndNothingIsCharged() {
        Subject subject = subject("s", Limit.requests(9).perMonth());
        long believed = micros("2020-01-01T00:00:00Z");
        Batch batch = batch(reserve(subject, 1));

        byte[] request = batch.request(Batch.Mode.RUN, lane.number(), now + SECOND, 60_000, believed);
        Batch.Reply reply = batch.read(script.run(redis, batch.keys(lane.key()), request, SECOND * 1_000));

        assertThat(reply.results()).containsExactly(new Batch.Result.AskAgain());
        assertThat(jedis.exists(subject.key())).isFalse();
    }

    // ---------------------------------------------------------------------------------- what others put into a key

    @Test
    @Tag("threat-7")
    void whatThisLibraryDidNotWriteIsRefusedByNameAndNeverGrants() {
        Limit limit = Limit.requests(10).perHour();
        Subject good = subject("good", limit);
        byte[] sound = soundValue(limit);
        byte[] newer = sound.clone();
        newer[0] = (byte) (7 << 5 | 1);
        byte[] tooManyLimits = sound.clone();
        tooManyLimits[0]++;
        byte[] noParts = sound.clone();
        ByteBuffer.wrap(noParts).putInt(1 + 3, 0);
        byte[] hugeTime = sound.clone();
        hugeTime[HEAD + 1] = 0x7f;
        byte[] hugeBalance = sound.clone();
        hugeBalance[HEAD + 1 + 7] = 0x7f;
        byte[] hugeDebt = sound.clone();
        hugeDebt[HEAD + 1 + 7] = (byte) 0x80;
        byte[] hugeRemainder = soundValue(Limit.requests(Cost.MAX_AMOUNT).perHour());
        hugeRemainder[HEAD + 1 + 7 + 10] = 0x7f;

        byte[] newerKind = sound.clone();
        newerKind[1 + 2] |= 7;

        refused(good, "written by another version", newer);
        refused(good, "written by another version", newerKind);
        refused(
                good,
                "damaged",
                new byte[0],
                new byte[] {1 << 5 | 1},
                Arrays.copyOf(sound, sound.length - 1),
                Arrays.copyOf(sound, sound.length + 1),
                tooManyLimits,
                noParts,
                hugeTime,
                hugeBalance,
                hugeDebt);
        refused(subject("huge", Limit.requests(Cost.MAX_AMOUNT).perHour()), "damaged", hugeRemainder);
        refused(good, "version", "nan".getBytes(StandardCharsets.UTF_8));
        refused(good, "damaged", "1e308".getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void aKeyOfAnotherTypeIsRefusedByNameAndLeftAlone() {
        Subject taken = subject("taken", Limit.requests(10).perHour());
        Subject good = subject("good", Limit.requests(10).perHour());
        jedis.hset(taken.key(), "a", "b");

        List<Batch.Result> results = run(reserve(taken, 1), reserve(good, 1));

        assertThat(results.get(0))
                .isInstanceOfSatisfying(
                        Batch.Result.Refused.class,
                        refused -> assertThat(refused.why())
                                .hasMessageContaining("not a string")
                                .hasMessageContaining("'b'"));
        assertThat(results.get(1)).isInstanceOf(Batch.Result.Decided.class);
        assertThat(jedis.hget(taken.key(), "a")).isEqualTo("b");
    }

    @Test
    void anAmountOutOfRangeIsRefusedAlone() {
        Subject subject = subject("s", Limit.requests(10).perHour());

        List<Batch.Result> results =
                run(reserve(subject, -1), reserve(subject, Cost.MAX_AMOUNT + 1), reserve(subject, 1));

        assertThat(results.get(0)).isInstanceOf(Batch.Result.Refused.class);
        assertThat(results.get(1)).isInstanceOf(Batch.Result.Refused.class);
        assertThat(balances(subject)).containsExactly(9L);
    }

    private byte[] soundValue(Limit limit) {
        Subject subject = subject("sound", limit);
        granted(subject, 1);
        return jedis.get(subject.key().getBytes(StandardCharsets.UTF_8));
    }

    private void refused(Subject good, String why, byte[]... values) {
        for (byte[] value : values) {
            Subject bad = subject("bad", good.limits().get(0));
            jedis.set(bad.key().getBytes(StandardCharsets.UTF_8), value);
            List<Batch.Result> results = run(reserve(bad, 1), reserve(good, 1));
            assertThat(results.get(0))
                    .as(Arrays.toString(value))
                    .isInstanceOfSatisfying(
                            Batch.Result.Refused.class,
                            refused -> assertThat(refused.why())
                                    .hasMessageContaining(why)
                                    .hasMessageContaining(bad.key()));
            assertThat(results.get(1)).isInstanceOf(Batch.Result.Decided.class);
            assertThat(jedis.get(bad.key().getBytes(StandardCharsets.UTF_8))).isEqualTo(value);
        }
    }

    // --------------------------------------------------------------------------------------------------- the words

    private static long micros(String instant) {
        return ChronoUnit.MICROS.between(
                Instant.EPOCH, ZonedDateTime.parse(instant).toInstant());
    }

    private void tick(long micros) {
        now += micros;
        jedis.set(prefix + ":time", Long.toString(now));
    }

    private Subject subject(String name, Limit... limits) {
        Budget budget = Budget.named("b");
        for (Limit limit : limits) {
            budget = budget.limit(limit);
        }
        return new Subject(prefix + ":{x}:" + name, budget);
    }

    private static Batch.Call reserve(Subject subject, long... amounts) {
        return new Batch.Call.Reserve(List.of(new Claim(subject, amounts)));
    }

    private static Batch batch(Batch.Call... calls) {
        Batch batch = new Batch(new Lines("process-0000", "turn:"));
        for (Batch.Call call : calls) {
            batch.add(call);
        }
        return batch;
    }

    private List<Batch.Result> run(Batch.Call... calls) {
        List<Batch.Result> results = send(lane, Batch.Mode.RUN, batch(calls)).results();
        lane.advance(0);
        return results;
    }

    private Verdict decide(Claim... claims) {
        return ((Batch.Result.Decided)
                        run(new Batch.Call.Reserve(List.of(claims))).get(0))
                .verdict();
    }

    private Verdict.Granted granted(Subject subject, long... amounts) {
        Verdict verdict = decide(new Claim(subject, amounts));
        assertThat(verdict).isInstanceOf(Verdict.Granted.class);
        return (Verdict.Granted) verdict;
    }

    private void settle(Charge charge, long... actual) {
        assertThat(run(new Batch.Call.Settle(new Settled(charge, actual)))).containsExactly(new Batch.Result.Done());
    }

    private List<Long> balances(Subject subject) {
        Batch batch = batch(new Batch.Call.Look(
                List.of(new Claim(subject, new long[subject.limits().size()]))));
        Batch.Result result = send(lane, Batch.Mode.LOOK, batch).results().get(0);
        return ((Batch.Result.Looked) result)
                .standings().get(0).stream().map(Standing::balance).toList();
    }

    private Batch.Reply send(Lane on, Batch.Mode mode, Batch batch) {
        byte[] request = batch.request(mode, on.number(), now + SECOND, 60_000, now);
        return batch.read(script.run(
                redis, batch.keys(on.key()), request, Duration.ofSeconds(5).toNanos()));
    }

    private byte[] sendRaw(Batch.Mode mode, Batch batch, long notAfter) {
        byte[] request = batch.request(mode, lane.number(), notAfter, 60_000, now);
        return script.run(
                redis, batch.keys(lane.key()), request, Duration.ofSeconds(5).toNanos());
    }
}
