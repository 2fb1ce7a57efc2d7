package io.costguard.benchmarks;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import redis.clients.jedis.ConnectionPoolConfig;
import redis.clients.jedis.RedisClient;

/** The least that asking Redis costs: a script that does nothing, on a pooled connection. */
final class Bare implements Contender {
    private static final String SCRIPT = "return 1";

    private final RedisClient redis;
    private final byte[] sha;
    private final AtomicLong decided = new AtomicLong();

    Bare(String url) {
        redis = client(url);
        sha = redis.scriptLoad(SCRIPT, "any").getBytes(StandardCharsets.US_ASCII);
    }

    /** As Jedis's documentation advises for many threads: a pool that does not run dry. */
    static RedisClient client(String url) {
        ConnectionPoolConfig pool = new ConnectionPoolConfig();
        pool.setMaxTotal(64);
        pool.setMaxIdle(64);
        URI uri = URI.create(url);
        return RedisClient.builder()
                .hostAndPort(uri.getHost(), uri.getPort())
                .poolConfig(pool)
                .build();
    }

    @Override
    public String name() {
        return "bare EVALSHA";
    }

    @Override
    public int keys() {
        return 1;
    }

    @Override
    public void decide(int key) {
        redis.evalsha(sha, List.of(), List.of());
        decided.incrementAndGet();
    }

    @Override
    public long charged(int key) {
        return decided.get();
    }

    @Override
    public void close() {
        redis.close();
    }
}
