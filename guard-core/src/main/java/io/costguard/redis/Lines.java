package io.costguard.redis;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.costguard.limit.Subject;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * What this process knows of lines: of which subjects the last reply said that calls wait for them, so that their lines are named
 * where something is settled. What it does not know the script asks for. Safe for use by many threads.
 */
final class Lines {
    private static final long REMEMBERED = 10_000;

    private final byte[] process;
    private final byte[] channel;
    private final Map<Subject, Boolean> known;

    /**
     * @param process what this process is called in lines: 12 characters
     * @param channel what the channels begin with on which processes are told, each on that with its name
     */
    Lines(String process, String channel) {
        this.process = process.getBytes(StandardCharsets.US_ASCII);
        this.channel = channel.getBytes(StandardCharsets.US_ASCII);
        Cache<Subject, Boolean> cache =
                Caffeine.newBuilder().maximumSize(REMEMBERED).build();
        this.known = cache.asMap();
    }

    byte[] process() {
        return process;
    }

    byte[] channel() {
        return channel;
    }

    /** On which this process is told. */
    String ownChannel() {
        return new String(channel, StandardCharsets.US_ASCII) + new String(process, StandardCharsets.US_ASCII);
    }

    boolean hasLine(Subject subject) {
        return !known.isEmpty() && known.containsKey(subject);
    }

    void told(Subject subject, boolean hasLine) {
        if (hasLine && !hasLine(subject)) {
            known.put(subject, true);
        } else if (!hasLine && hasLine(subject)) {
            known.remove(subject);
        }
    }

    /** At most so many bytes of a request are they. */
    int size() {
        return process.length + 2 + channel.length + 2;
    }
}
