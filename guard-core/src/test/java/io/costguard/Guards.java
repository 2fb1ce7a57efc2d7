package io.costguard;

import static io.costguard.Awaiting.PATIENCE;
import static io.costguard.Awaiting.await;

import io.costguard.testing.FaultyLink;
import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** A fleet of guards over the balances of one test, the call that they are asked for, and what they say of it. All are closed after it. */
final class Guards implements AfterEachCallback {
    /** Refills less than a unit in any test's time. */
    static final Duration LONG = Duration.ofDays(30);

    static final GuardedCall CALL = GuardedCall.of("gpt-4o").with("apiKey", "sk-canary");
    static final WhenExhausted PATIENTLY = WhenExhausted.waitUpTo(Duration.ofDays(365));

    final RedisForTests redis = RedisForTests.shared();
    final String prefix = redis.keyPrefix();
    final Recorder events = new Recorder();
    private final Deque<AutoCloseable> open = new ArrayDeque<>();

    @Override
    public void afterEach(ExtensionContext test) throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
    }

    /** Closed after the test, the last first. */
    <T extends AutoCloseable> T opened(T closeable) {
        open.push(closeable);
        return closeable;
    }

    FaultyLink link() {
        return opened(FaultyLink.to(redis));
    }

    CostGuard guard(Limit... limits) {
        return guard(budget(limits));
    }

    CostGuard guard(Budget... budgets) {
        return guard(builder -> builder, budgets);
    }

    /** Its denials are its Redis's own unless {@code more} says otherwise, and a machine that stalls fails no test. */
    CostGuard guard(UnaryOperator<CostGuard.Builder> more, Budget... budgets) {
        CostGuard.Builder builder = CostGuard.builder()
                .redis(redis.url())
                .keyPrefix(prefix)
                .preCheck(Duration.ZERO)
                .decisionTimeout(PATIENCE)
                .listener(events);
        for (Budget budget : budgets) {
            builder.budget(budget);
        }
        return opened(more.apply(builder).build());
    }

    static Budget budget(Limit... limits) {
        Budget budget = Budget.named("b");
        for (Limit limit : limits) {
            budget = budget.limit(limit);
        }
        return budget;
    }

    static Limit bucket(long tokens) {
        return Limit.tokens(tokens).per(LONG).tokenBucket();
    }

    static GuardedCall tokens(long tokens) {
        return CALL.cost(Cost.requests(1).input(tokens));
    }

    static List<Long> balances(CostGuard guard) throws GuardUnavailableException {
        return guard.status(CALL).stream().map(LimitStatus::balance).toList();
    }

    static long balance(CostGuard guard) throws GuardUnavailableException {
        return balances(guard).get(0);
    }

    static void awaitWaiting(CostGuard guard, long calls) throws GuardUnavailableException {
        await(() -> guard.status(CALL).get(0).waiting() == calls);
    }
}
