package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.PatientRedis;
import io.costguard.testing.RedisForTests;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redis.clients.jedis.RedisClient;

/** Random histories of calls that wait: what is promised of lines holds in each, at each moment. */
@Timeout(180)
@Tag("invariant-6")
@Tag("invariant-10")
class LineHistoriesIT {
    private static final int HISTORIES = Integer.getInteger("costguard.histories", 16);
    /** A failure prints the seed: this runs it alone. */
    private static final Long ONLY = Long.getLong("costguard.history");

    private final String prefix = RedisForTests.shared().keyPrefix();
    private final RedisClient jedis = PatientRedis.client(RedisForTests.shared().url());
    private final Redis redis = Redis.of(jedis);
    private final Script script = TestScript.ofTheRealOne()
            .withTimeAt(prefix + ":time")
            .withMessagesAt(prefix + ":told")
            .withLineAuditAt(prefix + ":audit")
            .build();

    @AfterEach
    void close() {
        jedis.close();
    }

    @Test
    void inOneLineOfOneLimitCallsGoInOrderAndAtOnceAndNobodyIsLeftBehind() {
        run(1, new LineHistory.Kinds(1, 1, false, false, false, false));
    }

    @Test
    void inOneLineOfSeveralLimitsTooWithOverruns() {
        run(2, new LineHistory.Kinds(1, 3, true, false, false, false));
    }

    @Test
    void inLinesThatOverlapACallGoesFirstOnlyWhereRoomForTheEarlierIsLeft() {
        run(3, new LineHistory.Kinds(3, 1, false, false, false, false));
    }

    @Test
    void inLinesThatOverlapWithSeveralLimitsAndOverrunsToo() {
        run(4, new LineHistory.Kinds(3, 2, true, false, false, false));
    }

    @Test
    void callsAboveCapacityWaitUntilItIsFullAndLeaveADebt() {
        run(5, new LineHistory.Kinds(1, 2, true, true, false, false));
        run(6, new LineHistory.Kinds(3, 2, true, true, false, false));
    }

    @Test
    void holdsCoolDownsDeathsLostLinesCancelledBatchesAndCallsThatLeaveChangeNobodysOrder() {
        run(7, new LineHistory.Kinds(1, 2, true, true, true, false));
    }

    @Test
    void theSameInLinesThatOverlap() {
        run(8, new LineHistory.Kinds(3, 2, true, true, true, false));
    }

    @Test
    void callsInFlightThatAreRenewedOrLapseKeepAllOfThat() {
        run(9, new LineHistory.Kinds(1, 1, false, false, false, true));
        run(10, new LineHistory.Kinds(3, 2, true, true, true, true));
    }

    private void run(int series, LineHistory.Kinds kinds) {
        int joined = 0;
        int gone = 0;
        int asks = 0;
        int messages = 0;
        int coolDowns = 0;
        long slowest = 0;
        for (int i = 0; i < HISTORIES; i++) {
            long seed = series * 1_000L + i;
            if (ONLY != null && ONLY != seed) {
                continue;
            }
            LineHistory history = new LineHistory(seed, kinds, jedis, redis, script, prefix);
            try {
                LineHistory.Figures figures = history.run();
                joined += figures.joined();
                gone += figures.waitedAndGone();
                asks += figures.asks();
                messages += figures.messages();
                coolDowns += figures.coolDowns();
                slowest = Math.max(slowest, figures.slowestMicros());
            } catch (AssertionError | RuntimeException e) {
                List<String> events = history.events();
                int from = ONLY == null ? Math.max(0, events.size() - 30) : 0;
                String end = String.join("\n", events.subList(from, events.size()));
                throw new AssertionError("seed " + seed + ": " + e.getMessage() + "\n" + end, e);
            }
        }
        if (ONLY == null) {
            assertThat(gone).as("calls that waited and were let go").isGreaterThan(HISTORIES * 5);
            assertThat(coolDowns > 0).as("cool-downs: %d", coolDowns).isEqualTo(kinds.troubles());
            System.out.printf(
                    "%s: %d joined, %d let go; asks a grant %.2f, messages a grant %.2f, slowest %d ms%n",
                    kinds, joined, gone, (double) asks / gone, (double) messages / gone, slowest / 1_000);
        }
    }
}
