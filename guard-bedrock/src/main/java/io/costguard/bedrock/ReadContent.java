package io.costguard.bedrock;

import io.costguard.http.HttpCall;
import java.io.ByteArrayInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.http.ContentStreamProvider;

/**
 * A request body that a call has read, if it is not too long, and that can be sent all the same. What was begun of a longer one is sent
 * first, and then the rest of its stream. Knows whether it was ever read in order to be sent.
 */
final class ReadContent implements ContentStreamProvider {
    private final ContentStreamProvider content;
    private final int added;
    /** Of a body that is too long, the stream of which the beginning was read, with that before it. */
    private final AtomicReference<@Nullable InputStream> begun;

    private volatile boolean read;

    private ReadContent(ContentStreamProvider content, int added, @Nullable InputStream begun) {
        this.content = content;
        this.added = added;
        this.begun = new AtomicReference<>(begun);
    }

    /** @param length as far as it is known before; else 0 */
    static ReadContent of(ContentStreamProvider content, long length, HttpCall call) throws IOException {
        if (!call.readsBody()) {
            return new ReadContent(content, 0, null);
        }
        if (length > HttpCall.MOST_READ) {
            call.unreadBody(length);
            return new ReadContent(content, 0, null);
        }
        InputStream stream = content.newStream();
        byte[] bytes;
        try {
            bytes = stream.readNBytes(HttpCall.MOST_READ + 1);
        } catch (IOException | RuntimeException | Error e) {
            closeQuietly(stream);
            throw e;
        }
        if (bytes.length > HttpCall.MOST_READ) {
            call.unreadBody(bytes.length);
            return new ReadContent(content, 0, new SequenceInputStream(new ByteArrayInputStream(bytes), stream));
        }
        stream.close();
        byte[] sent = call.body(bytes);
        return new ReadContent(() -> new ByteArrayInputStream(sent), sent.length - bytes.length, null);
    }

    /** Closes what was begun and is not sent. */
    void withdraw() {
        InputStream first = begun.getAndSet(null);
        if (first != null) {
            closeQuietly(first);
        }
    }

    private static void closeQuietly(InputStream stream) {
        try {
            stream.close();
        } catch (IOException e) {
            // Nobody reads it any more.
        }
    }

    /** How many bytes of it are not the caller's. */
    int added() {
        return added;
    }

    /** Whether any of it may have left this process. */
    boolean wasRead() {
        return read;
    }

    @Override
    public InputStream newStream() {
        InputStream first = begun.getAndSet(null);
        return new FilterInputStream(first == null ? content.newStream() : first) {
            @Override
            public int read() throws IOException {
                read = true;
                return super.read();
            }

            @Override
            public int read(byte[] bytes, int offset, int length) throws IOException {
                read = true;
                return super.read(bytes, offset, length);
            }
        };
    }

    @Override
    public String name() {
        return content.name();
    }
}
