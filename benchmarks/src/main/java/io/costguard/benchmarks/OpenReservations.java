package io.costguard.benchmarks;

import io.costguard.CostGuard;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.Permit;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Cost Guard with one subject, of which so many reservations stay open; one limit of it counts them. */
final class OpenReservations implements Contender {
    private final CostGuard guard;
    private final GuardedCall call =
            GuardedCall.of("gpt-4o-mini").with("tenant", "open").cost(Work.COST);
    private final List<Permit> open = new ArrayList<>();

    OpenReservations(String url, int count) throws IOException {
        guard = Work.guard(url)
                // An hour a call: what is given back stands out from what is refilled.
                .budget(Work.budget("open", 1).per("model", "tenant").limit(Limit.concurrentCalls(Work.BURST)))
                .build();
        open(count);
    }

    /** So many more of them. */
    void open(int more) throws IOException {
        for (int i = 0; i < more; i++) {
            open.add(guard.acquire(call));
        }
    }

    @Override
    public String name() {
        return Growth.count(open.size());
    }

    @Override
    public int keys() {
        return 1;
    }

    /** Keeps the estimate, and gives its slot back, which leaves nothing open. */
    @Override
    public void decide(int key) throws IOException {
        guard.acquire(call).close();
    }

    @Override
    public long charged(int key) throws GuardUnavailableException {
        return Work.used(guard.status(call).get(Work.REQUESTS_LIMIT));
    }

    /** They were open if they can be given back now, each of them. */
    void checkOpen() throws GuardUnavailableException {
        long before = charged(0);
        open.forEach(Permit::release);
        long givenBack = before - charged(0);
        if (givenBack < open.size() || givenBack > open.size() + 1) {
            throw new IllegalStateException(open.size() + " open reservations gave back " + givenBack + " calls");
        }
    }

    @Override
    public void close() {
        guard.close();
    }
}
