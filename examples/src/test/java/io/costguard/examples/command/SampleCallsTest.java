package io.costguard.examples.command;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.testing.Recordings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SampleCallsTest {
    @TempDir
    Path folder;

    @Test
    void aSeedAlwaysMakesTheSameCalls() {
        assertThat(SampleCalls.of(7, 100)).isEqualTo(SampleCalls.of(7, 100)).isNotEqualTo(SampleCalls.of(8, 100));
    }

    @Test
    void whatRealProvidersReportedIsAmongThem() throws IOException {
        Recordings.Exchange recorded = Recordings.all().stream()
                .filter(each -> each.folder().equals("openai-chat-cached-prompt"))
                .findFirst()
                .orElseThrow();
        List<RecordedCall> calls =
                RecordedCall.read(Files.write(folder.resolve("calls.jsonl"), SampleCalls.of(7, 100)));

        assertThat(calls)
                .filteredOn(call -> "openai-chat-cached-prompt"
                        .equals(call.call().attributes().get("recording")))
                .singleElement()
                .satisfies(call -> {
                    assertThat(call.usage().allInput())
                            .isEqualTo(recorded.reportedInput().orElseThrow());
                    assertThat(call.usage().allOutput())
                            .isEqualTo(recorded.reportedOutput().orElseThrow());
                    assertThat(call.usage().cacheRead())
                            .isEqualTo(recorded.number("cached_input_tokens").orElseThrow());
                });
    }
}
