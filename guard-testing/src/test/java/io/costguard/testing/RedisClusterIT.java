package io.costguard.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.RedisClusterClient;

class RedisClusterIT {
    private static final List<String> KEYS = List.of("a", "b", "c", "d", "e", "f");

    @Test
    void itsMastersShareTheKeysAndEachHasItsReplica() throws Exception {
        try (RedisCluster cluster = RedisCluster.start(3, 1);
                RedisClusterClient client = client(cluster)) {
            KEYS.forEach(key -> client.set(key, key));

            assertThat(KEYS).allSatisfy(key -> assertThat(client.get(key)).isEqualTo(key));
            assertThat(cluster.nodes()).hasSize(6);
            assertThat(cluster.nodes().subList(0, 3))
                    .allSatisfy(node -> assertThat(replication(node)).contains("role:master", "connected_slaves:1"));
            assertThat(cluster.nodes().subList(3, 6))
                    .allSatisfy(node -> assertThat(replication(node)).contains("role:slave"));
        }
    }

    @Test
    void isGoneAfterClose() {
        RedisCluster cluster = RedisCluster.start(3, 0);
        List<RedisForTests> nodes = cluster.nodes();

        cluster.close();

        assertThat(nodes)
                .allSatisfy(node -> assertThatThrownBy(() -> replication(node)).isInstanceOf(IOException.class));
    }

    private static String replication(RedisForTests node) throws Exception {
        return Resp.ask(URI.create(node.url()), Duration.ofSeconds(5), "INFO", "replication");
    }

    private static RedisClusterClient client(RedisCluster cluster) {
        Set<HostAndPort> nodes = cluster.nodes().stream()
                .map(node -> new HostAndPort(node.host(), node.port()))
                .collect(Collectors.toSet());
        return RedisClusterClient.create(nodes);
    }
}
