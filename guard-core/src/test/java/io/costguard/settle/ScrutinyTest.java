package io.costguard.settle;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.settle.Scrutiny.Fault;
import io.costguard.settle.Scrutiny.Reading;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.Test;

class ScrutinyTest {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private final Scrutiny scrutiny = new Scrutiny();
    private final Set<String> loaded = ConcurrentHashMap.newKeySet();

    @Test
    void whatIsSlowUntilItIsRememberedIsAHang() {
        scrutiny.isWarm();

        Reading reading = scrutiny.of(new Remembered("slow", ConcurrentHashMap.newKeySet()));

        assertThat(reading.fault()).contains(Fault.HANG);
        assertThat(scrutiny.longestNanos()).isGreaterThan(Scrutiny.MOST_NANOS);
    }

    @Test
    void whatIsSlowOnceInAProcessIsNone() {
        scrutiny.isWarm();

        Reading reading = scrutiny.of(new Remembered("loads classes", ConcurrentHashMap.newKeySet()));

        assertThat(reading.fault()).isEmpty();
        assertThat(reading.outcome()).contains(true);
    }

    /** Takes long unless it is known: to what reads it, or to the process. */
    private final class Remembered implements Hostile<Byte> {
        private final byte[] bytes;
        private final Set<String> known;

        Remembered(String text, Set<String> known) {
            this.bytes = text.getBytes(UTF_8);
            this.known = known;
        }

        @Override
        public List<Byte> parts() {
            return List.of();
        }

        @Override
        public Remembered of(List<Byte> parts) {
            return this;
        }

        @Override
        public Remembered afresh() {
            return new Remembered(new String(bytes, UTF_8), ConcurrentHashMap.newKeySet());
        }

        @Override
        public byte[] bytes() {
            return bytes;
        }

        @Override
        public Object read() {
            String text = new String(bytes, UTF_8);
            if (text.equals("slow") ? known.add(text) : loaded.add(text)) {
                long until = THREADS.getCurrentThreadCpuTime() + 2 * Scrutiny.MOST_NANOS;
                while (THREADS.getCurrentThreadCpuTime() < until) {
                    Thread.onSpinWait();
                }
            }
            return true;
        }
    }
}
