package io.costguard.proof;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.costguard.proof.SeededChange.Told;
import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class SeededChangeTest {
    private static final String LANE = "io/costguard/redis/Lane.java";

    static Stream<SeededChange> all() {
        return Stream.of(SeededBugs.DOZEN, SeededBugs.OTHERS, ScriptMutants.ALL).flatMap(List::stream);
    }

    @ParameterizedTest
    @MethodSource("all")
    void eachFindsItsPlaceInTheLibraryOnce(SeededChange change) throws IOException {
        assertThat(change.changed()).contains(change.with());
    }

    @Test
    void thereAreADozenBugsAndTwentyMutants() {
        assertThat(SeededBugs.DOZEN).hasSize(12);
        assertThat(ScriptMutants.ALL).hasSize(20);
    }

    @Test
    void whatTheFileNoLongerHasIsAnError() {
        assertThatThrownBy(changeOf("no such text")::changed)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("no longer what 'any' changes");
    }

    @Test
    void whatTheFileHasTwiceIsAnError() {
        assertThatThrownBy(changeOf("private long ")::changed)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("more than once what 'any' changes");
    }

    @Test
    void whatIsNoJavaIsAnErrorAndNothingFound() {
        SeededChange change = new SeededChange("any", LANE, "generation++;", "generation++", "guards", "any");
        assertThatThrownBy(() -> change.tell(1))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("'any' is not Java");
    }

    @Test
    void itIsFoundByAFigureOfItsOwnAndNotByAnother() {
        Told told = Told.of(1, Figure.none("drift", 3) + "\n" + Figure.atLeast("calls made", 2, 10) + "\n");
        assertThat(told.isShortOf(List.of("drift"))).isTrue();
        assertThat(told.isShortOf(List.of("lost", "calls"))).isTrue();
        assertThat(told.isShortOf(List.of("lost"))).isFalse();
    }

    @Test
    void aFigureThatIsMetFindsNothing() {
        Told told = Told.of(1, Figure.none("drift", 0) + "\n" + Figure.none("calls lost", 1));
        assertThat(told.isShortOf(List.of("drift"))).isFalse();
    }

    @Test
    void whatCouldNotBeTriedIsNeitherMetNorFound() {
        Told told = Told.of(3, Figure.none("drift", 3) + "\n    could not be tried: java.io.IOException\n");
        assertThat(told.isMet()).isFalse();
        assertThat(told.isShortOf(List.of("drift"))).isFalse();
    }

    private static SeededChange changeOf(String what) {
        return new SeededChange("any", LANE, what, "", "guards", "any");
    }
}
