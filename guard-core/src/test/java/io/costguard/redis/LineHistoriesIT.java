package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.testing.RedisForTests;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Random histories of calls that wait: what is promised of lines holds in each, at each moment. */
@Timeout(180)
@Tag("invariant-6")
@Tag("invariant-10")
class LineHistoriesIT {
    private static final int HISTORIES = Integer.getInteger("costguard.histories", 3);
    /** From this seed on cool-downs begin in few histories too. */
    private static final int FIRST = 3;

    private final LineHistories histories = new LineHistories(
            RedisForTests.shared().url(), RedisForTests.shared().keyPrefix());

    @AfterEach
    void close() {
        histories.close();
    }

    @Test
    void inOneLineOfOneLimitCallsGoInOrderAndAtOnceAndNobodyIsLeftBehind() {
        run(1);
    }

    @Test
    void inOneLineOfSeveralLimitsTooWithOverruns() {
        run(2);
    }

    @Test
    void inLinesThatOverlapACallGoesFirstOnlyWhereRoomForTheEarlierIsLeft() {
        run(3);
    }

    @Test
    void inLinesThatOverlapWithSeveralLimitsAndOverrunsToo() {
        run(4);
    }

    @Test
    void callsAboveCapacityWaitUntilItIsFullAndLeaveADebt() {
        run(5);
        run(6);
    }

    @Test
    void holdsCoolDownsDeathsLostLinesCancelledBatchesAndCallsThatLeaveChangeNobodysOrder() {
        run(7);
    }

    @Test
    void theSameInLinesThatOverlap() {
        run(8);
    }

    @Test
    void callsInFlightThatAreRenewedOrLapseKeepAllOfThat() {
        run(9);
        run(10);
    }

    private void run(int kind) {
        int gone = 0;
        int coolDowns = 0;
        for (int i = 0; i < HISTORIES; i++) {
            LineHistory.Figures figures = histories.run(kind, kind * 1_000L + FIRST + i);
            gone += figures.waitedAndGone();
            coolDowns += figures.coolDowns();
        }
        assertThat(gone).as("calls that waited and were let go").isGreaterThan(HISTORIES * 5);
        assertThat(coolDowns > 0)
                .as("cool-downs: %d", coolDowns)
                .isEqualTo(LineHistories.of(kind).troubles());
    }
}
