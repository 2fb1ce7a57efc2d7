package io.costguard.benchmarks;

import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.GuardListener;
import io.costguard.GuardListener.Denied.By;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import java.time.Duration;
import java.util.concurrent.atomic.LongAdder;

/** Cost Guard with three limits, the dollars of which are spent: every call is denied, nearly all of them without asking Redis. */
final class SpentBudget implements Contender {
    /** How many calls one decision here is: one alone takes not much longer than reading the clock. */
    static final int AT_ONCE = 100;

    private final Denials denials = new Denials();
    private final CostGuard guard;
    private final GuardedCall call =
            GuardedCall.of("gpt-4o-mini").with("tenant", "spent").cost(Work.COST);

    private static final class Denials implements GuardListener {
        final LongAdder local = new LongAdder();
        final LongAdder others = new LongAdder();

        @Override
        public void onDenied(Denied event) {
            (event.by() == By.PRE_CHECK ? local : others).increment();
        }
    }

    SpentBudget(String url) throws GuardUnavailableException {
        guard = Work.guard(url)
                // Longer than the default, so that hardly any slot has a denial of Redis in it.
                .preCheck(Duration.ofMinutes(1))
                .budget(Budget.named("spent")
                        .per("model", "tenant")
                        .limit(Limit.requests(Work.PER_HOUR).perHour().burst(Work.BURST))
                        .limit(Limit.tokens(Work.PER_HOUR * Work.TOKENS)
                                .perHour()
                                .burst(Work.BURST * Work.TOKENS))
                        .limit(Limit.usd(Work.usd(1)).perDay().tokenBucket()))
                .listener(denials)
                .build();
        if (guard.tryAcquire(call).isEmpty()) {
            throw new IllegalStateException("the only call was denied");
        }
    }

    @Override
    public String name() {
        return "Cost Guard, budget spent";
    }

    @Override
    public int keys() {
        return 1;
    }

    @Override
    public void decide(int key) throws GuardUnavailableException {
        for (int i = 0; i < AT_ONCE; i++) {
            if (guard.tryAcquire(call).isPresent()) {
                throw new IllegalStateException("a spent budget let a call go");
            }
        }
    }

    @Override
    public long charged(int key) throws GuardUnavailableException {
        return Work.used(guard.status(call).get(Work.REQUESTS_LIMIT));
    }

    /** What was measured is worth nothing if Redis was asked after all. */
    void checkAllButAFewWereLocal() throws GuardUnavailableException {
        if (denials.others.sum() * 1_000 > denials.local.sum() || charged(0) > 1) {
            throw new IllegalStateException("the pre-check answered " + denials.local.sum() + " calls, Redis "
                    + denials.others.sum() + ", and " + charged(0) + " are charged");
        }
    }

    @Override
    public void close() {
        guard.close();
    }
}
