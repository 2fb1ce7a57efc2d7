package io.costguard.redis;

import io.costguard.GuardUnavailableException;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import redis.clients.jedis.exceptions.JedisException;

/**
 * What somebody must change in Redis before a guard works as it should, told in the log when it starts: that its user lacks rights, that
 * its password is wrong, that there are too many clients, that TLS fails, that it is a node of a cluster, or that the server evicts
 * balances.
 */
final class Diagnosis {
    /** What a guard sends, and what its scripts call; {@code docs/redis.md} repeats it. */
    static final String COMMANDS =
            "+eval +evalsha +time +mget +exists +set +del +zadd +zrem +zcount +zscore +zrangebyscore"
                    + " +pexpire +publish +subscribe +unsubscribe +hello +select";

    /** What to do where a client is astray. */
    static final String NODE_OF_CLUSTER =
            "it is a node of a Redis Cluster, and this client knows no other: hand a client of the cluster to the guard,"
                    + " redis(RedisClusterClient.create(nodes))";

    private static final Set<String> OF_CLUSTERS = Set.of("MOVED", "ASK", "CROSSSLOT");
    private static final Logger log = LoggerFactory.getLogger(Diagnosis.class);
    private static final Script PROBE = Script.load("probe.lua");

    private final Redis redis;
    private final String keyPrefix;

    Diagnosis(Redis redis, String keyPrefix) {
        this.redis = redis;
        this.keyPrefix = keyPrefix;
    }

    /** Asks a Redis that answers, if only by an error. */
    void examine(byte[] unusedKey, long timeoutNanos) {
        try {
            Probed probed = probe(unusedKey, timeoutNanos);
            if (!probed.policy().isEmpty() && !probed.policy().equals("noeviction")) {
                log.warn(
                        "Redis evicts keys when it is full, and balances with them, which are full again then: set"
                                + " maxmemory-policy noeviction in the place of {}",
                        probed.policy());
            }
            lacking(probed).ifPresent(log::error);
        } catch (JedisException e) {
            tell(e);
        }
    }

    /**
     * What this guard's user may not do in Redis, and what gives it.
     *
     * @throws GuardUnavailableException where Redis does not answer, or only by an error
     */
    Optional<String> lackingRights(byte[] unusedKey, long timeoutNanos) throws GuardUnavailableException {
        try {
            return lacking(probe(unusedKey, timeoutNanos));
        } catch (JedisException e) {
            throw new GuardUnavailableException(
                    reason(e) + advice(e).map(advice -> "; " + advice).orElse(""), e);
        }
    }

    /** What the probe told: commands, and maxmemory-policy; blank for nothing. */
    private record Probed(String forbidden, String policy) {}

    private Probed probe(byte[] unusedKey, long timeoutNanos) {
        byte[] channel = (keyPrefix + ":turn:").getBytes(StandardCharsets.US_ASCII);
        byte[] elsewhere = (keyPrefix + ":{elsewhere}").getBytes(StandardCharsets.US_ASCII);
        List<byte[]> keys = redis.isOfCluster() ? List.of(unusedKey) : List.of(unusedKey, elsewhere);
        byte[] reply = PROBE.runWhole(redis, keys, channel, timeoutNanos);
        String[] lines = new String(reply, StandardCharsets.US_ASCII).split("\n", -1);
        return new Probed(lines[0], lines[1]);
    }

    private Optional<String> lacking(Probed probed) {
        return probed.forbidden().isEmpty()
                ? Optional.empty()
                : Optional.of("this guard's user may not do in Redis what it needs (" + probed.forbidden() + "): "
                        + rights());
    }

    /** Whether a node of a cluster answered to a client that takes it for a server of its own. */
    static boolean isAstray(Redis redis, JedisException failure) {
        return !redis.isOfCluster() && OF_CLUSTERS.contains(BatchSender.code(failure));
    }

    /** Says what to do about a failure, where somebody must do something; others pass. */
    void tell(JedisException failure) {
        Optional<String> advice = advice(failure);
        if (advice.isPresent()) {
            log.error("Redis does not serve this guard: {}; {}", failure.getMessage(), advice.get());
        } else {
            log.debug("Redis is not there yet; the first call will try again", failure);
        }
    }

    private Optional<String> advice(JedisException failure) {
        if (BatchSender.TOO_MANY_CLIENTS.equals(failure.getMessage())) {
            return Optional.of("raise its maxclients, or close what connects to it");
        }
        if (cause(failure, SSLException.class).isPresent()) {
            return Optional.of(
                    "have this JVM trust the server's certificate (javax.net.ssl.trustStore), or use a client of your own with SslOptions");
        }
        if (isAstray(redis, failure)) {
            return Optional.of(NODE_OF_CLUSTER);
        }
        return switch (BatchSender.code(failure)) {
            case "NOPERM" -> Optional.of(rights());
            case "NOAUTH" -> Optional.of("give its password: redis://user:password@host:port");
            case "WRONGPASS" -> Optional.of("the user or the password is not right");
            default -> Optional.empty();
        };
    }

    /** As an administrator gives them. */
    private String rights() {
        return "give it ACL SETUSER <user> ~" + keyPrefix + ":* resetchannels &" + keyPrefix + ":turn:* " + COMMANDS;
    }

    /** Why Redis could not be asked, as far as the failure tells. */
    static String reason(Throwable failure) {
        return cause(failure, UnknownHostException.class)
                .map(unknown -> "unknown host " + unknown.getMessage())
                .orElseGet(() -> String.valueOf(failure.getMessage()).replaceFirst("\\.$", ""));
    }

    private static <T extends Throwable> Optional<T> cause(Throwable failure, Class<T> type) {
        for (@Nullable Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (type.isInstance(cause)) {
                return Optional.of(type.cast(cause));
            }
        }
        return Optional.empty();
    }
}
