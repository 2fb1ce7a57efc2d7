package io.costguard.limit;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Denial;
import io.costguard.GuardListener;
import io.costguard.GuardListener.Denied.By;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.Unit;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;

/** The lines that a user sees without setting anything up. */
@ResourceLock(Resources.SYSTEM_ERR)
class LoggingListenerTest {
    private static final Denial DENIAL =
            new Denial("b", "tokens per minute", 600, 20, Duration.ofSeconds(3), 20, Unit.TOKENS, 0, Duration.ZERO);

    private final LoggingListener listener = new LoggingListener(
            List.of(Budget.named("b").per("model").limit(Limit.tokens(100).perMinute())));

    @Test
    void aDenialSaysWhatWasDeniedAndWhy() {
        assertThat(logged(() -> listener.onDenied(denied("gpt-4o", By.REDIS))))
                .contains("WARN")
                .contains("gpt-4o")
                .contains("denied: " + DENIAL)
                .doesNotContain("fingerprint-of-the-key");
    }

    @Test
    void theLikeOfADenialIsNotRepeated() {
        assertThat(logged(() -> {
                    for (int i = 0; i < 100; i++) {
                        listener.onDenied(denied("gpt-4o", By.REDIS));
                    }
                }))
                .hasLineCount(1);
    }

    @Test
    void denialsOfOtherSubjectsAndByOthersHaveTheirOwnLine() {
        assertThat(logged(() -> {
                    listener.onDenied(denied("gpt-4o", By.REDIS));
                    listener.onDenied(denied("gpt-4.1", By.REDIS));
                    listener.onDenied(denied("gpt-4o", By.CAPACITY));
                }))
                .hasLineCount(3);
    }

    @Test
    void whatThePreCheckRepeatsIsNotSaidAgain() {
        assertThat(logged(() -> listener.onDenied(denied("gpt-4o", By.PRE_CHECK))))
                .isEmpty();
    }

    @Test
    void aDryRunSaysThatItWas() {
        assertThat(logged(() -> listener.onDenied(denied("gpt-4o", By.DRY_RUN))))
                .contains("would have been denied (dry run)");
    }

    @Test
    void aCallAboveCapacityIsToldThatItCanNeverGo() {
        assertThat(logged(() -> listener.onDenied(denied("gpt-4o", By.CAPACITY))))
                .contains("denied: budget 'b' can never let this call go: tokens per minute, requested 600, at most 20")
                .doesNotContain("spent")
                .doesNotContain("retry after");
    }

    @Test
    void failingOpenIsAnErrorAndSaidOnce() {
        GuardListener.FailedOpen event = new GuardListener.FailedOpen(
                GuardedCall.of("gpt-4o"), new GuardUnavailableException("Redis did not decide within 500 ms"));

        assertThat(logged(() -> {
                    listener.onFailedOpen(event);
                    listener.onFailedOpen(event);
                }))
                .hasLineCount(1)
                .contains("ERROR")
                .contains("calls go uncounted")
                .contains("Redis did not decide within 500 ms");
    }

    private static GuardListener.Denied denied(String model, By by) {
        return new GuardListener.Denied(GuardedCall.of(model).with("apiKey", "fingerprint-of-the-key"), DENIAL, by);
    }

    private static String logged(Runnable action) {
        PrintStream before = System.err;
        ByteArrayOutputStream lines = new ByteArrayOutputStream();
        System.setErr(new PrintStream(lines, true, StandardCharsets.UTF_8));
        try {
            action.run();
        } finally {
            System.setErr(before);
        }
        return lines.toString(StandardCharsets.UTF_8);
    }
}
