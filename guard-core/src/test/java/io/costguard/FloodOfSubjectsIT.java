package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.RedisClient;

/** Somebody makes up tenants: {@code -Dcostguard.strangers=1000000} of them at full size. */
@Tag("fault-15")
@Tag("threat-6")
class FloodOfSubjectsIT {
    private static final int STRANGERS = Integer.getInteger("costguard.strangers", 5_000);
    private static final int APART = STRANGERS / 10;
    private static final long EACH = 10_000_000;

    private final RedisForTests redis = RedisForTests.shared();
    private final String prefix = redis.keyPrefix();

    @Test
    void strangersBeyondTheBoundShareOneBalanceAndEveryKeyEnds() throws Exception {
        Random random = new Random(15);
        GuardedCall regular = tenant("regular");
        try (CostGuard guard = guard(APART)) {
            guard.acquire(regular).close();
            for (int i = 0; i < STRANGERS; i++) {
                guard.acquire(tenant("stranger " + random.nextLong())).close();
            }
            guard.acquire(regular).close();

            assertThat(balance(guard, regular)).isEqualTo(EACH - 2);
            assertThat(balance(guard, tenant("the next stranger"))).isEqualTo(EACH - (STRANGERS - (APART - 1)));
        }

        List<String> subjects = PatientRedis.subjects(redis.url(), prefix);
        assertThat(subjects).hasSize(APART + 1);
        try (RedisClient jedis = PatientRedis.client(redis.url())) {
            assertThat(subjects).allSatisfy(key -> assertThat(jedis.pttl(key)).isPositive());
        }
    }

    @Test
    void theProcessesOfAFleetShareItToo() throws Exception {
        try (CostGuard one = guard(1);
                CostGuard other = guard(1)) {
            one.acquire(tenant("regular")).close();
            other.acquire(tenant("regular")).close();
            one.acquire(tenant("a stranger")).close();
            other.acquire(tenant("another")).close();

            assertThat(balance(one, tenant("a third"))).isEqualTo(EACH - 2);
            assertThat(balance(other, tenant("regular"))).isEqualTo(EACH - 2);
        }
    }

    @Test
    void aBoundThatMakesNoSenseIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> CostGuard.builder().cardinalityLimit(0))
                .withMessage("cardinalityLimit must be from 1 to 10,000,000 subjects, not 0");
    }

    private CostGuard guard(int apart) {
        return CostGuard.builder()
                .redis(redis.url())
                .keyPrefix(prefix)
                .decisionTimeout(Duration.ofSeconds(10))
                .cardinalityLimit(apart)
                .budget(Budget.named("tenants")
                        .per("tenant")
                        .limit(Limit.requests(EACH).perMonth()))
                .build();
    }

    private static GuardedCall tenant(String name) {
        return GuardedCall.of("m").with("tenant", name);
    }

    private static long balance(CostGuard guard, GuardedCall call) throws GuardUnavailableException {
        return guard.status(call).get(0).balance();
    }
}
