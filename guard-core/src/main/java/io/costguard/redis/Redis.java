package io.costguard.redis;

import java.net.URI;
import java.net.URISyntaxException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.apache.commons.pool2.impl.GenericObjectPoolConfig;
import redis.clients.jedis.CommandArguments;
import redis.clients.jedis.Connection;
import redis.clients.jedis.ConnectionPool;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.JedisClientConfig;
import redis.clients.jedis.JedisPubSub;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.SslOptions;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.exceptions.JedisClusterOperationException;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisException;
import redis.clients.jedis.exceptions.JedisRedirectionException;
import redis.clients.jedis.util.JedisClusterCRC16;
import redis.clients.jedis.util.JedisURIHelper;

/** A way to have a script run. Every failure is a {@link redis.clients.jedis.exceptions.JedisException}. */
public sealed interface Redis extends AutoCloseable {

    /** Calls a script by its SHA, and answers within the time given if that is in this client's hands. */
    Object evalsha(byte[] sha, List<byte[]> keys, byte[] argument, long timeoutNanos);

    /** Sends a script whole. */
    Object eval(byte[] script, List<byte[]> keys, byte[] argument, long timeoutNanos);

    /** Where a key lies: what one script may touch lies in the same slot. A single server is one slot. */
    default int slotOf(String key) {
        return 0;
    }

    /** Whether it finds the node of a slot by itself. */
    default boolean isOfCluster() {
        return false;
    }

    /** Blocks for as long as it listens, on a connection of its own, which the guard's own client gives up where that is silent. */
    void subscribe(JedisPubSub ears, String channel);

    @Override
    void close();

    /**
     * The guard's own client of a standalone server. Connects when first used.
     *
     * @throws IllegalArgumentException where {@code url} is not {@code redis://[user:password@]host[:port][/database]}, or
     *     {@code rediss://} for TLS
     */
    static Redis at(String url, Duration timeout) {
        return new Own(url, timeout);
    }

    /** A client of the user's, which stays the user's to close. */
    static Redis of(UnifiedJedis client) {
        return new Theirs(client);
    }

    /** Connections of our own, on which each call has a time limit of its own. */
    final class Own implements Redis {
        private static final int CONNECTIONS = 16;

        private final Connections connections;

        /** Makes a connection when it is needed, not in the place of a broken one: whoever returns that has no time left for it. */
        private static final class Connections extends ConnectionPool {
            Connections(HostAndPort server, JedisClientConfig config, GenericObjectPoolConfig<Connection> pool) {
                super(server, config, pool);
            }

            @Override
            public void addObject() throws Exception {
                if (getNumWaiters() > 0) {
                    super.addObject();
                }
            }
        }

        private Own(String url, Duration timeout) {
            URI uri = parsed(url);
            boolean tls = "rediss".equals(uri.getScheme());
            int half = halfMillis(timeout.toNanos());
            DefaultJedisClientConfig.Builder config = DefaultJedisClientConfig.builder()
                    .connectionTimeoutMillis(half)
                    .socketTimeoutMillis(half)
                    .blockingSocketTimeoutMillis((int) Listening.SILENCE.toMillis())
                    .user(JedisURIHelper.getUser(uri))
                    .password(JedisURIHelper.getPassword(uri))
                    .database(JedisURIHelper.getDBIndex(uri))
                    .clientName("costguard");
            if (tls) {
                config.sslOptions(SslOptions.builder().build());
            }
            GenericObjectPoolConfig<Connection> pool = new GenericObjectPoolConfig<>();
            pool.setMaxTotal(CONNECTIONS);
            pool.setMaxIdle(CONNECTIONS);
            pool.setMaxWait(timeout);
            pool.setJmxEnabled(false);
            int port = uri.getPort() == -1 ? Protocol.DEFAULT_PORT : uri.getPort();
            connections = new Connections(new HostAndPort(uri.getHost(), port), config.build(), pool);
        }

        /** What is wrong repeats nothing of the URL, which may have a password in it. */
        private static URI parsed(String url) {
            try {
                URI uri = new URI(url);
                boolean isRedis = "redis".equals(uri.getScheme()) || "rediss".equals(uri.getScheme());
                if (isRedis
                        && uri.getHost() != null
                        && uri.getPort() <= 65_535
                        && JedisURIHelper.getDBIndex(uri) >= 0) {
                    return uri;
                }
            } catch (URISyntaxException | NumberFormatException e) {
                // It is refused below.
            }
            throw new IllegalArgumentException("not a Redis URL; write redis://host:6379, or with all that there may be"
                    + " rediss://user:password@host:6379/0; in a password, what is no letter or digit as %40");
        }

        @Override
        public Object evalsha(byte[] sha, List<byte[]> keys, byte[] argument, long timeoutNanos) {
            return call(Protocol.Command.EVALSHA, sha, keys, argument, timeoutNanos);
        }

        @Override
        public Object eval(byte[] script, List<byte[]> keys, byte[] argument, long timeoutNanos) {
            return call(Protocol.Command.EVAL, script, keys, argument, timeoutNanos);
        }

        private Object call(
                Protocol.Command command, byte[] script, List<byte[]> keys, byte[] argument, long timeoutNanos) {
            CommandArguments arguments =
                    new CommandArguments(command).add(script).add(keys.size());
            for (byte[] key : keys) {
                arguments.key(key);
            }
            arguments.add(argument);
            try (Connection connection = connections.getResource()) {
                int timeoutMillis = Math.max(1, (int) Math.min(Integer.MAX_VALUE, timeoutNanos / 1_000_000));
                if (connection.getSoTimeout() != timeoutMillis) {
                    connection.setSoTimeout(timeoutMillis);
                }
                return connection.executeCommand(arguments);
            }
        }

        @Override
        public void subscribe(JedisPubSub ears, String channel) {
            try (Connection connection = connections.getResource()) {
                ears.proceed(connection, channel);
            }
        }

        private static int halfMillis(long nanos) {
            return (int) Math.max(1, Math.min(Integer.MAX_VALUE, nanos / 2_000_000));
        }

        @Override
        public void close() {
            connections.close();
        }
    }

    /** A client that was handed in, with time limits of its own. */
    final class Theirs implements Redis {
        /** Their classes, which the oldest Jedis has not both of. */
        private static final Set<String> OF_CLUSTERS =
                Set.of("redis.clients.jedis.RedisClusterClient", "redis.clients.jedis.JedisCluster");

        private final UnifiedJedis client;
        private final boolean isOfCluster;

        private Theirs(UnifiedJedis client) {
            this.client = client;
            Class<?> type = client.getClass();
            while (type != UnifiedJedis.class && !OF_CLUSTERS.contains(type.getName())) {
                type = type.getSuperclass();
            }
            this.isOfCluster = type != UnifiedJedis.class;
        }

        @Override
        public boolean isOfCluster() {
            return isOfCluster;
        }

        @Override
        public int slotOf(String key) {
            return isOfCluster ? JedisClusterCRC16.getSlot(key) : 0;
        }

        @Override
        public Object evalsha(byte[] sha, List<byte[]> keys, byte[] argument, long timeoutNanos) {
            return answered(() -> client.evalsha(sha, keys, List.of(argument)));
        }

        @Override
        public Object eval(byte[] script, List<byte[]> keys, byte[] argument, long timeoutNanos) {
            return answered(() -> client.eval(script, keys, List.of(argument)));
        }

        @Override
        public void subscribe(JedisPubSub ears, String channel) {
            client.subscribe(ears, channel);
        }

        private static Object answered(Supplier<Object> call) {
            Object reply;
            try {
                reply = call.get();
            } catch (JedisClusterOperationException e) {
                throw redirection(e).orElse(e);
            }
            if (reply == null) {
                throw new JedisConnectionException("the client answered nothing");
            }
            return reply;
        }

        /** Of a client that was only ever sent elsewhere, and has no attempt left to go there: nothing ran. */
        private static Optional<JedisException> redirection(JedisClusterOperationException failure) {
            return Stream.concat(Stream.ofNullable(failure.getCause()), Stream.of(failure.getSuppressed()))
                    .filter(JedisRedirectionException.class::isInstance)
                    .map(JedisException.class::cast)
                    .findFirst();
        }

        @Override
        public void close() {}
    }
}
