package io.costguard.redis;

import io.costguard.GuardUnavailableException;
import io.costguard.limit.Register;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import redis.clients.jedis.exceptions.JedisException;

/** A {@link Register} under one key. */
public final class RedisRegister implements Register {
    /** As long as the longest window: who was away for longer has nothing in force that counts any more. */
    private static final Duration TTL = Duration.ofDays(366);

    /** What was sent under what was seen is refused later than this. */
    private static final Duration VALID = Duration.ofSeconds(5);

    private static final int HEAD = 1 + 8;

    private static final byte[] SCRIPT = """
            local time = redis.call('TIME')
            local now = time[1] * 1000000 + time[2]
            local text = redis.call('MGET', KEYS[1])[1] or ''
            local request, written = ARGV[1], 0
            if request ~= '' then
              local notAfter, seen, begins = struct.unpack('>i8I4c0', request)
              if now <= notAfter and text == seen then
                text, written = string.sub(request, begins), 1
                redis.call('SET', KEYS[1], text, 'PX', '%d')
              end
            end
            return struct.pack('>Bi8', written, now) .. text
            """.formatted(TTL.toMillis()).getBytes(StandardCharsets.US_ASCII);

    private final Redis redis;
    private final byte[] key;
    private final Duration timeout;

    /** @param redis is closed with this */
    public RedisRegister(Redis redis, String key, Duration timeout) {
        this.redis = redis;
        this.key = key.getBytes(StandardCharsets.US_ASCII);
        this.timeout = timeout;
    }

    @Override
    public Seen read() throws GuardUnavailableException {
        return seen(run(new byte[0]));
    }

    @Override
    public Optional<Seen> replace(Seen seen, String text) throws GuardUnavailableException {
        byte[] before = seen.text().getBytes(StandardCharsets.UTF_8);
        byte[] after = text.getBytes(StandardCharsets.UTF_8);
        ByteBuffer request = ByteBuffer.allocate(8 + 4 + before.length + after.length)
                .putLong(seen.micros() + VALID.toNanos() / 1_000)
                .putInt(before.length)
                .put(before)
                .put(after);
        byte[] reply = run(request.array());
        return reply[0] == 1 ? Optional.of(seen(reply)) : Optional.empty();
    }

    private static Seen seen(byte[] reply) {
        return new Seen(
                new String(reply, HEAD, reply.length - HEAD, StandardCharsets.UTF_8),
                ByteBuffer.wrap(reply).getLong(1));
    }

    private byte[] run(byte[] request) throws GuardUnavailableException {
        try {
            return (byte[]) redis.eval(SCRIPT, List.of(key), request, timeout.toNanos());
        } catch (JedisException e) {
            throw new GuardUnavailableException("Redis did not answer: " + e.getMessage(), e);
        }
    }

    @Override
    public void close() {
        redis.close();
    }
}
