package io.costguard.limit;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.Denial;
import io.costguard.GuardListener.Denied.By;
import io.costguard.GuardListener.Regression.Lost;
import io.costguard.GuardStats;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.LimitStatus;
import io.costguard.MisfitException;
import io.costguard.Outcome;
import io.costguard.PriceList;
import io.costguard.Slice;
import io.costguard.WhenExhausted;
import io.costguard.WhenRedisFails;
import io.costguard.describe.Remaining;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Decides whether a call may go: finds what it would be charged to, asks the pre-check and then the ledger, and turns their
 * answer into a reservation or a denial. Sync and async differ only in how they wait for the ledger.
 */
public final class Limiter implements AutoCloseable {
    /** How long a call that waits takes to see that nobody wants it any more. */
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

    private static final String LATER =
            "it will be once Redis is back, unless the guard is closed before: do not ask for it again";

    private volatile AskingsInForce inForce;
    private final PreCheck preCheck;
    private final Ledger ledger;
    private final WhenExhausted whenExhausted;
    private final WhenRedisFails whenRedisFails;
    private final Duration timeout;
    private final Listeners listeners;
    private final Outage outage;
    /** Reservations that have not ended. */
    private final LongAdder open = new LongAdder();
    /** Null where nothing is leased. */
    private final @Nullable Slices slices;

    /** What calls ask, under the budgets that are in force. */
    private record AskingsInForce(Askings askings, BooleanSupplier isOver, Askings afterwards) {}

    public Limiter(
            Subjects subjects,
            Ledger ledger,
            PriceList prices,
            Fingerprint fingerprint,
            WhenExhausted whenExhausted,
            WhenRedisFails whenRedisFails,
            Duration timeout,
            Duration preCheck,
            Listeners listeners) {
        Askings askings = new Askings(subjects, prices, fingerprint);
        this.inForce = new AskingsInForce(askings, () -> false, askings);
        this.preCheck = new PreCheck(preCheck, ledger::nanoTime);
        this.outage = new Outage(ledger::nanoTime);
        this.ledger = ledger;
        this.whenExhausted = whenExhausted;
        this.whenRedisFails = whenRedisFails;
        this.timeout = timeout;
        this.listeners = listeners;
        this.slices = whenRedisFails
                .slice()
                .map(share -> new Slices(ledger, share, timeout))
                .orElse(null);
    }

    /**
     * Decides without waiting for anything but the ledger.
     *
     * @throws GuardUnavailableException where the ledger cannot decide, and the guard fails closed
     * @throws MisfitException for a call that no budget can judge: without a price, or without an attribute
     */
    public Admission decide(GuardedCall call) throws GuardUnavailableException {
        try {
            return admission(call, patience(call, Duration.ZERO), timeout, () -> false);
        } catch (InterruptedException e) {
            throw new IllegalStateException("a call that does not wait was interrupted while waiting", e);
        }
    }

    /**
     * Decides, and waits for the call's turn if its budgets are spent and it may.
     *
     * @param atMost how long it waits at most, for its turn and for the ledger, whatever else is said
     * @param givenUp looked at from time to time while it waits: a call that nobody wants any more leaves, and is refused
     * @throws InterruptedException where the thread was interrupted while the call waited: it left, and holds nothing
     */
    public Admission admit(GuardedCall call, Duration atMost, BooleanSupplier givenUp)
            throws GuardUnavailableException, InterruptedException {
        return admission(call, patience(call, atMost), atMost, givenUp);
    }

    /** {@link #admit} of so many calls like this one as one, or of as many of them as there is room for, but one. */
    public Admission admitUpTo(GuardedCall each, int pieces, Duration atMost)
            throws GuardUnavailableException, InterruptedException {
        return admission(each, patience(each, atMost).upTo(pieces), atMost, () -> false);
    }

    private Admission admission(GuardedCall call, Patience patience, Duration atMost, BooleanSupplier givenUp)
            throws GuardUnavailableException, InterruptedException {
        try {
            long beganNanos = ledger.nanoTime();
            long deadlineNanos = deadline(beganNanos);
            Asking asking = askings().of(call);
            Optional<Admission> known = withoutLedger(asking, patience, beganNanos);
            if (known.isPresent()) {
                return known.get();
            }
            PreCheck.Tickets tickets = preCheck.tickets(asking.claims());
            Verdict verdict;
            if (atMost.compareTo(timeout) < 0) {
                CompletableFuture<Verdict> inTime = decidedWithin(atMost, asking, patience, deadlineNanos);
                verdict = awaited(asking, inTime, () -> inTime.cancel(false), givenUp);
            } else {
                verdict = ledger.reserve(asking.claims(), patience, deadlineNanos);
            }
            if (verdict instanceof Verdict.Waiting waiting) {
                long began = begins(asking, patience, waiting);
                Verdict.Place place = waiting.place();
                Verdict end = awaited(asking, place.end(), place::leave, givenUp);
                return admission(asking, patience, tickets, end, since(began));
            }
            return admission(asking, patience, tickets, verdict, Duration.ZERO);
        } catch (MisfitException | CancellationException e) {
            throw e;
        } catch (GuardUnavailableException e) {
            return whenUnavailable(call, patience.pieces(), e);
        } catch (RuntimeException e) {
            return whenUnavailable(call, patience.pieces(), failed(e));
        }
    }

    /**
     * What the ledger says within less time than a decision may take. The call does not ask with its own thread, as it would then ask
     * for others that have more time.
     */
    private CompletableFuture<Verdict> decidedWithin(
            Duration atMost, Asking asking, Patience patience, long deadlineNanos) {
        CompletableFuture<Verdict> inTime = new CompletableFuture<>();
        CompletableFuture<Verdict> unused = ledger.reserveAsync(asking.claims(), patience, deadlineNanos)
                .whenComplete((verdict, failure) -> {
                    if (failure != null) {
                        inTime.completeExceptionally(failure);
                    } else if (!inTime.complete(verdict)) {
                        giveBack(asking, verdict);
                    }
                });
        long nanos = Math.max(0, atMost.toNanos());
        CompletableFuture.delayedExecutor(nanos, TimeUnit.NANOSECONDS, Runnable::run)
                .execute(() -> inTime.completeExceptionally(new GuardUnavailableException("Redis did not decide within "
                        + nanos / 1_000_000 + " ms, which is all that the call had left")));
        return inTime;
    }

    /**
     * Of a decision that begins then, and of what it begins with: that a call is not above capacity is known of the budgets that were in force
     * when it was looked at, and so a process that stood still since must not ask.
     */
    private long deadline(long beganNanos) {
        return beganNanos + timeout.toNanos();
    }

    private long deadline() {
        return deadline(ledger.nanoTime());
    }

    private Verdict awaited(Asking asking, CompletableFuture<Verdict> verdict, Runnable leave, BooleanSupplier givenUp)
            throws GuardUnavailableException, InterruptedException {
        try {
            while (true) {
                try {
                    return verdict.get(LOOK_NANOS, TimeUnit.NANOSECONDS);
                } catch (TimeoutException e) {
                    if (givenUp.getAsBoolean()) {
                        throw new CancellationException("the call was cancelled while it waited");
                    }
                }
            }
        } catch (ExecutionException e) {
            if (e.getCause() instanceof GuardUnavailableException unavailable) {
                throw unavailable;
            }
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException | CancellationException e) {
            leave.run();
            CompletableFuture<Void> unused = verdict.thenAccept(late -> giveBack(asking, late));
            throw e;
        }
    }

    /** What nobody wants any more. */
    private void giveBack(Asking asking, Verdict verdict) {
        if (verdict instanceof Verdict.Granted granted) {
            reservation(asking, granted, Duration.ZERO).release();
        } else if (verdict instanceof Verdict.Waiting waiting) {
            waiting.place().leave();
            CompletableFuture<Void> unused = waiting.place().end().thenAccept(late -> giveBack(asking, late));
        }
    }

    private long begins(Asking asking, Patience patience, Verdict.Waiting waiting) {
        decided(asking);
        listeners.waiting(asking.call(), denial(waiting.expected(), patience));
        waiting.place().onRegressed(() -> listeners.regressed(asking.call(), Lost.PLACE));
        return ledger.nanoTime();
    }

    private Duration since(long nanos) {
        return Duration.ofNanos(Math.max(1, ledger.nanoTime() - nanos));
    }

    private Patience patience(GuardedCall call, Duration atMost) {
        return Patience.of(call.whenExhausted().orElse(whenExhausted), atMost);
    }

    /** {@link #admit} without holding a thread; fails with what that throws. Cancelled, it gives back what it is granted. */
    public CompletableFuture<Admission> admitAsync(GuardedCall call, Duration atMost) {
        return admitUpToAsync(call, 1, atMost);
    }

    /** {@link #admitUpTo} likewise. */
    public CompletableFuture<Admission> admitUpToAsync(GuardedCall call, int pieces, Duration atMost) {
        CompletableFuture<Admission> result = new CompletableFuture<>();
        CompletableFuture<Admission> admission;
        try {
            long beganNanos = ledger.nanoTime();
            long deadlineNanos = deadline(beganNanos);
            Asking asking = askings().of(call);
            Patience patience = patience(call, atMost).upTo(pieces);
            Optional<Admission> known = withoutLedger(asking, patience, beganNanos);
            if (known.isPresent()) {
                admission = CompletableFuture.completedFuture(known.get());
            } else {
                PreCheck.Tickets tickets = preCheck.tickets(asking.claims());
                CompletableFuture<Verdict> decided = atMost.compareTo(timeout) < 0
                        ? decidedWithin(atMost, asking, patience, deadlineNanos)
                        : ledger.reserveAsync(asking.claims(), patience, deadlineNanos);
                admission = decided.thenCompose(verdict -> awaited(asking, patience, tickets, verdict, result));
            }
        } catch (RuntimeException e) {
            admission = CompletableFuture.failedFuture(e);
        }
        CompletableFuture<Admission> unused = admission
                .exceptionally(failure -> withoutDecision(call, pieces, failure))
                .whenComplete((decided, failure) -> {
                    if (failure != null) {
                        result.completeExceptionally(failure);
                    } else if (!result.complete(decided) && decided instanceof Admission.Granted granted) {
                        granted.reservation().release();
                    }
                });
        return result;
    }

    private CompletableFuture<Admission> awaited(
            Asking asking,
            Patience patience,
            PreCheck.Tickets tickets,
            Verdict verdict,
            CompletableFuture<Admission> result) {
        if (!(verdict instanceof Verdict.Waiting waiting)) {
            return CompletableFuture.completedFuture(admission(asking, patience, tickets, verdict, Duration.ZERO));
        }
        long began = begins(asking, patience, waiting);
        CompletableFuture<Admission> unused = result.whenComplete((admission, failure) -> {
            if (result.isCancelled()) {
                waiting.place().leave();
            }
        });
        // What follows is not for the thread that tells it.
        return Continuations.after(
                waiting.place().end(), ended -> admission(asking, patience, tickets, ended, since(began)));
    }

    private Admission withoutDecision(GuardedCall call, int pieces, Throwable failure) {
        Throwable wrapped = failure.getCause();
        Throwable cause = failure instanceof CompletionException && wrapped != null ? wrapped : failure;
        try {
            if (cause instanceof GuardUnavailableException unavailable) {
                return whenUnavailable(call, pieces, unavailable);
            } else if (cause instanceof RuntimeException fault
                    && !(cause instanceof MisfitException || cause instanceof CancellationException)) {
                return whenUnavailable(call, pieces, failed(fault));
            }
        } catch (GuardUnavailableException e) {
            throw new CompletionException(e);
        }
        throw new CompletionException(cause);
    }

    /**
     * What becomes of a call that the guard cannot decide for a fault of its own, which is no reason to go over a budget, or to
     * break a call that may go uncounted.
     *
     * @throws GuardUnavailableException where the guard fails closed
     */
    public Admission whenFaulty(GuardedCall call, RuntimeException fault) throws GuardUnavailableException {
        return whenUnavailable(call, 1, failed(fault));
    }

    private static GuardUnavailableException failed(RuntimeException fault) {
        return new GuardUnavailableException("the guard failed: " + fault, fault);
    }

    /** How the limits that a call falls under stand. */
    public List<LimitStatus> status(GuardedCall call) throws GuardUnavailableException {
        flush();
        List<Subject> found = askings().subjectsOf(call);
        if (found.isEmpty()) {
            return List.of();
        }
        Cost cost = priced(call, call.cost());
        List<Claim> newcomer =
                found.stream().map(subject -> Claim.ofNewcomer(subject, cost)).toList();
        List<List<Standing>> standings = ledger.look(newcomer, deadline());
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
                        standing.waiting(),
                        micros(standing.untilFullMicros()),
                        micros(standing.newcomerWaitMicros()),
                        limit.unit(),
                        limit.window()));
            }
        }
        return statuses;
    }

    /** Lets no call like this one go for so long, in the whole fleet. */
    public void hold(GuardedCall call, Duration hold) throws GuardUnavailableException {
        List<Subject> subjects = held(askings().subjectsOf(call), budget -> true);
        if (subjects.isEmpty()) {
            return;
        }
        inTime(ledger.hold(subjects, hold), "Redis did not take the hold");
        listeners.held(askings().identified(call), hold);
    }

    /** As if nobody had called like this before. */
    public void reset(GuardedCall call) throws GuardUnavailableException {
        List<Subject> subjects = askings().subjectsOf(call);
        flush();
        CompletableFuture<?> reset = ledger.change(
                Ledger.Change.RESET, subjects.stream().map(Claim::ofNothing).toList());
        inTime(forgetting(reset, subjects), "Redis did not reset it; it may have been done all the same");
    }

    /** Charges a call that was not asked for. */
    public void charge(GuardedCall call, Cost cost) throws GuardUnavailableException {
        inTime(
                ledger.change(Ledger.Change.CHARGE, claims(call, cost)),
                "Redis has not been told what to charge yet; " + LATER);
    }

    /** Gives back what a call was charged, whenever that was. */
    public void refund(GuardedCall call, Cost cost) throws GuardUnavailableException {
        List<Claim> claims = claims(call, cost);
        CompletableFuture<?> refund = ledger.change(Ledger.Change.REFUND, claims);
        List<Subject> subjects = claims.stream().map(Claim::subject).toList();
        inTime(forgetting(refund, subjects), "Redis has not been told what to give back yet; " + LATER);
    }

    private List<Claim> claims(GuardedCall call, Cost cost) {
        return askings().of(call.cost(cost)).claims().stream()
                .map(Claim::withoutCallsInFlight)
                .filter(claim -> Arrays.stream(claim.amounts()).anyMatch(amount -> amount > 0))
                .toList();
    }

    /** What was denied before may be let go from then on. */
    private CompletableFuture<?> forgetting(CompletableFuture<?> done, List<Subject> subjects) {
        return done.thenRun(() -> subjects.forEach(preCheck::forget));
    }

    private void inTime(CompletableFuture<?> done, String otherwise) throws GuardUnavailableException {
        try {
            done.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new GuardUnavailableException(otherwise, e);
        } catch (ExecutionException e) {
            String why = e.getCause() instanceof GuardUnavailableException unavailable
                    ? String.valueOf(unavailable.getMessage())
                    : otherwise;
            throw new GuardUnavailableException(why, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new GuardUnavailableException("interrupted; " + otherwise, e);
        }
    }

    /** A provider wants no more calls like this one for so long: of its model and key, which is what it counts. */
    void holdAtTheProviders(Reservation reservation, Duration hold) {
        List<Subject> subjects = held(
                reservation.charges().stream()
                        .map(charge -> charge.claim().subject())
                        .toList(),
                Budget::isCountedAsByProviders);
        if (!subjects.isEmpty()) {
            CompletableFuture<?> unused = ledger.hold(subjects, hold);
            listeners.held(reservation.call(), hold);
        }
    }

    /**
     * A provider says what a limit of its own had left, at the earliest when the call was sent. Where that is no less than what was left
     * here, nothing is amiss; else the balance is brought down to it and to what has come since.
     */
    void correctByTheProvider(Reservation reservation, Remaining remaining, Duration ago) {
        for (Charge charge : reservation.charges()) {
            Subject subject = charge.claim().subject();
            for (int i = 0; i < subject.limits().size(); i++) {
                Limit limit = subject.limits().get(i);
                if (!limit.isCorrectedByProvider()
                        || limit.unit() != remaining.unit()
                        || remaining.amount() >= charge.balances()[i]) {
                    continue;
                }
                long atMost = remaining.amount() + limit.refill(ago);
                if (atMost < limit.capacity()) {
                    ledger.correct(
                            new Ledger.Correction(subject, i, atMost),
                            () -> listeners.corrected(reservation.call(), subject.budget(), limit, remaining.amount()));
                }
            }
        }
    }

    private static List<Subject> held(List<Subject> subjects, Predicate<Budget> which) {
        return subjects.stream()
                .filter(subject -> !subject.budget().isDryRun() && which.test(subject.budget()))
                .toList();
    }

    /**
     * Has what is asked from now on fall under these budgets, and what was asked before under those that take its budgets' place. By one
     * thread at a time.
     */
    public void update(InForce latest) {
        // First: a batch must not have calls under both without knowing which are the latest.
        ledger.update(latest);
        Askings before = askings();
        inForce =
                new AskingsInForce(before.under(latest.budgets()), latest.isOver(), before.under(latest.afterwards()));
    }

    private Askings askings() {
        AskingsInForce known = inForce;
        return known.isOver.getAsBoolean() ? known.afterwards : known.askings;
    }

    /** How the limits of a budget stand that has one balance for everything. */
    public List<Standing> standings(Budget budget) throws GuardUnavailableException {
        Claim newcomer = Claim.ofNewcomer(askings().subjectOf(budget), Cost.requests(0));
        return ledger.look(List.of(newcomer), deadline()).get(0);
    }

    /** What this process has under way. */
    public GuardStats stats() {
        Ledger.Backlog backlog = ledger.backlog();
        return new GuardStats(open.sum(), backlog.waiting(), backlog.unsettled(), backlog.givenUp());
    }

    /** Returns when all that has ended so far is in the ledger. */
    public void flush() throws GuardUnavailableException {
        ledger.flush(deadline());
    }

    /** What this process may not do in the ledger and needs. */
    public Optional<String> lackingRights() throws GuardUnavailableException {
        return ledger.lackingRights();
    }

    /** The output tokens to reserve for a call like this one, when its request sets no cap. */
    public long assumedOutput(GuardedCall call) {
        long most = 0;
        try {
            for (Subject subject : askings().subjectsOf(call)) {
                most = Math.max(most, subject.budget().assumedOutput());
            }
        } catch (MisfitException e) {
            return 0; // whoever asks for a decision is told
        }
        return most;
    }

    @Override
    public void close() {
        if (slices != null) {
            slices.close();
        }
        ledger.close();
    }

    /** Whatever can be said without asking the ledger: a grant only where no budget applies. */
    private Optional<Admission> withoutLedger(Asking asking, Patience patience, long beganNanos) {
        Verdict.Granted all = new Verdict.Granted(List.of(), List.of(), patience.pieces());
        asking.callOf(all.pieces());
        if (asking.claims().isEmpty()) {
            return Optional.of(granted(asking, all, Duration.ZERO));
        }
        for (Claim claim : asking.claims()) {
            Budget budget = claim.subject().budget();
            for (int i = 0; i < claim.amounts().length; i++) {
                Limit limit = budget.limits().get(i);
                long most = patience.mostOf(limit.capacity());
                // Clamped, a call goes when the limit is full: with a share to leave, that is not enough.
                boolean isClamped = budget.isClampedToCapacity() && patience.leaves() == 0;
                if (claim.amounts()[i] > most && !isClamped && !budget.isDryRun()) {
                    Denial denial = new Denial(
                            budget.name(),
                            limit.name(),
                            claim.amounts()[i],
                            limit.capacity(),
                            Denial.NEVER,
                            most,
                            limit.unit(),
                            0,
                            Duration.ZERO);
                    return Optional.of(refused(asking, denial, By.CAPACITY, Duration.ZERO));
                }
            }
        }
        return preCheck.denies(asking.claims(), patience, beganNanos)
                .map(denied -> refused(asking, denial(denied, patience), By.PRE_CHECK, Duration.ZERO));
    }

    private Admission admission(
            Asking asking, Patience patience, PreCheck.Tickets tickets, Verdict verdict, Duration waited) {
        decided(asking);
        if (slices != null) {
            slices.used(asking.claims());
        }
        if (verdict instanceof Verdict.Shortfall denied) {
            // Others may have what a call that leaves a share must not take.
            if (waited.isZero() && patience.leaves() == 0) {
                preCheck.remember(denied, asking.claims(), tickets);
            }
            return refused(asking, denial(denied, patience), By.REDIS, waited);
        }
        Verdict.Granted granted = (Verdict.Granted) verdict;
        for (Verdict.Shortfall denied : granted.dryRuns()) {
            listeners.denied(asking.call(), denial(denied, patience), By.DRY_RUN, Duration.ZERO);
        }
        return granted(asking, granted, waited);
    }

    private void decided(Asking asking) {
        outage.decided();
        tellOfLoss(asking.call(), asking.claims());
    }

    private void tellOfLoss(GuardedCall call, List<Claim> claims) {
        if (ledger.takeLoss(claims)) {
            listeners.regressed(call, Lost.BALANCES);
        }
    }

    private Admission whenUnavailable(GuardedCall call, int pieces, GuardUnavailableException cause)
            throws GuardUnavailableException {
        outage.undecided(cause, whenRedisFails);
        if (slices != null) {
            return spent(slices, call, cause);
        }
        if (whenRedisFails != WhenRedisFails.failOpen()) {
            throw closed(call, cause);
        }
        GuardedCall shown = askings().identified(call);
        listeners.failedOpen(shown, cause);
        return new Admission.Granted(Reservation.uncounted(shown, pieces));
    }

    private GuardUnavailableException closed(GuardedCall call, GuardUnavailableException cause) {
        if (listeners.anybodyHears()) {
            try {
                listeners.failedClosed(askings().identified(call), cause);
            } catch (RuntimeException e) {
                // What the guard failed at may be just that.
                cause.addSuppressed(e);
            }
        }
        return cause;
    }

    private Admission spent(Slices slices, GuardedCall call, GuardUnavailableException cause)
            throws GuardUnavailableException {
        Asking asking;
        try {
            asking = askings().of(call);
        } catch (RuntimeException e) {
            // What the guard failed at may be just that.
            cause.addSuppressed(e);
            throw closed(call, cause);
        }
        Slices.Spending spending;
        try {
            spending = slices.spend(asking.claims(), cause);
        } catch (GuardUnavailableException e) {
            throw closed(call, e);
        }
        List<Subject> subjects = asking.claims().stream().map(Claim::subject).toList();
        GuardedCall own = ofItsOwn(asking.call());
        listeners.spentLeased(own, slices.of(subjects), cause);
        open.increment();
        return new Admission.Granted(Reservation.of(own, spending, this));
    }

    /** What this process holds for calls like this one, for when the ledger is away. */
    public List<Slice> leased(GuardedCall call) {
        return slices == null ? List.of() : slices.of(askings().subjectsOf(call));
    }

    private Admission granted(Asking asking, Verdict.Granted granted, Duration waited) {
        Reservation reservation = reservation(asking, granted, waited);
        listeners.granted(reservation.call(), granted.charges(), waited);
        return new Admission.Granted(reservation);
    }

    private Reservation reservation(Asking asking, Verdict.Granted granted, Duration waited) {
        Reservation reservation = Reservation.of(ofItsOwn(asking.callOf(granted.pieces())), granted, this, waited);
        open.increment();
        return reservation;
    }

    /** By which listeners know one reservation from others of calls alike. */
    private GuardedCall ofItsOwn(GuardedCall call) {
        return listeners.anybodyHears() ? call.cost(call.cost()) : call;
    }

    private Admission refused(Asking asking, Denial denial, By by, Duration waited) {
        listeners.denied(asking.call(), denial, by, waited);
        return new Admission.Refused(denial, by, waited);
    }

    /** What a call used, as it is charged: with its dollars. */
    Cost priced(GuardedCall call, Cost actual) {
        return askings().priced(call, actual);
    }

    /** Ends a reservation: what it was charged becomes what it used. */
    void end(Reservation reservation, Cost actual, Outcome outcome) {
        open.decrement();
        Cost kept = outcome.givesTokensBack() ? actual : reservation.estimate();
        List<Ledger.Settled> settled = new ArrayList<>(reservation.charges().size());
        for (Charge charge : reservation.charges()) {
            long[] used = charge.claim().settled(actual, kept);
            if (!Arrays.equals(used, charge.claim().amounts())) {
                settled.add(new Ledger.Settled(charge, used));
            }
        }
        if (!settled.isEmpty()) {
            ledger.settle(settled, () -> {
                List<Claim> claims =
                        settled.stream().map(each -> each.charge().claim()).toList();
                claims.forEach(claim -> preCheck.forget(claim.subject()));
                tellOfLoss(reservation.call(), claims);
            });
        }
        listeners.settled(reservation.call(), actual, outcome);
    }

    private static Denial denial(Verdict.Shortfall denied, Patience patience) {
        Budget budget = denied.claim().subject().budget();
        Limit limit = denied.ofLimit();
        boolean nobodyGoes = denied.heldMicros() > 0 || (patience.leaves() > 0 && denied.ahead() > 0);
        long left = limit.capacity() - patience.mostOf(limit.capacity());
        return new Denial(
                budget.name(),
                limit.name(),
                denied.requested(),
                denied.available(),
                micros(denied.retryMicros()),
                nobodyGoes ? 0 : Math.max(0, denied.available() - left),
                limit.unit(),
                denied.ahead(),
                micros(denied.heldMicros()));
    }

    private static Duration micros(long micros) {
        return Duration.ofSeconds(micros / 1_000_000, micros % 1_000_000 * 1_000);
    }
}
