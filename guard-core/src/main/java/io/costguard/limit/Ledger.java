package io.costguard.limit;

import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * Keeps the balances of all subjects, for the whole fleet, and decides over them.
 *
 * <p>Safe for use by many threads, unless it says otherwise. Deadlines are in terms of its {@link #nanoTime()}.
 */
public interface Ledger extends AutoCloseable {

    /** The time that it lives in: {@link System#nanoTime()}, unless that is one of its own. */
    default long nanoTime() {
        return System.nanoTime();
    }

    /**
     * Charges all claims, or none.
     *
     * @param patience how long the call may wait for its turn; the verdict says that it does
     * @throws GuardUnavailableException where it could not be decided by the deadline; then nothing stays charged
     */
    Verdict reserve(List<Claim> claims, Patience patience, long deadlineNanos) throws GuardUnavailableException;

    /** {@link #reserve} without holding the caller's thread; fails with a {@link GuardUnavailableException}. */
    CompletableFuture<Verdict> reserveAsync(List<Claim> claims, Patience patience, long deadlineNanos);

    /**
     * Replaces what was charged by what was used, exactly once, in a moment and off the caller's thread.
     *
     * @param then runs once it is in the ledger
     */
    void settle(List<Settled> settled, Runnable then);

    /**
     * Lowers a balance that is above what it is corrected to, in a moment and off the caller's thread. Where the ledger is away, that
     * is forgotten: it would be old news.
     *
     * @param then runs if it was lowered
     */
    void correct(Correction correction, Runnable then);

    /**
     * Changes the balances of these claims without a decision, exactly once. Completes when that is in the ledger, and fails where it never
     * will be.
     */
    CompletableFuture<?> change(Change change, List<Claim> claims);

    /** What becomes of balances by hand. */
    enum Change {
        /** So much is charged: as debt, what is not there. */
        CHARGE,
        /** So much is given back: at most what was charged, whenever that was. */
        REFUND,
        /**
         * All is there again, without debts and holds; what was charged before gives nothing back. Those who wait stay in line. It fails, and
         * is forgotten, where the ledger is away for longer than one decision may take.
         */
        RESET
    }

    /**
     * Has whatever was asked, or is asked, under a budget that one of these takes the place of decided and settled under that one. Where one
     * has no successor it stays as it is.
     */
    void update(InForce latest);

    /** How all limits of these claims' subjects stand, in their order, and for a newcomer that asks so much; charges nothing. */
    List<List<Standing>> look(List<Claim> newcomer, long deadlineNanos) throws GuardUnavailableException;

    /**
     * Whether what had been charged lately was found to be lost, at the subjects of these claims or others that lie beside them. Says so of each loss
     * once.
     */
    default boolean takeLoss(List<Claim> claims) {
        return false;
    }

    /** Completes after so long in its {@link #nanoTime() time}. */
    CompletableFuture<Void> after(long nanos);

    /**
     * For how long at least what is charged from now on to this limit of a subject counts together with what is sent then, by what is known of the ledger's
     * clock: until its window closes, its slot is over, or, of calls in flight, nobody would have renewed it; 0 where that is not known. What is
     * charged to a bucket counts for ever, and is refilled.
     */
    long countsNanos(Subject subject, Limit limit);

    /**
     * Gives a charge back, and makes it anew without asking, in one step; but for calls in flight, which are renewed by themselves. It writes to
     * the eras of the charge, which must be its own, and those of parts that were made of it. Fails where the ledger is away for longer than one
     * decision may take, or nobody knows whether it was done. What is settled of it meanwhile waits.
     */
    CompletableFuture<?> renew(Charge charge);

    /** Lets nobody go at these subjects for so long, in the whole fleet; completes when that is in the ledger. */
    CompletableFuture<?> hold(List<Subject> subjects, Duration hold);

    /**
     * What this process may not do there and needs, and what gives it; changes nothing.
     *
     * @throws GuardUnavailableException where it does not answer
     */
    default Optional<String> lackingRights() throws GuardUnavailableException {
        return Optional.empty();
    }

    /** What of this process has not reached it yet, or never will. */
    default Backlog backlog() {
        return new Backlog(0, 0, 0);
    }

    /**
     * What is on its way.
     *
     * @param waiting calls that wait for their turn
     * @param unsettled settles and other changes of balances
     * @param givenUp settles that never will be in the ledger, so far
     */
    record Backlog(long waiting, long unsettled, long givenUp) {}

    /** Returns when all that was settled so far is in the ledger. */
    void flush(long deadlineNanos) throws GuardUnavailableException;

    /**
     * Refuses new calls, ends those that wait, and lets go of the connection once nothing is on its way any more: what was asked before is
     * decided, and all is settled. It takes as long as one decision may take at most.
     */
    @Override
    void close();

    /**
     * A charge and what was used of it.
     *
     * @param actual for each limit, in its own unit
     */
    record Settled(Charge charge, long[] actual) {
        /** The same of another budget with the same balances. */
        public Settled under(Subject other) {
            Subject subject = charge.claim().subject();
            return other.budget() == subject.budget()
                    ? this
                    : new Settled(charge.under(other), subject.retold(actual, other));
        }
    }

    /**
     * What a balance is at most; it is never raised.
     *
     * @param limit which of the subject's limits: a token bucket
     * @param atMost in its own unit
     */
    record Correction(Subject subject, int limit, long atMost) {}
}
