package io.costguard.examples.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.tuple;

import io.costguard.Budget;
import io.costguard.BudgetFile;
import io.costguard.Cost;
import io.costguard.Denial;
import io.costguard.Limit;
import io.costguard.PriceList;
import io.costguard.WhenExhausted;
import io.costguard.describe.Usage;
import io.costguard.testing.RedisForTests;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Small histories of which everything can be worked out by hand: 100 tokens per minute are one each 0.6 s. */
@Timeout(120)
class ReplayIT {
    private static final Budget TOKENS =
            Budget.named("team").limit(Limit.tokens(100).perMinute());

    @TempDir
    Path folder;

    @Test
    void saysWhatGoesWaitsIsDeniedIsOverspentAndIsGivenBack() {
        ReplayReport report = replay(
                TOKENS,
                WhenExhausted.waitUpTo(Duration.ofSeconds(30)),
                // Takes all of it, and gives back half of that when it ends.
                """
                {"at":"2026-03-02T08:00:00Z","model":"m","input":40,"maxOutput":60,"output":10,"duration":"PT10S"}
                """,
                // Would wait 11 s for the refill, and goes with what is given back after 9; then uses 20 more than it
                // reserved.
                """
                {"at":"2026-03-02T08:00:01Z","model":"m","input":10,"maxOutput":10,"output":30,"duration":"PT5S"}
                """,
                // Would wait 70 s behind that one.
                """
                {"at":"2026-03-02T08:00:02Z","model":"m","input":90,"maxOutput":10,"output":10}
                """,
                // More than there can ever be.
                """
                {"at":"2026-03-02T08:00:03Z","model":"m","input":101,"maxOutput":0,"output":0}
                """);

        assertThat(report.wentAtOnce()).isEqualTo(1);
        assertThat(report.waited()).singleElement().satisfies(waited -> {
            assertThat(waited.call().where()).endsWith("calls.jsonl:2");
            assertThat(waited.waited()).isEqualTo(Duration.ofSeconds(9));
            assertThat(waited.expected().retryAfter()).isEqualTo(Duration.ofSeconds(11));
        });
        assertThat(report.denied())
                .extracting(
                        denied -> denied.call().where().replaceAll(".*:", ""),
                        denied -> denied.denial().retryAfter())
                .containsExactly(tuple("3", Duration.ofSeconds(70)), tuple("4", Denial.NEVER));
        LimitTally limit = report.limits().get(0);
        assertThat(limit.deniedCalls()).isEqualTo(2);
        assertThat(limit.waitedCalls()).isEqualTo(1);
        assertThat(limit.longestWait()).isEqualTo(Duration.ofSeconds(9));
        assertThat(limit.reserved()).isEqualTo(100 + 20);
        assertThat(limit.used()).isEqualTo(50 + 40);
        assertThat(limit.givenBack()).isEqualTo(50);
        assertThat(limit.overspentCalls()).isEqualTo(1);
        assertThat(limit.overspent()).isEqualTo(20);
        assertThat(limit.leastLeft()).isZero();
    }

    @Test
    void theWorstMomentIsTheDeepestDebt() {
        ReplayReport report = replay(
                TOKENS,
                WhenExhausted.reject(),
                // After 6 s, 10 have come back, and 50 more than reserved were used.
                """
                {"at":"2026-03-02T08:00:00Z","model":"m","input":90,"maxOutput":10,"output":60,"duration":"PT6S"}
                """,
                // After the debt of 40, 60 have come back at 8:01:06, of which this one asks 20.
                """
                {"at":"2026-03-02T08:01:06Z","model":"m","input":20,"maxOutput":0,"output":0}
                """);

        LimitTally limit = report.limits().get(0);
        assertThat(report.wentAtOnce()).isEqualTo(2);
        assertThat(limit.leastLeft()).isEqualTo(-40);
        assertThat(limit.leastAt()).isEqualTo(Instant.parse("2026-03-02T08:00:06Z"));
        assertThat(report.text()).contains("at worst 40 of debt, at 2026-03-02T08:00:06Z, m");
    }

    @Test
    void whatNobodyEverUsedIsTheLeastThatWasLeft() {
        ReplayReport report = replay(
                TOKENS,
                WhenExhausted.reject(),
                """
                {"at":"2026-03-02T08:00:00Z","model":"m","input":30,"maxOutput":0,"output":0}
                """,
                // The first 30 have come back by now; of another model, all is there.
                """
                {"at":"2026-03-02T08:00:18Z","model":"m","input":20,"maxOutput":5,"output":0}
                """,
                """
                {"at":"2026-03-02T08:00:19Z","model":"n","input":40,"maxOutput":5,"output":0}
                """);

        LimitTally limit = report.limits().get(0);
        assertThat(limit.leastLeft()).isEqualTo(55);
        assertThat(limit.leastOf()).isEqualTo("n");
        assertThat(report.text())
                .contains("nobody ever used 55 of the capacity (least left at 2026-03-02T08:00:19Z, n)");
    }

    @Test
    void moneyIsWhatTheRecordSaysOrThePriceListWithWhatACacheServed() {
        ReplayReport report =
                replay(Budget.named("money").per().limit(Limit.usd("1.00").perDay()), WhenExhausted.reject(), """
                {"at":"2026-03-02T08:00:00Z","model":"gpt-4o","input":0,"output":0,"usd":"0.25"}
                """, """
                {"at":"2026-03-02T09:00:00Z","model":"gpt-4o","input":10000,"cacheRead":8000,"output":1000,"maxOutput":1000}
                """);

        long priced = PriceList.bundled()
                .nanoUsd("gpt-4o", Usage.of(2_000, 1_000).withCacheRead(8_000))
                .orElseThrow();
        assertThat(priced).isPositive();
        assertThat(report.limits().get(0).used()).isEqualTo(250_000_000 + priced);
    }

    @Test
    void aDryRunLetsGoAndSaysWhatItWouldHaveDenied() {
        ReplayReport report = replay(TOKENS.dryRun(), WhenExhausted.reject(), """
                {"at":"2026-03-02T08:00:00Z","model":"m","input":90,"output":0,"maxOutput":0}
                """, """
                {"at":"2026-03-02T08:00:01Z","model":"m","input":90,"output":0,"maxOutput":0}
                """);

        assertThat(report.wentAtOnce()).isEqualTo(2);
        assertThat(report.limits().get(0).deniedCallsInDryRun()).isEqualTo(1);
    }

    @Test
    void outputIsReservedAsItWasLearnedFromTheCallsThatHaveEnded() {
        String calls = IntStream.range(0, 21)
                .mapToObj(i ->
                        "{\"at\":\"2026-03-02T08:%02d:00Z\",\"model\":\"m\",\"input\":0,\"maxOutput\":90,\"output\":10}"
                                .formatted(i))
                .collect(Collectors.joining("\n"));

        ReplayReport capped = Replay.run(read(calls), settings(TOKENS, WhenExhausted.reject(), 0), redis());
        ReplayReport learned = Replay.run(read(calls), settings(TOKENS, WhenExhausted.reject(), 98), redis());

        assertThat(capped.limits().get(0).reserved()).isEqualTo(21 * 90);
        assertThat(learned.limits().get(0).reserved()).isEqualTo(20 * 90 + 10);
    }

    @Test
    void aCallThatNoBudgetCanJudgeIsNamedByItsLine() {
        assertThatExceptionOfType(BadInputException.class)
                .isThrownBy(() -> replay(
                        Budget.named("money").limit(Limit.usd("1.00").perDay()), WhenExhausted.reject(), """
                        {"at":"2026-03-02T08:00:00Z","model":"gpt-4o","input":1,"output":1}
                        """, """
                        {"at":"2026-03-02T08:00:01Z","model":"unheard-of","input":1,"output":1}
                        """))
                .withMessageContaining("calls.jsonl:2: model 'unheard-of' without a provider has no price");
    }

    @Test
    void aCallWhoseAssumedOutputCannotBeCountedIsNamedByItsLine() {
        assertThatExceptionOfType(BadInputException.class)
                .isThrownBy(() -> replay(TOKENS.assumedOutput(Cost.MAX_AMOUNT), WhenExhausted.reject(), """
                        {"at":"2026-03-02T08:00:00Z","model":"m","input":1,"output":1}
                        """))
                .withMessageContaining("calls.jsonl:1: with the output that is assumed for it");
    }

    @Test
    void budgetsThatMakeNoSenseAreRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> replay(Budget.named("empty"), WhenExhausted.reject(), """
                        {"at":"2026-03-02T08:00:00Z","model":"m","input":1,"output":1}
                        """))
                .withMessageContaining("budget 'empty' has no limit");
    }

    @Test
    void theSampleComesOutTheSameEachTime() throws IOException {
        List<RecordedCall> calls = RecordedCall.read(Path.of("samples", "calls.jsonl"));
        Replay.Settings settings = new Replay.Settings(
                BudgetFile.read(Path.of("samples", "budgets.json")),
                WhenExhausted.waitUpTo(Duration.ofSeconds(30)),
                95,
                PriceList.bundled());

        ReplayReport report = Replay.run(calls, settings, redis());

        assertThat(report.wentAtOnce()
                        + report.waited().size()
                        + report.denied().size())
                .isEqualTo(calls.size());
        assertThat(report.waited()).isNotEmpty();
        assertThat(report.denied()).isNotEmpty();
        assertThat(Replay.run(calls, settings, redis()).json()).isEqualTo(report.json());
    }

    private ReplayReport replay(Budget budget, WhenExhausted whenExhausted, String... lines) {
        return Replay.run(read(String.join("", lines)), settings(budget, whenExhausted, 0), redis());
    }

    private static Replay.Settings settings(Budget budget, WhenExhausted whenExhausted, int learnedPercent) {
        return new Replay.Settings(List.of(budget), whenExhausted, learnedPercent, PriceList.bundled());
    }

    private List<RecordedCall> read(String calls) {
        try {
            return RecordedCall.read(Files.writeString(folder.resolve("calls.jsonl"), calls));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static String redis() {
        return RedisForTests.shared().url();
    }
}
