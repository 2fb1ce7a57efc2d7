package io.costguard.settle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import java.util.zip.DataFormatException;
import java.util.zip.Deflater;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What an encoding is undone to, in whatever pieces it comes. */
class DecoderTest {
    private static final String TEXT = "what was said, ".repeat(2_000);
    private static final int EXTRA = 4;
    private static final int NAME = 8;
    private static final int COMMENT = 16;
    private static final int CRC = 2;

    /** Each of the fields that RFC 1952 has in a header, alone and all together. */
    @ParameterizedTest
    @ValueSource(ints = {0, EXTRA, NAME, COMMENT, CRC, EXTRA | CRC, NAME | COMMENT, EXTRA | NAME | COMMENT | CRC})
    void whateverAHeaderOfGzipHasIsPassedOver(int flags) throws DataFormatException {
        byte[] encoded = gzip(flags, 300);

        assertThat(decoded("gzip", encoded, 1)).isEqualTo(TEXT);
        assertThat(decoded("x-gzip", encoded, encoded.length)).isEqualTo(TEXT);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 255, 256})
    void anExtraFieldIsAsLongAsItSays(int length) throws DataFormatException {
        assertThat(decoded("gzip", gzip(EXTRA, length), 7)).isEqualTo(TEXT);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2})
    void whatDoesNotBeginAsGzipIsNone(int at) {
        byte[] encoded = gzip(0, 0);
        encoded[at]++;

        assertThatExceptionOfType(DataFormatException.class).isThrownBy(() -> decoded("gzip", encoded, 5));
    }

    @Test
    void whatFollowsTheEndIsPassedOver() throws DataFormatException {
        byte[] encoded = gzip(0, 0);
        ByteArrayOutputStream more = new ByteArrayOutputStream();
        more.writeBytes(encoded);
        more.writeBytes(new byte[100]);

        assertThat(decoded("gzip", more.toByteArray(), encoded.length)).isEqualTo(TEXT);
    }

    @ParameterizedTest
    @CsvSource({"deflate, false", "DEFLATE, true"})
    void deflateIsUndoneInAnyBuffer(String encoding, boolean direct) throws DataFormatException {
        byte[] encoded = deflated(false);
        ByteBuffer buffer = direct ? ByteBuffer.allocateDirect(encoded.length) : ByteBuffer.allocate(encoded.length);
        buffer.put(encoded).flip();
        ByteArrayOutputStream out = new ByteArrayOutputStream();

        decoder(encoding).orElseThrow().decode(buffer, out::write);

        assertThat(out.toString(StandardCharsets.UTF_8)).isEqualTo(TEXT);
        assertThat(buffer.position()).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "identity", " Identity "})
    void whatIsNotEncodedIsTakenAsItIsFromAnyBuffer(String encoding) throws DataFormatException {
        byte[] bytes = TEXT.getBytes(StandardCharsets.UTF_8);
        ByteBuffer part = ByteBuffer.wrap(bytes, 5, bytes.length - 9).slice();
        part.position(3);
        ByteBuffer direct =
                ByteBuffer.allocateDirect(bytes.length).put(bytes).position(8).limit(bytes.length - 4);

        for (ByteBuffer each : new ByteBuffer[] {part, direct, part.asReadOnlyBuffer()}) {
            int before = each.position();
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            decoder(encoding).orElseThrow().decode(each, out::write);
            assertThat(out.toString(StandardCharsets.UTF_8)).isEqualTo(TEXT.substring(8, TEXT.length() - 4));
            assertThat(each.position()).isEqualTo(before);
        }
    }

    @Test
    void whatIsNotEncodedAndLiesElsewhereIsToldInPieces() throws DataFormatException {
        ByteBuffer direct = ByteBuffer.allocateDirect(20_000);
        int[] most = {0};

        decoder("").orElseThrow().decode(direct, (bytes, offset, length) -> most[0] = Math.max(most[0], length));

        assertThat(most[0]).isEqualTo(8_192);
    }

    @Test
    void nothingIsDecodedAfterTheEnd() {
        Decoder decoder = decoder("deflate").orElseThrow();
        decoder.end();

        // A NullPointerException, from Java 25 on an IllegalStateException.
        assertThatExceptionOfType(RuntimeException.class)
                .isThrownBy(() -> decoder.decode(ByteBuffer.wrap(deflated(false)), (bytes, offset, length) -> {}));
    }

    @Test
    void anEncodingThatIsNotKnownHasNoDecoder() {
        assertThat(decoder("br")).isEmpty();
    }

    private static Optional<Decoder> decoder(String encoding) {
        return Decoder.of(encoding);
    }

    private static String decoded(String encoding, byte[] encoded, int piece) throws DataFormatException {
        Decoder decoder = decoder(encoding).orElseThrow();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (int at = 0; at < encoded.length; at += piece) {
            decoder.decode(ByteBuffer.wrap(encoded, at, Math.min(piece, encoded.length - at)), out::write);
        }
        return out.toString(StandardCharsets.UTF_8);
    }

    private static byte[] gzip(int flags, int extra) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(new byte[] {0x1f, (byte) 0x8b, 8, (byte) flags, 1, 2, 3, 4, 0, 3});
        if ((flags & EXTRA) != 0) {
            out.write(extra & 0xff);
            out.write(extra >> 8);
            out.writeBytes(new byte[extra]);
        }
        if ((flags & NAME) != 0) {
            out.writeBytes("a name\0".getBytes(StandardCharsets.ISO_8859_1));
        }
        if ((flags & COMMENT) != 0) {
            out.writeBytes("a comment\0".getBytes(StandardCharsets.ISO_8859_1));
        }
        if ((flags & CRC) != 0) {
            out.writeBytes(new byte[] {7, 7});
        }
        out.writeBytes(deflated(true));
        return out.toByteArray();
    }

    private static byte[] deflated(boolean raw) {
        Deflater deflater = new Deflater(Deflater.BEST_SPEED, raw);
        deflater.setInput(TEXT.getBytes(StandardCharsets.UTF_8));
        deflater.finish();
        byte[] out = new byte[TEXT.length()];
        int length = deflater.deflate(out);
        deflater.end();
        return Arrays.copyOf(out, length);
    }
}
