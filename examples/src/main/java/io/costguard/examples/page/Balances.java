package io.costguard.examples.page;

import io.costguard.LimitStatus;
import io.costguard.examples.fleet.Amounts;
import io.costguard.examples.fleet.ApiKey;
import io.costguard.examples.fleet.Calls;
import io.costguard.examples.fleet.Fleet;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * How all limits stand, by {@code guard.status}. Immutable.
 *
 * @param subjects of each model and key
 * @param money of all calls together
 * @param runs of each agent run
 * @param ledger what was used of all, this month
 */
record Balances(List<Subject> subjects, List<LimitStatus> money, List<Run> runs, Amounts ledger) {
    static final Balances NONE = new Balances(List.of(), List.of(), List.of(), Amounts.NONE);

    /** The limits of a budget that is counted per model and key. */
    record Subject(String model, String team, List<LimitStatus> limits) {}

    /** The limits of an agent run. */
    record Run(String run, List<LimitStatus> limits) {}

    /** Asks Redis. */
    static Balances of(Fleet fleet, Map<String, ApiKey> runs) throws IOException {
        List<Subject> subjects = new ArrayList<>();
        List<LimitStatus> all = List.of();
        for (String model : Calls.MODELS) {
            for (ApiKey key : ApiKey.values()) {
                all = fleet.status(Calls.like(model, key));
                subjects.add(new Subject(model, key.team(), of("rate", all)));
            }
        }
        List<Run> ofRuns = new ArrayList<>();
        for (Map.Entry<String, ApiKey> run : runs.entrySet()) {
            String dearest = Calls.MODELS.get(Calls.MODELS.size() - 1);
            ofRuns.add(new Run(
                    run.getKey(),
                    of("run", fleet.status(Calls.like(dearest, run.getValue()).with("run", run.getKey())))));
        }
        return new Balances(List.copyOf(subjects), of("money", all), List.copyOf(ofRuns), Fleet.ledger(all));
    }

    private static List<LimitStatus> of(String budget, List<LimitStatus> all) {
        return all.stream().filter(limit -> limit.budget().equals(budget)).toList();
    }
}
