package io.costguard.settle;

import io.costguard.describe.JsonPaths;
import io.costguard.describe.JsonScan;

/** Cuts a body into its lines, each a JSON document (<a href="https://github.com/ndjson/ndjson-spec">NDJSON</a>). */
final class LineStream implements Framing {
    private static final int LONGEST_LINE = 4 << 20;
    private static final JsonPaths NOTHING = JsonPaths.of();

    private final Listener listener;
    private final Kept kept = new Kept(LONGEST_LINE);
    /** How much of the line has been told already, as it was whole. */
    private int told;

    LineStream(Listener listener) {
        this.listener = listener;
    }

    @Override
    public void accept(byte[] bytes, int offset, int count) {
        int from = offset;
        for (int i = offset; i < offset + count; i++) {
            if (bytes[i] == '\n') {
                kept.append(bytes, from, i - from);
                from = i + 1;
                tell(end());
                kept.clear();
                told = 0;
            }
        }
        kept.append(bytes, from, offset + count - from);
    }

    /** A line that has no end yet is told if its end is all that it lacks. */
    @Override
    public void readOn() {
        int end = end();
        if (JsonScan.read(kept.bytes(), 0, end, NOTHING, field -> {})) {
            tell(end);
        }
    }

    private int end() {
        int end = kept.length();
        while (end > 0 && kept.bytes()[end - 1] <= ' ') {
            end--;
        }
        return end;
    }

    private void tell(int end) {
        if (end > told) {
            listener.event(kept.bytes(), 0, end);
            told = end;
        }
    }

    @Override
    public boolean isReadable() {
        return !kept.wasEverTooLong();
    }
}
