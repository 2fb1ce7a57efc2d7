package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Limit;
import io.costguard.PatientRedis;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger;
import io.costguard.limit.Ledger.Correction;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Standing;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.redis.Batch.LineOperation.Kind;
import io.costguard.testing.RedisForTests;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.RedisClient;

/** What the script promises of lines, one promise a test, in virtual time. */
@Timeout(60)
class LineScriptIT {
    private static final long SECOND = 1_000_000;
    private static final long MINUTE = 60 * SECOND;
    private static final long HOUR = 60 * MINUTE;
    private static final int MORE_THAN_ONE_SWEEP = 1_500;

    private final String prefix = RedisForTests.shared().keyPrefix();
    private final RedisClient jedis = PatientRedis.client(RedisForTests.shared().url());
    private final Redis redis = Redis.of(jedis);
    private final Script script =
            TestScript.ofTheRealOne().withTimeAt(prefix + ":time").build();
    private final Peer one = new Peer("process-0001");
    private final Peer two = new Peer("process-0002");
    private final BlockingQueue<String> told = new LinkedBlockingQueue<>();
    private final List<Listening> ears = new ArrayList<>();
    private long now = Instant.parse("2026-03-02T10:00:00Z").toEpochMilli() * 1_000;

    /** 10 an hour: one in six minutes. */
    private final Subject subject = subject("s", Limit.requests(10).perHour());

    @BeforeEach
    void startTheClock() {
        tick(0);
    }

    @AfterEach
    void close() {
        ears.forEach(Listening::close);
        jedis.close();
    }

    // ----------------------------------------------------------------------------------------------------- joining

    @Test
    void aCallThatIsNotCoveredJoinsAndHearsWhenItIsItsTurn() {
        one.granted(subject, 10);

        Batch.Reply reply = one.send(join(1, HOUR, subject, 5));

        assertThat(reply.results().get(0)).isInstanceOfSatisfying(Batch.Result.Joined.class, joined -> {
            assertThat(joined.place()).isEqualTo(now);
            assertThat(joined.deadlineMicros()).isEqualTo(now + HOUR);
            assertThat(joined.expected().waitMicros()).isEqualTo(30 * MINUTE);
        });
        assertThat(reply.wakes()).containsExactly(new Batch.Wake(1, now + 30 * MINUTE));
        assertThat(waiting(subject)).isEqualTo(1);
    }

    @Test
    void aCallThatIsCoveredGoesAtOnce() {
        assertThat(one.send(join(1, HOUR, subject, 5)).results().get(0)).isInstanceOf(Batch.Result.Decided.class);
        assertThat(waiting(subject)).isZero();
    }

    @Test
    void aCallThatCannotMakeItIsDeniedAtOnce() {
        one.granted(subject, 10);

        assertThat(denied(one.send(join(1, 29 * MINUTE, subject, 5))).waitMicros())
                .isEqualTo(30 * MINUTE);
        assertThat(waiting(subject)).isZero();
    }

    @Test
    void aNewcomerWaitsBehindAllThatWaits() {
        one.granted(subject, 10);
        one.joined(1, HOUR, subject, 5);

        assertThat(denied(two.send(join(1, 35 * MINUTE, subject, 1))).waitMicros())
                .isEqualTo(36 * MINUTE);
        assertThat(two.joined(2, HOUR, subject, 1).expected().waitMicros()).isEqualTo(36 * MINUTE);
    }

    @Test
    void aCallThatDoesNotWaitNeverOvertakes() {
        one.granted(subject, 10);
        one.joined(1, HOUR, subject, 5);
        tick(18 * MINUTE);
        one.send(beat(subject));

        Verdict.Shortfall denied = denied(two.send(reserve(subject, 1)));

        assertThat(denied.available()).isEqualTo(3 - 5);
        assertThat(denied.waitMicros()).isEqualTo(18 * MINUTE);
        tick(18 * MINUTE);
        assertThat(two.send(reserve(subject, 1)).results().get(0)).isInstanceOf(Batch.Result.Decided.class);
        assertThat(balances(subject)).containsExactly(5L);
    }

    @Test
    void aNewcomerIsNotToldToWaitBehindTheDead() {
        one.granted(subject, 10);
        one.joined(1, 2 * HOUR, subject, 5);

        assertThat(denied(two.send(reserve(subject, 1))).waitMicros()).isEqualTo(36 * MINUTE);
        tick(11 * SECOND);
        assertThat(denied(two.send(reserve(subject, 1))).waitMicros()).isEqualTo(6 * MINUTE - 11 * SECOND);
        assertThat(waiting(subject)).isZero();
    }

    @Test
    void aCallThatWouldNotGoEvenIfNobodyWaitedIsDeniedWithoutALookAtWhoDoes() {
        one.granted(subject, 10);
        one.joined(1, HOUR, subject, 5);
        try (Jedis admin = PatientRedis.connection(RedisForTests.shared().url())) {
            admin.configResetStat();
        }

        Verdict.Shortfall denied = denied(two.send(reserve(subject, 1)));

        assertThat(denied.available()).isEqualTo(0 - 5);
        assertThat(denied.waitMicros()).isEqualTo(36 * MINUTE);
        assertThat(jedis.info("commandstats")).contains("cmdstat_mget").doesNotContain("cmdstat_z");
    }

    @Test
    void aLineThatWasNotNamedIsAskedForWhereWhoStandsThereDecidesAndTheOthersAreDecided() {
        Subject other = subject("other", Limit.requests(1).perHour());
        one.granted(subject, 8);
        one.joined(1, HOUR, subject, 5);
        Batch.Call newcomer = reserve(subject, 1);

        Batch.Reply reply = two.sendOnce(reserve(subject, 3), newcomer, reserve(other, 1));

        assertThat(reply.results().get(0)).isInstanceOf(Batch.Result.Decided.class);
        assertThat(reply.results().get(1)).isEqualTo(new Batch.Result.AskAgain());
        assertThat(reply.results().get(2)).isInstanceOf(Batch.Result.Decided.class);
        assertThat(denied(two.sendOnce(newcomer.namingLines())).waitMicros()).isEqualTo(24 * MINUTE);
    }

    @Test
    void aCallIsAskedForItsLinesOnceHoweverManyOfThemAreOver() {
        Subject other = subject("other", Limit.requests(10).perHour());
        for (Subject each : List.of(subject, other)) {
            one.send(operation(Kind.HOLD, 0, 0, SECOND, each, 0));
        }
        tick(2 * SECOND);
        Batch.Call both =
                new Batch.Call.Reserve(List.of(new Claim(subject, new long[] {1}), new Claim(other, new long[] {1})));
        Batch.Call namesOne = operation(Kind.LEAVE, 1, now, 0, subject, 1);
        assertThat(two.sendOnce(namesOne, both).results().get(1)).isEqualTo(new Batch.Result.AskAgain());

        Batch.Result again = two.sendOnce(both.namingLines()).results().get(0);

        assertThat(again).isInstanceOf(Batch.Result.Decided.class);
    }

    @Test
    void aNewcomerThatAsksForNonsenseIsRefusedWhereOthersWaitToo() {
        Subject both =
                subject("both", Limit.requests(10).perHour(), Limit.tokens(10).perHour());
        one.granted(both, 10, 0);
        one.joined(1, HOUR, both, 5, 0);

        assertThat(two.send(reserve(both, 0, 1L << 53)).results().get(0)).isInstanceOf(Batch.Result.Refused.class);
        assertThat(two.send(join(1, HOUR, both, 0, -1)).results().get(0)).isInstanceOf(Batch.Result.Refused.class);
        assertThat(balances(both)).containsExactly(0L, 10L);
    }

    @Test
    void aValueWhoseLineIsCutIsRefusedByNameAndLeftAsItIs() {
        one.granted(subject, 8);
        one.joined(1, HOUR, subject, 5);
        byte[] key = subject.key().getBytes(StandardCharsets.UTF_8);
        byte[] value = jedis.get(key);
        for (int length = 0; length < value.length; length++) {
            byte[] cut = Arrays.copyOf(value, length);
            jedis.set(key, cut);
            for (Batch.Call call : List.of(beat(subject), reserve(subject, 1).namingLines())) {
                Batch.Result result = one.sendOnce(call).results().get(0);

                assertThat(result)
                        .as("%s, cut to %d of %d bytes", call, length, value.length)
                        .isInstanceOf(Batch.Result.Refused.class)
                        .asString()
                        .contains("damaged");
                assertThat(jedis.get(key)).isEqualTo(cut);
            }
        }
    }

    @Test
    void aLineWhoseTurnEndsElsewhereIsRefusedByNameAndKeepsItsHold() {
        one.granted(subject, 8);
        one.joined(1, HOUR, subject, 5);
        one.send(operation(Kind.HOLD, 0, 0, MINUTE, subject, 0));
        byte[] key = subject.key().getBytes(StandardCharsets.UTF_8);
        byte[] value = jedis.get(key);
        int member = 33 + 10;
        int afterIt = 7 + 1;
        value[value.length - afterIt - member - 1]++;
        jedis.set(key, value);

        Batch.Result result = one.sendOnce(beat(subject)).results().get(0);

        assertThat(result).isInstanceOf(Batch.Result.Refused.class).asString().contains("damaged");
        assertThat(jedis.get(key)).isEqualTo(value);
    }

    // ------------------------------------------------------------------------------------------------------ asking

    @Test
    void aCallThatAsksAtItsTurnIsLetGoAndLeavesTheLine() {
        one.granted(subject, 10);
        Batch.Result.Joined joined = one.joined(1, HOUR, subject, 5);
        tick(30 * MINUTE);

        one.let(ask(1, joined, subject, 5));

        assertThat(balances(subject)).containsExactly(0L);
        assertThat(waiting(subject)).isZero();
        assertThat(jedis.exists(subject.key() + ":line")).isFalse();
    }

    @Test
    void aCallThatAsksTooEarlyStaysAndHearsWhen() {
        one.granted(subject, 10);
        Batch.Result.Joined joined = one.joined(1, HOUR, subject, 5);
        tick(29 * MINUTE);

        Batch.Reply reply = one.send(ask(1, joined, subject, 5));

        assertThat(reply.results()).containsExactly(new Batch.Result.WaitsOn());
        assertThat(reply.wakes()).containsExactly(new Batch.Wake(1, now + MINUTE));
    }

    @Test
    void callsAreLetGoInTheOrderInWhichTheyAsked() {
        one.granted(subject, 10);
        Batch.Result.Joined first = one.joined(1, 2 * HOUR, subject, 8);
        Batch.Result.Joined second = two.joined(1, 2 * HOUR, subject, 1);
        tick(30 * MINUTE);

        assertThat(two.send(ask(1, second, subject, 1)).results()).containsExactly(new Batch.Result.WaitsOn());
        tick(24 * MINUTE);
        assertThat(two.send(ask(1, second, subject, 1)).results()).containsExactly(new Batch.Result.WaitsOn());
        one.granted(ask(1, first, subject, 8));
        tick(6 * MINUTE);
        two.granted(ask(1, second, subject, 1));

        assertThat(waiting(subject)).isZero();
    }

    @Test
    void theNextInLineIsToldInItsProcess() throws Exception {
        listen(two);
        one.granted(subject, 10);
        Batch.Result.Joined first = one.joined(1, 2 * HOUR, subject, 5);
        assertThat(two.send(join(7, 2 * HOUR, subject, 2)).wakes()).isEmpty();
        tick(30 * MINUTE);

        assertThat(one.let(ask(1, first, subject, 5)).wakes()).isEmpty();

        assertThat(told.poll(10, TimeUnit.SECONDS)).isEqualTo("7 " + (now + 12 * MINUTE));
    }

    @Test
    void aRefundBringsTheTurnForward() throws Exception {
        listen(two);
        Charge charge = one.granted(subject, 10).charges().get(0);
        Batch.Result.Joined joined = two.joined(7, 2 * HOUR, subject, 5);

        one.send(new Batch.Call.Settle(new Settled(charge, new long[] {4})));

        assertThat(told.poll(10, TimeUnit.SECONDS)).isEqualTo("7 " + now);
        two.let(ask(7, joined, subject, 5));
        assertThat(balances(subject)).containsExactly(1L);
    }

    @Test
    void aCallThatWaitsForSomethingElseLetsTheNextGo() {
        Subject other = subject("other", Limit.requests(1).perHour());
        one.granted(subject, 10);
        one.granted(other, 1);
        Batch.Result.Joined both =
                one.joined(1, 2 * HOUR, new Claim(subject, new long[] {2}), new Claim(other, new long[] {1}));
        Batch.Result.Joined second = two.joined(1, 2 * HOUR, subject, 1);
        tick(18 * MINUTE);

        Batch.Reply asked = one.send(new Batch.Call.Reserve(
                List.of(new Claim(subject, new long[] {2}), new Claim(other, new long[] {1})),
                new Batch.LineOperation(Kind.ASK, 1, both.place(), 0)));
        assertThat(asked.results()).containsExactly(new Batch.Result.WaitsOn());
        two.let(ask(1, second, subject, 1));

        // What the first waits for is left untouched.
        assertThat(balances(subject)).containsExactly(2L);
        one.send(beat(subject));
        assertThat(denied(two.send(reserve(subject, 1))).available()).isZero();
    }

    @Test
    void anOverrunPutsTheTurnBackToTheFirst() {
        Subject other = subject("other", Limit.requests(1).perHour());
        Charge charge = one.granted(subject, 8).charges().get(0);
        one.granted(other, 1);
        Claim[] claims = {new Claim(subject, new long[] {2}), new Claim(other, new long[] {1})};
        Batch.Result.Joined both = one.joined(1, 2 * HOUR, claims);
        Batch.LineOperation ask = new Batch.LineOperation(Kind.ASK, 1, both.place(), 0);
        one.send(new Batch.Call.Reserve(List.of(claims), ask));
        Batch.Result.Joined second = two.joined(1, 2 * HOUR, subject, 1);

        Batch.Reply settled = one.send(new Batch.Call.Settle(new Settled(charge, new long[] {9})));

        assertThat(settled.wakes()).containsExactly(new Batch.Wake(1, now + 6 * MINUTE));
        tick(6 * MINUTE);
        assertThat(two.send(ask(1, second, subject, 1)).results()).containsExactly(new Batch.Result.WaitsOn());
        one.send(new Batch.Call.Reserve(List.of(claims), ask));
        tick(6 * MINUTE);
        two.let(ask(1, second, subject, 1));
    }

    @Test
    void aCallStandsAtTheSamePlaceInAllItsLines() {
        Subject other = subject("other", Limit.requests(1).perHour());
        one.granted(subject, 10);
        one.granted(other, 1);
        one.joined(1, HOUR, subject, 1);
        one.joined(2, HOUR, subject, 1);

        Batch.Result.Joined both =
                two.joined(1, 2 * HOUR, new Claim(other, new long[] {1}), new Claim(subject, new long[] {1}));

        assertThat(both.place()).isEqualTo(now + 2);
        assertThat(jedis.zrangeWithScores(other.key() + ":line", 0, -1))
                .anySatisfy(member -> assertThat(member.getScore()).isEqualTo((double) both.place()));
    }

    @Test
    void aCallAboveCapacityIsToldOnceThatItsLineCoversIt() {
        Subject other = subject("other", Limit.requests(1).perHour());
        one.granted(other, 1);
        Claim[] claims = {new Claim(subject, new long[] {15}), new Claim(other, new long[] {1})};
        Batch.Result.Joined both = one.joined(1, 2 * HOUR, claims);
        Batch.Call ask = new Batch.Call.Reserve(List.of(claims), new Batch.LineOperation(Kind.ASK, 1, both.place(), 0));

        Batch.Reply asked = one.send(ask);

        assertThat(asked.results()).containsExactly(new Batch.Result.WaitsOn());
        assertThat(asked.wakes()).containsExactly(new Batch.Wake(1, now + HOUR));
        tick(HOUR);
        one.let(ask);
        assertThat(balances(subject)).containsExactly(-5L);
    }

    @Test
    void aDebtOfALimitThatACallAsksNothingOfDoesNotHaveItAskAgainAndAgain() {
        Subject two =
                subject("two", Limit.requests(10).perHour(), Limit.tokens(10).perHour());
        Subject other = subject("other", Limit.requests(1).perHour());
        Charge charge = one.granted(two, 1, 10).charges().get(0);
        one.send(new Batch.Call.Settle(new Settled(charge, new long[] {1, 20})));
        one.granted(other, 1);
        Claim[] claims = {new Claim(two, new long[] {1, 0}), new Claim(other, new long[] {1})};
        Batch.Result.Joined both = one.joined(1, 2 * HOUR, claims);
        Batch.Call ask = new Batch.Call.Reserve(List.of(claims), new Batch.LineOperation(Kind.ASK, 1, both.place(), 0));

        assertThat(one.send(ask).wakes()).containsExactly(new Batch.Wake(1, now + HOUR));

        tick(HOUR);
        one.let(ask);
    }

    @Test
    void aCallThatCannotBeCoveredBeforeOthersLeaveIsNotToldToAsk() {
        Subject other = subject("other", Limit.requests(1).perHour());
        one.granted(other, 1);
        Claim[] claims = {new Claim(subject, new long[] {10}), new Claim(other, new long[] {1})};
        Batch.Result.Joined both = one.joined(1, 2 * HOUR, claims);
        one.send(new Batch.Call.Reserve(List.of(claims), new Batch.LineOperation(Kind.ASK, 1, both.place(), 0)));

        Batch.Reply joins = one.send(join(2, 2 * HOUR, subject, 1));
        assertThat(joins.results().get(0)).isInstanceOf(Batch.Result.Joined.class);
        assertThat(joins.wakes()).isEmpty();

        Batch.Reply left = one.send(
                new Batch.Call.Reserve(List.of(claims), new Batch.LineOperation(Kind.LEAVE, 1, both.place(), 0)));
        assertThat(left.wakes()).containsExactly(new Batch.Wake(2, now));
    }

    @Test
    @Tag("fault-28")
    void aLargeCallAmongEndlessSmallOnesGoesWithinTheWaitThatItWasTold() {
        Subject minutely = subject("m", Limit.requests(10).perMinute());
        one.granted(minutely, 10);
        Batch.Result.Joined large = two.joined(1, HOUR, minutely, 10);
        assertThat(large.expected().waitMicros()).isEqualTo(MINUTE);

        List<Batch.Call> small = new ArrayList<>();
        for (long waited = 0; waited < MINUTE; waited += 2 * SECOND) {
            long number = small.size() + 1L;
            small.add(ask(number, one.joined(number, HOUR, minutely, 1), minutely, 1));
            for (Batch.Call each : small) {
                assertThat(one.send(each).results()).containsExactly(new Batch.Result.WaitsOn());
            }
            tick(2 * SECOND);
            one.send(beat(minutely));
            two.send(beat(minutely));
        }

        two.let(ask(1, large, minutely, 10));
    }

    // ----------------------------------------------------------------------------------------------------- looking

    @Test
    void whoLooksSeesHowLongANewcomerWouldWaitBehindAllThatWaits() {
        one.granted(subject, 8);
        one.joined(1, 2 * HOUR, subject, 5);
        two.joined(1, 2 * HOUR, subject, 4);

        assertThat(newcomerWaits(subject, 1)).containsExactly((5 + 4 + 1 - 2) * 6 * MINUTE);
        assertThat(denied(one.send(reserve(subject, 1))).waitMicros()).isEqualTo((5 + 4 + 1 - 2) * 6 * MINUTE);
        assertThat(newcomerWaits(subject, 3)).containsExactly((5 + 4 + 3 - 2) * 6 * MINUTE);
        assertThat(waiting(subject)).isEqualTo(2);
        assertThat(balances(subject)).containsExactly(2L);
    }

    @Test
    void aNewcomerThatIsCoveredWaitsForNothing() {
        one.granted(subject, 8);

        assertThat(newcomerWaits(subject, 2)).containsExactly(0L);
        assertThat(newcomerWaits(subject, 3)).containsExactly(6 * MINUTE);
        assertThat(newcomerWaits(subject, 99)).containsExactly(48 * MINUTE);
        one.joined(1, HOUR, subject, 3);
        tick(12 * MINUTE);
        assertThat(newcomerWaits(subject, 1)).containsExactly(0L);
    }

    @Test
    void eachLimitOfEachSubjectTellsANewcomersWait() {
        Subject both = subject(
                "both", Limit.requests(10).perHour(), Limit.tokens(60).perHour().fixedWindow());
        one.granted(both, 10, 60);
        one.granted(subject, 10);

        assertThat(look(new Claim(both, new long[] {1, 1}), new Claim(subject, new long[] {2})))
                .extracting(standings ->
                        standings.stream().map(Standing::newcomerWaitMicros).toList())
                .containsExactly(List.of(6 * MINUTE, HOUR), List.of(12 * MINUTE));
    }

    @Test
    void aLimitThatANewcomerAsksNothingOfDoesNotKeepIt() {
        Subject both =
                subject("both", Limit.requests(10).perHour(), Limit.tokens(60).perHour());
        one.granted(both, 0, 60);
        one.joined(1, HOUR, both, 0, 30);

        assertThat(newcomerWaits(both, 1, 0)).containsExactly(0L, 0L);
    }

    @Test
    void whoLooksAfterTheClockWasSetBackSeesAHoldAsLongAsItWas() {
        one.send(operation(Kind.HOLD, 0, 0, 10 * MINUTE, subject, 0));

        tick(-5 * HOUR);

        assertThat(newcomerWaits(subject, 1)).containsExactly(10 * MINUTE);
    }

    @Test
    void aNewcomerWaitsForTheEndOfAHold() {
        one.granted(subject, 4);
        one.send(operation(Kind.HOLD, 0, 0, 10 * MINUTE, subject, 0));

        assertThat(newcomerWaits(subject, 1)).containsExactly(10 * MINUTE);
        assertThat(newcomerWaits(subject, 8)).containsExactly(12 * MINUTE);
        tick(10 * MINUTE);
        assertThat(newcomerWaits(subject, 1)).containsExactly(0L);
    }

    // ------------------------------------------------------------------------------------------------- corrections

    @Test
    void aBalanceAboveItsCorrectionIsBroughtDownToItAndNeverRaised() {
        Subject both = subject(
                "both",
                Limit.requests(10).perHour(),
                Limit.tokens(999_999_937).perDay().tokenBucket());
        one.granted(both, 2, 0);

        assertThat(one.send(correction(both, 0, 5)).results()).containsExactly(new Batch.Result.Corrected());
        assertThat(one.send(correction(both, 0, 5)).results()).containsExactly(new Batch.Result.Done());
        assertThat(one.send(correction(both, 0, 9)).results()).containsExactly(new Batch.Result.Done());
        assertThat(one.send(correction(both, 1, 7)).results()).containsExactly(new Batch.Result.Corrected());

        assertThat(balances(both)).containsExactly(5L, 7L);
        assertThat(denied(one.send(reserve(both, 6, 0))).waitMicros()).isEqualTo(6 * MINUTE);
    }

    @Test
    void aCorrectionNeverForgivesADebt() {
        Charge charge = one.granted(subject, 10).charges().get(0);
        one.send(new Batch.Call.Settle(new Settled(charge, new long[] {13})));

        assertThat(one.send(correction(subject, 0, 0)).results()).containsExactly(new Batch.Result.Done());

        assertThat(balances(subject)).containsExactly(-3L);
    }

    @Test
    void aWindowIsNotCorrectedAsNothingComesBackToIt() {
        Subject window = subject("window", Limit.requests(10).perHour().fixedWindow());

        assertThat(one.send(correction(window, 0, 5)).results()).containsExactly(new Batch.Result.Done());

        assertThat(balances(window)).containsExactly(10L);
    }

    @Test
    void aCorrectionThatMakesNoSenseIsRefusedAlone() {
        Batch.Reply reply = one.send(reserve(subject, 1), correction(subject, 0, 1L << 53));

        assertThat(reply.results().get(0)).isInstanceOf(Batch.Result.Decided.class);
        assertThat(reply.results().get(1)).isInstanceOf(Batch.Result.Refused.class);
        assertThat(one.send(correction(subject, 0, -1)).results()).containsExactly(new Batch.Result.Done());
        assertThat(balances(subject)).containsExactly(9L);
    }

    @Test
    void aCorrectionPutsTheTurnBackToTheFirst() {
        Subject other = subject("other", Limit.requests(1).perHour());
        one.granted(subject, 8);
        one.granted(other, 1);
        Claim[] claims = {new Claim(subject, new long[] {2}), new Claim(other, new long[] {1})};
        Batch.Result.Joined both = one.joined(1, 2 * HOUR, claims);
        one.send(new Batch.Call.Reserve(List.of(claims), new Batch.LineOperation(Kind.ASK, 1, both.place(), 0)));
        Batch.Result.Joined second = two.joined(1, 2 * HOUR, subject, 1);

        Batch.Reply corrected = one.send(correction(subject, 0, 1));

        assertThat(corrected.wakes()).containsExactly(new Batch.Wake(1, now + 6 * MINUTE));
        tick(6 * MINUTE);
        assertThat(two.send(ask(1, second, subject, 1)).results()).containsExactly(new Batch.Result.WaitsOn());
    }

    // ----------------------------------------------------------------------------------------------------- leaving

    @Test
    void aCallThatLeavesChangesNobodysOrderAndChargesNothing() {
        one.granted(subject, 10);
        Batch.Result.Joined first = one.joined(1, 2 * HOUR, subject, 5);
        Batch.Result.Joined second = one.joined(2, 2 * HOUR, subject, 1);

        Batch.Reply reply = one.send(operation(Kind.LEAVE, 1, first.place(), 0, subject, 5));

        assertThat(reply.results()).containsExactly(new Batch.Result.Done());
        assertThat(reply.wakes()).containsExactly(new Batch.Wake(2, now + 6 * MINUTE));
        assertThat(one.send(operation(Kind.LEAVE, 1, first.place(), 0, subject, 5))
                        .results())
                .containsExactly(new Batch.Result.Done());
        tick(6 * MINUTE);
        one.let(ask(2, second, subject, 1));
    }

    @Test
    void aCallThatDoesNotKnowItsPlaceLeavesWhereverItStands() {
        one.granted(subject, 10);
        two.joined(2, 2 * HOUR, subject, 1);
        one.joined(1, 2 * HOUR, subject, 1);
        one.joined(2, 2 * HOUR, subject, 1);
        Batch.Result.Joined last = one.joined(3, 2 * HOUR, subject, 1);

        one.send(operation(Kind.LEAVE, 2, 0, 0, subject, 1));

        assertThat(waiting(subject)).isEqualTo(3);
        one.send(operation(Kind.LEAVE, 1, 0, 0, subject, 1));
        two.send(operation(Kind.LEAVE, 2, 0, 0, subject, 1));
        tick(6 * MINUTE);
        one.let(ask(3, last, subject, 1));
    }

    @Test
    void aCancelledBatchHasNotJoined() {
        one.granted(subject, 10);
        Batch batch = one.batch(join(1, HOUR, subject, 5));
        one.sendRaw(Batch.Mode.RUN, batch);
        assertThat(waiting(subject)).isEqualTo(1);

        Batch.Reply cancelled = one.sendRaw(Batch.Mode.CANCEL, batch);

        assertThat(cancelled.status()).isEqualTo(Batch.Status.CANCELLED_AFTER_IT_RAN);
        assertThat(waiting(subject)).isZero();
    }

    @Test
    void whatWasLetGoBesideACallThatJoinedIsGivenBackWithItsBatch() {
        Subject other = subject("other", Limit.requests(7).perHour());
        one.granted(subject, 10);
        Batch batch = one.batch(join(1, HOUR, subject, 5), reserve(other, 2));
        one.sendRaw(Batch.Mode.RUN, batch);

        one.sendRaw(Batch.Mode.CANCEL, batch);

        assertThat(waiting(subject)).isZero();
        assertThat(balances(other)).containsExactly(7L);
    }

    @Test
    void whatWasLetGoBesideADryRunThatWasShortIsGivenBackWithItsBatch() {
        Subject other = subject("other", Limit.requests(7).perHour());
        Subject dry = new Subject(subject.key(), subject.budget().dryRun());
        one.granted(subject, 10);
        Claim[] claims = {new Claim(dry, new long[] {1}), new Claim(other, new long[] {2})};
        Batch batch = one.batch(new Batch.Call.Reserve(List.of(claims)), reserve(other, 3));
        one.sendRaw(Batch.Mode.RUN, batch);
        assertThat(balances(other)).containsExactly(2L);

        one.sendRaw(Batch.Mode.CANCEL, batch);

        assertThat(balances(other)).containsExactly(7L);
        assertThat(balances(subject)).containsExactly(0L);
    }

    @Test
    void aCancelledBatchGivesBackWhereOthersStandInLineByNow() {
        Batch batch = one.batch(reserve(subject, 10));
        one.sendRaw(Batch.Mode.RUN, batch);
        two.joined(1, HOUR, subject, 5);

        Batch.Reply cancelled = one.sendRaw(Batch.Mode.CANCEL, batch);

        assertThat(cancelled.status()).isEqualTo(Batch.Status.CANCELLED_AFTER_IT_RAN);
        assertThat(balances(subject)).containsExactly(10L);
    }

    @Test
    void aCancelledBatchHasNotJoinedBesideADryRun() {
        Subject dry = subject("dry", Limit.requests(10).perHour());
        Claim[] claims = {
            new Claim(subject, new long[] {5}),
            new Claim(new Subject(dry.key(), dry.budget().dryRun()), new long[] {5})
        };
        one.granted(subject, 10);
        Batch batch =
                one.batch(new Batch.Call.Reserve(List.of(claims), new Batch.LineOperation(Kind.JOIN, 1, 0, HOUR)));
        one.sendRaw(Batch.Mode.RUN, batch);
        assertThat(waiting(subject)).isEqualTo(1);

        one.sendRaw(Batch.Mode.CANCEL, batch);

        assertThat(waiting(subject)).isZero();
    }

    @Test
    void aCancelledBatchWhoseSubjectWasSpoiltSinceIsCancelledAllTheSame() {
        Batch batch = one.batch(join(1, HOUR, subject, 5));
        one.granted(subject, 10);
        one.sendRaw(Batch.Mode.RUN, batch);
        jedis.set(subject.key(), "spoilt");

        Batch.Reply cancelled = one.sendRaw(Batch.Mode.CANCEL, batch);

        assertThat(cancelled.status()).isEqualTo(Batch.Status.CANCELLED_AFTER_IT_RAN);
    }

    @Test
    void aCancelledAskIsNeitherChargedNorInLine() {
        one.granted(subject, 10);
        Batch.Result.Joined joined = one.joined(1, 2 * HOUR, subject, 5);
        tick(30 * MINUTE);
        Batch batch = one.batch(ask(1, joined, subject, 5));
        one.sendRaw(Batch.Mode.RUN, batch);

        one.sendRaw(Batch.Mode.CANCEL, batch);
        one.lane.advance(0);

        assertThat(balances(subject)).containsExactly(5L);
        assertThat(one.send(ask(1, joined, subject, 5)).results()).containsExactly(new Batch.Result.Gone());
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 32, 33, 42, 44, 300})
    @Tag("threat-7")
    void whatOthersWroteIntoALineIsDroppedFromIt(int length) {
        one.granted(subject, 10);
        Batch.Result.Joined joined = one.joined(1, HOUR, subject, 5);
        byte[] line = (subject.key() + ":line").getBytes(StandardCharsets.UTF_8);
        byte[] junk = new byte[length];
        Arrays.fill(junk, (byte) 1);
        for (double place : new double[] {1, joined.place(), joined.place() + 1, Double.POSITIVE_INFINITY}) {
            jedis.zadd(line, place, junk);

            assertThat(denied(two.send(join(2, 0, subject, 1))).available()).isEqualTo(-5);
            assertThat(jedis.zscore(line, junk)).isNull();
        }
        tick(30 * MINUTE);
        one.let(ask(1, joined, subject, 5));
        assertThat(balances(subject)).containsExactly(0L);
    }

    @Test
    void whatOthersWroteInThePlaceOfAMemberIsDroppedAtItsTurn() {
        one.granted(subject, 10);
        one.joined(1, HOUR, subject, 5);
        Batch.Result.Joined second = two.joined(1, HOUR, subject, 1);
        String line = subject.key() + ":line";
        double first = second.place() - 1D;
        jedis.zremrangeByScore(line, first, first);
        jedis.zadd(line, 1, "junk");
        one.send(operation(Kind.HOLD, 0, 0, MINUTE, subject, 0));

        assertThat(jedis.zscore(line, "junk")).isNull();
        assertThat(waiting(subject)).isEqualTo(1);
        tick(6 * MINUTE);
        assertThat(two.send(beat(subject)).wakes()).containsExactly(new Batch.Wake(1, now));
        two.let(ask(1, second, subject, 1));
    }

    @Test
    void aCallThatIsGoneStandsAtItsOldPlaceAgain() {
        one.granted(subject, 10);
        Batch.Result.Joined first = one.joined(1, 2 * HOUR, subject, 5);
        Batch.Result.Joined second = two.joined(1, 2 * HOUR, subject, 1);
        jedis.del(subject.key() + ":line");
        assertThat(two.send(ask(1, second, subject, 1)).results()).containsExactly(new Batch.Result.Gone());
        two.send(operation(Kind.JOIN, 1, second.place(), HOUR, subject, 1));

        Batch.Reply again = one.send(operation(Kind.JOIN, 1, first.place(), HOUR, subject, 5));

        assertThat(again.results()).singleElement().isInstanceOf(Batch.Result.Joined.class);
        assertThat(again.wakes()).containsExactly(new Batch.Wake(1, now + 30 * MINUTE));
        assertThat(waiting(subject)).isEqualTo(2);
    }

    @Test
    void aLineThatWasLostHasATtlAgain() {
        one.granted(subject, 10);
        Batch.Result.Joined joined = one.joined(1, 2 * HOUR, subject, 5);
        jedis.del(subject.key() + ":line");

        one.send(operation(Kind.JOIN, 1, joined.place(), HOUR, subject, 5));

        assertThat(jedis.pttl(subject.key() + ":line")).isGreaterThan(HOUR / 1_000);
    }

    @Test
    void aLineInWhichANewcomerOutlivesAllOthersHasATtl() {
        one.granted(subject, 10);
        one.joined(1, 2 * HOUR, subject, 5);
        tick(11 * SECOND);

        two.joined(1, HOUR, subject, 1);

        assertThat(waiting(subject)).isEqualTo(1);
        assertThat(jedis.pttl(subject.key() + ":line")).isGreaterThan(HOUR / 1_000);
    }

    @Test
    void aLineThatWasEmptyDuringAHoldHasATtlAgain() {
        one.granted(subject, 10);
        one.send(operation(Kind.HOLD, 0, 0, 3 * HOUR, subject, 0));
        Batch.Result.Joined first = one.joined(1, 4 * HOUR, subject, 5);
        one.send(operation(Kind.LEAVE, 1, first.place(), 0, subject, 5));

        one.joined(2, 3 * HOUR, subject, 5);

        assertThat(jedis.pttl(subject.key() + ":line")).isGreaterThan(3 * HOUR / 1_000);
    }

    @Test
    void whatACancelMovesIsToldToItsOwnProcessToo() throws Exception {
        listen(one);
        one.granted(subject, 10);
        Batch.Result.Joined first = one.joined(1, 2 * HOUR, subject, 5);
        one.joined(2, 2 * HOUR, subject, 3);
        tick(30 * MINUTE);
        Batch batch = one.batch(ask(1, first, subject, 5));
        one.sendRaw(Batch.Mode.RUN, batch);

        one.sendRaw(Batch.Mode.CANCEL, batch);

        assertThat(told.poll(10, TimeUnit.SECONDS)).isEqualTo("2 " + now);
    }

    @Test
    void callsOfASilentProcessAreDropped() {
        one.granted(subject, 10);
        one.joined(1, 2 * HOUR, subject, 5);
        two.joined(1, 2 * HOUR, subject, 1);
        tick(2 * SECOND);
        two.send(beat(subject));
        assertThat(waiting(subject)).isEqualTo(2);
        tick(2 * SECOND);

        Batch.Reply reply = two.send(beat(subject));

        assertThat(reply.results()).containsExactly(new Batch.Result.Beaten(0, false));
        assertThat(reply.wakes()).containsExactly(new Batch.Wake(1, now + 6 * MINUTE - 4 * SECOND));
        assertThat(waiting(subject)).isEqualTo(1);
    }

    @Test
    void aProcessThatComesBackWhileItsCallsAreDroppedHearsThatItLostSome() {
        one.granted(subject, 10);
        List<Batch.Result.Joined> places = joinedInBatches(one, MORE_THAN_ONE_SWEEP);
        two.joined(1, 400 * HOUR, subject, 1);
        tick(2 * SECOND);
        two.send(beat(subject));
        tick(2 * SECOND);
        assertThat(two.send(beat(subject)).results()).containsExactly(new Batch.Result.Beaten(0, false));
        assertThat(waiting(subject)).isEqualTo(MORE_THAN_ONE_SWEEP - 1_000 + 1);

        assertThat(one.send(beat(subject)).results()).containsExactly(new Batch.Result.Beaten(0, true));

        assertThat(two.send(beat(subject)).results()).containsExactly(new Batch.Result.Beaten(0, false));
        assertThat(waiting(subject)).isEqualTo(MORE_THAN_ONE_SWEEP - 1_000 + 1);
        assertThat(one.send(ask(1, places.get(0), subject, 1)).results()).containsExactly(new Batch.Result.Gone());
        one.send(operation(Kind.JOIN, 1, places.get(0).place(), HOUR, subject, 1));
        assertThat(one.send(beat(subject)).wakes()).containsExactly(new Batch.Wake(1, now + 6 * MINUTE - 4 * SECOND));
    }

    @Test
    void nobodyComesBackUnheardWhereRedisWasSilentWhileCallsWereDropped() {
        one.granted(subject, 10);
        joinedInBatches(one, MORE_THAN_ONE_SWEEP);
        two.joined(1, 400 * HOUR, subject, 1);
        tick(2 * SECOND);
        two.send(beat(subject));
        tick(2 * SECOND);
        two.send(beat(subject));
        tick(5 * SECOND);
        two.send(beat(subject));

        assertThat(one.send(beat(subject)).results()).containsExactly(new Batch.Result.Beaten(0, true));
    }

    @Test
    void nobodyIsDroppedWhereRedisItselfWasSilent() {
        one.granted(subject, 10);
        one.joined(1, 2 * HOUR, subject, 5);
        two.joined(1, 2 * HOUR, subject, 1);
        tick(5 * SECOND);

        one.send(beat(subject));

        assertThat(waiting(subject)).isEqualTo(2);
    }

    @Test
    void aNewcomerDropsTheDeadWhereNobodyElseIsLeft() {
        one.granted(subject, 10);
        one.joined(1, 2 * HOUR, subject, 5);
        tick(6 * MINUTE);

        two.granted(subject, 1);

        assertThat(waiting(subject)).isZero();
    }

    @Test
    void aHeartbeatTellsTheTurnAgain() {
        one.granted(subject, 10);
        one.joined(1, 2 * HOUR, subject, 5);
        long moment = now + 30 * MINUTE;
        tick(SECOND);

        assertThat(one.send(beat(subject)).wakes()).containsExactly(new Batch.Wake(1, moment));
        assertThat(two.send(beat(subject)).wakes()).isEmpty();
    }

    // ------------------------------------------------------------------------------------------------------- holds

    @Test
    void nobodyGoesWhileAHoldLasts() {
        one.granted(subject, 4);
        one.send(operation(Kind.HOLD, 0, 0, MINUTE, subject, 0));

        assertThat(denied(two.send(reserve(subject, 1))).waitMicros()).isEqualTo(MINUTE);
        Batch.Result.Joined joined = two.joined(1, HOUR, subject, 1);
        tick(MINUTE - 1);
        assertThat(two.send(ask(1, joined, subject, 1)).results()).containsExactly(new Batch.Result.WaitsOn());
        tick(1);
        two.let(ask(1, joined, subject, 1));
    }

    @Test
    void aCallThatWaitedForSomethingElseIsToldAgainWhenAHoldEnds() {
        Subject other = subject("other", Limit.requests(1).perHour());
        one.granted(other, 1);
        Claim[] claims = {new Claim(subject, new long[] {2}), new Claim(other, new long[] {1})};
        Batch.Result.Joined both = one.joined(1, 3 * HOUR, claims);
        Batch.Call ask = new Batch.Call.Reserve(List.of(claims), new Batch.LineOperation(Kind.ASK, 1, both.place(), 0));
        one.send(ask);

        Batch.Reply held = one.send(operation(Kind.HOLD, 0, 0, 2 * HOUR, subject, 0));

        assertThat(held.wakes()).containsExactly(new Batch.Wake(1, now + 2 * HOUR));
        tick(HOUR);
        assertThat(one.send(ask).results()).containsExactly(new Batch.Result.WaitsOn());
        tick(HOUR);
        one.let(ask);
    }

    // -------------------------------------------------------------------------------------------------- cool-downs

    /** 10 an hour, and an hour of nothing for who asks more. */
    private final Subject cooling =
            subject("cooling", Limit.requests(10).perHour().coolDown(Duration.ofHours(1)));

    @Test
    void whoAsksMoreThanIsThereBeginsACoolDownInWhichNobodyGoes() {
        one.granted(cooling, 9);

        assertThat(denied(one.send(reserve(cooling, 2)))).satisfies(denied -> {
            assertThat(denied.waitMicros()).isEqualTo(HOUR);
            assertThat(denied.heldMicros()).isEqualTo(HOUR);
        });
        tick(HOUR - 1);
        assertThat(denied(two.send(reserve(cooling, 1))).waitMicros()).isEqualTo(1);
        tick(1);
        two.granted(cooling, 10);
    }

    @Test
    void denialsDuringACoolDownDoNotMakeItLonger() {
        one.granted(cooling, 10);
        denied(one.send(reserve(cooling, 1)));
        tick(59 * MINUTE);

        assertThat(denied(one.send(reserve(cooling, 10))).heldMicros()).isEqualTo(MINUTE);

        tick(MINUTE);
        one.granted(cooling, 1);
    }

    @Test
    void aDenialDuringAHoldBeginsNoCoolDown() {
        one.granted(cooling, 10);
        one.send(operation(Kind.HOLD, 0, 0, MINUTE, cooling, 0));

        assertThat(denied(one.send(reserve(cooling, 5))).heldMicros()).isEqualTo(MINUTE);
    }

    @Test
    void aDenialDuringACoolDownNamesTheLimitThatHasIt() {
        Subject both = subject(
                "both",
                Limit.tokens(100).perMinute(),
                Limit.requests(1).perMinute().coolDown(Duration.ofHours(1)));
        one.granted(both, 1, 1);

        assertThat(denied(one.send(reserve(both, 1, 1))).limit()).isEqualTo(1);
        tick(30 * MINUTE);
        assertThat(denied(one.send(reserve(both, 1, 1))).limit()).isEqualTo(1);
    }

    @Test
    void theLongestOfSeveralCoolDownsLasts() {
        Subject both = subject(
                "both",
                Limit.tokens(1).perMinute().coolDown(Duration.ofHours(2)),
                Limit.requests(1).perMinute().coolDown(Duration.ofHours(1)));
        one.granted(both, 1, 1);

        assertThat(denied(one.send(reserve(both, 1, 1))).heldMicros()).isEqualTo(2 * HOUR);
    }

    @Test
    void aShortageElsewhereBeginsNoCoolDown() {
        Subject both = subject(
                "both",
                Limit.tokens(100).perMinute().coolDown(Duration.ofHours(1)),
                Limit.requests(1).perMinute());
        one.granted(both, 1, 1);

        assertThat(denied(one.send(reserve(both, 1, 1))).heldMicros()).isZero();
    }

    @Test
    void aCallThatMayWaitForTheEndOfACoolDownJoinsAndWhoMayNotIsDenied() {
        one.granted(cooling, 10);

        Batch.Result.Joined joined = one.joined(1, HOUR, cooling, 1);
        assertThat(joined.expected().waitMicros()).isEqualTo(HOUR);
        assertThat(denied(two.send(join(1, HOUR - 1, cooling, 1))).heldMicros()).isEqualTo(HOUR);
        tick(30 * MINUTE);
        assertThat(one.send(ask(1, joined, cooling, 1)).results()).containsExactly(new Batch.Result.WaitsOn());
        tick(30 * MINUTE);
        one.let(ask(1, joined, cooling, 1));
    }

    @Test
    void aNewcomerThatIsShortOnlyOfWhatOthersWaitForBeginsNoCoolDown() {
        one.granted(cooling, 10);
        one.joined(1, 3 * HOUR, cooling, 10);
        tick(HOUR);
        one.send(beat(cooling));

        assertThat(denied(two.send(reserve(cooling, 1))).heldMicros()).isZero();
    }

    @Test
    void whoWaitsInLineBeginsNoCoolDown() {
        one.granted(cooling, 10);
        Batch.Result.Joined joined = one.joined(1, 3 * HOUR, cooling, 10);
        tick(HOUR);
        one.send(new Batch.Call.ByHand(Ledger.Change.CHARGE, new Claim(cooling, new long[] {5})));

        assertThat(one.send(ask(1, joined, cooling, 10)).results()).containsExactly(new Batch.Result.WaitsOn());
        tick(30 * MINUTE);
        one.let(ask(1, joined, cooling, 10));
    }

    @Test
    void aCallThatLeavesAShareBeginsNoCoolDown() {
        one.granted(cooling, 10);

        assertThat(denied(one.send(operation(Kind.LEAVING, 1, 20, HOUR, cooling, 1)))
                        .heldMicros())
                .isZero();
    }

    @Test
    void aCallThatLooksBeginsACoolDownAsItIsDenied() {
        one.granted(cooling, 10);

        assertThat(denied(one.send(operation(Kind.LOOK, 1, 0, 0, cooling, 1))).heldMicros())
                .isEqualTo(HOUR);
        assertThat(denied(two.send(reserve(cooling, 1))).heldMicros()).isEqualTo(HOUR);
    }

    @Test
    void aResetEndsACoolDown() {
        one.granted(cooling, 10);
        denied(one.send(reserve(cooling, 1)));

        one.send(new Batch.Call.ByHand(Ledger.Change.RESET, new Claim(cooling, new long[] {0})));

        one.granted(cooling, 10);
    }

    @Test
    void whoLooksHowALimitStandsBeginsNothingAndSeesForHowLongItWouldWait() {
        one.granted(cooling, 10);

        assertThat(newcomerWaits(cooling, 1)).containsExactly(HOUR);
        tick(6 * MINUTE);
        one.granted(cooling, 1);
        denied(one.send(reserve(cooling, 1)));
        tick(30 * MINUTE);
        assertThat(newcomerWaits(cooling, 1)).containsExactly(30 * MINUTE);
    }

    @Test
    void aCoolDownIsAsLongAsBeforeAfterTheClockWasSetBack() {
        one.granted(cooling, 10);
        denied(one.send(reserve(cooling, 1)));
        tick(10 * MINUTE);
        one.send(new Batch.Call.ByHand(Ledger.Change.CHARGE, new Claim(cooling, new long[] {1})));

        tick(-5 * HOUR);

        assertThat(denied(one.send(reserve(cooling, 1))).heldMicros()).isEqualTo(50 * MINUTE);
    }

    @Test
    void aDeniedCallDuringALongCoolDownIsAnsweredAtOnce() {
        one.granted(cooling, 10);
        denied(one.send(reserve(cooling, 1)));
        tick(30 * MINUTE);

        assertThat(denied(two.sendOnce(reserve(cooling, 1))).heldMicros()).isEqualTo(30 * MINUTE);
    }

    @Test
    void aDryRunCoolsDownForItselfAndKeepsNobody() {
        Subject dry = new Subject(cooling.key(), cooling.budget().dryRun());
        one.granted(dry, 10);

        assertThat(one.granted(dry, 1).dryRuns())
                .singleElement()
                .satisfies(would -> assertThat(would.heldMicros()).isEqualTo(HOUR));
        tick(30 * MINUTE);
        assertThat(one.granted(dry, 1).dryRuns())
                .singleElement()
                .satisfies(would -> assertThat(would.heldMicros()).isEqualTo(30 * MINUTE));
    }

    // --------------------------------------------------------------------------------------------- across slots

    @Test
    void aCallThatLooksLearnsWhatWouldBecomeOfItAndChangesNothing() {
        assertThat(one.send(operation(Kind.LOOK, 0, 0, 0, subject, 10)).results())
                .containsExactly(new Batch.Result.Covered(now));
        one.granted(subject, 10);

        assertThat(denied(one.send(operation(Kind.LOOK, 0, 0, 0, subject, 5))).waitMicros())
                .isEqualTo(30 * MINUTE);
        assertThat(denied(one.send(operation(Kind.LOOK_TO_JOIN, 1, 0, MINUTE, subject, 5)))
                        .waitMicros())
                .isEqualTo(30 * MINUTE);
        Batch.Result joins = one.send(operation(Kind.LOOK_TO_JOIN, 1, 0, HOUR, subject, 5))
                .results()
                .get(0);
        assertThat(((Batch.Result.Joined) joins).place()).isEqualTo(now);
        assertThat(waiting(subject)).isZero();
        assertThat(balances(subject)).containsExactly(0L);
        assertThat(jedis.exists(subject.key() + ":line")).isFalse();
    }

    @Test
    void aPlaceThatIsOfferedIsBehindAllOthers() {
        one.granted(subject, 10);
        Batch.Result.Joined last = one.joined(1, HOUR, subject, 1);

        Batch.Result joins = two.send(operation(Kind.LOOK_TO_JOIN, 1, 0, HOUR, subject, 5))
                .results()
                .get(0);

        assertThat(((Batch.Result.Joined) joins).place()).isEqualTo(last.place() + 1);
    }

    @Test
    void aCallStandsWhereItIsToldToAlthoughItIsCoveredAndGoesOnlyWhenItAsks() {
        Batch.Reply stands = one.send(operation(Kind.STAND, 1, now + 3, HOUR, subject, 5));

        assertThat(stands.results()).containsExactly(new Batch.Result.Stands(now + 3, now + HOUR, true));
        assertThat(stands.wakes()).containsExactly(new Batch.Wake(1, now));
        assertThat(balances(subject)).containsExactly(10L);
        assertThat(one.send(operation(Kind.STAND, 1, now + 3, HOUR, subject, 5)).results())
                .containsExactly(new Batch.Result.Stands(now + 3, now + HOUR, false));
        assertThat(waiting(subject)).isEqualTo(1);
        one.granted(operation(Kind.ASK, 1, now + 3, 0, subject, 5));
        assertThat(waiting(subject)).isZero();
    }

    @Test
    void aCallDoesNotStandWhereAnotherDoes() {
        one.send(operation(Kind.STAND, 1, now + 3, HOUR, subject, 5));

        assertThat(two.send(operation(Kind.STAND, 1, now + 3, HOUR, subject, 5)).results())
                .containsExactly(new Batch.Result.Taken(now + 4));
        assertThat(waiting(subject)).isEqualTo(1);
    }

    @Test
    void aWaiterThatLooksAndIsCoveredLetsTheTurnMoveOnAndMayStillGo() {
        one.send(operation(Kind.STAND, 1, now + 3, HOUR, subject, 5));
        one.send(operation(Kind.STAND, 2, now + 4, HOUR, subject, 5));

        Batch.Reply looks = one.send(operation(Kind.LOOK_IN_LINE, 1, now + 3, 0, subject, 5));

        assertThat(looks.results()).containsExactly(new Batch.Result.Covered(now + 3));
        assertThat(looks.wakes()).containsExactly(new Batch.Wake(2, now));
        one.granted(operation(Kind.ASK, 2, now + 4, 0, subject, 5));
        one.granted(operation(Kind.ASK, 1, now + 3, 0, subject, 5));
    }

    @Test
    void aCancelHasACallThatWasToldToStandLeave() {
        Batch batch = one.batch(operation(Kind.STAND, 1, now + 3, HOUR, subject, 5));
        one.sendRaw(Batch.Mode.RUN, batch);
        assertThat(waiting(subject)).isEqualTo(1);

        one.sendRaw(Batch.Mode.CANCEL, batch);

        assertThat(waiting(subject)).isZero();
    }

    @Test
    void aCancelOfCallsThatLookedGivesBackWhatTheOthersTook() {
        one.granted(subject, 4);
        Batch batch = one.batch(
                operation(Kind.LOOK, 0, 0, 0, subject, 1),
                operation(Kind.STAND, 1, now + 3, HOUR, subject, 5),
                operation(Kind.STAND, 2, now + 3, HOUR, subject, 5),
                operation(Kind.LOOK_TO_JOIN, 1, 0, HOUR, subject, 9),
                reserve(subject("other", Limit.requests(1).perHour()), 1));
        one.sendRaw(Batch.Mode.RUN, batch);
        assertThat(balances(subject("other", Limit.requests(1).perHour()))).containsExactly(0L);

        one.sendRaw(Batch.Mode.CANCEL, batch);

        assertThat(balances(subject("other", Limit.requests(1).perHour()))).containsExactly(1L);
        assertThat(waiting(subject)).isZero();
    }

    // ---------------------------------------------------------------------------------------------- leaving a share

    @Test
    void aCallThatLeavesAShareGoesOnlyWhileThatMuchStaysFree() {
        one.granted(subject, 7);

        assertThat(denied(two.send(operation(Kind.LEAVING, 1, 20, HOUR, subject, 2)))
                        .waitMicros())
                .isEqualTo(6 * MINUTE);
        two.granted(operation(Kind.LEAVING, 2, 20, HOUR, subject, 1));
    }

    @Test
    void aCallThatLeavesAShareGoesOnlyWhileNobodyWaits() {
        one.granted(subject, 5);
        one.joined(1, HOUR, subject, 6);

        assertThat(denied(two.send(operation(Kind.LEAVING, 1, 1, HOUR, subject, 1)))
                        .waitMicros())
                .isPositive();
    }

    // --------------------------------------------------------------------------------------------------- the words

    private final class Peer {
        final Lines lines;
        final Lane lane;

        Peer(String name) {
            this.lines = new Lines(name, prefix + ":turn:");
            this.lane = new Lane(prefix + ":{lane-" + name + "}", 0);
        }

        Batch batch(Batch.Call... calls) {
            Batch batch = new Batch(lines);
            for (Batch.Call call : calls) {
                batch.add(call);
            }
            return batch;
        }

        /** Again where a line was not named. */
        Batch.Reply send(Batch.Call... calls) {
            Batch.Reply reply = sendOnce(calls);
            while (reply.results().get(0) instanceof Batch.Result.AskAgain) {
                reply = sendOnce(
                        Arrays.stream(calls).map(Batch.Call::namingLines).toArray(Batch.Call[]::new));
            }
            return reply;
        }

        Batch.Reply sendOnce(Batch.Call... calls) {
            Batch.Reply reply = sendRaw(Batch.Mode.RUN, batch(calls));
            lane.advance(0);
            return reply;
        }

        Batch.Reply sendRaw(Batch.Mode mode, Batch batch) {
            byte[] request = batch.request(mode, lane.number(), now + SECOND, 60_000, now);
            return batch.read(script.run(
                    redis,
                    batch.keys(lane.key()),
                    request,
                    Duration.ofSeconds(5).toNanos()));
        }

        Verdict.Granted granted(Subject of, long... amounts) {
            return granted(reserve(of, amounts));
        }

        Verdict.Granted granted(Batch.Call call) {
            return grant(send(call));
        }

        Batch.Reply let(Batch.Call call) {
            Batch.Reply reply = send(call);
            grant(reply);
            return reply;
        }

        private Verdict.Granted grant(Batch.Reply reply) {
            assertThat(reply.results().get(0)).isInstanceOf(Batch.Result.Decided.class);
            Verdict verdict = ((Batch.Result.Decided) reply.results().get(0)).verdict();
            assertThat(verdict).isInstanceOf(Verdict.Granted.class);
            return (Verdict.Granted) verdict;
        }

        Batch.Result.Joined joined(long number, long wait, Subject of, long... amounts) {
            return joined(number, wait, new Claim(of, amounts));
        }

        Batch.Result.Joined joined(long number, long wait, Claim... claims) {
            Batch.LineOperation join = new Batch.LineOperation(Kind.JOIN, number, 0, wait);
            Batch.Result result = send(new Batch.Call.Reserve(List.of(claims), join))
                    .results()
                    .get(0);
            assertThat(result).isInstanceOf(Batch.Result.Joined.class);
            return (Batch.Result.Joined) result;
        }
    }

    /** Calls 1, 2 .. of that process, of one each. */
    private List<Batch.Result.Joined> joinedInBatches(Peer process, int calls) {
        List<Batch.Result.Joined> joined = new ArrayList<>();
        for (int first = 1; first <= calls; first += 100) {
            Batch.Call[] batch = LongStream.range(first, Math.min(first + 100, calls + 1))
                    .mapToObj(number -> join(number, 400 * HOUR, subject, 1))
                    .toArray(Batch.Call[]::new);
            process.send(batch).results().forEach(result -> joined.add((Batch.Result.Joined) result));
        }
        return joined;
    }

    private void listen(Peer process) throws InterruptedException {
        BlockingQueue<String> ready = new LinkedBlockingQueue<>();
        ears.add(new Listening(redis, process.lines.ownChannel(), new Listening.Listener() {
            @Override
            public void onMessage(String message) {
                told.add(message);
            }

            @Override
            public void onListening() {
                ready.add("now");
            }

            @Override
            public void onForbidden(String why) {
                throw new IllegalStateException(why);
            }
        }));
        assertThat(ready.poll(10, TimeUnit.SECONDS)).isEqualTo("now");
    }

    private void tick(long micros) {
        now += micros;
        jedis.set(prefix + ":time", Long.toString(now));
    }

    private Subject subject(String name, Limit... limits) {
        Budget budget = Budget.named(name);
        for (Limit limit : limits) {
            budget = budget.limit(limit);
        }
        return new Subject(prefix + ":{x}:" + name, budget);
    }

    private static Batch.Call reserve(Subject subject, long... amounts) {
        return new Batch.Call.Reserve(List.of(new Claim(subject, amounts)));
    }

    private static Batch.Call join(long number, long wait, Subject subject, long... amounts) {
        return operation(Kind.JOIN, number, 0, wait, subject, amounts);
    }

    private static Batch.Call ask(long number, Batch.Result.Joined joined, Subject subject, long... amounts) {
        return operation(Kind.ASK, number, joined.place(), 0, subject, amounts);
    }

    private static Batch.Call correction(Subject subject, int limit, long atMost) {
        return new Batch.Call.Correct(new Correction(subject, limit, atMost));
    }

    private static Batch.Call beat(Subject subject) {
        return operation(Kind.BEAT, 0, 0, 0, subject, 0);
    }

    private static Batch.Call operation(
            Kind kind, long number, long place, long wait, Subject subject, long... amounts) {
        return new Batch.Call.Reserve(
                List.of(new Claim(subject, amounts)), new Batch.LineOperation(kind, number, place, wait));
    }

    private static Verdict.Shortfall denied(Batch.Reply reply) {
        assertThat(reply.results().get(0)).isInstanceOf(Batch.Result.Decided.class);
        Verdict verdict = ((Batch.Result.Decided) reply.results().get(0)).verdict();
        assertThat(verdict).isInstanceOf(Verdict.Shortfall.class);
        return (Verdict.Shortfall) verdict;
    }

    private List<Standing> look(Subject of) {
        return look(new Claim(of, new long[of.limits().size()])).get(0);
    }

    private List<List<Standing>> look(Claim... newcomer) {
        Batch.Result result;
        do {
            Batch batch = one.batch(new Batch.Call.Look(List.of(newcomer)));
            result = one.sendRaw(Batch.Mode.LOOK, batch).results().get(0);
        } while (result instanceof Batch.Result.AskAgain);
        return ((Batch.Result.Looked) result).standings();
    }

    private List<Long> newcomerWaits(Subject of, long... amounts) {
        return look(new Claim(of, amounts)).get(0).stream()
                .map(Standing::newcomerWaitMicros)
                .toList();
    }

    private long waiting(Subject of) {
        return look(of).get(0).waiting();
    }

    private List<Long> balances(Subject of) {
        return look(of).stream().map(Standing::balance).toList();
    }
}
