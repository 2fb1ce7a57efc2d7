package io.costguard.anthropic;

import com.anthropic.core.http.Headers;
import com.anthropic.core.http.HttpResponse;
import io.costguard.http.Exchange;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.Optional;

/** A response that tells its exchange the bytes that are read, as they are read, and how the reading ended. */
final class MeteredResponse implements HttpResponse {
    private final HttpResponse response;
    private final Exchange exchange;
    private final InputStream body;

    private MeteredResponse(HttpResponse response, Exchange exchange) {
        this.response = response;
        this.exchange = exchange;
        this.body = new Tee(response.body(), exchange);
    }

    static MeteredResponse of(HttpResponse response, Exchange exchange) {
        exchange.answered(
                response.statusCode(),
                name -> response.headers().values(name).stream().findFirst());
        return new MeteredResponse(response, exchange);
    }

    @Override
    public int statusCode() {
        return response.statusCode();
    }

    @Override
    public Headers headers() {
        return response.headers();
    }

    @Override
    public Optional<String> requestId() {
        return response.requestId();
    }

    @Override
    public Optional<String> workspaceId() {
        return response.workspaceId();
    }

    @Override
    public InputStream body() {
        return body;
    }

    @Override
    public void close() {
        exchange.cut();
        response.close();
    }

    private static final class Tee extends FilterInputStream {
        private final Exchange exchange;

        Tee(InputStream body, Exchange exchange) {
            super(body);
            this.exchange = exchange;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : Byte.toUnsignedInt(one[0]);
        }

        @Override
        public int read(byte[] to, int offset, int length) throws IOException {
            int count;
            try {
                count = super.read(to, offset, length);
            } catch (IOException | RuntimeException | Error e) {
                exchange.cut();
                throw e;
            }
            if (count < 0) {
                exchange.complete();
            } else {
                exchange.bytes(ByteBuffer.wrap(to, offset, count));
            }
            return count;
        }

        @Override
        public long skip(long count) throws IOException {
            return readNBytes((int) Math.max(0, Math.min(count, 8_192))).length;
        }

        @Override
        public boolean markSupported() {
            return false;
        }

        @Override
        public void close() throws IOException {
            exchange.cut();
            super.close();
        }
    }
}
