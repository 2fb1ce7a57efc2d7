package io.costguard.benchmarks;

import java.util.concurrent.ThreadFactory;

/** Virtual threads, where this Java has them. */
final class Threads {
    private Threads() {}

    static boolean hasVirtual() {
        return Runtime.version().feature() >= 21;
    }

    static ThreadFactory virtual() throws ReflectiveOperationException {
        Object builder = Thread.class.getMethod("ofVirtual").invoke(null);
        return (ThreadFactory)
                Class.forName("java.lang.Thread$Builder").getMethod("factory").invoke(builder);
    }
}
