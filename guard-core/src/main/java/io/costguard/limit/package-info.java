/**
 * Budgets to one decision: which balances a call falls under, what it asks of each, and whether it may go. The {@link
 * io.costguard.limit.Ledger} that keeps the balances decides; what is here only asks it, or remembers what it denied.
 */
@NullMarked
package io.costguard.limit;

import org.jspecify.annotations.NullMarked;
