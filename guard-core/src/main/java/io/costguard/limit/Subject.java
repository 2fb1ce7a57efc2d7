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

    /** What is told of each limit, told of those of another budget with the same balances: 0 of what this one does not have. */
    public long[] retold(long[] amounts, Subject other) {
        long[] retold = new long[other.limits().size()];
        for (int i = 0; i < retold.length; i++) {
            for (int j = 0; j < amounts.length; j++) {
                if (limits().get(j).name().equals(other.limits().get(i).name())) {
                    retold[i] = amounts[j];
                }
            }
        }
        return retold;
    }

    /** Whatever its budget has become meanwhile: it has the same balances. */
    @Override
    public boolean equals(Object other) {
        return other instanceof Subject that && key.equals(that.key);
    }

    @Override
    public int hashCode() {
        return key.hashCode();
    }
}
