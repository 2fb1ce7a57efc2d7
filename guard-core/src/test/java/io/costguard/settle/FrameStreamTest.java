package io.costguard.settle;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.testing.Recordings;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class FrameStreamTest {
    private static final int TIMES = 3_000;
    private static final int LONGEST_FRAME = 16 << 20;
    private static final int PRELUDE = 12;

    private final List<String> told = new ArrayList<>();
    private final FrameStream stream = new FrameStream(
            (data, offset, length) -> told.add(new String(data, offset, length, StandardCharsets.ISO_8859_1)),
            failure -> told.add("failed: " + failure));

    @Test
    void framesAreToldHoweverTheyAreCut() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int i = 0; i < TIMES; i++) {
            told.clear();
            List<String> expected = new ArrayList<>();
            ByteArrayOutputStream body = new ByteArrayOutputStream();
            for (int frame = random.nextInt(6); frame > 0; frame--) {
                byte[] payload = bytes(random, 1 + random.nextInt(3_000));
                boolean failed = random.nextInt(4) == 0;
                String type = "type" + random.nextInt(100);
                expected.add(failed ? "failed: " + type : new String(payload, StandardCharsets.ISO_8859_1));
                body.writeBytes(Frames.frame(Map.of(failed ? ":exception-type" : ":event-type", type), payload));
            }
            for (byte[] piece : Recordings.pieces(body.toByteArray(), 1 + random.nextInt(4_096))) {
                stream.accept(piece, 0, piece.length);
            }
            assertThat(told).as("seed %d", seed).isEqualTo(expected);
            assertThat(stream.isReadable()).isTrue();
        }
    }

    @Test
    void damagedFramesAreReadToWhereTheyMakeSense() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        byte[] recorded = Recordings.of("bedrock-converse-stream-titan").response();
        for (int i = 0; i < TIMES; i++) {
            byte[] damaged = recorded.clone();
            for (int flips = 1 + random.nextInt(8); flips > 0; flips--) {
                damaged[random.nextInt(damaged.length)] = (byte) random.nextInt(256);
            }
            List<String> seen = new ArrayList<>();
            int[] length = {0};
            FrameStream damagedStream =
                    new FrameStream((data, offset, count) -> length[0] += count, failure -> seen.add(failure));
            for (byte[] piece : Recordings.pieces(damaged, 1 + random.nextInt(64))) {
                damagedStream.accept(piece, 0, piece.length);
            }
            assertThat(length[0]).as("seed %d", seed).isLessThan(damaged.length);
            assertThat(seen.size()).isLessThan(damaged.length / 16);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "15, 0",
        "0, 0",
        "-1, 0",
        "-2147483648, 0",
        "2147483647, 0",
        "16777217, 0",
        "100, -1",
        "100, 85",
        "100, 2147483647",
        "16, 1"
    })
    void lengthsThatMakeNoSenseEndTheReading(int total, int headers) {
        byte[] before = Frames.event("chunk", "before");
        byte[] damaged = lengths(64, total, headers);
        byte[] after = Frames.event("chunk", "after");
        byte[] all = Frames.joined(before, damaged, after);

        stream.accept(all, 0, before.length + PRELUDE);
        assertThat(stream.isReadable()).isFalse();

        stream.accept(all, before.length + PRELUDE, all.length - before.length - PRELUDE);
        assertThat(told).containsExactly("before");
    }

    @Test
    void aHugeLengthTakesNoMemoryUntilItsBytesCome() {
        byte[] prelude = lengths(PRELUDE, LONGEST_FRAME, 0);
        stream.accept(prelude, 0, prelude.length);
        byte[] piece = new byte[1_000];
        long before = Allocated.bytes();
        for (int i = 0; i < 100; i++) {
            stream.accept(piece, 0, piece.length);
        }

        assertThat(Allocated.bytes() - before).isLessThan(1_000_000);
        assertThat(stream.isReadable()).isTrue();
        assertThat(told).isEmpty();
    }

    @Test
    void theLongestFrameIsTold() {
        byte[] frame = Frames.frame(new byte[0], new byte[LONGEST_FRAME - 16]);

        stream.accept(frame, 0, frame.length);

        assertThat(told)
                .singleElement()
                .satisfies(payload -> assertThat(payload).hasSize(LONGEST_FRAME - 16));
    }

    @Test
    void aFrameWithoutAPayloadIsNoDocument() {
        byte[] all = Frames.joined(
                Frames.event("start", ""), Frames.event("chunk", "a"), Frames.frame(new byte[0], new byte[0]));

        stream.accept(all, 0, all.length);

        assertThat(told).containsExactly("a");
        assertThat(stream.isReadable()).isTrue();
    }

    @Test
    void headersOfAllTypesArePassedOver() {
        ByteArrayOutputStream headers = new ByteArrayOutputStream();
        int[] lengths = {0, 0, 1, 2, 4, 8, 2 + 3, 2 + 5, 8, 16};
        for (int type = 0; type < lengths.length; type++) {
            Frames.header(headers, "name" + type, type);
            byte[] value = new byte[lengths[type]];
            if (type == 6 || type == 7) {
                value[1] = (byte) (value.length - 2);
            }
            headers.writeBytes(value);
        }
        Frames.header(headers, ":error-code", 7);
        headers.writeBytes(new byte[] {0, 1, 'x'});
        byte[] frame = Frames.frame(headers.toByteArray(), new byte[0]);

        stream.accept(frame, 0, frame.length);

        assertThat(told).containsExactly("failed: x");
    }

    @ParameterizedTest
    @ValueSource(strings = {"\5", "\1a", "\1a\12", "\1a\7", "\1a\7\0", "\1a\7\177\177", "\1a\6\0\11b", "\0\0\0\0"})
    void headersThatMakeNoSenseAreThoseOfAnEvent(String headers) {
        byte[] frame = Frames.frame(headers.getBytes(StandardCharsets.ISO_8859_1), new byte[] {'a'});

        stream.accept(frame, 0, frame.length);

        assertThat(told).containsExactly("a");
    }

    private static byte[] lengths(int size, int total, int headers) {
        byte[] bytes = new byte[size];
        ByteBuffer.wrap(bytes).putInt(total).putInt(headers);
        return bytes;
    }

    private static byte[] bytes(Random random, int length) {
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        return bytes;
    }
}
