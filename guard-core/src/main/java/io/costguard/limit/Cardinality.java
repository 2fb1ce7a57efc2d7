package io.costguard.limit;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Bounds how many subjects of each budget this process tells apart, so that a stranger who makes up tenants fills neither Redis nor this
 * process, nor gets a fresh balance with each. Those of the last hour are told apart, up to the bound, and stay so while calls of theirs
 * come; what is new beyond it has to share. Safe for use by many threads.
 *
 * <p>Time passes in spans of an hour, or longer where nobody new comes. A subject counts from its first call until the end of the span
 * after that of its last one; as who found it may remember that until a span ends, no span is passed over.
 */
public final class Cardinality {
    private static final Logger log = LoggerFactory.getLogger("io.costguard.CostGuard");

    private static final long SPAN_NANOS = TimeUnit.HOURS.toNanos(1);
    private static final long QUIET_NANOS = TimeUnit.MINUTES.toNanos(1);

    private final int most;
    private final LongSupplier nanoTime;

    private final ReentrantLock lock = new ReentrantLock();
    /** Under the lock. */
    private final Map<String, Known> budgets = new HashMap<>();

    private volatile long spanBegan;
    private final AtomicLong span = new AtomicLong();
    /** Whether somebody shares, who would not in another span. */
    private volatile boolean isExceeded;

    /** The subjects of one budget. None is in both sets. */
    private static final class Known {
        private Set<String> inThisSpan = new HashSet<>();
        private Set<String> inTheLast = new HashSet<>();
        private long toldAt;
        private boolean isTold;

        void nextSpan() {
            inTheLast = inThisSpan;
            inThisSpan = new HashSet<>();
        }
    }

    /** @param most how many subjects of a budget are told apart */
    public Cardinality(int most, LongSupplier nanoTime) {
        this.most = most;
        this.nanoTime = nanoTime;
        this.spanBegan = nanoTime.getAsLong();
    }

    /** The number of the span: what was said in another one may be otherwise now. */
    long span() {
        // Where nobody shares, whoever asks for somebody new ends it.
        if (isExceeded && isOver()) {
            lock.lock();
            try {
                endIfOver();
            } finally {
                lock.unlock();
            }
        }
        return span.get();
    }

    /** Whether this subject of a budget is told apart from others. */
    boolean admits(String budget, String subject) {
        lock.lock();
        try {
            endIfOver();
            Known known = budgets.computeIfAbsent(budget, unused -> new Known());
            if (known.inThisSpan.contains(subject)) {
                return true;
            }
            known.inTheLast.remove(subject); // which leaves room for it
            if (known.inThisSpan.size() + known.inTheLast.size() >= most) {
                isExceeded = true;
                report(budget, known);
                return false;
            }
            known.inThisSpan.add(subject);
            return true;
        } finally {
            lock.unlock();
        }
    }

    private boolean isOver() {
        return nanoTime.getAsLong() - spanBegan >= SPAN_NANOS;
    }

    private void endIfOver() {
        if (isOver()) {
            spanBegan = nanoTime.getAsLong();
            budgets.values().forEach(Known::nextSpan);
            isExceeded = false;
            span.incrementAndGet();
        }
    }

    private void report(String budget, Known known) {
        long now = nanoTime.getAsLong();
        if (known.isTold && now - known.toldAt < QUIET_NANOS) {
            return;
        }
        known.isTold = true;
        known.toldAt = now;
        log.warn(
                "budget '{}' is counted for more than {} subjects in this process within the hour: new ones share one"
                        + " balance (cardinalityLimit); not repeated for a minute",
                budget,
                most);
    }
}
