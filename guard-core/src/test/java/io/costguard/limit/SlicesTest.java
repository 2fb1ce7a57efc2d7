package io.costguard.limit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.Budget;
import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.Share;
import io.costguard.Slice;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What of slices is asked of a ledger, and when, and what they are worth meanwhile: in a time that the test lets pass. */
class SlicesTest {
    private static final Duration TIMEOUT = Duration.ofMillis(50);
    private static final Duration LOOK = Duration.ofSeconds(1);
    /** Of which a slice is 100. */
    private static final Limit DAY = Limit.tokens(1_000).perDay();
    /** Of which a slice is 60, and six seconds' refill. */
    private static final Limit BUCKET = Limit.requests(600).perMinute();
    /** Of which a slice is two. */
    private static final Limit CALLS = Limit.concurrentCalls(20);

    private final GuardUnavailableException away = new GuardUnavailableException("nobody is there");

    private final Fake ledger = new Fake();
    private final Slices slices = new Slices(ledger, Share.percent(10), TIMEOUT);
    private long nowNanos = 5;

    /** Grants what is asked, and does what it is told, at once unless it {@code isSilent}. */
    private final class Fake extends QuietLedger {
        private final List<String> told = new ArrayList<>();
        private final List<CompletableFuture<Verdict>> asked = new ArrayList<>();
        private final PriorityQueue<Timer> timers = new PriorityQueue<>(Comparator.comparing(Timer::atNanos));
        private final Map<Limit, Long> countsNanos = new HashMap<>();
        private boolean isSilent;
        private boolean denies;
        private Optional<CompletableFuture<?>> renewed = Optional.empty();

        @Override
        public long nanoTime() {
            return nowNanos;
        }

        @Override
        public CompletableFuture<Void> after(long nanos) {
            Timer timer = new Timer(nowNanos + nanos, new CompletableFuture<>());
            timers.add(timer);
            return timer.then;
        }

        @Override
        public long countsNanos(Subject subject, Limit limit) {
            return countsNanos.getOrDefault(limit, Long.MAX_VALUE);
        }

        @Override
        public CompletableFuture<Verdict> reserveAsync(List<Claim> claims, Patience patience, long deadlineNanos) {
            Claim claim = claims.get(0);
            told.add("reserve " + text(claim) + " leaving " + patience.leaves() + " within "
                    + (deadlineNanos - nowNanos) / 1_000_000);
            CompletableFuture<Verdict> answer = new CompletableFuture<>();
            asked.add(answer);
            if (!isSilent) {
                answer.complete(denies ? new Verdict.Shortfall(claim, 0, 0, 0, 0, 0) : granted(claim));
            }
            return answer;
        }

        @Override
        public CompletableFuture<?> renew(Charge charge) {
            told.add("renew " + text(charge.claim()));
            return renewed.orElseGet(() -> CompletableFuture.completedFuture(null));
        }

        @Override
        public void settle(List<Settled> settled, Runnable then) {
            for (Settled each : settled) {
                told.add("settle " + text(each.charge().claim()) + " to " + Arrays.toString(each.actual()));
            }
        }
    }

    private record Timer(long atNanos, CompletableFuture<Void> then) {}

    // ------------------------------------------------------------------------------------------------ what is leased

    @Test
    void ofEachLimitOfASubjectThatIsUsedAShareIsLeasedOnceOfItsUpperHalf() {
        Subject subject =
                subject(DAY, Limit.requests(255).perDay(), Limit.requests(3).perHour());

        use(subject);
        use(subject);

        assertThat(ledger.told).containsExactly("reserve [100, 25, 1] leaving 50 within 50");
        assertThat(slices.of(List.of(subject)))
                .containsExactly(
                        new Slice("b", DAY.name(), 100, 100, DAY.unit()),
                        new Slice(
                                "b",
                                subject.limits().get(1).name(),
                                25,
                                25,
                                subject.limits().get(1).unit()),
                        new Slice(
                                "b",
                                subject.limits().get(2).name(),
                                1,
                                1,
                                subject.limits().get(2).unit()));
    }

    @Test
    void whatIsDeniedIsAskedForAgainAtTheNextLookAndNotBeforeItIsKnown() {
        ledger.denies = true;
        use(subject(DAY));
        assertThat(slices.of(List.of(subject(DAY)))).isEmpty();
        ledger.isSilent = true;

        passes(LOOK.multipliedBy(3));

        assertThat(ledger.told).hasSize(2).allMatch(told -> told.startsWith("reserve"));
    }

    @Test
    void aBucketIsLeasedWhoseSliceLastsForTwoLooks() {
        use(subject(Limit.tokens(1_000).per(Duration.ofMillis(19_990)).tokenBucket()));
        assertThat(ledger.told).isEmpty();

        use(new Subject(
                "other",
                Budget.named("b")
                        .limit(Limit.tokens(1_000).per(Duration.ofSeconds(20)).tokenBucket())));
        assertThat(ledger.told).hasSize(1);
    }

    @Test
    void aDryRunHasNoSliceAndIsChargedNothingWhenItsCallsBegin() throws Exception {
        Subject dry = new Subject("key", Budget.named("b").limit(DAY).dryRun());
        use(dry);

        assertThat(ledger.told).isEmpty();
        assertThat(spend(dry, 7).charges())
                .singleElement()
                .satisfies(charge -> assertThat(charge.claim().amounts()).containsExactly(0));
    }

    @Test
    void aThousandSubjectsHaveSlicesAndAnotherOnceOneOfThoseIsIdle() {
        IntStream.rangeClosed(1, 1_001).forEach(i -> use(numbered(i)));
        assertThat(ledger.told).hasSize(1_000);
        assertThat(slices.of(List.of(numbered(1_001)))).isEmpty();

        passes(LOOK);
        IntStream.rangeClosed(2, 1_000).forEach(i -> use(numbered(i)));
        passes(Duration.ofSeconds(59));
        use(numbered(1_001));

        assertThat(ledger.told.stream().filter(told -> told.startsWith("settle")))
                .containsExactly("settle [100] to [0]");
        assertThat(slices.of(List.of(numbered(1_001)))).hasSize(1);
    }

    @Test
    void whatIsNotUsedForAMinuteIsGivenBackOnce() {
        use(subject(DAY));
        ledger.told.clear();
        ledger.renewed = Optional.of(new CompletableFuture<>());

        passes(Duration.ofSeconds(59));
        assertThat(ledger.told).containsExactly("renew [100]");
        passes(Duration.ofMinutes(2));

        assertThat(ledger.told).containsExactly("renew [100]", "settle [100] to [0]");
    }

    @Test
    void whatIsGrantedToASubjectThatIsNotUsedAnyMoreIsGivenBack() {
        ledger.isSilent = true;
        use(subject(DAY));
        passes(Duration.ofMinutes(2));
        assertThat(ledger.told).hasSize(1);

        ledger.asked.get(0).complete(granted(claim(subject(DAY), 100)));

        assertThat(ledger.told).hasSize(2).endsWith("settle [100] to [0]");
        assertThat(slices.of(List.of(subject(DAY)))).isEmpty();
    }

    @Test
    void aBudgetThatHasChangedHasNoSliceUntilTheLedgerHasDecidedUnderItWhichEndsTheOther() throws Exception {
        Subject before = subject(DAY);
        Subject now = subject(Limit.tokens(2_000).perDay());
        use(before);
        ledger.told.clear();

        assertThat(slices.of(List.of(now))).isEmpty();
        assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> spend(now, 1));
        use(now);

        assertThat(ledger.told).containsExactlyInAnyOrder("settle [100] to [0]", "reserve [200] leaving 50 within 50");
        assertThat(spend(now, 200).charges()).hasSize(1);
    }

    // --------------------------------------------------------------------------------------------------- renewals

    @Test
    void aSliceIsRenewedEachTenSeconds() {
        use(subject(DAY));
        ledger.told.clear();

        passes(Duration.ofSeconds(9));
        assertThat(ledger.told).isEmpty();
        passes(LOOK);
        assertThat(ledger.told).containsExactly("renew [100]");
        passes(Duration.ofSeconds(9));
        assertThat(ledger.told).hasSize(1);
        passes(LOOK);
        assertThat(ledger.told).containsExactly("renew [100]", "renew [100]");
    }

    @Test
    void aSliceOfABucketIsRenewedEachThirdOfTheTimeInWhichItIsRefilled() {
        use(subject(DAY, BUCKET));
        ledger.told.clear();

        passes(LOOK);
        assertThat(ledger.told).isEmpty();
        passes(LOOK);
        assertThat(ledger.told).containsExactly("renew [100, 60]");
    }

    @Test
    void aSliceOfABucketThatMayHaveBeenFullSinceIsGivenBackAndAskedForAnew() {
        ledger.renewed = Optional.of(CompletableFuture.failedFuture(away));
        use(subject(BUCKET));
        ledger.told.clear();

        passes(Duration.ofSeconds(5));
        assertThat(ledger.told).hasSize(4).containsOnly("renew [60]");
        passes(LOOK);
        assertThat(ledger.told).hasSize(5).endsWith("settle [60] to [0]");
        passes(LOOK);
        assertThat(ledger.told).hasSize(6).endsWith("reserve [60] leaving 50 within 50");
    }

    @Test
    void aSliceOfAWindowIsGivenBackOnceThatHasEndedAndAskedForAnew() {
        ledger.countsNanos.put(DAY, inDrift(LOOK) + 1);
        use(subject(DAY));
        ledger.told.clear();
        passes(LOOK);
        assertThat(ledger.told).isEmpty();
        passes(LOOK);
        assertThat(ledger.told).containsExactly("settle [100] to [0]");

        ledger.countsNanos.put(DAY, inDrift(LOOK));
        passes(LOOK);
        assertThat(ledger.told).hasSize(2).endsWith("reserve [100] leaving 50 within 50");
        passes(LOOK);
        assertThat(ledger.told).as("not renewed in another window").hasSize(3).endsWith("settle [100] to [0]");
    }

    @Test
    void aSliceOfASlidingWindowIsRenewedWithItsSlotUntilItWouldBeForgotten() {
        Limit sliding = Limit.tokens(1_000).perMinute().slidingWindow();
        ledger.countsNanos.put(sliding, inDrift(LOOK.multipliedBy(2)));
        ledger.renewed = Optional.of(CompletableFuture.failedFuture(away));
        use(subject(sliding));
        ledger.told.clear();

        passes(LOOK);
        assertThat(ledger.told).isEmpty();
        passes(LOOK);
        assertThat(ledger.told).containsExactly("renew [100]");
        passes(Duration.ofSeconds(27));
        assertThat(ledger.told).hasSize(28).containsOnly("renew [100]");
        passes(LOOK);
        assertThat(ledger.told).hasSize(29).endsWith("settle [100] to [0]");
    }

    @Test
    void oneRenewalIsUnderWayAtATime() {
        CompletableFuture<?> renewal = new CompletableFuture<>();
        ledger.renewed = Optional.of(renewal);
        use(subject(BUCKET));
        ledger.told.clear();

        passes(LOOK.multipliedBy(4));
        assertThat(ledger.told).hasSize(1);
        renewal.complete(null);
        ledger.renewed = Optional.empty();

        assertThat(slices.of(List.of(subject(BUCKET))).get(0).spendable())
                .as("since it was asked for")
                .isEqualTo(60 - 20 - 1);
        passes(LOOK);
        assertThat(ledger.told).hasSize(2);
    }

    // ------------------------------------------------------------------------------------------------ what is spent

    @Test
    void whatIsSpentIsAPartOfTheSlicesCharge() throws Exception {
        use(subject(DAY));

        assertThat(spend(subject(DAY), 30).charges()).singleElement().satisfies(charge -> {
            assertThat(charge.claim().amounts()).containsExactly(30);
            assertThat(charge.eras()).containsExactly(7);
        });
        spend(subject(DAY), 70);

        assertThat(slices.of(List.of(subject(DAY)))).containsExactly(new Slice("b", DAY.name(), 0, 0, DAY.unit()));
        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> spend(subject(DAY), 1))
                .withMessage(
                        "nobody is there; and of 'tokens per day' of budget 'b' this process has 0 leased that may be"
                                + " spent, and the call asks 1")
                .withCause(away);
    }

    @Test
    void allIsSpentOrNothing() {
        Subject little =
                new Subject("other", Budget.named("c").limit(Limit.tokens(100).perDay()));
        use(subject(DAY));
        use(little);

        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> slices.spend(List.of(claim(subject(DAY), 11), claim(little, 11)), away));

        assertThat(slices.of(List.of(subject(DAY), little)))
                .extracting(Slice::spendable)
                .containsExactly(100L, 10L);
    }

    @Test
    void aSliceOfABucketLosesWhatThatHasRefilledAndWhatWasSpentDoesNotComeBack() throws Exception {
        ledger.renewed = Optional.of(new CompletableFuture<>());
        use(subject(BUCKET));
        spend(subject(BUCKET), 20);
        assertThat(spendable(BUCKET)).isEqualTo(40);

        passes(LOOK);
        assertThat(spendable(BUCKET))
                .as("11 were lost of those that were spent")
                .isEqualTo(40);
        passes(LOOK.multipliedBy(2));
        assertThat(spendable(BUCKET)).isEqualTo(60 - 30 - 1);
        spend(subject(BUCKET), 29);
        assertThat(spendable(BUCKET)).isZero();
        passes(LOOK.multipliedBy(9));

        assertThat(spendable(BUCKET)).isZero();
    }

    @Test
    void ofAWindowThatIsOverNothingIsSpent() throws Exception {
        ledger.countsNanos.put(DAY, inDrift(Duration.ofMillis(1_500)));
        use(subject(DAY));

        passes(Duration.ofMillis(1_500).minusNanos(1));
        spend(subject(DAY), 1);
        passes(Duration.ofNanos(1));

        assertThat(spendable(DAY)).isZero();
        assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> spend(subject(DAY), 1));
    }

    @Test
    void aSliceThatWasSpentFromIsRenewedAtTheNextLookAndThenGivenBackAndAnotherAskedFor() throws Exception {
        use(subject(DAY));
        spend(subject(DAY), 30);
        ledger.told.clear();

        passes(LOOK);
        assertThat(ledger.told).containsExactly("renew [70]", "settle [70] to [0]");
        passes(LOOK);
        assertThat(ledger.told).hasSize(3).endsWith("reserve [100] leaving 50 within 50");
    }

    @Test
    void aSliceThatWasSpentFromStaysWhereTheLedgerIsStillAway() throws Exception {
        ledger.renewed = Optional.of(CompletableFuture.failedFuture(away));
        use(subject(DAY));
        spend(subject(DAY), 30);
        ledger.told.clear();

        passes(LOOK.multipliedBy(2));

        assertThat(ledger.told).containsExactly("renew [70]", "renew [70]");
        assertThat(spendable(DAY)).isEqualTo(70);
    }

    @Test
    void slotsOfCallsInFlightAreUsedAgainAndGivenBackTogetherAfterTheLastOfTheirCalls() throws Exception {
        Subject subject = subject(DAY, CALLS);
        use(subject);
        Runnable first = spend(subject, 5, 1).ended();
        Runnable second = spend(subject, 5, 1).ended();
        assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> spend(subject, 5, 1));
        second.run();
        Slices.Spending third = spend(subject, 5, 1);
        assertThat(third.charges().get(0).claim().amounts())
                .as("slots are the slice's to give back")
                .containsExactly(5, 0);
        ledger.told.clear();

        passes(LOOK);
        assertThat(ledger.told).containsExactly("renew [85, 0]", "settle [85, 0] to [0, 0]");
        first.run();
        assertThat(ledger.told).hasSize(2);
        third.ended().run();

        assertThat(ledger.told).hasSize(3).endsWith("settle [100, 2] to [100, 0]");
    }

    @Test
    void slotsThatNoCallHasAreGivenBackWithTheSlice() {
        Subject subject = subject(DAY, CALLS);
        use(subject);
        ledger.told.clear();

        slices.close();

        assertThat(ledger.told).containsExactly("settle [100, 0] to [0, 0]", "settle [100, 2] to [100, 0]");
    }

    @Test
    void whoeverLooksNextMayBeAnotherThread() throws Exception {
        CompletableFuture<?> renewal = new CompletableFuture<>();
        ledger.renewed = Optional.of(renewal);
        use(subject(CALLS));
        spend(subject(CALLS), 1).ended().run();
        passes(LOOK);
        renewal.complete(null);
        passes(LOOK);

        assertThat(CompletableFuture.supplyAsync(() -> spendable(CALLS)).get(10, TimeUnit.SECONDS))
                .isEqualTo(2);
    }

    // ----------------------------------------------------------------------------------------------------- its end

    @Test
    void aClosedOneHasGivenAllBackAndAsksForNothingMore() {
        use(subject(DAY));
        ledger.told.clear();

        slices.close();
        use(subject(DAY));
        passes(Duration.ofMinutes(5));

        assertThat(ledger.told).containsExactly("settle [100] to [0]");
        assertThat(ledger.timers).isEmpty();
    }

    @Test
    void whoeverClosesItWaitsForWhatWasAskedAndKeepsItsInterrupt() {
        ledger.isSilent = true;
        use(subject(DAY));
        Thread.currentThread().interrupt();

        slices.close();

        assertThat(Thread.interrupted()).isTrue();
    }

    // --------------------------------------------------------------------------------------------------- the words

    private void use(Subject subject) {
        slices.used(List.of(Claim.ofNothing(subject)));
    }

    private Slices.Spending spend(Subject subject, long... amounts) throws GuardUnavailableException {
        return slices.spend(List.of(claim(subject, amounts)), away);
    }

    private long spendable(Limit limit) {
        return slices.of(List.of(subject(limit))).get(0).spendable();
    }

    private void passes(Duration time) {
        long until = nowNanos + time.toNanos();
        while (!ledger.timers.isEmpty() && ledger.timers.peek().atNanos <= until) {
            Timer timer = ledger.timers.remove();
            nowNanos = timer.atNanos;
            timer.then.complete(null);
        }
        nowNanos = until;
    }

    /** How long so much time may be by another clock. */
    private static long inDrift(Duration time) {
        return time.toNanos() + time.toNanos() / 1_000;
    }

    private static Verdict granted(Claim claim) {
        long[] eras = new long[claim.amounts().length];
        Arrays.fill(eras, 7);
        return new Verdict.Granted(List.of(new Charge(claim, eras, new long[eras.length])), List.of());
    }

    private static Claim claim(Subject subject, long... amounts) {
        return new Claim(subject, amounts);
    }

    private final Map<List<Limit>, Subject> subjects = new HashMap<>();

    /** The same for the same limits; all of one key. */
    private Subject subject(Limit... limits) {
        return subjects.computeIfAbsent(List.of(limits), these -> {
            Budget budget = Budget.named("b");
            for (Limit limit : these) {
                budget = budget.limit(limit);
            }
            return new Subject("key", budget);
        });
    }

    private Subject numbered(int number) {
        return new Subject("key" + number, subject(DAY).budget());
    }

    private static String text(Claim claim) {
        return Arrays.toString(claim.amounts());
    }
}
