package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.testing.JavaProcess;
import io.costguard.testing.RedisForTests;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a process that is killed leaves behind: never less than what may have been used, and nothing that binds the others. */
@Tag("fault-17")
class KilledProcessIT {
    private final RedisForTests redis = RedisForTests.shared();
    private final String prefix = redis.keyPrefix();

    @ParameterizedTest
    @CsvSource({
        "BEFORE_THE_RESERVE, 0",
        "AFTER_THE_RESERVE, 100",
        "IN_THE_LISTENER_OF_THE_GRANT, 100",
        "AFTER_THE_FLUSH, 10",
        "NOWHERE, 10"
    })
    void aProcessThatIsKilledLeavesChargedWhatItDidNotSettle(Halting.Point point, long charged) throws Exception {
        run(point);
        run(point);

        try (CostGuard guard = Halting.guard(redis.url(), prefix).build()) {
            assertThat(guard.status(Halting.call()).get(0).balance()).isEqualTo(1_000 - 2 * charged);

            guard.acquire(Halting.call()).settle(Cost.requests(1).input(1));
            guard.flush();
            assertThat(guard.status(Halting.call()).get(0).balance()).isEqualTo(1_000 - 2 * charged - 1);
        }
    }

    private void run(Halting.Point point) throws Exception {
        Process process = JavaProcess.of(Halting.class, JavaProcess.SHORT_LIVED, redis.url(), prefix, point.name())
                .inheritIO()
                .start();
        assertThat(process.waitFor()).isEqualTo(point == Halting.Point.NOWHERE ? 0 : Halting.HALTED);
    }
}
