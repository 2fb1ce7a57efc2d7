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

/** A request body that the guard has read, if it can be read, and that is sent as it was. Knows whether it was ever sent. */
final class ReadBody extends RequestBody {
    private final RequestBody body;
    /** What a body that can be written once was found to hold. */
    private final byte @Nullable [] bytes;

    private volatile boolean written;

    private ReadBody(RequestBody body, byte @Nullable [] bytes) {
        this.body = body;
        this.bytes = bytes;
    }

    /** Reads {@code body} for {@code call}, unless it is too long, or can be written once only and might be too long. */
    static ReadBody of(RequestBody body, HttpCall call) throws IOException {
        if (!call.readsBody()) {
            return new ReadBody(body, null);
        }
        long length = body.contentLength();
        if (body.isDuplex() || length > HttpCall.MOST_READ || (body.isOneShot() && length < 0)) {
            call.unreadBody(Math.max(0, length));
            return new ReadBody(body, null);
        }
        CappedSink sink = new CappedSink(new Buffer());
        try {
            sink.fill(body);
        } catch (CappedSink.FullException e) {
            call.unreadBody(HttpCall.MOST_READ);
            return new ReadBody(body, null);
        }
        byte[] bytes = sink.buffer.readByteArray();
        call.body(bytes);
        return new ReadBody(body, body.isOneShot() ? bytes : null);
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
        return body.contentLength();
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
