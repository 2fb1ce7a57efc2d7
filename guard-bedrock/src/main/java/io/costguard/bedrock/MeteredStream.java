package io.costguard.bedrock;

import io.costguard.http.Exchange;
import java.io.FilterInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import software.amazon.awssdk.http.Abortable;
import software.amazon.awssdk.http.AbortableInputStream;

/** A response body that tells its exchange the bytes that are read, as they are read, and how the reading ended. For one thread. */
final class MeteredStream extends FilterInputStream implements Abortable {
    private static final int MOST_SKIPPED = 1 << 13;

    private final AbortableInputStream body;
    private final Exchange exchange;

    MeteredStream(AbortableInputStream body, Exchange exchange) {
        super(body);
        this.body = body;
        this.exchange = exchange;
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
        int count;
        try {
            count = super.read(bytes, offset, length);
        } catch (IOException | RuntimeException | Error e) {
            exchange.cut();
            throw e;
        }
        if (count < 0) {
            exchange.complete();
        } else {
            exchange.bytes(ByteBuffer.wrap(bytes, offset, count));
        }
        return count;
    }

    @Override
    public long skip(long count) throws IOException {
        int skipped = read(new byte[(int) Math.max(0, Math.min(count, MOST_SKIPPED))]);
        return Math.max(0, skipped);
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

    @Override
    public void abort() {
        exchange.cut();
        body.abort();
    }
}
