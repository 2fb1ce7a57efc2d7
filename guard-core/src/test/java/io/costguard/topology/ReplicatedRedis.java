package io.costguard.topology;

import static io.costguard.Awaiting.await;

import io.costguard.PatientRedis;
import io.costguard.testing.RedisForTests;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.UnifiedJedis;

/** A master and its replica, which takes over by hand. For one thread; its clients are for many. */
public final class ReplicatedRedis implements AutoCloseable {
    private static final String[] ARGUMENTS = {
        "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1",
    };

    private RedisForTests master = RedisForTests.start(ARGUMENTS);
    private RedisForTests replica = RedisForTests.start(ARGUMENTS);
    private volatile RedisForTests serving = master;

    /** Starts both, and returns when the replica has what the master has. */
    public ReplicatedRedis() {
        replicate();
    }

    /** {@return whose replica the other one is} */
    public RedisForTests master() {
        return master;
    }

    /** {@return the other one} */
    public RedisForTests replica() {
        return replica;
    }

    /** {@return a client that is led to the master, as by a name that is another's after a failover} */
    public UnifiedJedis client() {
        return RedisClient.builder()
                .hostAndPort(new HostAndPort("redis", 6379))
                .clientConfig(DefaultJedisClientConfig.builder()
                        .hostAndPortMapper(name -> new HostAndPort(serving.host(), serving.port()))
                        .build())
                .build();
    }

    /** What is written from now on is the master's alone; all before is the replica's too. */
    public void detach() {
        awaitCaughtUp(master, replica);
        try (Jedis at = PatientRedis.connection(replica.url())) {
            at.replicaofNoOne();
        }
    }

    /** The master has what is there when it is started again. */
    public void save() {
        try (Jedis at = PatientRedis.connection(master.url())) {
            // As while it told its replica all.
            await(() -> at.info("persistence").contains("rdb_bgsave_in_progress:0"));
            at.save();
        }
    }

    /** The master dies; nobody serves. */
    public void kill() {
        master.kill();
    }

    /** Clients are led to the replica, and what was the master is none. */
    public void switchOver() {
        RedisForTests was = master;
        master = replica;
        replica = was;
        serving = master;
    }

    /** Who died comes back, empty, and takes from the master what that has. */
    public void rejoin() {
        replica.restart();
        replicate();
    }

    /** The replica takes from the master what that has. */
    public void replicate() {
        try (Jedis at = PatientRedis.connection(replica.url())) {
            // Else one that was its replica already tries again in a second.
            at.replicaofNoOne();
            at.replicaof(master.host(), master.port());
        }
        awaitReplicaOf(master, replica);
    }

    /**
     * Returns once it is that master's replica, and has had all that was there.
     *
     * @param master whose
     * @param replica of which
     */
    public static void awaitReplicaOf(RedisForTests master, RedisForTests replica) {
        try (Jedis at = PatientRedis.connection(replica.url())) {
            await(() -> {
                String told = at.info("replication");
                return told.contains("master_port:" + master.port() + "\r\n") && told.contains("master_link_status:up");
            });
        }
    }

    /**
     * Returns once the replica has all that its master has written before this was called.
     *
     * @param master whose
     * @param replica of which
     */
    public static void awaitCaughtUp(RedisForTests master, RedisForTests replica) {
        try (Jedis atMaster = PatientRedis.connection(master.url());
                Jedis atReplica = PatientRedis.connection(replica.url())) {
            long written = offset("master_repl_offset", atMaster);
            await(() -> offset("slave_repl_offset", atReplica) >= written);
        }
    }

    private static long offset(String name, Jedis at) {
        Matcher offset = Pattern.compile(name + ":(\\d+)").matcher(at.info("replication"));
        return offset.find() ? Long.parseLong(offset.group(1)) : 0;
    }

    @Override
    public void close() {
        replica.close();
        master.close();
    }
}
