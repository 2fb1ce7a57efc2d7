package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.testing.RedisForTests;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A fleet of real processes on one subject. */
@Tag("invariant-1")
@Tag("invariant-2")
class FleetIT {
    private static final int PROCESSES = 4;
    private static final int THREADS = 16;
    private static final int PAIRS = 300;

    @Test
    @Timeout(value = 5, unit = TimeUnit.MINUTES)
    void severalProcessesNeverGoOverAndTheirBalanceIsTheModelsToTheUnit() throws Exception {
        try (RedisForTests server = RedisForTests.start()) {
            Fleet.Outcome outcome = Fleet.run(server, PROCESSES, THREADS, PAIRS, 1);

            assertThat(outcome.difference()).isEmpty();
            assertThat(outcome.drift()).isZero();
            assertThat(outcome.over()).isZero();
            assertThat(outcome.immortal()).isZero();
            assertThat(outcome.granted()).isEqualTo(PROCESSES * THREADS * PAIRS);
            assertThat(outcome.denied()).isPositive();
            assertThat(outcome.limits()).isEqualTo(3);
        }
    }
}
