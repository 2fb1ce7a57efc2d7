package io.costguard.settle;

import java.util.Arrays;

/** Bytes of a body that are kept until what they belong to is whole; of what is longer than a bound, none. Room that was made stays. */
final class Kept {
    private final int longest;
    private byte[] bytes = new byte[1_024];
    private int length;
    private boolean tooLong;
    private boolean everTooLong;

    Kept(int longest) {
        this.longest = longest;
    }

    /** What is kept, and room beyond it. */
    byte[] bytes() {
        return bytes;
    }

    int length() {
        return length;
    }

    void append(byte[] more, int offset, int count) {
        if (tooLong || count > longest - length) {
            tooLong = true;
            everTooLong = true;
            bytes = new byte[0];
            length = 0;
            return;
        }
        if (length + count > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.max(length + count, length * 2));
        }
        System.arraycopy(more, offset, bytes, length, count);
        length += count;
    }

    /** Whether it is beyond the bound. */
    boolean isTooLong() {
        return tooLong;
    }

    /** Whether this or one before it was. */
    boolean wasEverTooLong() {
        return everTooLong;
    }

    /** The next one begins. */
    void clear() {
        length = 0;
        tooLong = false;
    }
}
