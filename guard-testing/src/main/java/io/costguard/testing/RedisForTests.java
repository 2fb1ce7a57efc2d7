package io.costguard.testing;

import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A real Redis for tests, with or without Docker.
 *
 * <pre>{@code
 * RedisForTests redis = RedisForTests.shared();
 * CostGuard guard = CostGuard.builder()
 *         .redis(redis.url())
 *         .keyPrefix(redis.keyPrefix())   // tests never meet, and nothing has to be flushed
 *         .budget(Budget.named("rate").limit(Limit.requests(1).perHour()))
 *         .build();
 * }</pre>
 *
 * <p>It is the first of these that there is:
 *
 * <ol>
 *   <li>the server at {@code GUARD_REDIS_URL}, which is only used: nothing here ever flushes, configures or ends it
 *   <li>a container, where Docker answers
 *   <li>the {@code redis-server} on the {@code PATH}; {@code GUARD_REDIS_SERVER} names another binary, and is then
 *       preferred to Docker
 *   <li>a Redis 7.0 that comes with this module, for Linux and macOS
 * </ol>
 *
 * <p>{@code GUARD_REDIS=docker}, {@code installed} or {@code embedded} takes that one or fails, whatever else is set.
 * Each may be given as an environment variable or as a system property ({@code guard.redis}, {@code guard.redis.url},
 * {@code guard.redis.server}); the property wins. Which one it was is logged at INFO.
 *
 * <p>Whatever is started listens on the loopback interface only, persists nothing, and ends with the JVM
 * (with one that is killed, only a container does).
 *
 * <p>Thread safe.
 */
public final class RedisForTests implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(RedisForTests.class);
    private static final Duration ANSWER_WITHIN = Duration.ofSeconds(5);

    private static @Nullable RedisForTests shared;

    private final RedisServer server;
    private final String version;

    /**
     * {@return the Redis of all tests in this JVM: one server, started on first use and ended with the JVM} It cannot be
     * disturbed, and closing it does nothing.
     */
    public static synchronized RedisForTests shared() {
        if (shared == null) {
            RedisServer server = new RedisSource(Settings.ofThisJvm()).shared();
            shared = new RedisForTests(new RedisServer.Shared(server.origin(), server.uri()));
        }
        return shared;
    }

    /**
     * Starts a Redis for one test alone, which may then kill, restart and suspend it; close it at the end. Never the
     * server at {@code GUARD_REDIS_URL}, and a container only for {@code GUARD_REDIS=docker}.
     *
     * @param serverArguments of the command line, such as {@code "--maxmemory", "100mb"}; never {@code --port}
     * @return the server, which is to be closed
     */
    public static RedisForTests start(String... serverArguments) {
        return new RedisForTests(new RedisSource(Settings.ofThisJvm()).own(List.of(serverArguments)));
    }

    RedisForTests(RedisServer server) {
        this.server = server;
        URI uri = server.uri();
        String address = uri.getHost() + ":" + Resp.port(uri); // never the whole: it may hold a password
        try {
            this.version = Resp.info(uri, ANSWER_WITHIN).getOrDefault("redis_version", "unknown");
        } catch (IOException e) {
            server.close();
            throw new IllegalStateException(
                    "Redis for tests (" + server.origin() + ") does not answer at " + address, e);
        }
        log.info("Redis for tests: {}, version {}, at {}", server.origin(), version, address);
    }

    /**
     * As a client takes it, such as {@code redis://127.0.0.1:40123}; from {@code GUARD_REDIS_URL} as given there.
     *
     * @return the URL
     */
    public String url() {
        return server.uri().toString();
    }

    /** {@return where it listens} */
    public String host() {
        return server.uri().getHost();
    }

    /** {@return where it listens} */
    public int port() {
        return Resp.port(server.uri());
    }

    /**
     * As the server has it, such as {@code 7.0.15}; {@code unknown} if it does not tell without a password.
     *
     * @return the version
     */
    public String version() {
        return version;
    }

    /**
     * {@return a prefix for the keys of one test, another one at each call, so that tests which use one server never meet and
     * never flush it}
     */
    public String keyPrefix() {
        return "test-" + UUID.randomUUID();
    }

    /**
     * Ends the server as a crash would: its connections are cut, and what was in memory is gone.
     *
     * @throws IllegalStateException if it is shared
     */
    public void kill() {
        server.kill();
    }

    /**
     * Kills the server if it runs, and starts it again with the same arguments on the same port; returns when it
     * answers. It is empty, unless an argument made it persist.
     *
     * @throws IllegalStateException if it is shared
     */
    public void restart() {
        server.restart();
    }

    /**
     * Stops the server where it is, until {@link #resume()}: connections stay open and nothing answers.
     *
     * @throws IllegalStateException if it is shared
     */
    public void suspend() {
        server.suspend();
    }

    /**
     * Lets a suspended server go on, with whatever it was sent meanwhile.
     *
     * @throws IllegalStateException if it is shared
     */
    public void resume() {
        server.resume();
    }

    /** Ends the server and removes its files. Does nothing if it is shared. */
    @Override
    public void close() {
        server.close();
    }
}
