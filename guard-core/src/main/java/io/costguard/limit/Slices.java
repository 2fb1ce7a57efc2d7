package io.costguard.limit;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.Share;
import io.costguard.Slice;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The slices that this process holds of its subjects' balances, for calls that the ledger cannot decide. A slice is an ordinary charge; a
 * call that spends from it takes a part of that charge along, and is settled like any other.
 *
 * <p><b>What a slice is worth.</b> It was charged some time ago, and is to be spent now, so that what the ledger lets go since must not have
 * taken its place: nothing may be spent of it once its window has closed or its slot is over. A bucket that was charged {@code s} holds {@code
 * capacity - s} at most, and after {@code t} as much more as it refills in {@code t}: so the slice is worth {@code s} less that, and what it has
 * lost is lost. As each slice bears all of the refill, that holds for any number of processes. What others give back to a bucket later than it
 * would have refilled by itself is not seen here: that is made good with the next renewal.
 *
 * <p><b>Renewal.</b> In one step of the ledger the charge is given back and made anew. So a slice takes from its bucket what it is, once, and
 * nothing of what comes; and nobody can take it meanwhile. One that would not be the same any more, as its window has closed or its bucket may
 * have been full since, is given back instead, and another is asked for.
 *
 * <p><b>After an outage.</b> A slice that was spent from is renewed only to hear whether the ledger is there again; then its rest is given
 * back, and the next look asks for another. Slots of calls in flight stay together until the last of its calls ends.
 *
 * <p>Safe for use by many threads. All that changes is under one lock, which is not held while anything is waited for; callers whom the ledger
 * decides take it only for a subject that is new.
 */
final class Slices {
    private static final Logger log = LoggerFactory.getLogger("io.costguard.CostGuard");

    private static final long SUBJECTS = 1_000;
    private static final Duration IDLE = Duration.ofMinutes(1);
    private static final long LOOK_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long LONGEST_PERIOD_NANOS = TimeUnit.SECONDS.toNanos(10);
    private static final int RENEWALS_A_LIFE = 3;
    /** Looks may come late. */
    private static final long SHORTEST_LIFE_NANOS = 2 * LOOK_NANOS;
    /** For calls that are decided at least half of each limit stays. */
    private static final Patience FROM_THE_UPPER_HALF = new Patience(0, 50);
    /** NTP sets a clock right by 500 parts in a million at most (RFC 5905, "maximum frequency tolerance"); there are two clocks. */
    private static final int DRIFT_IS_ONE_IN = 1_000;

    private final Ledger ledger;
    private final int percent;
    private final long timeoutNanos;
    private final Cache<Subject, Held> held;
    private final ReentrantLock lock = new ReentrantLock();
    private final AtomicBoolean looking = new AtomicBoolean();
    private final Map<Asked, CompletableFuture<Void>> asking = new ConcurrentHashMap<>();
    private volatile boolean closed;

    Slices(Ledger ledger, Share share, Duration timeout) {
        this.ledger = ledger;
        this.percent = share.percent();
        this.timeoutNanos = timeout.toNanos();
        this.held = Caffeine.newBuilder()
                .expireAfterAccess(IDLE)
                .ticker(ledger::nanoTime)
                .executor(Runnable::run)
                .<Subject, Held>removalListener((subject, its, cause) -> {
                    if (its != null) {
                        its.end();
                    }
                })
                .build();
    }

    /**
     * What a call spent.
     *
     * @param charges parts of those of its slices
     * @param ended is to be run when the call has ended
     */
    record Spending(List<Charge> charges, Runnable ended) {}

    /** The ledger has decided over these. */
    void used(List<Claim> claims) {
        for (Claim claim : claims) {
            Subject subject = claim.subject();
            Held its = held.getIfPresent(subject);
            if ((its == null || its.subject.budget() != subject.budget())
                    && isLeasable(subject)
                    && hasRoomFor(subject)
                    && !closed) {
                begin(subject);
            }
        }
    }

    /** Whoever would push out another, of those that are all in use, would be pushed out by the next. */
    private boolean hasRoomFor(Subject subject) {
        return held.estimatedSize() < SUBJECTS || held.policy().getIfPresentQuietly(subject) != null;
    }

    private static boolean isLeasable(Subject subject) {
        return !subject.budget().isDryRun();
    }

    private void begin(Subject subject) {
        Held its = held.asMap()
                .compute(
                        subject,
                        (same, before) -> before != null && before.subject.budget() == subject.budget()
                                ? before
                                : new Held(subject));
        if (closed) {
            held.invalidate(subject);
            return;
        }
        its.look();
        lookAfterAll();
    }

    private void lookAfterAll() {
        if (looking.compareAndSet(false, true)) {
            lookLater();
        }
    }

    private void lookLater() {
        CompletableFuture<Void> unused = ledger.after(LOOK_NANOS).thenRun(this::look);
    }

    private void look() {
        try {
            held.cleanUp();
            held.asMap().values().forEach(Held::look);
        } catch (RuntimeException e) {
            log.error("slices were not looked after; they will be in a moment", e);
        }
        if (!closed && !held.asMap().isEmpty()) {
            lookLater();
            return;
        }
        looking.set(false);
        if (!closed && !held.asMap().isEmpty()) {
            lookAfterAll();
        }
    }

    /**
     * Spends what these claims ask, all of it or nothing. A dry run, which denies nothing, is charged when the call ends.
     *
     * @throws GuardUnavailableException where the slices do not cover it, for the reason that the ledger could not
     */
    Spending spend(List<Claim> claims, GuardUnavailableException cause) throws GuardUnavailableException {
        List<@Nullable Held> theirs = new ArrayList<>();
        for (Claim claim : claims) {
            theirs.add(isLeasable(claim.subject()) ? held.getIfPresent(claim.subject()) : null);
        }
        lock.lock();
        try {
            List<@Nullable Portion> portions = new ArrayList<>();
            for (int i = 0; i < claims.size(); i++) {
                Portion portion = portion(theirs.get(i), claims.get(i).subject());
                check(claims.get(i), portion, cause);
                portions.add(portion);
            }
            List<Charge> charges = new ArrayList<>();
            List<Portion> spent = new ArrayList<>();
            for (int i = 0; i < claims.size(); i++) {
                Portion portion = portions.get(i);
                if (portion != null) {
                    charges.add(portion.spend(claims.get(i)));
                    spent.add(portion);
                } else {
                    Claim nothing = Claim.ofNothing(claims.get(i).subject());
                    charges.add(new Charge(nothing, nothing.amounts(), nothing.amounts()));
                }
            }
            return new Spending(charges, () -> ended(spent));
        } finally {
            lock.unlock();
        }
    }

    /** Under the lock. A budget that has changed since has no slice until the ledger has decided under it. */
    private static @Nullable Portion portion(@Nullable Held its, Subject subject) {
        return its == null || its.subject.budget() != subject.budget() ? null : its.portion;
    }

    private static void check(Claim claim, @Nullable Portion portion, GuardUnavailableException cause)
            throws GuardUnavailableException {
        Subject subject = claim.subject();
        for (int i = 0; i < claim.amounts().length && isLeasable(subject); i++) {
            long amount = claim.amounts()[i];
            long worth = portion == null ? 0 : portion.worth(i);
            if (amount > worth) {
                Limit limit = subject.limits().get(i);
                throw new GuardUnavailableException(
                        cause.getMessage() + "; and of '" + limit.name() + "' of budget '"
                                + subject.budget().name() + "' this process has "
                                + limit.unit().format(worth) + " leased that may be spent, and the call asks "
                                + limit.unit().format(amount),
                        cause);
            }
        }
    }

    private void ended(List<Portion> portions) {
        lock.lock();
        try {
            portions.forEach(Portion::callEnded);
        } finally {
            lock.unlock();
        }
    }

    /** What is held of these. */
    List<Slice> of(List<Subject> subjects) {
        List<Slice> slices = new ArrayList<>();
        lock.lock();
        try {
            for (Subject subject : subjects) {
                Portion portion = portion(held.policy().getIfPresentQuietly(subject), subject);
                if (portion != null) {
                    for (int i = 0; i < subject.limits().size(); i++) {
                        Limit limit = subject.limits().get(i);
                        slices.add(new Slice(
                                subject.budget().name(),
                                limit.name(),
                                portion.left[i],
                                portion.worth(i),
                                limit.unit()));
                    }
                }
            }
        } finally {
            lock.unlock();
        }
        return slices;
    }

    /** Gives all back; returns when the ledger has been told, or a decision would have taken too long. */
    void close() {
        closed = true;
        held.invalidateAll();
        CompletableFuture<?> answered = CompletableFuture.allOf(asking.values().toArray(CompletableFuture<?>[]::new));
        try {
            answered.get(timeoutNanos, TimeUnit.NANOSECONDS);
        } catch (TimeoutException | ExecutionException e) {
            log.debug("what was asked last is not given back", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    // ------------------------------------------------------------------------------------------------- one subject

    /** A subject that is used. All but the subject is under the lock. */
    private final class Held {
        final Subject subject;
        private final Claim claim;
        private final boolean lastsLongEnough;

        @Nullable Portion portion;
        /** The ledger is asked for something: it is not asked for more until it is known what became of that. */
        private boolean isBusy;

        private boolean isOver;

        Held(Subject subject) {
            this.subject = subject;
            long[] amounts = new long[subject.limits().size()];
            Arrays.setAll(amounts, i -> amount(subject.limits().get(i)));
            this.claim = new Claim(subject, amounts);
            this.lastsLongEnough = lifeNanos(claim) >= SHORTEST_LIFE_NANOS;
        }

        private long amount(Limit limit) {
            long capacity = limit.capacity();
            return Math.max(1, capacity / 100 * percent + capacity % 100 * percent / 100);
        }

        void look() {
            lock.lock();
            try {
                Portion its = portion;
                if (isBusy || isOver || !lastsLongEnough) {
                    return;
                }
                if (its == null) {
                    ask();
                } else if (!its.isTheSameRenewed()) {
                    portion = null;
                    its.end();
                } else if (its.isSpentFrom || its.isDue()) {
                    renew(its);
                }
            } finally {
                lock.unlock();
            }
        }

        private void ask() {
            isBusy = true;
            Asked asked = new Asked(claim);
            CompletableFuture<Void> told = new CompletableFuture<>();
            asking.put(asked, told);
            CompletableFuture<Verdict> unused = ledger.reserveAsync(
                            List.of(claim), FROM_THE_UPPER_HALF, ledger.nanoTime() + timeoutNanos)
                    .whenComplete((verdict, failure) -> {
                        answered(asked, verdict);
                        asking.remove(asked);
                        told.complete(null);
                    });
        }

        private void answered(Asked asked, @Nullable Verdict verdict) {
            lock.lock();
            try {
                isBusy = false;
                if (verdict instanceof Verdict.Granted granted) {
                    portion = new Portion(granted.charges().get(0), asked);
                    if (isOver) {
                        end();
                    }
                }
            } finally {
                lock.unlock();
            }
        }

        private void renew(Portion its) {
            isBusy = true;
            Asked asked = new Asked(claim);
            CompletableFuture<?> unused = ledger.renew(its.begunAnew()).whenComplete((done, failure) -> {
                lock.lock();
                try {
                    isBusy = false;
                    if (failure == null && its == portion) {
                        if (its.isSpentFrom) {
                            portion = null;
                            its.end();
                        } else {
                            its.asked = asked;
                        }
                    }
                } finally {
                    lock.unlock();
                }
            });
        }

        void end() {
            lock.lock();
            try {
                isOver = true;
                if (portion != null) {
                    portion.end();
                    portion = null;
                }
            } finally {
                lock.unlock();
            }
        }
    }

    /** How long a whole slice of each bucket is worth something, at the least; and that is as good as for ever where there is no bucket. */
    private static long lifeNanos(Claim claim) {
        long least = Long.MAX_VALUE;
        for (int i = 0; i < claim.amounts().length; i++) {
            Limit limit = claim.subject().limits().get(i);
            if (limit.algorithm() instanceof Limit.Algorithm.TokenBucket
                    && limit.window() instanceof Limit.Window.Span every) {
                double share = (double) claim.amounts()[i] / limit.amount();
                least = Math.min(least, (long) (share * every.micros() * 1_000));
            }
        }
        return least;
    }

    /** When something was asked, and how long each limit of it counts from then on. */
    private final class Asked {
        final long atNanos = ledger.nanoTime();
        final long[] countsNanos;

        Asked(Claim claim) {
            Subject subject = claim.subject();
            this.countsNanos = subject.limits().stream()
                    .mapToLong(limit -> ledger.countsNanos(subject, limit))
                    .toArray();
        }

        long ageNanos() {
            long age = ledger.nanoTime() - atNanos;
            return age + age / DRIFT_IS_ONE_IN;
        }
    }

    /** A charge, and what is left of it. Under the lock. */
    private final class Portion {
        /** Holds the slots of calls in flight, which are renewed while it is reachable; the rest of it has gone to other charges. */
        private final Charge charge;
        /** Of what is left; shared with what was spent since it was last renewed. */
        private long[] eras;

        /** Charged, and neither spent nor given back. */
        final long[] left;
        /** No more of it may be spent, as time has passed between one call that did and the next. */
        private final long[] spendable;

        private Asked asked;
        private boolean isSpentFrom;
        private int callsInFlight;
        private boolean isOver;

        Portion(Charge charge, Asked asked) {
            this.charge = charge;
            this.eras = charge.eras();
            this.left = charge.claim().amounts().clone();
            this.spendable = left.clone();
            this.asked = asked;
        }

        private Limit limit(int i) {
            return charge.claim().subject().limits().get(i);
        }

        long worth(int i) {
            long age = asked.ageNanos();
            if (age >= asked.countsNanos[i]) {
                return 0;
            }
            return limit(i).algorithm() instanceof Limit.Algorithm.TokenBucket
                    ? Math.max(0, Math.min(spendable[i], charge.claim().amounts()[i] - refilled(i, age)))
                    : spendable[i];
        }

        /** In whole units, rounded up. */
        private long refilled(int i, long nanos) {
            return nanos == 0 ? 0 : limit(i).refill(Duration.ofNanos(nanos)) + 1;
        }

        Charge spend(Claim claim) {
            isSpentFrom = true;
            for (int i = 0; i < left.length; i++) {
                spendable[i] = worth(i) - claim.amounts()[i];
                left[i] -= claim.amounts()[i];
                callsInFlight += limit(i).isInFlight() ? (int) claim.amounts()[i] : 0;
            }
            return new Charge(claim.withoutCallsInFlight(), eras, charge.balances());
        }

        boolean isDue() {
            long period = Math.min(LONGEST_PERIOD_NANOS, lifeNanos(charge.claim()) / RENEWALS_A_LIFE);
            return asked.ageNanos() >= period || isOverSomewhere(asked.ageNanos());
        }

        private boolean isOverSomewhere(long age) {
            return Arrays.stream(asked.countsNanos).anyMatch(counts -> age >= counts);
        }

        /** Whether no balance can have forgotten it. */
        boolean isTheSameRenewed() {
            long age = asked.ageNanos();
            for (int i = 0; i < left.length; i++) {
                Limit.Algorithm algorithm = limit(i).algorithm();
                boolean isForgotten;
                if (algorithm instanceof Limit.Algorithm.TokenBucket) {
                    isForgotten = refilled(i, age) >= charge.claim().amounts()[i];
                } else if (algorithm instanceof Limit.Algorithm.FixedWindow) {
                    isForgotten = age >= asked.countsNanos[i];
                } else {
                    // Calls in flight are renewed by themselves; a sliding window knows a slot until it is fourteen
                    // slots older.
                    isForgotten = algorithm instanceof Limit.Algorithm.SlidingWindow
                            && limit(i).window() instanceof Limit.Window.Span span
                            && age >= span.micros() * 500;
                }
                if (isForgotten) {
                    return false;
                }
            }
            return true;
        }

        /** What is left, to be renewed apart from what has been spent. */
        Charge begunAnew() {
            eras = eras.clone();
            return rest();
        }

        private Charge rest() {
            return new Charge(
                    new Claim(charge.claim().subject(), left.clone()).withoutCallsInFlight(), eras, charge.balances());
        }

        void callEnded() {
            for (int i = 0; i < left.length; i++) {
                if (limit(i).isInFlight() && callsInFlight > 0) {
                    callsInFlight--;
                    left[i]++;
                    spendable[i]++;
                }
            }
            endCallsInFlight();
        }

        /** Nothing more is spent of it. */
        void end() {
            isOver = true;
            Charge rest = rest();
            if (Arrays.stream(rest.claim().amounts()).anyMatch(amount -> amount > 0)) {
                ledger.settle(List.of(new Ledger.Settled(rest, new long[left.length])), () -> {});
            }
            endCallsInFlight();
        }

        private void endCallsInFlight() {
            if (isOver
                    && callsInFlight == 0
                    && charge.claim().subject().budget().countsInFlight()) {
                long[] others = charge.claim().withoutCallsInFlight().amounts();
                ledger.settle(List.of(new Ledger.Settled(charge, others)), () -> {});
            }
        }
    }
}
