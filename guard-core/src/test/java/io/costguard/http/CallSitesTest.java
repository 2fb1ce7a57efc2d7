package io.costguard.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class CallSitesTest {
    private final CallSites sites = new CallSites();

    @Test
    void thePlacesOfTheFirstCallsAreNoted() {
        assertThat(noted(1_000)).isEqualTo(1_000);
    }

    @Test
    void thePlacesOfSomeLaterCallsAreNoted() {
        noted(1_000);

        assertThat(noted(6_400)).isEqualTo(100);
    }

    @Test
    void allPlacesAreNotedOnceAResponseWasForgotten() {
        noted(1_000);
        sites.oneWasForgotten();

        assertThat(noted(100)).isEqualTo(100);
    }

    private long noted(int calls) {
        return IntStream.range(0, calls).filter(call -> sites.here() != null).count();
    }
}
