package io.costguard.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SettingsTest {

    @Test
    void nothingHasToBeSaid() {
        assertThat(Settings.parse(List.of())).isEqualTo(new Settings(Optional.empty(), 2, 8));
    }

    @Test
    void whatIsSaidCounts() {
        assertThat(Settings.parse(List.of("--calls", "5", "--redis", "redis://there:6379", "--processes", "3")))
                .isEqualTo(new Settings(Optional.of("redis://there:6379"), 3, 5));
    }

    @ParameterizedTest
    @CsvSource({
        "--proceses 3, --proceses",
        "--processes, needs a value",
        "--processes 0, 1 to 16",
        "--processes 17, 1 to 16",
        "--calls many, 'many'"
    })
    void whatMakesNoSenseIsRefusedAndNamed(String arguments, String said) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Settings.parse(List.of(arguments.split(" "))))
                .withMessageContaining(said);
    }
}
