package io.costguard.okhttp;

import io.costguard.http.HttpCall;
import java.io.IOException;
import okhttp3.MediaType;
import okhttp3.RequestBody;
import okio.Buffer;
import okio.BufferedSink;
import okio.ForwardingSink;
import okio.Okio;
import org.jspecify.annotations.Nullable;

/**
 * A request body that the guard has read, if it can be read, and that is sent as it was, or as the guard says. Knows whether it was ever sent.
 */
final class ReadBody extends RequestBody {
    private final RequestBody body;
    /** What is sent of a body that can be written once, or is not sent as it was. */
    private final byte @Nullable [] bytes;
    /** How many of them are not the caller's. */
    private final int added;

    private volatile boolean written;

    private ReadBody(RequestBody body, byte @Nullable [] bytes, int added) {
        this.body = body;
        this.bytes = bytes;
        this.added = added;
    }

    private static ReadBody asItWas(RequestBody body) {
        return new ReadBody(body, null, 0);
    }

    /** Reads {@code body} for {@code call}, unless it is too long, or can be written once only and might be too long. */
    static ReadBody of(RequestBody body, HttpCall call) throws IOException {
        if (!call.readsBody()) {
            return asItWas(body);
        }
        long length = body.contentLength();
        if (body.isDuplex() || length > HttpCall.MOST_READ || (body.isOneShot() && length < 0)) {
            call.unreadBody(Math.max(0, length));
            return asItWas(body);
        }
        CappedSink sink = new CappedSink(new Buffer());
        try {
            sink.fill(body);
        } catch (CappedSink.FullException e) {
            call.unreadBody(HttpCall.MOST_READ);
            return asItWas(body);
        }
        byte[] bytes = sink.buffer.readByteArray();
        byte[] sent = call.body(bytes);
        return sent == bytes && !body.isOneShot()
                ? asItWas(body)
                : new ReadBody(body, sent, sent.length - bytes.length);
    }

    /** Whether somebody asked for its bytes in order to send them. Until then, none has left this process. */
    boolean wasWritten() {
        return written;
    }

    @Override
    public void writeTo(BufferedSink sink) throws IOException {
        written = true;
        if (bytes != null) {
            sink.write(bytes);
        } else {
            body.writeTo(sink);
        }
    }

    @Override
    public @Nullable MediaType contentType() {
        return body.contentType();
    }

    @Override
    public long contentLength() throws IOException {
        long length = body.contentLength();
        return length < 0 ? length : length + added;
    }

    @Override
    public boolean isDuplex() {
        return body.isDuplex();
    }

    @Override
    public boolean isOneShot() {
        return body.isOneShot();
    }

    /** Takes a request body into memory, as long as it is not too long. */
    private static final class CappedSink extends ForwardingSink {
        private final Buffer buffer;

        /** Ends the writing of a body that is too long. */
        private static final class FullException extends IOException {
            private static final long serialVersionUID = 1L;
        }

        CappedSink(Buffer buffer) {
            super(buffer);
            this.buffer = buffer;
        }

        void fill(RequestBody body) throws IOException {
            BufferedSink sink = Okio.buffer(this);
            body.writeTo(sink);
            sink.flush();
        }

        @Override
        public void write(Buffer source, long byteCount) throws IOException {
            if (buffer.size() + byteCount > HttpCall.MOST_READ) {
                throw new FullException();
            }
            super.write(source, byteCount);
        }
    }
}
