package io.costguard.benchmarks;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicInteger;

/** What many callers get out of it: decisions a second, and how long one of them takes. */
final class Load {
    private static final int MOST_TIMED = 200_000;

    private final ThreadFactory threads;
    private final int callers;
    private final long nanos;
    private final Rounds rates = new Rounds();
    private final Rounds p99s = new Rounds();

    private Load(ThreadFactory threads, int callers, long nanos) {
        this.threads = threads;
        this.callers = callers;
        this.nanos = nanos;
    }

    /** Lets it run for so long. */
    static void run(Contender contender, ThreadFactory threads, int callers, int millis) throws Exception {
        new Load(threads, callers, millis * 1_000_000L).slot(contender);
    }

    /** Slots of so many milliseconds; each caller's calls go over the contender's subjects in turn. */
    static Load measure(
            List<Contender> contenders, ThreadFactory threads, int callers, Effort effort, int rounds, int millis)
            throws Exception {
        for (Contender contender : contenders) {
            WarmUp.run(contender, threads, callers, effort);
        }
        Load load = new Load(threads, callers, millis * 1_000_000L);
        Rounds.interleave(contenders, rounds, load::slot);
        return load;
    }

    private void slot(Contender contender) throws Exception {
        int timed = MOST_TIMED / callers;
        int keys = contender.keys();
        long[][] took = new long[callers][timed];
        long[] counts = new long[callers];
        long all = Crowd.run(threads, callers, (caller, began) -> {
            int count = 0;
            int key = caller % keys;
            long start = System.nanoTime();
            while (start - began < nanos) {
                contender.decide(key);
                long now = System.nanoTime();
                took[caller][count++ % timed] = now - start;
                start = now;
                key = (key + callers) % keys;
            }
            counts[caller] = count;
        });
        rates.add(contender, Arrays.stream(counts).sum() * 1e9 / all);
        long[][] kept = new long[callers][];
        for (int caller = 0; caller < callers; caller++) {
            kept[caller] = Arrays.copyOf(took[caller], (int) Math.min(timed, counts[caller]));
        }
        long[] sorted =
                Arrays.stream(kept).flatMapToLong(Arrays::stream).sorted().toArray();
        p99s.add(contender, (double) Sample.at(sorted, 0.99));
    }

    /** Has so many calls decided, untimed, over all of the contender's subjects in turn. */
    static void count(Contender contender, int callers, int calls) throws Exception {
        AtomicInteger left = new AtomicInteger(calls);
        Crowd.run(Thread::new, callers, (caller, began) -> {
            for (int next = left.decrementAndGet(); next >= 0; next = left.decrementAndGet()) {
                contender.decide(next % contender.keys());
            }
        });
    }

    /** Decisions a second. */
    Rounds rates() {
        return rates;
    }

    /** In nanoseconds. */
    Rounds p99() {
        return p99s;
    }
}
