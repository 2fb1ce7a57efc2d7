package io.costguard.limit;

import io.costguard.Cost;
import java.util.Arrays;

/**
 * What a call asks of one subject. Shared by all calls alike: its amounts are never written to.
 *
 * @param amounts for each limit of the subject, in its own unit; 0 where the call has nothing to do with it
 */
public record Claim(Subject subject, long[] amounts) {

    /** What the smallest call asks that costs at least so much, and something of each limit. */
    static Claim ofNewcomer(Subject subject, Cost cost) {
        Claim claim = of(subject, cost);
        return new Claim(
                subject,
                Arrays.stream(claim.amounts())
                        .map(amount -> Math.max(1, amount))
                        .toArray());
    }

    /** The same of another budget with the same balances. */
    public Claim under(Subject other) {
        return other.budget() == subject.budget() ? this : new Claim(other, subject.retold(amounts, other));
    }

    /** The same of so many calls. */
    public Claim times(int calls) {
        return calls == 1
                ? this
                : new Claim(
                        subject,
                        Arrays.stream(amounts)
                                .map(amount -> Math.multiplyExact(amount, calls))
                                .toArray());
    }

    public static Claim ofNothing(Subject subject) {
        return new Claim(subject, new long[subject.limits().size()]);
    }

    static Claim of(Subject subject, Cost cost) {
        return new Claim(subject, charges(subject, cost, cost));
    }

    /** What stays charged of this claim, made for {@code reserved}, when {@code used} was used: nothing of calls in flight. */
    long[] settled(Cost used, Cost reserved) {
        return withoutCallsInFlight(charges(subject, used, reserved));
    }

    /** What is charged or given back without a call. */
    Claim withoutCallsInFlight() {
        return new Claim(subject, withoutCallsInFlight(amounts.clone()));
    }

    private long[] withoutCallsInFlight(long[] all) {
        for (int i = 0; i < all.length; i++) {
            all[i] = subject.limits().get(i).isInFlight() ? 0 : all[i];
        }
        return all;
    }

    private static long[] charges(Subject subject, Cost used, Cost reserved) {
        long[] amounts = new long[subject.limits().size()];
        for (int i = 0; i < amounts.length; i++) {
            amounts[i] = subject.limits().get(i).charge(used, reserved);
        }
        return amounts;
    }
}
