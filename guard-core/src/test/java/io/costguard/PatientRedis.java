package io.costguard;

import java.net.URI;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.params.ScanParams;
import redis.clients.jedis.resps.ScanResult;
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

    /** All keys under {@code prefix} but those of the lanes. */
    public static List<String> subjects(String url, String prefix) {
        Set<String> keys = new HashSet<>();
        try (RedisClient jedis = client(url)) {
            String cursor = ScanParams.SCAN_POINTER_START;
            do {
                ScanResult<String> page =
                        jedis.scan(cursor, new ScanParams().match(prefix + "*").count(1_000));
                keys.addAll(page.getResult());
                cursor = page.getCursor();
            } while (!cursor.equals(ScanParams.SCAN_POINTER_START));
        }
        keys.removeIf(key -> key.contains("lane-"));
        return List.copyOf(keys);
    }

    public static Jedis connection(String url) {
        return new Jedis(URI.create(url), TIMEOUT_MILLIS);
    }
}
