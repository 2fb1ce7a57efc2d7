package io.costguard.limit;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Denial;
import io.costguard.GuardListener;
import io.costguard.GuardListener.Batch.Result;
import io.costguard.GuardListener.Denied.By;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.Logged;
import io.costguard.Recorder;
import io.costguard.Unit;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;

/** Who is told what. */
class ListenersTest {
    private static final GuardedCall CALL = GuardedCall.of("gpt-4o");
    private static final Denial DENIAL =
            new Denial("b", "tokens per minute", 600, 20, Duration.ofSeconds(3), 20, Unit.TOKENS, 0, Duration.ZERO);

    private final Recorder events = new Recorder();
    private final LoggingListener log = new LoggingListener(List::of);

    @Test
    void nobodyHearsWhereOnlyTheLogDoes() {
        assertThat(Listeners.of(log).anybodyHears()).isFalse();
        assertThat(Listeners.of(log, events).anybodyHears()).isTrue();
        assertThat(Listeners.of().anybodyHears()).isFalse();
    }

    @Test
    void aBatchIsToldAsItWas() {
        Listeners.of(log, events).batch(2, 3, 5_000, Result.UNKNOWN);

        assertThat(events.batches)
                .containsExactly(new GuardListener.Batch(2, 3, Duration.ofNanos(5_000), Result.UNKNOWN));
    }

    @Test
    @ResourceLock(Resources.SYSTEM_ERR)
    void whatIsDeniedIsLoggedThoughNobodyElseHears() {
        assertThat(Logged.by(() -> Listeners.of(log).denied(CALL, DENIAL, By.REDIS, Duration.ZERO)))
                .hasLineCount(1);
    }

    @Test
    void whatThePreCheckDeniesIsToldToWhoeverHearsEverything() {
        Listeners.of(events).denied(CALL, DENIAL, By.PRE_CHECK, Duration.ZERO);

        assertThat(events.denials).hasSize(1);
    }

    @Test
    void aLimitThatHasLittleLeftIsToldWithTheCallThatLeftIt() {
        Budget budget = Budget.named("b").limit(Limit.tokens(1_000).perDay());
        Claim claim = new Claim(new Subject("key", budget), new long[] {9});
        Listeners listeners = new Listeners(List.of(events), new NearLimits(0.8, () -> 7));

        listeners.granted(CALL, List.of(new Charge(claim, new long[1], new long[] {200})), Duration.ZERO);

        assertThat(events.nearLimits)
                .containsExactly(new GuardListener.NearLimit(CALL, "b", "tokens per day", Unit.TOKENS, 200, 1_000));
    }

    @Test
    @ResourceLock(Resources.SYSTEM_ERR)
    void aListenerThatThrowsKeepsNobodyFromHearingAndIsReportedOnce() {
        Listeners listeners = Listeners.of(
                new GuardListener() {
                    @Override
                    public void onBatch(Batch event) {
                        throw new IllegalStateException("as it is");
                    }
                },
                events);

        assertThat(Logged.by(() -> {
                    listeners.batch(1, 0, 1, Result.ANSWERED);
                    listeners.batch(2, 0, 1, Result.ANSWERED);
                }))
                .containsOnlyOnce("a listener failed");
        assertThat(events.batches).hasSize(2);
    }
}
