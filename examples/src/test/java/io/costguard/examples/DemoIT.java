package io.costguard.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.testing.RedisForTests;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class DemoIT {

    @Test
    @Tag("invariant-11")
    void theLedgerOfTwoProcessesIsTheProvidersBill() throws IOException, InterruptedException {
        Process demo = start("--redis", RedisForTests.shared().url(), "--calls", "3", "--headless");

        String said = new String(demo.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

        assertThat(demo.waitFor()).as(said).isZero();
        assertThat(said).contains("okhttp-1", "jdk-1", "They are equal.");
        assertThat(said.lines().filter(line -> line.contains(" settled "))).hasSize(6);
        assertThat(said).doesNotContain("Watch it");
    }

    @Test
    void itStaysWhileThePageIsOpenAndEndsWithItsSummaryOnceThatIsClosed() throws IOException, InterruptedException {
        Process demo = start("--redis", RedisForTests.shared().url(), "--calls", "1");
        try (BufferedReader lines = demo.inputReader(StandardCharsets.UTF_8)) {
            String address = await(lines, "Watch it").replaceAll(".* at ", "");
            HttpResponse<Stream<String>> live = HttpClient.newHttpClient()
                    .send(HttpRequest.newBuilder(URI.create(address + "live")).build(), BodyHandlers.ofLines());
            await(lines, "The page is open");
            live.body().close();

            await(lines, "The page was closed.");
            String summary = lines.lines().collect(Collectors.joining("\n"));
            assertThat(summary).contains("They are equal.");
            assertThat(demo.waitFor()).as(summary).isZero();
        }
    }

    @Test
    void interruptedItLeavesNoProcessBehind() throws Exception {
        Process demo = start("--calls", "100");
        try (BufferedReader lines = demo.inputReader(StandardCharsets.UTF_8)) {
            await(lines, " granted ");
            List<ProcessHandle> children = demo.descendants().toList();
            assertThat(children).as("a Redis and two workers").hasSizeGreaterThanOrEqualTo(3);

            demo.destroy();

            for (ProcessHandle child : children) {
                child.onExit().get(60, TimeUnit.SECONDS);
            }
            assertThat(demo.waitFor()).isNotZero();
        }
    }

    @Test
    void aWrongArgumentIsSaidAndNothingIsStarted() throws IOException, InterruptedException {
        Process demo = start("--calls", "none");

        String said = new String(demo.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

        assertThat(demo.waitFor()).isEqualTo(2);
        assertThat(said).containsOnlyOnce("demo: --calls must be a number from 1 to 100000, not 'none'");
    }

    private static String await(BufferedReader lines, String part) throws IOException {
        String line;
        do {
            line = lines.readLine();
            assertThat(line).as("a line with '" + part + "'").isNotNull();
        } while (!line.contains(part));
        return line;
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
