package io.costguard.topology;

import static io.costguard.Awaiting.await;

import io.costguard.PatientRedis;
import io.costguard.testing.RedisForTests;
import java.util.List;
import java.util.Map;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Protocol;

/** What the nodes of a cluster say of it while that changes. Safe for use by many threads. */
public final class ClusterNodes {
    private final List<RedisForTests> nodes;

    /** @param nodes those that are there */
    public ClusterNodes(List<RedisForTests> nodes) {
        this.nodes = List.copyOf(nodes);
    }

    /**
     * Returns once each serves, and says whose these slots are. A replica takes over what it has heard of, and a node may take back what it has not
     * heard to be another's.
     *
     * @param masters of each slot
     */
    public void awaitAgreed(Map<Integer, RedisForTests> masters) {
        for (RedisForTests node : nodes) {
            try (Jedis at = PatientRedis.connection(node.url())) {
                await(() -> serves(at)
                        && masters.entrySet().stream()
                                .allMatch(each -> portOfMaster(each.getKey(), at)
                                        == each.getValue().port()));
            }
        }
    }

    /**
     * {@return the master of a slot}
     *
     * @param slot one on which all agree
     */
    public RedisForTests masterOf(int slot) {
        try (Jedis at = PatientRedis.connection(nodes.get(0).url())) {
            long port = portOfMaster(slot, at);
            return nodes.stream()
                    .filter(node -> node.port() == port)
                    .findFirst()
                    .orElseThrow();
        }
    }

    private static long portOfMaster(int slot, Jedis at) {
        return ((List<?>) at.sendCommand(Protocol.Command.CLUSTER, "SLOTS"))
                .stream()
                        .map(range -> (List<?>) range)
                        .filter(range -> (Long) range.get(0) <= slot && slot <= (Long) range.get(1))
                        .mapToLong(range -> (Long) ((List<?>) range.get(2)).get(1))
                        .findFirst()
                        .orElse(0);
    }

    /**
     * {@return whether it says that the cluster is up}
     *
     * @param at a node
     */
    public static boolean serves(Jedis at) {
        return at.clusterInfo().contains("cluster_state:ok");
    }
}
