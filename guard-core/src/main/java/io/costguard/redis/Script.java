package io.costguard.redis;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import redis.clients.jedis.exceptions.JedisDataException;

/** A script in a resource file, called by its SHA; sent whole, once, where the server does not know it. */
final class Script {
    static final long A_DAY_IN_MILLIS = Duration.ofDays(1).toMillis();

    private final byte[] text;
    private final byte[] sha;

    Script(byte[] text) {
        this.text = text;
        this.sha = sha1(text).getBytes(StandardCharsets.US_ASCII);
    }

    /** Of several resources, one after the other. */
    static Script load(String... resources) {
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        for (String resource : resources) {
            try (InputStream in = Script.class.getResourceAsStream(resource)) {
                if (in == null) {
                    throw new IllegalStateException("the jar lacks its script " + resource);
                }
                in.transferTo(text);
            } catch (IOException e) {
                throw new IllegalStateException("the script " + resource + " cannot be read", e);
            }
        }
        return new Script(text.toByteArray());
    }

    /** This script with other code in the place of some that it has. */
    Script replace(String code, String with) {
        String before = new String(text, StandardCharsets.UTF_8);
        if (!before.contains(code)) {
            throw new IllegalStateException("the script no longer has: " + code);
        }
        return new Script(before.replace(code, with).getBytes(StandardCharsets.UTF_8));
    }

    /**
     * This script in a time that it is told, as microseconds at {@code key}, and not the server's. What it keeps lives for a day of the
     * server's own, however fast or slow the other passes.
     */
    Script inTimeAt(String key) {
        return replace(
                        "local time = redis.call('TIME')",
                        "local micros = tonumber(redis.call('GET', '" + key + "'))\n"
                                + "local time = { math.floor(micros / 1000000), math.fmod(micros, 1000000) }")
                .replace("string.format('%.0f', ttls[i])", "'" + A_DAY_IN_MILLIS + "'")
                .replace("whole(math.ceil((line.till - now) / 1000))", "'" + A_DAY_IN_MILLIS + "'");
    }

    byte[] run(Redis redis, List<byte[]> keys, byte[] argument, long timeoutNanos) {
        try {
            return (byte[]) redis.evalsha(sha, keys, argument, timeoutNanos);
        } catch (JedisDataException e) {
            // Only the prefix: servers differ in what follows.
            if (e.getMessage() == null || !e.getMessage().startsWith("NOSCRIPT")) {
                throw e;
            }
            return runWhole(redis, keys, argument, timeoutNanos);
        }
    }

    byte[] runWhole(Redis redis, List<byte[]> keys, byte[] argument, long timeoutNanos) {
        return (byte[]) redis.eval(text, keys, argument, timeoutNanos);
    }

    private static String sha1(byte[] text) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-1").digest(text));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("this Java runtime has no SHA-1", e);
        }
    }
}
