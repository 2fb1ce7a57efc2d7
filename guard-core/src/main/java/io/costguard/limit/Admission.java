package io.costguard.limit;

import io.costguard.BudgetExceededException;
import io.costguard.CostExceedsCapacityException;
import io.costguard.Denial;
import io.costguard.GuardListener.Denied.By;
import java.time.Duration;

/** What became of a call that asked to go. */
public sealed interface Admission {
    /** It may go. */
    record Granted(Reservation reservation) implements Admission {}

    /**
     * It may not.
     *
     * @param waited how long it has waited in vain
     */
    record Refused(Denial denial, By by, Duration waited) implements Admission {
        public BudgetExceededException exception() {
            if (!waited.isZero()) {
                return BudgetExceededException.after(waited, denial);
            }
            return switch (by) {
                case CAPACITY -> new CostExceedsCapacityException(denial);
                case PRE_CHECK -> BudgetExceededException.repeated(denial);
                case REDIS, DRY_RUN -> new BudgetExceededException(denial);
            };
        }
    }
}
