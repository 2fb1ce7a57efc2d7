package io.costguard.examples.command;

import io.costguard.testing.JavaProcess;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** The command as a process of its own. */
final class Command {
    private final Path folder;
    private final ProcessBuilder builder;
    private String input = "";

    private Command(Path folder, ProcessBuilder builder) {
        this.folder = folder;
        this.builder = builder;
    }

    /** @param folder for what it prints */
    static Command of(Path folder, String... arguments) {
        return new Command(folder, JavaProcess.of(Main.class, JavaProcess.SHORT_LIVED, arguments));
    }

    Command with(String variable, String value) {
        builder.environment().put(variable, value);
        return this;
    }

    Command reading(String lines) {
        input = lines;
        return this;
    }

    /** What it ended with, and printed. */
    record Ran(int code, String out, String err) {}

    Ran run() throws IOException, InterruptedException {
        Path out = folder.resolve("out");
        Path err = folder.resolve("err");
        Process process =
                builder.redirectOutput(out.toFile()).redirectError(err.toFile()).start();
        try (OutputStream in = process.getOutputStream()) {
            in.write(input.getBytes(StandardCharsets.UTF_8));
        }
        int code = process.waitFor();
        return new Ran(
                code, Files.readString(out, StandardCharsets.UTF_8), Files.readString(err, StandardCharsets.UTF_8));
    }

    /** Started, to be ended by the caller. */
    Process start() throws IOException {
        return builder.redirectError(ProcessBuilder.Redirect.INHERIT).start();
    }
}
