package io.costguard.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.GuardedCall;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class KnownCallsTest {
    private final KnownCalls calls = new KnownCalls();

    @Test
    void callsAlikeHaveTheSameAttributes() {
        GuardedCall call = calls.of("GPT-4o", "openai", "k");

        assertThat(call.attributes())
                .isEqualTo(Map.of("model", "gpt-4o", "provider", "openai", "apiKey", "k"))
                .isSameAs(calls.of("GPT-4o", "openai", "k").attributes());
    }

    @Test
    void noCallHasTheAttributesOfAnother() {
        // More of them than are remembered, so that some share a slot; twice, so that some are remembered.
        for (int i = 0; i < 2_000; i++) {
            String number = String.valueOf(i % 1_000);
            assertThat(calls.of("m", "openai", number).attributes()).containsEntry("apiKey", number);
            assertThat(calls.of(number, "openai", "k").model()).isEqualTo(number);
            assertThat(calls.of("m", number, "k").attributes()).containsEntry("provider", number);
        }
        assertThat(IntStream.range(0, 3)
                        .mapToObj(i ->
                                calls.of("gpt-4o-2024-08-06", "openai", "k").model()))
                .containsOnly("gpt-4o");
    }
}
