package io.costguard.benchmarks;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.GuardListener;
import io.costguard.GuardListener.Denied.By;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.Permit;
import io.costguard.WhenExhausted;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.LongAdder;

/** Cost Guard with three limits that are spent, and calls that wait for them: each other call asks Redis, and is denied. */
final class LineOfCalls implements Contender {
    private static final long CALLS_A_DAY = 100;
    private static final int AT_ONCE = 500;
    private static final Duration LONG = Duration.ofDays(300);

    private final int length;
    private final LongAdder denials = new LongAdder();
    private final CostGuard waits;
    private final CostGuard asks;
    private final GuardedCall call;

    LineOfCalls(String url, int length) throws Exception {
        this.length = length;
        Budget budget = Budget.named("line")
                .per("tenant")
                .limit(Limit.requests(CALLS_A_DAY).perDay().tokenBucket())
                .limit(Limit.tokens(CALLS_A_DAY * Work.TOKENS).perDay().tokenBucket())
                .limit(Limit.usd(Work.usd(CALLS_A_DAY)).perDay().tokenBucket());
        this.waits = Work.guard(url).budget(budget).build();
        this.asks = Work.guard(url)
                .budget(budget)
                .preCheck(Duration.ZERO)
                .listener(new GuardListener() {
                    @Override
                    public void onDenied(Denied event) {
                        denials.add(event.by() == By.REDIS ? 1 : 0);
                    }
                })
                .build();
        this.call =
                GuardedCall.of("gpt-4o-mini").with("tenant", "line-" + length).cost(Work.COST);
        Cost all = Cost.requests(CALLS_A_DAY).input(CALLS_A_DAY * Work.TOKENS).nanoUsd(CALLS_A_DAY * Work.NANO_USD);
        waits.acquire(call.cost(all)).close();
        for (int joined = 0; joined < length; joined += AT_ONCE) {
            join(Math.min(AT_ONCE, length - joined));
        }
    }

    private void join(int calls) throws Exception {
        long before = asks.status(call).get(0).waiting();
        List<CompletableFuture<Permit>> joining = new ArrayList<>();
        for (int i = 0; i < calls; i++) {
            joining.add(waits.acquireAsync(call.whenExhausted(WhenExhausted.waitUpTo(LONG))));
        }
        while (asks.status(call).get(0).waiting() < before + calls) {
            for (CompletableFuture<Permit> each : joining) {
                if (each.isDone()) {
                    throw new IllegalStateException("a call does not wait: " + each);
                }
            }
        }
    }

    @Override
    public String name() {
        return Growth.count(length) + " in line";
    }

    @Override
    public int keys() {
        return 1;
    }

    @Override
    public void decide(int key) throws Exception {
        if (asks.tryAcquire(call).isPresent()) {
            throw new IllegalStateException("a call overtook those in line");
        }
    }

    /** How many Redis denied. */
    @Override
    public long charged(int key) {
        return denials.sum();
    }

    @Override
    public void close() {
        asks.close();
        waits.close();
    }
}
