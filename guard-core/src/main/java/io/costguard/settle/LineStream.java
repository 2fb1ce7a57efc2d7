package io.costguard.settle;

import java.util.Arrays;

/** Cuts a body into its lines, each a JSON document (<a href="https://github.com/ndjson/ndjson-spec">NDJSON</a>). */
final class LineStream implements Framing {
    private static final int LONGEST_LINE = 4 << 20;

    private final Listener listener;
    private byte[] line = new byte[1_024];
    private int length;
    /** How much of the line has been told already, as it was whole. */
    private int told;

    private boolean tooLong;
    private boolean everTooLong;

    LineStream(Listener listener) {
        this.listener = listener;
    }

    @Override
    public void accept(byte[] bytes, int offset, int count) {
        int from = offset;
        for (int i = offset; i < offset + count; i++) {
            if (bytes[i] == '\n') {
                append(bytes, from, i - from);
                from = i + 1;
                readOn();
                length = 0;
                told = 0;
                tooLong = false;
            }
        }
        append(bytes, from, offset + count - from);
    }

    /** A line that has no end yet is told where that is all that lacks: a closing brace ends it. */
    @Override
    public void readOn() {
        int end = length;
        while (end > 0 && line[end - 1] <= ' ') {
            end--;
        }
        if (end > told && !tooLong && line[end - 1] == '}') {
            listener.event(line, end);
            told = end;
        }
    }

    @Override
    public boolean isReadable() {
        return !everTooLong;
    }

    private void append(byte[] bytes, int offset, int count) {
        if (count > LONGEST_LINE - length) {
            tooLong = true;
            everTooLong = true;
            return;
        }
        if (length + count > line.length) {
            line = Arrays.copyOf(line, Math.max(length + count, length * 2));
        }
        System.arraycopy(bytes, offset, line, length, count);
        length += count;
    }
}
