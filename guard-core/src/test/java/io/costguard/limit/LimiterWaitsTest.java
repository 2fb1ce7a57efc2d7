package io.costguard.limit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.Awaiting;
import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.Denial;
import io.costguard.GuardListener;
import io.costguard.GuardListener.Denied.By;
import io.costguard.GuardListener.Regression.Lost;
import io.costguard.GuardStats;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.LimitStatus;
import io.costguard.Logged;
import io.costguard.MisfitException;
import io.costguard.Outcome;
import io.costguard.PriceList;
import io.costguard.Recorder;
import io.costguard.Share;
import io.costguard.WhenExhausted;
import io.costguard.WhenRedisFails;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;

/** What becomes of calls that the ledger does not decide at once, or not at all; and what is changed there by hand. */
@Timeout(60)
class LimiterWaitsTest {
    private static final Duration LONG = Duration.ofMinutes(5);
    private static final Duration SHORT = Duration.ofMillis(1);
    private static final GuardedCall CALL =
            GuardedCall.of("gpt-4o").with("apiKey", "k").cost(Cost.requests(1).input(9));
    private static final Budget BUDGET = Budget.named("b")
            .limit(Limit.requests(10).perDay())
            .limit(Limit.tokens(1_000).perDay());

    private final Recorder events = new Recorder();
    private final Fake ledger = new Fake();
    private final Limiter limiter = limiter(LONG, WhenRedisFails.failClosed(), BUDGET);

    /** Answers as the test says. */
    private static final class Fake extends QuietLedger {
        private Function<List<Claim>, CompletableFuture<Verdict>> answer =
                claims -> CompletableFuture.completedFuture(grant(claims));

        private CompletableFuture<?> changed = CompletableFuture.completedFuture(null);
        private final List<Patience> patiences = new ArrayList<>();
        private final List<Settled> settled = new CopyOnWriteArrayList<>();
        private final List<String> told = new ArrayList<>();
        private final List<Long> deadlines = new ArrayList<>();
        private final AtomicLong nanos = new AtomicLong(7);
        private boolean loss;
        private int asked;
        private int settles;

        @Override
        public long nanoTime() {
            return nanos.get();
        }

        @Override
        public Verdict reserve(List<Claim> claims, Patience patience, long deadlineNanos)
                throws GuardUnavailableException {
            try {
                return reserveAsync(claims, patience, deadlineNanos).join();
            } catch (CompletionException e) {
                if (e.getCause() instanceof GuardUnavailableException unavailable) {
                    throw unavailable;
                }
                throw e;
            }
        }

        @Override
        public CompletableFuture<Verdict> reserveAsync(List<Claim> claims, Patience patience, long deadlineNanos) {
            asked++;
            patiences.add(patience);
            deadlines.add(deadlineNanos);
            return answer.apply(claims);
        }

        @Override
        public void settle(List<Settled> those, Runnable then) {
            settles++;
            settled.addAll(those);
            then.run();
        }

        @Override
        public CompletableFuture<?> change(Change change, List<Claim> claims) {
            claims.forEach(claim ->
                    told.add(change + " " + claim.subject().budget().name() + " " + Arrays.toString(claim.amounts())));
            return changed;
        }

        @Override
        public CompletableFuture<?> hold(List<Subject> subjects, Duration hold) {
            subjects.forEach(subject -> told.add("HOLD " + subject.budget().name() + " " + hold));
            return changed;
        }

        @Override
        public List<List<Standing>> look(List<Claim> newcomer, long deadlineNanos) {
            deadlines.add(deadlineNanos);
            return newcomer.stream()
                    .map(claim -> Arrays.stream(claim.amounts())
                            .mapToObj(amount -> new Standing(amount, 1_000_001, 3, 2_000_002))
                            .toList())
                    .toList();
        }

        @Override
        public boolean takeLoss(List<Claim> claims) {
            return loss;
        }

        @Override
        public Backlog backlog() {
            return new Backlog(3, 5, 7);
        }

        @Override
        public void flush(long deadlineNanos) {
            deadlines.add(deadlineNanos);
            told.add("FLUSH");
        }

        @Override
        public void close() {
            told.add("CLOSE");
        }

        /** The same that all calls of it had charged, and what was used of each. */
        private List<List<Long>> used() {
            return settled.stream()
                    .map(each -> Arrays.stream(each.actual()).boxed().toList())
                    .toList();
        }
    }

    private static final class Place implements Verdict.Place {
        private final CompletableFuture<Verdict> end = new CompletableFuture<>();
        private final List<Runnable> regressed = new ArrayList<>();
        private boolean isLeft;

        @Override
        public CompletableFuture<Verdict> end() {
            return end;
        }

        @Override
        public void onRegressed(Runnable told) {
            regressed.add(told);
        }

        @Override
        public void leave() {
            isLeft = true;
        }
    }

    // --------------------------------------------------------------------------------------------- a call that waits

    @Test
    void aCallThatWaitsGoesOnceItsTurnHasCome() throws Exception {
        Place place = waits();
        CompletableFuture<Void> unused = CompletableFuture.runAsync(() -> place.end.complete(grant(CALL)));

        Reservation reservation = granted(limiter.admit(CALL, LONG, () -> false));

        assertThat(reservation.waited()).isPositive();
        assertThat(events.waits).singleElement().satisfies(event -> {
            assertThat(event.call().model()).isEqualTo("gpt-4o");
            assertThat(event.expected().retryAfter()).isEqualTo(Duration.ofHours(1));
        });
        assertThat(events.grants)
                .singleElement()
                .satisfies(event -> assertThat(event.waited()).isEqualTo(reservation.waited()));
        assertThat(place.isLeft).isFalse();
        assertThat(ledger.patiences)
                .singleElement()
                .satisfies(patience -> assertThat(patience.micros()).isEqualTo(LONG.toMillis() * 1_000));
    }

    @Test
    void aCallThatWaitsWithoutAThreadGoesOnceItsTurnHasCome() {
        Place place = waits();
        CompletableFuture<Admission> admission = limiter.admitAsync(CALL, LONG);
        assertThat(admission).isNotDone();

        place.end.complete(grant(CALL));

        assertThat(granted(admission.join()).waited()).isPositive();
        assertThat(events.waits).hasSize(1);
    }

    @Test
    void howLongACallWaitedIsMeasuredByTheLedgersTime() {
        Place place = waits();
        ledger.loss = true;
        CompletableFuture<Admission> admission = limiter.admitAsync(CALL, LONG);
        assertThat(events.regressions)
                .extracting(GuardListener.Regression::lost)
                .containsExactly(Lost.BALANCES);
        ledger.nanos.addAndGet(5_000);

        place.end.complete(grant(CALL));

        assertThat(granted(admission.join()).waited()).isEqualTo(Duration.ofNanos(5_000));
    }

    @Test
    void whateverIsAskedHasUntilTheDecisionTimeoutIsOver() throws Exception {
        limiter.decide(CALL);
        limiter.admitAsync(CALL, LONG).join();
        limiter.admitAsync(CALL, Duration.ofMinutes(1)).join();
        limiter.status(CALL);

        assertThat(ledger.deadlines).hasSize(5).containsOnly(7 + LONG.toNanos());
    }

    @Test
    void aCallThatSpendsWhatWasLeasedIsOpenUntilItEnds() throws Exception {
        Limiter spending = limiter(LONG, WhenRedisFails.spendLeased(Share.percent(10)), BUDGET);
        granted(spending.decide(CALL)).close();
        ledger.answer = claims -> CompletableFuture.failedFuture(new GuardUnavailableException("nobody is there"));

        Reservation reservation = granted(spending.decide(CALL));

        assertThat(spending.stats().openReservations()).isEqualTo(1);
        reservation.close();
        assertThat(spending.stats().openReservations()).isZero();
    }

    @Test
    void oneReservationIsToldFromAnotherOfTheSameCall() throws Exception {
        granted(limiter.decide(CALL)).close();
        granted(limiter.decide(CALL)).close();

        assertThat(events.grants.get(0).call()).isNotSameAs(events.grants.get(1).call());
        assertThat(events.settlements.get(0).call())
                .isSameAs(events.grants.get(0).call());
    }

    @Test
    void whatTheLedgerFailsAtIsAFaultOfTheGuardsUnlessItWasCancelled() {
        Limiter open = limiter(LONG, WhenRedisFails.failOpen(), BUDGET);
        ledger.answer = claims -> CompletableFuture.failedFuture(new IllegalStateException("as it is"));
        assertThat(granted(open.admitAsync(CALL, LONG).join()).charges()).isEmpty();
        assertThat(events.failedOpen).hasSize(1);

        ledger.answer = claims -> CompletableFuture.failedFuture(new CancellationException("as it is"));
        assertThatExceptionOfType(CompletionException.class)
                .isThrownBy(open.admitAsync(CALL, LONG)::join)
                .withCauseInstanceOf(CancellationException.class);
        assertThat(events.failedOpen).hasSize(1);
    }

    @Test
    void aCallThatNoBudgetCanJudgeIsNoFaultOfTheGuards() {
        Limiter strict = limiter(LONG, WhenRedisFails.failOpen(), BUDGET.per("tenant"));

        assertThatExceptionOfType(CompletionException.class)
                .isThrownBy(strict.admitAsync(CALL, LONG)::join)
                .withCauseInstanceOf(MisfitException.class);
        assertThat(events.failedOpen).isEmpty();
    }

    @Test
    @ResourceLock(Resources.SYSTEM_ERR)
    void thatNobodyDecidesIsLoggedAgainOnceItHasBeenDecidedMeanwhile() throws Exception {
        Function<List<Claim>, CompletableFuture<Verdict>> sound = ledger.answer;
        String logged = Logged.by(() -> {
            for (int i = 0; i < 2; i++) {
                ledger.answer =
                        claims -> CompletableFuture.failedFuture(new GuardUnavailableException("nobody is there"));
                assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> limiter.decide(CALL));
                ledger.answer = sound;
                ledger.nanos.addAndGet(Duration.ofMinutes(1).toNanos());
                assertThat(limiter.admitAsync(CALL, LONG)).isCompleted();
            }
        });

        assertThat(logged).hasLineCount(2);
    }

    @Test
    void aDenialSaysHowMuchMayGoNow() throws Exception {
        ledger.answer = claims ->
                CompletableFuture.completedFuture(new Verdict.Shortfall(claims.get(0), 1, 205, 60_000_000, 2, 0));
        assertThat(((Admission.Refused) limiter.decide(CALL)).denial().largestThatFits())
                .isEqualTo(205);
    }

    @Test
    void aCallThatHasWaitedInVainIsDeniedAndThatIsNotRemembered() {
        Place place = waits();
        place.end.complete(shortfall(CALL));

        for (int i = 0; i < 2; i++) {
            Admission.Refused refused =
                    (Admission.Refused) limiter.admitAsync(CALL, LONG).join();
            assertThat(refused.by()).isEqualTo(By.REDIS);
            assertThat(refused.waited()).isPositive();
            assertThat(refused.exception()).hasMessageContaining("waited");
        }
        assertThat(ledger.asked).isEqualTo(2);
    }

    @Test
    void thatACallHasLostItsPlaceIsTold() {
        Place place = waits();
        CompletableFuture<Admission> unused = limiter.admitAsync(CALL, LONG);

        place.regressed.forEach(Runnable::run);

        assertThat(events.regressions)
                .extracting(GuardListener.Regression::lost)
                .containsExactly(Lost.PLACE);
    }

    @Test
    void aCallThatNobodyWantsAnyMoreLeavesAndGivesBackWhatItIsGrantedAfterAll() {
        Place place = waits();

        assertThatExceptionOfType(CancellationException.class).isThrownBy(() -> limiter.admit(CALL, LONG, () -> true));

        assertThat(place.isLeft).isTrue();
        place.end.complete(grant(CALL));
        assertThat(ledger.used()).containsExactly(List.of(0L, 0L));
        assertThat(limiter.stats().openReservations()).isZero();
    }

    @Test
    void anInterruptedCallLeavesAndGivesBackWhatItIsGrantedAfterAll() {
        Place place = waits();
        Thread.currentThread().interrupt();

        assertThatExceptionOfType(InterruptedException.class).isThrownBy(() -> limiter.admit(CALL, LONG, () -> false));

        assertThat(place.isLeft).isTrue();
        place.end.complete(grant(CALL));
        assertThat(ledger.used()).hasSize(1);
    }

    @Test
    void aCancelledCallLeavesAndGivesBackWhatItIsGrantedAfterAll() {
        Place place = waits();
        CompletableFuture<Admission> admission = limiter.admitAsync(CALL, LONG);

        admission.cancel(false);
        assertThat(place.isLeft).isTrue();
        place.end.complete(grant(CALL));

        Awaiting.await(() -> ledger.used().size() == 1);
        assertThat(ledger.used()).containsExactly(List.of(0L, 0L));
    }

    @Test
    void aCallThatIsCancelledBeforeItIsDecidedGivesBackWhatItIsGranted() {
        CompletableFuture<Verdict> verdict = new CompletableFuture<>();
        ledger.answer = claims -> verdict;
        CompletableFuture<Admission> admission = limiter.admitAsync(CALL, LONG);
        admission.cancel(false);

        verdict.complete(grant(CALL));

        assertThat(ledger.used()).containsExactly(List.of(0L, 0L));
    }

    @Test
    void whoeverWaitsForAPlaceThatFailsIsToldWhy() {
        Place place = waits();
        place.end.completeExceptionally(new GuardUnavailableException("the guard is closed"));

        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> limiter.admit(CALL, LONG, () -> false))
                .withMessage("the guard is closed");
        assertThatExceptionOfType(CompletionException.class)
                .isThrownBy(limiter.admitAsync(CALL, LONG)::join)
                .withCauseInstanceOf(GuardUnavailableException.class)
                .withMessageContaining("the guard is closed");
        assertThat(events.failedClosed).hasSize(2);
    }

    // -------------------------------------------------------------------------------- less time than a decision takes

    @Test
    void aCallThatHasLessTimeThanADecisionIsDecidedInThat() throws Exception {
        assertThat(granted(limiter.admit(CALL, Duration.ofMinutes(1), () -> false))
                        .charges())
                .hasSize(1);
        assertThat(granted(limiter.admitAsync(CALL, Duration.ofMinutes(1)).join())
                        .charges())
                .hasSize(1);
    }

    @Test
    void aCallThatIsNotDecidedInItsTimeIsToldSoAndGivesBackWhatItIsGrantedAfterAll() {
        List<CompletableFuture<Verdict>> verdicts = new ArrayList<>();
        ledger.answer = claims -> {
            verdicts.add(new CompletableFuture<>());
            return verdicts.get(verdicts.size() - 1);
        };

        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> limiter.admit(CALL, SHORT, () -> false))
                .withMessage("Redis did not decide within 1 ms, which is all that the call had left");
        assertThatExceptionOfType(CompletionException.class)
                .isThrownBy(limiter.admitAsync(CALL, Duration.ofMillis(-1))::join)
                .withMessageContaining("Redis did not decide within 0 ms");

        verdicts.get(0).complete(grant(CALL));
        assertThat(ledger.used()).hasSize(1);
        Place place = new Place();
        verdicts.get(1).complete(new Verdict.Waiting(shortfall(CALL), place));
        assertThat(place.isLeft).isTrue();
        place.end.complete(grant(CALL));
        assertThat(ledger.used()).hasSize(2);
    }

    @Test
    void whatTheLedgerFailsAtIsToldWithinTheTimeOfTheCallToo() {
        ledger.answer = claims -> CompletableFuture.failedFuture(new GuardUnavailableException("nobody is there"));

        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> limiter.admit(CALL, Duration.ofMinutes(1), () -> false))
                .withMessage("nobody is there");
    }

    // -------------------------------------------------------------------------------------------- nobody decides

    @Test
    void whereTheGuardFailsOpenACallGoesUncountedAndThatIsTold() throws Exception {
        Limiter open = limiter(LONG, WhenRedisFails.failOpen(), BUDGET);
        ledger.answer = claims -> CompletableFuture.failedFuture(new GuardUnavailableException("nobody is there"));

        Reservation sync = granted(open.decide(CALL));
        Reservation pieces = granted(open.admitUpToAsync(CALL, 3, LONG).join());

        assertThat(sync.charges()).isEmpty();
        assertThat(pieces.pieces()).isEqualTo(3);
        assertThat(pieces.estimate().input()).isEqualTo(27);
        assertThat(events.failedOpen).hasSize(2).first().satisfies(event -> {
            assertThat(event.cause()).hasMessage("nobody is there");
            assertThat(event.call().attributes().get("apiKey")).hasSize(32);
        });
        assertThat(events.failedClosed).isEmpty();
        sync.settle(Cost.requests(1));
        assertThat(ledger.settled).isEmpty();
    }

    @Test
    void aFaultOfTheGuardsOwnIsWhatItFailedAt() {
        ledger.answer = claims -> {
            throw new IllegalArgumentException("a fault");
        };

        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> limiter.decide(CALL))
                .withMessage("the guard failed: java.lang.IllegalArgumentException: a fault");
        assertThatExceptionOfType(CompletionException.class)
                .isThrownBy(limiter.admitAsync(CALL, LONG)::join)
                .withCauseInstanceOf(GuardUnavailableException.class)
                .withMessageContaining("the guard failed: java.lang.IllegalArgumentException: a fault");
        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> limiter.whenFaulty(CALL, new IllegalStateException("another")))
                .withMessage("the guard failed: java.lang.IllegalStateException: another");
        assertThat(events.failedClosed).hasSize(3);
    }

    @Test
    void aDecisionThatTheLedgerCancelsIsNoFault() {
        ledger.answer = claims -> {
            throw new CancellationException("cancelled");
        };

        assertThatExceptionOfType(CancellationException.class).isThrownBy(() -> limiter.decide(CALL));
        assertThat(limiter.admitAsync(CALL, LONG)).isCompletedExceptionally();
        assertThat(events.failedClosed).isEmpty();
    }

    // ------------------------------------------------------------------------------------------------ what is denied

    @Test
    void aCallAboveCapacityIsRefusedForGoodWithoutTheLedger() throws Exception {
        Admission.Refused refused =
                (Admission.Refused) limiter.decide(CALL.cost(Cost.requests(1).input(1_001)));

        assertThat(refused.by()).isEqualTo(By.CAPACITY);
        assertThat(refused.denial().requested()).isEqualTo(1_001);
        assertThat(refused.denial().available()).isEqualTo(1_000);
        assertThat(refused.denial().retryAfter()).isEqualTo(Denial.NEVER);
        assertThat(ledger.asked).isZero();
        granted(limiter.decide(CALL.cost(Cost.requests(1).input(1_000))));
    }

    @Test
    void aCallAboveWhatAShareLeavesIsRefusedForGoodThoughItIsClamped() throws Exception {
        Limiter clamped = limiter(LONG, WhenRedisFails.failClosed(), BUDGET.clampToCapacity());
        GuardedCall large = CALL.cost(Cost.requests(1).input(1_001));
        GuardedCall leaving = CALL.whenExhausted(WhenExhausted.waitUpTo(LONG).leaving(Share.percent(20)));

        granted(clamped.decide(large));
        granted(clamped.decide(leaving.cost(Cost.requests(1).input(800))));
        Admission.Refused refused =
                (Admission.Refused) clamped.admit(leaving.cost(Cost.requests(1).input(801)), LONG, () -> false);

        assertThat(refused.by()).isEqualTo(By.CAPACITY);
        assertThat(refused.denial().largestThatFits()).isEqualTo(800);
    }

    @Test
    void aDryRunIsChargedAndWhatItWouldHaveDeniedIsTold() throws Exception {
        Limiter dry = limiter(LONG, WhenRedisFails.failClosed(), BUDGET.dryRun());
        ledger.answer = claims ->
                CompletableFuture.completedFuture(new Verdict.Granted(List.of(), List.of(shortfall(claims.get(0)))));

        granted(dry.decide(CALL.cost(Cost.requests(1).input(5_000))));

        assertThat(events.denials).singleElement().satisfies(event -> {
            assertThat(event.by()).isEqualTo(By.DRY_RUN);
            assertThat(event.denial().limit()).isEqualTo("requests per day");
        });
    }

    @Test
    void aCallThatLeavesAShareIsToldHowMuchMayGoNowAndIsNotRemembered() throws Exception {
        GuardedCall leaving = CALL.whenExhausted(WhenExhausted.waitUpTo(LONG).leaving(Share.percent(20)));
        ledger.answer = claims ->
                CompletableFuture.completedFuture(new Verdict.Shortfall(claims.get(0), 1, 205, 60_000_000, 0, 0));

        Admission.Refused refused = (Admission.Refused) limiter.admit(leaving, LONG, () -> false);
        assertThat(refused.denial().available()).isEqualTo(205);
        assertThat(refused.denial().largestThatFits()).isEqualTo(5);

        ledger.answer = claims ->
                CompletableFuture.completedFuture(new Verdict.Shortfall(claims.get(0), 1, 205, 60_000_000, 2, 0));
        refused = (Admission.Refused) limiter.admit(leaving, LONG, () -> false);
        assertThat(refused.denial().largestThatFits()).as("others wait").isZero();
        assertThat(refused.denial().ahead()).isEqualTo(2);
        assertThat(ledger.asked).isEqualTo(2);
    }

    @Test
    void whileAHoldLastsNothingMayGo() throws Exception {
        ledger.answer = claims -> CompletableFuture.completedFuture(
                new Verdict.Shortfall(claims.get(0), 1, 205, 60_500_000, 0, 7_000_001));

        Admission.Refused refused = (Admission.Refused) limiter.decide(CALL);

        assertThat(refused.denial().largestThatFits()).isZero();
        assertThat(refused.denial().retryAfter()).isEqualTo(Duration.ofMillis(60_500));
        assertThat(refused.denial().held()).isEqualTo(Duration.ofNanos(7_000_001_000L));
    }

    @Test
    void aDenialIsForgottenOnceSomethingIsGivenBack() throws Exception {
        Reservation open = granted(limiter.decide(CALL));
        ledger.answer = claims -> CompletableFuture.completedFuture(shortfall(claims.get(0)));
        limiter.decide(CALL);
        limiter.decide(CALL);
        assertThat(ledger.asked).isEqualTo(2);

        open.release();
        limiter.decide(CALL);

        assertThat(ledger.asked).isEqualTo(3);
    }

    // ------------------------------------------------------------------------------------------------- how it ends

    @Test
    void aCallThatUsedWhatItReservedSettlesNothing() throws Exception {
        granted(limiter.decide(CALL)).settle(CALL.cost());

        assertThat(ledger.settles).isZero();
        assertThat(events.settlements).hasSize(1);
    }

    @Test
    void openReservationsAreCountedUntilTheyEnd() throws Exception {
        Reservation one = granted(limiter.decide(CALL));
        granted(limiter.decide(CALL));
        assertThat(limiter.stats()).isEqualTo(new GuardStats(2, 3, 5, 7));

        one.close();
        one.close();

        assertThat(limiter.stats().openReservations()).isEqualTo(1);
    }

    @Test
    void aLossThatTheLedgerFoundIsToldWithTheNextDecisionAndSettle() throws Exception {
        ledger.loss = true;
        Reservation reservation = granted(limiter.decide(CALL));
        assertThat(events.regressions)
                .extracting(GuardListener.Regression::lost)
                .containsExactly(Lost.BALANCES);

        reservation.release();

        assertThat(events.regressions).hasSize(2);
    }

    @Test
    void pricesAndPartsOfWhatWasUsedAreKept() throws Exception {
        granted(limiter.decide(CALL))
                .settle(Cost.requests(5)
                        .input(8)
                        .cacheRead(3)
                        .cacheWrite(2)
                        .output(4)
                        .reasoning(1)
                        .nanoUsd(77));

        assertThat(events.settlements).singleElement().satisfies(event -> {
            assertThat(event.outcome()).isEqualTo(Outcome.SETTLED);
            assertThat(event.actual())
                    .isEqualTo(Cost.requests(1)
                            .input(8)
                            .cacheRead(3)
                            .cacheWrite(2)
                            .output(4)
                            .reasoning(1)
                            .nanoUsd(77));
        });
    }

    // -------------------------------------------------------------------------------------------------- by hand

    @Test
    void aChangeByHandIsOfAllBudgetsOfTheCallThatItCostsSomething() throws Exception {
        Limiter two = limiter(
                LONG, WhenRedisFails.failClosed(), BUDGET, Budget.named("usd").limit(Limit.concurrentCalls(9)));

        two.charge(CALL, Cost.requests(0).input(5));
        two.refund(CALL, Cost.requests(2));
        two.reset(CALL);

        assertThat(ledger.told)
                .containsExactly("CHARGE b [0, 5]", "REFUND b [2, 0]", "FLUSH", "RESET b [0, 0]", "RESET usd [0]");
    }

    @Test
    void whatIsDeniedIsForgottenOnceItIsRefundedOrReset() throws Exception {
        ledger.answer = claims -> CompletableFuture.completedFuture(shortfall(claims.get(0)));
        limiter.decide(CALL);

        limiter.refund(CALL, Cost.requests(1));
        limiter.decide(CALL);
        assertThat(ledger.asked).isEqualTo(2);
        limiter.reset(CALL);
        limiter.decide(CALL);
        assertThat(ledger.asked).isEqualTo(3);
        limiter.charge(CALL, Cost.requests(1));
        limiter.decide(CALL);
        assertThat(ledger.asked).isEqualTo(3);
    }

    @Test
    void whatWasNotDoneInTimeIsSaid() {
        Limiter hasty = limiter(SHORT, WhenRedisFails.failClosed(), BUDGET);
        ledger.changed = new CompletableFuture<>();

        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> hasty.charge(CALL, Cost.requests(1)))
                .withMessageContaining("has not been told what to charge yet");
        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> hasty.refund(CALL, Cost.requests(1)))
                .withMessageContaining("has not been told what to give back yet");
        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> hasty.reset(CALL))
                .withMessageContaining("did not reset it");
        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> hasty.hold(CALL, LONG))
                .withMessageContaining("did not take the hold");
        assertThat(events.holds).isEmpty();
    }

    @Test
    void whyItWasNotDoneIsSaid() {
        ledger.changed = CompletableFuture.failedFuture(new GuardUnavailableException("too much waits"));
        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> limiter.charge(CALL, Cost.requests(1)))
                .withMessage("too much waits");

        ledger.changed = CompletableFuture.failedFuture(new IllegalStateException("a fault"));
        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> limiter.charge(CALL, Cost.requests(1)))
                .withMessageContaining("has not been told");
    }

    @Test
    void whoeverIsInterruptedMeanwhileKeepsTheFlag() {
        ledger.changed = new CompletableFuture<>();
        Thread.currentThread().interrupt();

        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> limiter.charge(CALL, Cost.requests(1)))
                .withMessageStartingWith("interrupted; ");
        assertThat(Thread.interrupted()).isTrue();
    }

    @Test
    void aHoldIsOfAllBudgetsButDryRunsAndIsTold() throws Exception {
        Limiter two = limiter(
                LONG,
                WhenRedisFails.failClosed(),
                BUDGET,
                Budget.named("all").per().limit(Limit.requests(9).perDay()),
                Budget.named("dry").limit(Limit.requests(9).perDay()).dryRun());

        two.hold(CALL, Duration.ofSeconds(3));
        assertThat(ledger.told).containsExactly("HOLD b PT3S", "HOLD all PT3S");
        assertThat(events.holds).hasSize(1);

        ledger.told.clear();
        granted(two.decide(CALL)).hold(Duration.ofSeconds(4));
        assertThat(ledger.told).as("what providers count").containsExactly("HOLD b PT4S");
        assertThat(events.holds).hasSize(2);
    }

    @Test
    void whereNoBudgetIsHeldNothingIsToldOfIt() throws Exception {
        Limiter dry = limiter(LONG, WhenRedisFails.failClosed(), BUDGET.dryRun());

        dry.hold(CALL, LONG);
        granted(dry.decide(CALL)).hold(LONG);

        assertThat(ledger.told).isEmpty();
        assertThat(events.holds).isEmpty();
    }

    @Test
    void howLimitsStandIsToldOfEachForANewcomerThatAsksSomethingOfAll() throws Exception {
        List<LimitStatus> status = limiter.status(CALL.cost(Cost.requests(0).input(5)));

        assertThat(ledger.told).containsExactly("FLUSH");
        assertThat(status).extracting(LimitStatus::balance).containsExactly(1L, 5L);
        assertThat(status).extracting(LimitStatus::limit).containsExactly("requests per day", "tokens per day");
        assertThat(status.get(1).capacity()).isEqualTo(1_000);
        assertThat(status.get(1).waiting()).isEqualTo(3);
        assertThat(status.get(1).toString()).contains("tokens per day");
        assertThat(limiter(LONG, WhenRedisFails.failClosed(), BUDGET.models("other"))
                        .status(CALL))
                .isEmpty();
    }

    @Test
    void theLedgerIsClosedWithIt() {
        limiter.close();

        assertThat(ledger.told).containsExactly("CLOSE");
    }

    // ------------------------------------------------------------------------------------------------ other budgets

    @Test
    void callsFallUnderTheBudgetsThatAreInForceThen() throws Exception {
        boolean[] isOver = {false};
        Budget more = Budget.named("b").limit(Limit.requests(20).perDay());
        Budget least = Budget.named("b").limit(Limit.requests(2).perDay());
        GuardedCall five = CALL.cost(Cost.requests(5));

        limiter.update(new InForce(List.of(more), () -> isOver[0], List.of(least)));

        assertThat(limiter.decide(five.cost(Cost.requests(20)))).isInstanceOf(Admission.Granted.class);
        isOver[0] = true;
        assertThat(limiter.decide(five)).isInstanceOf(Admission.Refused.class);
    }

    @Test
    void aCallUnderNoBudgetGoesWithoutTheLedger() throws Exception {
        Limiter other = limiter(LONG, WhenRedisFails.failClosed(), BUDGET.models("other"));

        assertThat(granted(other.decide(CALL)).charges()).isEmpty();
        assertThat(granted(other.admitUpTo(CALL, 4, LONG)).pieces()).isEqualTo(4);
        assertThat(granted(other.admitAsync(CALL, LONG).join()).charges()).isEmpty();
        assertThat(ledger.asked).isZero();
        assertThat(events.grants).hasSize(3);
    }

    @Test
    void nothingIsLeasedWhereNothingIsToBe() {
        assertThat(limiter.leased(CALL)).isEmpty();
    }

    // ------------------------------------------------------------------------------------------------------------

    private Place waits() {
        Place place = new Place();
        ledger.answer =
                claims -> CompletableFuture.completedFuture(new Verdict.Waiting(shortfall(claims.get(0)), place));
        return place;
    }

    private Limiter limiter(Duration timeout, WhenRedisFails policy, Budget... budgets) {
        Fingerprint fingerprint = new Fingerprint(new byte[16]);
        return new Limiter(
                new Subjects(List.of(budgets), "p", "apiKey", fingerprint, new Cardinality(1_000, System::nanoTime)),
                ledger,
                PriceList.bundled(),
                fingerprint,
                WhenExhausted.waitUpTo(Duration.ofHours(1)),
                policy,
                timeout,
                LONG,
                Listeners.of(events));
    }

    private static Verdict.Granted grant(List<Claim> claims) {
        return new Verdict.Granted(
                claims.stream()
                        .map(claim ->
                                new Charge(claim, new long[claim.amounts().length], new long[claim.amounts().length]))
                        .toList(),
                List.of());
    }

    private static Verdict.Granted grant(GuardedCall call) {
        return grant(List.of(claim(call)));
    }

    private static Verdict.Shortfall shortfall(GuardedCall call) {
        return shortfall(claim(call));
    }

    private static Verdict.Shortfall shortfall(Claim claim) {
        return new Verdict.Shortfall(claim, 0, 0, 3_600_000_000L, 0, 0);
    }

    private static Claim claim(GuardedCall call) {
        return Claim.of(new Subject("p:{x}:b", BUDGET), call.cost());
    }

    private static Reservation granted(Admission admission) {
        return ((Admission.Granted) admission).reservation();
    }
}
