package io.costguard.anthropic;

import com.anthropic.core.http.HttpRequestBody;
import io.costguard.http.HttpCall;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import org.jspecify.annotations.Nullable;

/**
 * A request body that the guard has read, if it can be read, and that is sent as it was, or as the guard says. Knows whether it was ever sent.
 */
final class ReadBody implements HttpRequestBody {
    private final HttpRequestBody body;
    /** What is sent of a body that can be written once, or is not sent as it was. */
    private final byte @Nullable [] bytes;

    private volatile boolean written;

    private ReadBody(HttpRequestBody body, byte @Nullable [] bytes) {
        this.body = body;
        this.bytes = bytes;
    }

    /** Reads {@code body} for {@code call}, unless it is too long, or can be written once only and might be too long. */
    static ReadBody of(HttpRequestBody body, HttpCall call) {
        if (!call.readsBody()) {
            return new ReadBody(body, null);
        }
        long length = body.contentLength();
        if (length > HttpCall.MOST_READ || (!body.repeatable() && length < 0)) {
            call.unreadBody(Math.max(0, length));
            return new ReadBody(body, null);
        }
        Capped read = new Capped();
        body.writeTo(read);
        if (read.isFull()) {
            call.unreadBody(HttpCall.MOST_READ);
            return new ReadBody(body, null);
        }
        byte[] whole = read.toByteArray();
        byte[] sent = call.body(whole);
        return new ReadBody(body, sent == whole && body.repeatable() ? null : sent);
    }

    /** Whether somebody asked for its bytes in order to send them. Until then, none has left this process. */
    boolean wasWritten() {
        return written;
    }

    @Override
    public void writeTo(OutputStream out) {
        written = true;
        if (bytes == null) {
            body.writeTo(out);
            return;
        }
        try {
            out.write(bytes);
        } catch (IOException e) {
            throw unchecked(e);
        }
    }

    /** The SDK's interface, written in Kotlin, lets an {@code IOException} pass that it does not declare; its transport knows what to do with it. */
    @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"}) // erased: nothing is cast
    private static <E extends Throwable> RuntimeException unchecked(Throwable e) throws E {
        throw (E) e;
    }

    @Override
    public @Nullable String contentType() {
        return body.contentType();
    }

    @Override
    public long contentLength() {
        return bytes == null ? body.contentLength() : bytes.length;
    }

    @Override
    public boolean repeatable() {
        return bytes != null || body.repeatable();
    }

    @Override
    public void close() {
        body.close();
    }

    /** Keeps what is written, unless it is too much. */
    private static final class Capped extends ByteArrayOutputStream {
        private boolean full;

        boolean isFull() {
            return full;
        }

        @Override
        public synchronized void write(int b) {
            if (fits(1)) {
                super.write(b);
            }
        }

        @Override
        public synchronized void write(byte[] from, int offset, int length) {
            if (fits(length)) {
                super.write(from, offset, length);
            }
        }

        private boolean fits(int more) {
            full |= count + (long) more > HttpCall.MOST_READ;
            return !full;
        }
    }
}
