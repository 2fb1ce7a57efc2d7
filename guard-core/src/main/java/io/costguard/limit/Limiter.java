package io.costguard.limit;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.Denial;
import io.costguard.GuardListener;
import io.costguard.GuardListener.Denied.By;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.LimitStatus;
import io.costguard.Outcome;
import io.costguard.PriceList;
import io.costguard.WhenRedisFails;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * Decides whether a call may go: finds what it would be charged to, asks the pre-check and then the ledger, and turns their
 * answer into a reservation or a denial. Sync and async differ only in how they wait for the ledger.
 */
public final class Limiter implements AutoCloseable {
    /** As long as a duration gets: waiting will never help. */
    private static final Duration NEVER = Duration.ofNanos(Long.MAX_VALUE);

    private final Askings askings;
    private final PreCheck preCheck;
    private final Ledger ledger;
    private final WhenRedisFails whenRedisFails;
    private final long timeoutNanos;
    private final Listeners listeners;

    public Limiter(
            Subjects subjects,
            Ledger ledger,
            PriceList prices,
            Fingerprint fingerprint,
            WhenRedisFails whenRedisFails,
            Duration timeout,
            Duration preCheck,
            GuardListener... listeners) {
        this.askings = new Askings(subjects, prices, fingerprint);
        this.preCheck = new PreCheck(preCheck, System::nanoTime);
        this.ledger = ledger;
        this.whenRedisFails = whenRedisFails;
        this.timeoutNanos = timeout.toNanos();
        this.listeners = new Listeners(List.of(listeners));
    }

    /**
     * Decides without waiting for anything but the ledger.
     *
     * @throws GuardUnavailableException where the ledger cannot decide, and the guard fails closed
     * @throws MisfitException for a call that no budget can judge: without a price, or without an attribute
     */
    public Admission decide(GuardedCall call) throws GuardUnavailableException {
        try {
            Asking asking = askings.of(call);
            Optional<Admission> known = withoutLedger(asking);
            if (known.isPresent()) {
                return known.get();
            }
            PreCheck.Tickets tickets = preCheck.tickets(asking.claims());
            return admission(asking, tickets, ledger.reserve(asking.claims(), System.nanoTime() + timeoutNanos));
        } catch (MisfitException e) {
            throw e;
        } catch (GuardUnavailableException e) {
            return whenUnavailable(call, e);
        } catch (RuntimeException e) {
            return whenFaulty(call, e);
        }
    }

    /** {@link #decide} without holding a thread; fails with what that throws. */
    public CompletableFuture<Admission> decideAsync(GuardedCall call) {
        CompletableFuture<Admission> admission;
        try {
            Asking asking = askings.of(call);
            Optional<Admission> known = withoutLedger(asking);
            if (known.isPresent()) {
                admission = CompletableFuture.completedFuture(known.get());
            } else {
                PreCheck.Tickets tickets = preCheck.tickets(asking.claims());
                admission = ledger.reserveAsync(asking.claims(), System.nanoTime() + timeoutNanos)
                        .thenApply(verdict -> admission(asking, tickets, verdict));
            }
        } catch (RuntimeException e) {
            admission = CompletableFuture.failedFuture(e);
        }
        return admission.exceptionally(failure -> {
            Throwable wrapped = failure.getCause();
            Throwable cause = failure instanceof CompletionException && wrapped != null ? wrapped : failure;
            try {
                if (cause instanceof GuardUnavailableException unavailable) {
                    return whenUnavailable(call, unavailable);
                } else if (cause instanceof RuntimeException fault && !(cause instanceof MisfitException)) {
                    return whenFaulty(call, fault);
                }
            } catch (GuardUnavailableException e) {
                throw new CompletionException(e);
            }
            throw new CompletionException(cause);
        });
    }

    /**
     * What becomes of a call that the guard cannot decide for a fault of its own, which is no reason to go over a budget, or to
     * break a call that may go uncounted.
     *
     * @throws GuardUnavailableException where the guard fails closed
     */
    public Admission whenFaulty(GuardedCall call, RuntimeException fault) throws GuardUnavailableException {
        return whenUnavailable(call, new GuardUnavailableException("the guard failed: " + fault, fault));
    }

    /** How the limits that a call falls under stand. */
    public List<LimitStatus> status(GuardedCall call) throws GuardUnavailableException {
        flush();
        List<Subject> found = askings.subjectsOf(call);
        if (found.isEmpty()) {
            return List.of();
        }
        List<List<Standing>> standings = ledger.look(found, System.nanoTime() + timeoutNanos);
        List<LimitStatus> statuses = new ArrayList<>();
        for (int i = 0; i < found.size(); i++) {
            for (int j = 0; j < standings.get(i).size(); j++) {
                Standing standing = standings.get(i).get(j);
                Budget budget = found.get(i).budget();
                Limit limit = budget.limits().get(j);
                statuses.add(new LimitStatus(
                        budget.name(),
                        limit.name(),
                        standing.balance(),
                        limit.capacity(),
                        0,
                        micros(standing.untilFullMicros())));
            }
        }
        return statuses;
    }

    /** Returns when all that has ended so far is in the ledger. */
    public void flush() throws GuardUnavailableException {
        ledger.flush(System.nanoTime() + timeoutNanos);
    }

    /** The output tokens to reserve for a call like this one, when its request sets no cap. */
    public long assumedOutput(GuardedCall call) {
        long most = 0;
        try {
            for (Subject subject : askings.subjectsOf(call)) {
                most = Math.max(most, subject.budget().assumedOutput());
            }
        } catch (MisfitException e) {
            return 0; // whoever asks for a decision is told
        }
        return most;
    }

    @Override
    public void close() {
        ledger.close();
    }

    /** Whatever can be said without asking the ledger: a grant only where no budget applies. */
    private Optional<Admission> withoutLedger(Asking asking) {
        if (asking.claims().isEmpty()) {
            return Optional.of(granted(asking, List.of()));
        }
        for (Claim claim : asking.claims()) {
            Budget budget = claim.subject().budget();
            for (int i = 0; i < claim.amounts().length; i++) {
                long capacity = budget.limits().get(i).capacity();
                if (claim.amounts()[i] > capacity && !budget.isClampedToCapacity() && !budget.isDryRun()) {
                    Limit limit = budget.limits().get(i);
                    Denial denial = new Denial(
                            budget.name(), limit.name(), claim.amounts()[i], capacity, NEVER, capacity, limit.unit());
                    return Optional.of(refused(asking, denial, By.CAPACITY));
                }
            }
        }
        return preCheck.denies(asking.claims()).map(denied -> refused(asking, denial(denied), By.PRE_CHECK));
    }

    private Admission admission(Asking asking, PreCheck.Tickets tickets, Verdict verdict) {
        if (verdict instanceof Verdict.Shortfall denied) {
            preCheck.remember(denied, asking.claims(), tickets);
            return refused(asking, denial(denied), By.REDIS);
        }
        Verdict.Granted granted = (Verdict.Granted) verdict;
        for (Verdict.Shortfall denied : granted.dryRuns()) {
            listeners.denied(asking.call(), denial(denied), By.DRY_RUN);
        }
        return granted(asking, granted.charges());
    }

    private Admission whenUnavailable(GuardedCall call, GuardUnavailableException cause)
            throws GuardUnavailableException {
        if (whenRedisFails != WhenRedisFails.failOpen()) {
            throw cause;
        }
        GuardedCall shown = askings.identified(call);
        listeners.failedOpen(shown, cause);
        return new Admission.Granted(Reservation.uncounted(shown));
    }

    private Admission granted(Asking asking, List<Charge> charges) {
        listeners.granted(asking.call(), charges);
        return new Admission.Granted(Reservation.of(asking.call(), charges, this));
    }

    private Admission refused(Asking asking, Denial denial, By by) {
        listeners.denied(asking.call(), denial, by);
        return new Admission.Refused(denial, by);
    }

    /** What a call of {@code model} used, as it is charged: with its dollars. */
    Cost priced(String model, Cost actual) {
        return askings.priced(model, actual);
    }

    /** Ends a reservation: what it was charged becomes what it used. */
    void end(Reservation reservation, Cost actual, Outcome outcome) {
        List<Ledger.Settled> settled = new ArrayList<>(reservation.charges().size());
        for (Charge charge : reservation.charges()) {
            long[] used = Claim.of(charge.claim().subject(), actual).amounts();
            if (!Arrays.equals(used, charge.claim().amounts())) {
                settled.add(new Ledger.Settled(charge, used));
            }
        }
        if (!settled.isEmpty()) {
            ledger.settle(
                    settled,
                    () -> settled.forEach(
                            each -> preCheck.forget(each.charge().claim().subject())));
        }
        listeners.settled(reservation.call(), actual, outcome);
    }

    private static Denial denial(Verdict.Shortfall denied) {
        Budget budget = denied.claim().subject().budget();
        Limit limit = budget.limits().get(denied.limit());
        return new Denial(
                budget.name(),
                limit.name(),
                denied.requested(),
                denied.available(),
                micros(denied.waitMicros()),
                Math.max(0, denied.available()),
                limit.unit());
    }

    private static Duration micros(long micros) {
        return Duration.ofSeconds(micros / 1_000_000, micros % 1_000_000 * 1_000);
    }
}
