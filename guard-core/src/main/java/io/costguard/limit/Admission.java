package io.costguard.limit;

import io.costguard.BudgetExceededException;
import io.costguard.CostExceedsCapacityException;
import io.costguard.Denial;
import io.costguard.GuardListener.Denied.By;

/** What became of a call that asked to go. */
public sealed interface Admission {
    /** It may go. */
    record Granted(Reservation reservation) implements Admission {}

    /** It may not. */
    record Refused(Denial denial, By by) implements Admission {
        public BudgetExceededException exception() {
            return switch (by) {
                case CAPACITY -> new CostExceedsCapacityException(denial);
                case PRE_CHECK -> BudgetExceededException.repeated(denial);
                case REDIS, DRY_RUN -> new BudgetExceededException(denial);
            };
        }
    }
}
