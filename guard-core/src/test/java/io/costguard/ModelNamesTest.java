package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("threat-3")
class ModelNamesTest {
    @ParameterizedTest
    @CsvSource({
        "gpt-4o, gpt-4o",
        "GPT-4o, gpt-4o",
        "gpt-4o-2024-08-06, gpt-4o",
        "claude-3-5-sonnet-20241022, claude-3-5-sonnet",
        "claude-3-5-haiku-latest, claude-3-5-haiku",
        "gpt-3.5-turbo-0125, gpt-3.5-turbo",
        "gpt-4-0613, gpt-4",
        "gpt-4-1106-preview, gpt-4-1106-preview",
        "gpt-4o-latest-2024-08-06, gpt-4o",
        "gpt-4-0613-latest, gpt-4",
        "llama-3-70b, llama-3-70b",
        "model-19990101, model-19990101",
        "model-2024-99-99, model-2024-99-99"
    })
    void snapshotsAndSpellingsOfAModelAreOneModel(String name, String canonical) {
        assertThat(ModelNames.canonical(name)).isEqualTo(canonical);
    }

    @Test
    void blanksAndControlCharactersGiveNoFreshBalance() {
        assertThat(ModelNames.canonical(" gpt-4o\n")).isEqualTo("gpt-4o");
        assertThat(ModelNames.canonical("g\0p\rt\u0085-4o\t")).isEqualTo("gpt-4o");
        assertThat(ModelNames.canonical("\n")).isEmpty();
    }

    @Test
    void aNameOfAMegabyteIsCutAndStillToldFromItsLike() {
        String longName = "x".repeat(1 << 20);

        assertThat(ModelNames.canonical(longName)).hasSize(128).startsWith("xxx");
        assertThat(ModelNames.canonical(longName)).isNotEqualTo(ModelNames.canonical(longName + "y"));
        assertThat(ModelNames.canonical(longName))
                .isEqualTo(ModelNames.canonical(longName.toUpperCase(java.util.Locale.ROOT)));
        assertThat(ModelNames.canonical("x".repeat(128))).isEqualTo("x".repeat(128));
    }

    @Test
    void anyNumberOfDatesGivesNoFreshBalance() {
        assertThat(ModelNames.canonical("gpt-4o" + "-latest ".repeat(100_000))).isEqualTo("gpt-4o");
    }

    @Test
    void aCanonicalNameIsItsOwnCanonicalName() {
        Random random = new Random(1);
        for (int i = 0; i < 10_000; i++) {
            String name = HostileNames.next(random);
            String canonical = ModelNames.canonical(name);
            assertThat(canonical.length()).isLessThanOrEqualTo(128);
            assertThat(canonical.chars().noneMatch(Character::isISOControl)).isTrue();
            assertThat(ModelNames.canonical(canonical)).as("of %s", canonical).isEqualTo(canonical);
        }
    }
}
