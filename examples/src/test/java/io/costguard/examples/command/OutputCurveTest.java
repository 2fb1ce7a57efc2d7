package io.costguard.examples.command;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Limit;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is claimed of learned outputs, over the sample that comes with the command, and over as many calls again as there may be in weeks. */
class OutputCurveTest {
    private static final List<Budget> BUDGETS = List.of(
            Budget.named("all").assumedOutput(500).limit(Limit.requests(1).perSecond()));
    private static final int DEFAULT_PERCENT = 98;
    /** When the first team's answers become three times as long. */
    private static final Instant NOON = Instant.parse("2026-03-02T12:00:00Z");

    private static final int FOLLOWED_WITHIN = 100;

    @TempDir
    Path folder;

    @Test
    void mostCallsOfTheSampleKeepWithinFarLessThanTheyMayUse() {
        keepWithinFarLessThanTheyMayUse("the sample", sample());
    }

    @Test
    void mostCallsOfAGeneratedDayKeepWithinFarLessThanTheyMayUse() throws IOException {
        keepWithinFarLessThanTheyMayUse("20,000 generated calls", generated());
    }

    private static void keepWithinFarLessThanTheyMayUse(String what, List<RecordedCall> calls) {
        OutputCurve curve = OutputCurve.of(calls, BUDGETS);

        System.out.println(what + ": above their reservation, over-reserved at the median against the cap's");
        for (OutputCurve.Point point : curve.points()) {
            System.out.printf(
                    Locale.ROOT,
                    "  %3d %%: %5.2f %%  %.3f%n",
                    point.percent(),
                    100 * point.aboveShare(),
                    curve.spareOfCapped(point));
        }
        OutputCurve.Point usual = curve.points().stream()
                .filter(point -> point.percent() == DEFAULT_PERCENT)
                .findFirst()
                .orElseThrow();
        assertThat(usual.aboveShare()).isLessThanOrEqualTo(0.05);
        assertThat(curve.spareOfCapped(usual)).isLessThanOrEqualTo(0.25);
    }

    @Test
    void callsThatReservedLessThanTheyUsedHaveNothingToSpare() throws IOException {
        Path calls = Files.writeString(folder.resolve("calls.jsonl"), """
                {"at":"2026-03-02T12:00:00Z","model":"m","input":1,"output":600}
                """);

        OutputCurve curve = OutputCurve.of(RecordedCall.read(calls), BUDGETS);

        assertThat(curve.capped()).isEqualTo(new OutputCurve.Point(0, 1.0, 0));
        assertThat(curve.spareOfCapped(curve.capped())).isZero();
    }

    @Test
    void aChangeInTheSampleIsFollowedWithinAHundredCalls() {
        isFollowed(sample());
    }

    @Test
    void aChangeInAGeneratedDayIsFollowedWithinAHundredCalls() throws IOException {
        isFollowed(generated());
    }

    private static void isFollowed(List<RecordedCall> calls) {
        List<OutputCurve.Reserved> changed = OutputCurve.reserved(calls, BUDGETS, DEFAULT_PERCENT).stream()
                .filter(each -> "support".equals(each.call().call().attributes().get("team")))
                .toList();
        List<OutputCurve.Reserved> before =
                changed.stream().filter(each -> each.call().at().isBefore(NOON)).toList();
        List<OutputCurve.Reserved> after = changed.subList(before.size() + FOLLOWED_WITHIN, changed.size());

        assertThat(after).isNotEmpty();
        long exceeded = after.stream().filter(OutputCurve.Reserved::isExceeded).count();
        assertThat(exceeded).isLessThanOrEqualTo(after.size() / 20);
        // Else nothing had to be followed.
        long largestBefore = before.get(before.size() - 1).tokens();
        assertThat(after.stream().filter(each -> each.used() > largestBefore).count())
                .isGreaterThan(after.size() / 20);
    }

    private static List<RecordedCall> sample() {
        return RecordedCall.read(Path.of("samples", "calls.jsonl"));
    }

    private List<RecordedCall> generated() throws IOException {
        return RecordedCall.read(Files.write(folder.resolve("calls.jsonl"), SampleCalls.of(1, 20_000)));
    }
}
