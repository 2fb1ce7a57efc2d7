package io.costguard;

import static io.costguard.Awaiting.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.testing.FaultyLink;
import io.costguard.testing.RedisForTests;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A call that nobody wants any more, at each point of its wait: it is out of line, or given back, and nobody's order changes. */
@Timeout(60)
@Tag("fault-20")
class AbandonedCallIT {
    /** Where its call is when the caller gives up. */
    enum Point {
        /** It stands in line, and its process does not know yet. */
        AS_IT_JOINS,
        WHILE_IT_STANDS_IN_LINE,
        /** It was let go, and its process does not know yet. */
        AS_IT_IS_LET_GO,
        AS_ITS_GRANT_IS_TOLD
    }

    private static final GuardedCall CALL = GuardedCall.of("gpt-4o");

    private final RedisForTests redis = RedisForTests.shared();
    private final String prefix = redis.keyPrefix();
    private final Deque<AutoCloseable> open = new ArrayDeque<>();
    private final CompletableFuture<Abandoned> abandoned = new CompletableFuture<>();

    private final FaultyLink link = opened(FaultyLink.to(redis));
    private final CostGuard others = opened(guard(redis.url()).build());

    @BeforeEach
    void connect() throws Exception {
        assertThat(waiting()).isZero();
    }

    @AfterEach
    void close() throws Exception {
        link.replies().pass();
        for (AutoCloseable each : open) {
            each.close();
        }
    }

    @ParameterizedTest
    @EnumSource
    void aCallThatIsCancelledLeavesNothingBehind(Point point) throws Exception {
        abandon(point, guard -> {
            CompletableFuture<Permit> permit = guard.acquireAsync(CALL.cost(tokens(3)));
            return new Abandoned() {
                @Override
                public void giveUp() {
                    permit.cancel(true);
                }

                @Override
                public void checkEnd() {
                    assertThatExceptionOfType(CancellationException.class)
                            .isThrownBy(() -> permit.get(10, TimeUnit.SECONDS));
                }
            };
        });
    }

    @ParameterizedTest
    @EnumSource
    void aThreadThatIsInterruptedKeepsItsFlagAndLeavesNothingBehind(Point point) throws Exception {
        abandon(point, guard -> {
            FutureTask<Boolean> flag = new FutureTask<>(() -> {
                try {
                    // It is the caller's if it is told; he holds it no longer than he has to.
                    guard.acquire(CALL.cost(tokens(3))).release();
                } catch (InterruptedIOException e) {
                    assertThat(point).isNotEqualTo(Point.AS_ITS_GRANT_IS_TOLD);
                }
                return Thread.currentThread().isInterrupted();
            });
            Thread thread = new Thread(flag);
            thread.start();
            return new Abandoned() {
                @Override
                public void giveUp() {
                    thread.interrupt();
                }

                @Override
                public void checkEnd() throws Exception {
                    assertThat(flag.get(10, TimeUnit.SECONDS)).isTrue();
                }
            };
        });
    }

    /** Of 10 tokens, 10 are taken; calls of 3, 3 and 2 wait, and the second is abandoned. Then 3 are given back, and 3 more. */
    private void abandon(Point point, Beginning beginning) throws Exception {
        CostGuard guard = opened(guard(link.url())
                .listener(new GuardListener() {
                    @Override
                    public void onGranted(Grant event) {
                        if (point == Point.AS_ITS_GRANT_IS_TOLD) {
                            abandoned.join().giveUp();
                        }
                    }
                })
                .build());
        assertThat(guard.status(CALL)).isNotEmpty();
        others.acquire(CALL.cost(tokens(4)));
        final Permit first = others.acquire(CALL.cost(tokens(3)));
        final Permit second = others.acquire(CALL.cost(tokens(3)));
        CompletableFuture<Permit> before = others.acquireAsync(CALL.cost(tokens(3)));
        await(() -> waiting() == 1);
        if (point == Point.AS_IT_JOINS) {
            link.replies().hold("EVALSHA");
        }
        abandoned.complete(beginning.begin(guard));
        await(() -> waiting() == 2);
        CompletableFuture<Permit> after = others.acquireAsync(CALL.cost(tokens(2)));
        await(() -> waiting() == 3);
        // Which stays there, so that its process is never taken for dead: that would drop the abandoned one too.
        CompletableFuture<Permit> bystander = guard.acquireAsync(CALL.cost(tokens(2)));
        // Behind a reply that is held it joins later.
        await(() -> waiting() == 4 || point == Point.AS_IT_JOINS);

        if (point == Point.AS_IT_JOINS || point == Point.WHILE_IT_STANDS_IN_LINE) {
            abandoned.join().giveUp();
            link.replies().pass();
            abandoned.join().checkEnd();
            await(() -> waiting() == 3);
            assertThat(before).isNotDone();
        }
        first.release();
        before.get(10, TimeUnit.SECONDS);
        assertThat(after).isNotDone();
        if (point == Point.AS_IT_IS_LET_GO) {
            // Nothing but what lets it go is under way after a heartbeat.
            link.replies().awaitPassed(link.replies().passed("EVALSHA") + 1, "EVALSHA");
            link.replies().hold("EVALSHA");
        }
        second.release();
        if (point == Point.AS_IT_IS_LET_GO) {
            await(() -> waiting() == 2);
            abandoned.join().giveUp();
            link.replies().pass();
        }
        abandoned.join().checkEnd();
        after.get(10, TimeUnit.SECONDS);

        await(() -> others.status(CALL).get(0).balance() == 10 - 4 - 3 - 2);
        assertThat(waiting()).isEqualTo(1);
        assertThat(bystander).isNotDone();
    }

    /** A call that is made, and given up by whoever made it. */
    private interface Abandoned {
        void giveUp();

        void checkEnd() throws Exception;
    }

    /** Has a guard make the call. */
    private interface Beginning {
        Abandoned begin(CostGuard guard);
    }

    private CostGuard.Builder guard(String url) {
        return CostGuard.builder()
                .redis(url)
                .keyPrefix(prefix)
                .decisionTimeout(Duration.ofSeconds(10))
                .budget(Budget.named("b")
                        .limit(Limit.tokens(10).per(Duration.ofDays(300)).tokenBucket()))
                .whenExhausted(WhenExhausted.waitUpTo(Duration.ofDays(365)));
    }

    private static Cost tokens(long input) {
        return Cost.requests(1).input(input);
    }

    private long waiting() throws GuardUnavailableException {
        return others.status(CALL).get(0).waiting();
    }

    private <T extends AutoCloseable> T opened(T opened) {
        open.push(opened);
        return opened;
    }
}
