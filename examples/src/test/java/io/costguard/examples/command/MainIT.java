package io.costguard.examples.command;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.describe.LocatedJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The command as a process of its own, with a Redis that it starts itself. */
@Timeout(120)
class MainIT {
    @TempDir
    Path folder;

    @Test
    void theSampleIsReplayedAndReported() throws IOException, InterruptedException {
        Command.Ran ran = run("replay", "samples/calls.jsonl", "--budgets", "samples/budgets.json", "--wait", "30s");

        assertThat(ran.code()).as(ran.err()).isZero();
        assertThat(ran.out())
                .contains("went at once", "were denied", "rate: tokens per minute, capacity 24000", " 98 %");
    }

    @Test
    void scriptsAreToldAsJson() throws IOException, InterruptedException {
        Path calls = Files.writeString(folder.resolve("calls.jsonl"), """
                {"at":"2026-03-02T08:00:00Z","model":"m","input":100,"output":0,"maxOutput":0}
                {"at":"2026-03-02T08:00:01Z","model":"m","input":7,"output":0,"maxOutput":0}
                """);
        Path budgets = Files.writeString(
                folder.resolve("budgets.json"),
                "{\"budgets\":[{\"name\":\"b\",\"limits\":[{\"tokens\":100,\"per\":\"minute\"}]}]}");

        Command.Ran ran = run("replay", calls.toString(), "--budgets", budgets.toString(), "--json");

        assertThat(ran.code()).as(ran.err()).isZero();
        assertThat(LocatedJson.read("out", 1, ran.out()).members("all"))
                .hasEntrySatisfying(
                        "wentAtOnce", went -> assertThat(went.count("it")).isEqualTo(1));
        assertThat(ran.out()).contains("\"retryAfterSeconds\" : 3.2");
    }

    @Test
    void whatIsWrongIsSaidWithFileAndLine() throws IOException, InterruptedException {
        Path calls = Files.writeString(folder.resolve("calls.jsonl"), "{\"at\":\"yesterday\",\"model\":\"m\"}");

        Command.Ran ran = run("replay", calls.toString(), "--budgets", "samples/budgets.json");

        assertThat(ran.code()).isEqualTo(2);
        assertThat(ran.out()).isEmpty();
        assertThat(ran.err())
                .isEqualToIgnoringNewLines(
                        "costguard: " + calls + ":1:7: 'at' must be like 2026-03-02T08:00:00Z, not 'yesterday'");
    }

    @Test
    void anUnknownCommandIsRefused() throws IOException, InterruptedException {
        Command.Ran ran = run("repaly");

        assertThat(ran.code()).isEqualTo(2);
        assertThat(ran.err()).contains("unknown command 'repaly'; --help says what there is");
    }

    private Command.Ran run(String... arguments) throws IOException, InterruptedException {
        return Command.of(folder, arguments).run();
    }
}
