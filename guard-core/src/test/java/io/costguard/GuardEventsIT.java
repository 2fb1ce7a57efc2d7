package io.costguard;

import static io.costguard.Awaiting.await;
import static io.costguard.Guards.PATIENTLY;
import static io.costguard.Guards.bucket;
import static io.costguard.Guards.budget;
import static io.costguard.Guards.tokens;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.GuardListener.Batch;
import io.costguard.testing.FaultyLink;
import io.costguard.testing.RedisForTests;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;

/** What metrics are made of: events beside those of calls, and figures. */
@Timeout(60)
class GuardEventsIT {
    private static final Duration SOON = Duration.ofMillis(50);

    @RegisterExtension
    final Guards guards = new Guards();

    // ---------------------------------------------------------------------------------------------- little is left

    @Test
    void aLimitThatHasLittleLeftIsToldWithTheCallThatLeftIt() throws Exception {
        CostGuard guard = guards.guard(builder -> builder.nearLimit(0.8), budget(bucket(1_000)));

        guard.acquire(tokens(700));
        guard.acquire(tokens(100));
        guard.acquire(tokens(100));

        assertThat(guards.events.nearLimits).singleElement().satisfies(event -> {
            assertThat(event.call().model()).isEqualTo("gpt-4o");
            assertThat(event.budget()).isEqualTo("b");
            assertThat(event.limit()).isEqualTo("tokens per 30 days (token bucket)");
            assertThat(event.unit()).isEqualTo(Unit.TOKENS);
            assertThat(event.balance()).isEqualTo(200);
            assertThat(event.capacity()).isEqualTo(1_000);
            assertThat(event).hasToString("budget 'b': 200 of 1000 left of 'tokens per 30 days (token bucket)'");
        });
    }

    @Test
    void nothingIsToldOfLimitsWhereNobodyAskedForIt() throws Exception {
        CostGuard guard = guards.guard(budget(bucket(1_000)));

        guard.acquire(tokens(1_000));

        assertThat(guards.events.nearLimits).isEmpty();
    }

    @Test
    @ResourceLock(Resources.SYSTEM_ERR)
    void aLimitThatHasLittleLeftIsLoggedWithoutAnyListener() throws Exception {
        CostGuard guard = guards.opened(CostGuard.builder()
                .redis(guards.redis.url())
                .keyPrefix(guards.prefix)
                .decisionTimeout(Duration.ofMinutes(1))
                .nearLimit(0.5)
                .budget(budget(bucket(1_000)))
                .build());

        CompletableFuture<Permit> granted = new CompletableFuture<>();
        assertThat(Logged.by(() -> {
                    try {
                        granted.complete(guard.acquire(tokens(600)));
                    } catch (IOException e) {
                        granted.completeExceptionally(e);
                    }
                }))
                .contains(
                        "WARN",
                        "budget 'b': 400 of 1000 left of 'tokens per 30 days (token bucket)', after call {",
                        "gpt-4o")
                .doesNotContain("sk-canary");
        granted.get().release();
    }

    // ---------------------------------------------------------------------------------------------------- batches

    @Test
    void aBatchIsToldWithItsDecisionsItsSettlesAndHowLongItTook() throws Exception {
        CostGuard guard = guards.guard(budget(bucket(1_000)));

        guard.acquire(tokens(100)).settle(Cost.requests(1).input(40));
        guard.flush();
        await(() -> guards.events.batches.stream().mapToInt(Batch::settles).sum() == 1);

        assertThat(guards.events.batches).allSatisfy(batch -> {
            assertThat(batch.result()).isEqualTo(Batch.Result.ANSWERED);
            assertThat(batch.took()).isPositive();
        });
        assertThat(guards.events.batches.stream().mapToInt(Batch::decisions).sum())
                .isEqualTo(1);
    }

    @Test
    void aBatchThatNobodyAnswersIsToldAsUnknownAndTheCallAsFailedClosed() throws Exception {
        FaultyLink link = guards.link();
        CostGuard guard = guards.guard(
                builder -> builder.redis(link.url()).decisionTimeout(Duration.ofMillis(500)), budget(bucket(1_000)));
        letGo(guard, tokens(1)).close();
        guards.events.failedClosed.clear();
        link.replies().hold("EVALSHA");

        assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> guard.acquire(tokens(1)));

        await(() -> guards.events.batches.stream().anyMatch(batch -> batch.result() == Batch.Result.UNKNOWN));
        assertThat(guards.events.failedClosed).singleElement().satisfies(event -> {
            assertThat(event.call().model()).isEqualTo("gpt-4o");
            assertThat(event.call().attributes().get("apiKey")).doesNotContain("sk-canary");
            assertThat(event.cause()).hasMessageContaining("Redis did not decide within 500 ms");
        });
        link.replies().pass();
    }

    @Test
    void aBatchThatRedisRefusesIsToldAsNotRun() throws Exception {
        RedisForTests full = guards.opened(RedisForTests.start("--maxmemory", "1"));
        CostGuard guard = guards.guard(builder -> builder.redis(full.url()), budget(bucket(1_000)));

        assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> guard.acquire(tokens(1)));

        assertThat(guards.events.batches).singleElement().satisfies(batch -> {
            assertThat(batch.result()).isEqualTo(Batch.Result.NOT_RUN);
            assertThat(batch.decisions()).isEqualTo(1);
        });
        assertThat(guards.events.failedClosed).hasSize(1);
    }

    @Test
    void aCallThatGoesUncountedHasNotFailedClosed() throws Exception {
        CostGuard guard = guards.guard(
                builder -> builder.redis("redis://127.0.0.1:1")
                        .decisionTimeout(SOON)
                        .whenRedisFails(WhenRedisFails.failOpen()),
                budget(bucket(1_000)));

        guard.acquire(tokens(1)).close();

        assertThat(guards.events.failedOpen).hasSize(1);
        assertThat(guards.events.failedClosed).isEmpty();
        assertThat(guard.stats().openReservations()).isZero();
    }

    // ------------------------------------------------------------------------------------------ one of the listeners

    @Test
    void aReservationIsToldAndSettledAsOneObjectOfItsOwn() throws Exception {
        CostGuard guard = guards.guard(budget(bucket(1_000)));
        GuardedCall call = tokens(10);

        Permit one = guard.acquire(call);
        Permit other = guard.acquire(call);
        other.settle(Cost.requests(1));
        one.settle(Cost.requests(1));

        GuardedCall first = guards.events.grants.get(0).call();
        GuardedCall second = guards.events.grants.get(1).call();
        assertThat(first).isNotSameAs(second);
        assertThat(guards.events.settlements.get(0).call()).isSameAs(second);
        assertThat(guards.events.settlements.get(1).call()).isSameAs(first);
    }

    @Test
    void allListenersAreToldThoughTheFirstThrows() throws Exception {
        GuardListener broken = new GuardListener() {
            @Override
            public void onNearLimit(NearLimit event) {
                throw new IllegalStateException("near");
            }

            @Override
            public void onBatch(Batch event) {
                throw new IllegalStateException("batch");
            }

            @Override
            public void onFailedClosed(FailedClosed event) {
                throw new IllegalStateException("closed");
            }
        };
        Recorder last = new Recorder();
        FaultyLink link = guards.link();
        CostGuard guard = guards.opened(CostGuard.builder()
                .redis(link.url())
                .keyPrefix(guards.prefix)
                .listener(broken)
                .listener(last)
                .nearLimit(0.5)
                .decisionTimeout(Duration.ofMillis(500))
                .budget(budget(bucket(1_000)))
                .build());
        Permit unused = letGo(guard, tokens(600));
        link.refuseConnections();
        link.resetConnections();

        assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> guard.acquire(tokens(1)));

        assertThat(last.nearLimits).hasSize(1);
        assertThat(last.batches).hasSizeGreaterThanOrEqualTo(2);
        assertThat(last.failedClosed).isNotEmpty();
    }

    // ------------------------------------------------------------------------------------------------------ figures

    @Test
    void reservationsAreOpenUntilTheyAreEndedOnce() throws Exception {
        CostGuard guard = guards.guard(budget(bucket(1_000)));

        Permit first = guard.acquire(tokens(1));
        Permit second = guard.acquire(tokens(1));
        assertThat(guard.stats().openReservations()).isEqualTo(2);

        first.settle(Cost.requests(1));
        first.close();
        assertThat(guard.stats().openReservations()).isEqualTo(1);
        second.release();
        assertThat(guard.stats().openReservations()).isZero();
    }

    @Test
    void callsThatWaitAreCounted() throws Exception {
        CostGuard guard = guards.guard(budget(bucket(100)));
        Permit all = guard.acquire(tokens(100));

        CompletableFuture<Permit> waits = guard.acquireAsync(tokens(100).whenExhausted(PATIENTLY));
        await(() -> guard.stats().waitingCalls() == 1);

        all.release();
        waits.get().release();
        await(() -> guard.stats().waitingCalls() == 0);
    }

    @Test
    @Tag("fault-19")
    void settlesAreQueuedWhileRedisIsAwayAndDroppedWhereTheGuardIsClosedMeanwhile() throws Exception {
        FaultyLink link = guards.link();
        CostGuard guard = guards.guard(
                builder -> builder.redis(link.url()).decisionTimeout(Duration.ofMillis(500)), budget(bucket(1_000)));
        Permit granted = letGo(guard, tokens(10));
        link.refuseConnections();
        link.resetConnections();

        granted.settle(Cost.requests(1).input(3));
        assertThat(guard.stats()).isEqualTo(new GuardStats(0, 0, 1, 0));

        guard.close();
        assertThat(guard.stats()).isEqualTo(new GuardStats(0, 0, 0, 1));
    }

    @Test
    void aGuardThatIsSwitchedOffHasNothingUnderWay() {
        System.setProperty("costguard.enabled", "false");
        try {
            assertThat(guards.guard(budget(bucket(1))).stats()).isEqualTo(new GuardStats(0, 0, 0, 0));
        } finally {
            System.clearProperty("costguard.enabled");
        }
    }

    /** Through a link, on a machine that may stall. */
    private static Permit letGo(CostGuard guard, GuardedCall call) throws IOException {
        CompletableFuture<Permit> granted = new CompletableFuture<>();
        await(() -> {
            try {
                return granted.complete(guard.acquire(call));
            } catch (GuardUnavailableException e) {
                return false;
            }
        });
        await(() -> guard.stats().queuedSettles() == 0);
        return granted.join();
    }
}
