package io.costguard;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;

/** What is logged, which is to standard error in tests: who looks at it takes a {@code ResourceLock} on that. */
public final class Logged {
    private Logged() {}

    /** The lines that are logged while {@code action} runs. */
    public static String by(Runnable action) {
        return by(lines -> action.run());
    }

    /** The lines that are logged from when {@code action} runs until one of them has these words. */
    public static String until(String words, Runnable action) {
        return by(lines -> {
            action.run();
            Awaiting.await(() -> lines.toString(StandardCharsets.UTF_8).contains(words));
        });
    }

    private static String by(Consumer<ByteArrayOutputStream> action) {
        PrintStream before = System.err;
        ByteArrayOutputStream lines = new ByteArrayOutputStream();
        System.setErr(new PrintStream(lines, true, StandardCharsets.UTF_8));
        try {
            action.accept(lines);
        } finally {
            System.setErr(before);
        }
        return lines.toString(StandardCharsets.UTF_8);
    }
}
