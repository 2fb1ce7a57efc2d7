package io.costguard.describe;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Unit;
import io.costguard.describe.dialects.Dialects;
import java.net.URI;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What rate-limit headers say. Those of whole answers are recorded ones. */
class RemainingTest {
    private static final Instant SENT = Instant.parse("2025-05-13T13:41:20Z");
    private static final Instant NOW = SENT.plusSeconds(2);

    @Test
    void openAiTellsOfRequestsAndTokens() {
        assertThat(remaining(
                        "/v1/chat/completions",
                        Map.of(
                                "x-ratelimit-limit-requests", "14400",
                                "x-ratelimit-limit-tokens", "30000",
                                "x-ratelimit-remaining-requests", "14399",
                                "x-ratelimit-remaining-tokens", "29987",
                                "x-ratelimit-reset-requests", "6s",
                                "x-ratelimit-reset-tokens", "26ms")))
                .containsExactly(new Remaining(Unit.REQUESTS, 14_399));
    }

    @Test
    void aProviderThatDoesNotSayWhenItsLimitIsFullAgainIsTakenAtItsWord() {
        assertThat(remaining(
                        "/openai/deployments/gpt-4o/chat/completions",
                        Map.of(
                                "x-ratelimit-limit-requests", "100",
                                "x-ratelimit-limit-tokens", "100000",
                                "x-ratelimit-remaining-requests", "99",
                                "x-ratelimit-remaining-tokens", "99998")))
                .containsExactly(new Remaining(Unit.REQUESTS, 99), new Remaining(Unit.TOKENS, 99_998));
    }

    @Test
    void anthropicTellsOfInputAndOutputTokensTooToTheNearestThousand() {
        Map<String, String> headers = new HashMap<>();
        headers.put("anthropic-ratelimit-requests-remaining", "3999");
        headers.put("anthropic-ratelimit-requests-reset", "2025-05-13T13:41:22Z");
        headers.put("anthropic-ratelimit-tokens-remaining", "480000");
        headers.put("anthropic-ratelimit-tokens-reset", "2025-05-13T13:41:24Z");
        headers.put("anthropic-ratelimit-input-tokens-remaining", "400000");
        headers.put("anthropic-ratelimit-input-tokens-reset", "2025-05-13T13:41:24Z");
        headers.put("anthropic-ratelimit-output-tokens-remaining", "80000");
        headers.put("anthropic-ratelimit-output-tokens-reset", "2025-05-13T13:41:25Z");

        // All of its requests are there again.
        assertThat(remaining("/v1/messages", headers))
                .containsExactly(
                        new Remaining(Unit.TOKENS, 480_500),
                        new Remaining(Unit.INPUT_TOKENS, 400_500),
                        new Remaining(Unit.OUTPUT_TOKENS, 80_500));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", " ", "-1", "+5", "1.5", "1e3", "0x10", "many", "9007199254740992", "99999999999999999999"})
    void whatIsNoAmountSaysNothing(String amount) {
        assertThat(remaining(amount, "1m")).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", " 17 ", "9007199254740991"})
    void anAmountIsAWholeNumberFromNothingOn(String amount) {
        assertThat(remaining(amount, "1m")).contains(new Remaining(Unit.REQUESTS, Long.parseLong(amount.strip())));
    }

    @ParameterizedTest
    @CsvSource({
        "2s",
        "1.9s",
        "0s",
        "20ms",
        "1999ms",
        "0m2s",
        "0h0m2s",
        "2000000us",
        "1µs",
        "9ns",
        "2025-05-13T13:41:22Z"
    })
    void aLimitThatIsFullAgainByNowSaysNothing(String reset) {
        assertThat(remaining("5", reset)).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "2.001s",
        "6m0s",
        "1m0.5s",
        "1h",
        "2001ms",
        "1h2m3s4ms5us6ns",
        "999999999999h",
        "2025-05-13T13:41:22.5Z",
        "9999-12-31T23:59:59Z"
    })
    void aLimitThatIsNotFullAgainSaysWhatItHas(String reset) {
        assertThat(remaining("5", reset)).contains(new Remaining(Unit.REQUESTS, 5));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "-1s", "soon", "1", "1x", "NaN", "1s 2s", "1..5s", "2025-13-13T13:41:22Z"})
    void whatIsNoTimeIsPassedOver(String reset) {
        assertThat(remaining("5", reset)).contains(new Remaining(Unit.REQUESTS, 5));
    }

    @Test
    void aHeaderOfAnyLengthIsPassedOver() {
        String endless = "1h".repeat(1 << 20);

        assertThat(remaining("5", endless)).isPresent();
        assertThat(remaining("5".repeat(1 << 20), "1s")).isEmpty();
    }

    private static Optional<Remaining> remaining(String amount, String reset) {
        Map<String, String> headers = Map.of("left", amount, "reset", reset);
        return Remaining.of(Unit.REQUESTS, "left", "reset", name -> Optional.ofNullable(headers.get(name)), SENT, NOW);
    }

    private static List<Remaining> remaining(String path, Map<String, String> headers) {
        return Dialects.bundled()
                .of(Target.of("POST", URI.create("https://api.test" + path)))
                .orElseThrow()
                .remaining(name -> Optional.ofNullable(headers.get(name)), SENT, NOW);
    }
}
