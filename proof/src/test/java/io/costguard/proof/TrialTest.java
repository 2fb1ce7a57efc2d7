package io.costguard.proof;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class TrialTest {
    private static Trial trial(Set<String> parts) {
        return new Trial(
                1, Effort.BRIEF, parts, new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8));
    }

    @Test
    void allPartsAreTriedWhereNoneIsNamedAndElseThoseThatAre() throws Exception {
        for (Set<String> named : List.of(Set.<String>of(), Set.of("late"))) {
            Trial trial = trial(named);
            List<String> tried = new ArrayList<>();
            for (String part : List.of("race", "late")) {
                trial.part(part, () -> tried.add(part));
            }
            assertThat(tried).containsExactlyElementsOf(named.isEmpty() ? List.of("race", "late") : named);
        }
    }

    @Test
    void whatToldNothingWasNotTried() {
        assertThat(trial(Set.of()).outcome()).isEqualTo(Outcome.NOT_TRIED);
    }

    @Test
    void whatHasNoPartOfThatNameWasNotTriedWhateverElseItTold() throws Exception {
        Trial trial = trial(Set.of("no such part"));
        trial.part("race", () -> fail("this part is not named"));
        trial.none("drift", 0);
        assertThat(trial.outcome()).isEqualTo(Outcome.NOT_TRIED);
    }

    @Test
    void oneFigureThatIsShortOutweighsThoseThatAreMet() {
        Trial trial = trial(Set.of());
        trial.none("drift", 0);
        assertThat(trial.outcome()).isEqualTo(Outcome.MET);
        trial.none("calls lost", 1);
        trial.all("calls made", 10, 10);
        assertThat(trial.outcome()).isEqualTo(Outcome.SHORT);
    }

    @Test
    void ofSeveralChecksTheOneThatCouldNotBeTriedCounts() {
        assertThat(Outcome.SHORT.and(Outcome.NOT_TRIED).and(Outcome.MET)).isEqualTo(Outcome.NOT_TRIED);
        assertThat(Outcome.ofStatus(Outcome.NOT_TRIED.status)).isEqualTo(Outcome.NOT_TRIED);
        assertThat(Outcome.ofStatus(137)).isEqualTo(Outcome.NOT_TRIED);
    }
}
