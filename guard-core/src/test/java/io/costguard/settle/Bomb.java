package io.costguard.settle;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.describe.Dialect;
import io.costguard.describe.Target;
import io.costguard.describe.dialects.Dialects;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.zip.CRC32;
import java.util.zip.Deflater;

/**
 * A process that meters a response which is ten gigabytes long once it is decoded, and fails where it holds more than a megabyte for it, or
 * changes a byte of it.
 */
final class Bomb {
    private static final int BLOCK = 1 << 20;
    private static final int BLOCKS = 10 << 10;
    private static final long MOST_HELD = 1 << 20;
    private static final byte[] GZIP_HEADER = {0x1f, (byte) 0x8b, 8, 0, 0, 0, 0, 0, 0, 0};

    private Bomb() {}

    /** Arguments: the content encoding; the content type; what the body begins with; what comes again and again; what it ends with. */
    public static void main(String[] args) {
        Dialect dialect = Dialects.bundled()
                .of(Target.of("POST", URI.create("https://api.openai.com/v1/chat/completions")))
                .orElseThrow();
        Meter meter = new Meter(dialect, "another-model", args[1], args[0]);
        Deflater deflater = new Deflater(Deflater.BEST_COMPRESSION, args[0].equals("gzip"));
        feed(meter, args[0].equals("gzip") ? GZIP_HEADER : new byte[0], 1);
        feed(meter, deflated(deflater, args[2].getBytes(StandardCharsets.UTF_8)), 1);
        byte[] block = new byte[BLOCK];
        Arrays.fill(block, (byte) args[3].charAt(0));
        // Flushed in full, so that it looks at nothing before it and may come again; the first one warms up.
        byte[] encoded = deflated(deflater, block);
        byte[] end = deflated(deflater, args[4].getBytes(StandardCharsets.UTF_8));
        deflater.end();
        feed(meter, encoded, 1);
        long before = heapHeld();
        for (int i = 0; i < 10; i++) {
            feed(meter, encoded, BLOCKS / 10);
            assertThat(heapHeld()).isLessThan(before + MOST_HELD);
        }
        feed(meter, end, 1);
        assertThat(meter.result().state()).isEqualTo(Metered.State.UNREADABLE);
        assertThat(meter.result().usage()).isEmpty();
    }

    private static void feed(Meter meter, byte[] piece, int times) {
        long before = checksum(piece);
        for (int i = 0; i < times; i++) {
            ByteBuffer bytes = ByteBuffer.wrap(piece);
            meter.accept(bytes);
            assertThat(bytes.position()).isZero();
        }
        assertThat(checksum(piece)).isEqualTo(before);
    }

    private static long checksum(byte[] bytes) {
        CRC32 checksum = new CRC32();
        checksum.update(bytes);
        return checksum.getValue();
    }

    private static byte[] deflated(Deflater deflater, byte[] bytes) {
        byte[] out = new byte[bytes.length + 100];
        deflater.setInput(bytes);
        return Arrays.copyOf(out, deflater.deflate(out, 0, out.length, Deflater.FULL_FLUSH));
    }

    private static long heapHeld() {
        System.gc();
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }
}
