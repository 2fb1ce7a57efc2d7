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
        assertThat(Settings.parse(List.of())).isEqualTo(new Settings(Optional.empty(), 2, 8, Optional.of(0), 0));
    }

    @Test
    void whatIsSaidCounts() {
        assertThat(Settings.parse(List.of(
                        "--calls",
                        "5",
                        "--redis",
                        "redis://there:6379",
                        "--processes",
                        "3",
                        "--port",
                        "4711",
                        "--wait",
                        "9")))
                .isEqualTo(new Settings(Optional.of("redis://there:6379"), 3, 5, Optional.of(4711), 9));
    }

    @Test
    void whatIsSaidLastCounts() {
        assertThat(Settings.parse(List.of("--wait", "60", "--wait", "0")).waitSeconds())
                .isZero();
    }

    @Test
    void headlessIsWithoutAPage() {
        assertThat(Settings.parse(List.of("--headless")).port()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "--proceses 3, --proceses",
        "--processes, needs a value",
        "--processes 0, 1 to 16",
        "--processes 17, 1 to 16",
        "--calls many, 'many'",
        "--port 0, 1 to 65535",
        "--headless --port 4711, no page"
    })
    void whatMakesNoSenseIsRefusedAndNamed(String arguments, String said) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Settings.parse(List.of(arguments.split(" "))))
                .withMessageContaining(said);
    }
}
