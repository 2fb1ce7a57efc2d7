package io.costguard.redis;

import io.costguard.Budget;
import io.costguard.Limit;
import io.costguard.PatientRedis;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import redis.clients.jedis.RedisClient;

/**
 * Random histories of sliding windows, fifty at a time, in virtual time; the windows are counted from the calls alone. Used by one thread.
 */
public final class SlidingHistories implements AutoCloseable {
    /** How many histories are run at once. */
    public static final int AT_ONCE = 50;

    private static final int STEPS = 40;
    private static final long START = 1_760_000_000_000_000L;

    private final RedisClient jedis;
    private final Redis redis;
    private final String prefix;
    private final Script script;
    private long now;
    private int runs;

    /**
     * What histories came to.
     *
     * @param letGo how many calls were
     * @param over what was used in a window that held more than its limit, one line each
     */
    public record Outcome(long letGo, List<String> over) {}

    /**
     * Where they happen.
     *
     * @param url of a Redis
     * @param prefix of keys that nobody else has there
     */
    public SlidingHistories(String url, String prefix) {
        this.jedis = PatientRedis.client(url);
        this.redis = Redis.of(jedis);
        this.prefix = prefix;
        this.script = TestScript.ofTheRealOne().withTimeAt(prefix + ":time").build();
    }

    /** {@return what the histories of that seed come to} */
    public Outcome run(long seed) {
        Random random = new Random(seed);
        Lane lane = new Lane(prefix + ":{lane-" + runs++ + "}", 0);
        now = START;
        List<History> histories = new ArrayList<>();
        for (int i = 0; i < AT_ONCE; i++) {
            histories.add(new History(runs + "-" + i, random));
        }
        for (int step = 0; step < STEPS; step++) {
            now += random.nextInt(3) == 0 ? random.nextInt(100_000) : random.nextInt(4_000);
            run(lane, histories.stream().flatMap(History::ends).toList());
            List<Batch.Result> results =
                    run(lane, histories.stream().map(History::begins).toList());
            for (int i = 0; i < AT_ONCE; i++) {
                histories.get(i).happened(results.get(i));
            }
        }
        jedis.del(histories.stream().map(history -> history.subject.key()).toArray(String[]::new));
        return new Outcome(
                histories.stream().mapToLong(history -> history.let.size()).sum(),
                histories.stream().flatMap(History::over).toList());
    }

    @Override
    public void close() {
        jedis.close();
    }

    private List<Batch.Result> run(Lane lane, List<Batch.Call> calls) {
        jedis.set(prefix + ":time", Long.toString(now));
        Batch batch = new Batch(new Lines("process-0000", "turn:"));
        calls.forEach(batch::add);
        byte[] request = batch.request(Batch.Mode.RUN, lane.number(), Long.MAX_VALUE >> 10, 60_000, now);
        byte[] reply = script.run(
                redis, batch.keys(lane.key()), request, Duration.ofMinutes(1).toNanos());
        lane.advance(0);
        return batch.read(reply).results();
    }

    /** What one subject saw. */
    private final class History {
        private final Random random;
        private final Subject subject;
        private final long limit;
        private final long window;
        private final List<Let> let = new ArrayList<>();
        private final List<Let> open = new ArrayList<>();

        private final class Let {
            final long at = now;
            final Charge charge;
            long used;

            Let(Charge charge) {
                this.charge = charge;
                this.used = charge.claim().amounts()[0];
            }
        }

        History(String name, Random random) {
            this.random = random;
            this.limit = 1L + random.nextInt(50);
            Duration length = Duration.ofMillis(1 + random.nextInt(100));
            this.window = length.toNanos() / 1_000;
            this.subject = new Subject(
                    prefix + ":{x}:" + name,
                    Budget.named("b").limit(Limit.requests(limit).per(length).slidingWindow()));
        }

        /** Now and then, a call that was let go, which mostly used less than it reserved. */
        Stream<Batch.Call> ends() {
            if (open.isEmpty() || random.nextInt(3) > 0) {
                return Stream.empty();
            }
            Let ended = open.remove(random.nextInt(open.size()));
            long reserved = ended.used;
            long used = random.nextInt(5) == 0 ? reserved + random.nextInt(9) : random.nextLong(reserved + 1);
            ended.used = Math.min(reserved, used);
            return Stream.of(new Batch.Call.Settle(new Settled(ended.charge, new long[] {used})));
        }

        Batch.Call begins() {
            return new Batch.Call.Reserve(List.of(new Claim(subject, new long[] {1 + random.nextLong(limit)})));
        }

        void happened(Batch.Result result) {
            if (result instanceof Batch.Result.Decided decided
                    && decided.verdict() instanceof Verdict.Granted granted) {
                Let one = new Let(granted.charges().get(0));
                let.add(one);
                open.add(one);
            }
        }

        Stream<String> over() {
            return let.stream()
                    .filter(first -> held(first) > limit)
                    .map(first -> "%d of %s in the window of %d us that begins %d us after the start"
                            .formatted(held(first), subject.limits(), window, first.at - START));
        }

        private long held(Let first) {
            return let.stream()
                    .filter(each -> each.at >= first.at && each.at < first.at + window)
                    .mapToLong(each -> each.used)
                    .sum();
        }
    }
}
