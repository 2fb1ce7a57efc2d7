package io.costguard.topology;

import static io.costguard.Awaiting.await;
import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.Decision;
import io.costguard.Denial;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.LimitStatus;
import io.costguard.Permit;
import io.costguard.WhenExhausted;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.LongFunction;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What holds for each limit over each Redis, however that is run and reached: two processes share it. */
@ParameterizedClass(name = "{0}")
@MethodSource("topologies")
@Timeout(60)
@ExtendWith(Matrix.class)
class TopologiesIT {
    /** Nothing comes back by itself in any test's time. */
    private static final Duration LONG = Duration.ofDays(30);

    private static final WhenExhausted PATIENTLY = WhenExhausted.waitUpTo(Duration.ofDays(365));

    private final CostGuard one;
    private final CostGuard other;
    /** Of balances that no other test has. */
    private final String key = "sk-" + UUID.randomUUID();

    TopologiesIT(Fleet fleet) {
        this.one = fleet.one;
        this.other = fleet.other;
    }

    /** Two processes at one Redis. */
    record Fleet(Topology topology, CostGuard one, CostGuard other) implements AutoCloseable {
        Fleet(Topology topology) {
            this(topology, guard(topology), guard(topology));
        }

        private static CostGuard guard(Topology topology) {
            CostGuard.Builder guard = topology.guard().preCheck(Duration.ZERO).decisionTimeout(Duration.ofMinutes(1));
            limits().forEach(ten -> guard.budget(Budget.named(ten.toString())
                    .where("counts", ten.toString())
                    .per("apiKey")
                    .limit(ten.limit)));
            return guard.build();
        }

        @Override
        public void close() {
            one.close();
            other.close();
            topology.close();
        }

        @Override
        public String toString() {
            return topology.toString();
        }
    }

    /** Each is there while it is its turn. */
    static Stream<Fleet> topologies() {
        return Stream.<Supplier<Topology>>of(
                        Topology::standalone,
                        Topology::clientOfTheUsers,
                        Topology::password,
                        Topology::leastRights,
                        Topology::database,
                        Topology::tls,
                        Topology::sentinel,
                        Topology::cluster)
                .map(start -> new Fleet(start.get()));
    }

    /**
     * A limit of ten.
     *
     * @param cost of a call that costs so many
     */
    record Ten(Limit limit, LongFunction<Cost> cost) {
        /** What is charged for a call of six that says that it used so many. */
        long chargedOfSix(int used) {
            return switch (limit.unit()) {
                case REQUESTS -> 6;
                case CONCURRENT_CALLS -> 0;
                default -> used;
            };
        }

        @Override
        public String toString() {
            return limit.unit().label() + ", " + limit.algorithm().getClass().getSimpleName();
        }
    }

    static Stream<Ten> limits() {
        Stream<Ten> amounts = Stream.of(
                        new Ten(Limit.requests(10).per(LONG), Cost::requests),
                        new Ten(
                                Limit.tokens(10).per(LONG),
                                amount -> Cost.requests(1).input(amount - 1).output(1)),
                        new Ten(Limit.inputTokens(10).per(LONG), Cost.requests(1)::input),
                        new Ten(Limit.outputTokens(10).per(LONG), Cost.requests(1)::output),
                        new Ten(Limit.usd("0.000000010").per(LONG), Cost.requests(1)::nanoUsd))
                .flatMap(ten -> Stream.of(ten.limit.tokenBucket(), ten.limit.fixedWindow(), ten.limit.slidingWindow())
                        .map(limit -> new Ten(limit, ten.cost)));
        return Stream.concat(amounts, Stream.of(new Ten(Limit.concurrentCalls(10), Cost::requests)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("limits")
    void callsGoUpToTheLimitAndNotBeyond(Ten ten) throws Exception {
        acquire(one, ten, 4);
        acquire(other, ten, 6);

        assertThat(goes(one, ten)).isFalse();
        assertThat(goes(other, ten)).isFalse();
        assertThat(balance(one, ten)).isZero();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("limits")
    void aDenialTellsWhatIsMissingAndWhenToComeBack(Ten ten) throws Exception {
        acquire(one, ten, 10);

        Denial denial = ((Decision.Denied) other.decide(call(ten))).denial();

        assertThat(denial)
                .returns(ten.toString(), Denial::budget)
                .returns(ten.limit.name(), Denial::limit)
                .returns(ten.limit.unit(), Denial::unit)
                .returns(1L, Denial::requested)
                .returns(0L, Denial::available);
        assertThat(denial.retryAfter()).isPositive().isLessThanOrEqualTo(LONG.multipliedBy(2));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("limits")
    void whatIsReleasedIsThereAgain(Ten ten) throws Exception {
        List<Permit> four = acquire(one, ten, 4);
        acquire(other, ten, 6);

        four.forEach(Permit::release);
        one.flush();

        assertThat(balance(other, ten)).isEqualTo(4);
        acquire(other, ten, 4);
        assertThat(goes(other, ten)).isFalse();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("limits")
    void aCallIsChargedWhatItUsedMoreOrLess(Ten ten) throws Exception {
        settle(acquire(one, ten, 6), ten, 2);
        one.flush();
        assertThat(balance(other, ten)).isEqualTo(10 - ten.chargedOfSix(2));
        one.reset(call(ten));
        settle(acquire(one, ten, 6), ten, 13);
        one.flush();

        assertThat(balance(other, ten)).isEqualTo(10 - ten.chargedOfSix(13));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("limits")
    void whoWaitsIsLetGoByWhatAnotherProcessGivesBackInTheOrderOfAsking(Ten ten) throws Exception {
        List<Permit> all = acquire(one, ten, 10);
        CompletableFuture<Permit> first = waits(other, ten, 1);
        CompletableFuture<Permit> second = waits(one, ten, 2);

        all.forEach(Permit::release);

        assertThat(first.get(1, TimeUnit.MINUTES).waited()).isPositive();
        assertThat(second.get(1, TimeUnit.MINUTES).waited()).isPositive();
        assertThat(balance(other, ten)).isEqualTo(8);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("limits")
    void nobodyGoesWhileAHoldLastsInTheWholeFleet(Ten ten) throws Exception {
        GuardedCall call = call(ten);

        one.hold(call, Duration.ofHours(1));

        assertThat(((Decision.Denied) other.decide(call)).denial().held()).isPositive();
        one.reset(call);
        acquire(other, ten, 10);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("limits")
    void aResetFillsABalanceForAll(Ten ten) throws Exception {
        acquire(one, ten, 10);

        one.reset(call(ten));

        assertThat(balance(other, ten)).isEqualTo(10);
    }

    /** Of one. */
    private GuardedCall call(Ten ten) {
        return call(ten, 1);
    }

    private GuardedCall call(Ten ten, int amount) {
        return GuardedCall.of("search")
                .with("apiKey", key)
                .with("counts", ten.toString())
                .cost(ten.cost.apply(amount));
    }

    private List<Permit> acquire(CostGuard guard, Ten ten, int amount) throws IOException {
        List<Permit> permits = new ArrayList<>();
        if (!ten.limit.isInFlight()) {
            return List.of(guard.acquire(call(ten, amount)));
        }
        while (permits.size() < amount) {
            permits.add(guard.acquire(call(ten)));
        }
        return permits;
    }

    private static void settle(List<Permit> permits, Ten ten, int used) {
        permits.forEach(permit -> permit.settle(ten.cost.apply(used)));
    }

    private boolean goes(CostGuard guard, Ten ten) throws GuardUnavailableException {
        return guard.tryAcquire(call(ten)).isPresent();
    }

    private CompletableFuture<Permit> waits(CostGuard guard, Ten ten, int place) throws Exception {
        CompletableFuture<Permit> permit = guard.acquireAsync(call(ten).whenExhausted(PATIENTLY));
        await(() -> status(guard, ten).waiting() == place);
        return permit;
    }

    private long balance(CostGuard guard, Ten ten) throws GuardUnavailableException {
        return status(guard, ten).balance();
    }

    private LimitStatus status(CostGuard guard, Ten ten) throws GuardUnavailableException {
        return guard.status(call(ten)).get(0);
    }
}
