package io.costguard.settle;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Cuts a stream of AWS event-stream messages into the payload of each. A message is: length of all of it I4, length of its headers I4,
 * a checksum I4, headers, payload, a checksum I4; all big-endian ("Amazon Transcribe: event stream encoding"). Checksums are not looked at: a
 * client that cares does.
 */
final class FrameStream implements Framing {
    private static final int LONGEST_FRAME = 16 << 20;
    private static final int PRELUDE = 12;
    private static final int CHECKSUM = 4;

    private final Listener listener;
    private byte[] frame = new byte[1_024];
    private int length;
    private boolean damaged;

    FrameStream(Listener listener) {
        this.listener = listener;
    }

    @Override
    public void accept(byte[] bytes, int offset, int count) {
        int at = offset;
        int end = offset + count;
        while (at < end && !damaged) {
            int wanted = length < PRELUDE ? PRELUDE : total();
            int taken = Math.min(wanted - length, end - at);
            append(bytes, at, taken);
            at += taken;
            if (length == PRELUDE && !isSensible()) {
                damaged = true;
            } else if (length > PRELUDE && length == total()) {
                tell();
                length = 0;
            }
        }
    }

    @Override
    public boolean isReadable() {
        return !damaged;
    }

    private int total() {
        return ByteBuffer.wrap(frame).getInt();
    }

    private int headers() {
        return ByteBuffer.wrap(frame).getInt(4);
    }

    private boolean isSensible() {
        int total = total();
        return total >= PRELUDE + CHECKSUM
                && total <= LONGEST_FRAME
                && headers() >= 0
                && headers() <= total - PRELUDE - CHECKSUM;
    }

    private void tell() {
        int from = PRELUDE + headers();
        byte[] payload = Arrays.copyOfRange(frame, from, length - CHECKSUM);
        listener.event(payload, payload.length);
    }

    private void append(byte[] bytes, int offset, int count) {
        if (length + count > frame.length) {
            frame = Arrays.copyOf(frame, Math.max(length + count, length * 2));
        }
        System.arraycopy(bytes, offset, frame, length, count);
        length += count;
    }
}
