package io.costguard.redis;

import io.costguard.PatientRedis;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.commons.pool2.impl.GenericObjectPoolConfig;
import redis.clients.jedis.Connection;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.executors.DefaultCommandExecutor;
import redis.clients.jedis.providers.PooledConnectionProvider;
import redis.clients.jedis.util.JedisURIHelper;

/** A user's client that has another script run than the guard hands it, as a guard of another build, or at another time, would. */
public final class ScriptedClient extends UnifiedJedis {
    private static final int CONNECTIONS = 16;

    private final byte[] text;
    private final byte[] sha;

    private ScriptedClient(PooledConnectionProvider connections, byte[] text, byte[] sha) {
        super(new DefaultCommandExecutor(connections), connections, RedisProtocol.RESP2, null);
        this.text = text;
        this.sha = sha;
    }

    private static ScriptedClient of(String url, TestScript script) {
        URI uri = URI.create(url);
        byte[] text = script.text().getBytes(StandardCharsets.UTF_8);
        GenericObjectPoolConfig<Connection> pool = new GenericObjectPoolConfig<>();
        pool.setMaxTotal(CONNECTIONS);
        pool.setMaxIdle(CONNECTIONS);
        pool.setJmxEnabled(false);
        try (Jedis jedis = PatientRedis.connection(url)) {
            return new ScriptedClient(
                    new PooledConnectionProvider(
                            JedisURIHelper.getHostAndPort(uri),
                            DefaultJedisClientConfig.builder().build(),
                            pool),
                    text,
                    jedis.scriptLoad(text));
        }
    }

    /**
     * {@return one whose server's clock is set by as many seconds as {@code key} says}
     *
     * @param url where Redis is
     * @param key nothing where the clock is right
     */
    public static ScriptedClient withClockSetBy(String url, String key) {
        return of(
                url,
                TestScript.ofTheRealOne()
                        .replace(
                                "local time = redis.call('TIME')",
                                "local time = redis.call('TIME')\ntime[1] = time[1] + (redis.call('GET', '" + key
                                        + "') or 0)"));
    }

    /**
     * {@return one with a script of another text, which does the same}
     *
     * @param url where Redis is
     */
    public static ScriptedClient ofAnotherBuild(String url) {
        return of(
                url,
                TestScript.ofTheRealOne().replace("local VERSION = 1\n", "local VERSION = 1 -- of another build\n"));
    }

    /**
     * {@return one that writes values of a version to come, which are else as ever}
     *
     * @param url where Redis is
     */
    public static ScriptedClient ofALaterFormat(String url) {
        return of(
                url,
                TestScript.ofTheRealOne()
                        .replace("local VERSION = 1\n", "local VERSION = 2\n")
                        .replace("      if version ~= 1 then\n", "      if version ~= 2 then\n")
                        .replace("local withLines, withCoolDowns = false, false\n", OtherBuild.OF_LATER_VALUES));
    }

    @Override
    public Object evalsha(byte[] unused, List<byte[]> keys, List<byte[]> arguments) {
        return super.evalsha(sha, keys, arguments);
    }

    @Override
    public Object eval(byte[] script, List<byte[]> keys, List<byte[]> arguments) {
        boolean isProbe = !new String(script, StandardCharsets.UTF_8).contains("local VERSION = ");
        return super.eval(isProbe ? script : text, keys, arguments);
    }
}
