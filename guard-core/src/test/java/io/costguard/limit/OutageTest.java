package io.costguard.limit;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.GuardUnavailableException;
import io.costguard.Logged;
import io.costguard.WhenRedisFails;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;

/** What is logged while nobody decides. */
@ResourceLock(Resources.SYSTEM_ERR)
class OutageTest {
    private final GuardUnavailableException cause = new GuardUnavailableException("Redis did not decide within 500 ms");

    private final AtomicLong nanos = new AtomicLong();
    private final Outage outage = new Outage(nanos::get);

    @Test
    void failingOpenIsAnErrorAndSaidOnce() {
        assertThat(Logged.by(() -> {
                    outage.undecided(cause, WhenRedisFails.failOpen());
                    outage.undecided(cause, WhenRedisFails.failOpen());
                }))
                .hasLineCount(1)
                .contains("ERROR")
                .contains("calls go uncounted")
                .contains("Redis did not decide within 500 ms");
    }

    @Test
    void failingClosedIsAWarningAndSaidOnce() {
        assertThat(Logged.by(() -> {
                    outage.undecided(cause, WhenRedisFails.failClosed());
                    outage.undecided(cause, WhenRedisFails.failClosed());
                }))
                .hasLineCount(1)
                .contains("WARN")
                .contains("calls are not sent")
                .contains("Redis did not decide within 500 ms");
    }

    @Test
    void anOutageThatLastsIsNotSaidAgain() {
        assertThat(Logged.by(() -> {
                    outage.undecided(cause, WhenRedisFails.failClosed());
                    nanos.addAndGet(Duration.ofDays(1).toNanos());
                    outage.undecided(cause, WhenRedisFails.failClosed());
                }))
                .hasLineCount(1);
    }

    @Test
    void anOutageAfterAnotherIsSaid() {
        assertThat(Logged.by(() -> {
                    outage.undecided(cause, WhenRedisFails.failClosed());
                    nanos.addAndGet(Duration.ofMinutes(1).toNanos());
                    outage.decided();
                    outage.undecided(cause, WhenRedisFails.failClosed());
                }))
                .hasLineCount(2);
    }

    @Test
    void aRedisThatComesAndGoesIsNotSaidTwiceAMinute() {
        assertThat(Logged.by(() -> {
                    outage.undecided(cause, WhenRedisFails.failClosed());
                    nanos.addAndGet(Duration.ofSeconds(59).toNanos());
                    outage.decided();
                    outage.undecided(cause, WhenRedisFails.failClosed());
                }))
                .hasLineCount(1);
    }
}
