package io.costguard.proof;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class WaitingTest {
    @Test
    void whatComesOfAFutureIsGivenOnceItIsThere() throws Exception {
        CompletableFuture<String> later = CompletableFuture.supplyAsync(
                () -> "answer", CompletableFuture.delayedExecutor(20, TimeUnit.MILLISECONDS));

        assertThat(Waiting.of(later, "an answer")).isEqualTo("answer");
    }

    @Test
    void aFutureThatFailsFails() {
        assertThatThrownBy(() -> Waiting.of(CompletableFuture.failedFuture(new IllegalStateException("no")), "any"))
                .isInstanceOf(ExecutionException.class)
                .hasRootCauseMessage("no");
    }

    @Test
    void whatNeverComesIsSaid() {
        assertThatThrownBy(() -> Waiting.until(() -> false, Duration.ZERO, "a train"))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("a train");
    }
}
