package io.costguard.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.testing.RedisForTests;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class DemoIT {

    @Test
    void theLedgerOfTwoProcessesIsTheProvidersBill() throws IOException, InterruptedException {
        Process demo = start("--redis", RedisForTests.shared().url(), "--calls", "3", "--headless");

        String said = new String(demo.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

        assertThat(demo.waitFor()).as(said).isZero();
        assertThat(said).contains("okhttp-1", "jdk-1", "They are equal.");
        assertThat(said.lines().filter(line -> line.contains(" settled "))).hasSize(6);
    }

    @Test
    void aWrongArgumentIsSaidAndNothingIsStarted() throws IOException, InterruptedException {
        Process demo = start("--calls", "none");

        String said = new String(demo.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

        assertThat(demo.waitFor()).isEqualTo(2);
        assertThat(said).containsOnlyOnce("demo: --calls must be a number from 1 to 100000, not 'none'");
    }

    private static Process start(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Demo.class.getName()));
        command.addAll(List.of(arguments));
        return new ProcessBuilder(command).redirectErrorStream(true).start();
    }
}
