package io.costguard.settle;

import java.nio.ByteBuffer;
import java.util.Locale;
import java.util.Optional;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import org.jspecify.annotations.Nullable;

/** Undoes a response's content encoding on a copy, piece by piece: none, gzip (RFC 1952) and deflate (RFC 1950). */
final class Decoder {
    private static final long MOST_DECODED = 1L << 30;
    private static final int PIECE = 8_192;
    private static final int HEADER_CRC = 2;
    private static final int HEADER_EXTRA = 4;
    private static final int HEADER_NAME = 8;
    private static final int HEADER_COMMENT = 16;
    private static final int FIXED_HEADER = 10;
    private static final int[] MAGIC = {0x1f, 0x8b, 8};

    private final Encoding encoding;
    /** Of an encoding that has one. */
    private final @Nullable Inflater inflater;

    private byte[] out = new byte[0];
    private long decoded;
    private Header header = Header.FIXED;
    private int headerBytes;
    private int flags;
    private int extra;

    private enum Encoding {
        NONE,
        GZIP,
        DEFLATE
    }

    /** Where in the header of gzip the next byte lies. */
    private enum Header {
        FIXED,
        EXTRA_LENGTH,
        EXTRA,
        NAME,
        COMMENT,
        CRC,
        OVER
    }

    /** Takes what was decoded, and leaves it as it is: it may be the body's own. */
    @FunctionalInterface
    interface Sink {
        void accept(byte[] bytes, int offset, int length);
    }

    private Decoder(Encoding encoding) {
        this.encoding = encoding;
        this.inflater = encoding == Encoding.NONE ? null : new Inflater(encoding == Encoding.GZIP);
    }

    /** The decoder of an encoding, if it is one that can be undone here. */
    static Optional<Decoder> of(String contentEncoding) {
        return switch (contentEncoding.strip().toLowerCase(Locale.ROOT)) {
            case "", "identity" -> Optional.of(new Decoder(Encoding.NONE));
            case "gzip", "x-gzip" -> Optional.of(new Decoder(Encoding.GZIP));
            case "deflate" -> Optional.of(new Decoder(Encoding.DEFLATE));
            default -> Optional.empty();
        };
    }

    /**
     * Leaves the buffer as it is.
     *
     * @throws DataFormatException where the bytes are not what the encoding says, or far too many
     */
    void decode(ByteBuffer bytes, Sink sink) throws DataFormatException {
        if (inflater != null) {
            inflate(bytes.duplicate(), inflater, sink);
        } else if (bytes.hasArray()) {
            sink.accept(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining());
        } else {
            ByteBuffer in = bytes.duplicate();
            while (in.hasRemaining()) {
                int count = Math.min(PIECE, in.remaining());
                in.get(out(count), 0, count);
                sink.accept(out, 0, count);
            }
        }
    }

    private void inflate(ByteBuffer in, Inflater inflater, Sink sink) throws DataFormatException {
        while (encoding == Encoding.GZIP && header != Header.OVER && in.hasRemaining()) {
            headerByte(in.get() & 0xff);
            skipAbsentHeaders();
        }
        inflater.setInput(in);
        while (!inflater.finished()) {
            int count = inflater.inflate(out(PIECE));
            if (count == 0) {
                return;
            }
            decoded += count;
            if (decoded > MOST_DECODED) {
                throw new DataFormatException("too much");
            }
            sink.accept(out, 0, count);
        }
        inflater.end();
    }

    /** Gives back its memory, where no more is to be decoded. */
    void end() {
        if (inflater != null) {
            inflater.end();
        }
        out = new byte[0];
    }

    private byte[] out(int length) {
        if (out.length < length) {
            out = new byte[length];
        }
        return out;
    }

    private void headerByte(int b) throws DataFormatException {
        headerBytes++;
        switch (header) {
            case FIXED -> {
                if (headerBytes <= MAGIC.length && b != MAGIC[headerBytes - 1]) {
                    throw new DataFormatException("not gzip");
                } else if (headerBytes == 4) {
                    flags = b;
                } else if (headerBytes == FIXED_HEADER) {
                    next(Header.EXTRA_LENGTH);
                }
            }
            case EXTRA_LENGTH -> {
                extra |= b << (8 * (headerBytes - 1));
                if (headerBytes == 2) {
                    next(extra == 0 ? Header.NAME : Header.EXTRA);
                }
            }
            case EXTRA -> {
                if (headerBytes == extra) {
                    next(Header.NAME);
                }
            }
            case NAME -> {
                if (b == 0) {
                    next(Header.COMMENT);
                }
            }
            case COMMENT -> {
                if (b == 0) {
                    next(Header.CRC);
                }
            }
            case CRC -> {
                if (headerBytes == 2) {
                    next(Header.OVER);
                }
            }
            case OVER -> {}
        }
    }

    private void skipAbsentHeaders() {
        if (header == Header.EXTRA_LENGTH && (flags & HEADER_EXTRA) == 0) {
            next(Header.NAME);
        }
        if (header == Header.NAME && (flags & HEADER_NAME) == 0) {
            next(Header.COMMENT);
        }
        if (header == Header.COMMENT && (flags & HEADER_COMMENT) == 0) {
            next(Header.CRC);
        }
        if (header == Header.CRC && (flags & HEADER_CRC) == 0) {
            next(Header.OVER);
        }
    }

    private void next(Header following) {
        header = following;
        headerBytes = 0;
    }
}
