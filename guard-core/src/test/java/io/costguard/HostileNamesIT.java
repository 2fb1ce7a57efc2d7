package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.util.JedisClusterCRC16;

/** Whatever strangers write into a request, keys in Redis keep their shape, their slot and their time to live. */
@Tag("fault-34")
class HostileNamesIT {
    private static final int NAMES = 10_000;
    private static final String SHAPE = "\\{[0-9a-f]{4}}:[0-9A-Za-z_-]{13}";

    private final RedisForTests redis = RedisForTests.shared();
    private final String prefix = redis.keyPrefix();

    @Test
    void tenThousandHostileNamesOfModelsStayInTheSlotOfTheirKey() throws Exception {
        Random random = new Random(34);
        Set<String> models = new HashSet<>();
        try (CostGuard guard = guard(Budget.named("b {x}"), "apiKey")) {
            for (int i = 0; i < NAMES; i++) {
                GuardedCall call = GuardedCall.of(HostileNames.next(random)).with("apiKey", "{}");
                models.add(call.model());
                guard.acquire(call).close();
            }
        }

        List<String> keys = PatientRedis.subjects(redis.url(), prefix);
        // Names that differ only in what UTF-8 cannot say are one.
        assertThat(keys).hasSizeBetween(models.size() * 9 / 10, models.size());
        assertThat(keys).allSatisfy(key -> assertThat(key).matches(prefix + ":" + SHAPE));
        assertThat(keys.stream().map(JedisClusterCRC16::getSlot).distinct()).hasSize(1);
        try (RedisClient jedis = PatientRedis.client(redis.url())) {
            assertThat(keys).allSatisfy(key -> assertThat(jedis.pttl(key)).isPositive());
        }
    }

    @Test
    void anyAttributeMayHoldAnythingAndMayBeThePartition() throws Exception {
        Random random = new Random(35);
        try (CostGuard guard = guard(Budget.named("b").per("tenant", "apiKey"), "tenant")) {
            for (int i = 0; i < 500; i++) {
                String tenant = i == 0 ? "" : cut(HostileNames.next(random));
                guard.acquire(GuardedCall.of("m").with("tenant", tenant).with("apiKey", HostileNames.next(random)))
                        .close();
            }
        }

        assertThat(PatientRedis.subjects(redis.url(), prefix))
                .hasSizeGreaterThan(400)
                .allSatisfy(key -> assertThat(key).matches(prefix + ":" + SHAPE));
    }

    private static String cut(String name) {
        return name.substring(0, Math.min(name.length(), 4_096));
    }

    private CostGuard guard(Budget budget, String partitionBy) {
        return CostGuard.builder()
                .redis(redis.url())
                .keyPrefix(prefix)
                .decisionTimeout(Duration.ofSeconds(10))
                .partitionBy(partitionBy)
                .budget(budget.limit(Limit.requests(1_000_000).perDay()))
                .build();
    }
}
