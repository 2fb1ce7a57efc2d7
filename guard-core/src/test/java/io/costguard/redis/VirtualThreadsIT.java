package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.testing.JavaProcess;
import io.costguard.testing.RedisForTests;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;

/** Calls of virtual threads. */
@Timeout(120)
@EnabledForJreRange(min = JRE.JAVA_21, disabledReason = "there are no virtual threads before")
@Tag("fault-35")
class VirtualThreadsIT {
    @Test
    void aThousandWaitersDoNotHoldTheirOnlyCarrier() throws Exception {
        Process process = JavaProcess.of(
                        OneCarrier.class,
                        List.of(
                                "-Djdk.virtualThreadScheduler.parallelism=1",
                                "-Djdk.virtualThreadScheduler.maxPoolSize=1"),
                        RedisForTests.shared().url(),
                        RedisForTests.shared().keyPrefix())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

        assertThat(process.waitFor()).as(said).isZero();
        assertThat(said.lines()).containsExactly("all gone", "0 pinned");
    }
}
