package io.costguard.proof.fleet;

import io.costguard.PatientRedis;
import io.costguard.testing.FaultyLink;
import io.costguard.testing.RedisForTests;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import redis.clients.jedis.RedisClient;

/**
 * What happens to a Redis, and on the way to it, while a fleet calls: nothing by which a patient call may fail, or which Redis forgets more by than
 * its scripts. It begins at once, on a thread of its own, and ends when it is closed.
 */
final class Nemesis implements AutoCloseable {
    private static final int MOST_MILLIS_BETWEEN = 400;
    private static final int MOST_MILLIS = 200;
    private static final String DECIDES = "EVALSHA";

    private final RedisForTests redis;
    private final RedisClient jedis;
    private final FaultyLink link;
    private final Random random;
    private final Map<Deed, Integer> done = new EnumMap<>(Deed.class);
    private final Thread thread;
    private volatile boolean ends;

    /** What it does. */
    enum Deed {
        /** Requests are lost with their connections, so that nobody knows whether they ran. */
        REQUESTS_RESET,
        /** The same of replies: those of batches that ran. */
        REPLIES_RESET,
        REQUESTS_HELD,
        REPLIES_HELD,
        HALF_CLOSED,
        SCRIPT_FORGOTTEN,
        REDIS_STOPPED
    }

    Nemesis(RedisForTests redis, FaultyLink link, Random random) {
        this.redis = redis;
        this.jedis = PatientRedis.client(redis.url());
        this.link = link;
        this.random = random;
        this.thread = new Thread(this::run, "nemesis");
        thread.start();
    }

    private void run() {
        List<Deed> deeds = new ArrayList<>(List.of(Deed.values()));
        for (int i = 0; !ends; i++) {
            if (i % deeds.size() == 0) {
                Collections.shuffle(deeds, random);
            }
            Deed deed = deeds.get(i % deeds.size());
            Bench.pass(random.nextInt(MOST_MILLIS_BETWEEN));
            if (does(deed)) {
                done.merge(deed, 1, Integer::sum);
            }
        }
    }

    /** Whether that met anything. */
    private boolean does(Deed deed) {
        int millis = random.nextInt(MOST_MILLIS);
        return switch (deed) {
            case REQUESTS_RESET ->
                isWithheld(link.requests(), () -> link.requests().resetAfter(0, DECIDES), millis / 8);
            case REPLIES_RESET ->
                isWithheld(link.replies(), () -> link.replies().resetAfter(0, DECIDES), millis / 8);
            case REQUESTS_HELD ->
                isWithheld(link.requests(), () -> link.requests().hold(DECIDES), millis);
            case REPLIES_HELD -> isWithheld(link.replies(), () -> link.replies().hold(DECIDES), millis);
            case HALF_CLOSED -> {
                link.halfCloseConnections();
                yield true;
            }
            case SCRIPT_FORGOTTEN -> {
                jedis.scriptFlush();
                yield true;
            }
            case REDIS_STOPPED -> {
                redis.suspend();
                Bench.pass(millis);
                redis.resume();
                yield true;
            }
        };
    }

    private static boolean isWithheld(FaultyLink.Direction way, Runnable begins, int millis) {
        begins.run();
        Bench.pass(millis);
        boolean isMet = way.withheld() > 0;
        way.pass();
        return isMet;
    }

    /** {@return how often it did what, and met something; once it is closed} */
    Map<Deed, Integer> done() {
        return done;
    }

    @Override
    public void close() {
        ends = true;
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        jedis.close();
    }
}
