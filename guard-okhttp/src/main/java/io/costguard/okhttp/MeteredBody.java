package io.costguard.okhttp;

import io.costguard.http.Exchange;
import java.io.IOException;
import java.nio.ByteBuffer;
import okhttp3.MediaType;
import okhttp3.ResponseBody;
import okio.Buffer;
import okio.BufferedSource;
import okio.ForwardingSource;
import okio.Okio;

/** A response body that tells its exchange the bytes that are read, as they are read, and how the reading ended. */
final class MeteredBody extends ResponseBody {
    private final ResponseBody body;
    private final BufferedSource source;

    MeteredBody(ResponseBody body, Exchange exchange) {
        this.body = body;
        this.source = Okio.buffer(new Tee(body.source(), exchange));
    }

    @Override
    public MediaType contentType() {
        return body.contentType();
    }

    @Override
    public long contentLength() {
        return body.contentLength();
    }

    @Override
    public BufferedSource source() {
        return source;
    }

    private static final class Tee extends ForwardingSource {
        private final Exchange exchange;

        Tee(BufferedSource body, Exchange exchange) {
            super(body);
            this.exchange = exchange;
        }

        @Override
        public long read(Buffer sink, long byteCount) throws IOException {
            long count;
            try {
                count = super.read(sink, byteCount);
            } catch (IOException e) {
                exchange.cut();
                throw e;
            }
            if (count < 0) {
                exchange.complete();
                return count;
            }
            Buffer copy = new Buffer();
            sink.copyTo(copy, sink.size() - count, count);
            exchange.bytes(ByteBuffer.wrap(copy.readByteArray()));
            return count;
        }

        @Override
        public void close() throws IOException {
            exchange.cut();
            super.close();
        }
    }
}
