package io.costguard.limit;

/**
 * A claim that was charged.
 *
 * @param eras for each limit, the era of its balance in which the charge was made: a refund counts only there. The ledger, and nobody else,
 *     writes to them as it renews what was charged
 * @param balances for each limit, what was left
 */
public record Charge(Claim claim, long[] eras, long[] balances) {

    public Charge under(Subject other) {
        Subject subject = claim.subject();
        return new Charge(claim.under(other), subject.retold(eras, other), subject.retold(balances, other));
    }
}
