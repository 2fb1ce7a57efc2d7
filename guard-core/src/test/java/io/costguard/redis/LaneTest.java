package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class LaneTest {
    private final Lane lane = new Lane("p:{x}:lane", 100);

    @Test
    void itsBatchesAreNumberedFromOne() {
        assertThat(lane.number()).isEqualTo(1);

        lane.advance(200);
        lane.advance(300);

        assertThat(lane.number()).isEqualTo(3);
    }

    @Test
    void oneThatBeginsAnewHasAnotherNameAndNoNumber() {
        lane.advance(200);
        assertThat(key()).isEqualTo("p:{x}:lane.0");

        lane.renew();

        assertThat(key()).isEqualTo("p:{x}:lane.1");
        assertThat(lane.number()).isEqualTo(1);
    }

    @Test
    void itIsIdleSinceItsLastBatchIfItHadOne() {
        assertThat(lane.idleFor(50, 1_000)).isFalse();

        lane.advance(200);

        assertThat(lane.idleFor(50, 250)).isFalse();
        assertThat(lane.idleFor(50, 251)).isTrue();
    }

    @Test
    void whenItWasAnsweredLastIsKnownOnceItWas() {
        lane.answeredAt(77);
        assertThat(lane.usedMicros()).isZero();

        lane.advance(200);
        assertThat(lane.usedMicros()).isEqualTo(77);

        lane.renew();
        assertThat(lane.usedMicros()).isZero();
    }

    private String key() {
        return new String(lane.key(), StandardCharsets.US_ASCII);
    }
}
