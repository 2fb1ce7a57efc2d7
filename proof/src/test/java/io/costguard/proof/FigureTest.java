package io.costguard.proof;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class FigureTest {
    static Stream<Figure> any() {
        return Stream.of(
                Figure.none("drift of their balances, units", 0),
                Figure.none("growth", -14_624),
                Figure.atLeast("row 5, -READONLY, -MASTERDOWN, 2 s: wrong", 1_234_567, 2_000_000),
                Figure.atMost("a name that is longer than the room that there is for it, by a word or two", 3, 2),
                Figure.all("calls, of 12", 12, 12));
    }

    @ParameterizedTest
    @MethodSource("any")
    void whatIsToldIsReadAgain(Figure figure) {
        assertThat(Figure.in(figure.toString())).contains(figure);
    }

    @Test
    void aNameIsReadWithoutTheBlanksThatItBeginsWith() {
        assertThat(Figure.in(Figure.none("  of these, lost", 1).toString())).contains(Figure.none("of these, lost", 1));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "12 s, seed 2: short",
                "    could not be tried: java.io.IOException",
                "    drift                       1   0               short",
                "drift 1 short",
                "drift   1   0               shorter"
            })
    void anyOtherLineIsNone(String line) {
        assertThat(Figure.in(line)).isEmpty();
    }
}
