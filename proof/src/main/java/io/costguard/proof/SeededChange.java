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
 * @param check which must find it, or a part of one
 * @param figures parts of the names of those of its figures of which one must be short then: mostly there is but one that tells of it
 */
record SeededChange(String name, String file, String what, String with, String check, List<String> figures) {
    private static final Path MAIN = Path.of("guard-core", "src", "main");
    private static final int MOST_MINUTES = 10;
    private static final List<String> OPTIONS = Stream.concat(JavaProcess.SHORT_LIVED.stream(), Stream.of("-Xmx512m"))
            .toList();

    /**
     * What a check said.
     *
     * @param shortOf the names of the figures that are short
     * @param printed what it printed, which tells the history of what was found
     */
    record Told(Outcome outcome, List<String> shortOf, String printed) {
        static Told of(int status, String printed) {
            List<String> shortOf = printed.lines()
                    .flatMap(line -> Figure.in(line).stream())
                    .filter(figure -> !figure.isMet())
                    .map(Figure::name)
                    .toList();
            return new Told(Outcome.ofStatus(status), shortOf, printed);
        }

        boolean isMet() {
            return outcome == Outcome.MET;
        }

        /** Whether one of these is short; what else is says nothing of it. */
        boolean isShortOf(List<String> figures) {
            return outcome == Outcome.SHORT
                    && shortOf.stream().anyMatch(name -> figures.stream().anyMatch(name::contains));
        }
    }

    SeededChange(String name, String file, String what, String with, String check, String figure) {
        this(name, file, what, with, check, List.of(figure));
    }

    /** Runs a check over the library as it is. */
    static Told unchanged(String check, long seed) throws IOException, InterruptedException {
        Path none = Files.createTempDirectory("proof-unchanged");
        try {
            return run(none, check, seed);
        } finally {
            Files.delete(none);
        }
    }

    /**
     * Runs its check over the library with this in it.
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
            return run(directory, check, seed);
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

    private static Told run(Path first, String check, long seed) throws IOException, InterruptedException {
        Path printed = Files.createTempFile("proof-seeded", ".txt");
        ProcessBuilder builder =
                JavaProcess.of(Proof.class, OPTIONS, "--brief", "--seed", Long.toString(seed), "--only", check);
        String classPath = System.getProperty("java.class.path");
        builder.command().replaceAll(word -> word.equals(classPath) ? first + File.pathSeparator + classPath : word);
        Process process = builder.redirectErrorStream(true)
                .redirectOutput(printed.toFile())
                .start();
        try {
            boolean ended = process.waitFor(MOST_MINUTES, TimeUnit.MINUTES);
            String text = Files.readString(printed, StandardCharsets.UTF_8);
            return ended
                    ? Told.of(process.exitValue(), text)
                    : new Told(Outcome.NOT_TRIED, List.of(), text + "\ndid not end");
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
