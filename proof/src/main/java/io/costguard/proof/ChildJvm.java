package io.costguard.proof;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.costguard.testing.JavaProcess;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** A process that tells line by line what it came to; what it logs is kept. For one thread. */
public final class ChildJvm implements AutoCloseable {
    /** They start fast, and take little of two processors. */
    private static final List<String> OPTIONS =
            List.of("-XX:+UseSerialGC", "-Xshare:auto", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");

    private static final Duration LONGEST_SILENCE = Duration.ofMinutes(5);

    private final Class<?> main;
    private final Path log;
    private final Process process;
    private final BufferedReader lines;

    private ChildJvm(String classPath, Class<?> main, List<String> options, String... arguments) throws IOException {
        this.main = main;
        this.log = Files.createTempFile("proof", ".log");
        List<String> all = new ArrayList<>(OPTIONS);
        all.addAll(options);
        ProcessBuilder builder = JavaProcess.of(main, all, arguments);
        List<String> command = builder.command();
        command.set(command.indexOf("-cp") + 1, classPath);
        this.process = builder.redirectError(log.toFile()).start();
        this.lines = process.inputReader(UTF_8);
    }

    public static ChildJvm start(Class<?> main, List<String> options, String... arguments) throws IOException {
        return start(System.getProperty("java.class.path"), main, options, arguments);
    }

    static ChildJvm start(String classPath, Class<?> main, List<String> options, String... arguments)
            throws IOException {
        return new ChildJvm(classPath, main, options, arguments);
    }

    /** Called in such a process that reads nothing from its standard input: ends it, should its parent be killed. */
    public static void endWithParent() {
        Thread watch = new Thread(
                () -> {
                    try {
                        while (System.in.read() >= 0) {
                            // Nothing is said.
                        }
                    } catch (IOException e) {
                        // As if it had ended.
                    }
                    Runtime.getRuntime().halt(1);
                },
                "end-with-parent");
        watch.setDaemon(true);
        watch.start();
    }

    /** Takes what it prints until it has ended. */
    interface Line {
        void told(String line) throws IOException;
    }

    /**
     * Runs it to its end.
     *
     * @throws AssertionError with the end of what it logged, if it ends with another status than 0, or not in time
     */
    void run(Duration atMost, Line line) throws IOException, InterruptedException {
        CompletableFuture<Void> ended = killedUnlessIn(atMost);
        for (String text = lines.readLine(); text != null; text = lines.readLine()) {
            line.told(text);
        }
        int status = process.waitFor();
        ended.complete(null);
        if (status != 0) {
            throw new AssertionError(main.getSimpleName() + " ended with " + status + ":\n" + end(logged()));
        }
    }

    /** It is killed if that is not completed so soon. */
    private CompletableFuture<Void> killedUnlessIn(Duration atMost) {
        CompletableFuture<Void> done =
                new CompletableFuture<Void>().orTimeout(atMost.toMillis(), TimeUnit.MILLISECONDS);
        CompletableFuture<Void> unused = done.exceptionally(late -> {
            process.destroyForcibly();
            return null;
        });
        return done;
    }

    /** Tells it a line. */
    public void tell(String line) throws IOException {
        process.getOutputStream().write((line + "\n").getBytes(UTF_8));
        process.getOutputStream().flush();
    }

    /**
     * Waits for the next line that it tells, for some minutes at most.
     *
     * @throws IOException with the end of what it logged, if it has ended, or is killed as it tells nothing
     */
    public String hear() throws IOException {
        CompletableFuture<Void> heard = killedUnlessIn(LONGEST_SILENCE);
        String line;
        try {
            line = lines.readLine();
        } finally {
            heard.complete(null);
        }
        if (line == null) {
            throw new IOException(main.getSimpleName() + " has ended, or told nothing for "
                    + LONGEST_SILENCE.toMinutes() + " minutes:\n" + end(logged()));
        }
        return line;
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    /** Sends it a signal of that name. */
    public void signal(String name) throws IOException, InterruptedException {
        new ProcessBuilder("sh", "-c", "kill -" + name + " " + process.pid())
                .start()
                .waitFor();
    }

    /**
     * Returns once it has ended.
     *
     * @throws IllegalStateException with the end of what it logged, if it ends with another status, or not in time
     */
    public void awaitEnd(Duration atMost, int status) throws IOException, InterruptedException {
        boolean ended = process.waitFor(atMost.toSeconds(), TimeUnit.SECONDS);
        if (!ended || process.exitValue() != status) {
            throw new IllegalStateException(main.getSimpleName()
                    + (ended ? " ended with " + process.exitValue() : " did not end") + ":\n" + end(logged()));
        }
    }

    /** {@return what it logged so far} */
    String logged() throws IOException {
        return Files.readString(log, UTF_8);
    }

    private static String end(String text) {
        return text.substring(Math.max(0, text.length() - 4_000));
    }

    @Override
    public void close() throws IOException {
        process.destroyForcibly().onExit().join();
        Files.deleteIfExists(log);
    }
}
