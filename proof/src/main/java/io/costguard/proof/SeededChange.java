package io.costguard.proof;

import io.costguard.testing.JavaProcess;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;

/**
 * The library with one fault put in: a part of one of its files is another. It is made in a directory that comes first on the class path of a
 * JVM of its own, which runs a check.
 *
 * @param name what is wrong then
 * @param file below the sources of the library, with its package
 * @param what the file has there, exactly once
 * @param with what it has instead
 * @param checks which must find it, together
 */
record SeededChange(String name, String file, String what, String with, String checks) {
    private static final Path MAIN = Path.of("guard-core", "src", "main");
    private static final int MOST_MINUTES = 10;
    private static final List<String> OPTIONS = Stream.concat(JavaProcess.SHORT_LIVED.stream(), Stream.of("-Xmx512m"))
            .toList();

    /** What a check said. */
    enum Outcome {
        MET,
        SHORT,
        NOT_TRIED
    }

    /** @param printed what it printed, which tells the history of what was found */
    record Told(Outcome outcome, String printed) {}

    /** Runs checks over the library as it is. */
    static Told unchanged(String checks, long seed) throws IOException, InterruptedException {
        Path none = Files.createTempDirectory("proof-unchanged");
        try {
            return run(none, checks, seed);
        } finally {
            Files.delete(none);
        }
    }

    /**
     * Runs its checks over the library with this in it.
     *
     * @throws IllegalStateException if the library does not have exactly one such place, or is not Java with it
     */
    Told tell(long seed) throws IOException, InterruptedException {
        Path directory = Files.createTempDirectory("proof-seeded");
        try {
            Path changed = directory.resolve(file);
            Files.createDirectories(changed.getParent());
            Files.writeString(changed, changed());
            if (file.endsWith(".java")) {
                compile(changed, directory);
            }
            return run(directory, checks, seed);
        } finally {
            delete(directory);
        }
    }

    private Path source() {
        String kind = file.endsWith(".java") ? "java" : "resources";
        for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
            Path source = at.resolve(MAIN).resolve(kind).resolve(file);
            if (Files.exists(source)) {
                return source;
            }
        }
        throw new IllegalStateException("no source " + file + " here: this is to be run in the project's directory");
    }

    /**
     * {@return the file with this in it}
     *
     * @throws IllegalStateException if it does not have exactly one such place
     */
    String changed() throws IOException {
        String text = Files.readString(source());
        int at = text.indexOf(what);
        if (at < 0 || text.indexOf(what, at + 1) >= 0) {
            throw new IllegalStateException(file + " has " + (at < 0 ? "no longer" : "more than once") + " what '"
                    + name + "' changes:\n" + what);
        }
        return text.substring(0, at) + with + text.substring(at + what.length());
    }

    private void compile(Path source, Path directory) {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        if (compiler == null) {
            throw new IllegalStateException("this needs a JDK, with a compiler");
        }
        String classPath = System.getProperty("java.class.path");
        int status = compiler.run(
                null,
                System.out,
                System.err,
                "-nowarn",
                "-proc:none",
                "-parameters",
                "-cp",
                classPath,
                "-d",
                directory.toString(),
                source.toString());
        if (status != 0) {
            throw new IllegalStateException("'" + name + "' is not Java");
        }
    }

    private static Told run(Path first, String checks, long seed) throws IOException, InterruptedException {
        Path printed = Files.createTempFile("proof-seeded", ".txt");
        ProcessBuilder builder =
                JavaProcess.of(Proof.class, OPTIONS, "--brief", "--seed", Long.toString(seed), "--only", checks);
        String classPath = System.getProperty("java.class.path");
        builder.command().replaceAll(word -> word.equals(classPath) ? first + File.pathSeparator + classPath : word);
        Process process = builder.redirectErrorStream(true)
                .redirectOutput(printed.toFile())
                .start();
        try {
            boolean ended = process.waitFor(MOST_MINUTES, TimeUnit.MINUTES);
            String text = Files.readString(printed, StandardCharsets.UTF_8);
            if (!ended) {
                return new Told(Outcome.NOT_TRIED, text + "\ndid not end");
            }
            boolean isShort = text.lines().anyMatch(line -> line.endsWith(" short") && !line.contains("seed"));
            boolean isTried = !text.contains("could not be tried");
            Outcome outcome = process.exitValue() == 0 && isTried
                    ? Outcome.MET
                    : process.exitValue() == 1 && isTried && isShort ? Outcome.SHORT : Outcome.NOT_TRIED;
            return new Told(outcome, text);
        } finally {
            // So that it ends the servers that it started.
            process.destroy();
            if (!process.waitFor(1, TimeUnit.MINUTES)) {
                process.destroyForcibly();
            }
            Files.delete(printed);
        }
    }

    private static void delete(Path directory) throws IOException {
        try (Stream<Path> all = Files.walk(directory)) {
            for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(each);
            }
        }
    }
}
