package io.costguard.benchmarks;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** What many callers get out of it: decisions a second, and how long one of them takes, over interleaved rounds. */
final class Load {
    private static final int MOST_TIMED = 200_000;

    private final Rounds rates = new Rounds();
    private final Rounds p99s = new Rounds();

    /** @param keys the callers' calls go over so many subjects in turn */
    static Load measure(
            List<Contender> contenders, ThreadFactory threads, int callers, int keys, int rounds, long millis)
            throws Exception {
        Load load = new Load();
        for (Contender contender : contenders) {
            load.run(contender, threads, callers, keys, millis);
        }
        load.rates.clear();
        load.p99s.clear();
        for (int round = 0; round < rounds; round++) {
            List<Contender> order = new ArrayList<>(contenders);
            Collections.shuffle(order, new Random(round));
            for (Contender contender : order) {
                load.run(contender, threads, callers, keys, millis);
            }
        }
        return load;
    }

    private void run(Contender contender, ThreadFactory threads, int callers, int keys, long millis) throws Exception {
        int timed = MOST_TIMED / callers;
        long[][] nanos = new long[callers][timed];
        long[] counts = new long[callers];
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        CountDownLatch begin = new CountDownLatch(1);
        CountDownLatch done = new CountDownLatch(callers);
        long[] until = new long[1];
        for (int caller = 0; caller < callers; caller++) {
            int mine = caller;
            threads.newThread(() -> {
                        try {
                            begin.await();
                            long end = until[0];
                            long count = 0;
                            int key = mine % keys;
                            long start = System.nanoTime();
                            while (start - end < 0) {
                                contender.decide(key);
                                long now = System.nanoTime();
                                nanos[mine][(int) (count++ % timed)] = now - start;
                                start = now;
                                key = (key + callers) % keys;
                            }
                            counts[mine] = count;
                        } catch (Throwable e) {
                            failure.compareAndSet(null, e);
                        } finally {
                            done.countDown();
                        }
                    })
                    .start();
        }
        LockSupport.parkNanos(20_000_000);
        long start = System.nanoTime();
        until[0] = start + millis * 1_000_000;
        begin.countDown();
        done.await();
        double seconds = (System.nanoTime() - start) / 1e9;
        if (failure.get() != null) {
            throw new IllegalStateException(contender.name() + " failed", failure.get());
        }
        rates.add(contender, Arrays.stream(counts).sum() / seconds);
        long[] all = new long[0];
        for (int caller = 0; caller < callers; caller++) {
            int before = all.length;
            int more = (int) Math.min(timed, counts[caller]);
            all = Arrays.copyOf(all, before + more);
            System.arraycopy(nanos[caller], 0, all, before, more);
        }
        p99s.add(contender, (double) Sample.at(Sample.sorted(all), 0.99));
    }

    /** Has so many calls decided, untimed. */
    static void count(Contender contender, int callers, int keys, int calls) throws Exception {
        AtomicInteger left = new AtomicInteger(calls);
        AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
        Thread[] threads = new Thread[callers];
        for (int caller = 0; caller < callers; caller++) {
            threads[caller] = new Thread(() -> {
                try {
                    for (int next = left.decrementAndGet(); next >= 0; next = left.decrementAndGet()) {
                        contender.decide(next % keys);
                    }
                } catch (Throwable e) {
                    failure.compareAndSet(null, e);
                }
            });
            threads[caller].start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        if (failure.get() != null) {
            throw new IllegalStateException(contender.name() + " failed", failure.get());
        }
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
