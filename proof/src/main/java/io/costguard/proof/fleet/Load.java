package io.costguard.proof.fleet;

import io.costguard.Budget;
import io.costguard.BudgetExceededException;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.Denial;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.LimitStatus;
import io.costguard.Permit;
import io.costguard.Unit;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * Threads that reserve and settle all the time, through some guards on one budget, and judge what they are answered: no error but while there is
 * a fault, no grant while there can be none, no denial but for calls in flight or while the budget is spent, never more calls in flight than the
 * limit, and each call answered. Once all is quiet, Redis has to have charged what was used, to the unit, and to hold no slot. The threads wait until
 * they are told to go on, and so at the beginning.
 */
final class Load implements AutoCloseable {
    /** Fewer than there are threads, so that calls are denied for it; more than one guard has, so that none keeps the other from going. */
    static final int IN_FLIGHT = 4;

    static final Budget BUDGET = budget("1000000");
    static final GuardedCall CALL = GuardedCall.of("a-model");
    static final long MOST_NANO_USD = 1_000_000;
    /** Of its guards. */
    static final Duration LEASE = Duration.ofSeconds(10);

    private static final int THREADS_OF_EACH = 3;
    private static final int MOST_OVER = 1_000;
    private static final int MOST_HELD_NANOS = 5_000_000;
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(1);
    private static final long BETWEEN_CALLS_NANOS = TimeUnit.MILLISECONDS.toNanos(2);
    private static final long ANSWERED_WITHIN_NANOS = TimeUnit.SECONDS.toNanos(60);
    private static final long NEVER = Long.MAX_VALUE;

    private final List<CostGuard> guards;
    private final Wrongs wrongs;
    private final List<Thread> threads = new ArrayList<>();
    private final AtomicInteger held = new AtomicInteger();

    // Guarded by this.
    private final List<Span> faults = new ArrayList<>();
    private final List<Span> outages = new ArrayList<>();
    private final List<Span> spent = new ArrayList<>();
    private final List<Made> made = new ArrayList<>();
    private final List<Grant> grants = new ArrayList<>();
    private long met;
    private long denials;
    private long denialsInFlight;
    private long charged;
    private int idle;
    private boolean goes;
    private boolean ends;
    private boolean boundHolds = true;
    private boolean mayFail = true;

    /** Nanoseconds of this JVM's clock. */
    private static final class Span {
        final long from;
        long to = NEVER;

        Span(long from) {
            this.from = from;
        }

        boolean covers(long begin, long end) {
            return from <= begin && end <= to;
        }

        static boolean meets(List<Span> spans, long begin, long end) {
            return spans.stream().anyMatch(span -> begin <= span.to && span.from <= end);
        }
    }

    /** When a guard let a call go. */
    private record Grant(CostGuard by, long nanos) {}

    /** A call that was let go and is settled, and when; in nano-dollars. */
    private record Made(long asked, long settled, long estimate, long used) {
        long most() {
            return Math.max(estimate, used);
        }
    }

    static Budget budget(String usd) {
        return Budget.named("b")
                .per()
                .limit(Limit.usd(usd).per(Duration.ofDays(30)).fixedWindow())
                .limit(Limit.concurrentCalls(IN_FLIGHT));
    }

    Load(List<CostGuard> guards, Wrongs wrongs, Random seeds) {
        this.guards = List.copyOf(guards);
        this.wrongs = wrongs;
        for (CostGuard guard : guards) {
            for (int i = 0; i < THREADS_OF_EACH; i++) {
                Random random = new Random(seeds.nextLong());
                Thread thread = new Thread(() -> work(guard, random), "load");
                thread.setDaemon(true);
                threads.add(thread);
            }
        }
        threads.forEach(Thread::start);
    }

    List<CostGuard> guards() {
        return guards;
    }

    /** More may be in flight than the limit says, as where Redis loses what it wrote. */
    synchronized Load withoutBound() {
        boundHolds = false;
        return this;
    }

    /** No call may fail, whatever is wrong, as its guard asks again for longer than that lasts. */
    synchronized Load withoutFailure() {
        mayFail = false;
        return this;
    }

    // ----------------------------------------------------------------------------------------------------------- calls

    private void work(CostGuard guard, Random random) {
        while (mayGo()) {
            long estimate = 1L + random.nextInt((int) MOST_NANO_USD);
            long used = random.nextInt((int) estimate + MOST_OVER);
            long asked = System.nanoTime();
            try {
                Permit permit = guard.acquire(CALL.cost(Cost.requests(1).nanoUsd(estimate)));
                int calls = held.incrementAndGet();
                goes(guard, asked, System.nanoTime(), calls);
                LockSupport.parkNanos(random.nextInt(MOST_HELD_NANOS));
                held.decrementAndGet();
                permit.settle(Cost.requests(1).nanoUsd(used));
                settled(new Made(asked, System.nanoTime(), estimate, used));
            } catch (BudgetExceededException e) {
                isDenied(asked, System.nanoTime(), e.denial());
            } catch (GuardUnavailableException e) {
                isRefused(asked, System.nanoTime(), e);
            } catch (IOException | RuntimeException e) {
                wrongs.add("a call failed otherwise than by what the guard throws: " + e);
            }
            LockSupport.parkNanos(BETWEEN_CALLS_NANOS);
        }
    }

    private synchronized boolean mayGo() {
        boolean interrupted = false;
        idle++;
        notifyAll();
        while (!goes && !ends) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        idle--;
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return !ends;
    }

    private synchronized void goes(CostGuard by, long asked, long answered, int calls) {
        grants.add(new Grant(by, answered));
        notifyAll();
        ends(asked, answered);
        if (outages.stream().anyMatch(outage -> outage.covers(asked, answered))) {
            wrongs.add("a call was let go while nothing could be decided");
        }
        if (calls > IN_FLIGHT && boundHolds) {
            wrongs.add(calls + " calls were in flight, of " + IN_FLIGHT);
        }
    }

    private synchronized void settled(Made call) {
        made.add(call);
    }

    /** A call was answered, one way or the other. */
    private synchronized void ends(long asked, long answered) {
        met += Span.meets(outages, asked, answered) ? 1 : 0;
    }

    private synchronized void isDenied(long asked, long answered, Denial denial) {
        ends(asked, answered);
        if (denial.unit() == Unit.CONCURRENT_CALLS) {
            denialsInFlight++;
        } else if (denial.retryAfter().equals(Denial.NEVER) || !Span.meets(spent, asked, answered)) {
            wrongs.add("a call was denied though there was enough: " + denial);
        } else {
            denials++;
            notifyAll();
        }
    }

    private synchronized void isRefused(long asked, long answered, GuardUnavailableException failure) {
        ends(asked, answered);
        if (!mayFail || !Span.meets(faults, asked, answered)) {
            wrongs.add("a call failed where none may, after " + (answered - asked) / 1_000_000 + " ms: "
                    + failure.getMessage());
        }
    }

    // ---------------------------------------------------------------------------------------------------------- faults

    /** {@return the same with calls before it and, once it is over, after it; and what was used is charged then} */
    Row.Injection around(Row.Injection fault) {
        return random -> {
            go();
            awaitGrants(10);
            fault.inject(random);
            awaitGrants(10);
            check();
        };
    }

    synchronized void go() {
        goes = true;
        notifyAll();
    }

    /** Returns once so many more were let go. */
    synchronized void awaitGrants(int more) throws InterruptedException {
        int enough = grants.size() + more;
        awaitTrue(() -> grants.size() >= enough, "no call is let go");
    }

    /** From now on calls may fail. */
    synchronized void faultBegins() {
        faults.add(new Span(System.nanoTime()));
    }

    /** From now on no call may be let go. */
    synchronized void outageBegins() {
        outages.add(new Span(System.nanoTime()));
    }

    /** Before anything is done that lets calls go again. */
    synchronized void outageEnds() {
        outages.get(outages.size() - 1).to = System.nanoTime();
    }

    /** Calls that are made from now on may not fail. */
    synchronized void faultEnds() {
        faults.get(faults.size() - 1).to = System.nanoTime();
    }

    /** From now on calls may be denied, as the budget is less than what is used of it. */
    synchronized void budgetShrinks() {
        spent.add(new Span(System.nanoTime()));
    }

    /** Calls that are made from now on may not be denied. */
    synchronized void budgetGrows() {
        spent.get(spent.size() - 1).to = System.nanoTime();
    }

    /** Returns once one more was denied as the budget is spent. */
    synchronized void awaitDenial() throws InterruptedException {
        long enough = denials + 1;
        awaitTrue(() -> denials >= enough, "no call is denied");
    }

    /** {@return how many milliseconds there were from then, when Redis answered again, until each guard had let a call go} */
    synchronized long stallSince(long backNanos) throws InterruptedException {
        awaitTrue(() -> allGo(backNanos) < NEVER, "a guard lets no call go since Redis is back");
        return (allGo(backNanos) - backNanos) / 1_000_000;
    }

    private long allGo(long since) {
        return guards.stream()
                .mapToLong(guard -> grants.stream()
                        .filter(grant -> grant.by == guard && grant.nanos - since >= 0)
                        .mapToLong(Grant::nanos)
                        .min()
                        .orElse(NEVER))
                .max()
                .orElse(NEVER);
    }

    /** {@return how many calls there were while nothing could be decided} */
    synchronized long met() {
        return met;
    }

    /** {@return how many calls were denied as too many were in flight} */
    synchronized long denialsInFlight() {
        return denialsInFlight;
    }

    // --------------------------------------------------------------------------------------------------------- balance

    /** Stops the load, and checks that what is charged is what was used; goes on from there. */
    void check() throws Exception {
        check(0);
    }

    /** As above, where another load of the same budget, which stands still, has used so much since the last check. */
    void check(long usedElsewhere) throws Exception {
        pause();
        awaitQuiet();
        long expected = charged + sumOfMade() + usedElsewhere;
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (chargedInRedis() != expected && System.nanoTime() - deadline < 0) {
            LockSupport.parkNanos(LOOK_NANOS);
        }
        if (chargedInRedis() != expected) {
            wrongs.add("Redis has charged " + chargedInRedis() + " nano-dollars, and " + expected + " were used");
        }
        holdNoSlot();
        forget();
    }

    /**
     * Stops the load, and checks that what Redis lost is what it says that it did: that there is what there was before, what was used since, and of
     * calls that were under way meanwhile at most what they are worth.
     *
     * @param before what Redis has again, in nano-dollars
     * @param flushed when all was in Redis that had been settled so far
     * @param back when it had lost that
     */
    void checkLoss(long before, long flushed, long back) throws Exception {
        pause();
        awaitQuiet();
        long least = before;
        long most = before;
        synchronized (this) {
            for (Made call : made) {
                if (call.asked - back >= 0) {
                    least += call.used;
                    most += call.used;
                } else if (call.settled - flushed >= 0) {
                    least -= call.most();
                    most += call.most();
                }
            }
        }
        long there = chargedInRedis();
        if (there < least || there > most) {
            wrongs.add("Redis has charged " + there + " nano-dollars, not from " + least + " to " + most);
        }
        holdNoSlot();
        forget();
    }

    /** Those of calls of which Redis lost that they ended come free with their lease. */
    private void holdNoSlot() throws GuardUnavailableException {
        long deadline = System.nanoTime() + LEASE.multipliedBy(2).toNanos();
        while (inFlight() > 0 && System.nanoTime() - deadline < 0) {
            LockSupport.parkNanos(LOOK_NANOS);
        }
        if (inFlight() > 0) {
            wrongs.add(inFlight() + " calls are in flight that have ended");
        }
    }

    /** Returns once no call is under way. */
    synchronized void pause() throws InterruptedException {
        goes = false;
        awaitTrue(() -> idle == threads.size(), "a call is never answered");
    }

    private void awaitTrue(BooleanSupplier condition, String otherwise) throws InterruptedException {
        long deadline = System.nanoTime() + ANSWERED_WITHIN_NANOS;
        while (!condition.getAsBoolean()) {
            long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
            if (left <= 0) {
                throw new IllegalStateException(otherwise);
            }
            wait(left);
        }
    }

    /** All that was settled is in Redis, or given up. */
    private void awaitQuiet() throws GuardUnavailableException {
        long deadline = System.nanoTime() + ANSWERED_WITHIN_NANOS;
        for (CostGuard guard : guards) {
            while (true) {
                try {
                    guard.flush();
                    break;
                } catch (GuardUnavailableException e) {
                    if (System.nanoTime() - deadline > 0) {
                        throw e;
                    }
                }
            }
        }
    }

    /** Stops the load, which goes on without a check; {@return what it used since then, in nano-dollars} */
    long pauseAndForget() throws Exception {
        pause();
        awaitQuiet();
        long used = sumOfMade();
        forget();
        return used;
    }

    /** {@return how many calls have ended since the last check} */
    synchronized int made() {
        return made.size();
    }

    private synchronized long sumOfMade() {
        return made.stream().mapToLong(Made::used).sum();
    }

    /** What is charged now, as others see it: in nano-dollars. */
    long chargedInRedis() throws GuardUnavailableException {
        LimitStatus status = status(0);
        return status.capacity() - status.balance();
    }

    private long inFlight() throws GuardUnavailableException {
        LimitStatus status = status(1);
        return status.capacity() - status.balance();
    }

    private LimitStatus status(int limit) throws GuardUnavailableException {
        return guards.get(0).status(CALL).get(limit);
    }

    private void forget() throws GuardUnavailableException {
        long now = chargedInRedis();
        synchronized (this) {
            charged = now;
            made.clear();
            grants.clear();
            faults.clear();
            outages.clear();
            spent.clear();
        }
    }

    @Override
    public void close() {
        synchronized (this) {
            ends = true;
            notifyAll();
        }
        try {
            for (Thread thread : threads) {
                thread.join(TimeUnit.NANOSECONDS.toMillis(ANSWERED_WITHIN_NANOS));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        guards.forEach(CostGuard::close);
    }
}
