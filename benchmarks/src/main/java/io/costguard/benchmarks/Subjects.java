package io.costguard.benchmarks;

import io.costguard.CostGuard;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import java.io.IOException;

/** Cost Guard with so many subjects that its calls are made as they come: keeping them all takes too much. */
final class Subjects implements Contender {
    private final CostGuard guard;
    private final int keys;

    Subjects(String url, int keys) {
        this.keys = keys;
        guard = Work.guard(url)
                .cardinalityLimit(keys)
                // One call takes an hour to refill, and until then at least Redis keeps its subject.
                .budget(Work.budget("subjects", 1).per("model", "tenant"))
                .build();
    }

    @Override
    public String name() {
        return Growth.count(keys);
    }

    @Override
    public int keys() {
        return keys;
    }

    @Override
    public void decide(int key) throws IOException {
        guard.acquire(call(key)).close();
    }

    @Override
    public long charged(int key) throws GuardUnavailableException {
        return Work.used(guard.status(call(key)).get(Work.REQUESTS_LIMIT));
    }

    private static GuardedCall call(int key) {
        return GuardedCall.of("gpt-4o-mini").with("tenant", "t" + key).cost(Work.COST);
    }

    @Override
    public void close() {
        guard.close();
    }
}
