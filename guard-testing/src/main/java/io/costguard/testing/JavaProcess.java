package io.costguard.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A JVM of its own, with the Java and the class path of this one: for what shows only where a process is killed, or has little memory.
 * Safe for use by many threads.
 */
public final class JavaProcess {
    /** Options of a JVM that lives for a second or two: it starts with two thirds of the work. */
    public static final List<String> SHORT_LIVED = List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC");

    private static final int MOST_MINUTES = 5;

    private JavaProcess() {}

    /**
     * {@return one that runs {@code main} once it is started}
     *
     * @param main a class with a main method
     * @param options of the JVM, such as {@code -Xmx64m}
     * @param arguments of the program
     */
    public static ProcessBuilder of(Class<?> main, List<String> options, String... arguments) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(options);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
        command.addAll(List.of(arguments));
        return new ProcessBuilder(command);
    }

    /**
     * Runs {@code main} to its end, and gives what it printed.
     *
     * @param main a class with a main method
     * @param options of the JVM
     * @param arguments of the program
     * @return what it printed
     * @throws AssertionError with what it printed, if it ends with another status than 0, or not within five minutes
     * @throws IOException if it could not be started
     * @throws InterruptedException if this thread is interrupted while it waits
     */
    public static String run(Class<?> main, List<String> options, String... arguments)
            throws IOException, InterruptedException {
        Path printed = Files.createTempFile("java-process", ".txt");
        Process process = of(main, options, arguments)
                .redirectErrorStream(true)
                .redirectOutput(printed.toFile())
                .start();
        try {
            boolean ended = process.waitFor(MOST_MINUTES, TimeUnit.MINUTES);
            String text = Files.readString(printed);
            if (!ended || process.exitValue() != 0) {
                throw new AssertionError(main.getSimpleName() + " " + List.of(arguments)
                        + (ended ? " ended with " + process.exitValue() : " did not end") + ":\n" + text);
            }
            return text;
        } finally {
            process.destroyForcibly();
            Files.delete(printed);
        }
    }
}
