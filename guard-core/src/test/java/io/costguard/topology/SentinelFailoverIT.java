package io.costguard.topology;

import static io.costguard.Awaiting.await;
import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redis.clients.jedis.UnifiedJedis;

/** A master dies while calls are made, and a sentinel puts its replica in its place. */
@Timeout(120)
@Tag("fault-10")
class SentinelFailoverIT {
    private static final int THREADS = 4;
    private static final int LIMIT = 2_000;
    private static final int BEFORE_IT_DIES = 1_000;
    private static final GuardedCall CALL = GuardedCall.of("search")
            .with("apiKey", "sk-canary")
            .cost(Cost.requests(1).input(1));

    private final AtomicInteger went = new AtomicInteger();
    private final AtomicInteger undecided = new AtomicInteger();
    private final Semaphore mayGo = new Semaphore(BEFORE_IT_DIES);
    private volatile boolean spent;

    @Test
    void everyCallIsAnsweredAndNothingGoesButWhatTheMasterDidNotTellItsReplicaWhenItDies() throws Exception {
        try (WatchedMaster watched = new WatchedMaster();
                UnifiedJedis client = watched.client();
                UnifiedJedis otherClient = watched.client();
                CostGuard guard = guard(client);
                CostGuard other = guard(otherClient)) {
            List<CompletableFuture<Void>> load = new ArrayList<>();
            for (int thread = 0; thread < THREADS; thread++) {
                CostGuard one = thread % 2 == 0 ? guard : other;
                // Java's common pool may have a single thread.
                load.add(CompletableFuture.runAsync(() -> call(one), task -> new Thread(task).start()));
            }
            await(() -> went.get() >= BEFORE_IT_DIES / 4);
            int replicated = went.get();
            ReplicatedRedis.awaitCaughtUp(watched.redis.master(), watched.redis.replica());

            watched.redis.kill();
            int granted = went.get();
            mayGo.release(10 * LIMIT);
            watched.awaitSwitch();

            for (CompletableFuture<Void> each : load) {
                each.get(1, TimeUnit.MINUTES);
            }
            assertThat(undecided).hasPositiveValue();
            assertThat(went.get())
                    .isGreaterThan(granted + THREADS)
                    .isLessThanOrEqualTo(LIMIT + granted + THREADS - replicated);
        }
    }

    private void call(CostGuard guard) {
        while (!spent) {
            mayGo.acquireUninterruptibly();
            try {
                boolean goes = guard.tryAcquire(CALL).isPresent();
                went.addAndGet(goes ? 1 : 0);
                spent |= !goes;
            } catch (GuardUnavailableException e) {
                undecided.incrementAndGet();
            }
        }
    }

    private static CostGuard guard(UnifiedJedis client) {
        return CostGuard.builder()
                .redis(client)
                .budget(Budget.named("b")
                        .per("apiKey")
                        .limit(Limit.tokens(LIMIT).per(Duration.ofDays(30)).tokenBucket()))
                .preCheck(Duration.ZERO)
                .build();
    }
}
