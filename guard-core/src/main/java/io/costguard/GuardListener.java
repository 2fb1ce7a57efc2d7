package io.costguard;

import java.time.Duration;
import java.util.List;
import java.util.OptionalDouble;

/**
 * Told what becomes of calls. Metrics are listeners.
 *
 * <p>Called on the thread on which it happened: be quick. A listener that throws is reported once, and the call goes on.
 *
 * <p>A reservation that is granted, or spent of what was leased, is told with a {@link GuardedCall} of its own, and settled with the same
 * object: so what is known of it may be kept in a map with weak keys, as a call is equal to itself alone.
 */
public interface GuardListener {

    /** A call may go. */
    default void onGranted(Grant event) {}

    /** A call waits for its turn. */
    default void onWaiting(Waiting event) {}

    /** A call may not go. */
    default void onDenied(Denied event) {}

    /** A limit has little left, told once ({@link CostGuard.Builder#nearLimit}). */
    default void onNearLimit(NearLimit event) {}

    /** A reservation came to its end. */
    default void onSettled(Settlement event) {}

    /** Calls like this one are held. */
    default void onHeld(Hold event) {}

    /** A balance was above what its provider has left, and was brought down. */
    default void onCorrected(Correction event) {}

    /** Redis lost something, and it was mended as far as can be. */
    default void onRegressed(Regression event) {}

    /** Redis could not decide, and the call goes uncounted. */
    default void onFailedOpen(FailedOpen event) {}

    /** Redis could not decide, and the call does not go. */
    default void onFailedClosed(FailedClosed event) {}

    /** Redis could not decide, and the call goes by what was leased beforehand. */
    default void onSpentLeased(SpentLeased event) {}

    /** Redis was asked, and answered or not. */
    default void onBatch(Batch event) {}

    /**
     * A call that may go.
     *
     * @param estimate what is charged until it is settled
     * @param left what the limits that it falls under have left; empty where there are none
     * @param waited how long it waited for its turn
     */
    record Grant(GuardedCall call, Cost estimate, List<Left> left, Duration waited) {}

    /**
     * A call that waits.
     *
     * @param expected what keeps it from going now; {@code retryAfter} is how long it waits at least, by what is known
     */
    record Waiting(GuardedCall call, Denial expected) {}

    /**
     * What one limit has left, in its own unit, dollars in nano-dollars.
     *
     * @param limit the limit's name, like {@code tokens per minute}
     */
    record Left(String budget, String limit, Unit unit, long balance, long capacity) {
        /** Like {@code $24.99 of 'usd per day'}. */
        @Override
        public String toString() {
            return unit.format(balance) + " of '" + limit + "'";
        }
    }

    /**
     * A call that may not go.
     *
     * @param by who denied it
     * @param waited how long it waited in vain; zero if it was denied at once
     */
    record Denied(GuardedCall call, Denial denial, By by, Duration waited) {
        /** Who denied a call. */
        public enum By {
            /** The script. */
            REDIS,
            /** This process, which remembered that Redis denied the like a moment ago. */
            PRE_CHECK,
            /** This process: the call asks more than the limit can ever hold. */
            CAPACITY,
            /** The script, for a budget that is a dry run: the call went all the same. */
            DRY_RUN
        }
    }

    /**
     * A limit of which so much is used that it was to be told.
     *
     * @param call that went, and left so much
     * @param limit the limit's name, like {@code tokens per minute}
     * @param balance what is left, in the limit's own unit, dollars in nano-dollars; below 0 while in debt
     * @param capacity what there is when nothing is used
     */
    record NearLimit(GuardedCall call, String budget, String limit, Unit unit, long balance, long capacity) {
        /** Like {@code budget 'money': $4.99 of $25.00 left of 'usd per day'}. */
        @Override
        public String toString() {
            String left = balance < 0
                    ? "nothing and " + unit.format(-balance) + " of debt, of " + unit.format(capacity) + ","
                    : unit.format(balance) + " of " + unit.format(capacity);
            return "budget '" + budget + "': " + left + " left of '" + limit + "'";
        }
    }

    /**
     * The end of a reservation.
     *
     * @param actual what is charged from now on
     */
    record Settlement(GuardedCall call, Cost estimate, Cost actual, Outcome outcome) {
        /**
         * By how much the input was estimated wrong, as a share of what it was: 0.1 where it was said to be 10 % more, -0.1 where
         * 10 % less, -1 where none was reserved. Empty where nobody said what was used, or it was nothing. A provider that reports
         * output alone, as Ollama does of a prompt that it has in its cache, leaves the estimate of the input as it is: 0.
         */
        public OptionalDouble inputError() {
            return error(estimate.input(), actual.input());
        }

        /**
         * By how much more output was reserved than used, alike: 3 where four times as much was. What is reserved is what the request
         * allows, or was learned, or the budget assumes: where it is a cap, this tells how wide the cap is, and not how good a guess.
         */
        public OptionalDouble outputError() {
            return error(estimate.output(), actual.output());
        }

        private OptionalDouble error(long estimated, long used) {
            boolean isKnown = (outcome == Outcome.SETTLED || outcome == Outcome.REPORTED) && used > 0;
            return isKnown ? OptionalDouble.of((double) (estimated - used) / used) : OptionalDouble.empty();
        }
    }

    /**
     * No call like this one goes for a while, in the whole fleet: its provider answered 429 and said so, or somebody asked for it.
     *
     * @param hold for how long
     */
    record Hold(GuardedCall call, Duration hold) {}

    /**
     * A balance of the whole fleet was above what its provider said that it has left, and was brought down ({@link
     * Limit#correctedByProvider()}).
     *
     * @param call whose answer said so
     * @param limit the limit's name, like {@code tokens per minute}
     * @param remaining what the provider said, in the limit's own unit
     */
    record Correction(GuardedCall call, String budget, String limit, Unit unit, long remaining) {}

    /**
     * Redis lost something, as it does in a failover, a restart or a flush.
     *
     * @param call which found that out
     */
    record Regression(GuardedCall call, Lost lost) {
        /** What was lost. */
        public enum Lost {
            /**
             * The call was no longer in line: Redis lost that, or its process was silent for so long that it was taken for dead. It
             * stands at its old place again.
             */
            PLACE,
            /**
             * What had been charged and given back last, under the budgets of this call among others: more goes, by as much as that was. It is
             * told once a process and loss (on a cluster, and slot), where the process had asked Redis within about half a minute before.
             */
            BALANCES
        }
    }

    /**
     * A call that goes uncounted.
     *
     * @param cause why Redis could not decide
     */
    record FailedOpen(GuardedCall call, GuardUnavailableException cause) {}

    /**
     * A call that does not go, as nobody decided ({@link WhenRedisFails#failClosed}), or what was leased does not cover it.
     *
     * @param cause what its caller is told
     */
    record FailedClosed(GuardedCall call, GuardUnavailableException cause) {}

    /**
     * What this process asked Redis in one step: calls that ask at the same time, and settles, go together.
     *
     * @param decisions how many decisions it asked for, those of calls that wait, and the heartbeats of their lines, included
     * @param settles how many settles, renewals and other changes of balances
     * @param took how long it took until there was an answer, or none could come in time any more; sent again meanwhile, if need be
     */
    record Batch(int decisions, int settles, Duration took, Result result) {
        /** What became of it. */
        public enum Result {
            /** Redis ran it, and answered. */
            ANSWERED,
            /** It certainly did not run: Redis refused it, was not reached, or was reached too late. */
            NOT_RUN,
            /** Nobody knows whether it ran. It is cancelled as soon as that can be done. */
            UNKNOWN
        }
    }

    /**
     * A call that goes by what this process had leased ({@link WhenRedisFails#spendLeased}).
     *
     * @param left what it has left for calls like this one
     * @param cause why Redis could not decide
     */
    record SpentLeased(GuardedCall call, List<Slice> left, GuardUnavailableException cause) {}
}
