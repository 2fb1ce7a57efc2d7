package io.costguard.browser;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The demo as a process of its own, as the README's first command starts it. */
final class RunningDemo implements AutoCloseable {
    private static final Pattern ADDRESS = Pattern.compile("at (http://127\\.0\\.0\\.1:\\d+/)$");

    private final Process process;
    private final List<String> said = new CopyOnWriteArrayList<>();
    private final CompletableFuture<String> address = new CompletableFuture<>();

    private RunningDemo(Process process) {
        this.process = process;
        Thread ears = new Thread(this::listen, "demo");
        ears.setDaemon(true);
        ears.start();
    }

    static RunningDemo start(String... arguments) throws IOException {
        List<String> command = new java.util.ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "io.costguard.examples.Demo"));
        command.addAll(List.of(arguments));
        return new RunningDemo(
                new ProcessBuilder(command).redirectErrorStream(true).start());
    }

    private void listen() {
        try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                said.add(line);
                Matcher found = ADDRESS.matcher(line);
                if (found.find()) {
                    address.complete(found.group(1));
                }
            }
        } catch (IOException e) {
            said.add(e.toString());
        }
        address.completeExceptionally(new IllegalStateException("it ended without a page: " + said));
    }

    /** Where its page is, once that is said. */
    String page() throws Exception {
        return address.get(2, TimeUnit.MINUTES);
    }

    /** What it said, once it has ended; fails if it does not. */
    String end() throws InterruptedException {
        if (!process.waitFor(2, TimeUnit.MINUTES)) {
            throw new AssertionError("it did not end; it said " + said);
        }
        return String.join("\n", said);
    }

    int status() {
        return process.exitValue();
    }

    @Override
    public void close() {
        process.destroy();
    }
}
