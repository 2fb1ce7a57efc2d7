package io.costguard.benchmarks;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.LimitStatus;
import io.costguard.Permit;
import java.io.IOException;
import java.time.Duration;

/** Cost Guard with three limits: requests, tokens and dollars. */
final class Ours implements Contender {
    private static final Cost COST = Cost.requests(1).input(900).output(100).usd("0.001");

    private final CostGuard guard;
    private final GuardedCall[] calls;
    private final boolean settles;

    /** @param settles gives half of the tokens and dollars back after each call, as a real one does */
    Ours(String url, int keys, boolean settles) {
        this.settles = settles;
        guard = CostGuard.builder()
                .redis(url)
                .decisionTimeout(Duration.ofSeconds(10))
                .budget(Budget.named(settles ? "settling" : "reserving")
                        .per("model", "tenant")
                        .limit(Limit.requests(Work.PER_HOUR).perHour().burst(Work.BURST))
                        .limit(Limit.tokens(Work.PER_HOUR * 1_000).perHour().burst(Work.BURST * 1_000))
                        .limit(Limit.usd("3.60").perHour().burst("1000000.00")))
                .build();
        calls = new GuardedCall[keys];
        for (int i = 0; i < keys; i++) {
            calls[i] = GuardedCall.of("gpt-4o-mini").with("tenant", "t" + i).cost(COST);
        }
    }

    @Override
    public String name() {
        return settles ? "Cost Guard, reserve + settle" : "Cost Guard";
    }

    @Override
    public void decide(int key) throws IOException {
        Permit permit = guard.acquire(calls[key]);
        if (settles) {
            permit.settle(Cost.requests(1).input(400).output(100).usd("0.0005"));
        }
    }

    @Override
    public long charged(int key) throws IOException {
        LimitStatus requests = guard.status(calls[key]).get(0);
        return requests.capacity() - requests.balance();
    }

    @Override
    public void close() {
        guard.close();
    }
}
