package io.costguard.redis;

import io.costguard.Budget;
import io.costguard.Limit;
import io.costguard.limit.Claim;
import io.costguard.limit.Subject;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import redis.clients.jedis.RedisClient;

/**
 * The real script in virtual time, and the model beside it: whatever the one answers, and whatever it leaves of any subject seen so far,
 * the other must say too. Keys are there for as long as they live in that time.
 */
final class TwinLedger {
    static final long START = 1_760_000_000_000_000L;

    private static final long EARLIEST = 1_000_000_000_000_000L;
    private static final long LATEST = 2_500_000_000_000_000L;
    private static final long LANE_TTL = 60_000;
    private static final long NEVER_LATE = Long.MAX_VALUE >> 10;
    private static final Script SCRIPT = TestScript.ofTheRealOne().watched().build();

    private final RedisClient jedis;
    private final Redis redis;
    private final String prefix;
    private final Lines lines;
    private final LedgerModel model = new LedgerModel();
    private final Set<String> seen = new LinkedHashSet<>();
    private final Set<String> lanes = new LinkedHashSet<>();
    /** When it is gone, of each subject. */
    private final Map<String, Long> until = new HashMap<>();

    private final List<Supplier<String>> events = new ArrayList<>();
    private long now = START;

    /** A batch, and of what it was made. */
    record Asked(List<Batch.Call> calls, Batch batch) {}

    /** A batch as it went to Redis. */
    record Sent(Lane lane, long number, Asked asked, byte[] request, List<byte[]> keys, Batch.Reply reply) {}

    /** @param prefix of keys that nobody else has */
    TwinLedger(RedisClient jedis, String prefix) {
        this.jedis = jedis;
        this.redis = Redis.of(jedis);
        this.prefix = prefix;
        this.lines = new Lines("process-0000", prefix + ":turn:");
    }

    LedgerModel model() {
        return model;
    }

    long now() {
        return now;
    }

    /** What happened, step by step. */
    List<String> events() {
        return events.stream().map(Supplier::get).toList();
    }

    /** Read only where something went wrong. */
    void note(Supplier<String> event) {
        events.add(event);
    }

    void tick(long micros) {
        at(now + micros);
    }

    void at(long micros) {
        long before = now;
        long after = Math.max(EARLIEST, Math.min(LATEST, micros));
        now = after;
        note(() -> "the clock goes by " + (after - before) + " us to " + after);
    }

    Subject subject(String name, Limit... limits) {
        Budget budget = Budget.named(name);
        for (Limit limit : limits) {
            budget = budget.limit(limit);
        }
        return subject(budget);
    }

    Subject subject(Budget budget) {
        Subject subject = new Subject(prefix + ":{x}:" + budget.name(), budget);
        note(() -> budget.name() + (budget.isDryRun() ? ", a dry run, has " : " has ") + budget.limits());
        return subject;
    }

    Lane lane(String name) {
        return new Lane(prefix + ":{lane-" + name + "}", 0);
    }

    /** Names all lines that may have to be: what the script asks again for is not the model's to say. */
    Asked batch(Batch.Call... calls) {
        Batch batch = new Batch(lines);
        for (Batch.Call call : calls) {
            batch.add(namingLines(call));
        }
        return new Asked(List.of(calls), batch);
    }

    private Batch.Call namingLines(Batch.Call call) {
        List<Subject> subjects = List.of();
        if (call instanceof Batch.Call.Reserve reserve) {
            subjects = reserve.claims().stream().map(Claim::subject).toList();
        } else if (call instanceof Batch.Call.OfOneSubject one) {
            subjects = List.of(one.subject());
        }
        boolean wasHeld = false;
        for (Subject subject : subjects) {
            if (model.heldUntil(subject.key()) > 0) {
                lines.told(subject, true);
                wasHeld = true;
            }
        }
        return wasHeld ? call.namingLines() : call;
    }

    List<Batch.Result> run(Lane lane, Batch.Call... calls) {
        Batch.Reply reply = send(lane, batch(calls), Batch.Mode.RUN).reply();
        lane.advance(0);
        return reply.results();
    }

    /** Of the lane's present number. */
    Sent send(Lane lane, Asked asked, Batch.Mode mode) {
        return send(lane, asked, mode, NEVER_LATE);
    }

    Sent sendLate(Lane lane, Asked asked) {
        return send(lane, asked, Batch.Mode.RUN, now - 1);
    }

    /** What was sent before comes once more, to the byte. */
    Sent again(Sent sent) {
        return deliver(sent.lane(), sent.number(), sent.asked(), sent.request(), sent.keys(), "again");
    }

    Sent cancel(Sent sent) {
        return send(sent.lane(), sent.keys().get(0), sent.number(), sent.asked(), Batch.Mode.CANCEL, NEVER_LATE);
    }

    private Sent send(Lane lane, Asked asked, Batch.Mode mode, long notAfter) {
        return send(lane, lane.key(), lane.number(), asked, mode, notAfter);
    }

    private Sent send(Lane lane, byte[] laneKey, long number, Asked asked, Batch.Mode mode, long notAfter) {
        byte[] request = asked.batch().request(mode, number, notAfter, LANE_TTL, now);
        return deliver(lane, number, asked, request, asked.batch().keys(laneKey), mode.toString());
    }

    private Sent deliver(Lane lane, long number, Asked asked, byte[] request, List<byte[]> keys, String how) {
        String[] names = new String[keys.size()];
        for (int i = 0; i < names.length; i++) {
            names[i] = new String(keys.get(i), StandardCharsets.UTF_8);
            if (i > 0 && !names[i].endsWith(":line")) {
                seen.add(names[i]);
            }
        }
        lanes.add(names[0]);
        List<byte[]> all = new ArrayList<>(keys);
        seen.forEach(key -> all.add(key.getBytes(StandardCharsets.UTF_8)));
        all.add(time());
        ByteBuffer told = ByteBuffer.wrap(
                SCRIPT.run(redis, all, request, Duration.ofMinutes(1).toNanos()));
        byte[] answer = new byte[told.getInt()];
        told.get(answer);
        Batch.Reply reply = asked.batch().read(answer);
        note(() -> names[0].substring(prefix.length() + 1) + " " + how + " " + number + " at " + reply.micros() + ": "
                + asked.calls().stream().map(LineHistory::text).toList() + " -> " + reply.status() + " "
                + reply.results().stream().map(LineHistory::text).toList());
        model.replay(request, answer, names);
        for (String key : seen) {
            left(key, told);
        }
        return new Sent(lane, number, asked, request, keys, reply);
    }

    private byte[] time() {
        return ByteBuffer.allocate(9)
                .put((byte) (now >> 48))
                .putShort((short) (now >> 32))
                .putInt((int) now)
                .putShort((short) seen.size())
                .array();
    }

    private void left(String key, ByteBuffer told) {
        long millis = told.getLong();
        int bytes = told.getInt();
        byte[] value = bytes < 0 ? null : new byte[bytes];
        if (value != null) {
            told.get(value);
        }
        model.sameStored(key, value);
        if (millis > 0) {
            until.put(key, now + millis * 1_000);
        }
    }

    /** When the next one is gone; never where none is. */
    long nextEnd() {
        return until.values().stream()
                .filter(end -> end > now)
                .min(Long::compare)
                .orElse(Long.MAX_VALUE);
    }

    /** What has outlived its time is gone, and with it nothing that meant anything; says how much that was. */
    int expire() {
        List<String> gone = seen.stream()
                .filter(key -> until.getOrDefault(key, Long.MAX_VALUE) <= now)
                .toList();
        for (String key : gone) {
            model.meansNothingAt(key, now);
            lose(key);
        }
        return gone.size();
    }

    /** Redis forgets all it has of this. */
    void flush() {
        seen.forEach(this::lose);
        lanes.forEach(this::lose);
    }

    void lose(Lane lane) {
        lose(new String(lane.key(), StandardCharsets.UTF_8));
    }

    private void lose(String key) {
        note(() -> key + " is gone");
        jedis.del(key);
        until.remove(key);
        model.forget(key);
    }

    /** Redis forgets the script. */
    void forgetScript() {
        note(() -> "the script is forgotten");
        jedis.scriptFlush();
    }

    /** Leaves nothing in Redis. */
    void end() {
        List<String> keys = new ArrayList<>(seen);
        keys.addAll(lanes);
        if (!keys.isEmpty()) {
            jedis.del(keys.toArray(String[]::new));
        }
    }
}
