package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Limit;
import io.costguard.PatientRedis;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.testing.RedisForTests;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.RedisClient;

/** The real script in virtual time. */
class SlidingWindowIT {
    private static final int GROUPS = 30;
    private static final long START = 1_760_000_000_000_000L;

    private final String prefix = RedisForTests.shared().keyPrefix();
    private final String url = RedisForTests.shared().url();
    private final RedisClient jedis = PatientRedis.client(url);
    private final Redis redis = Redis.of(jedis);
    private final Script script =
            TestScript.ofTheRealOne().withTimeAt(prefix + ":time").build();
    private final Lane lane = new Lane(prefix + ":{lane}", 0);
    private long now = START;

    @AfterEach
    void close() {
        jedis.close();
    }

    @Test
    @Tag("invariant-8")
    void noWindowOfItsLengthEverHoldsMoreThanTheLimitWhereverItBegins() {
        long letGo = 0;
        try (SlidingHistories histories = new SlidingHistories(url, prefix)) {
            for (long seed = 1; seed <= GROUPS; seed++) {
                SlidingHistories.Outcome outcome = histories.run(seed);
                assertThat(outcome.over()).isEmpty();
                letGo += outcome.letGo();
            }
        }
        assertThat(letGo).as("calls let go").isGreaterThan(GROUPS * SlidingHistories.AT_ONCE * 5L);
    }

    @Test
    void whatWasUsedIsBackOnceItsSlotIsOutsideOfTheWindowAndNotBefore() {
        Subject subject =
                subject("back", Limit.requests(10).per(Duration.ofMillis(15)).slidingWindow());
        now = START - START % 1_000 + 999;
        assertThat(isGranted(reserve(subject, 10))).isTrue();

        tick(15_000);
        assertThat(waitOf(reserve(subject, 1))).isEqualTo(1);
        tick(1);
        assertThat(isGranted(reserve(subject, 10))).isTrue();
    }

    @Test
    void whatWasUsedBitByBitComesBackBitByBit() {
        Subject subject =
                subject("bits", Limit.requests(10).per(Duration.ofMillis(15)).slidingWindow());
        now = START - START % 1_000;
        for (int i = 0; i < 10; i++) {
            assertThat(isGranted(reserve(subject, 1))).isTrue();
            tick(1_000);
        }

        assertThat(waitOf(reserve(subject, 1))).isEqualTo(6_000);
        assertThat(waitOf(reserve(subject, 4))).isEqualTo(9_000);
        tick(9_000);
        assertThat(isGranted(reserve(subject, 4))).isTrue();
        assertThat(waitOf(reserve(subject, 1))).isEqualTo(1_000);
    }

    @Test
    void whatIsUsedAboveTheLimitIsPaidOffByTheWindowsToCome() {
        Subject subject =
                subject("debt", Limit.requests(10).per(Duration.ofMillis(15)).slidingWindow());
        now = START - START % 1_000;
        Charge charge = charge(reserve(subject, 10));
        run(new Batch.Call.Settle(new Settled(charge, new long[] {25})));

        tick(16_000);
        assertThat(waitOf(reserve(subject, 1))).isEqualTo(16_000);
        tick(16_000);
        assertThat(waitOf(reserve(subject, 6))).isEqualTo(16_000);
        assertThat(isGranted(reserve(subject, 5))).isTrue();
    }

    @Test
    void whatIsGivenBackMakesRoomAtOnceAndNothingIsGivenBackToASlotThatIsGone() {
        Subject subject =
                subject("refund", Limit.requests(10).per(Duration.ofMillis(15)).slidingWindow());
        now = START - START % 1_000;
        Charge first = charge(reserve(subject, 6));
        tick(3_000);
        Charge second = charge(reserve(subject, 4));
        tick(3_000);
        run(new Batch.Call.Settle(new Settled(first, new long[] {1})));
        assertThat(isGranted(reserve(subject, 5))).isTrue();
        assertThat(isGranted(reserve(subject, 1))).isFalse();

        tick(13_000);
        assertThat(isGranted(reserve(subject, 5))).isTrue();
        run(new Batch.Call.Settle(new Settled(second, new long[] {0})));
        assertThat(isGranted(reserve(subject, 1))).isFalse();
    }

    @Test
    void whoStandsBehindOthersWaitsForWholeWindowsOnceTheyTakeAllOfOne() {
        Subject subject =
                subject("line", Limit.requests(10).per(Duration.ofMillis(15)).slidingWindow());
        now = START - START % 1_000;
        reserve(subject, 10);
        Batch.LineOperation join = new Batch.LineOperation(Batch.LineOperation.Kind.JOIN, 1, 0, 1_000_000);
        assertThat(run(new Batch.Call.Reserve(List.of(new Claim(subject, new long[] {10})), join)))
                .first()
                .isInstanceOf(Batch.Result.Joined.class);

        assertThat(waitOf(reserve(subject, 1))).isEqualTo(2 * 16_000);
    }

    @Test
    void aBudgetThatLeavesItOutForAWhileFindsItsSlotsAgain() {
        Limit sliding = Limit.tokens(10).per(Duration.ofMillis(15)).slidingWindow();
        Limit other = Limit.requests(99).perDay();
        now = START - START % 1_000;
        reserve(subject("both", sliding, other), 4, 1);
        tick(2_000);
        reserve(subject("both", sliding, other), 3, 1);
        tick(2_000);
        reserve(subject("both", other), 1);
        tick(2_000);

        assertThat(waitOf(reserve(subject("both", sliding, other), 4, 1))).isEqualTo(10_000);
        assertThat(isGranted(reserve(subject("both", sliding, other), 3, 1))).isTrue();
    }

    /** As a bucket counts as full then: its charges were made in a time that comes once more. */
    @Test
    void afterAClockThatWasSetBackNothingOfBeforeIsGivenBack() {
        Subject subject = subject(
                "set back", Limit.requests(10).per(Duration.ofSeconds(75)).slidingWindow());
        now = START - START % 5_000_000;
        Charge before = charge(reserve(subject, 5));
        tick(-20_000_000);
        assertThat(isGranted(reserve(subject, 1))).isTrue();
        tick(20_000_000);
        assertThat(isGranted(reserve(subject, 4))).isTrue();

        run(new Batch.Call.Settle(new Settled(before, new long[] {0})));
        assertThat(isGranted(reserve(subject, 1))).isFalse();
    }

    @Test
    void slotsThatHoldMoreThanWasUsedAreRefusedByName() {
        Subject subject =
                subject("damaged", Limit.requests(10).per(Duration.ofMillis(15)).slidingWindow());
        reserve(subject, 1);
        byte[] key = subject.key().getBytes(StandardCharsets.UTF_8);
        byte[] value = jedis.get(key);
        value[value.length - 1] = 9;
        jedis.set(key, value);
        tick(1_000);

        assertThat(reserve(subject, 1))
                .isInstanceOfSatisfying(
                        Batch.Result.Refused.class,
                        refused -> assertThat(refused.why())
                                .hasMessageContaining("damaged")
                                .hasMessageContaining(subject.key()));
    }

    private static boolean isGranted(Batch.Result result) {
        return verdict(result) instanceof Verdict.Granted;
    }

    private static Charge charge(Batch.Result result) {
        return ((Verdict.Granted) verdict(result)).charges().get(0);
    }

    private static long waitOf(Batch.Result result) {
        return ((Verdict.Shortfall) verdict(result)).waitMicros();
    }

    private static Verdict verdict(Batch.Result result) {
        return ((Batch.Result.Decided) result).verdict();
    }

    private void tick(long micros) {
        now += micros;
    }

    private Subject subject(String name, Limit... limits) {
        Budget budget = Budget.named("b");
        for (Limit limit : limits) {
            budget = budget.limit(limit);
        }
        return new Subject(prefix + ":{x}:" + name, budget);
    }

    private Batch.Result reserve(Subject subject, long... amounts) {
        return run(new Batch.Call.Reserve(List.of(new Claim(subject, amounts)))).get(0);
    }

    private List<Batch.Result> run(Batch.Call... calls) {
        jedis.set(prefix + ":time", Long.toString(now));
        Batch batch = new Batch(new Lines("process-0000", "turn:"));
        for (Batch.Call call : calls) {
            batch.add(call);
        }
        byte[] request = batch.request(Batch.Mode.RUN, lane.number(), Long.MAX_VALUE >> 10, 60_000, now);
        byte[] reply = script.run(
                redis, batch.keys(lane.key()), request, Duration.ofMinutes(1).toNanos());
        lane.advance(0);
        return batch.read(reply).results();
    }
}
