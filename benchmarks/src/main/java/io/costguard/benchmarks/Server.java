package io.costguard.benchmarks;

import io.costguard.testing.RedisForTests;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;

/** The Redis of this run, and what it tells of itself. */
final class Server implements AutoCloseable {
    private static final Pattern EVALSHA = Pattern.compile("cmdstat_evalsha:calls=(\\d+),usec=(\\d+)");
    private static final Pattern USED = Pattern.compile("used_memory:(\\d+)");
    private static final Pattern OF_CLIENTS = Pattern.compile("mem_clients_normal:(\\d+)");

    /** How long it may take to throw a million subjects away. */
    private static final int FLUSH_MILLIS = 60_000;

    private final RedisForTests redis = RedisForTests.start("--save", "", "--hz", "10");
    private final Jedis jedis = new Jedis(
            new HostAndPort(redis.host(), redis.port()),
            DefaultJedisClientConfig.builder()
                    .autoNegotiateProtocol(false)
                    .socketTimeoutMillis(FLUSH_MILLIS)
                    .build());

    /** What the server spent in scripts called by their SHA, since it was last forgotten. */
    record Spent(long calls, long micros) {}

    /** A key, all that it takes included. */
    record Key(String name, long bytes, long ttlMillis) {}

    String url() {
        return redis.url();
    }

    /** One of its databases, which know nothing of each other; {@link #url()} is the first, 0. */
    String url(int database) {
        return redis.url() + "/" + database;
    }

    String version() {
        return redis.version();
    }

    void forgetSpent() {
        jedis.configResetStat();
    }

    Spent spent() {
        Matcher matcher = found(EVALSHA, "commandstats");
        return new Spent(Long.parseLong(matcher.group(1)), Long.parseLong(matcher.group(2)));
    }

    /** Empties all of its databases. */
    void flush() {
        jedis.flushAll();
    }

    long keys(int database) {
        jedis.select(database);
        try {
            return jedis.dbSize();
        } finally {
            jedis.select(0);
        }
    }

    /** The keys of the first database with such a name. */
    List<Key> matching(String pattern) {
        return jedis.keys(pattern).stream()
                .sorted()
                .map(name -> new Key(name, jedis.memoryUsage(name, 0), jedis.pttl(name)))
                .toList();
    }

    /** What the keys of the first database take, each by itself: nothing but they can tell of a reservation. */
    long keysMemory() {
        return matching("*").stream().mapToLong(Key::bytes).sum();
    }

    /** In bytes, without what clients hold, as far as Redis has looked at them lately. */
    long usedMemory() {
        return Long.parseLong(found(USED, "memory").group(1))
                - Long.parseLong(found(OF_CLIENTS, "memory").group(1));
    }

    private Matcher found(Pattern pattern, String section) {
        Matcher matcher = pattern.matcher(jedis.info(section));
        if (!matcher.find()) {
            throw new IllegalStateException("Redis does not tell " + pattern);
        }
        return matcher;
    }

    @Override
    public void close() {
        jedis.close();
        redis.close();
    }
}
