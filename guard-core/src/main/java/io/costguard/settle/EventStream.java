package io.costguard.settle;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Cuts a stream of server-sent events into the data of each, as the HTML standard has it ("Server-sent events"): lines end with LF, CR
 * or both, an event ends with an empty line, its data lines are joined by LF. Everything but data is passed over. An event beyond a
 * bound is dropped.
 */
final class EventStream implements Framing {
    private static final int LONGEST_EVENT = 4 << 20;
    private static final VarHandle EIGHT = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final long ABOVE_CR = 0x0e0e0e0e0e0e0e0eL;
    private static final long HIGHEST_BITS = 0x8080808080808080L;
    private static final byte[] LINE_FEED = {'\n'};
    private static final byte[] DATA = {'d', 'a', 't', 'a', ':'};
    /** As most have it: {@code data:} and a blank. */
    private static final int DATA_BLANK = 6;

    private static final byte[] EVENT_END = {'\n', '\n'};

    private static final long DATA_BLANK_BYTES = 0x20_3a_61_74_61_64L;
    private static final long FIRST_SIX = 0xffff_ffff_ffffL;

    private static final byte[] BYTE_ORDER_MARK = {(byte) 0xef, (byte) 0xbb, (byte) 0xbf};

    private final Listener listener;
    private final Kept kept = new Kept(LONGEST_EVENT);
    private boolean hasData;
    /** How many bytes of the line have come, as long as they may be the beginning of "data:". */
    private int matched;

    /** Likewise of the mark that the stream may begin with; all of it once anything else has come. */
    private int marked;

    private Line line = Line.BEGINS;
    private boolean afterCarriageReturn;

    private enum Line {
        BEGINS,
        DATA_BEGINS,
        DATA,
        OTHER
    }

    EventStream(Listener listener) {
        this.listener = listener;
    }

    @Override
    public boolean isReadable() {
        return !kept.wasEverTooLong();
    }

    @Override
    public void accept(byte[] bytes, int offset, int count) {
        int end = offset + count;
        for (int i = offset; i < end; i++) {
            if (line == Line.BEGINS && matched == 0 && !hasData) {
                int whole = toldWhole(bytes, i, end);
                if (whole > 0) {
                    i += whole - 1;
                    continue;
                }
            }
            if (line == Line.DATA || line == Line.OTHER) {
                int from = i;
                i = lineEnd(bytes, from, end);
                if (line == Line.DATA) {
                    kept.append(bytes, from, i - from);
                }
                if (i == end) {
                    return;
                }
            }
            byte b = bytes[i];
            if (b == '\n' && afterCarriageReturn) {
                afterCarriageReturn = false;
            } else if (b == '\n' || b == '\r') {
                afterCarriageReturn = b == '\r';
                lineEnds();
            } else {
                afterCarriageReturn = false;
                inLine(b);
            }
        }
    }

    /**
     * Tells an event that is all here, in one line, and ends with two LFs, as most are: without a copy.
     *
     * @return its length; 0 if this is none
     */
    private int toldWhole(byte[] bytes, int at, int end) {
        if (at + Long.BYTES > end || ((long) EIGHT.get(bytes, at) & FIRST_SIX) != DATA_BLANK_BYTES) {
            return 0;
        }
        int from = at + DATA_BLANK;
        int length = listener.anotherEvent(bytes, from, end, EVENT_END);
        if (length == 0) {
            int to = lineEnd(bytes, from, end);
            if (to + 1 >= end || bytes[to] != '\n' || bytes[to + 1] != '\n' || to - from > LONGEST_EVENT) {
                return 0;
            }
            length = to - from;
            listener.event(bytes, from, length);
        }
        marked = BYTE_ORDER_MARK.length;
        afterCarriageReturn = false;
        return DATA_BLANK + length + EVENT_END.length;
    }

    /** Eight bytes at a time are passed over that are all above CR (Anderson, "Bit Twiddling Hacks": a word has a byte less than n). */
    private static int lineEnd(byte[] bytes, int from, int end) {
        int at = from;
        while (at < end) {
            if (at <= end - Long.BYTES) {
                long eight = (long) EIGHT.get(bytes, at);
                if (((eight - ABOVE_CR) & ~eight & HIGHEST_BITS) == 0) {
                    at += Long.BYTES;
                    continue;
                }
            }
            if (bytes[at] == '\n' || bytes[at] == '\r') {
                return at;
            }
            at++;
        }
        return end;
    }

    private void inLine(byte b) {
        switch (line) {
            case BEGINS -> {
                if (marked < BYTE_ORDER_MARK.length && b == BYTE_ORDER_MARK[marked]) {
                    marked++;
                    return;
                }
                marked = BYTE_ORDER_MARK.length;
                if (b == DATA[matched]) {
                    matched++;
                    if (matched == DATA.length) {
                        line = Line.DATA_BEGINS;
                        if (hasData) {
                            kept.append(LINE_FEED, 0, 1);
                        }
                        hasData = true;
                    }
                } else {
                    line = Line.OTHER;
                }
            }
            case DATA_BEGINS -> {
                line = Line.DATA;
                if (b != ' ') {
                    kept.append(new byte[] {b}, 0, 1);
                }
            }
            case DATA, OTHER -> {} // which are taken up to the end of the line at once
        }
    }

    private void lineEnds() {
        if (line == Line.BEGINS && matched == 0) {
            eventEnds();
        }
        line = Line.BEGINS;
        matched = 0;
    }

    private void eventEnds() {
        if (hasData && !kept.isTooLong()) {
            listener.event(kept.bytes(), 0, kept.length());
        }
        kept.clear();
        hasData = false;
    }
}
