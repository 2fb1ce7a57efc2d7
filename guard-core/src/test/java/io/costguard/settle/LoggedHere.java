package io.costguard.settle;

import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** What each thread of a process logs, which is to standard error: what a reading logs, its own thread does. Safe for use by many threads. */
public final class LoggedHere {
    private static final ThreadLocal<@Nullable ByteArrayOutputStream> OF_THREAD = new ThreadLocal<>();
    private static final ByteArrayOutputStream OF_OTHERS = new ByteArrayOutputStream();

    private LoggedHere() {}

    /** From now on, lines are kept for who asks, and shown to nobody else. */
    public static void watch() {
        System.setErr(new PrintStream(
                new OutputStream() {
                    @Override
                    public void write(int b) {
                        lines().write(b);
                    }

                    @Override
                    public void write(byte[] bytes, int offset, int length) {
                        lines().write(bytes, offset, length);
                    }
                },
                true,
                StandardCharsets.UTF_8));
    }

    private static ByteArrayOutputStream lines() {
        ByteArrayOutputStream lines = OF_THREAD.get();
        return lines == null ? OF_OTHERS : lines;
    }

    /** {@return what this thread has logged since it first asked, and since it last asked} */
    public static String here() {
        if (OF_THREAD.get() == null) {
            OF_THREAD.set(new ByteArrayOutputStream());
        }
        return text(OF_THREAD.get());
    }

    /** {@return what threads have logged that never asked, since anybody last asked for that} */
    public static String elsewhere() {
        return text(OF_OTHERS);
    }

    private static String text(ByteArrayOutputStream lines) {
        synchronized (lines) {
            String text = lines.size() == 0 ? "" : lines.toString(StandardCharsets.UTF_8);
            lines.reset();
            return text;
        }
    }
}
