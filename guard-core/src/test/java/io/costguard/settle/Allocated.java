package io.costguard.settle;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/** How much memory the current thread has asked for: what it does in vain shows, and no clock is needed. */
final class Allocated {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private Allocated() {}

    static long bytes() {
        return THREADS.getThreadAllocatedBytes(Thread.currentThread().getId());
    }
}
