package io.costguard.benchmarks;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.Limit;
import io.costguard.LimitStatus;
import java.math.BigDecimal;
import java.time.Duration;

/** What each contender decides over: the same three limits, and what a call takes of them. */
final class Work {
    static final long TOKENS = 1_000;

    static final long NANO_USD = 1_000_000;

    /** One request, 1,000 tokens, $0.001. */
    static final Cost COST = Cost.requests(1).input(900).output(100).nanoUsd(NANO_USD);

    /** How many calls each limit gains in an hour: a little, so that there is always something to refill. */
    static final long PER_HOUR = 360;

    /** How many calls each limit can hold: more than any run makes. */
    static final long BURST = 100_000_000;

    /** Where limits stand in a budget. */
    static final int REQUESTS_LIMIT = 0;

    static final int TOKENS_LIMIT = 1;

    private static final long[] AMOUNTS = {1, TOKENS, NANO_USD};

    private Work() {}

    static long amount(int limit) {
        return AMOUNTS[limit];
    }

    /** The three limits as a budget of ours, which gains so many calls an hour. */
    static Budget budget(String name, long callsPerHour) {
        return Budget.named(name)
                .limit(Limit.requests(callsPerHour).perHour().burst(BURST))
                .limit(Limit.tokens(callsPerHour * TOKENS).perHour().burst(BURST * TOKENS))
                .limit(Limit.usd(usd(callsPerHour)).perHour().burst(usd(BURST).toPlainString()));
    }

    /** A guard that waits for Redis as long as its peers do: a slow machine makes it slow, not wrong. */
    static CostGuard.Builder guard(String url) {
        return CostGuard.builder().redis(url).decisionTimeout(Duration.ofSeconds(10));
    }

    /** How much of a limit is used. */
    static long used(LimitStatus limit) {
        return limit.capacity() - limit.balance();
    }

    /** What so many calls cost. */
    static BigDecimal usd(long calls) {
        return BigDecimal.valueOf(calls * NANO_USD, 9);
    }
}
