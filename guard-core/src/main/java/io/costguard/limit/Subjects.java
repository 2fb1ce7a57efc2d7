package io.costguard.limit;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.costguard.Budget;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Finds the subjects that a call falls under. */
public final class Subjects {
    private static final long REMEMBERED = 10_000;
    private static final int MOST_OF_A_CALL = 100;
    /** 78 bits: of a million subjects, two share a key once in 10^11 fleets. Each character more costs Redis memory. */
    private static final int DIGEST = 13;
    /** 16 bits: more than a cluster has slots. Two that are the same share a slot, no balance. */
    private static final int PARTITION = 4;

    private final List<Budget> budgets;
    private final String keyPrefix;
    private final String partitionBy;
    private final Fingerprint fingerprint;
    private final Cache<Identity, Subject> known =
            Caffeine.newBuilder().maximumSize(REMEMBERED).build();

    private record Identity(Budget budget, List<String> values) {}

    public Subjects(List<Budget> budgets, String keyPrefix, String partitionBy, Fingerprint fingerprint) {
        this.budgets = budgets;
        this.keyPrefix = keyPrefix;
        this.partitionBy = partitionBy;
        this.fingerprint = fingerprint;
    }

    /** The budgets that apply to a call with these attributes. */
    public List<Budget> budgetsOf(Map<String, String> attributes) {
        List<Budget> found = new ArrayList<>(budgets.size());
        for (Budget budget : budgets) {
            if (budget.appliesTo(attributes)) {
                found.add(budget);
            }
        }
        return found;
    }

    /**
     * The subjects of a call with these attributes, {@code apiKey} being a fingerprint already.
     *
     * @throws MisfitException where the call lacks an attribute that a budget is counted per
     */
    public List<Subject> of(Map<String, String> attributes) {
        List<Subject> found = new ArrayList<>();
        for (Budget budget : budgetsOf(attributes)) {
            List<String> values = new ArrayList<>(budget.countedPer().size());
            for (String attribute : budget.countedPer()) {
                String value = attributes.get(attribute);
                if (value == null) {
                    throw new MisfitException("unknown attribute '" + attribute + "': budget '" + budget.name()
                            + "' is counted per it, and the call has only " + attributes.keySet()
                            + "; give the call that attribute, or narrow the budget with where(\"" + attribute
                            + "\", \"*\")");
                }
                values.add(value);
            }
            found.add(known.get(new Identity(budget, values), this::subject));
        }
        if (found.size() > MOST_OF_A_CALL) {
            throw new MisfitException("the call falls under " + found.size() + " budgets, and may fall under "
                    + MOST_OF_A_CALL + " at most; narrow them with models(..), providers(..) or where(..)");
        }
        return found;
    }

    private Subject subject(Identity identity) {
        Budget budget = identity.budget();
        List<String> parts = new ArrayList<>();
        parts.add(budget.name());
        for (int i = 0; i < budget.countedPer().size(); i++) {
            parts.add(budget.countedPer().get(i));
            parts.add(identity.values().get(i));
        }
        String[] all = parts.toArray(String[]::new);
        int partitioned = budget.countedPer().indexOf(partitionBy);
        String partition = partitioned < 0
                ? fingerprint.of(all)
                : partition(identity.values().get(partitioned));
        String digest = fingerprint.dense(all).substring(0, DIGEST);
        return new Subject(keyPrefix + ":{" + partition.substring(0, PARTITION) + "}:" + digest, budget);
    }

    private String partition(String value) {
        return partitionBy.equals("apiKey") ? value : fingerprint.of(value);
    }
}
