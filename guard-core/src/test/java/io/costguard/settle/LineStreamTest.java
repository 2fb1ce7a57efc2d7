package io.costguard.settle;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.testing.Recordings;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class LineStreamTest {
    private static final int TIMES = 3_000;
    private static final int LONGEST_LINE = 4 << 20;

    private final List<String> told = new ArrayList<>();
    private final LineStream stream = new LineStream(
            (data, offset, length) -> told.add(new String(data, offset, length, StandardCharsets.ISO_8859_1)));

    @Test
    void linesAreToldHoweverTheyAreCut() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int i = 0; i < TIMES; i++) {
            told.clear();
            List<String> expected = new ArrayList<>();
            StringBuilder body = new StringBuilder();
            for (int line = random.nextInt(6); line > 0; line--) {
                if (random.nextInt(4) == 0) {
                    body.append(" \r\n");
                } else {
                    String document = "{\"a\":\"" + "x".repeat(random.nextInt(3_000)) + "\"}";
                    expected.add(document);
                    body.append(document).append(random.nextBoolean() ? "\r\n" : "\n");
                }
            }
            accept(body.toString(), 1 + random.nextInt(4_096));
            assertThat(told).as("seed %d", seed).isEqualTo(expected);
            assertThat(stream.isReadable()).isTrue();
        }
    }

    @Test
    void whatIsNoLineIsPassedOver() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        int[] length = {0};
        LineStream noise = new LineStream((data, offset, count) -> length[0] += count);
        long total = 0;
        for (int i = 0; i < TIMES; i++) {
            byte[] bytes = new byte[random.nextInt(500)];
            random.nextBytes(bytes);
            total += bytes.length;
            noise.accept(bytes, 0, bytes.length);
            noise.readOn();
        }
        assertThat(noise.isReadable()).isTrue();
        assertThat((long) length[0]).as("seed %d", seed).isLessThan(total);
    }

    @Test
    void aLineBeyondTheBoundIsDroppedAndTakesNoMoreMemory() {
        String piece = "x".repeat(LONGEST_LINE / 4);
        for (int i = 0; i < 5; i++) {
            accept(piece, piece.length());
        }
        byte[] more = piece.getBytes(StandardCharsets.ISO_8859_1);
        long before = Allocated.bytes();
        for (int i = 0; i < 100; i++) {
            stream.accept(more, 0, more.length);
        }

        assertThat(Allocated.bytes() - before).isLessThan(1_000_000);
        assertThat(stream.isReadable()).isFalse();
        accept("}\n{\"next\":1}\n", 17);
        assertThat(told).containsExactly("{\"next\":1}");
    }

    @Test
    void aLastLineIsToldWithoutItsEndAndOnlyOnce() {
        accept("{\"a\":1}\n{\"b\":2}", 17);
        assertThat(told).containsExactly("{\"a\":1}");

        stream.readOn();
        stream.readOn();
        accept("\n", 1);

        assertThat(told).containsExactly("{\"a\":1}", "{\"b\":2}");
    }

    private void accept(String body, int longest) {
        for (byte[] piece : Recordings.pieces(body.getBytes(StandardCharsets.ISO_8859_1), longest)) {
            stream.accept(piece, 0, piece.length);
        }
    }
}
