package io.costguard.examples.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ReplayOptionsTest {

    @Test
    void whatIsSaidCounts() {
        ReplayOptions options = ReplayOptions.parse(List.of(
                "c.jsonl",
                "--budgets",
                "b.json",
                "--wait",
                "1m30s",
                "--learned",
                "95",
                "--prices",
                "p.json",
                "--json"));

        assertThat(options.calls()).contains(Path.of("c.jsonl"));
        assertThat(options.budgets()).contains(Path.of("b.json"));
        assertThat(options.prices()).contains(Path.of("p.json"));
        assertThat(options.longestWait()).isEqualTo(Duration.ofSeconds(90));
        assertThat(options.learnedPercent()).isEqualTo(95);
        assertThat(options.json()).isTrue();
    }

    @Test
    void unlessSaidCallsDoNotWaitAndNothingIsLearned() {
        ReplayOptions options = ReplayOptions.parse(List.of("c.jsonl", "--budgets", "b.json"));

        assertThat(options.longestWait()).isZero();
        assertThat(options.learnedPercent()).isZero();
        assertThat(options.json()).isFalse();
        assertThat(options.seed()).isEmpty();
    }

    @Test
    void aSeedNeedsNoFiles() {
        assertThat(ReplayOptions.parse(List.of("--generate", "-7", "--calls", "5"))
                        .seed())
                .hasValue(-7);
    }

    @ParameterizedTest
    @CsvSource({
        "--json, which calls?",
        "c.jsonl, which budgets?",
        "c.jsonl d.jsonl, unknown argument 'd.jsonl'",
        "c.jsonl --bugdets b.json, unknown argument '--bugdets'",
        "c.jsonl --budgets, --budgets needs a value",
        "c.jsonl --budgets b.json --wait long, '--wait must be a time like 30s or 5m, up to 24h, not ''long'''",
        "c.jsonl --budgets b.json --wait 0s, --wait must be",
        "c.jsonl --budgets b.json --learned 0, --learned must be a number from 1 to 100",
        "--generate x, '--generate must be a whole number, not ''x'''"
    })
    void whatMakesNoSenseIsRefusedAndNamed(String arguments, String said) {
        assertThatExceptionOfType(BadInputException.class)
                .isThrownBy(() -> ReplayOptions.parse(List.of(arguments.split(" "))))
                .withMessageContaining(said);
    }
}
