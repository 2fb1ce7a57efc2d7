package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Leased;
import io.costguard.Limit;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.LongConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** When slots are renewed, and what a call hears of it that ends meanwhile. */
class LeasesTest {
    private static final Duration LEASE = Duration.ofMinutes(3);
    private static final int LIMIT = 1;

    private final Subject subject = subject("a");
    private final List<Renewal> renewals = new ArrayList<>();
    private final List<Timer> timers = new ArrayList<>();
    private final List<Long> lapsed = new ArrayList<>();
    private final Leases leases = new Leases(new Renewer(), new ServerClock(() -> 0, nanos -> {
        Timer timer = new Timer(nanos, new CompletableFuture<>());
        timers.add(timer);
        return timer.ends;
    }));

    private record Renewal(Batch.Call.Renew call, LongConsumer renewed, CompletableFuture<Void> done) {
        /** The era is known now. */
        void happened(long era) {
            renewed.accept(era);
            done.complete(null);
        }
    }

    private record Timer(long nanos, CompletableFuture<Void> ends) {}

    private final class Renewer implements Leases.Renewer {
        @Override
        public CompletableFuture<?> renew(Batch.Call.Renew call, LongConsumer renewed) {
            renewals.add(new Renewal(call, renewed, new CompletableFuture<>()));
            return last().done;
        }

        @Override
        public void hadLapsed(Subject whose, long calls) {
            lapsed.add(calls);
        }
    }

    @Test
    void allCallsOfASubjectAreRenewedAtOnceThreeTimesALease() {
        List<Charge> open = List.of(begun(7), begun(7), begun(8));
        for (int i = 0; i < 3; i++) {
            assertThat(timers).hasSize(i + 1);
            assertThat(timers.get(i).nanos()).isEqualTo(LEASE.dividedBy(3).toNanos());
            timePasses();
            assertThat(renewals).hasSize(i + 1);
            last().happened(9 + i);
        }

        assertThat(renewals.get(0).call()).isEqualTo(new Batch.Call.Renew(subject, LIMIT, Map.of(7L, 2L, 8L, 1L)));
        assertThat(renewals.get(1).call()).isEqualTo(new Batch.Call.Renew(subject, LIMIT, Map.of(9L, 3L)));
        assertThat(open).allSatisfy(charge -> assertThat(charge.eras()).containsExactly(0, 11));
        assertThat(lapsed).isEmpty();
    }

    @Test
    void nothingIsRenewedAndNoTimerRunsOnceAllHaveEnded() {
        Charge charge = begun(7);
        assertThat(leases.end(charge)).isCompleted();
        timePasses();
        assertThat(renewals).isEmpty();
        assertThat(timers).hasSize(1);

        Charge next = begun(8);

        assertThat(timers).hasSize(2);
        timePasses();
        assertThat(last().call().byEra()).isEqualTo(Map.of(8L, 1L));
        assertThat(next.eras()[LIMIT]).isEqualTo(8);
    }

    @Test
    void aGuardWithoutSuchLimitsHasNoTimer() {
        Subject other = new Subject(
                "{x}:other", Budget.named("b").limit(Limit.requests(9).perMinute()));
        Charge charge = new Charge(new Claim(other, new long[] {1}), new long[] {3}, new long[] {8});

        leases.begin(new Verdict.Granted(List.of(charge), List.of()));

        assertThat(timers).isEmpty();
        assertThat(leases.end(charge)).isCompleted();
    }

    @Test
    void aCallThatEndsWhileItIsRenewedIsSettledInTheEraInWhichItIsThen() {
        Charge charge = begun(7);
        timePasses();
        CompletableFuture<Long> settledIn = leases.end(charge).thenApply(known -> charge.eras()[LIMIT]);
        assertThat(settledIn).isNotDone();

        last().happened(12);

        assertThat(settledIn).isCompletedWithValue(12L);
        timePasses();
        assertThat(renewals).hasSize(1);
    }

    @Test
    void aCallOfWhichNobodyKnowsWhetherItWasRenewedIsSettledWhereItWas() {
        Charge charge = begun(7);
        timePasses();
        CompletableFuture<Long> settledIn = leases.end(charge).thenApply(known -> charge.eras()[LIMIT]);

        last().done.complete(null);

        assertThat(settledIn).isCompletedWithValue(7L);
    }

    @Test
    void whatIsUnknownIsNotRenewedAgainAndHoldsUpNoOtherSubject() {
        Charge here = begun(7);
        Charge there = begun(subject("b"), 7);
        timePasses();
        assertThat(renewals).hasSize(2);
        Renewal ofHere = renewals.stream()
                .filter(each -> each.call().subject().equals(subject))
                .findFirst()
                .orElseThrow();
        renewals.stream().filter(each -> !each.equals(ofHere)).forEach(each -> each.happened(9));

        timePasses();

        assertThat(renewals).hasSize(3);
        assertThat(last().call().subject()).isEqualTo(there.claim().subject());
        ofHere.happened(10);
        assertThat(here.eras()[LIMIT]).isEqualTo(10);
    }

    @Test
    void aCallThatBeganWhileOthersWereRenewedStaysInItsEra() {
        Charge early = begun(7);
        timePasses();
        Charge late = begun(13);

        last().happened(12);

        assertThat(early.eras()[LIMIT]).isEqualTo(12);
        assertThat(late.eras()[LIMIT]).isEqualTo(13);
        timePasses();
        assertThat(last().call().byEra()).isEqualTo(Map.of(12L, 1L, 13L, 1L));
    }

    @Test
    void callsThatHadLostTheirSlotsAreReported() {
        List<Charge> open = List.of(begun(7), begun((1 << 24) - 1), begun(8));
        timePasses();

        last().happened(7 + 16);

        assertThat(lapsed).containsExactly(2L);
        assertThat(open).hasSize(3);
    }

    @Test
    void eachOfThePiecesThatWereReservedAsOneIsACallInFlight() {
        Charge charge = begun(subject, 7, 3);
        timePasses();
        assertThat(last().call().byEra()).isEqualTo(Map.of(7L, 3L));

        last().happened(7 + 16);

        assertThat(lapsed).containsExactly(3L);
        assertThat(leases.end(charge)).isCompleted();
    }

    @Test
    @Timeout(60)
    void aCallThatNobodyCanEndAnyMoreIsNotRenewed() {
        List<Charge> kept = List.of(begun(7));
        begun(7);
        Map<Long, Long> all = Map.of(7L, 1L);

        do {
            System.gc();
            timePasses();
            last().done.complete(null);
        } while (!last().call().byEra().equals(all));

        assertThat(kept).hasSize(1);
    }

    @Test
    void nothingIsRenewedAfterTheEnd() {
        Charge charge = begun(7);

        leases.close();

        assertThat(timers.get(0).ends()).isCompleted();
        assertThat(renewals).isEmpty();
        Charge late = begun(8);
        assertThat(timers).hasSize(1);
        assertThat(leases.end(charge)).isCompleted();
        assertThat(leases.end(late)).isCompleted();
    }

    @Test
    void whateverIsDoneKeepsNobodyElseOut() throws Exception {
        List<Runnable> steps = new ArrayList<>();
        List<Charge> charges = new ArrayList<>();
        steps.add(() -> charges.add(begun(7)));
        steps.add(() -> assertThat(leases.end(charges.get(0))).isCompleted());
        steps.add(this::timePasses);
        steps.add(() -> last().happened(9));
        steps.add(leases::close);

        for (Runnable step : steps) {
            step.run();
            CompletableFuture.runAsync(() -> charges.add(begun(8))).get(30, TimeUnit.SECONDS);
        }

        assertThat(charges).hasSize(1 + steps.size());
    }

    private static Subject subject(String name) {
        return new Subject(
                "{x}:" + name,
                Budget.named("b").limit(Limit.requests(9).perMinute()).limit(Leased.calls(9, LEASE)));
    }

    private Charge begun(long era) {
        return begun(subject, era);
    }

    private Charge begun(Subject of, long era) {
        return begun(of, era, 1);
    }

    private Charge begun(Subject of, long era, long calls) {
        Charge charge = new Charge(new Claim(of, new long[] {calls, calls}), new long[] {0, era}, new long[] {8, 8});
        leases.begin(new Verdict.Granted(List.of(charge), List.of()));
        return charge;
    }

    private Renewal last() {
        return renewals.get(renewals.size() - 1);
    }

    private void timePasses() {
        timers.get(timers.size() - 1).ends.complete(null);
    }
}
