package io.costguard.examples.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.Cost;
import io.costguard.PriceList;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RecordedCallTest {
    private static final String GOOD = "\"at\":\"2026-03-02T08:00:00Z\",\"model\":\"m\",\"input\":9,\"output\":5";

    @TempDir
    Path folder;

    @Test
    void everythingThatIsKnownOfACallIsRead() throws IOException {
        RecordedCall call = RecordedCall.read(
                        file(
                                "{" + GOOD
                                        + ",\"provider\":\"openai\",\"user\":\"u1\",\"path\":\"/v1\",\"cacheRead\":4,\"cacheWrite\":2,"
                                        + "\"reasoning\":3,\"maxOutput\":100,\"estimatedInput\":11,\"usd\":0.25,\"duration\":\"PT2.5S\"}"))
                .get(0);

        assertThat(call.at()).isEqualTo(Instant.parse("2026-03-02T08:00:00Z"));
        assertThat(call.call().attributes())
                .containsEntry("model", "m")
                .containsEntry("provider", "openai")
                .containsEntry("user", "u1");
        assertThat(call.path()).isEqualTo("/v1");
        assertThat(call.input()).isEqualTo(11);
        assertThat(call.maxOutput()).hasValue(100);
        assertThat(call.duration()).isEqualTo(Duration.ofMillis(2_500));
        assertThat(call.used(PriceList.bundled()))
                .isEqualTo(Cost.requests(1)
                        .input(9)
                        .cacheRead(4)
                        .cacheWrite(2)
                        .output(5)
                        .reasoning(3)
                        .usd("0.25"));
    }

    @Test
    void whatIsNotKnownIsLeftOut() throws IOException {
        RecordedCall call = RecordedCall.read(file("{" + GOOD + "}")).get(0);

        assertThat(call.input()).isEqualTo(9);
        assertThat(call.maxOutput()).isEmpty();
        assertThat(call.duration()).isZero();
        assertThat(call.used(PriceList.bundled()))
                .isEqualTo(Cost.requests(1).input(9).output(5));
    }

    @Test
    void aCallIsReservedAndChargedByThePricesOfItsServiceTier() throws IOException {
        PriceList prices = PriceList.parse(
                new ByteArrayInputStream("{'m':{'input_cost_per_token':2e-9,'input_cost_per_token_flex':1e-9}}"
                        .replace('\'', '"')
                        .getBytes(StandardCharsets.UTF_8)));
        RecordedCall standard = RecordedCall.read(file("{" + GOOD + "}")).get(0);
        RecordedCall flex = RecordedCall.read(file("{" + GOOD + ",\"serviceTier\":\"flex\"}"))
                .get(0);

        assertThat(standard.used(prices).nanoUsd()).isEqualTo(18);
        assertThat(flex.used(prices).nanoUsd()).isEqualTo(9);
        assertThat(flex.estimate(prices, 100))
                .isEqualTo(Cost.requests(1).input(9).output(100).nanoUsd(9));
        assertThat(flex.estimate(PriceList.parse(new ByteArrayInputStream("{}".getBytes(StandardCharsets.UTF_8))), 100)
                        .givenNanoUsd())
                .isEmpty();
    }

    @Test
    void aReservationThatCannotBeCountedIsNamedByTheLineOfItsCall() throws IOException {
        Path file = file("\n{" + GOOD + "}");
        RecordedCall call = RecordedCall.read(file).get(0);

        assertThatExceptionOfType(BadInputException.class)
                .isThrownBy(() -> call.estimate(PriceList.bundled(), Cost.MAX_AMOUNT))
                .withMessageStartingWith(file + ":2: with the output that is assumed for it, ")
                .withMessageContaining("below 2^53");
    }

    @Test
    void callsAreReadInTheOrderOfTheirTime() throws IOException {
        assertThat(RecordedCall.read(file("{" + GOOD.replace("08:00", "09:00") + "}\n\n{" + GOOD + "}\n")))
                .extracting(call -> call.where().replaceAll(".*:", ""))
                .containsExactly("3", "1");
    }

    @Test
    void aCallReservesWhatWasLearnedAndNoMoreThanItAllows() throws IOException {
        RecordedCall capped =
                RecordedCall.read(file("{" + GOOD + ",\"maxOutput\":100}")).get(0);
        RecordedCall open = RecordedCall.read(file("{" + GOOD + "}")).get(0);

        assertThat(capped.reserved(OptionalLong.empty(), 1_000)).isEqualTo(100);
        assertThat(capped.reserved(OptionalLong.of(70), 1_000)).isEqualTo(70);
        assertThat(capped.reserved(OptionalLong.of(170), 1_000)).isEqualTo(100);
        assertThat(open.reserved(OptionalLong.empty(), 1_000)).isEqualTo(1_000);
        assertThat(open.reserved(OptionalLong.of(1_700), 1_000)).isEqualTo(1_700);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "{                                            | not JSON",
                "[]                                           | a call must be an object",
                "{GOOD} {}                                    | more than one value",
                "{GOOD,\"output\":6}                          | Duplicate field",
                "{\"model\":\"m\",\"input\":1,\"output\":1}   | a call needs 'at'",
                "{GOOD,\"duration\":\"2 s\"}                  | 'duration' must be like PT2.5S, not '2 s'",
                "{GOOD,\"duration\":\"-PT2S\"}                | 'duration' must be from 0 to a day",
                "{GOOD,\"maxOutput\":-1}                      | 'maxOutput' must be a whole number from 0, not -1",
                "{GOOD,\"maxOutput\":1.5}                     | 'maxOutput' must be a whole number from 0, not 1.5",
                "{GOOD,\"maxOutput\":1e999999999}             | 'maxOutput' must be a whole number from 0",
                "{GOOD,\"maxOutput\":\"1\"}                   | 'maxOutput' must be a whole number from 0, not '1'",
                "{GOOD,\"maxOutput\":null}                    | null means nothing here",
                "{GOOD,\"cacheRead\":10}                      | 10 + 0 are more than 9",
                "{GOOD,\"serviceTier\":\"quick\"}          | unknown service tier 'quick'; there are standard, flex,",
                "{GOOD,\"serviceTier\":1}                    | 'serviceTier' must be a text",
                "{GOOD,\"servicetier\":\"flex\"}           | unknown member 'servicetier'; write 'serviceTier'",
                "{GOOD,\"usd\":\"-1\"}                        | not an amount of dollars: '-1'",
                "{GOOD,\"usd\":\"much\"}                      | not an amount of dollars: 'much'",
                "{GOOD,\"usd\":1e2147483648}                 | 1e2147483648 is too large",
                "{GOOD,\"maxOutput\":9007199254740992}       | 2^53",
                "{GOOD,\"estimatedInput\":9007199254740992}  | 2^53",
                "{GOOD,\"estimatedInput\":9007199254740000,\"maxOutput\":9007199254740000} | 2^53",
                "{\"at\":\"2199-12-31T23:59:59Z\",\"model\":\"m\",\"input\":1,\"output\":1,\"duration\":\"PT2S\"} | 'at' must be from 1970 to 2198",
                "{\"at\":\"1969-12-31T00:00:00Z\",\"model\":\"m\",\"input\":1,\"output\":1} | 'at' must be from 1970 to 2198",
                "{GOOD,\"ouput\":5}                           | unknown member 'ouput'",
                "{GOOD,\"maxoutput\":\"5\"}                   | unknown member 'maxoutput'; write 'maxOutput'"
            })
    void aBadLineIsNamedWithWhatIsWrong(String line, String said) throws IOException {
        Path file = file("{" + GOOD + "}\n" + line.replace("GOOD", GOOD));

        assertThatExceptionOfType(BadInputException.class)
                .isThrownBy(() -> RecordedCall.read(file))
                .withMessageStartingWith(file + ":2:")
                .withMessageContaining(said);
    }

    @Test
    void aFileThatIsNotThereOrEmptyOrNoTextIsNamed() throws IOException {
        Path gone = folder.resolve("gone.jsonl");
        Path binary = Files.write(folder.resolve("binary"), "\u00e9".getBytes(StandardCharsets.ISO_8859_1));

        assertThatExceptionOfType(BadInputException.class)
                .isThrownBy(() -> RecordedCall.read(gone))
                .withMessageContaining("gone.jsonl: there is no such file");
        assertThatExceptionOfType(BadInputException.class)
                .isThrownBy(() -> RecordedCall.read(binary))
                .withMessageContaining("binary: cannot be read as UTF-8");
        assertThatExceptionOfType(BadInputException.class)
                .isThrownBy(() -> RecordedCall.read(file("\n")))
                .withMessageContaining("there are no calls in it");
    }

    private Path file(String text) throws IOException {
        return Files.writeString(folder.resolve("calls.jsonl"), text);
    }
}
