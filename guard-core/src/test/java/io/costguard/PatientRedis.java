package io.costguard;

import java.net.URI;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.util.JedisURIHelper;

/** How tests look at Redis themselves: a machine that stalls for some seconds fails none of them. */
public final class PatientRedis {
    private static final int TIMEOUT_MILLIS = 60_000;

    private PatientRedis() {}

    public static RedisClient client(String url) {
        return RedisClient.builder()
                .hostAndPort(JedisURIHelper.getHostAndPort(URI.create(url)))
                .clientConfig(DefaultJedisClientConfig.builder(URI.create(url))
                        .timeoutMillis(TIMEOUT_MILLIS)
                        .build())
                .build();
    }

    public static Jedis connection(String url) {
        return new Jedis(URI.create(url), TIMEOUT_MILLIS);
    }
}
