package io.costguard.testing;

import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;

/**
 * A real Redis Cluster for tests, on processes of this machine: from {@code GUARD_REDIS_SERVER}, the {@code PATH}, or the Redis that
 * comes with this module. It takes about two seconds until a new cluster takes writes, so let tests share one.
 *
 * <p>Thread safe.
 */
public final class RedisCluster implements AutoCloseable {
    private static final int SLOTS = 16_384;
    private static final Duration ANSWER_WITHIN = Duration.ofSeconds(5);
    private static final Duration READY_WITHIN = Duration.ofMinutes(1);
    private static final long LOOK_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

    private final List<RedisForTests> nodes;

    /**
     * Starts a cluster and returns when each node knows all others, all slots are served, and replicas have what their masters have.
     *
     * @param masters how many
     * @param replicasOfEach how many
     * @param serverArguments of each node's command line, such as {@code "--cluster-node-timeout", "1000"}; never {@code --port}
     * @return the cluster, which is to be closed
     * @throws IllegalStateException if it is not ready within a minute
     */
    public static RedisCluster start(int masters, int replicasOfEach, String... serverArguments) {
        List<String> arguments = new ArrayList<>(List.of("--cluster-enabled", "yes"));
        Collections.addAll(arguments, serverArguments);
        List<RedisForTests> nodes = new ArrayList<>();
        RedisCluster cluster = new RedisCluster(nodes);
        try {
            for (int i = 0; i < masters * (1 + replicasOfEach); i++) {
                nodes.add(new RedisForTests(new RedisSource(Settings.ofThisJvm()).node(arguments)));
            }
            cluster.join(masters);
        } catch (RuntimeException e) {
            cluster.close();
            throw e;
        }
        return cluster;
    }

    private RedisCluster(List<RedisForTests> nodes) {
        this.nodes = nodes;
    }

    /** {@return the nodes that began as masters, each with an equal range of slots in order; after them, round by round, a replica of each} */
    public List<RedisForTests> nodes() {
        return List.copyOf(nodes);
    }

    /** {@return a prefix for the keys of one test, another one at each call, so that tests which use one cluster never meet} */
    public String keyPrefix() {
        return "test-" + UUID.randomUUID();
    }

    /** Returns when all nodes serve all slots, and know of each other and of their replicas: as at the start, or after a failover. */
    public void awaitReady() {
        for (RedisForTests node : nodes) {
            await(node, "cluster_state:ok", "CLUSTER", "INFO");
            await(node, "cluster_known_nodes:" + nodes.size() + "\r\n", "CLUSTER", "INFO");
        }
    }

    /** Ends all nodes and removes their files. */
    @Override
    public void close() {
        nodes.forEach(RedisForTests::close);
    }

    private void join(int masters) {
        for (int i = 0; i < nodes.size(); i++) {
            RedisForTests node = nodes.get(i);
            // Else those that meet have the same, and take time to agree on others.
            tell(node, "CLUSTER", "SET-CONFIG-EPOCH", Integer.toString(i + 1));
            if (i < masters) {
                List<String> slots = new ArrayList<>(List.of("CLUSTER", "ADDSLOTS"));
                IntStream.range(SLOTS * i / masters, SLOTS * (i + 1) / masters)
                        .mapToObj(Integer::toString)
                        .forEach(slots::add);
                tell(node, slots.toArray(String[]::new));
            }
            if (i > 0) {
                tell(nodes.get(0), "CLUSTER", "MEET", node.host(), Integer.toString(node.port()));
            }
        }
        for (int i = masters; i < nodes.size(); i++) {
            String master = ask(nodes.get(i % masters), "CLUSTER", "MYID")
                    .lines()
                    .toList()
                    .get(1);
            await(nodes.get(i), master, "CLUSTER", "NODES");
            tell(nodes.get(i), "CLUSTER", "REPLICATE", master);
        }
        awaitReady();
        for (RedisForTests replica : nodes.subList(masters, nodes.size())) {
            await(replica, "master_link_status:up", "INFO", "replication");
        }
    }

    private static void await(RedisForTests node, String told, String... command) {
        long deadline = System.nanoTime() + READY_WITHIN.toNanos();
        String reply = ask(node, command);
        while (!reply.contains(told)) {
            if (System.nanoTime() - deadline > 0) {
                throw new IllegalStateException(
                        "Redis at port " + node.port() + " does not tell " + told + ", but:\n" + reply);
            }
            LockSupport.parkNanos(LOOK_AGAIN_NANOS);
            reply = ask(node, command);
        }
    }

    private static void tell(RedisForTests node, String... command) {
        String reply = ask(node, command);
        if (!reply.equals("+OK\r\n")) {
            throw new IllegalStateException("Redis at port " + node.port() + " answered " + reply.strip());
        }
    }

    private static String ask(RedisForTests node, String... command) {
        try {
            return Resp.ask(URI.create(node.url()), ANSWER_WITHIN, command);
        } catch (IOException e) {
            throw new IllegalStateException("Redis at port " + node.port() + " does not answer", e);
        }
    }
}
