package io.costguard.limit;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.costguard.Budget;
import io.costguard.MisfitException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Finds the subjects that a call falls under. */
public final class Subjects {
    private static final long REMEMBERED = 10_000;
    private static final int MOST_OF_A_CALL = 100;
    /** With all else that a batch has, they fit the stack of the script's interpreter. */
    private static final int MOST_LIMITS_OF_A_CALL = 500;

    /** 78 bits: of a million subjects, two share a key once in 10^11 fleets. Each character more costs Redis memory. */
    private static final int DIGEST = 13;
    /** 16 bits at least: more than a cluster has slots. Two that are the same share a slot, no balance. */
    private static final int PARTITION = 4;

    private final List<Budget> budgets;
    private final String keyPrefix;
    private final String partitionBy;
    private final Fingerprint fingerprint;
    private final Cardinality cardinality;
    /** What budgets look at; whatever else is known of a call, it falls under the same. */
    private final List<String> attributes;

    /** Evicts on the caller's thread, which takes less than waking another. */
    private final Cache<List<@Nullable String>, Found> known = Caffeine.newBuilder()
            .maximumSize(REMEMBERED)
            .executor(Runnable::run)
            .build();

    /** @param span in which it was found; right until that ends */
    private record Found(List<Subject> subjects, long span) {}

    public Subjects(
            List<Budget> budgets,
            String keyPrefix,
            String partitionBy,
            Fingerprint fingerprint,
            Cardinality cardinality) {
        this.budgets = budgets;
        this.keyPrefix = keyPrefix;
        this.partitionBy = partitionBy;
        this.fingerprint = fingerprint;
        this.cardinality = cardinality;
        this.attributes = budgets.stream()
                .flatMap(budget -> budget.attributes().stream())
                .distinct()
                .toList();
    }

    /** The same of other budgets. */
    Subjects of(List<Budget> others) {
        return new Subjects(others, keyPrefix, partitionBy, fingerprint, cardinality);
    }

    /** The only one of a budget that is counted per nothing. */
    Subject of(Budget budget) {
        return subject(budget, Map.of());
    }

    /** The number of the span of time in which a call keeps its subjects. */
    long span() {
        return cardinality.span();
    }

    /**
     * The subjects of a call with these attributes, {@code apiKey} being a fingerprint already.
     *
     * @throws MisfitException where the call lacks an attribute that a budget is counted per
     */
    public List<Subject> of(Map<String, String> call) {
        @Nullable String[] values = new @Nullable String[attributes.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = call.get(attributes.get(i));
        }
        List<@Nullable String> key = Arrays.asList(values);
        long span = cardinality.span();
        Found found = known.getIfPresent(key);
        if (found == null || found.span != span) {
            found = new Found(find(call), span);
            known.put(key, found);
        }
        return found.subjects;
    }

    private List<Subject> find(Map<String, String> call) {
        List<Subject> found = new ArrayList<>();
        for (Budget budget : budgets) {
            if (budget.appliesTo(call)) {
                found.add(subject(budget, call));
            }
        }
        if (found.size() > MOST_OF_A_CALL) {
            throw new MisfitException("the call falls under " + found.size() + " budgets, and may fall under "
                    + MOST_OF_A_CALL + " at most; narrow them with models(..), providers(..) or where(..)");
        }
        int limits = found.stream().mapToInt(subject -> subject.limits().size()).sum();
        if (limits > MOST_LIMITS_OF_A_CALL) {
            throw new MisfitException(
                    "the call falls under " + limits + " limits, and may fall under " + MOST_LIMITS_OF_A_CALL
                            + " at most; narrow their budgets with models(..), providers(..) or where(..)");
        }
        return List.copyOf(found);
    }

    private Subject subject(Budget budget, Map<String, String> call) {
        List<String> parts = new ArrayList<>();
        parts.add(budget.name());
        for (String attribute : budget.countedPer()) {
            String value = call.get(attribute);
            if (value == null) {
                throw new MisfitException("unknown attribute '" + attribute + "': budget '" + budget.name()
                        + "' is counted per it, and the call has only " + call.keySet()
                        + "; give the call that attribute, or narrow the budget with where(\"" + attribute
                        + "\", \"*\")");
            }
            parts.add(attribute);
            parts.add(value);
        }
        String[] all = parts.toArray(String[]::new);
        String digest = fingerprint.dense(all);
        if (!budget.countedPer().isEmpty() && !cardinality.admits(budget.name(), digest.substring(0, DIGEST))) {
            String shared = fingerprint.dense(budget.name(), "the rest per " + budget.countedPer());
            return subject(budget, shared, shared.substring(DIGEST));
        }
        String partition = budget.countedPer().contains(partitionBy)
                ? partition(call.getOrDefault(partitionBy, ""))
                : digest.substring(DIGEST);
        return subject(budget, digest, partition);
    }

    private Subject subject(Budget budget, String digest, String partition) {
        String key = keyPrefix + ":{" + partition.substring(0, PARTITION) + "}:" + digest.substring(0, DIGEST);
        return new Subject(key, budget);
    }

    private String partition(String value) {
        return partitionBy.equals("apiKey") ? value : fingerprint.of(value);
    }
}
