package io.costguard;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/** What is logged, which is to standard error in tests: who looks at it takes a {@code ResourceLock} on that. */
public final class Logged {
    private Logged() {}

    /** The lines that are logged while {@code action} runs. */
    public static String by(Runnable action) {
        PrintStream before = System.err;
        ByteArrayOutputStream lines = new ByteArrayOutputStream();
        System.setErr(new PrintStream(lines, true, StandardCharsets.UTF_8));
        try {
            action.run();
        } finally {
            System.setErr(before);
        }
        return lines.toString(StandardCharsets.UTF_8);
    }
}
