package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.Budget;
import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.Logged;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Patience;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.redis.Batch.LineOperation;
import io.costguard.redis.Batch.LineOperation.Kind;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;

/** When calls that wait ask, what they ask, and what becomes of them: in a time that the test lets pass. */
class WaitersTest {
    private static final Duration TIMEOUT = Duration.ofMillis(500);
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final long SECOND = Duration.ofSeconds(1).toNanos();
    private static final long TENTH = SECOND / 10;

    private final Claim claim = claim("a", false);
    private final List<Timer> timers = new ArrayList<>();
    private final List<Asked> asked = new ArrayList<>();
    private final List<Verdict.Granted> givenBack = new ArrayList<>();
    private final List<Listening.Listener> listeners = new ArrayList<>();
    private int listening;
    private long nowNanos;
    private final Lines lines = new Lines("process-1234", "p:turn:");
    private final ServerClock clock = new ServerClock(() -> nowNanos, nanos -> {
        Timer timer = new Timer(nowNanos + nanos, new CompletableFuture<>());
        timers.add(timer);
        return timer.ends;
    });
    private final Waiters waiters = new Waiters(new Asker(), lines, clock, TIMEOUT.toNanos());

    private record Timer(long atNanos, CompletableFuture<Void> ends) {}

    private record Asked(Batch.Call.Reserve call, CompletableFuture<Batch.Result> answer) {
        Kind kind() {
            return operation().kind();
        }

        LineOperation operation() {
            return Optional.ofNullable(call.operation()).orElseThrow();
        }

        void answered(Batch.Result result) {
            answer.complete(result);
        }

        void failed() {
            answer.completeExceptionally(new GuardUnavailableException("nobody is there"));
        }
    }

    private final class Asker implements Waiters.Asker {
        @Override
        public CompletableFuture<Batch.Result> ask(Batch.Call.Reserve call) {
            asked.add(new Asked(call, new CompletableFuture<>()));
            return last().answer;
        }

        @Override
        public void giveBack(Verdict.Granted granted) {
            givenBack.add(granted);
        }

        @Override
        public Runnable listen(Listening.Listener listener) {
            listeners.add(listener);
            listening++;
            return () -> listening--;
        }
    }

    // ---------------------------------------------------------------------------------------------------- in line

    @Test
    void aCallThatStandsInLineAsksNothingUntilItIsTold() {
        Verdict.Waiting waiting = joined(claim);

        pass(SECOND - 1);

        assertThat(asked).isEmpty();
        assertThat(waiting.place().end()).isNotDone();
        assertThat(waiters.count()).isEqualTo(1);
    }

    @Test
    void aCallThatIsToldAsksAtItsPlaceWithThePatienceThatIsLeft() {
        joined(claim);
        pass(TENTH);

        told(0);

        assertThat(last().call().claims()).containsExactly(claim);
        assertThat(last().operation())
                .isEqualTo(new LineOperation(Kind.ASK, 1, 7, PATIENCE.toNanos() / 1_000 - 100_000));
    }

    @Test
    void aCallAsksWhenItWasToldToAndNotBefore() {
        joined(claim);
        told(300);

        pass(299_999);
        assertThat(asked).isEmpty();

        pass(1);
        assertThat(last().kind()).isEqualTo(Kind.ASK);
    }

    @Test
    void ofTwoTimesTheEarlierCounts() {
        joined(claim);
        told(300);
        told(200);
        told(250);

        pass(200_000);
        assertThat(asked).hasSize(1);
        last().answered(new Batch.Result.WaitsOn());

        pass(100_000);
        assertThat(asked).hasSize(1);
    }

    @Test
    void theTimeThatItIsToldIsTheServers() {
        clock.told(1_000_000, nowNanos);
        joined(claim);

        waiters.told(List.of(new Batch.Wake(1, 1_000_400), new Batch.Wake(99, 0)), clock);

        pass(399_999);
        assertThat(asked).isEmpty();
        pass(1);
        assertThat(asked).hasSize(1);
    }

    @Test
    void aTurnThatIsToldOnTheChannelIsHeard() {
        clock.told(1_000_000, nowNanos);
        joined(claim);

        listeners.get(0).onMessage("1 1000400");
        listeners.get(0).onMessage("1 0 what is this");
        listeners.get(0).onMessage("-1 0");

        pass(399_999);
        assertThat(asked).isEmpty();
        pass(1);
        assertThat(asked).hasSize(1);
    }

    @Test
    void whoIsToldWhileItAsksAsksOnceMoreWhenItIsAnswered() {
        joined(claim);
        told(0);
        told(0);
        assertThat(asked).hasSize(1);

        last().answered(new Batch.Result.WaitsOn());

        assertThat(asked).hasSize(2);
        assertThat(last().kind()).isEqualTo(Kind.ASK);
    }

    @Test
    void aCallThatIsGrantedEndsAndIsForgotten() {
        Verdict.Waiting waiting = joined(claim);
        told(0);

        last().answered(granted(claim));

        assertThat(waiting.place().end()).isCompletedWithValueMatching(Verdict.Granted.class::isInstance);
        assertThat(waiters.count()).isZero();
        assertThat(waiters.areGone()).isTrue();
        assertThat(givenBack).isEmpty();
    }

    @Test
    void noTimerIsKeptForACallThatHasEnded() {
        joined(claim);
        told(5_000_000);
        told(0);
        last().answered(granted(claim));

        assertThat(timers.stream().filter(timer -> !timer.ends.isDone()))
                .extracting(Timer::atNanos)
                .containsExactly(SECOND);
    }

    @Test
    void whoeverCannotAskTriesAgainALittleLater() {
        joined(claim);
        told(0);
        last().failed();

        pass(TENTH - 1);
        assertThat(asked).hasSize(1);
        pass(1);

        assertThat(asked).hasSize(2);
        assertThat(last().kind()).isEqualTo(Kind.ASK);
    }

    @Test
    void aTurnThatIsToldMeanwhileComesBeforeAnotherTry() {
        joined(claim);
        told(0);
        told(30_000);
        last().failed();

        pass(30_000_000);

        assertThat(asked).hasSize(2);
    }

    @Test
    void aCallThatRedisDoesNotKnowAnyMoreSaysSoAndStandsAtItsPlaceAgain() {
        Verdict.Waiting waiting = joined(claim);
        List<String> told = new ArrayList<>();
        waiting.place().onRegressed(() -> told.add("regressed"));
        told(0);

        last().answered(new Batch.Result.Gone());

        assertThat(told).containsExactly("regressed");
        assertThat(last().operation()).isEqualTo(new LineOperation(Kind.JOIN, 1, 7, PATIENCE.toNanos() / 1_000));
        last().answered(stands(claim, 8, false));
        told(0);
        assertThat(last().operation().place()).isEqualTo(8);
    }

    @Test
    void whoeverStandsInALostLineAgainAndIsTheFirstHasTheOthersAsk() {
        joined(claim);
        joined(claim);
        told(0);
        last().answered(new Batch.Result.Gone());

        last().answered(stands(claim, 7, true));

        assertThat(asked).extracting(each -> each.operation().number()).containsExactly(1L, 1L, 2L, 1L);
    }

    @Test
    void whereOneWasFirstThatShouldNotBeAllOthersOfThatLineAskToo() {
        joined(claim);
        Claim dry = claim("dry", true);
        Claim other = claim("b", false);
        joined(List.of(other, dry));

        joined(stands(claim, 9, true), List.of(claim, dry));

        assertThat(asked).extracting(each -> each.operation().number()).containsExactly(1L);
    }

    // ------------------------------------------------------------------------------------------------- out of line

    @Test
    void whoeverLeavesTellsRedisAndIsGoneOnceThatIsKnown() {
        Verdict.Waiting waiting = joined(claim);

        waiting.place().leave();

        assertThat(waiting.place().end()).isCancelled();
        assertThat(waiters.count()).isZero();
        assertThat(last().operation()).isEqualTo(new LineOperation(Kind.LEAVE, 1, 7, PATIENCE.toNanos() / 1_000));
        assertThat(waiters.areGone()).isFalse();
        last().answered(new Batch.Result.Done());
        assertThat(waiters.areGone()).isTrue();
    }

    @Test
    void whoeverLeavesTwiceTellsRedisOnce() {
        Verdict.Waiting waiting = joined(claim);
        waiting.place().leave();

        waiting.place().leave();

        assertThat(asked).hasSize(1);
    }

    @Test
    void whateverIsDoneWithACallKeepsNobodyElseOut() throws Exception {
        Verdict.Waiting waiting = joined(claim);
        told(5_000_000);
        elsewhere(() -> told(0));
        last().answered(new Batch.Result.WaitsOn());
        elsewhere(() -> told(0));
        told(0);
        elsewhere(() -> waiting.place().leave());
        waiting.place().leave();
        elsewhere(() -> last().answered(new Batch.Result.WaitsOn()));

        assertThat(asked).extracting(Asked::kind).containsExactly(Kind.ASK, Kind.ASK, Kind.LEAVE);
    }

    @Test
    void whoeverLeavesAsksForNothingElseAnyMore() {
        Verdict.Waiting waiting = joined(claim);
        told(1_000);
        waiting.place().leave();

        pass(SECOND / 2);

        assertThat(asked).hasSize(1);
    }

    @Test
    void whoeverLeavesWhileItAsksDoesSoWhenItIsAnswered() {
        Verdict.Waiting waiting = joined(claim);
        told(0);
        waiting.place().leave();
        assertThat(asked).hasSize(1);
        assertThat(waiters.areGone()).isFalse();

        last().answered(new Batch.Result.WaitsOn());

        assertThat(last().kind()).isEqualTo(Kind.LEAVE);
        last().answered(new Batch.Result.Done());
        assertThat(waiters.areGone()).isTrue();
    }

    @Test
    void whatIsGrantedToWhoeverHasLeftIsGivenBack() {
        Verdict.Waiting waiting = joined(claim);
        told(0);
        waiting.place().leave();

        last().answered(granted(claim));

        assertThat(givenBack).hasSize(1);
        assertThat(waiters.areGone()).isTrue();
        assertThat(asked).hasSize(1);
    }

    @Test
    void whoeverHasLeftAndIsNotKnownAnyMoreStandsNowhereAgain() {
        Verdict.Waiting waiting = joined(claim);
        told(0);
        waiting.place().leave();

        last().answered(new Batch.Result.Gone());

        assertThat(asked).extracting(Asked::kind).containsExactly(Kind.ASK, Kind.LEAVE);
    }

    @Test
    void whoeverCannotLeaveTriesAgainUntilAMinuteAfterItsDeadline() {
        joined(claim).place().leave();
        last().failed();
        pass(TENTH);
        assertThat(asked).extracting(Asked::kind).containsExactly(Kind.LEAVE, Kind.LEAVE);
        assertThat(waiters.areGone()).isFalse();

        nowNanos = PATIENCE.plusMinutes(1).toNanos();
        last().failed();
        assertThat(waiters.areGone()).isFalse();

        pass(TENTH);
        last().failed();
        assertThat(waiters.areGone()).isTrue();
    }

    @Test
    void aCallThatHasWaitedInVainLeavesAndSaysWhatItLacks() {
        Verdict.Waiting waiting = joined(claim);

        passWithoutBeats(PATIENCE.toNanos() - 1);
        assertThat(asked).isEmpty();
        passWithoutBeats(1);

        assertThat(last().operation()).isEqualTo(new LineOperation(Kind.LEAVE, 1, 7, 0));
        assertThat(waiting.place().end()).isNotDone();
        last().answered(new Batch.Result.Done());
        assertThat(waiting.place().end()).isCompletedWithValue(waiting.expected());
        assertThat(waiters.count()).isZero();
    }

    @Test
    void aCallThatAsksAtItsDeadlineMayStillGo() {
        Verdict.Waiting waiting = joined(claim);
        passWithoutBeats(PATIENCE.toNanos() - 1);
        told(0);
        passWithoutBeats(1);
        assertThat(asked).extracting(Asked::kind).containsExactly(Kind.ASK);

        last().answered(granted(claim));

        assertThat(waiting.place().end()).isCompletedWithValueMatching(Verdict.Granted.class::isInstance);
    }

    @Test
    void whoeverIsNotToldInTimeWhatHasBecomeOfItIsToldThat() {
        Verdict.Waiting waiting = joined(claim);
        passWithoutBeats(PATIENCE.toNanos());
        passWithoutBeats(TIMEOUT.toNanos() - 1);
        assertThat(waiting.place().end()).isNotDone();

        passWithoutBeats(1);

        assertThatExceptionOfType(CompletionException.class)
                .isThrownBy(waiting.place().end()::join)
                .withCauseInstanceOf(GuardUnavailableException.class)
                .withMessageContaining("the call waited 20500 ms, and then Redis did not say within 500 ms");
    }

    @Test
    void aCallThatHasEndedDoesNothingAtItsDeadline() {
        Verdict.Waiting waiting = joined(claim);
        told(0);
        last().answered(granted(claim));

        passWithoutBeats(PATIENCE.toNanos());

        assertThat(asked).hasSize(1);
        assertThat(waiting.place().end()).isCompleted();
    }

    @Test
    void aCallThatGaveUpBeforeItHeardThatItJoinedLeaves() {
        waiters.leave(call(List.of(claim)), stands(claim, 12, false));

        assertThat(last().operation()).isEqualTo(new LineOperation(Kind.LEAVE, 1, 12, PATIENCE.toNanos() / 1_000));
    }

    @Test
    void aCallOfWhichNobodyKnowsWhetherItJoinedLeavesWhereverItMayStand() {
        waiters.leaveWhereverItStands(new Batch.Call.Reserve(List.of(claim)));
        waiters.leaveWhereverItStands(waiters.call(List.of(claim), new Patience(5, 20)));
        assertThat(asked).isEmpty();

        waiters.leaveWhereverItStands(call(List.of(claim)));
        waiters.leaveWhereverItStands(waiters.call(List.of(claim), new Patience(5, 0, 3)));

        assertThat(asked).extracting(Asked::kind).containsExactly(Kind.LEAVE, Kind.LEAVE);
        assertThat(last().operation().place()).isZero();
    }

    // -------------------------------------------------------------------------------------- leaving others a share

    @Test
    void aCallThatLeavesAShareAsksAgainWhenThereMayBeEnough() {
        Verdict.Waiting waiting = leavesShare(300_000);
        assertThat(asked).isEmpty();
        assertThat(waiters.count()).isEqualTo(1);

        pass(3 * TENTH - 1);
        assertThat(asked).isEmpty();
        pass(TENTH + 1);

        assertThat(last().operation()).isEqualTo(new LineOperation(Kind.LEAVING, 1, 20, PATIENCE.toNanos() / 1_000));
        last().answered(granted(claim));
        assertThat(waiting.place().end()).isCompleted();
    }

    @Test
    void aCallThatLeavesAShareLooksEachSecondHoweverLongItWillTake() {
        leavesShare(9_000_000);

        pass(9 * TENTH - 1);
        assertThat(asked).isEmpty();
        pass(TENTH + 1);

        assertThat(asked).hasSize(1);
    }

    @Test
    void aCallThatLeavesAShareAndWouldBeTooLateIsDeniedAtOnce() {
        Batch.Call.Reserve call = waiters.call(List.of(claim), new Patience(1_000, 20));

        Verdict.Shortfall tooLate = shortfall(claim, 1_000);
        assertThat(waiters.begins(call, new Batch.Result.Decided(tooLate))).isEqualTo(tooLate);
        assertThat(waiters.begins(call, new Batch.Result.Decided(shortfall(claim, 999))))
                .isInstanceOf(Verdict.Waiting.class);
    }

    @Test
    void aCallThatLeavesAShareLooksLessAndLessOftenWhereNobodyKnowsWhenThereIsEnough() {
        leavesShare(0);
        long[] leastNanos = {TENTH, 2 * TENTH, 4 * TENTH, 8 * TENTH, 9 * TENTH, 9 * TENTH};
        for (int i = 0; i < leastNanos.length; i++) {
            pass(leastNanos[i] - 1);
            assertThat(asked).hasSize(i);
            pass(TENTH + 1);
            assertThat(asked).hasSize(i + 1);
            last().answered(new Batch.Result.Decided(shortfall(claim, 0)));
        }
    }

    @Test
    void aCallThatLeavesAShareAndGivesUpStandsNowhere() {
        Verdict.Waiting waiting = leavesShare(300_000);

        waiting.place().leave();

        assertThat(asked).isEmpty();
        assertThat(waiters.areGone()).isTrue();
        assertThat(waiters.count()).isZero();
    }

    @Test
    void aCallThatLeavesAShareAsksOnceMoreAtItsDeadlineAndIsDeniedByThat() {
        Verdict.Waiting waiting = leavesShare(300_000);
        nowNanos = PATIENCE.toNanos() - SECOND;
        pass(TENTH);
        last().answered(new Batch.Result.Decided(shortfall(claim, 19_000_000)));
        passWithoutBeats(9 * TENTH);
        assertThat(asked).isNotEmpty();

        Verdict.Shortfall why = shortfall(claim, 5);
        last().answered(new Batch.Result.Decided(why));

        assertThat(waiting.place().end()).isCompletedWithValue(why);
        assertThat(waiters.count()).isZero();
    }

    @Test
    void aCallThatLeavesAShareAndCannotAskAtItsDeadlineIsToldSo() {
        Verdict.Waiting waiting = leavesShare(300_000);
        nowNanos = PATIENCE.toNanos();
        pass(0);

        last().failed();

        assertThat(waiting.place().end()).isCompletedExceptionally();
        assertThatExceptionOfType(CompletionException.class)
                .isThrownBy(waiting.place().end()::join)
                .withCauseInstanceOf(GuardUnavailableException.class);
    }

    @Test
    void whatIsDecidedForGoodDoesNotWait() {
        assertThat(waiters.begins(call(List.of(claim)), new Batch.Result.Decided(shortfall(claim, 5))))
                .isNull();
        assertThat(waiters.begins(
                        new Batch.Call.Reserve(List.of(claim)), new Batch.Result.Decided(shortfall(claim, 5))))
                .isNull();
        assertThat(waiters.count()).isZero();
    }

    // ----------------------------------------------------------------------------------------------- the heartbeat

    @Test
    void eachSecondEachLineInWhichSomebodyStandsIsToldThatTheProcessLives() {
        joined(List.of(claim, claim("dry", true)));
        joined(claim);
        joined(claim("b", false));

        for (int i = 0; i < 3; i++) {
            pass(SECOND);
            assertThat(asked).hasSize(2).allSatisfy(each -> {
                assertThat(each.operation()).isEqualTo(new LineOperation(Kind.BEAT, 0, 0, 0));
                assertThat(each.call().claims().get(0).amounts()).containsExactly(0);
            });
            assertThat(asked)
                    .extracting(each -> each.call().claims().get(0).subject().key())
                    .containsExactlyInAnyOrder("{x}:a", "{x}:b");
            answerAll(new Batch.Result.Beaten(0, false));
        }
    }

    @Test
    void nothingBeatsBeforeTheLastBeatIsAnswered() {
        joined(claim);
        pass(SECOND);
        pass(3 * SECOND);
        assertThat(asked).hasSize(1);

        last().failed();
        pass(SECOND);

        assertThat(asked).hasSize(2);
    }

    @Test
    void aBeatThatDidNotReachAllOfALineGoesOnFromThere() {
        joined(claim);
        pass(SECOND);

        last().answered(new Batch.Result.Beaten(40, false));

        assertThat(asked).hasSize(2);
        assertThat(last().operation()).isEqualTo(new LineOperation(Kind.BEAT, 0, 40, 0));
        pass(SECOND);
        assertThat(asked).hasSize(2);
        last().answered(new Batch.Result.Beaten(0, false));
        pass(SECOND);
        assertThat(last().operation().place()).isZero();
    }

    @Test
    void aBeatThatFindsNobodyOfThisProcessHasAllOfThatLineAsk() {
        joined(claim);
        joined(claim("b", false));
        pass(SECOND);
        Asked ofA = asked.stream()
                .filter(each -> each.call().claims().get(0).subject().equals(claim.subject()))
                .findFirst()
                .orElseThrow();

        ofA.answered(new Batch.Result.Beaten(0, true));

        assertThat(last().operation().kind()).isEqualTo(Kind.ASK);
        assertThat(last().operation().number()).isEqualTo(1);
        assertThat(asked).hasSize(3);
    }

    @Test
    void aProcessOfWhichNobodyWaitsHearsForTenSecondsMore() {
        joined(claim);
        assertThat(listening).isEqualTo(1);
        told(0);
        last().answered(granted(claim));

        pass(SECOND);
        for (int i = 0; i < 8; i++) {
            pass(SECOND);
        }
        assertThat(listening).isEqualTo(1);
        pass(SECOND);
        assertThat(listening).isZero();
        assertThat(asked).hasSize(1);

        joined(claim);
        assertThat(listening).isEqualTo(1);
    }

    @Test
    void whoeverWaitsKeepsItHearing() {
        joined(claim);
        told(0);
        last().answered(granted(claim));
        for (int i = 0; i < 9; i++) {
            pass(SECOND);
        }
        joined(claim);

        for (int i = 0; i < 15; i++) {
            pass(SECOND);
            answerAll(new Batch.Result.Beaten(0, false));
        }

        assertThat(listeners).hasSize(1);
        assertThat(listening).isEqualTo(1);
    }

    @Test
    void whoeverBeginsToHearAsksWhatItMissed() {
        joined(claim);

        listeners.get(0).onListening();

        assertThat(last().kind()).isEqualTo(Kind.BEAT);
    }

    @Test
    @ResourceLock(Resources.SYSTEM_ERR)
    void whoeverMayNotHearLooksTenTimesASecondAndSaysSoOnce() {
        joined(claim);
        String logged = Logged.by(() -> {
            listeners.get(0).onForbidden("NOPERM no channel");
            listeners.get(0).onForbidden("NOPERM no channel");
        });
        assertThat(logged).hasLineCount(1).contains("NOPERM no channel", "p:turn:*", "PT0.1S");

        pass(SECOND);
        answerAll(new Batch.Result.Beaten(0, false));
        pass(TENTH);
        assertThat(asked).hasSize(1);

        listeners.get(0).onListening();
        answerAll(new Batch.Result.Beaten(0, false));
        pass(TENTH);
        answerAll(new Batch.Result.Beaten(0, false));
        pass(TENTH);
        assertThat(asked).isEmpty();
    }

    // --------------------------------------------------------------------------------------------------- the end

    @Test
    void whoeverWaitsWhenTheGuardClosesLeavesAndIsToldWhy() {
        Verdict.Waiting early = joined(claim);
        waiters.leave();
        Verdict.Waiting late = joined(claim);

        for (Verdict.Waiting each : List.of(early, late)) {
            assertThatExceptionOfType(CompletionException.class)
                    .isThrownBy(each.place().end()::join)
                    .withMessageContaining("the guard is closed");
        }
        assertThat(asked).extracting(Asked::kind).containsExactly(Kind.LEAVE, Kind.LEAVE);
        assertThat(waiters.count()).isZero();
    }

    @Test
    @ResourceLock(Resources.SYSTEM_ERR)
    void aClosedGuardHearsNothingAndSaysIfSomebodyStillStandsInLine() {
        joined(claim);
        waiters.leave();

        assertThat(Logged.by(waiters::close)).hasLineCount(1).contains("still in line");
        assertThat(listening).isZero();

        last().failed();
        assertThat(waiters.areGone()).isTrue();
        assertThat(Logged.by(waiters::close)).isEmpty();
    }

    @Test
    void aClosedGuardDoesNotBeatAgain() {
        joined(claim);
        waiters.close();

        pass(SECOND);
        answerAll(new Batch.Result.Beaten(0, false));
        pass(9 * SECOND);

        assertThat(asked).isEmpty();
        assertThat(listening).isZero();
    }

    @Test
    void aHoldIsAskedOfAllItsSubjectsForItsTime() {
        Batch.Call.Reserve hold =
                Waiters.hold(List.of(claim.subject(), claim("b", false).subject()), Duration.ofMillis(3));

        assertThat(hold.claims())
                .hasSize(2)
                .allSatisfy(each -> assertThat(each.amounts()).containsExactly(0));
        assertThat(hold.operation()).isEqualTo(new LineOperation(Kind.HOLD, 0, 0, 3_000));
    }

    // ------------------------------------------------------------------------------------------------------------

    private static Claim claim(String name, boolean dryRun) {
        Budget budget = Budget.named(name).limit(Limit.requests(9).perMinute());
        return new Claim(new Subject("{x}:" + name, dryRun ? budget.dryRun() : budget), new long[] {1});
    }

    private static Verdict.Shortfall shortfall(Claim of, long waitMicros) {
        return new Verdict.Shortfall(of, 0, 0, waitMicros, 0, 0);
    }

    private static Batch.Result.Joined stands(Claim of, long place, boolean isFirst) {
        return new Batch.Result.Joined(place, 0, isFirst, shortfall(of, 5));
    }

    private static Batch.Result granted(Claim of) {
        Charge charge = new Charge(of, new long[] {3}, new long[] {8});
        return new Batch.Result.Decided(new Verdict.Granted(List.of(charge), List.of()));
    }

    private Batch.Call.Reserve call(List<Claim> claims) {
        return waiters.call(claims, new Patience(PATIENCE.toNanos() / 1_000, 0));
    }

    private Verdict.Waiting joined(Claim of) {
        return joined(List.of(of));
    }

    private Verdict.Waiting joined(List<Claim> of) {
        return joined(stands(of.get(0), 7, false), of);
    }

    private Verdict.Waiting joined(Batch.Result.Joined joined, List<Claim> of) {
        return (Verdict.Waiting)
                Optional.ofNullable(waiters.begins(call(of), joined)).orElseThrow();
    }

    private Verdict.Waiting leavesShare(long waitMicros) {
        Batch.Call.Reserve call = waiters.call(List.of(claim), new Patience(PATIENCE.toNanos() / 1_000, 20));
        Batch.Result denied = new Batch.Result.Decided(shortfall(claim, waitMicros));
        return (Verdict.Waiting)
                Optional.ofNullable(waiters.begins(call, denied)).orElseThrow();
    }

    private void told(long micros) {
        waiters.askAfter(1, micros);
    }

    private static void elsewhere(Runnable action) throws Exception {
        CompletableFuture.runAsync(action).get(30, TimeUnit.SECONDS);
    }

    private Asked last() {
        return asked.get(asked.size() - 1);
    }

    private void answerAll(Batch.Result result) {
        List<Asked> all = List.copyOf(asked);
        asked.clear();
        all.forEach(each -> each.answered(result));
    }

    /** Lets time pass, and all happen that is to happen until then, in its order. */
    private void pass(long nanos) {
        long untilNanos = nowNanos + nanos;
        while (true) {
            Optional<Timer> next = timers.stream()
                    .filter(timer -> !timer.ends.isDone() && timer.atNanos <= untilNanos)
                    .min(Comparator.comparingLong(Timer::atNanos));
            if (next.isEmpty()) {
                nowNanos = untilNanos;
                return;
            }
            nowNanos = Math.max(nowNanos, next.get().atNanos);
            next.get().ends.complete(null);
        }
    }

    /** Likewise, all beats being answered at once, and forgotten. */
    private void passWithoutBeats(long nanos) {
        long untilNanos = nowNanos + nanos;
        while (nowNanos < untilNanos) {
            pass(Math.min(TENTH, untilNanos - nowNanos));
            for (Asked each : List.copyOf(asked)) {
                if (each.kind() == Kind.BEAT) {
                    asked.remove(each);
                    each.answered(new Batch.Result.Beaten(0, false));
                }
            }
        }
    }
}
