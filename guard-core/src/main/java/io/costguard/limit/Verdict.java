package io.costguard.limit;

import io.costguard.Limit;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** What the ledger answered to a call's claims. */
public sealed interface Verdict {
    /**
     * All of them are charged, but for those of dry runs that were short.
     *
     * @param charges what was charged
     * @param dryRuns what would have been denied
     * @param pieces of how many pieces, where fewer than all may go
     */
    record Granted(List<Charge> charges, List<Shortfall> dryRuns, int pieces) implements Verdict {
        public Granted(List<Charge> charges, List<Shortfall> dryRuns) {
            this(charges, dryRuns, 1);
        }
    }

    /**
     * Nothing was charged, since this limit does not cover what was asked of it.
     *
     * @param limit which of the subject's limits
     * @param available its balance beyond what waits; below 0 while in debt, or while that is less than what waits
     * @param waitMicros how long until it would cover it at least, if nobody else asked; 0 for calls in flight, which end when they end
     * @param ahead how many calls stand in line before it
     * @param heldMicros how long nobody goes, whatever is there
     */
    record Shortfall(Claim claim, int limit, long available, long waitMicros, long ahead, long heldMicros)
            implements Verdict {
        /** When to ask again for calls in flight. */
        private static final long ONE_SECOND = 1_000_000;

        public long requested() {
            return claim.amounts()[limit];
        }

        Limit ofLimit() {
            return claim.subject().limits().get(limit);
        }

        /** After how long it is worth it to ask again. */
        long retryMicros() {
            return ofLimit().isInFlight() ? Math.max(waitMicros, ONE_SECOND) : waitMicros;
        }
    }

    /**
     * Nothing was charged yet: the call waits.
     *
     * @param expected what kept it from going at once
     */
    record Waiting(Shortfall expected, Place place) implements Verdict {}

    /** Where a call waits. */
    interface Place {
        /** Completes with what was granted, or with what it lacks when it has waited in vain. Not to be completed by others. */
        CompletableFuture<Verdict> end();

        /** Says whom to tell when the call was no longer in line, and stands there again. */
        void onRegressed(Runnable told);

        /** It does not wait any longer; what is granted after this is given back. */
        void leave();
    }
}
