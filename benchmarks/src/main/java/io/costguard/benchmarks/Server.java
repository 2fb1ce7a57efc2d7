package io.costguard.benchmarks;

import io.costguard.testing.RedisForTests;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import redis.clients.jedis.Jedis;

/** The Redis of this run, and what it tells of itself. */
final class Server implements AutoCloseable {
    private static final Pattern EVALSHA = Pattern.compile("cmdstat_evalsha:calls=(\\d+),usec=(\\d+)");

    private static final Pattern DATASET = Pattern.compile("used_memory:(\\d+)");

    private final RedisForTests redis = RedisForTests.start("--save", "", "--hz", "10");
    private final Jedis jedis = new Jedis(redis.url());

    /** What the server spent in scripts called by their SHA, since it was last forgotten. */
    record Spent(long calls, long micros) {}

    String url() {
        return redis.url();
    }

    String version() {
        return redis.version();
    }

    void forgetSpent() {
        jedis.configResetStat();
    }

    Spent spent() {
        Matcher matcher = EVALSHA.matcher(jedis.info("commandstats"));
        return matcher.find()
                ? new Spent(Long.parseLong(matcher.group(1)), Long.parseLong(matcher.group(2)))
                : new Spent(0, 0);
    }

    void flush() {
        jedis.flushAll();
    }

    /** In bytes, without what clients hold. */
    long usedMemory() {
        Matcher matcher = DATASET.matcher(jedis.info("memory"));
        if (!matcher.find()) {
            throw new IllegalStateException("Redis does not tell its memory");
        }
        return Long.parseLong(matcher.group(1));
    }

    @Override
    public void close() {
        jedis.close();
        redis.close();
    }
}
