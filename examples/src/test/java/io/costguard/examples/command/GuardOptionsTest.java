package io.costguard.examples.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GuardOptionsTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "status | --budgets B --model m                                | where is Redis? --redis or COSTGUARD_REDIS names it",
                "status | --redis redis://r --model m                          | which budgets? --budgets names a file",
                "status | --redis redis://r --budgets none.json                | none.json: there is no such file",
                "status | --redis redis://r --budgets B --attribute team=a     | budget 'b' is counted per model; say which with --model",
                "status | --redis redis://r --budgets B --model o3             | no budget applies to calls with model o3, no key; say more",
                "status | --redis redis://r --budgets B --attribute apiKey=sk  | give the key with --key-env or --key-stdin",
                "status | --redis redis://r --budgets B --attribute tenant     | --attribute must be like tenant=acme, not 'tenant'",
                "status | --redis redis://r --budgets B --key-fingerprint sk-1 | --key-fingerprint: a fingerprint is 32 of the digits",
                "status | --redis redis://r --budgets B --key-env NO_SUCH      | nothing in the environment variable NO_SUCH; export it",
                "status | --redis redis://r --budgets B --prefix {x}           | --prefix: keyPrefix must be",
                "status | --redis redis://r --budgets B --for 30s              | unknown argument '--for'; --help says what there is",
                "hold   | --redis redis://r --budgets B --model m              | for how long? --for says it, like 30s",
                "hold   | --redis redis://r --budgets B --model m --for 2h     | --for must be a time like 30s or 5m, up to 1h, not '2h'",
                "hold   | --redis redis://r --budgets B --model m --for        | --for needs a value",
                "watch  | --redis redis://r --budgets B --model m --ticks 0    | --ticks must be a number from 1 to"
            })
    void whatIsWrongIsSaidWithWhatToDo(String command, String arguments, String said) throws IOException {
        String file = budgets();
        List<String> given = Pattern.compile(" ")
                .splitAsStream(arguments)
                .map(each -> each.equals("B") ? file : each)
                .toList();

        assertThatExceptionOfType(BadInputException.class)
                .isThrownBy(() -> GuardOptions.parse(command, given))
                .withMessageContaining(said);
    }

    @Test
    void allOfACallMayBeSaid() throws IOException {
        GuardOptions options = GuardOptions.parse(
                "watch",
                List.of(
                        "--redis",
                        "redis://r",
                        "--budgets",
                        budgets(),
                        "--model",
                        "gpt-4o-2024-08-06",
                        "--attribute",
                        "provider=openai",
                        "--attribute",
                        "team=a=b",
                        "--key-fingerprint",
                        "0123456789abcdef0123456789abcdef",
                        "--every",
                        "5s",
                        "--ticks",
                        "7"));

        assertThat(StatusReport.named(options.call()))
                .isEqualTo("calls with model gpt-4o, provider openai, team a=b, that key");
        assertThat(options.every()).isEqualTo(Duration.ofSeconds(5));
        assertThat(options.ticks()).isEqualTo(7);
        assertThat(options.json()).isFalse();
    }

    private String budgets() throws IOException {
        return Files.writeString(
                        folder.resolve("budgets.json"),
                        "{\"budgets\":[{\"name\":\"b\",\"where\":{\"team\":[\"*\"]},\"limits\":[{\"requests\":1,\"per\":\"hour\"}]}]}")
                .toString();
    }
}
