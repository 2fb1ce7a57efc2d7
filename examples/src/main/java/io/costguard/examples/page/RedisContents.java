package io.costguard.examples.page;

import io.costguard.examples.fleet.ApiKey;
import io.costguard.examples.fleet.Calls;
import io.costguard.examples.fleet.Fleet;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.params.ScanParams;
import redis.clients.jedis.resps.ScanResult;
import redis.clients.jedis.resps.Tuple;

/** What the fleet has in Redis, key by key. For one thread. */
final class RedisContents implements AutoCloseable {
    private static final int MOST_KEYS = 60;
    private static final int SHOWN_BYTES = 20;
    private static final String LINE = ":line";

    private final RedisClient redis;
    private final String prefix;
    private final Fleet fleet;

    /**
     * One key.
     *
     * @param name without the prefix that all of the fleet have
     * @param balances of which budget, model and team it holds the balances; empty where it is another kind of key
     * @param value as it lies there, its first bytes in hexadecimal; of a line, who stands in it
     */
    record Key(String name, Kind kind, Subject balances, long ttlMillis, long bytes, String value) {}

    /** What a key is. */
    enum Kind {
        BALANCES,
        LINE,
        LANE,
        OTHER
    }

    /** Whose balances they are; model, team and run are empty where the budget is not counted per them. */
    record Subject(String budget, String model, String team, String run) {
        static final Subject NONE = new Subject("", "", "", "");
    }

    RedisContents(Fleet fleet) {
        this.fleet = fleet;
        this.prefix = fleet.keyPrefix() + ":";
        this.redis = RedisClient.create(fleet.redis().url());
    }

    /** @param runs whose budgets are looked for, by the names of their runs, with the key each has */
    List<Key> list(Map<String, ApiKey> runs) {
        Map<String, Subject> subjects = subjects(runs);
        List<Key> keys = new ArrayList<>();
        ScanParams ours = new ScanParams().match(prefix + "*").count(1_000);
        String cursor = ScanParams.SCAN_POINTER_START;
        do {
            ScanResult<String> found = redis.scan(cursor, ours);
            for (String name : found.getResult()) {
                keys.add(look(name, subjects));
            }
            cursor = found.getCursor();
        } while (!cursor.equals(ScanParams.SCAN_POINTER_START));
        return keys.stream()
                .filter(key -> key.ttlMillis() != -2) // gone meanwhile
                .sorted(Comparator.comparing(Key::kind)
                        .thenComparing(key -> key.balances().toString())
                        .thenComparing(Key::name))
                .limit(MOST_KEYS)
                .toList();
    }

    private Key look(String name, Map<String, Subject> subjects) {
        String shown = name.substring(prefix.length());
        long ttl = redis.pttl(name);
        if (name.endsWith(LINE)) {
            Subject whose = subjects.getOrDefault(name.substring(0, name.length() - LINE.length()), Subject.NONE);
            return new Key(shown, Kind.LINE, whose, ttl, 0, line(name));
        }
        byte[] value = redis.get(name.getBytes(StandardCharsets.UTF_8));
        byte[] bytes = value == null ? new byte[0] : value;
        Subject whose = subjects.getOrDefault(name, Subject.NONE);
        Kind kind = !whose.equals(Subject.NONE) ? Kind.BALANCES : shown.contains("{lane-") ? Kind.LANE : Kind.OTHER;
        return new Key(shown, kind, whose, ttl, bytes.length, hex(bytes));
    }

    private String line(String name) {
        List<Tuple> members = redis.zrangeWithScores(name, 0, -1);
        long calls = members.stream().filter(member -> member.getScore() > 0).count();
        long processes = members.size() - calls;
        return calls
                + (calls == 1 ? " call waits, " : " calls wait, ")
                + processes
                + (processes == 1 ? " process shows that it lives" : " processes show that they live");
    }

    private static String hex(byte[] value) {
        String start = HexFormat.ofDelimiter(" ").formatHex(value, 0, Math.min(value.length, SHOWN_BYTES));
        return value.length > SHOWN_BYTES ? start + " …" : start;
    }

    private Map<String, Subject> subjects(Map<String, ApiKey> runs) {
        Map<String, Subject> subjects = new LinkedHashMap<>();
        for (String model : Calls.MODELS) {
            for (ApiKey key : ApiKey.values()) {
                fleet.keys(model, key, "")
                        .forEach((budget, name) -> subjects.put(
                                name,
                                new Subject(
                                        budget,
                                        budget.equals("rate") ? model : "",
                                        budget.equals("rate") ? key.team() : "",
                                        "")));
            }
        }
        String dearest = Calls.MODELS.get(Calls.MODELS.size() - 1);
        runs.forEach((run, key) -> {
            String name = fleet.keys(dearest, key, run).get("run");
            if (name != null) {
                subjects.put(name, new Subject("run", "", "", run));
            }
        });
        return subjects;
    }

    @Override
    public void close() {
        redis.close();
    }
}
