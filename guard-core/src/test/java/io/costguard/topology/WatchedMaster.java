package io.costguard.topology;

import static io.costguard.Awaiting.await;

import io.costguard.PatientRedis;
import io.costguard.testing.RedisForTests;
import java.util.List;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.UnifiedJedis;

/** A master, its replica, and a sentinel that puts the one in the place of the other when the master is down for half a second. */
final class WatchedMaster implements AutoCloseable {
    private static final String NAME = "guarded";

    final ReplicatedRedis redis = new ReplicatedRedis();
    private final RedisForTests sentinel = RedisForTests.start("--sentinel");

    WatchedMaster() {
        RedisForTests master = redis.master();
        tellSentinel("MONITOR", NAME, master.host(), Integer.toString(master.port()), "1");
        tellSentinel("SET", NAME, "down-after-milliseconds", "500");
        tellSentinel("SET", NAME, "failover-timeout", "5000");
        try (Jedis at = PatientRedis.connection(sentinel.url())) {
            await(() -> at.sentinelReplicas(NAME).stream().anyMatch(each -> "slave".equals(each.get("flags"))));
        }
    }

    private void tellSentinel(String... words) {
        try (Jedis at = PatientRedis.connection(sentinel.url())) {
            at.sendCommand(Protocol.Command.SENTINEL, words);
        }
    }

    /** As the docs say that one is set up. */
    UnifiedJedis client() {
        HostAndPort watcher = new HostAndPort(sentinel.host(), sentinel.port());
        return Clients.ofThisJedis()
                .sentinel(
                        NAME,
                        watcher,
                        DefaultJedisClientConfig.builder()
                                .socketTimeoutMillis(250)
                                .connectionTimeoutMillis(250)
                                .blockingSocketTimeoutMillis(5_000)
                                .build());
    }

    /** Returns when the sentinel tells clients that the replica is the master. */
    void awaitSwitch() {
        try (Jedis at = PatientRedis.connection(sentinel.url())) {
            List<String> promoted = List.of(
                    redis.replica().host(), Integer.toString(redis.replica().port()));
            await(() -> promoted.equals(at.sentinelGetMasterAddrByName(NAME)));
        }
    }

    @Override
    public void close() {
        sentinel.close();
        redis.close();
    }
}
