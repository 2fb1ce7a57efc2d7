package io.costguard.settle;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.testing.Recordings;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EventStreamTest {
    private static final int TIMES = 3_000;
    private static final int LONGEST_EVENT = 4 << 20;
    private static final String KNOWN = "{\"known\":true}";

    private final List<String> told = new ArrayList<>();

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void eventsAreToldHoweverTheyAreCut(boolean somethingIsKnown) {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int i = 0; i < TIMES; i++) {
            told.clear();
            List<String> expected = new ArrayList<>();
            StringBuilder body = new StringBuilder(random.nextInt(4) == 0 ? "\ufeff" : "");
            for (int event = random.nextInt(8); event > 0; event--) {
                String lineEnd = List.of("\n", "\n", "\r\n", "\r").get(random.nextInt(4));
                if (random.nextInt(4) == 0) {
                    body.append(List.of(": a comment", "event: ping", "id", "datum", "")
                                    .get(random.nextInt(5)))
                            .append(lineEnd);
                }
                List<String> lines = new ArrayList<>();
                for (int line = random.nextInt(8) / 3; line > 0; line--) {
                    String data = random.nextInt(3) == 0 ? KNOWN : "\u4f60 " + "x".repeat(random.nextInt(40));
                    lines.add(data);
                    body.append(random.nextInt(3) == 0 ? "data:" : "data: ")
                            .append(data)
                            .append(lineEnd);
                }
                if (!lines.isEmpty()) {
                    expected.add(String.join("\n", lines));
                }
                body.append(lineEnd);
            }
            accept(
                    new EventStream(somethingIsKnown ? new Knowing() : this::told),
                    body.toString(),
                    1 + random.nextInt(200));

            assertThat(told).as("seed %d: %s", seed, body).isEqualTo(expected);
        }
    }

    @Test
    void anEventThatDoesNotEndIsNotTold() {
        accept(new EventStream(new Knowing()), "data: " + KNOWN + "\n", 100);
        accept(new EventStream(this::told), "data: " + KNOWN + "\ndata: x", 100);

        assertThat(told).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(ints = {1 << 16, LONGEST_EVENT + 100})
    void theLongestEventIsToldAndOneBeyondTheBoundDroppedAndSaidToBeUnread(int longest) {
        EventStream stream = new EventStream(this::told);

        accept(stream, "data: " + "x".repeat(LONGEST_EVENT) + "\n\n", longest);
        assertThat(told).singleElement().satisfies(event -> assertThat(event).hasSize(LONGEST_EVENT));
        assertThat(stream.isReadable()).isTrue();

        accept(stream, "data: " + "x".repeat(LONGEST_EVENT + 1) + "\n\ndata: next\n\n", longest);
        assertThat(told).hasSize(2).endsWith("next");
        assertThat(stream.isReadable()).isFalse();
    }

    private void told(byte[] data, int offset, int length) {
        told.add(new String(data, offset, length, StandardCharsets.UTF_8));
    }

    private static void accept(EventStream stream, String body, int longest) {
        for (byte[] piece : Recordings.pieces(body.getBytes(StandardCharsets.UTF_8), longest)) {
            stream.accept(piece, 0, piece.length);
        }
    }

    /** Takes what it knows, wherever it ends. */
    private final class Knowing implements Framing.Listener {
        private final byte[] known = KNOWN.getBytes(StandardCharsets.UTF_8);

        @Override
        public void event(byte[] data, int offset, int length) {
            told(data, offset, length);
        }

        @Override
        public int anotherEvent(byte[] data, int from, int to, byte[] end) {
            byte[] whole = (KNOWN + new String(end, StandardCharsets.US_ASCII)).getBytes(StandardCharsets.UTF_8);
            if (to - from < whole.length || !Arrays.equals(data, from, from + whole.length, whole, 0, whole.length)) {
                return 0;
            }
            told(data, from, known.length);
            return known.length;
        }
    }
}
