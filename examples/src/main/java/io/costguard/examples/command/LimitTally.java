package io.costguard.examples.command;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import java.time.Duration;
import java.time.Instant;
import java.util.StringJoiner;

/** What happened to one limit, in its own unit, all its balances together; dollars in nano-dollars. */
final class LimitTally {
    private final Budget budget;
    private final Limit limit;
    private int denied;
    private int deniedInDryRun;
    private int waited;
    private Duration longestWait = Duration.ZERO;
    private long reserved;
    private long used;
    private long givenBack;
    private int overspentCalls;
    private long overspent;
    private long leastLeft;
    private Instant leastAt = Instant.MIN;
    private String leastOf = "";

    LimitTally(Budget budget, Limit limit) {
        this.budget = budget;
        this.limit = limit;
        this.leastLeft = limit.capacity();
    }

    void denied() {
        denied++;
    }

    void deniedInDryRun() {
        deniedInDryRun++;
    }

    void waited(Duration wait) {
        waited++;
        longestWait = wait.compareTo(longestWait) > 0 ? wait : longestWait;
    }

    /** A balance, as it was just after something was charged to it. */
    void left(long balance, GuardedCall call, Instant at) {
        if (balance < leastLeft) {
            leastLeft = balance;
            leastAt = at;
            StringJoiner values = new StringJoiner(", ");
            budget.countedPer().stream()
                    .filter(attribute -> !attribute.equals("apiKey"))
                    .forEach(attribute -> values.add(call.attributes().getOrDefault(attribute, "")));
            leastOf = values.toString();
        }
    }

    /** Says whether more was used than had been reserved. */
    boolean settled(Cost estimate, Cost actual) {
        long before = limit.charge(estimate, estimate);
        long after = limit.charge(actual, estimate);
        reserved += before;
        used += after;
        givenBack += Math.max(0, before - after);
        overspent += Math.max(0, after - before);
        overspentCalls += after > before ? 1 : 0;
        return after > before;
    }

    Budget budget() {
        return budget;
    }

    Limit limit() {
        return limit;
    }

    int deniedCalls() {
        return denied;
    }

    int deniedCallsInDryRun() {
        return deniedInDryRun;
    }

    int waitedCalls() {
        return waited;
    }

    Duration longestWait() {
        return longestWait;
    }

    long reserved() {
        return reserved;
    }

    long used() {
        return used;
    }

    long givenBack() {
        return givenBack;
    }

    int overspentCalls() {
        return overspentCalls;
    }

    long overspent() {
        return overspent;
    }

    /** The lowest that one of its balances ever was: below 0 that is debt, above 0 what nobody ever used. */
    long leastLeft() {
        return leastLeft;
    }

    /** When that was; meaningless while nothing was ever charged. */
    Instant leastAt() {
        return leastAt;
    }

    /** Whose balance that was: the values that it is counted per, without the key. */
    String leastOf() {
        return leastOf;
    }
}
