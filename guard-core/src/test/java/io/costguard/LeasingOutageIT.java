package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.testing.FaultyLink;
import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Slices of a guard in the time of this machine, whose Redis goes and comes. */
@Timeout(120)
class LeasingOutageIT {
    private static final long ALL = 1_000;
    private static final Budget BUDGET =
            Budget.named("b").per().limit(Limit.tokens(ALL).per(Duration.ofDays(366)));
    private static final GuardedCall CALL = GuardedCall.of("gpt-4o");

    private final RedisForTests redis = RedisForTests.shared();
    private final String prefix = redis.keyPrefix();
    private final FaultyLink link = FaultyLink.to(redis);

    @AfterEach
    void close() {
        link.close();
    }

    @Test
    void everyWayToAskSpendsFromTheSameSlice() throws Exception {
        try (CostGuard guard = guard(Duration.ofMillis(500))) {
            awaitSlice(guard);
            cut();

            Permit first = guard.acquire(tokens(30));
            Permit second = guard.acquireAsync(tokens(30)).get();
            Permit third = guard.tryAcquire(tokens(30)).orElseThrow();
            assertThat(guard.decide(tokens(10))).isInstanceOf(Decision.Granted.class);

            assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> guard.acquire(tokens(1)));
            assertThatExceptionOfType(ExecutionException.class)
                    .isThrownBy(() -> guard.acquireAsync(tokens(1)).get())
                    .withCauseInstanceOf(GuardUnavailableException.class);
            assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> guard.tryAcquire(tokens(1)));
            first.settle(Cost.requests(1).input(20));
            second.settle(Cost.requests(1).input(40));
            third.release();
            link.acceptConnections();
            Awaiting.await(() -> balance() == ALL - 1 - 20 - 40 - 10 - 100);
        }
    }

    @Test
    void aClosedGuardHasGivenItsSlicesBack() throws Exception {
        try (CostGuard guard = guard(Duration.ofSeconds(10))) {
            awaitSlice(guard);
            assertThat(balance()).isEqualTo(ALL - 1 - 100);
        }
        assertThat(balance()).isEqualTo(ALL - 1);
        try (CostGuard guard = guard(Duration.ofSeconds(10))) {
            guard.acquire(tokens(1)).close();
        }
        assertThat(balance())
                .as("of one that was asked for at the last moment too")
                .isEqualTo(ALL - 2);
    }

    // ----------------------------------------------------------------------------------------------------- the words

    private CostGuard guard(Duration timeout) {
        return CostGuard.builder()
                .redis(link.url())
                .keyPrefix(prefix)
                .decisionTimeout(timeout)
                .budget(BUDGET)
                .whenRedisFails(WhenRedisFails.spendLeased(Share.percent(10)))
                .build();
    }

    private static GuardedCall tokens(long tokens) {
        return CALL.cost(Cost.requests(1).input(tokens));
    }

    private static void awaitSlice(CostGuard guard) throws Exception {
        Awaiting.await(() -> {
            try {
                guard.acquire(tokens(1)).close();
                return true;
            } catch (GuardUnavailableException e) {
                return false;
            }
        });
        Awaiting.await(() -> !guard.leased(CALL).isEmpty());
    }

    private void cut() {
        link.refuseConnections();
        link.resetConnections();
    }

    private long balance() throws GuardUnavailableException {
        try (CostGuard other = CostGuard.builder()
                .redis(redis.url())
                .keyPrefix(prefix)
                .decisionTimeout(Duration.ofMinutes(1))
                .budget(BUDGET)
                .build()) {
            return other.status(CALL).get(0).balance();
        }
    }
}
