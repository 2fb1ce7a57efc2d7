package io.costguard.settle;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;

/**
 * Cuts a stream of AWS event-stream messages into the payload of each that has one, and tells apart those that say that the stream failed. A message
 * is: length of all of it I4, length of its headers I4, a checksum I4, headers, payload, a checksum I4; a header is: length of its name
 * I1, name, type of its value I1, value; all big-endian ("Amazon Transcribe: event stream encoding"; the types and the names of headers
 * are those of "Smithy: Amazon Event Stream"). Checksums are not looked at: a client that cares does.
 */
final class FrameStream implements Framing {
    private static final int LONGEST_FRAME = 16 << 20;
    private static final int PRELUDE = 12;
    private static final int CHECKSUM = 4;

    private static final int BYTES = 6;
    private static final int STRING = 7;
    /** By the type of a value; those that bring their own length are not among these. */
    private static final int[] LENGTHS = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16};

    private final Listener listener;
    private final Consumer<String> failures;
    private final Kept frame = new Kept(LONGEST_FRAME);
    private boolean damaged;

    /** @param failures told the type or the code of a message that comes in place of an event */
    FrameStream(Listener listener, Consumer<String> failures) {
        this.listener = listener;
        this.failures = failures;
    }

    @Override
    public void accept(byte[] bytes, int offset, int count) {
        int at = offset;
        int end = offset + count;
        while (at < end && !damaged) {
            int wanted = frame.length() < PRELUDE ? PRELUDE : total();
            int taken = Math.min(wanted - frame.length(), end - at);
            frame.append(bytes, at, taken);
            at += taken;
            if (frame.length() == PRELUDE && !isSensible()) {
                damaged = true;
            } else if (frame.length() > PRELUDE && frame.length() == total()) {
                tell();
                frame.clear();
            }
        }
    }

    @Override
    public boolean isReadable() {
        return !damaged;
    }

    private int total() {
        return ByteBuffer.wrap(frame.bytes()).getInt();
    }

    private int headers() {
        return ByteBuffer.wrap(frame.bytes()).getInt(4);
    }

    private boolean isSensible() {
        int total = total();
        return total >= PRELUDE + CHECKSUM
                && total <= LONGEST_FRAME
                && headers() >= 0
                && headers() <= total - PRELUDE - CHECKSUM;
    }

    private void tell() {
        String failure = failure(ByteBuffer.wrap(frame.bytes(), PRELUDE, headers()));
        int from = PRELUDE + headers();
        int length = frame.length() - CHECKSUM - from;
        if (!failure.isEmpty()) {
            failures.accept(failure);
        } else if (length > 0) {
            listener.event(frame.bytes(), from, length);
        }
    }

    /** Empty for an event, and for headers that make no sense. */
    private static String failure(ByteBuffer headers) {
        while (headers.hasRemaining()) {
            String name = text(headers, headers.get() & 0xff);
            int type = headers.hasRemaining() ? headers.get() : LENGTHS.length;
            if (type < 0 || type >= LENGTHS.length) {
                return "";
            }
            boolean tellsLength = type == BYTES || type == STRING;
            if (tellsLength && headers.remaining() < Short.BYTES) {
                return "";
            }
            String value = text(headers, tellsLength ? headers.getShort() & 0xffff : LENGTHS[type]);
            if (name.equals(":exception-type") || name.equals(":error-code")) {
                return value;
            }
        }
        return "";
    }

    private static String text(ByteBuffer headers, int length) {
        byte[] text = new byte[Math.min(length, headers.remaining())];
        headers.get(text);
        return new String(text, StandardCharsets.UTF_8);
    }
}
