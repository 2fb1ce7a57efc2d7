package io.costguard.topology;

import static io.costguard.Awaiting.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.Logged;
import io.costguard.PatientRedis;
import io.costguard.Permit;
import io.costguard.testing.RedisCluster;
import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.RedisClusterClient;
import redis.clients.jedis.util.JedisClusterCRC16;

/** Row 8 of the faults, one answer of a node at a time. */
@Timeout(120)
@ResourceLock(Resources.SYSTEM_ERR)
@Tag("fault-8")
class MovingSlotsIT {
    private static final Duration PATIENT = Duration.ofMinutes(1);
    private static final int SLOTS = 16_384;
    private static final RedisCluster cluster = RedisCluster.start(3, 0);
    private static final GuardedCall CALL = GuardedCall.of("search")
            .with("apiKey", "sk-canary")
            .cost(Cost.requests(1).input(10));
    private static final String ADVICE = "hand a client of the cluster to the guard";
    private static final Pattern REJECTED = Pattern.compile("cmdstat_eval(sha)?:.*rejected_calls=[1-9]");

    private final String prefix = cluster.keyPrefix();
    private final List<AutoCloseable> parts = new ArrayList<>();

    @AfterAll
    static void stop() {
        cluster.close();
    }

    @BeforeEach
    void aClusterServes() {
        cluster.awaitReady();
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable part : parts) {
            part.close();
        }
        // A master that takes a slot and has not heard of the last move may number both alike: nodes never agree then.
        if (cluster.nodes().stream().anyMatch(node -> !subjects(node).isEmpty())) {
            new ClusterNodes(cluster.nodes()).awaitAgreed(Map.of(slot(), owner()));
        }
    }

    // ------------------------------------------------------------------------------- a client that knows the cluster

    @Test
    void aCallFollowsItsBalanceWhereThatHasMovedAndTheSlotHasNotYet() throws Exception {
        CostGuard guard = guard(2);
        guard.acquire(CALL);
        try (MovingSlot moving = moving()) {
            moving.move(moving.keysLeft());

            guard.acquire(CALL);

            assertThat(moving.target.clusterCountKeysInSlot(slot())).isPositive();
            moving.finish();
        }
        assertThat(balance(guard)).isEqualTo(100 - 20);
    }

    @Test
    void aClientThatFollowsNobodyIsDecidedOnceTheSlotHasMoved() throws Exception {
        CostGuard guard = guard(1);
        guard.acquire(CALL);
        try (MovingSlot moving = moving()) {
            moving.move(moving.keysLeft());
            CompletableFuture<Permit> asks = guard.acquireAsync(CALL);
            awaitSaid(moving.source, "ASK");
            assertThat(asks).isNotDone();

            moving.finish();

            assertThat(asks.get(1, TimeUnit.MINUTES)).isNotNull();
        }
        assertThat(balance(guard)).isEqualTo(100 - 20);
    }

    @Test
    void aCallWhoseSlotHasNotMovedInTimeIsToldWhatItWaitedFor() throws Exception {
        CostGuard guard = guard(1);
        guard.acquire(CALL);
        CostGuard hasty = guard(1, Duration.ofMillis(300));
        try (MovingSlot moving = moving()) {
            moving.move(moving.keysLeft());

            assertThatExceptionOfType(GuardUnavailableException.class)
                    .isThrownBy(() -> hasty.acquire(CALL))
                    .withMessageContaining("ASK");

            moving.finish();
        }
        assertThat(balance(guard)).isEqualTo(100 - 10);
    }

    @Test
    void aCallWhoseKeysAreOnTwoNodesIsDecidedOnceTheyAreTogether() throws Exception {
        CostGuard guard = guard(2);
        guard.acquire(CALL);
        try (MovingSlot moving = moving()) {
            moving.move(moving.keysLeft().stream()
                    .filter(key -> !key.contains(":lane-"))
                    .toList());
            CompletableFuture<Permit> asks = guard.acquireAsync(CALL);
            awaitSaid(moving.source, "TRYAGAIN");
            assertThat(asks).isNotDone();

            moving.move(moving.keysLeft());

            assertThat(asks.get(1, TimeUnit.MINUTES)).isNotNull();
            moving.finish();
        }
        assertThat(balance(guard)).isEqualTo(100 - 20);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void aCallFindsItsSlotWhereThatHasMoved(int attempts) throws Exception {
        CostGuard guard = guard(attempts);
        guard.acquire(CALL);
        try (MovingSlot moving = moving()) {
            moving.finish();

            guard.acquire(CALL);

            awaitSaid(moving.source, "MOVED");
        }
        assertThat(balance(guard)).isEqualTo(100 - 20);
    }

    @Test
    void aCallIsDecidedOnceItsNodeSaysThatTheClusterIsUp() throws Exception {
        CostGuard guard = guard(1);
        guard.acquire(CALL);
        RedisForTests owner = owner();
        int other = firstSlotOf(owner);
        try (Jedis node = PatientRedis.connection(owner.url())) {
            node.configResetStat();
            node.clusterDelSlots(other);
            CompletableFuture<Permit> asks = guard.acquireAsync(CALL);
            awaitSaid(node, "CLUSTERDOWN");
            assertThat(asks).isNotDone();

            node.clusterAddSlots(other);

            assertThat(asks.get(1, TimeUnit.MINUTES)).isNotNull();
        }
        assertThat(balance(guard)).isEqualTo(100 - 20);
    }

    // ---------------------------------------------------------------------- a client that takes a node for all there
    // is

    @Test
    void aGuardOfANodesUrlSaysAtItsStartWhatToHandIn() {
        for (RedisForTests node : cluster.nodes()) {
            String said = Logged.until(ADVICE, () -> build(CostGuard.builder().redis(node.url())));

            assertThat(said).contains("Redis does not serve this guard", "node of a Redis Cluster");
        }
    }

    @Test
    void aGuardOfAClientOfANodeSaysAtItsStartWhatToHandIn() {
        RedisClient client = PatientRedis.client(cluster.nodes().get(0).url());
        parts.add(client);

        assertThat(Logged.until(ADVICE, () -> build(CostGuard.builder().redis(client))))
                .contains("node of a Redis Cluster");
    }

    @Test
    void aCallAtANodesUrlIsToldAtOnceWhatToHandIn() {
        CostGuard guard = build(CostGuard.builder().redis(cluster.nodes().get(0).url()));

        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> guard.acquire(CALL))
                .withMessageContainingAll("node of a Redis Cluster", ADVICE);
    }

    // ------------------------------------------------------------------------------------------------------- the parts

    private CostGuard guard(int attempts) {
        return guard(attempts, PATIENT);
    }

    private CostGuard guard(int attempts, Duration timeout) {
        Set<HostAndPort> nodes = cluster.nodes().stream()
                .map(node -> new HostAndPort(node.host(), node.port()))
                .collect(Collectors.toSet());
        RedisClusterClient client =
                RedisClusterClient.builder().nodes(nodes).maxAttempts(attempts).build();
        CostGuard guard = build(CostGuard.builder().redis(client), timeout);
        parts.add(client);
        return guard;
    }

    private CostGuard build(CostGuard.Builder builder) {
        return build(builder, PATIENT);
    }

    private CostGuard build(CostGuard.Builder builder, Duration timeout) {
        CostGuard guard = builder.keyPrefix(prefix)
                .budget(Budget.named("b")
                        .per("apiKey")
                        .limit(Limit.tokens(100).per(Duration.ofDays(30)).tokenBucket()))
                .decisionTimeout(timeout)
                .build();
        parts.add(guard);
        return guard;
    }

    /** From where it is. */
    private MovingSlot moving() {
        MovingSlot moving = new MovingSlot(slot(), owner(), others().get(0));
        moving.source.configResetStat();
        return moving;
    }

    private int slot() {
        return JedisClusterCRC16.getSlot(subjects(owner()).get(0));
    }

    private RedisForTests owner() {
        return cluster.nodes().stream()
                .filter(node -> !subjects(node).isEmpty())
                .findFirst()
                .orElseThrow();
    }

    private List<RedisForTests> others() {
        RedisForTests owner = owner();
        return cluster.nodes().stream().filter(node -> node != owner).toList();
    }

    private List<String> subjects(RedisForTests node) {
        return PatientRedis.subjects(node.url(), prefix);
    }

    /** With which it began, and which nobody uses. */
    private static int firstSlotOf(RedisForTests node) {
        return SLOTS * cluster.nodes().indexOf(node) / cluster.nodes().size();
    }

    /** Redis before 7.0 does not count such answers by their codes. */
    private static void awaitSaid(Jedis node, String code) {
        boolean countsCodes = !cluster.nodes().get(0).version().startsWith("6.");
        await(() -> countsCodes
                ? node.info("errorstats").contains("errorstat_" + code + ":")
                : REJECTED.matcher(node.info("commandstats")).find());
    }

    private static long balance(CostGuard guard) throws GuardUnavailableException {
        return guard.status(CALL).get(0).balance();
    }
}
