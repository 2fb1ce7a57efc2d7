package io.costguard.redis;

import io.costguard.PatientRedis;
import java.util.List;
import redis.clients.jedis.RedisClient;

/** Random histories of calls that wait, of ten kinds: what is promised of lines holds in each, at each moment. Used by one thread. */
public final class LineHistories implements AutoCloseable {
    private static final List<LineHistory.Kinds> KINDS = List.of(
            new LineHistory.Kinds(1, 1, false, false, false, false),
            new LineHistory.Kinds(1, 3, true, false, false, false),
            new LineHistory.Kinds(3, 1, false, false, false, false),
            new LineHistory.Kinds(3, 2, true, false, false, false),
            new LineHistory.Kinds(1, 2, true, true, false, false),
            new LineHistory.Kinds(3, 2, true, true, false, false),
            new LineHistory.Kinds(1, 2, true, true, true, false),
            new LineHistory.Kinds(3, 2, true, true, true, false),
            new LineHistory.Kinds(1, 1, false, false, false, true),
            new LineHistory.Kinds(3, 2, true, true, true, true));
    private static final int LAST_EVENTS = 30;

    /** How many kinds there are, which count from 1. */
    public static final int COUNT = KINDS.size();

    private final RedisClient jedis;
    private final Redis redis;
    private final String prefix;
    private final Script script;

    /**
     * Where they happen.
     *
     * @param url of a Redis
     * @param prefix of keys that nobody else has there
     */
    public LineHistories(String url, String prefix) {
        this.jedis = PatientRedis.client(url);
        this.redis = Redis.of(jedis);
        this.prefix = prefix;
        this.script = TestScript.ofTheRealOne()
                .withTimeAt(prefix + ":time")
                .withMessagesAt(prefix + ":told")
                .withLineAuditAt(prefix + ":audit")
                .build();
    }

    /**
     * {@return what that history came to}
     *
     * @throws AssertionError with the last of what happened, where a promise is broken
     */
    public LineHistory.Figures run(int kind, long seed) {
        LineHistory history = new LineHistory(seed, of(kind), jedis, redis, script, prefix);
        try {
            return history.run();
        } catch (AssertionError | RuntimeException e) {
            List<String> events = history.events();
            List<String> end = events.subList(Math.max(0, events.size() - LAST_EVENTS), events.size());
            throw new AssertionError(
                    "seed " + seed + " of kind " + kind + ": " + e.getMessage() + "\n" + String.join("\n", end), e);
        }
    }

    static LineHistory.Kinds of(int kind) {
        return KINDS.get(kind - 1);
    }

    @Override
    public void close() {
        jedis.close();
    }
}
