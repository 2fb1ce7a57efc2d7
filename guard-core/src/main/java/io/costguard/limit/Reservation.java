package io.costguard.limit;

import io.costguard.Cost;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.Outcome;
import io.costguard.Permit;
import io.costguard.describe.Remaining;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReferenceFieldUpdater;
import org.jspecify.annotations.Nullable;

/** An estimate that is charged, until it is replaced by what was used: once. */
public final class Reservation implements Permit {
    private static final AtomicReferenceFieldUpdater<Reservation, @Nullable String> ID =
            AtomicReferenceFieldUpdater.newUpdater(Reservation.class, String.class, "id");
    private static final Cost NOTHING = Cost.requests(0).nanoUsd(0);

    private final GuardedCall call;
    private final List<Charge> charges;
    private final @Nullable Limiter limiter;
    private final Duration waited;
    private final Runnable afterwards;
    private final int pieces;
    private final AtomicBoolean ended = new AtomicBoolean();
    /** Made when it is first asked for: most never are. */
    private volatile @Nullable String id;

    private Reservation(
            GuardedCall call,
            List<Charge> charges,
            @Nullable Limiter limiter,
            Duration waited,
            Runnable afterwards,
            int pieces) {
        this.call = call;
        this.charges = charges;
        this.limiter = limiter;
        this.waited = waited;
        this.afterwards = afterwards;
        this.pieces = pieces;
    }

    /** @param call with what all of its pieces cost */
    static Reservation of(GuardedCall call, Verdict.Granted granted, Limiter limiter, Duration waited) {
        return new Reservation(call, granted.charges(), limiter, waited, () -> {}, granted.pieces());
    }

    /** Of slices that were leased before. */
    static Reservation of(GuardedCall call, Slices.Spending spending, Limiter limiter) {
        return new Reservation(call, spending.charges(), limiter, Duration.ZERO, spending.ended(), 1);
    }

    /** For so many calls that go uncounted: there is nothing to end. */
    public static Reservation uncounted(GuardedCall each, int pieces) {
        GuardedCall all = pieces == 1 ? each : each.cost(each.cost().times(pieces));
        return new Reservation(all, List.of(), null, Duration.ZERO, () -> {}, pieces);
    }

    @Override
    public String id() {
        String known = id;
        if (known == null) {
            String made = UUID.randomUUID().toString();
            known = ID.compareAndSet(this, null, made) ? made : id();
        }
        return known;
    }

    public GuardedCall call() {
        return call;
    }

    @Override
    public Cost estimate() {
        return call.cost();
    }

    @Override
    public Duration waited() {
        return waited;
    }

    @Override
    public int pieces() {
        return pieces;
    }

    List<Charge> charges() {
        return charges;
    }

    @Override
    public void settle(Cost actual) {
        if (limiter != null) {
            end(limiter.priced(call, withRequests(actual)), Outcome.SETTLED);
        }
    }

    private Cost withRequests(Cost actual) {
        long requests = estimate().requests();
        if (actual.requests() == requests) {
            return actual;
        }
        Cost same = Cost.requests(requests)
                .input(actual.input())
                .cacheRead(actual.cacheRead())
                .cacheWrite(actual.cacheWrite())
                .output(actual.output())
                .reasoning(actual.reasoning());
        return actual.givenNanoUsd().isPresent() ? same.nanoUsd(actual.nanoUsd()) : same;
    }

    @Override
    public void release() {
        end(NOTHING, Outcome.RELEASED);
    }

    @Override
    public void close() {
        end(estimate(), Outcome.ESTIMATE_KEPT);
    }

    /** Ends it as {@code outcome} says, with what stays charged; has no effect where it had ended already. */
    public void end(Cost actual, Outcome outcome) {
        if (limiter != null && ended.compareAndSet(false, true)) {
            limiter.end(this, actual, outcome);
            afterwards.run();
        }
    }

    /** The provider wants no more calls like this one for so long. */
    public void hold(Duration hold) {
        if (limiter != null) {
            limiter.holdAtTheProviders(this, hold);
        }
    }

    /** Whether it is of use to know what its provider's own limits have left. */
    public boolean isCorrectedByProvider() {
        for (Charge charge : charges) {
            for (Limit limit : charge.claim().subject().limits()) {
                if (limit.isCorrectedByProvider()) {
                    return true;
                }
            }
        }
        return false;
    }

    /**
     * The provider says what a limit of its own had left.
     *
     * @param ago when the call was sent, at the earliest
     */
    public void correct(Remaining remaining, Duration ago) {
        if (limiter != null) {
            limiter.correctByTheProvider(this, remaining, ago);
        }
    }

    @Override
    public String toString() {
        return "permit " + id() + " for " + estimate();
    }
}
