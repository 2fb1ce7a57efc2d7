package io.costguard.proof.fleet;

import io.costguard.PatientRedis;
import io.costguard.proof.fleet.Row.Injection;
import io.costguard.testing.RedisCluster;
import io.costguard.testing.RedisForTests;
import io.costguard.topology.ClusterNodes;
import io.costguard.topology.MovingSlot;
import io.costguard.topology.ReplicatedRedis;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.RedisClusterClient;
import redis.clients.jedis.util.JedisClusterCRC16;

/** What goes wrong with a cluster. */
final class ClusterFaults {
    private static final int LAST_SLOT = 16_383;

    private ClusterFaults() {}

    static Injection movesAndFailovers(Bench bench) throws Exception {
        RedisCluster cluster = bench.opened(RedisCluster.start(
                2,
                1,
                "--cluster-node-timeout",
                "500",
                "--cluster-replica-no-failover",
                "yes",
                "--repl-diskless-sync-delay",
                "0"));
        ClusterNodes nodes = new ClusterNodes(cluster.nodes());
        Set<HostAndPort> addresses = new HashSet<>();
        cluster.nodes().forEach(node -> addresses.add(new HostAndPort(node.host(), node.port())));
        Load load = bench.load(guard -> guard.redis(bench.opened(RedisClusterClient.builder()
                        .nodes(addresses)
                        .maxAttempts(2)
                        .build())))
                .withoutFailure();
        load.go();
        load.awaitGrants(1);
        int slot = cluster.nodes().stream()
                .flatMap(node -> PatientRedis.subjects(node.url(), "load:").stream())
                .mapToInt(JedisClusterCRC16::getSlot)
                .findFirst()
                .orElseThrow();
        return load.around(random -> {
            RedisForTests owner = nodes.masterOf(slot);
            RedisForTests heir = otherOfTwo(cluster, owner);
            switch (random.nextInt(3)) {
                case 0 -> {
                    final long before = errors(cluster);
                    RedisForTests first = nodes.masterOf(0);
                    RedisForTests other = first == owner ? nodes.masterOf(LAST_SLOT) : first;
                    move(bench, slot, owner, other, random);
                    nodes.awaitAgreed(Map.of(slot, other));
                    bench.meets(errors(cluster) - before);
                }
                case 1 -> {
                    int millis = random.nextInt(400);
                    bench.wrongs.more("a replica takes over within " + millis + " ms, and its master knows");
                    bench.outage(load, () -> isMaster(heir))
                            .lasts(millis, () -> quiet(owner, heir), () -> handOver(owner, heir));
                    nodes.awaitAgreed(Map.of(slot, heir));
                }
                default -> {
                    int millis = Bench.millis(random);
                    bench.wrongs.more("a master dies, and after " + millis + " ms its replica takes over");
                    bench.outage(load, () -> isMaster(heir))
                            .lasts(millis, () -> die(owner, heir), () -> takeOver(heir));
                    owner.restart();
                    nodes.awaitAgreed(Map.of(slot, heir));
                }
            }
            RedisForTests master = nodes.masterOf(slot);
            ReplicatedRedis.awaitReplicaOf(master, otherOfTwo(cluster, master));
        });
    }

    /** The replica of a master. */
    private static RedisForTests otherOfTwo(RedisCluster cluster, RedisForTests node) {
        List<RedisForTests> nodes = cluster.nodes();
        return nodes.get((nodes.indexOf(node) + nodes.size() / 2) % nodes.size());
    }

    private static void move(Bench bench, int slot, RedisForTests from, RedisForTests to, Random random) {
        try (MovingSlot moving = new MovingSlot(slot, from, to)) {
            Bench.pass(random.nextInt(50));
            List<String> keys = moving.keysLeft();
            int some = random.nextInt(keys.size() + 1);
            bench.wrongs.more("a slot moves, " + some + " of " + keys.size() + " keys first");
            if (some > 0) {
                moving.move(keys.subList(0, some));
            }
            Bench.pass(random.nextInt(200));
            moving.finish();
        }
    }

    /** The master decides nothing any more, and its replica has all that it told anybody. */
    private static void quiet(RedisForTests master, RedisForTests replica) {
        Bench.command(master, Protocol.Command.CLIENT, "PAUSE", "60000", "WRITE");
        ReplicatedRedis.awaitCaughtUp(master, replica);
    }

    private static void die(RedisForTests master, RedisForTests replica) {
        quiet(master, replica);
        master.kill();
    }

    private static void takeOver(RedisForTests replica) {
        Bench.command(replica, Protocol.Command.CLUSTER, "FAILOVER", "TAKEOVER");
    }

    private static void handOver(RedisForTests from, RedisForTests to) {
        takeOver(to);
        ReplicatedRedis.awaitReplicaOf(to, from);
        Bench.command(from, Protocol.Command.CLIENT, "UNPAUSE");
    }

    private static boolean isMaster(RedisForTests node) {
        try (Jedis at = PatientRedis.connection(node.url())) {
            return at.info("replication").contains("role:master") && ClusterNodes.serves(at);
        }
    }

    private static long errors(RedisCluster cluster) {
        return cluster.nodes().stream()
                .mapToLong(node -> Bench.errors(node, "MOVED|ASK|TRYAGAIN|CLUSTERDOWN"))
                .sum();
    }
}
