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
import io.costguard.Unit;
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

    private final Subjects subjects;
    private final PreCheck preCheck;
    private final Ledger ledger;
    private final PriceList prices;
    private final Fingerprint fingerprint;
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
        this.subjects = subjects;
        this.preCheck = new PreCheck(preCheck, System::nanoTime);
        this.ledger = ledger;
        this.prices = prices;
        this.fingerprint = fingerprint;
        this.whenRedisFails = whenRedisFails;
        this.timeoutNanos = timeout.toNanos();
        this.listeners = new Listeners(List.of(listeners));
    }

    /** A call that is about to be decided, with what it asks of whom. */
    private record Asking(GuardedCall call, List<Claim> claims, PreCheck.Tickets tickets) {}

    /**
     * Decides without waiting for anything but the ledger.
     *
     * @throws GuardUnavailableException where the ledger cannot decide, and the guard fails closed
     * @throws MisfitException for a call that no budget can judge: without a price, or without an attribute
     */
    public Admission decide(GuardedCall call) throws GuardUnavailableException {
        try {
            Asking asking = ask(call);
            Optional<Admission> known = withoutLedger(asking);
            return known.isPresent()
                    ? known.get()
                    : admission(asking, ledger.reserve(asking.claims(), System.nanoTime() + timeoutNanos));
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
            Asking asking = ask(call);
            Optional<Admission> known = withoutLedger(asking);
            admission = known.isPresent()
                    ? CompletableFuture.completedFuture(known.get())
                    : ledger.reserveAsync(asking.claims(), System.nanoTime() + timeoutNanos)
                            .thenApply(verdict -> admission(asking, verdict));
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
        List<Subject> found = subjects.of(identified(call).attributes());
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
        return subjects.budgetsOf(call.attributes()).stream()
                .mapToLong(Budget::assumedOutput)
                .max()
                .orElse(0);
    }

    @Override
    public void close() {
        ledger.close();
    }

    private Asking ask(GuardedCall call) {
        GuardedCall identified = identified(call);
        List<Subject> found = subjects.of(identified.attributes());
        GuardedCall priced =
                identified.cost(priced(call.model(), call.cost(), call.cost().requests()));
        List<Claim> claims = new ArrayList<>(found.size());
        for (Subject subject : found) {
            checkPriced(priced, subject);
            claims.add(Claim.of(subject, priced.cost()));
        }
        return new Asking(priced, claims, preCheck.tickets(claims));
    }

    private GuardedCall identified(GuardedCall call) {
        return call.with("apiKey", fingerprint.of(call.attributes().getOrDefault("apiKey", "")));
    }

    /** This cost of {@code model}, with the dollars of the price list where it has none of its own. */
    Cost priced(String model, Cost cost, long requests) {
        Cost counted = Cost.requests(requests).input(cost.input()).output(cost.output());
        if (cost.givenNanoUsd().isPresent()) {
            return counted.nanoUsd(cost.nanoUsd());
        }
        return prices.nanoUsd(model, counted).stream()
                .mapToObj(counted::nanoUsd)
                .findFirst()
                .orElse(counted);
    }

    private static void checkPriced(GuardedCall call, Subject subject) {
        if (call.cost().givenNanoUsd().isPresent()) {
            return;
        }
        for (Limit limit : subject.limits()) {
            if (limit.unit() == Unit.USD) {
                throw new MisfitException("model '" + call.model() + "' has no price, and budget '"
                        + subject.budget().name() + "' limits dollars; add the model to prices(..), give the call its"
                        + " cost with usd(..), or keep it out of that budget with models(..)");
            }
        }
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

    private Admission admission(Asking asking, Verdict verdict) {
        if (verdict instanceof Verdict.Shortfall denied) {
            preCheck.remember(denied, asking.claims(), asking.tickets());
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
        GuardedCall shown = identified(call);
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

    /** Ends a reservation: what it was charged becomes what it used. */
    void end(Reservation reservation, Cost actual, Outcome outcome) {
        List<Ledger.Settled> settled = new ArrayList<>();
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
