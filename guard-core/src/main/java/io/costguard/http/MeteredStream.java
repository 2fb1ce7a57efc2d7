package io.costguard.http;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;

/** A response body that tells its exchange the bytes that are read, as they are read, and how the reading ended. For one thread. */
public class MeteredStream extends FilterInputStream {
    private static final int MOST_SKIPPED = 1 << 13;

    private final Exchange exchange;

    /**
     * Tells {@code exchange} of {@code body}.
     *
     * @param body as the client has it
     * @param exchange of the call
     */
    public MeteredStream(InputStream body, Exchange exchange) {
        super(body);
        this.exchange = exchange;
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : Byte.toUnsignedInt(one[0]);
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
        return readNBytes((int) Math.max(0, Math.min(count, MOST_SKIPPED))).length;
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
