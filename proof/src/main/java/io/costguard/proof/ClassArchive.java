package io.costguard.proof;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * A class path that has what is in a directory in the place of what has the same name, and what JVMs loaded from it once: they start in half the time.
 * A JVM archives that only where its whole class path is archives. Safe for use by many threads.
 */
public final class ClassArchive {
    private static final Duration AT_MOST = Duration.ofMinutes(2);

    private final String classPath;
    private final Path archive;

    /**
     * Has one run, and end.
     *
     * @param first what comes before the library; the archives are put there too
     * @param orders what that one is told
     * @param arguments of that one
     */
    public ClassArchive(Path first, Class<?> main, List<String> options, List<String> orders, String... arguments)
            throws IOException, InterruptedException {
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
        List<String> all = new ArrayList<>(options);
        all.add("-XX:ArchiveClassesAtExit=" + archive);
        try (ChildJvm jvm = ChildJvm.start(classPath, main, all, arguments)) {
            for (String order : orders) {
                jvm.tell(order);
            }
            jvm.run(AT_MOST, line -> {});
        }
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

    /** {@return one that runs from it} */
    public ChildJvm start(Class<?> main, List<String> options, String... arguments) throws IOException {
        List<String> all = new ArrayList<>(options);
        all.add("-XX:SharedArchiveFile=" + archive);
        return ChildJvm.start(classPath, main, all, arguments);
    }
}
