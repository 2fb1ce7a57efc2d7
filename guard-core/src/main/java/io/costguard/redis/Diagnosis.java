package io.costguard.redis;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import redis.clients.jedis.exceptions.JedisException;

/**
 * What somebody must change in Redis before a guard works as it should, told in the log when it starts: that its user lacks rights, that
 * its password is wrong, that there are too many clients, that TLS fails, or that the server evicts balances.
 */
final class Diagnosis {
    /** What a guard sends, and what its scripts call; {@code docs/redis.md} repeats it. */
    static final String COMMANDS =
            "+eval +evalsha +time +mget +exists +set +del +zadd +zrem +zcount +zscore +zrangebyscore"
                    + " +pexpire +publish +subscribe +unsubscribe +hello +select";

    private static final Logger log = LoggerFactory.getLogger(Diagnosis.class);
    private static final Script PROBE = Script.load("probe.lua");

    private final Redis redis;
    private final String keyPrefix;

    Diagnosis(Redis redis, String keyPrefix) {
        this.redis = redis;
        this.keyPrefix = keyPrefix;
    }

    /** Asks a Redis that answers. */
    void examine(byte[] unusedKey, long timeoutNanos) {
        byte[] channel = (keyPrefix + ":turn:").getBytes(StandardCharsets.US_ASCII);
        try {
            byte[] reply = PROBE.runWhole(redis, List.of(unusedKey), channel, timeoutNanos);
            String[] lines = new String(reply, StandardCharsets.US_ASCII).split("\n", -1);
            String forbidden = lines[0];
            String policy = lines[1];
            if (!policy.isEmpty() && !policy.equals("noeviction")) {
                log.warn(
                        "Redis evicts keys when it is full, and balances with them, which are full again then: set"
                                + " maxmemory-policy noeviction in the place of {}",
                        policy);
            }
            if (!forbidden.isEmpty()) {
                log.error("this guard's user may not do in Redis what it needs ({}): {}", forbidden, rights());
            }
        } catch (JedisException e) {
            tell(e);
        }
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
        if (hasCause(failure, SSLException.class)) {
            return Optional.of(
                    "have this JVM trust the server's certificate (javax.net.ssl.trustStore), or use a client of your own with SslOptions");
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

    private static boolean hasCause(Throwable failure, Class<? extends Throwable> type) {
        for (@Nullable Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (type.isInstance(cause)) {
                return true;
            }
        }
        return false;
    }
}
