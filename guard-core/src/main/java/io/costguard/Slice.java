package io.costguard;

/**
 * What this process holds of one limit for when Redis fails ({@link WhenRedisFails#spendLeased}). Amounts are in the limit's own unit, dollars
 * in nano-dollars. Immutable.
 *
 * @param budget the budget's name
 * @param limit the limit's name, like {@code tokens per minute}
 * @param leased what was leased and is not spent: should Redis lose its state, so much may go above the limit, in each process that holds as much
 * @param spendable how much of it calls could spend if Redis failed now; it falls as the slice ages, and rises when it is renewed
 * @param unit what the limit counts
 */
public record Slice(String budget, String limit, long leased, long spendable, Unit unit) {
    /** Like {@code budget 'money': usd per day, $2.50 leased, of which $2.50 may be spent}. */
    @Override
    public String toString() {
        return "budget '" + budget + "': " + limit + ", " + unit.format(leased) + " leased, of which "
                + unit.format(spendable) + " may be spent";
    }
}
