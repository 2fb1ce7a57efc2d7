package io.costguard.proof.fleet;

import io.costguard.testing.JavaProcess;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * JVMs of workers, which take what is in a directory for the library's own where it has the same name. All but the first start in half the time:
 * from what that had loaded, which a JVM archives only where its whole class path is archives. Safe for use by many threads.
 */
final class WorkerJvm {
    private static final List<String> OPTIONS = List.of("-Xmx64m", "-Xlog:disable", "-Xlog:all=error:stderr");
    private static final int MOST_MINUTES = 2;

    private final String classPath;
    private final Path archive;

    /** @param first what comes before the library; the archives are put there too */
    WorkerJvm(Path first) throws IOException, InterruptedException {
        Path jar = Files.createTempFile(first, "directories", ".jar");
        Set<String> path = new LinkedHashSet<>(List.of(jar.toString()));
        List<Path> directories = new ArrayList<>(List.of(first));
        for (String element : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
            if (Files.isDirectory(Path.of(element))) {
                directories.add(Path.of(element));
            } else {
                path.add(element);
            }
        }
        pack(jar, directories);
        classPath = String.join(File.pathSeparator, path);
        archive = first.resolve("classes.jsa");
        archiveClasses(first);
    }

    private static void pack(Path jar, List<Path> directories) throws IOException {
        Set<String> names = new HashSet<>();
        try (OutputStream file = Files.newOutputStream(jar);
                ZipOutputStream out = new ZipOutputStream(file)) {
            for (Path directory : directories) {
                List<Path> files;
                try (Stream<Path> found = Files.walk(directory)) {
                    files = found.filter(Files::isRegularFile)
                            .filter(each -> !each.equals(jar))
                            .toList();
                }
                for (Path each : files) {
                    String name = directory.relativize(each).toString().replace(File.separatorChar, '/');
                    if (names.add(name)) {
                        out.putNextEntry(new ZipEntry(name));
                        Files.copy(each, out);
                    }
                }
            }
        }
    }

    /** One that calls nobody, as there is neither a Redis nor a provider, and ends. */
    private void archiveClasses(Path directory) throws IOException, InterruptedException {
        Path journal = directory.resolve("journal-of-none");
        Process process = start(
                directory.resolve("error-of-none"),
                List.of("-XX:ArchiveClassesAtExit=" + archive),
                "redis://127.0.0.1:1",
                "none",
                journal.toString(),
                "http://127.0.0.1:1",
                Worker.Client.OKHTTP.name(),
                Worker.Point.NOWHERE.name(),
                "0",
                "0",
                "0",
                "0",
                "0");
        process.getOutputStream().write('\n');
        process.getOutputStream().flush();
        if (!process.waitFor(MOST_MINUTES, TimeUnit.MINUTES)) {
            process.destroyForcibly();
            throw new IllegalStateException("a worker that calls nobody does not end");
        }
    }

    /** {@return a worker that calls already} */
    Process start(Path errors, String... arguments) throws IOException {
        return start(errors, List.of("-XX:SharedArchiveFile=" + archive), arguments);
    }

    private Process start(Path errors, List<String> more, String... arguments) throws IOException {
        List<String> options = new ArrayList<>(JavaProcess.SHORT_LIVED);
        options.addAll(OPTIONS);
        options.addAll(more);
        ProcessBuilder builder = JavaProcess.of(Worker.class, options, arguments);
        List<String> command = builder.command();
        command.set(command.indexOf("-cp") + 1, classPath);
        Process process = builder.redirectError(errors.toFile()).start();
        if (!"ready".equals(process.inputReader(StandardCharsets.UTF_8).readLine())) {
            process.destroyForcibly();
            throw new IllegalStateException("a worker did not start: " + Files.readString(errors));
        }
        return process;
    }
}
