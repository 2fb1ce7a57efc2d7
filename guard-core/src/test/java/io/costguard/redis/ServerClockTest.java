package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Limit;
import io.costguard.Logged;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;

@ResourceLock(Resources.SYSTEM_ERR)
class ServerClockTest {
    private static final long START = 1_760_000_000_000_000L;
    private static final long SECOND = 1_000_000;

    /** Of this machine, and of the server, in microseconds. */
    private long here = 5 * SECOND;

    private long there = START;

    private final ServerClock all = new ServerClock(() -> here * 1_000, nanos -> new CompletableFuture<>());
    private final ServerClock one = all.ofOneServer();
    private final ServerClock other = all.ofOneServer();

    @Test
    void aClockThatGoesOnAsTimeDoesIsNotReported() {
        assertThat(Logged.by(() -> {
                    for (int i = 0; i < 100; i++) {
                        ask(one);
                        pass(SECOND * i);
                    }
                }))
                .isEmpty();
    }

    @Test
    void aClockThatIsSetBackIsReportedOnce() {
        ask(one);
        there -= 3_600 * SECOND;

        assertThat(Logged.by(() -> {
                    ask(one);
                    ask(one);
                }))
                .containsOnlyOnce("is 3600 s behind where it was");
    }

    @Test
    void aClockThatIsSetForwardIsReportedOnce() {
        ask(one);
        there += 3_600 * SECOND;

        assertThat(Logged.by(() -> {
                    ask(one);
                    ask(one);
                }))
                .containsOnlyOnce("is 3600 s ahead of where it was");
    }

    @Test
    void eachStepIsReported() {
        ask(one);

        assertThat(Logged.by(() -> {
                    for (int i = 0; i < 3; i++) {
                        there -= 3_600 * SECOND;
                        ask(one);
                    }
                }))
                .hasLineCount(3);
    }

    @Test
    void aStepWithinWhatTheScriptLetsStandStillIsNotReported() {
        ask(one);

        assertThat(Logged.by(() -> {
                    there -= 10 * SECOND;
                    ask(one);
                    there += 10 * SECOND;
                    ask(one);
                }))
                .isEmpty();
    }

    @Test
    void whatClocksDriftApartInADayIsNoStep() {
        ask(one);
        pass(Duration.ofDays(1).toNanos() / 1_000);
        there -= 80 * SECOND;

        assertThat(Logged.by(() -> ask(one))).isEmpty();
    }

    @Test
    void aReplyThatTookLongIsNoStep() {
        ask(one);
        long asked = here;
        pass(SECOND);
        long early = there;
        pass(600 * SECOND);

        assertThat(Logged.by(() -> {
                    one.told(early, asked * 1_000);
                    ask(one);
                }))
                .isEmpty();
    }

    @Test
    void aReplyOfBeforeAStepThatIsHeardAfterItReportsNoOther() {
        ask(one);
        final long asked = here;
        final long before = there;
        pass(1_000);
        there -= 3_600 * SECOND;

        assertThat(Logged.by(() -> {
                    ask(one);
                    one.told(before, asked * 1_000);
                    ask(one);
                }))
                .containsOnlyOnce("where it was");
    }

    @Test
    void aStepThatSeveralHearOfOneServerIsReportedOnce() {
        ask(one);
        ask(other);
        there += 3_600 * SECOND;

        assertThat(Logged.by(() -> {
                    ask(one);
                    pass(60 * SECOND);
                    ask(other);
                }))
                .hasLineCount(1);
    }

    @Test
    void serversWhoseClocksDifferAreNoStep() {
        assertThat(Logged.by(() -> {
                    for (int i = 0; i < 3; i++) {
                        ask(one);
                        there += 60 * SECOND;
                        ask(other);
                        there -= 60 * SECOND;
                    }
                }))
                .isEmpty();
    }

    @Test
    void aStepIsReportedOnlyBeyondWhatTheScriptLetsStandStillAndClocksDrift() {
        ask(one);
        pass(1_000 * SECOND);
        there -= 11 * SECOND - 1_000;
        assertThat(Logged.by(() -> ask(one))).isEmpty();

        pass(1_000 * SECOND);
        there -= 11 * SECOND + 10_000;
        assertThat(Logged.by(() -> ask(one))).contains("is 11 s behind where it was");
    }

    @Test
    void aStepThatIsHeardOfAnHourLaterIsAnother() {
        ask(one);
        ask(other);
        there += 3_600 * SECOND;
        assertThat(Logged.by(() -> ask(one))).hasLineCount(1);
        pass(3_600 * SECOND);

        assertThat(Logged.by(() -> ask(other))).hasLineCount(1);
    }

    @Test
    void ofTwoStepsThatDifferBothAreReported() {
        ask(one);
        ask(other);
        there += 3_600 * SECOND;
        assertThat(Logged.by(() -> ask(one))).hasLineCount(1);
        there += 20 * SECOND;

        assertThat(Logged.by(() -> ask(other))).hasLineCount(1);
    }

    @Test
    void theTimeOfTheServerGoesOnFromWhenItWasHeard() {
        assertThat(one.micros()).isZero();
        one.told(there, here * 1_000);
        long told = there;

        pass(7_000);

        assertThat(one.micros()).isEqualTo(told + 7_000);
        assertThat(all.micros()).isEqualTo(told + 7_000);
        assertThat(other.micros()).isZero();
    }

    /** Many are on their way at once: those that were held are heard after those that were not. */
    @Test
    void aReplyThatTookLongTellsNothingNewToWhoeverKnewTheTimeBetter() {
        ask(one);
        final long asked = here;
        final long early = there;
        pass(2 * SECOND);
        ask(one);
        long known = one.micros();

        one.told(early, asked * 1_000);

        assertThat(one.micros()).isEqualTo(known);
        assertThat(all.micros()).isEqualTo(known);
    }

    @Test
    void whatWasKnownBestIsNotHeldOnToForEver() {
        ask(one);
        pass(1_000 * SECOND);
        final long asked = here;
        pass(SECOND / 2);
        final long early = there;
        pass(SECOND / 2);

        one.told(early, asked * 1_000);

        assertThat(one.micros()).isEqualTo(early);
    }

    @Test
    void ofAClockThatWasSetTheNewTimeIsTold() {
        for (long seconds : new long[] {-3, 3}) {
            ask(one);
            there += seconds * SECOND;
            final long asked = here;
            pass(SECOND);

            one.told(there, asked * 1_000);

            assertThat(one.micros()).isEqualTo(there);
        }
    }

    /** It may have been asked, and answered, at any time in between. */
    @Test
    void whatIsChargedCountsUntilItsWindowMayBeOver() {
        Limit second = Limit.requests(9).perSecond().fixedWindow();
        assertThat(one.countsNanos(second)).isZero();
        long asked = here;
        pass(1_000);
        one.told(START, asked * 1_000);
        pass(300_000);

        assertThat(one.countsNanos(second)).isEqualTo((SECOND - 300_000 - 1_000) * 1_000);
    }

    private void ask(ServerClock clock) {
        long asked = here;
        pass(1_000);
        clock.told(there, asked * 1_000);
        pass(1_000);
    }

    private void pass(long micros) {
        here += micros;
        there += micros;
    }
}
