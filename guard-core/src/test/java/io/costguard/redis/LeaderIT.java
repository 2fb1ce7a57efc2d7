package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatNoException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.costguard.Budget;
import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.limit.Claim;
import io.costguard.limit.InForce;
import io.costguard.limit.Patience;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.redis.Callers.Kind;
import io.costguard.redis.Callers.LeaderDied;
import io.costguard.testing.FaultyLink;
import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What becomes of everybody else when the caller who leads a batch dies, is interrupted or runs out of time: each is decided or
 * told that there is no decision, and what is charged is what was granted, to the unit.
 *
 * <p>That sum is exact although outcomes get lost: lanes are remembered for longer than any of this takes, so every unknown
 * batch is undone, and its settles are learnt of or ride again.
 */
@Timeout(90)
class LeaderIT {
    /** Longer than any stall of the machine, so that whoever takes as long was forgotten. */
    private static final Duration PATIENT = Duration.ofSeconds(10);

    private static final Duration SOON = Duration.ofMillis(200);
    /** Enough for two threads to start in. */
    private static final Duration LEAST = Duration.ofSeconds(1);

    private static final int CALLERS = 32;
    /** Less than all calls of a test ask for, so that some are denied, and asked again behind settles. */
    private static final long SHORT = 20_000;

    private static final long PLENTY = 1_000_000_000;

    private final RedisForTests server = RedisForTests.shared();
    private final String prefix = server.keyPrefix();
    private final RedisLedger direct = new RedisLedger(Redis.at(server.url(), PATIENT), prefix, PATIENT);
    private final Deque<AutoCloseable> open = new ArrayDeque<>(List.of(direct));
    private final long seed = Long.getLong("guard.seed", System.nanoTime());
    private final Random random = new Random(seed);

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
    }

    // -------------------------------------------------------------------------------------------------------- dies

    @ParameterizedTest
    @EnumSource
    void aLeaderThatDiesOfAnErrorStrandsNobodyAndNothingIsChargedTwice(Kind kind) throws Exception {
        assumeTrue(kind.isThere());
        Deadly fault = new Deadly("caller-");
        RedisLedger ledger = ledger(fault);
        Subject subject = subject(SHORT);
        Callers callers = new Callers(ledger, subject, PATIENT);

        callers.start(kind, CALLERS, 200, random);
        callers.join(PATIENT.plusSeconds(10));

        assertThat(fault.before).as(told(callers)).hasPositiveValue();
        assertThat(fault.after).as(told(callers)).hasPositiveValue();
        assertThat(callers.deaths).as(told(callers)).hasSize(fault.before.get() + fault.after.get());
        // Whoever fails for want of time was left alone by a leader that had all of it.
        assertThat(callers.failures)
                .as(told(callers))
                .allSatisfy(failure -> assertThat(failure).hasRootCauseInstanceOf(LeaderDied.class));
        assertChargedOnce(ledger, subject, SHORT, callers);
    }

    @Test
    void anErrorWhileConnectingLeavesTheLedgersOwnThreadAlive() throws Exception {
        CountDownLatch struck = new CountDownLatch(1);
        RedisLedger ledger = ledger(new FaultyClient.Fault() {
            @Override
            public void beforeItIsSent() {
                if (struck.getCount() > 0) {
                    struck.countDown();
                    throw new LeaderDied();
                }
            }
        });
        assertThat(struck.await(10, TimeUnit.SECONDS)).isTrue();

        // Nobody but that thread leads for a call without one.
        assertThat(reserveAsync(ledger, subject(PLENTY)).get(10, TimeUnit.SECONDS))
                .isInstanceOf(Verdict.Granted.class);
    }

    /** As where a process may have no more threads: what a leader leaves to the ledger's own thread is not left for good. */
    @Test
    @Tag("slow")
    void leadersThatDieWhereNoThreadCanBeStartedTakeNothingWithThem() throws Exception {
        AtomicReference<Thread> ownThread = new AtomicReference<>();
        RedisLedger ledger = ledger(new FaultyClient.Fault() {
            @Override
            public void beforeItIsSent() {
                ownThread.compareAndSet(null, Thread.currentThread());
            }

            @Override
            public void afterItWasAnswered() {
                if (Thread.currentThread() instanceof Barren) {
                    throw new LeaderDied();
                }
            }
        });
        Subject subject = subject(PLENTY);
        long deadline = System.nanoTime() + PATIENT.multipliedBy(2).toNanos();
        await("the ledger's own thread connects", () -> ownThread.get() != null);
        ledger.reserve(claims(subject), Patience.NONE, deadline);
        await(
                "the ledger's own thread ends",
                () -> ownThread.get() != null && ownThread.get().getState() == Thread.State.TERMINATED);

        for (int i = 0; i < 8; i++) {
            Thread dying = new Barren(() -> assertThatExceptionOfType(Throwable.class)
                    .isThrownBy(() -> ledger.reserve(claims(subject), Patience.NONE, deadline)));
            dying.start();
            dying.join();
        }

        assertThat(ledger.reserve(claims(subject), Patience.NONE, deadline)).isInstanceOf(Verdict.Granted.class);
        awaitBalance(subject, PLENTY - 14, "seed " + seed);
    }

    /** As above, where they live: what came behind their batch is not theirs to be left without. */
    @Test
    @Tag("slow")
    void aLeaderIsDecidedThoughNoThreadCanBeStartedForWhoeverIsBehindIt() throws Exception {
        AtomicReference<Thread> ownThread = new AtomicReference<>();
        CompletableFuture<RedisLedger> asked = new CompletableFuture<>();
        CompletableFuture<CompletableFuture<Verdict>> behind = new CompletableFuture<>();
        Subject subject = subject(PLENTY);
        RedisLedger ledger = ledger(new FaultyClient.Fault() {
            @Override
            public void beforeItIsSent() {
                ownThread.compareAndSet(null, Thread.currentThread());
            }

            @Override
            public void afterItWasAnswered() {
                if (Thread.currentThread() instanceof Barren && !behind.isDone()) {
                    behind.complete(reserveAsync(asked.join(), subject));
                }
            }
        });
        asked.complete(ledger);
        long deadline = System.nanoTime() + PATIENT.multipliedBy(2).toNanos();
        await("the ledger's own thread connects", () -> ownThread.get() != null);
        // What looks after deadlines has its thread from now on.
        reserveAsync(ledger, subject).get(10, TimeUnit.SECONDS);
        await(
                "the ledger's own thread ends",
                () -> ownThread.get() != null && ownThread.get().getState() == Thread.State.TERMINATED);

        CompletableFuture<Verdict> verdict = new CompletableFuture<>();
        new Barren(() -> {
                    try {
                        verdict.complete(ledger.reserve(claims(subject), Patience.NONE, deadline));
                    } catch (Throwable e) {
                        verdict.completeExceptionally(e);
                    }
                })
                .start();

        assertThat(verdict.get(10, TimeUnit.SECONDS)).isInstanceOf(Verdict.Granted.class);
        assertThat(behind.join().get(10, TimeUnit.SECONDS)).isInstanceOf(Verdict.Granted.class);
        awaitBalance(subject, PLENTY - 21, "seed " + seed);
    }

    @Test
    void anAsynchronousCallThatIsDecidedByALeaderThatCanStartNoThreadHearsOfIt() throws Exception {
        Gate gate = new Gate();
        RedisLedger ledger = ledger(gate);
        Subject subject = subject(PLENTY);
        gate.closed = true;
        CompletableFuture<Verdict> held = reserveAsync(ledger, subject);
        await("the ledger's own thread leads", () -> !gate.held.isEmpty());
        gate.closed = false;

        CompletableFuture<Verdict> led = reserveAsync(ledger, subject);
        Thread leader = new Barren(() -> assertThatNoException()
                .isThrownBy(() -> ledger.reserve(
                        claims(subject),
                        Patience.NONE,
                        System.nanoTime() + PATIENT.multipliedBy(2).toNanos())));
        leader.start();

        assertThat(led.get(10, TimeUnit.SECONDS)).isInstanceOf(Verdict.Granted.class);
        gate.releaseAll();
        assertThat(held.get(10, TimeUnit.SECONDS)).isInstanceOf(Verdict.Granted.class);
        leader.join();
        awaitBalance(subject, PLENTY - 21, "seed " + seed);
    }

    /** A bug of the guard's own. */
    @Test
    void aCallThatCannotBeWrittenTakesNobodyWithIt() throws Exception {
        RedisLedger ledger = opened(new RedisLedger(Redis.at(server.url(), PATIENT), prefix, PATIENT));
        Subject subject = subject(PLENTY);
        ledger.update(InForce.always(List.of(subject(PLENTY + 1).budget())));
        List<Claim> unwritable = List.of(new Claim(subject, new long[2]));
        long deadline = System.nanoTime() + PATIENT.toNanos();

        for (int i = 0; i < 8; i++) {
            assertThatExceptionOfType(IndexOutOfBoundsException.class)
                    .isThrownBy(() -> ledger.reserve(unwritable, Patience.NONE, deadline));
        }

        assertThat(ledger.reserve(claims(subject), Patience.NONE, deadline)).isInstanceOf(Verdict.Granted.class);
        ledger.close();
        assertThat(System.nanoTime() - deadline).as("closing waits for nobody").isNegative();
    }

    /** What kills leaders strikes the thread that leads for asynchronous calls and settles just as well. */
    @ParameterizedTest
    @EnumSource
    void anErrorOnTheLedgersOwnThreadStrandsNobodyAndNothingIsChargedTwice(Kind kind) throws Exception {
        assumeTrue(kind.isThere());
        Deadly fault = new Deadly("");
        RedisLedger ledger = ledger(fault);
        Subject subject = subject(SHORT);
        Callers callers = new Callers(ledger, subject, PATIENT);

        callers.start(kind, CALLERS, 200, random);
        callers.join(PATIENT.plusSeconds(10));

        assertThat(callers.failures)
                .as(told(callers))
                .allSatisfy(failure -> assertThat(failure).hasRootCauseInstanceOf(LeaderDied.class));
        fault.over = true;
        assertChargedOnce(ledger, subject, SHORT, callers);
    }

    // ------------------------------------------------------------------------------------------------- interrupted

    @ParameterizedTest
    @EnumSource
    void anInterruptedLeaderIsDecidedWithItsBatchAndKeepsItsFlag(Kind kind) throws Exception {
        assumeTrue(kind.isThere());
        interrupt(kind, opened(new RedisLedger(Redis.at(server.url(), PATIENT), prefix, PATIENT)));
    }

    /** Leaders wait for a connection of a client like that, and are interrupted there too. */
    @ParameterizedTest
    @EnumSource
    void anInterruptedLeaderOfAClientWithOneConnectionIsDecidedAndKeepsItsFlag(Kind kind) throws Exception {
        assumeTrue(kind.isThere());
        FaultyClient client = opened(new FaultyClient(server, 1, new FaultyClient.Fault() {}));
        interrupt(kind, opened(new RedisLedger(Redis.of(client), prefix, PATIENT)));
    }

    private void interrupt(Kind kind, RedisLedger ledger) throws Exception {
        Subject subject = subject(SHORT);
        Callers callers = new Callers(ledger, subject, PATIENT);

        callers.start(kind, CALLERS, 200, random);
        long deadline = System.nanoTime() + PATIENT.toNanos();
        while (callers.interruptSomebody(random) && System.nanoTime() - deadline < 0) {
            LockSupport.parkNanos(random.nextInt(100_000));
        }
        callers.join(PATIENT);

        assertThat(callers.interrupted).as(told(callers)).hasPositiveValue();
        assertThat(callers.failures).as(told(callers)).isEmpty();
        assertChargedOnce(ledger, subject, SHORT, callers);
    }

    // -------------------------------------------------------------------------------------------- runs out of time

    @ParameterizedTest
    @EnumSource
    @Tag("slow")
    void aLeaderThatRunsOutOfTimeStrandsNobodyAndNothingIsChargedTwice(Kind kind) throws Exception {
        assumeTrue(kind.isThere());
        FaultyLink link = opened(FaultyLink.to(server));
        RedisLedger ledger = opened(new RedisLedger(Redis.at(link.url(), SOON), prefix, SOON));
        Subject subject = subject(PLENTY);
        Callers callers = new Callers(ledger, subject, SOON);

        callers.start(kind, CALLERS, Integer.MAX_VALUE, random);
        for (int i = 0; i < 12; i++) {
            disturb(link, i % 4);
            pause(SOON.dividedBy(4), SOON.multipliedBy(2));
            link.requests().pass();
            link.replies().pass();
            pause(SOON.dividedBy(4), SOON);
        }
        callers.stop();
        callers.join(PATIENT);

        assertThat(callers.granted).as(told(callers)).hasPositiveValue();
        assertThat(callers.failures).as(told(callers)).isNotEmpty();
        assertChargedOnce(ledger, subject, PLENTY, callers);
    }

    private static void disturb(FaultyLink link, int how) {
        switch (how) {
            case 0 -> link.replies().drop("EVALSHA");
            case 1 -> link.requests().hold("EVALSHA");
            case 2 -> link.replies().hold("EVALSHA");
            default -> {
                link.replies().drop("EVALSHA");
                link.resetConnections();
            }
        }
    }

    // ----------------------------------------------------------------------------------------------------- gives up

    /**
     * The next leader is woken when its deadline is about to pass. Whether it still leads, or gives up instead, is for the
     * machine to say: of so many, some give up, and then it is on them to wake the one behind them.
     */
    @Test
    void aCallerThatGivesUpInLineDoesNotStopTheNextLeaderFromBeingWoken() throws Exception {
        Gate gate = new Gate();
        RedisLedger ledger = ledger(gate);
        Subject subject = subject(PLENTY);
        learnTheTime(ledger, subject);
        long charged = 0;
        for (int round = 0; round < 60; round++) {
            gate.closed = true;
            long givingUp = System.nanoTime() + Duration.ofMillis(20).toNanos();
            List<Single> impatient = new ArrayList<>();
            int inLine = 0;
            while (inLine < 4) {
                Single next = new Single(Kind.PLATFORM, ledger, subject, givingUp);
                impatient.add(next);
                gate.await(next);
                inLine += gate.holds(next) ? 0 : 1;
            }
            Single patient = new Single(Kind.PLATFORM, ledger, subject, System.nanoTime() + PATIENT.toNanos());
            gate.await(patient);

            gate.closed = false;
            long releasing = givingUp - random.nextInt(200_000);
            while (System.nanoTime() - releasing < 0) {
                Thread.onSpinWait();
            }
            impatient.stream().filter(gate::holds).findFirst().ifPresent(gate::release);
            // On a machine so slow that all others are gone it leads already.
            gate.release(patient);

            await(patient, "is decided", patient::isDone);
            charged += patient.chargedInTime();
            for (Single each : impatient) {
                gate.release(each);
                await(each, "ends", each::isDone);
                charged += each.charged();
            }
        }
        awaitBalance(subject, PLENTY - charged, "seed " + seed);
    }

    /** As above, and certain: those in line do not get to run until it is too late for them. */
    @Test
    @Tag("slow")
    void aCallerThatIsWokenTooLateToLeadWakesTheNextOne() throws Exception {
        assumeTrue(Kind.VIRTUAL.isThere());
        Gate gate = new Gate();
        RedisLedger ledger = ledger(gate);
        Subject subject = subject(PLENTY);
        learnTheTime(ledger, subject);
        List<Single> others = takingAllLanes(gate, ledger, subject);
        long givingUp = System.nanoTime() + LEAST.toNanos();
        Single impatient = new Single(Kind.VIRTUAL, ledger, subject, givingUp);
        gate.await(impatient);
        Single patient = new Single(Kind.PLATFORM, ledger, subject, System.nanoTime() + PATIENT.toNanos());
        gate.await(patient);

        gate.closed = false;
        try (Spinning spinning = new Spinning()) {
            spinning.await();
            gate.release(others.get(0));
            await(others.get(0), "ends", others.get(0)::isDone);
            while (System.nanoTime() - givingUp < 0) {
                Thread.onSpinWait();
            }
        }
        gate.release(patient);

        await(patient, "is decided", patient::isDone);
        long charged = patient.chargedInTime();
        others.add(impatient);
        for (Single each : others) {
            gate.release(each);
            await(each, "ends", each::isDone);
            charged += each.charged();
        }
        awaitBalance(subject, PLENTY - charged, "seed " + seed);
    }

    /** Nothing was sent but in vain: who has the time can be asked for again. */
    @Test
    @Tag("slow")
    void aCallerWithTimeLeftIsDecidedThoughItsLeaderRanOutOfTime() throws Exception {
        Gate gate = new Gate();
        RedisLedger ledger = ledger(gate);
        Subject subject = subject(PLENTY);
        learnTheTime(ledger, subject);
        List<Single> others = takingAllLanes(gate, ledger, subject);
        long givingUp = System.nanoTime() + LEAST.toNanos();
        Single impatient = new Single(Kind.PLATFORM, ledger, subject, givingUp);
        gate.await(impatient);
        Single patient = new Single(Kind.PLATFORM, ledger, subject, System.nanoTime() + PATIENT.toNanos());
        gate.await(patient);

        gate.closed = false;
        gate.closedBefore = true;
        gate.release(others.get(0));
        await(impatient, "leads, or gives up", () -> gate.holds(impatient) || impatient.isDone());
        gate.closedBefore = false;
        while (System.nanoTime() - givingUp < 0) {
            Thread.onSpinWait();
        }
        gate.release(impatient);

        await(patient, "is decided", () -> {
            gate.release(patient);
            return patient.isDone();
        });
        others.forEach(gate::release);
        for (Single each : others) {
            await(each, "ends", each::isDone);
        }
        assertThat(patient.failure).as("seed " + seed).isNull();
    }

    /** As where a process stands still: by then others may be in force. */
    @Test
    void whatIsSentLongAfterItsBudgetsWereLookedAtIsNotDecided() throws Exception {
        RedisLedger ledger = opened(new RedisLedger(Redis.at(server.url(), PATIENT), prefix, SOON));
        ServerClock clock = new ServerClock();
        BatchSender sender = new BatchSender(
                opened(Redis.at(server.url(), PATIENT)), Script.load(RedisLedger.SCRIPT), clock, PATIENT);
        Subject subject = subject(PLENTY);
        Slot slot = new Slot(ledger, sender, clock, prefix + ":{x}:lane");
        slot.look(claims(subject), System.nanoTime() + PATIENT.toNanos());
        BooleanSupplier lookedAtLongAgo = () -> {
            long until = System.nanoTime() + SOON.multipliedBy(2).toNanos();
            while (System.nanoTime() - until < 0) {
                LockSupport.parkNanos(1_000_000);
            }
            return false;
        };
        ledger.update(new InForce(List.of(subject.budget()), lookedAtLongAgo, List.of(subject.budget())));

        CompletableFuture<Batch.Result> answer =
                slot.ask(new Batch.Call.Reserve(claims(subject)), System.nanoTime() + SOON.toNanos());

        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(() -> answer.get(10, TimeUnit.SECONDS))
                .withCauseInstanceOf(GuardUnavailableException.class);
        assertThat(balance(subject)).isEqualTo(PLENTY);
    }

    /** The ledger's own thread is to lead for the first in line, and is at a batch that takes long. */
    @Test
    void aCallerBehindAnAsynchronousCallIsDecidedThoughTheLedgersOwnThreadIsHeldUp() throws Exception {
        Gate gate = new Gate();
        RedisLedger ledger = ledger(gate);
        Subject subject = subject(PLENTY);
        learnTheTime(ledger, subject);
        gate.closed = true;
        List<CompletableFuture<Verdict>> asynchronous = new ArrayList<>();
        asynchronous.add(reserveAsync(ledger, subject));
        await("the ledger's own thread leads", () -> gate.held.size() == 1);
        List<Single> others = takingAllLanes(gate, ledger, subject);
        asynchronous.add(reserveAsync(ledger, subject));
        Single patient = new Single(Kind.PLATFORM, ledger, subject, System.nanoTime() + PATIENT.toNanos());
        gate.await(patient);

        gate.closed = false;
        gate.release(others.get(0));
        await(patient, "is decided", patient::isDone);
        long charged = patient.chargedInTime();

        gate.releaseAll();
        for (Single each : others) {
            await(each, "ends", each::isDone);
            charged += each.charged();
        }
        for (CompletableFuture<Verdict> each : asynchronous) {
            assertThat(each.get(10, TimeUnit.SECONDS)).isInstanceOf(Verdict.Granted.class);
            charged += 7;
        }
        awaitBalance(subject, PLENTY - charged, "seed " + seed);
    }

    // --------------------------------------------------------------------------------------------------- the words

    private static List<Claim> claims(Subject subject) {
        return List.of(new Claim(subject, new long[] {7}));
    }

    private static CompletableFuture<Verdict> reserveAsync(RedisLedger ledger, Subject subject) {
        return ledger.reserveAsync(claims(subject), Patience.NONE, System.nanoTime() + PATIENT.toNanos());
    }

    /** Callers that lead, and are held, until there is nothing left to lead with; the last of them has given up. */
    private static List<Single> takingAllLanes(Gate gate, RedisLedger ledger, Subject subject) {
        gate.closed = true;
        List<Single> callers = new ArrayList<>();
        while (callers.stream().allMatch(gate::holds)) {
            Single next = new Single(Kind.PLATFORM, ledger, subject, System.nanoTime() + LEAST.toNanos());
            callers.add(next);
            await(next, "leads, or gives up", () -> gate.holds(next) || next.isDone());
        }
        return callers;
    }

    /** Kills one in four of those who lead, if their names begin like that: before they asked, or after they were answered. */
    private final class Deadly implements FaultyClient.Fault {
        final AtomicInteger before = new AtomicInteger();
        final AtomicInteger after = new AtomicInteger();
        private final String victims;
        private final Random random = new Random(seed);
        volatile boolean over;

        Deadly(String victims) {
            this.victims = victims;
        }

        @Override
        public void beforeItIsSent() {
            dieSometimes(before);
        }

        @Override
        public void afterItWasAnswered() {
            dieSometimes(after);
        }

        private void dieSometimes(AtomicInteger count) {
            if (!over && Thread.currentThread().getName().startsWith(victims) && random.nextInt(8) == 0) {
                count.incrementAndGet();
                throw new LeaderDied();
            }
        }
    }

    /** Holds leaders, while it is closed, between the answer of Redis and what they make of it. */
    private static final class Gate implements FaultyClient.Fault {
        private final Map<Thread, CountDownLatch> held = new ConcurrentHashMap<>();
        private final Map<Thread, Boolean> sending = new ConcurrentHashMap<>();
        volatile boolean closed;
        /** Holds them before they asked, too. */
        volatile boolean closedBefore;

        @Override
        public void beforeItIsSent() {
            sending.put(Thread.currentThread(), true);
            holdIf(closedBefore);
        }

        @Override
        public void afterItWasAnswered() {
            holdIf(closed);
            sending.remove(Thread.currentThread());
        }

        private void holdIf(boolean isClosed) {
            if (isClosed) {
                CountDownLatch released = new CountDownLatch(1);
                held.put(Thread.currentThread(), released);
                awaitUninterruptibly(released);
            }
        }

        boolean holds(Single caller) {
            return held.containsKey(caller.thread);
        }

        /** Returns when this caller leads and is held, or waits in line, or is done. */
        void await(Single caller) {
            LeaderIT.await(caller, "leads or waits", () -> holds(caller) || isInLine(caller) || caller.isDone());
        }

        private boolean isInLine(Single caller) {
            return caller.thread.getState() == Thread.State.WAITING && !sending.containsKey(caller.thread);
        }

        void release(Single caller) {
            CountDownLatch released = held.remove(caller.thread);
            if (released != null) {
                released.countDown();
            }
        }

        void releaseAll() {
            held.values().forEach(CountDownLatch::countDown);
            held.clear();
        }

        private static void awaitUninterruptibly(CountDownLatch latch) {
            try {
                latch.await();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
    }

    /** A thread that can start no other. */
    private static final class Barren extends Thread {
        Barren(Runnable task) {
            super(task);
        }

        @Override
        public ClassLoader getContextClassLoader() {
            throw new OutOfMemoryError("unable to create native thread");
        }
    }

    /** A caller of one call. */
    private static final class Single {
        private static final AtomicInteger count = new AtomicInteger();

        final Thread thread;
        private final long deadlineNanos;
        private volatile long charged;
        private volatile @Nullable Throwable failure;
        private volatile long endedNanos;
        private volatile boolean done;

        Single(Kind kind, RedisLedger ledger, Subject subject, long deadlineNanos) {
            this.deadlineNanos = deadlineNanos;
            thread = kind.start("caller-" + count.incrementAndGet(), () -> {
                try {
                    Verdict verdict = ledger.reserve(claims(subject), Patience.NONE, deadlineNanos);
                    charged = verdict instanceof Verdict.Granted ? 7 : 0;
                } catch (Throwable e) {
                    failure = e;
                }
                endedNanos = System.nanoTime();
                done = true;
            });
        }

        boolean isDone() {
            return done;
        }

        /** What it was charged, if anything: it was told before its time was over, and so was not left alone. */
        long chargedInTime() {
            if (endedNanos - deadlineNanos >= 0) {
                throw new AssertionError(thread.getName() + " was left alone until its deadline", failure);
            }
            return charged();
        }

        /** What it was charged, if anything: it may have had no time for that. */
        long charged() {
            if (charged == 0) {
                assertThat(failure).isInstanceOf(GuardUnavailableException.class);
            }
            return charged;
        }
    }

    /** Leaves no processor to any other virtual thread. */
    private static final class Spinning implements AutoCloseable {
        private final int processors = Runtime.getRuntime().availableProcessors();
        private final AtomicInteger begun = new AtomicInteger();
        private volatile boolean over;

        Spinning() {
            for (int i = 0; i < processors; i++) {
                Kind.VIRTUAL.start("spinning", () -> {
                    begun.incrementAndGet();
                    while (!over) {
                        Thread.onSpinWait();
                    }
                });
            }
        }

        void await() {
            while (begun.get() < processors) {
                Thread.onSpinWait();
            }
        }

        @Override
        public void close() {
            over = true;
        }
    }

    /** The first batch of a ledger is sent twice. */
    private static void learnTheTime(RedisLedger ledger, Subject subject) throws GuardUnavailableException {
        ledger.look(
                List.of(new Claim(subject, new long[subject.limits().size()])), System.nanoTime() + PATIENT.toNanos());
    }

    private <T extends AutoCloseable> T opened(T each) {
        open.push(each);
        return each;
    }

    private RedisLedger ledger(FaultyClient.Fault fault) {
        FaultyClient client = opened(new FaultyClient(server, 64, fault));
        return opened(new RedisLedger(Redis.of(client), prefix, PATIENT));
    }

    /** It refills nothing for days. */
    private Subject subject(long capacity) {
        Limit limit = Limit.requests(1).per(Duration.ofDays(366)).tokenBucket().burst(capacity);
        return new Subject(prefix + ":{x}:s", Budget.named("b").limit(limit));
    }

    private String told(Callers callers) {
        return "seed " + seed + ": " + callers;
    }

    private void pause(Duration least, Duration most) throws InterruptedException {
        long nanos = least.toNanos() + (long) (random.nextDouble() * (most.toNanos() - least.toNanos()));
        new CountDownLatch(1).await(nanos, TimeUnit.NANOSECONDS);
    }

    private void assertChargedOnce(RedisLedger ledger, Subject subject, long capacity, Callers callers)
            throws Exception {
        assertThat(callers.wrongs).as(told(callers)).isEmpty();
        ledger.flush(System.nanoTime() + PATIENT.toNanos());
        long expected = capacity - callers.charged.get();
        awaitBalance(subject, expected, told(callers));
        ledger.close();
        // Nothing was on its way that only just had not come.
        assertThat(balance(subject)).as(told(callers)).isEqualTo(expected);
        assertThat(callers.settled).as(told(callers)).hasValue(callers.settles.get());
    }

    /** As Redis has it. */
    private long balance(Subject subject) throws GuardUnavailableException {
        return direct.look(
                        List.of(new Claim(subject, new long[subject.limits().size()])),
                        System.nanoTime() + PATIENT.toNanos())
                .get(0)
                .get(0)
                .balance();
    }

    private void awaitBalance(Subject subject, long expected, String what) throws GuardUnavailableException {
        long deadline = System.nanoTime() + PATIENT.toNanos();
        while (balance(subject) != expected && System.nanoTime() - deadline < 0) {
            LockSupport.parkNanos(1_000_000);
        }
        assertThat(balance(subject)).as(what).isEqualTo(expected);
    }

    private static void await(Single caller, String what, BooleanSupplier condition) {
        await(what, () -> Callers.stackOf(caller.thread), condition);
    }

    private static void await(String what, BooleanSupplier condition) {
        await(what, () -> "", condition);
    }

    private static void await(String what, Supplier<String> where, BooleanSupplier condition) {
        long deadline =
                System.nanoTime() + PATIENT.toNanos() + Duration.ofSeconds(5).toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError("not in time: " + what + where.get());
            }
            LockSupport.parkNanos(10_000);
        }
    }
}
