package io.costguard;

import static io.costguard.Awaiting.await;
import static io.costguard.Guards.CALL;
import static io.costguard.Guards.LONG;
import static io.costguard.Guards.PATIENTLY;
import static io.costguard.Guards.balance;
import static io.costguard.Guards.bucket;
import static io.costguard.Guards.budget;
import static io.costguard.Guards.tokens;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What becomes of balances and calls when budgets change while a guard runs. */
@Timeout(180)
@ResourceLock(Resources.SYSTEM_ERR)
class UpdateIT {
    private static final int UPDATES = 1_000;

    @RegisterExtension
    private final Guards guards = new Guards();

    private final ExecutorService threads = Executors.newCachedThreadPool();

    @AfterEach
    void close() {
        threads.shutdownNow();
    }

    /** How tokens are counted, of any amount. */
    interface Tokens {
        Limit of(long amount);
    }

    static Stream<Tokens> ways() {
        return Stream.of(
                amount -> Limit.tokens(amount).per(LONG).tokenBucket(),
                amount -> Limit.tokens(amount).per(LONG).fixedWindow(),
                amount -> Limit.tokens(amount).per(LONG).slidingWindow());
    }

    @ParameterizedTest
    @MethodSource("ways")
    @Tag("fault-14")
    void aBalanceIsCutToASmallerCapacityAndNothingIsGrantedForALargerOne(Tokens tokens) throws Exception {
        CostGuard guard = guards.guard(tokens.of(1_000));
        guard.acquire(tokens(300));

        guard.update(List.of(budget(tokens.of(100))));
        long small = balance(guard);
        guard.acquire(tokens(0));
        guard.update(List.of(budget(tokens.of(1_000))));

        assertThat(small).isLessThanOrEqualTo(100);
        assertThat(balance(guard)).isLessThanOrEqualTo(700);
        assertThat(guard.tryAcquire(tokens(701))).isEmpty();
    }

    @Test
    void aCallUnderWaySettlesWhatItReserved() throws Exception {
        CostGuard guard = guards.guard(bucket(1_000));
        Permit permit = guard.acquire(tokens(600));

        guard.update(List.of(budget(Limit.requests(10).per(LONG), bucket(5_000))));
        guard.refund(CALL, Cost.requests(0).input(3_000));
        permit.settle(Cost.requests(1).input(100));

        assertThat(guard.status(CALL)).extracting(LimitStatus::balance).containsExactly(10L, 3_900L);
    }

    @Test
    void aCallUnderWayIsSettledThoughItsBudgetIsGone() throws Exception {
        CostGuard guard = guards.guard(bucket(1_000));
        Permit permit = guard.acquire(tokens(600));

        guard.update(List.of(Budget.named("other").limit(bucket(10))));
        permit.settle(Cost.requests(1).input(100));
        guard.flush();
        guard.update(List.of(budget(bucket(1_000))));

        assertThat(balance(guard)).isEqualTo(900);
    }

    @Test
    void aBadSetIsRefusedWholeAndTheOldOneStays() throws Exception {
        CostGuard guard = guards.guard(bucket(1_000));
        Limit bad = Limit.tokens(1).perDay().burst(5);

        assertThatIllegalArgumentException()
                .isThrownBy(() -> guard.update(
                        List.of(budget(bucket(5)), Budget.named("bad").limit(bad))))
                .withMessageContaining("a burst needs a token bucket");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> guard.update(List.of(budget(bucket(5)), budget(bucket(6)))))
                .withMessageContaining("two budgets have the name 'b'");

        assertThat(guard.status(CALL))
                .singleElement()
                .returns(1_000L, LimitStatus::capacity)
                .returns(1_000L, LimitStatus::balance);
    }

    @Test
    void callsThatWaitGoSoonerUnderALargerAmount() throws Exception {
        CostGuard guard = guards.guard(bucket(1_000));
        guard.acquire(tokens(1_000));
        CompletableFuture<Permit> waits = guard.acquireAsync(tokens(900).whenExhausted(PATIENTLY));
        await(() -> guard.status(CALL).get(0).waiting() == 1);

        guard.update(List.of(budget(bucket(100_000_000_000L))));

        assertThat(waits.get(1, TimeUnit.MINUTES).waited()).isPositive();
    }

    @Test
    @Tag("fault-14")
    void whatManyThreadsUseWhileBudgetsChangeAThousandTimesIsCountedToTheUnit() throws Exception {
        Limit requests = Limit.requests(Cost.MAX_AMOUNT).per(LONG).fixedWindow();
        List<Budget> variants = List.of(
                budget(window(1_000_000)),
                budget(window(3_000_000)),
                budget(window(2_000_000), requests),
                budget(requests, window(4_000_000)));
        CostGuard guard = guards.guard(window(1_000_000));
        AtomicLong used = new AtomicLong();

        underLoad(guard, variants, (random, permit, reserved) -> {
            long actual = random.nextInt(2 * reserved);
            used.addAndGet(actual);
            permit.settle(Cost.requests(1).input(actual));
        });
        guard.update(List.of(budget(window(5_000_000))));

        assertThat(balance(guard)).isEqualTo(5_000_000 - used.get());
        assertThat(guards.events.denials).isEmpty();
    }

    @Test
    void noCallFailsAndNoneGoesOverWhileBudgetsChangeAThousandTimesAndCallsWait() throws Exception {
        List<Budget> variants = Stream.of(1_000, 10, 300)
                .map(amount -> budget(Limit.tokens(amount).per(Duration.ofMillis(100))))
                .toList();
        CostGuard guard = guards.guard(Limit.tokens(1_000).per(Duration.ofMillis(100)));

        underLoad(
                guard,
                variants,
                (random, permit, reserved) -> permit.settle(Cost.requests(1).input(random.nextInt(1 + reserved))));

        assertThat(guard.status(CALL)).singleElement().satisfies(status -> {
            assertThat(status.waiting()).isZero();
            assertThat(status.balance()).isBetween(0L, status.capacity());
        });
        assertThat(guards.events.denials).isEmpty();
        assertThat(guards.events.waits).isNotEmpty();
        assertThat(guards.events.grants)
                .flatExtracting(GuardListener.Grant::left)
                .allSatisfy(left -> assertThat(left.balance()).isBetween(0L, left.capacity()));
    }

    @Test
    void budgetsInAFileAreFollowedAndStayAsTheyWereWhereItMakesNoSense(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("budgets.json");
        Files.writeString(file, tokensADay("1000"));
        Queue<Runnable> later = new ArrayDeque<>();
        CostGuard guard = CostGuard.builder()
                .redis(guards.redis.url())
                .keyPrefix(guards.prefix)
                .decisionTimeout(Duration.ofMinutes(1))
                .budgets(file, later::add)
                .build();
        guards.opened(guard);
        guard.acquire(tokens(300));

        Files.writeString(file, tokensADay("5000"));
        later.remove().run();
        assertThat(balance(guard)).isEqualTo(4_700);

        for (String bad : List.of("{", tokensADay("-1"), tokensADay("5, \"burst\": 7"))) {
            Files.writeString(file, bad);
            String logged = Logged.by(() -> later.remove().run());
            assertThat(logged).contains("budgets.json");
            assertThat(balance(guard)).isEqualTo(4_700);
        }

        guard.close();
        later.remove().run();
        assertThat(later).isEmpty();
    }

    @Test
    void budgetsThatNeedAPriceAreTakenOnceItIsThere(@TempDir Path folder) throws Exception {
        Path budgets = Files.writeString(folder.resolve("budgets.json"), tokensADay("1000"));
        Path prices = Files.writeString(folder.resolve("prices.json"), priceOf("bar"));
        AtomicLong nanos = new AtomicLong();
        Queue<Runnable> later = new ArrayDeque<>();
        CostGuard guard = CostGuard.builder()
                .redis(guards.redis.url())
                .keyPrefix(guards.prefix)
                .decisionTimeout(Duration.ofMinutes(1))
                .prices(PriceList.of(new ReloadingFile(prices, nanos::get, Runnable::run)))
                .budgets(budgets, later::add)
                .build();
        guards.opened(guard);

        Files.writeString(
                budgets,
                "{\"budgets\": [{\"name\": \"b\", \"models\": [\"foo\"], \"limits\": [{\"usd\": 1, \"per\": \"day\"}]}]}");
        assertThat(Logged.by(() -> later.remove().run()))
                .contains("budgets.json")
                .contains("foo");
        Files.writeString(prices, priceOf("foo"));
        nanos.addAndGet(ReloadingFile.EVERY.toNanos());
        later.remove().run();
        later.remove().run();

        assertThat(guard.status(GuardedCall.of("foo")))
                .extracting(LimitStatus::unit)
                .containsExactly(Unit.USD);
    }

    private static String priceOf(String model) {
        return "{\"" + model + "\": {\"input_cost_per_token\": 1e-6, \"output_cost_per_token\": 1e-6}}";
    }

    private static String tokensADay(String tokens) {
        return "{\"budgets\": [{\"name\": \"b\", \"limits\": [{\"tokens\": " + tokens + ", \"per\": \"P300D\"}]}]}";
    }

    @Test
    void budgetsComeFromAFileOrFromCodeAndNotFromBoth(@TempDir Path folder) throws Exception {
        Path file = Files.writeString(folder.resolve("budgets.json"), tokensADay("1000"));
        CostGuard.Builder builder =
                CostGuard.builder().redis(guards.redis.url()).budgets(file).budget(budget(bucket(5)));

        assertThatIllegalArgumentException().isThrownBy(builder::build).withMessageContaining("not from both");
    }

    /** What becomes of a call that was let go. */
    private interface Use {
        void end(Random random, Permit permit, int reserved);
    }

    private void underLoad(CostGuard guard, List<Budget> variants, Use use) throws Exception {
        AtomicBoolean over = new AtomicBoolean();
        AtomicLong granted = new AtomicLong();
        List<Future<?>> callers = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            Random random = new Random(i);
            callers.add(threads.submit(() -> {
                while (!over.get()) {
                    int reserved = 1 + random.nextInt(8);
                    use.end(random, guard.acquire(tokens(reserved).whenExhausted(PATIENTLY)), reserved);
                    granted.incrementAndGet();
                }
                return null;
            }));
        }
        for (int i = 0; i < UPDATES; i++) {
            long before = granted.get();
            guard.update(List.of(variants.get(i % variants.size())));
            await(() -> granted.get() > before || callers.stream().anyMatch(Future::isDone));
        }
        over.set(true);
        for (Future<?> caller : callers) {
            caller.get(1, TimeUnit.MINUTES);
        }
    }

    private static Limit window(long tokens) {
        return Limit.tokens(tokens).per(LONG).fixedWindow();
    }
}
