package io.costguard.limit;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class FingerprintTest {
    private final Fingerprint fingerprint = new Fingerprint("Jefe".getBytes(StandardCharsets.US_ASCII));

    @Test
    void itIsTheBeginningOfAnHmac() {
        // RFC 4231, test case 2
        assertThat(fingerprint.of("what do ya want for nothing?")).isEqualTo("5bdcc146bf60754e6a042426089575c7");
    }

    @Test
    void noTwoListsOfPartsLookAlike() {
        assertThat(fingerprint.of("ab", "c")).isNotEqualTo(fingerprint.of("a", "bc"));
        assertThat(fingerprint.of("1:a")).isNotEqualTo(fingerprint.of("a", ""));
    }

    @Test
    void threadsDoNotMixTheirs() {
        String alone = fingerprint.of("what do ya want ", "for nothing?");

        assertThat(IntStream.range(0, 10_000)
                        .parallel()
                        .mapToObj(i -> fingerprint.of("what do ya want ", "for nothing?")))
                .containsOnly(alone);
    }
}
