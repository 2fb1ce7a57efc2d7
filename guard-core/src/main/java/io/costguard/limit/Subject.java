package io.costguard.limit;

import io.costguard.Budget;
import io.costguard.Limit;
import java.util.List;

/**
 * A budget together with the attribute values of one call: the thing that has a balance.
 *
 * @param key where its balances are kept: {@code PREFIX:{PARTITION}:DIGEST}, without any name or value in clear
 */
public record Subject(String key, Budget budget) {

    public List<Limit> limits() {
        return budget.limits();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Subject that && key.equals(that.key) && budget == that.budget;
    }

    @Override
    public int hashCode() {
        return key.hashCode();
    }
}
