package io.costguard.examples;

import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.GuardListener;
import io.costguard.Limit;
import io.costguard.WhenExhausted;
import java.time.Duration;

/** What every process of the fleet agrees on: its budgets. */
final class Fleet {
    private Fleet() {}

    static CostGuard guard(String redisUrl, String keyPrefix, GuardListener listener) {
        return CostGuard.builder()
                .redis(redisUrl)
                .keyPrefix(keyPrefix)
                .budget(Budget.named("rate")
                        .per("provider")
                        .limit(Limit.requests(4).per(Duration.ofSeconds(5)))
                        .limit(Limit.tokens(100_000).perMinute()))
                .budget(Budget.named("bill")
                        .per()
                        .limit(Limit.requests(10_000_000).perMonth())
                        .limit(Limit.inputTokens(1_000_000_000).perMonth())
                        .limit(Limit.outputTokens(1_000_000_000).perMonth())
                        .limit(Limit.usd("250.00").perMonth()))
                .whenExhausted(WhenExhausted.waitUpTo(Duration.ofMinutes(1)))
                .listener(listener)
                .build();
    }
}
