package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A guard in virtual time: what takes a day of it takes a moment here, and comes at the microsecond. */
@Timeout(60)
class VirtualTimeIT {
    private static final Instant MORNING = Instant.parse("2026-03-02T08:00:00Z");
    private static final GuardedCall CALL = GuardedCall.of("gpt-4o");

    private final VirtualTime time = VirtualTime.beginningAt(MORNING);
    private final List<String> told = new ArrayList<>();

    @Test
    void aBucketRefillsAsVirtualTimePasses() {
        try (CostGuard guard = guard(Limit.requests(2).perMinute(), WhenExhausted.reject())) {
            for (int seconds : new int[] {0, 1, 2, 29, 30, 31, 61}) {
                callAt(seconds, seconds + " s", guard, CALL);
            }
            time.run();
        }

        assertThat(told)
                .containsExactly(
                        "0 s went at 0.000000",
                        "1 s went at 1.000000",
                        "2 s denied at 2.000000, retry after PT28S",
                        "29 s denied at 29.000000, retry after PT1S",
                        "30 s went at 30.000000",
                        "31 s denied at 31.000000, retry after PT29S",
                        "61 s went at 61.000000");
    }

    @Test
    void callsWaitInLineUntilTheMicrosecondAtWhichTheyAreCovered() {
        try (CostGuard guard = guard(Limit.tokens(600).perMinute(), WhenExhausted.waitUpTo(Duration.ofMinutes(1)))) {
            callAt(0, "all", guard, CALL.cost(Cost.requests(1).input(600)));
            callAt(1, "large", guard, CALL.cost(Cost.requests(1).input(300)));
            callAt(2, "small", guard, CALL.cost(Cost.requests(1).input(7)));
            time.run();
        }

        assertThat(told).containsExactly("all went at 0.000000", "large went at 30.000000", "small went at 30.700000");
    }

    @Test
    void whatIsGivenBackLetsTheNextGoAtOnce() {
        try (CostGuard guard = guard(Limit.tokens(600).perHour(), WhenExhausted.waitUpTo(Duration.ofHours(1)))) {
            time.at(MORNING, () -> {
                CompletableFuture<Void> unused = guard.acquireAsync(
                                CALL.cost(Cost.requests(1).input(600)))
                        .thenAccept(permit -> time.at(MORNING.plusSeconds(10), permit::release));
            });
            callAt(1, "next", guard, CALL.cost(Cost.requests(1).input(600)));
            time.run();
        }

        assertThat(told).containsExactly("next went at 10.000000");
    }

    @Test
    void aCallThatWaitsInVainIsDeniedAtTheEndOfItsTime() {
        try (CostGuard guard = guard(Limit.requests(1).perMinute(), WhenExhausted.waitUpTo(Duration.ofSeconds(50)))) {
            callAt(0, "first", guard, CALL);
            callAt(15, "second", guard, CALL);
            time.at(MORNING.plusSeconds(16), () -> hold(guard));
            time.run();
        }

        assertThat(told).hasSize(2).contains("first went at 0.000000");
        assertThat(told.get(1)).startsWith("second denied at 65.000000");
    }

    @Test
    void aWindowEndsAtMidnightOfItsZone() {
        try (CostGuard guard = guard(Limit.requests(1).perDay(), WhenExhausted.reject())) {
            callAt(0, "today", guard, CALL);
            callAt(16 * 3_600 - 1, "just before", guard, CALL);
            callAt(16 * 3_600, "tomorrow", guard, CALL);
            time.run();
        }

        assertThat(told)
                .containsExactly(
                        "today went at 0.000000",
                        "just before denied at 57599.000000, retry after PT1S",
                        "tomorrow went at 57600.000000");
    }

    @Test
    void noOtherGuardSharesItsBalances() throws Exception {
        try (CostGuard virtual = guard(Limit.requests(1).perDay(), WhenExhausted.reject());
                CostGuard real = builder(Limit.requests(1).perDay(), WhenExhausted.reject())
                        .build()) {
            callAt(0, "virtual", virtual, CALL);
            time.run();

            assertThat(told).containsExactly("virtual went at 0.000000");
            assertThat(real.tryAcquire(CALL)).isPresent();
        }
    }

    @Test
    void whatIsDueAtTheSameTimeRunsInTheOrderInWhichItWasSaid() {
        time.at(MORNING.plusSeconds(1), () -> told.add("second"));
        time.at(MORNING.minusSeconds(1), () -> told.add("first, as that is over"));
        time.at(MORNING.plusSeconds(1), () -> time.at(MORNING, () -> told.add("fourth, as it was said last")));
        time.at(MORNING.plusSeconds(1), () -> told.add("third"));

        time.run();

        assertThat(told).containsExactly("first, as that is over", "second", "third", "fourth, as it was said last");
        assertThat(time.now()).isEqualTo(MORNING.plusSeconds(1));
    }

    @Test
    void whatIsThrownComesOutAndTheRestStaysDue() {
        time.at(MORNING, () -> {
            throw new IllegalStateException("thrown");
        });
        time.at(MORNING, () -> told.add("the rest"));

        assertThatIllegalStateException().isThrownBy(time::run).withMessage("thrown");
        assertThat(told).isEmpty();
        time.run();
        assertThat(told).containsExactly("the rest");
    }

    @Test
    void aTimeThatTheScriptCannotHoldIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> VirtualTime.beginningAt(Instant.parse("1969-12-31T23:59:59Z")))
                .withMessageContaining("1970");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> time.at(Instant.parse("2200-01-01T00:00:00Z"), () -> {}))
                .withMessageContaining("2199");
    }

    private static void hold(CostGuard guard) {
        try {
            guard.hold(CALL, Duration.ofMinutes(2));
        } catch (GuardUnavailableException e) {
            throw new AssertionError(e);
        }
    }

    private void callAt(int seconds, String name, CostGuard guard, GuardedCall call) {
        time.at(MORNING.plusSeconds(seconds), () -> {
            CompletableFuture<Boolean> unused = guard.acquireAsync(call).handle((permit, failure) -> {
                Duration since = Duration.between(MORNING, time.now());
                String at = " at " + since.toSeconds() + "." + String.format("%06d", since.toNanosPart() / 1_000);
                String denied = failure instanceof BudgetExceededException exceeded
                        ? ", retry after " + exceeded.denial().retryAfter()
                        : ": " + failure;
                return told.add(name + (failure == null ? " went" + at : " denied" + at + denied));
            });
        });
    }

    private CostGuard guard(Limit limit, WhenExhausted whenExhausted) {
        return builder(limit, whenExhausted).buildIn(time);
    }

    private static CostGuard.Builder builder(Limit limit, WhenExhausted whenExhausted) {
        return CostGuard.builder()
                .redis(RedisForTests.shared().url())
                .keyPrefix(RedisForTests.shared().keyPrefix())
                .decisionTimeout(Duration.ofMinutes(1))
                .whenExhausted(whenExhausted)
                .budget(Budget.named("b").limit(limit));
    }
}
