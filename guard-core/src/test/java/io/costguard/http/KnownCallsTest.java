package io.costguard.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.CallAttributes;
import io.costguard.GuardedCall;
import io.costguard.WhenExhausted;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class KnownCallsTest {
    private final KnownCalls calls = new KnownCalls();

    @Test
    void callsAlikeHaveTheSameAttributes() {
        GuardedCall call = calls.of("GPT-4o", "openai", "k", CallAttributes.none());

        assertThat(call.attributes())
                .isEqualTo(Map.of("model", "gpt-4o", "provider", "openai", "apiKey", "k"))
                .isSameAs(
                        calls.of("GPT-4o", "openai", "k", CallAttributes.none()).attributes());
    }

    @Test
    void soHaveThoseOfWhichTheSameIsSaid() {
        CallAttributes acme = CallAttributes.of("tenant", "acme");
        GuardedCall call = calls.of("m", "openai", "k", acme.whenExhausted(WhenExhausted.reject()));

        assertThat(call.attributes())
                .containsEntry("tenant", "acme")
                .isSameAs(calls.of("m", "openai", "k", CallAttributes.of("tenant", "acme"))
                        .attributes());
        assertThat(call.whenExhausted()).contains(WhenExhausted.reject());
        assertThat(calls.of("m", "openai", "k", acme).whenExhausted()).isEmpty();
    }

    @Test
    void ofNoneIsSaidWhatIsSaidOfAnother() {
        // Twice, so that the ones before are remembered.
        for (int i = 0; i < 2_000; i++) {
            String number = String.valueOf(i % 1_000);
            assertThat(calls.of("m", "openai", "k", CallAttributes.of("tenant", number))
                            .attributes())
                    .containsEntry("tenant", number);
            assertThat(calls.of("m", "openai", "k", CallAttributes.none()).attributes())
                    .doesNotContainKey("tenant");
            assertThat(calls.of("m", "openai", "k", CallAttributes.of("run", number))
                            .attributes())
                    .containsEntry("run", number)
                    .doesNotContainKey("tenant");
        }
    }

    @Test
    void noCallHasTheAttributesOfAnother() {
        // More of them than are remembered, so that some share a slot; twice, so that some are remembered.
        for (int i = 0; i < 2_000; i++) {
            String number = String.valueOf(i % 1_000);
            assertThat(calls.of("m", "openai", number, CallAttributes.none()).attributes())
                    .containsEntry("apiKey", number);
            assertThat(calls.of(number, "openai", "k", CallAttributes.none()).model())
                    .isEqualTo(number);
            assertThat(calls.of("m", number, "k", CallAttributes.none()).attributes())
                    .containsEntry("provider", number);
        }
        assertThat(IntStream.range(0, 3)
                        .mapToObj(i -> calls.of("gpt-4o-2024-08-06", "openai", "k", CallAttributes.none())
                                .model()))
                .containsOnly("gpt-4o");
    }
}
