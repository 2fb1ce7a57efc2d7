package io.costguard.examples.fleet;

import io.costguard.testing.RedisForTests;
import java.util.Optional;

/** The Redis of the fleet: one that was named, or one of its own, which may be stopped and keeps what it holds in a file. */
public final class FleetRedis implements AutoCloseable {
    private final String url;
    private final Optional<RedisForTests> own;
    private volatile boolean isStopped;

    private FleetRedis(String url, Optional<RedisForTests> own) {
        this.url = url;
        this.own = own;
    }

    public static FleetRedis at(String url) {
        return new FleetRedis(url, Optional.empty());
    }

    public static FleetRedis start() {
        RedisForTests redis = RedisForTests.start("--appendonly", "yes", "--appendfsync", "no");
        return new FleetRedis(redis.url(), Optional.of(redis));
    }

    public String url() {
        return url;
    }

    /** Whether it is ours to stop. */
    public boolean isOwn() {
        return own.isPresent();
    }

    public boolean isStopped() {
        return isStopped;
    }

    /**
     * Ends it as a crash would, or starts it again with what it held.
     *
     * @throws IllegalArgumentException if it is not ours
     */
    public synchronized void run(boolean on) {
        RedisForTests redis = own.orElseThrow(
                () -> new IllegalArgumentException("this Redis was named with --redis, and is not stopped"));
        if (on == !isStopped) {
            return;
        }
        if (on) {
            redis.restart();
        } else {
            redis.kill();
        }
        isStopped = !on;
    }

    /** Has it run again, if it was stopped. */
    public void run() {
        if (isStopped) {
            run(true);
        }
    }

    @Override
    public void close() {
        own.ifPresent(RedisForTests::close);
    }
}
