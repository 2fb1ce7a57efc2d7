package io.costguard.limit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who may take what of the shares of a budget, and the texts in which they are kept. */
class ShareBookTest {
    private static final List<String> TWO = List.of("us", "eu");
    private static final List<String> THREE = List.of("eu", "us", "ap");

    @Test
    void whatIsWrittenIsReadAlike() {
        String text = "1 least 10 of eu us\neu 50 7 wants money for all\nus 25 3 has money for all";

        ShareBook book = ShareBook.read(text, TWO, 10);

        assertThat(book.of("eu", "money for all")).hasValue(new Holding(50, 7, true));
        assertThat(book.of("us", "money for all")).hasValue(new Holding(25, 3, false));
        assertThat(book.of("us", "money")).isEmpty();
        assertThat(book.text()).isEqualTo(text);
    }

    @Test
    void holdingsAreWrittenByBudgetAndThenByRegion() {
        ShareBook book = book(TWO, "")
                .with("us", "a", new Holding(1, 1, false))
                .with("eu", "b", new Holding(2, 1, false))
                .with("eu", "a", new Holding(3, 1, false));

        assertThat(book.text()).isEqualTo("1 least 10 of eu us\neu 3 1 has a\nus 1 1 has a\neu 2 1 has b");
    }

    @ParameterizedTest
    @ValueSource(strings = {"\neu 50 7 wants", "\neu fifty 7 has a", "\neu 50 seven has a", "\n"})
    void whatWasNotWrittenByThisIsRefused(String line) {
        assertThatIllegalStateException()
                .isThrownBy(() -> ShareBook.read("1 least 10 of eu us" + line, TWO, 10))
                .withMessageContaining("cannot be read: '" + line.substring(1) + "'");
    }

    @ParameterizedTest
    @ValueSource(strings = {"1 least 10 of eu", "1 least 20 of eu us", "2 least 10 of eu us"})
    void regionsThatWereToldOtherwiseShareNothing(String head) {
        assertThatIllegalStateException()
                .isThrownBy(() -> ShareBook.read(head, TWO, 10))
                .withMessage("the regions share by '" + head + "', and this guard was told '1 least 10 of eu us'");
    }

    @Test
    void nothingIsFreeUntilAllRegionsAreKnown() {
        assertThat(book(TWO, "eu 10 1 has a").free("a")).isZero();
        assertThat(book(TWO, "eu 10 1 has a", "us 30 1 has a").free("a")).isEqualTo(60);
        assertThat(book(TWO, "eu 80 1 has a", "us 30 1 has a").free("a")).isZero();
    }

    @Test
    void onceTheLastIsKnownEachThatHasLessHasAnEqualPart() {
        ShareBook book = book(THREE, "eu 10 4 has a", "us 60 2 has a").entered("ap", "a", new Holding(10, 1, false));

        assertThat(book.of("eu", "a")).as("all that was free but for the last").hasValue(new Holding(10, 4, false));
        assertThat(book.of("ap", "a")).hasValue(new Holding(30, 2, false));
        assertThat(book.of("us", "a")).hasValue(new Holding(60, 2, false));
        assertThat(book.free("a")).isZero();
    }

    @Test
    void whoeverHasAnEqualPartAlreadyIsDealtNothing() {
        ShareBook book = book(TWO, "eu 50 4 has a").entered("us", "a", new Holding(10, 1, false));

        assertThat(book.of("eu", "a")).hasValue(new Holding(50, 4, false));
        assertThat(book.of("us", "a")).hasValue(new Holding(50, 2, false));
    }

    @Test
    void whatIsFreeIsForWhoeverWantsIt() {
        assertThat(book(TWO, "eu 50 1 wants a", "us 30 1 has a").free("a", "eu"))
                .isEqualTo(20);
        assertThat(book(THREE, "eu 40 1 wants a", "us 34 1 has a", "ap 10 1 has a")
                        .free("a", "eu"))
                .isEqualTo(16);
    }

    @Test
    void thoseWhoWantItShareIt() {
        ShareBook book = book(THREE, "eu 33 1 wants a", "us 33 1 wants a", "ap 10 1 has a");

        assertThat(book.free("a", "eu")).isEqualTo(12);
        assertThat(book.free("a", "us")).isEqualTo(12);
        assertThat(book(THREE, "eu 33 1 wants a", "us 33 1 wants a", "ap 11 1 has a")
                        .free("a", "eu"))
                .as("rounded up, as what is left is the other's")
                .isEqualTo(12);
    }

    @Test
    void thoseWhoHaveLessThanAnEqualPartComeFirst() {
        ShareBook book = book(THREE, "eu 20 1 wants a", "us 40 1 wants a", "ap 10 1 has a");

        assertThat(book.free("a", "us")).isZero();
        assertThat(book.free("a", "eu")).isEqualTo(30);
        assertThat(book(THREE, "eu 20 1 wants a", "us 40 1 wants a", "ap 10 1 wants a")
                        .free("a", "eu"))
                .isEqualTo(15);
    }

    @Test
    void whatARegionWantsItselfIsNotWantedByOthers() {
        ShareBook book = book(TWO, "eu 50 1 wants a", "us 50 1 has a");

        assertThat(book.isWanted("a", "eu")).isFalse();
        assertThat(book.isWanted("a", "us")).isTrue();
    }

    @Test
    void whatIsOwedIsWantedByWhoHasLessThanAnEqualPart() {
        assertThat(book(TWO, "eu 50 1 wants a", "us 50 1 has a").isOwed("a", "us"))
                .isFalse();
        assertThat(book(TWO, "eu 49 1 wants a", "us 51 1 has a").isOwed("a", "us"))
                .isTrue();
        assertThat(book(TWO, "eu 49 1 has a", "us 51 1 has a").isOwed("a", "us"))
                .isFalse();
    }

    @Test
    void whereAllHaveTooMuchTogetherItIsWantedAndOwed() {
        ShareBook most = book(TWO, "eu 50 1 has a", "us 50 1 has a");
        assertThat(most.isWanted("a", "eu")).isFalse();
        assertThat(most.isOwed("a", "eu")).isFalse();

        ShareBook more = book(TWO, "eu 51 1 has a", "us 50 1 has a");
        assertThat(more.isWanted("a", "eu")).isTrue();
        assertThat(more.isOwed("a", "eu")).isTrue();
    }

    // -------------------------------------------------------------------------------------- what a region has itself

    @Test
    void aRegionsNoteIsReadAsItWasWritten() {
        String text = "1 process 12\n30 2 a\n50 7 money for all";

        RegionNote note = RegionNote.read(text);

        assertThat(note.exchanger()).isEqualTo("process");
        assertThat(note.beats()).isEqualTo(12);
        assertThat(note.holdings())
                .isEqualTo(Map.of("a", new Holding(30, 2, false), "money for all", new Holding(50, 7, false)));
        assertThat(note.text()).isEqualTo(text);
        assertThat(note.of("b")).isEmpty();
        assertThat(note.exchangedBy("other").text()).startsWith("1 other 13\n30 2 a");
        assertThat(note.with("b", new Holding(1, 1, true)).text())
                .isEqualTo("1 process 12\n30 2 a\n1 1 b\n50 7 money for all");
    }

    @Test
    void anEmptyNoteHasNothing() {
        assertThat(RegionNote.read("")).isEqualTo(new RegionNote("", 0, Map.of()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"1 process", "1 process many", "1 process 12\n50 7", "1 process 12\n50 x a"})
    void aNoteThatWasNotWrittenByThisIsRefused(String text) {
        assertThatIllegalStateException()
                .isThrownBy(() -> RegionNote.read(text))
                .withMessage("this region's shares cannot be read: '" + text + "'");
    }

    @Test
    void aNoteOfAnotherVersionIsRefusedByName() {
        assertThatIllegalStateException()
                .isThrownBy(() -> RegionNote.read("2 process 12"))
                .withMessageContaining("another version: '2 process 12'");
    }

    private static ShareBook book(List<String> regions, String... lines) {
        String head =
                "1 least 10 of " + String.join(" ", regions.stream().sorted().toList());
        String text = lines.length == 1 && lines[0].isEmpty() ? "" : head + "\n" + String.join("\n", lines);
        return ShareBook.read(text, regions, 10);
    }
}
