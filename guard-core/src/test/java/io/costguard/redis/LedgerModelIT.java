package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Cost;
import io.costguard.Leased;
import io.costguard.Limit;
import io.costguard.PatientRedis;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import redis.clients.jedis.RedisClient;

/** The real script, in virtual time, beside the model: every decision, era, balance and wait must be the same. */
class LedgerModelIT {
    private static final int STEPS = 200;
    private static final int HISTORIES = 40;
    private static final List<Duration> WINDOWS = List.of(
            Duration.ofMillis(1),
            Duration.ofMillis(7),
            Duration.ofSeconds(1),
            Duration.ofSeconds(86_399),
            Duration.ofDays(366));

    private final String url = RedisForTests.shared().url();
    private final String prefix = RedisForTests.shared().keyPrefix();
    private final RedisClient jedis = PatientRedis.client(url);
    private final TwinLedger ledger = new TwinLedger(jedis, prefix);
    private final Lane lane = ledger.lane("one");

    @AfterEach
    void close() {
        jedis.close();
    }

    @Test
    @Tag("invariant-1")
    void anyHistoryOfALedgerIsTheModelsToTheUnit() {
        try (LedgerHistory histories = new LedgerHistory(url, prefix)) {
            for (long seed = 1; seed <= HISTORIES; seed++) {
                try {
                    histories.run(seed, LedgerHistory.steps(seed, STEPS));
                } catch (AssertionError | RuntimeException e) {
                    String history = String.join("\n", histories.events());
                    throw new AssertionError("seed " + seed + ": " + e.getMessage() + "\n" + history, e);
                }
            }
            assertThat(LedgerHistory.Step.values())
                    .allMatch(step -> histories.figures().of(step) > 0);
            assertThat(histories.figures().expired()).isPositive();
            assertThat(histories.figures().coolDowns()).isPositive();
            assertThat(histories.figures().dryRunsShort()).isPositive();
        }
    }

    @Test
    void theRestOfADivisionIsNotLostAtTheNextRefill() {
        Subject subject = ledger.subject("rest", Limit.requests(3).per(Duration.ofMillis(7)));
        ledger.run(lane, reserve(subject, 3));
        long granted = 0;
        for (int i = 0; i < 2_000; i++) {
            ledger.tick(137);
            granted += isGranted(ledger.run(lane, reserve(subject, 1)).get(0)) ? 1 : 0;
        }
        assertThat(granted).isEqualTo(2_000 * 137 * 3 / 7_000);
    }

    /** What was charged at the end of the next span was gone with its key at once, where the clock was a little behind the one before. */
    @Test
    void aKeyThatIsWrittenBehindItsOwnTimeLivesAsLongAsFromThat() {
        Subject subject = ledger.subject("behind", Limit.requests(10).perMinute());
        long span = 1L << 26;
        long edge = TwinLedger.START - TwinLedger.START % span + span;
        ledger.at(edge + 1);
        ledger.run(lane, byHand(Ledger.Change.CHARGE, subject, 15));
        ledger.at(edge - 1);
        ledger.run(lane, byHand(Ledger.Change.RESET, subject, 0));
        ledger.at(edge + span - 1);
        assertThat(isGranted(ledger.run(lane, reserve(subject, 10)).get(0))).isTrue();

        ledger.tick(2_000);
        ledger.expire();
        assertThat(isGranted(ledger.run(lane, reserve(subject, 1)).get(0))).isFalse();
    }

    @Test
    void anHourLastsUntilTheNextOneWhereTheClockIsSetBackByHalfOfIt() {
        ZoneId zone = ZoneId.of("Australia/Lord_Howe");
        Subject subject = ledger.subject("half", Limit.requests(1).perHour().fixedWindow(zone));
        // On 5 April 2048, when it would be two, it is half past one again.
        ledger.tick(micros(ZonedDateTime.of(2048, 4, 5, 1, 15, 0, 0, zone)) - ledger.now());
        List<Boolean> granted = new ArrayList<>();
        for (int quarter = 0; quarter < 10; quarter++) {
            granted.add(isGranted(ledger.run(lane, reserve(subject, 1)).get(0)));
            ledger.tick(Duration.ofMinutes(15).toNanos() / 1_000);
        }

        assertThat(granted).containsExactly(true, false, false, false, false, true, false, false, false, true);
    }

    /** It was still owed in December, as November has fewer days than most months. */
    @Test
    void aMonthOfThirtyDaysInWhichNobodyCalledPaysWhatWasOwed() {
        ZoneId zone = ZoneId.of("Europe/Berlin");
        Subject subject = ledger.subject("month", Limit.requests(10).perMonth().fixedWindow(zone));
        ledger.at(micros(ZonedDateTime.of(2040, 10, 20, 0, 0, 0, 0, zone)));
        ledger.run(lane, byHand(Ledger.Change.CHARGE, subject, 15));

        ledger.at(micros(ZonedDateTime.of(2040, 12, 20, 0, 0, 0, 0, zone)));
        assertThat(isGranted(ledger.run(lane, reserve(subject, 10)).get(0))).isTrue();
    }

    private static long micros(ZonedDateTime time) {
        return ChronoUnit.MICROS.between(Instant.EPOCH, time.toInstant());
    }

    /** Row by row: what a multiplication or a division may lose is lost here if anywhere. */
    @ParameterizedTest(name = "{0}")
    @ValueSource(
            longs = {
                1,
                2,
                3,
                999_999_937,
                (1L << 31) - 1,
                1L << 32,
                (1L << 52) + 1,
                Cost.MAX_AMOUNT - 1,
                Cost.MAX_AMOUNT
            })
    @Tag("fault-27")
    @Tag("fault-29")
    void amountsAtTheEdgesOfWhatIsExactAreTheModelsToTheUnit(long amount) {
        for (Duration window : WINDOWS) {
            long micros = window.toNanos() / 1_000;
            Limit limit = Limit.tokens(amount).per(window);
            List<Limit> limits = List.of(
                    limit.tokenBucket(),
                    limit.tokenBucket().burst(Cost.MAX_AMOUNT),
                    limit.tokenBucket().burst(1),
                    limit.fixedWindow(),
                    limit.slidingWindow(),
                    Leased.calls(amount, window));
            for (int i = 0; i < limits.size(); i++) {
                String name = amount + "-" + micros + "-" + i;
                TwinLedger its = new TwinLedger(jedis, prefix + ":" + name);
                Subject subject = its.subject(name, limits.get(i));
                Lane each = its.lane("of it");
                long capacity = limits.get(i).capacity();
                assertThat(isGranted(its.run(each, reserve(subject, capacity)).get(0)))
                        .isTrue();
                for (long elapsed : new long[] {0, 1, 999, micros - 1, micros / 3, micros, Cost.MAX_AMOUNT >> 4}) {
                    its.tick(elapsed);
                    its.run(each, reserve(subject, 1));
                    its.run(each, reserve(subject, Math.max(1, amount / 2)), reserve(subject, capacity));
                    its.run(each, reserve(subject, Cost.MAX_AMOUNT));
                }
            }
        }
    }

    private static boolean isGranted(Batch.Result result) {
        return result instanceof Batch.Result.Decided decided && decided.verdict() instanceof Verdict.Granted;
    }

    private static Batch.Call byHand(Ledger.Change change, Subject subject, long... amounts) {
        return new Batch.Call.ByHand(change, new Claim(subject, amounts));
    }

    private static Batch.Call reserve(Subject subject, long... amounts) {
        return new Batch.Call.Reserve(List.of(new Claim(subject, amounts)));
    }
}
