package io.costguard.settle;

import java.util.Arrays;

/** Bytes of a body that are kept until what they belong to is whole; room that was made stays. */
final class Kept {
    private byte[] bytes = new byte[1_024];
    private int length;

    /** What is kept, and room beyond it. */
    byte[] bytes() {
        return bytes;
    }

    int length() {
        return length;
    }

    void append(byte[] more, int offset, int count) {
        if (length + count > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.max(length + count, length * 2));
        }
        System.arraycopy(more, offset, bytes, length, count);
        length += count;
    }

    void clear() {
        length = 0;
    }
}
