package io.costguard.limit;

import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** A ledger that decides nothing, and does at once and without a trace whatever else it is told. */
class QuietLedger implements Ledger {
    @Override
    public Verdict reserve(List<Claim> claims, Patience patience, long deadlineNanos) throws GuardUnavailableException {
        throw new GuardUnavailableException("nobody is there");
    }

    @Override
    public CompletableFuture<Verdict> reserveAsync(List<Claim> claims, Patience patience, long deadlineNanos) {
        try {
            return CompletableFuture.completedFuture(reserve(claims, patience, deadlineNanos));
        } catch (GuardUnavailableException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    @Override
    public void settle(List<Settled> settled, Runnable then) {
        then.run();
    }

    @Override
    public void correct(Correction correction, Runnable then) {
        then.run();
    }

    @Override
    public CompletableFuture<Void> after(long nanos) {
        return new CompletableFuture<>();
    }

    @Override
    public long countsNanos(Subject subject, Limit limit) {
        return Long.MAX_VALUE;
    }

    @Override
    public CompletableFuture<?> renew(Charge charge) {
        return CompletableFuture.completedFuture(null);
    }

    @Override
    public CompletableFuture<?> hold(List<Subject> subjects, Duration hold) {
        return CompletableFuture.completedFuture(null);
    }

    @Override
    public CompletableFuture<?> change(Change change, List<Claim> claims) {
        return CompletableFuture.completedFuture(null);
    }

    @Override
    public List<List<Standing>> look(List<Claim> newcomer, long deadlineNanos) throws GuardUnavailableException {
        return List.of();
    }

    @Override
    public void update(InForce latest) {}

    @Override
    public void flush(long deadlineNanos) throws GuardUnavailableException {}

    @Override
    public void close() {}
}
