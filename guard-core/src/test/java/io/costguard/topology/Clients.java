package io.costguard.topology;

import java.time.Duration;
import java.util.Set;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.JedisClientConfig;
import redis.clients.jedis.JedisCluster;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.RedisClusterClient;
import redis.clients.jedis.RedisSentinelClient;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.providers.ConnectionProvider;
import redis.clients.jedis.providers.PooledConnectionProvider;
import redis.clients.jedis.providers.SentineledConnectionProvider;

/** Clients of a user, as the Jedis that is there makes them: it may be an older one than tests are compiled with. */
interface Clients {
    UnifiedJedis standalone(HostAndPort server, JedisClientConfig config);

    UnifiedJedis sentinel(String master, HostAndPort sentinel, JedisClientConfig config);

    UnifiedJedis cluster(Set<HostAndPort> nodes, JedisClientConfig config);

    static Clients ofThisJedis() {
        try {
            Class.forName("redis.clients.jedis.RedisClient");
            return new Named();
        } catch (ClassNotFoundException e) {
            return new OfJedis6();
        }
    }

    /** Since Jedis 7.2. */
    final class Named implements Clients {
        @Override
        public UnifiedJedis standalone(HostAndPort server, JedisClientConfig config) {
            return RedisClient.builder()
                    .hostAndPort(server)
                    .clientConfig(config)
                    .build();
        }

        @Override
        public UnifiedJedis sentinel(String master, HostAndPort sentinel, JedisClientConfig config) {
            return RedisSentinelClient.builder()
                    .masterName(master)
                    .sentinels(Set.of(sentinel))
                    .clientConfig(config)
                    .build();
        }

        @Override
        public UnifiedJedis cluster(Set<HostAndPort> nodes, JedisClientConfig config) {
            return RedisClusterClient.builder()
                    .nodes(nodes)
                    .clientConfig(config)
                    .maxAttempts(1)
                    .build();
        }
    }

    /** Before. */
    @SuppressWarnings({"deprecation", "removal"})
    final class OfJedis6 implements Clients {
        @Override
        public UnifiedJedis standalone(HostAndPort server, JedisClientConfig config) {
            return over(new PooledConnectionProvider(server, config));
        }

        @Override
        public UnifiedJedis sentinel(String master, HostAndPort sentinel, JedisClientConfig config) {
            return over(new SentineledConnectionProvider(master, config, Set.of(sentinel), config));
        }

        @Override
        public UnifiedJedis cluster(Set<HostAndPort> nodes, JedisClientConfig config) {
            return new JedisCluster(nodes, config, 1);
        }

        private static UnifiedJedis over(ConnectionProvider connections) {
            return new UnifiedJedis(connections, 1, Duration.ofSeconds(60));
        }
    }
}
