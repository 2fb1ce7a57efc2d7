package io.costguard.proof;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ShortenedTest {
    private static final List<Integer> STEPS = IntStream.range(0, 200).boxed().toList();

    @Test
    void onlyTheStepsThatItFailsByAreLeftInTheirOrder() {
        assertThat(Shortened.of(STEPS, steps -> steps.containsAll(List.of(3, 77, 199)), 10_000))
                .containsExactly(3, 77, 199);
    }

    @Test
    void nothingIsLeftOfWhatFailsWhateverHappens() {
        assertThat(Shortened.of(STEPS, steps -> true, 10_000)).isEmpty();
    }

    @Test
    void whatIsLeftWhenThereAreNoMoreTriesStillFails() {
        assertThat(Shortened.of(STEPS, steps -> steps.contains(150), 5))
                .contains(150)
                .hasSizeLessThan(200);
    }
}
