package io.costguard.redis;

import static io.costguard.Awaiting.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.LimitStatus;
import io.costguard.Logged;
import io.costguard.PatientRedis;
import io.costguard.Permit;
import io.costguard.WhenExhausted;
import io.costguard.testing.RedisForTests;
import io.costguard.topology.Topology;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Protocol;

/** What a guard may do in Redis, what it must be allowed to, and what it says where it is not. */
@Timeout(60)
@ResourceLock(Resources.SYSTEM_ERR)
@Tag("fault-9")
class AccessIT {
    private static final Pattern CALLS = Pattern.compile("cmdstat_evalsha:calls=([2-9]|[0-9]{2})");

    private final RedisForTests redis = RedisForTests.start();
    private final Jedis admin = PatientRedis.connection(redis.url());

    @BeforeEach
    void addTheUserOfTheDocs() throws IOException {
        admin.sendCommand(Protocol.Command.ACL, Topology.userOfTheDocs());
    }

    @AfterEach
    void close() {
        admin.close();
        redis.close();
    }

    private static CostGuard guard(String url, String keyPrefix) {
        return guard(CostGuard.builder().redis(url).keyPrefix(keyPrefix));
    }

    private static CostGuard guard(CostGuard.Builder builder) {
        return builder.decisionTimeout(Duration.ofMinutes(1))
                .budget(Budget.named("all").per().limit(Limit.requests(10).perDay()))
                .build();
    }

    private String url() {
        return "redis://costguard:password@" + redis.host() + ":" + redis.port();
    }

    @Test
    @Tag("threat-7")
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
    void whatIsSettledWhileAUserMayNotWriteIsSettledOnceHeMay() throws Exception {
        GuardedCall call = GuardedCall.of("search").cost(Cost.requests(1).input(40));
        Budget budget = Budget.named("b")
                .per()
                .limit(Limit.tokens(100).perDay())
                .limit(Limit.concurrentCalls(1));
        try (CostGuard guard = CostGuard.builder()
                .redis(url())
                .decisionTimeout(Duration.ofSeconds(20))
                .budget(budget)
                .build()) {
            Permit permit = guard.acquire(call);
            admin.configResetStat();
            admin.sendCommand(Protocol.Command.ACL, "SETUSER", "costguard", "-set");
            permit.settle(Cost.requests(1).input(10));
            // Asked twice, so that the first is known to have failed.
            await(() -> CALLS.matcher(admin.info("commandstats")).find());

            admin.sendCommand(Protocol.Command.ACL, "SETUSER", "costguard", "+set");
            guard.flush();

            assertThat(guard.status(call)).extracting(LimitStatus::balance).containsExactly(90L, 1L);
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

    @ParameterizedTest
    @ValueSource(
            strings = {
                "time",
                "mget",
                "exists",
                "set",
                "del",
                "zadd",
                "zrem",
                "zcount",
                "zscore",
                "zrangebyscore",
                "pexpire",
                "publish"
            })
    void aGuardThatStartsWithoutARightNamesItAndTheLineThatGivesAll(String command) throws Exception {
        admin.sendCommand(Protocol.Command.ACL, "SETUSER", "costguard", "-" + command);

        assertThat(saidAtStartOf(url(), "costguard", "ACL SETUSER"))
                .contains(command.toUpperCase(Locale.ROOT))
                .contains(lineOfTheDocs());
    }

    @Test
    void aGuardThatStartsWithoutItsChannelsNamesThem() throws Exception {
        admin.sendCommand(Protocol.Command.ACL, "SETUSER", "costguard", "resetchannels");

        assertThat(saidAtStartOf(url(), "costguard", "ACL SETUSER")).contains("PUBLISH", "&costguard:turn:*");
    }

    @Test
    void aGuardThatStartsWithTheRightsThatTheDocsNameHasNothingToSayOfThem() throws Exception {
        admin.configSet("maxmemory-policy", "allkeys-lru");
        admin.sendCommand(Protocol.Command.ACL, "SETUSER", "costguard", "+info");

        assertThat(saidAtStartOf(url(), "costguard", "maxmemory-policy noeviction"))
                .doesNotContain("ACL SETUSER");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "redis://costguard:wrong@ | the user or the password is not right",
                "redis://costguard:password@ | ACL SETUSER <user> ~elsewhere:* resetchannels &elsewhere:turn:* +eval ",
                "redis:// | give its password"
            })
    void aGuardThatCannotStartSaysWhatToDo(String start, String advice) {
        admin.aclSetUser("default", "resetpass", ">secret");

        assertThat(saidAtStartOf(start + redis.host() + ":" + redis.port(), "elsewhere", advice))
                .contains("Redis does not serve this guard");
    }

    @Test
    void whoAsksIsToldWhichRightsAreLackingNow() throws Exception {
        try (CostGuard guard = guard(url(), "costguard")) {
            assertThat(guard.lackingRights()).isEmpty();

            admin.sendCommand(Protocol.Command.ACL, "SETUSER", "costguard", "-zadd");

            assertThat(guard.lackingRights().orElse("")).contains("(ZADD)", lineOfTheDocs());
        }
    }

    @Test
    void whoAsksForRightsOfARedisThatRefusesIsToldWhatToDo() {
        try (CostGuard guard = guard(url().replace("password", "wrong"), "costguard")) {
            assertThatExceptionOfType(GuardUnavailableException.class)
                    .isThrownBy(guard::lackingRights)
                    .withMessageContaining("WRONGPASS")
                    .withMessageEndingWith("; the user or the password is not right");
        }
    }

    @Test
    void aGuardThatDoesNotTrustItsServerSaysWhatToDo() {
        try (Topology tls = Topology.untrustedTls()) {
            assertThat(saidAtStartOf(tls.guard(), "javax.net.ssl.trustStore"))
                    .contains("Redis does not serve this guard", "certification path");
        }
    }

    @Test
    void aGuardThatIsOneClientTooManySaysSoAndDecidesOnceThereIsRoom() throws Exception {
        admin.configSet("maxclients", "1");

        assertThat(saidAtStartOf(redis.url(), "costguard", "maxclients")).contains("raise its maxclients");
        try (CostGuard guard = guard(redis.url(), "costguard")) {
            CompletableFuture<Permit> asks = guard.acquireAsync(GuardedCall.of("search"));
            admin.configSet("maxclients", "100");

            assertThat(asks.get(1, TimeUnit.MINUTES)).isNotNull();
        }
    }

    private static String saidAtStartOf(String url, String keyPrefix, String until) {
        return saidAtStartOf(CostGuard.builder().redis(url).keyPrefix(keyPrefix), until);
    }

    /** What a guard says once it is there, until it says this. */
    private static String saidAtStartOf(CostGuard.Builder builder, String until) {
        List<CostGuard> built = new ArrayList<>();
        try {
            return Logged.until(until, () -> built.add(guard(builder)));
        } finally {
            built.forEach(CostGuard::close);
        }
    }

    /** Without what is up to the reader. */
    private static String lineOfTheDocs() throws IOException {
        String line = String.join(" ", Topology.userOfTheDocs());
        return line.substring(line.indexOf("~costguard:*"));
    }
}
