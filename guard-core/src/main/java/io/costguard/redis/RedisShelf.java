package io.costguard.redis;

import io.costguard.describe.OutputHistory;
import io.costguard.limit.Fingerprint;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** What a fleet learned of outputs, in Redis: a key for each kind of call. Safe for use by many threads. */
public final class RedisShelf implements OutputHistory.Shelf {
    private static final byte[] SCRIPT =
            """
            if ARGV[1] == '' then
              return redis.call('MGET', KEYS[1])[1]
            end
            return redis.call('SET', KEYS[1], ARGV[1], 'PX', '%d')
            """.formatted(Duration.ofDays(7).toMillis()).getBytes(StandardCharsets.US_ASCII);

    private final Redis redis;
    private final String keyPrefix;
    private final Fingerprint fingerprint;
    private final long timeoutNanos;

    /** @param redis stays the caller's to close */
    public RedisShelf(Redis redis, String keyPrefix, Fingerprint fingerprint, Duration timeout) {
        this.redis = redis;
        this.keyPrefix = keyPrefix;
        this.fingerprint = fingerprint;
        this.timeoutNanos = timeout.toNanos();
    }

    @Override
    public Optional<String> read(OutputHistory.Kind kind) {
        return redis.eval(SCRIPT, List.of(key(kind)), new byte[0], timeoutNanos) instanceof byte[] kept
                ? Optional.of(new String(kept, StandardCharsets.US_ASCII))
                : Optional.empty();
    }

    @Override
    public void write(OutputHistory.Kind kind, String kept) {
        redis.eval(SCRIPT, List.of(key(kind)), kept.getBytes(StandardCharsets.US_ASCII), timeoutNanos);
    }

    private byte[] key(OutputHistory.Kind kind) {
        String name = fingerprint.of("outputs", kind.provider(), kind.model(), kind.path());
        return (keyPrefix + ":outputs:" + name).getBytes(StandardCharsets.US_ASCII);
    }
}
