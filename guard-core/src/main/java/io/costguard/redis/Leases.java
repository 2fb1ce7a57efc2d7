package io.costguard.redis;

import io.costguard.Limit;
import io.costguard.limit.Charge;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.WeakHashMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The calls in flight of this process, whose slots are renewed while anybody may still end them: three times a lease, all calls of a
 * subject at once. There is one timer while there are any, and none otherwise.
 *
 * <p>A renewal moves slots from the eras in which they were charged to the present one, in one step. A call that ends meanwhile is settled
 * once it is known what became of it, and where its slot is therefore. Where nobody ever knows, slots are taken to be where they were: then
 * some are given back that others hold, and those stay, or none are; either way what is left of them is gone a lease later.
 *
 * <p>Only those who may end a call hold on to its charge: one that they have lost is not renewed any more. Safe for use by many threads;
 * the lock is not held around anything that others do.
 */
final class Leases {
    private static final int RENEWALS_A_LEASE = 3;
    private static final CompletableFuture<Void> KNOWN = CompletableFuture.completedFuture(null);

    private final Renewer renewer;
    private final ServerClock clock;
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<Subject, Held> held = new HashMap<>();
    private @Nullable CompletableFuture<Void> timer;
    private boolean closed;

    /** The ledger, as far as leases need it. */
    interface Renewer {
        /**
         * Has slots renewed, whenever the ledger can be reached.
         *
         * @param renewed told the era in which they are held from then on, unless it never becomes known
         * @return what completes after that
         */
        CompletableFuture<?> renew(Batch.Call.Renew call, LongConsumer renewed);

        /** So many calls had lost their slots for a while, and hold them again, however full it was. */
        void hadLapsed(Subject subject, long calls);
    }

    /** What this process holds of one subject. */
    private static final class Held {
        final Set<Charge> charges = Collections.newSetFromMap(new WeakHashMap<>());
        CompletableFuture<Void> renewal = KNOWN;
    }

    Leases(Renewer renewer, ServerClock clock) {
        this.renewer = renewer;
        this.clock = clock;
    }

    /** Where these are calls in flight, they are renewed from now on. */
    void begin(Verdict.Granted granted) {
        for (Charge charge : granted.charges()) {
            Subject subject = charge.claim().subject();
            if (subject.budget().countsInFlight()) {
                begin(subject, charge);
            }
        }
    }

    private void begin(Subject subject, Charge charge) {
        lock.lock();
        try {
            Held its = held.computeIfAbsent(subject, unused -> new Held());
            its.charges.add(charge);
            if (timer == null && !closed) {
                startTimer(subject);
            }
        } finally {
            lock.unlock();
        }
    }

    private static long calls(Charge charge) {
        return charge.claim().amounts()[inFlight(charge)];
    }

    private static int inFlight(Charge charge) {
        return inFlight(charge.claim().subject());
    }

    private static int inFlight(Subject subject) {
        List<Limit> limits = subject.limits();
        int limit = 0;
        while (!limits.get(limit).isInFlight()) {
            limit++;
        }
        return limit;
    }

    /** All subjects of a guard have the same lease. */
    private void startTimer(Subject subject) {
        long micros =
                ((Limit.Window.Span) subject.limits().get(inFlight(subject)).window()).micros();
        timer = clock.after(micros * 1_000 / RENEWALS_A_LEASE);
        CompletableFuture<Void> unused = timer.thenRun(this::renew);
    }

    /** What was charged is to be given back from now on; completes when it is known in which era. */
    CompletableFuture<Void> end(Charge charge) {
        Subject subject = charge.claim().subject();
        if (!subject.budget().countsInFlight()) {
            return KNOWN;
        }
        lock.lock();
        try {
            Held its = held.get(subject);
            if (its == null) {
                return KNOWN;
            }
            its.charges.remove(charge);
            return its.renewal;
        } finally {
            lock.unlock();
        }
    }

    private void renew() {
        List<Runnable> renewals = new ArrayList<>();
        lock.lock();
        try {
            timer = null;
            for (Iterator<Map.Entry<Subject, Held>> each = held.entrySet().iterator(); each.hasNext() && !closed; ) {
                Map.Entry<Subject, Held> next = each.next();
                Subject subject = next.getKey();
                Held its = next.getValue();
                if (its.renewal.isDone()) {
                    List<Charge> charges = List.copyOf(its.charges);
                    if (charges.isEmpty()) {
                        each.remove();
                        continue;
                    }
                    CompletableFuture<Void> known = new CompletableFuture<>();
                    its.renewal = known;
                    renewals.add(renewal(charges, known));
                }
                if (timer == null) {
                    startTimer(subject);
                }
            }
        } finally {
            lock.unlock();
        }
        renewals.forEach(Runnable::run);
    }

    /** @param charges of one subject, under whatever budgets it had */
    private Runnable renewal(List<Charge> charges, CompletableFuture<Void> known) {
        Map<Long, Long> byEra = new TreeMap<>();
        for (Charge charge : charges) {
            byEra.merge(charge.eras()[inFlight(charge)], calls(charge), Long::sum);
        }
        Subject subject = charges.get(0).claim().subject();
        Batch.Call.Renew call = new Batch.Call.Renew(subject, inFlight(subject), byEra);
        return () -> {
            CompletableFuture<?> unused = renewer.renew(call, era -> renewed(subject, charges, era))
                    .whenComplete((done, failure) -> known.complete(null));
        };
    }

    private void renewed(Subject subject, List<Charge> charges, long era) {
        long lapsed = 0;
        lock.lock();
        try {
            for (Charge charge : charges) {
                int limit = inFlight(charge);
                if (Terms.isGone(charge.eras()[limit], era)) {
                    lapsed += calls(charge);
                }
                charge.eras()[limit] = era;
            }
        } finally {
            lock.unlock();
        }
        if (lapsed > 0) {
            renewer.hadLapsed(subject, lapsed);
        }
    }

    /** Nothing is renewed any more. */
    void close() {
        CompletableFuture<Void> last;
        lock.lock();
        try {
            closed = true;
            last = timer;
        } finally {
            lock.unlock();
        }
        if (last != null) {
            last.complete(null);
        }
    }
}
