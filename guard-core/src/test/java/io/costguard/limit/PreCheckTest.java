package io.costguard.limit;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.Limit;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class PreCheckTest {
    private static final Duration BOUND = Duration.ofMillis(100);
    private static final long ENDLESS = Duration.ofDays(1).toNanos() / 1_000;

    private final AtomicLong nanos = new AtomicLong(Long.MAX_VALUE - 1_000); // wraps around while it runs
    private final PreCheck preCheck = new PreCheck(BOUND, nanos::get);
    private final Subject subject = subject("a", budget());

    @Test
    void nothingIsDeniedThatWasNotRemembered() {
        assertThat(preCheck.denies(claims(subject, 1), Patience.NONE, nanos.get()))
                .isEmpty();
    }

    @Test
    @Tag("invariant-7")
    void aDenialHoldsForItsBoundAndNotLonger() {
        remember(claims(subject, 5), 0, ENDLESS);

        nanos.addAndGet(BOUND.toNanos() - 1);
        assertThat(preCheck.denies(claims(subject, 5), Patience.NONE, nanos.get()))
                .isPresent();
        nanos.addAndGet(1);
        assertThat(preCheck.denies(claims(subject, 5), Patience.NONE, nanos.get()))
                .isEmpty();
    }

    @Test
    void aDenialHoldsNoLongerThanTheLedgerSaid() {
        remember(claims(subject, 5), 0, 30_000);

        nanos.addAndGet(Duration.ofMillis(30).toNanos() - 1);
        assertThat(preCheck.denies(claims(subject, 5), Patience.NONE, nanos.get()))
                .isPresent();
        nanos.addAndGet(1);
        assertThat(preCheck.denies(claims(subject, 5), Patience.NONE, nanos.get()))
                .isEmpty();
    }

    @Test
    void theTimeToRetryShrinksWithTime() {
        remember(claims(subject, 5), 2, 30_000);
        nanos.addAndGet(Duration.ofMillis(10).toNanos());

        assertThat(preCheck.denies(claims(subject, 6), Patience.NONE, nanos.get()))
                .hasValueSatisfying(denied -> {
                    assertThat(denied.waitMicros()).isEqualTo(20_000);
                    assertThat(denied.available()).isEqualTo(2);
                    assertThat(denied.requested()).isEqualTo(6);
                });
    }

    @Test
    void whatIsToldOfTheLineStaysAndTheHoldShrinksWithTime() {
        List<Claim> claims = claims(subject, 5);
        preCheck.remember(
                new Verdict.Shortfall(claims.get(0), 0, 2, ENDLESS, 3, 50_000), claims, preCheck.tickets(claims));

        nanos.addAndGet(Duration.ofMillis(20).toNanos());
        assertThat(preCheck.denies(claims, Patience.NONE, nanos.get())).hasValueSatisfying(denied -> {
            assertThat(denied.ahead()).isEqualTo(3);
            assertThat(denied.heldMicros()).isEqualTo(30_000);
        });
        nanos.addAndGet(Duration.ofMillis(40).toNanos());
        assertThat(preCheck.denies(claims, Patience.NONE, nanos.get()))
                .hasValueSatisfying(denied -> assertThat(denied.heldMicros()).isZero());
    }

    @Test
    void underAnotherBudgetOfTheSameBalancesNothingIsDeniedAndWhatComesBackIsForgottenAllTheSame() {
        Subject later = subject("a", budget());
        remember(claims(later, 5), 0, ENDLESS);
        assertThat(preCheck.denies(claims(subject, 5), Patience.NONE, nanos.get()))
                .isEmpty();

        preCheck.forget(subject);

        assertThat(preCheck.denies(claims(later, 5), Patience.NONE, nanos.get()))
                .isEmpty();
    }

    @Test
    @Tag("invariant-7")
    void aSmallerCallIsNotDeniedByALargerOnesMemory() {
        remember(claims(subject, 5), 0, ENDLESS);

        assertThat(preCheck.denies(claims(subject, 4), Patience.NONE, nanos.get()))
                .isEmpty();
        assertThat(preCheck.denies(claims(subject, 5), Patience.NONE, nanos.get()))
                .isPresent();
    }

    @Test
    void ofTwoDenialsTheSmallerIsKept() {
        remember(claims(subject, 5), 0, ENDLESS);
        remember(claims(subject, 3), 0, ENDLESS);
        remember(claims(subject, 9), 0, ENDLESS);

        assertThat(preCheck.denies(claims(subject, 3), Patience.NONE, nanos.get()))
                .isPresent();
    }

    @Test
    void aDenialThatIsOverKeepsNoLargerOneFromBeingRemembered() {
        nanos.set(7);
        remember(claims(subject, 5), 0, 30_000);
        nanos.addAndGet(Duration.ofMillis(30).toNanos());

        remember(claims(subject, 9), 0, ENDLESS);

        assertThat(preCheck.denies(claims(subject, 9), Patience.NONE, nanos.get()))
                .isPresent();
    }

    @Test
    void aLargerDenialIsNotRememberedWhileASmallerOneLasts() {
        nanos.set(7);
        remember(claims(subject, 5), 0, 30_000);
        nanos.addAndGet(Duration.ofMillis(30).toNanos() - 1);

        remember(claims(subject, 9), 0, ENDLESS);

        nanos.addAndGet(1);
        assertThat(preCheck.denies(claims(subject, 9), Patience.NONE, nanos.get()))
                .isEmpty();
    }

    @Test
    void ofTwoAlikeTheLaterCounts() {
        remember(claims(subject, 5), 4, ENDLESS);
        remember(claims(subject, 5), 3, ENDLESS);

        assertThat(preCheck.denies(claims(subject, 5), Patience.NONE, nanos.get()))
                .hasValueSatisfying(denied -> assertThat(denied.available()).isEqualTo(3));
    }

    @Test
    void aCallThatWaitsIsDeniedIfItWouldWaitInVain() {
        nanos.set(7);
        remember(claims(subject, 5), 0, 30_000);
        nanos.addAndGet(Duration.ofMillis(10).toNanos());

        assertThat(preCheck.denies(claims(subject, 5), new Patience(20_000, 0), nanos.get()))
                .isPresent();
        assertThat(preCheck.denies(claims(subject, 5), new Patience(20_001, 0), nanos.get()))
                .isEmpty();
        assertThat(preCheck.denies(claims(subject, 5), new Patience(1, 20), nanos.get()))
                .as("of such a call the ledger knows")
                .isEmpty();
    }

    @Test
    void eachLimitOfASubjectIsRememberedForItself() {
        Subject both = subject("c", budget().limit(Limit.requests(3).perMinute()));
        List<Claim> claims = List.of(Claim.of(both, Cost.requests(2).input(5)));
        remember(claims, 0, ENDLESS);
        preCheck.remember(new Verdict.Shortfall(claims.get(0), 1, 1, ENDLESS, 0, 0), claims, preCheck.tickets(claims));

        assertThat(limits(both, Cost.requests(2).input(5))).containsExactly(0);
        assertThat(limits(both, Cost.requests(2).input(4))).containsExactly(1);
        assertThat(limits(both, Cost.requests(1).input(5))).containsExactly(0);
        assertThat(limits(both, Cost.requests(1).input(4))).isEmpty();

        preCheck.forget(both);
        assertThat(limits(both, Cost.requests(2).input(5))).isEmpty();
    }

    @Test
    void aCallThatAsksNothingOfTheSpentLimitIsNotDenied() {
        remember(claims(subject, 5), 0, ENDLESS);

        assertThat(preCheck.denies(claims(subject, 0), Patience.NONE, nanos.get()))
                .isEmpty();
    }

    @Test
    void anotherSubjectIsNotDenied() {
        remember(claims(subject, 5), 0, ENDLESS);

        assertThat(preCheck.denies(claims(subject("b", subject.budget()), 5), Patience.NONE, nanos.get()))
                .isEmpty();
    }

    @Test
    void whatIsGivenBackForgetsTheDenial() {
        remember(claims(subject, 5), 0, ENDLESS);

        preCheck.forget(subject);

        assertThat(preCheck.denies(claims(subject, 5), Patience.NONE, nanos.get()))
                .isEmpty();
    }

    @Test
    void aDenialThatWasDecidedBeforeAGiveBackAndArrivesAfterItIsNotRemembered() {
        List<Claim> claims = claims(subject, 5);
        PreCheck.Tickets tickets = preCheck.tickets(claims);
        preCheck.forget(subject);

        preCheck.remember(new Verdict.Shortfall(claims.get(0), 0, 0, ENDLESS, 0, 0), claims, tickets);

        assertThat(preCheck.denies(claims, Patience.NONE, nanos.get())).isEmpty();
    }

    @Test
    void aDryRunIsNeverDenied() {
        Subject dry = subject("d", budget().dryRun());
        remember(claims(dry, 5), 0, ENDLESS);

        assertThat(preCheck.denies(claims(dry, 5), Patience.NONE, nanos.get())).isEmpty();
    }

    @Test
    void aDenialOfCallsInFlightHoldsForItsBoundAndOnlyForThoseWhoDoNotWait() {
        List<Claim> claims = claims(subject("f", Budget.named("b").limit(Limit.concurrentCalls(2))), 5);
        remember(claims, 0, 0);
        nanos.addAndGet(BOUND.toNanos() - 1);

        assertThat(preCheck.denies(claims, Patience.NONE, nanos.get()))
                .hasValueSatisfying(denied -> assertThat(denied.retryMicros()).isEqualTo(1_000_000));
        assertThat(preCheck.denies(claims, new Patience(1, 0), nanos.get())).isEmpty();
        nanos.addAndGet(1);
        assertThat(preCheck.denies(claims, Patience.NONE, nanos.get())).isEmpty();
    }

    @Test
    void aDenialOfCallsInFlightHoldsForASecondAtMost() {
        PreCheck patient = new PreCheck(Duration.ofMinutes(1), nanos::get);
        List<Claim> claims = claims(subject("f", Budget.named("b").limit(Limit.concurrentCalls(2))), 5);
        patient.remember(new Verdict.Shortfall(claims.get(0), 0, 0, 0, 0, 0), claims, patient.tickets(claims));

        nanos.addAndGet(Duration.ofSeconds(1).toNanos() - 1);
        assertThat(patient.denies(claims, Patience.NONE, nanos.get())).isPresent();
        nanos.addAndGet(1);
        assertThat(patient.denies(claims, Patience.NONE, nanos.get())).isEmpty();
    }

    @Test
    void aBoundOfZeroRemembersNothing() {
        PreCheck off = new PreCheck(Duration.ZERO, nanos::get);
        List<Claim> claims = claims(subject, 5);

        off.remember(new Verdict.Shortfall(claims.get(0), 0, 0, ENDLESS, 0, 0), claims, off.tickets(claims));

        assertThat(off.denies(claims, Patience.NONE, nanos.get())).isEmpty();
    }

    /** Those that deny. */
    private List<Integer> limits(Subject subject, Cost cost) {
        return preCheck.denies(List.of(Claim.of(subject, cost)), Patience.NONE, nanos.get()).stream()
                .map(Verdict.Shortfall::limit)
                .toList();
    }

    private void remember(List<Claim> claims, long available, long waitMicros) {
        preCheck.remember(
                new Verdict.Shortfall(claims.get(0), 0, available, waitMicros, 0, 0), claims, preCheck.tickets(claims));
    }

    private static Budget budget() {
        return Budget.named("b").limit(Limit.tokens(100).perMinute());
    }

    private static Subject subject(String key, Budget budget) {
        return new Subject(key, budget);
    }

    private static List<Claim> claims(Subject subject, long tokens) {
        return List.of(Claim.of(subject, Cost.requests(1).input(tokens)));
    }
}
