package io.costguard.redis;

import io.costguard.GuardUnavailableException;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Patience;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;

/** Threads that reserve and settle as fast as they are answered, what they were told, and what that adds up to. */
final class Callers {
    /** What nobody should wait beyond a deadline, however slow the machine: whoever does hangs. */
    private static final Duration HANGS_AFTER = Duration.ofSeconds(5);

    /** A leader's end. */
    static final class LeaderDied extends LinkageError {
        private static final long serialVersionUID = 1L;
    }

    /** What callers run on. */
    enum Kind {
        PLATFORM,
        VIRTUAL;

        boolean isThere() {
            return this == PLATFORM || Runtime.version().feature() >= 21;
        }

        private ThreadFactory threads() {
            if (this == PLATFORM) {
                return Thread::new;
            }
            try {
                Object builder = Thread.class.getMethod("ofVirtual").invoke(null);
                return (ThreadFactory) Class.forName("java.lang.Thread$Builder")
                        .getMethod("factory")
                        .invoke(builder);
            } catch (ReflectiveOperationException e) {
                throw new LinkageError("this Java has no virtual threads", e);
            }
        }

        Thread start(String name, Runnable task) {
            Thread thread = threads().newThread(task);
            thread.setName(name);
            if (this == PLATFORM) {
                thread.setDaemon(true);
            }
            thread.start();
            return thread;
        }
    }

    private final RedisLedger ledger;
    private final Subject subject;
    private final Duration patience;
    private final List<Caller> callers = new ArrayList<>();
    private volatile boolean stopped;

    final AtomicLong charged = new AtomicLong();
    final AtomicLong granted = new AtomicLong();
    final AtomicLong interrupted = new AtomicLong();
    final AtomicLong settles = new AtomicLong();
    final AtomicLong settled = new AtomicLong();
    final Queue<LeaderDied> deaths = new ConcurrentLinkedQueue<>();
    final Queue<GuardUnavailableException> failures = new ConcurrentLinkedQueue<>();
    /** What should never happen. */
    final Queue<Throwable> wrongs = new ConcurrentLinkedQueue<>();

    /** @param patience how long a caller gives each decision */
    Callers(RedisLedger ledger, Subject subject, Duration patience) {
        this.ledger = ledger;
        this.subject = subject;
        this.patience = patience;
    }

    /** Has so many callers make so many calls each, unless they are stopped before. */
    void start(Kind kind, int count, int calls, Random random) {
        for (int i = 0; i < count; i++) {
            callers.add(new Caller(calls, new Random(random.nextLong())));
        }
        for (int i = 0; i < count; i++) {
            callers.get(i).thread = kind.start("caller-" + i, callers.get(i)::run);
        }
    }

    /** Interrupts somebody who waits for a decision, at most once for each; says whether there is anybody left to interrupt. */
    boolean interruptSomebody(Random random) {
        callers.get(random.nextInt(callers.size())).interruptOnce();
        return callers.stream().anyMatch(caller -> caller.thread.isAlive());
    }

    void stop() {
        stopped = true;
    }

    /** Returns when all callers are done, and fails, with the stacks of those who are not, when that is long overdue. */
    void join(Duration atMost) throws InterruptedException {
        long deadline = System.nanoTime() + atMost.toNanos();
        StringBuilder hung = new StringBuilder();
        for (Caller caller : callers) {
            caller.thread.join(Math.max(1, (deadline - System.nanoTime()) / 1_000_000));
            if (caller.thread.isAlive()) {
                hung.append(stackOf(caller.thread));
            }
        }
        if (hung.length() > 0) {
            throw new AssertionError("these hang:" + hung);
        }
    }

    static String stackOf(Thread thread) {
        StringBuilder text = new StringBuilder("\n" + thread.getName() + ", " + thread.getState());
        for (StackTraceElement frame : thread.getStackTrace()) {
            text.append("\n    at ").append(frame);
        }
        return text.toString();
    }

    @Override
    public String toString() {
        return granted + " granted, " + failures.size() + " failed, " + deaths.size() + " died, " + interrupted
                + " interrupted, " + settled + " of " + settles + " settled";
    }

    private final class Caller {
        private final int calls;
        private final Random random;
        private Thread thread = Thread.currentThread();
        private boolean asks;
        private boolean isInterrupted;

        Caller(int calls, Random random) {
            this.calls = calls;
            this.random = random;
        }

        void run() {
            try {
                for (int i = 0; i < calls && !stopped; i++) {
                    if (random.nextInt(3) == 0) {
                        reserveAsync(1 + random.nextInt(3));
                    } else {
                        reserve();
                    }
                }
            } catch (Throwable e) {
                wrongs.add(e);
            }
        }

        private void reserve() {
            List<Claim> claims = claims();
            long deadline = System.nanoTime() + patience.toNanos();
            begin();
            try {
                answered(ledger.reserve(claims, Patience.NONE, deadline));
            } catch (GuardUnavailableException e) {
                failures.add(e);
            } catch (LeaderDied e) {
                deaths.add(e);
            } finally {
                end(deadline);
            }
        }

        private void reserveAsync(int count) throws InterruptedException {
            long deadline = System.nanoTime() + patience.toNanos();
            List<CompletableFuture<Verdict>> verdicts = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                verdicts.add(ledger.reserveAsync(claims(), Patience.NONE, deadline));
            }
            for (CompletableFuture<Verdict> verdict : verdicts) {
                try {
                    long left = deadline + HANGS_AFTER.toNanos() - System.nanoTime();
                    answered(verdict.get(Math.max(1, left), TimeUnit.NANOSECONDS));
                } catch (TimeoutException e) {
                    wrongs.add(new AssertionError("an asynchronous call hangs", e));
                } catch (ExecutionException e) {
                    if (e.getCause() instanceof GuardUnavailableException unavailable) {
                        failures.add(unavailable);
                    } else {
                        wrongs.add(e);
                    }
                }
            }
        }

        private List<Claim> claims() {
            return List.of(new Claim(subject, new long[] {1 + random.nextInt(9)}));
        }

        private void answered(Verdict verdict) {
            if (verdict instanceof Verdict.Granted answer) {
                Charge charge = answer.charges().get(0);
                long amount = charge.claim().amounts()[0];
                granted.incrementAndGet();
                charged.addAndGet(amount);
                if (random.nextBoolean()) {
                    settle(charge, random.nextInt((int) amount * 2 + 1));
                }
            }
        }

        private void settle(Charge charge, long actual) {
            settles.incrementAndGet();
            charged.addAndGet(actual - charge.claim().amounts()[0]);
            ledger.settle(List.of(new Settled(charge, new long[] {actual})), settled::incrementAndGet);
        }

        private synchronized void begin() {
            asks = true;
        }

        private void end(long deadline) {
            long late = System.nanoTime() - deadline;
            boolean keptItsFlag = endedWithItsFlag();
            if (!keptItsFlag) {
                wrongs.add(new AssertionError("an interrupt was lost, or made up"));
            }
            if (late > HANGS_AFTER.toNanos()) {
                wrongs.add(new AssertionError("a caller was held " + late / 1_000_000 + " ms beyond its deadline"));
            }
        }

        private synchronized boolean endedWithItsFlag() {
            boolean was = isInterrupted;
            asks = false;
            isInterrupted = false;
            return Thread.interrupted() == was;
        }

        private synchronized void interruptOnce() {
            if (asks && !isInterrupted) {
                isInterrupted = true;
                interrupted.incrementAndGet();
                thread.interrupt();
            }
        }
    }
}
