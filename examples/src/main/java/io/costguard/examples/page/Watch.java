package io.costguard.examples.page;

import io.costguard.examples.fleet.Fleet;
import io.costguard.examples.fleet.Wire;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import redis.clients.jedis.exceptions.JedisException;

/** Looks at the fleet a few times a second, and tells what it saw to whoever waits for that. Safe for use by many threads. */
final class Watch implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Watch.class);

    private static final long EVERY_MILLIS = 250;
    private static final int KEYS_EVERY = 4;

    private final Fleet fleet;
    private final Driver driver;
    private final Live live;
    private final RedisContents contents;
    private final ScheduledExecutorService threads = Executors.newScheduledThreadPool(2, Threads.named("page watch"));

    private volatile Balances balances = Balances.NONE;
    private volatile List<RedisContents.Key> keys = List.of();
    private volatile boolean redisAnswers = true;
    private int looks;
    private String state = "";

    Watch(Fleet fleet, Driver driver, Live live) {
        this.fleet = fleet;
        this.driver = driver;
        this.live = live;
        this.contents = new RedisContents(fleet);
        publish();
        // Apart, as Redis may be slow to say nothing.
        var unusedLooking = threads.scheduleWithFixedDelay(this::look, 0, EVERY_MILLIS, TimeUnit.MILLISECONDS);
        var unusedPublishing =
                threads.scheduleWithFixedDelay(this::publish, EVERY_MILLIS, EVERY_MILLIS, TimeUnit.MILLISECONDS);
    }

    private void look() {
        try {
            balances = Balances.of(fleet, live.runs());
            live.found(balances);
            redisAnswers = true;
            if (looks++ % KEYS_EVERY == 0) {
                keys = contents.list(live.runs());
            }
        } catch (IOException | JedisException e) {
            redisAnswers = false;
        } catch (RuntimeException e) {
            redisAnswers = false;
            log.error("the fleet cannot be looked at", e);
        }
    }

    private void publish() {
        String latest;
        try {
            latest = Wire.write(State.of(fleet, driver, live, balances, redisAnswers, keys));
        } catch (RuntimeException e) {
            log.error("the fleet cannot be told of", e);
            return;
        }
        synchronized (this) {
            state = latest;
            notifyAll();
        }
    }

    synchronized String state() {
        return state;
    }

    /** Waits for another state than this one. */
    @SuppressWarnings("ReferenceEquality") // each is made anew
    synchronized String after(String seen) throws InterruptedException {
        while (state == seen) {
            wait();
        }
        return state;
    }

    @Override
    public void close() {
        threads.shutdownNow();
        contents.close();
    }
}
