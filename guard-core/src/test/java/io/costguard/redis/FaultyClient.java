package io.costguard.redis;

import io.costguard.testing.RedisForTests;
import org.apache.commons.pool2.impl.GenericObjectPoolConfig;
import redis.clients.jedis.CommandObject;
import redis.clients.jedis.Connection;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.executors.CommandExecutor;
import redis.clients.jedis.executors.DefaultCommandExecutor;
import redis.clients.jedis.providers.PooledConnectionProvider;

/** A user's client of a real Redis, to which something happens on the thread that sends a command. */
final class FaultyClient extends UnifiedJedis {

    /** What happens. */
    interface Fault {
        default void beforeItIsSent() {}

        default void afterItWasAnswered() {}

        default void afterItWasAnswered(Object answer) {
            afterItWasAnswered();
        }
    }

    private record Executor(DefaultCommandExecutor sound, Fault fault) implements CommandExecutor {
        @Override
        public <T> T executeCommand(CommandObject<T> command) {
            fault.beforeItIsSent();
            T answer = sound.executeCommand(command);
            fault.afterItWasAnswered(answer);
            return answer;
        }

        @Override
        public void close() {
            sound.close();
        }
    }

    FaultyClient(RedisForTests server, int connections, Fault fault) {
        this(connections(server, connections), fault);
    }

    private FaultyClient(PooledConnectionProvider connections, Fault fault) {
        super(new Executor(new DefaultCommandExecutor(connections), fault), connections, RedisProtocol.RESP2, null);
    }

    private static PooledConnectionProvider connections(RedisForTests server, int connections) {
        GenericObjectPoolConfig<Connection> pool = new GenericObjectPoolConfig<>();
        pool.setMaxTotal(connections);
        pool.setMaxIdle(connections);
        pool.setJmxEnabled(false);
        return new PooledConnectionProvider(
                new HostAndPort(server.host(), server.port()),
                DefaultJedisClientConfig.builder().build(),
                pool);
    }
}
