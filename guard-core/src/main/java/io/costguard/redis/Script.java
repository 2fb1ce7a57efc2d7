package io.costguard.redis;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import redis.clients.jedis.exceptions.JedisDataException;

/** A script in a resource file, called by its SHA; sent whole, once, where the server does not know it. */
final class Script {
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
