package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.PatientRedis;
import io.costguard.Permit;
import io.costguard.WhenExhausted;
import io.costguard.testing.RedisForTests;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Protocol;

/** What a guard may do in Redis, and what it must be allowed to. */
class AccessIT {
    private final RedisForTests redis = RedisForTests.start();
    private final Jedis admin = PatientRedis.connection(redis.url());

    @BeforeEach
    void addTheUserOfTheDocs() throws IOException {
        String line = Files.readAllLines(Path.of("../docs/redis.md")).stream()
                .filter(text -> text.startsWith("ACL SETUSER "))
                .findFirst()
                .orElseThrow();
        admin.sendCommand(Protocol.Command.ACL, line.substring("ACL ".length()).split(" "));
    }

    @AfterEach
    void close() {
        admin.close();
        redis.close();
    }

    private CostGuard guard(String url, String keyPrefix) {
        return CostGuard.builder()
                .redis(url)
                .keyPrefix(keyPrefix)
                .budget(Budget.named("all").per().limit(Limit.requests(10).perDay()))
                .build();
    }

    private String url() {
        return "redis://costguard:password@" + redis.host() + ":" + redis.port();
    }

    @Test
    void theRightsThatTheDocsNameAreEnough() throws Exception {
        GuardedCall call = GuardedCall.of("search");
        try (CostGuard guard = guard(url(), "costguard")) {
            admin.scriptFlush();
            try (Permit permit = guard.acquire(call)) {
                permit.settle(Cost.requests(1));
            }
            guard.acquire(call).release();

            assertThat(guard.status(call).get(0).balance()).isEqualTo(9);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"&costguard:turn:*", "resetchannels"})
    void callsWaitWithAndWithoutTheChannelsThatTheDocsName(String channels) throws Exception {
        admin.sendCommand(Protocol.Command.ACL, "SETUSER", "costguard", channels);
        GuardedCall call = GuardedCall.of("search").whenExhausted(WhenExhausted.waitUpTo(Duration.ofSeconds(20)));
        Budget budget = Budget.named("one").limit(Limit.requests(2).perSecond().burst(1));
        try (CostGuard guard = CostGuard.builder().redis(url()).budget(budget).build();
                CostGuard other =
                        CostGuard.builder().redis(url()).budget(budget).build()) {
            guard.acquire(call);
            CompletableFuture<Permit> first = guard.acquireAsync(call);
            CompletableFuture<Permit> second = other.acquireAsync(call);
            CompletableFuture<Permit> third = guard.acquireAsync(call);

            assertThat(first.get(20, TimeUnit.SECONDS).waited()).isPositive();
            assertThat(second.get(20, TimeUnit.SECONDS).waited()).isPositive();
            assertThat(third.get(20, TimeUnit.SECONDS).waited()).isPositive();
        }
    }

    @Test
    void aUserWithoutTheRightsIsToldWhatRedisSaid() {
        try (CostGuard guard = guard(url(), "elsewhere")) {
            assertThatExceptionOfType(GuardUnavailableException.class)
                    .isThrownBy(() -> guard.acquire(GuardedCall.of("search")))
                    .withMessageContaining("NOPERM");
        }
    }

    @Test
    void aWrongPasswordIsNamed() {
        try (CostGuard guard = guard(url().replace("password", "wrong"), "costguard")) {
            assertThatExceptionOfType(GuardUnavailableException.class)
                    .isThrownBy(() -> guard.acquire(GuardedCall.of("search")))
                    .withMessageContaining("WRONGPASS");
        }
    }
}
