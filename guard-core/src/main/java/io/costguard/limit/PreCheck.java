package io.costguard.limit;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.costguard.Budget;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Remembers for a moment what the ledger denied, so that a burst of hopeless calls does not reach Redis.
 *
 * <p>It can only deny: {@link #denies} has a denial or nothing to say, and what is remembered comes from
 * {@link #remember} alone, which takes nothing but denials of the ledger. A denial is remembered for
 * no longer than the ledger said and than the bound, and answers only calls that ask at least as much of the same limit.
 *
 * <p>Giving back makes denials untrue. What this process gives back it also {@link #forget forgets}; a denial that was
 * decided before that, and arrives after, is told by its {@link Tickets} and not remembered.
 */
final class PreCheck {
    private static final int STRIPES = 1 << 10;
    private static final long SUBJECTS = 10_000;

    private final long boundNanos;
    private final LongSupplier nanoTime;
    private final Cache<Subject, Denials> denials =
            Caffeine.newBuilder().maximumSize(SUBJECTS).build();

    private final AtomicLongArray givenBack = new AtomicLongArray(STRIPES);

    /** @param byLimit what each limit of a subject under this budget denied, null where nothing; never written to */
    private record Denials(Budget budget, @Nullable Remembered[] byLimit) {}

    private record Remembered(
            long amount,
            long available,
            long ahead,
            long untilNanos,
            long retryNanos,
            long waitNanos,
            long heldNanos) {}

    /** How often each subject of a call had been given back to when the ledger was asked. */
    record Tickets(long sum) {}

    PreCheck(Duration bound, LongSupplier nanoTime) {
        this.boundNanos = bound.toNanos();
        this.nanoTime = nanoTime;
    }

    /** The denial that the ledger would repeat now for these claims of a call that waits so long, if one is remembered. */
    Optional<Verdict.Shortfall> denies(List<Claim> claims, Patience patience, long now) {
        if (boundNanos == 0 || patience.leaves() > 0) {
            return Optional.empty();
        }
        for (Claim claim : claims) {
            Denials remembered = denials.getIfPresent(claim.subject());
            if (remembered != null && remembered.budget == claim.subject().budget()) {
                Optional<Verdict.Shortfall> denied = denies(claim, remembered.byLimit, patience.micros() * 1_000, now);
                if (denied.isPresent()) {
                    return denied;
                }
            }
        }
        return Optional.empty();
    }

    private static Optional<Verdict.Shortfall> denies(
            Claim claim, @Nullable Remembered[] remembered, long waitNanos, long now) {
        for (int i = 0; i < remembered.length; i++) {
            Remembered denial = remembered[i];
            long amount = claim.amounts()[i];
            if (denial != null
                    && amount > 0
                    && amount >= denial.amount()
                    && denial.untilNanos() - now > 0
                    && (waitNanos == 0 || denial.waitNanos() - now >= waitNanos)) {
                long waitMicros = Math.max(1, (denial.retryNanos() - now) / 1_000);
                long heldMicros = Math.max(0, (denial.heldNanos() - now) / 1_000);
                return Optional.of(
                        new Verdict.Shortfall(claim, i, denial.available(), waitMicros, denial.ahead(), heldMicros));
            }
        }
        return Optional.empty();
    }

    /** Taken before the ledger is asked. */
    Tickets tickets(List<Claim> claims) {
        long sum = 0;
        for (Claim claim : claims) {
            sum += givenBack.get(stripe(claim.subject()));
        }
        return new Tickets(sum);
    }

    void remember(Verdict.Shortfall denied, List<Claim> claims, Tickets tickets) {
        Subject subject = denied.claim().subject();
        if (boundNanos == 0 || subject.budget().isDryRun()) {
            return;
        }
        long now = nanoTime.getAsLong();
        long retryNanos = nanos(denied.retryMicros());
        Remembered fresh = new Remembered(
                denied.requested(),
                denied.available(),
                denied.ahead(),
                now + Math.min(boundNanos, retryNanos),
                now + retryNanos,
                now + nanos(denied.waitMicros()),
                now + denied.heldMicros() * 1_000);
        denials.asMap().compute(subject, (same, before) -> {
            @Nullable Remembered[] after = before == null || before.budget != subject.budget()
                    ? new @Nullable Remembered[subject.limits().size()]
                    : before.byLimit.clone();
            Remembered old = after[denied.limit()];
            if (old == null || old.untilNanos() - now <= 0 || old.amount() >= fresh.amount()) {
                after[denied.limit()] = fresh;
            }
            return new Denials(subject.budget(), after);
        });
        if (!tickets.equals(tickets(claims))) {
            denials.invalidate(subject);
        }
    }

    private static long nanos(long micros) {
        return Math.min(micros, Long.MAX_VALUE / 2_000) * 1_000;
    }

    /** Called once something has been given back to the subject. */
    void forget(Subject subject) {
        givenBack.incrementAndGet(stripe(subject));
        denials.invalidate(subject);
    }

    private static int stripe(Subject subject) {
        int hash = subject.hashCode();
        return (hash ^ hash >>> 16) & STRIPES - 1;
    }
}
