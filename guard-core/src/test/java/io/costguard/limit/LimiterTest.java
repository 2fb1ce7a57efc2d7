package io.costguard.limit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.sun.management.HotSpotDiagnosticMXBean;
import io.costguard.Budget;
import io.costguard.BudgetExceededException;
import io.costguard.Cost;
import io.costguard.GuardListener;
import io.costguard.GuardListener.Denied.By;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.Logged;
import io.costguard.MisfitException;
import io.costguard.Outcome;
import io.costguard.PriceList;
import io.costguard.Recorder;
import io.costguard.Unit;
import io.costguard.WhenExhausted;
import io.costguard.WhenRedisFails;
import io.costguard.describe.Remaining;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;

/** What is decided around the ledger. */
class LimiterTest {
    private static final Budget BUDGET = Budget.named("b")
            .limit(Limit.requests(10).perDay())
            .limit(Limit.tokens(1_000).perDay());

    private final Counter ledger = new Counter();
    private final Recorder events = new Recorder();
    private final Limiter limiter = limiter(events);

    @Test
    void aDenialOfTheLedgerHasAStackTraceAndItsRepetitionNone() throws Exception {
        ledger.spent = true;

        BudgetExceededException first = refused(limiter.decide(call("k")));
        BudgetExceededException second = refused(limiter.decide(call("k")));

        assertThat(events.denials).extracting(GuardListener.Denied::by).containsExactly(By.REDIS, By.PRE_CHECK);
        assertThat(first.getStackTrace()).isNotEmpty();
        assertThat(second.getStackTrace()).isEmpty();
        assertThat(second.getMessage()).startsWith("budget 'b' is spent: requests per day, requested 1, available 0");
    }

    @Test
    @ResourceLock(Resources.SYSTEM_ERR)
    void thatNobodyDecidesIsLoggedOnce() {
        ledger.away = true;

        assertThat(Logged.by(() -> {
                    for (int i = 0; i < 3; i++) {
                        assertThatExceptionOfType(GuardUnavailableException.class)
                                .isThrownBy(() -> limiter.decide(call("k")));
                    }
                }))
                .hasLineCount(1)
                .contains("calls are not sent (failClosed): nobody is there");
    }

    @Test
    void listenersHearOfAllThatBecomesOfACall() throws Exception {
        Reservation reservation = granted(limiter.decide(call("k")));
        reservation.settle(Cost.requests(7).input(5).nanoUsd(3));

        assertThat(events.grants).singleElement().satisfies(grant -> {
            assertThat(grant.call().attributes()).containsEntry("model", "gpt-4o");
            assertThat(grant.left())
                    .extracting(GuardListener.Left::limit)
                    .containsExactly("requests per day", "tokens per day");
        });
        assertThat(events.settlements).singleElement().satisfies(settlement -> {
            assertThat(settlement.estimate()).isEqualTo(reservation.estimate());
            assertThat(settlement.actual()).isEqualTo(Cost.requests(1).input(5).nanoUsd(3));
            assertThat(settlement.outcome()).isEqualTo(Outcome.SETTLED);
        });
    }

    @Test
    void whatAProviderHasLeftCorrectsTheLimitsOfThatUnitThatAskedForIt() throws Exception {
        Budget corrected = Budget.named("corrected")
                .limit(Limit.tokens(600).perMinute().correctedByProvider())
                .limit(Limit.requests(90).perMinute().correctedByProvider())
                .limit(Limit.tokens(1_000).perHour());
        Limiter limiter = limiter(List.of(BUDGET, corrected), events);
        ledger.left = 50;
        Reservation reservation = granted(limiter.decide(call("k")));
        assertThat(reservation.isCorrectedByProvider()).isTrue();
        assertThat(granted(this.limiter.decide(call("k"))).isCorrectedByProvider())
                .isFalse();

        reservation.correct(new Remaining(Unit.TOKENS, 20), Duration.ofSeconds(2));

        assertThat(ledger.corrections).singleElement().satisfies(correction -> {
            assertThat(correction.subject().budget()).isSameAs(corrected);
            assertThat(correction.limit()).isZero();
            // With the ten a second that came since.
            assertThat(correction.atMost()).isEqualTo(40);
        });
        assertThat(events.corrections).singleElement().satisfies(event -> {
            assertThat(event.limit()).isEqualTo("tokens per minute");
            assertThat(event.remaining()).isEqualTo(20);
            assertThat(event.call().model()).isEqualTo("gpt-4o");
        });
    }

    @Test
    void aProviderThatHasAsMuchAsWasLeftOrAllOfItCorrectsNothing() throws Exception {
        Limiter limiter = limiter(
                List.of(Budget.named("b").limit(Limit.tokens(600).perMinute().correctedByProvider())), events);
        ledger.left = 50;
        Reservation reservation = granted(limiter.decide(call("k")));

        reservation.correct(new Remaining(Unit.TOKENS, 50), Duration.ZERO);
        reservation.correct(new Remaining(Unit.TOKENS, Cost.MAX_AMOUNT), Duration.ofDays(300));
        reservation.correct(new Remaining(Unit.TOKENS, 10), Duration.ofSeconds(59));

        assertThat(ledger.corrections).isEmpty();
    }

    @Test
    void withoutAListenerOfTheUsersACallIsDecidedAndSettledTheSame() throws Exception {
        try (Limiter quiet = limiter(new LoggingListener(() -> List.of(BUDGET)))) {
            granted(quiet.decide(call("k"))).settle(Cost.requests(1).input(5));
            granted(quiet.decide(call("k"))).settle(Cost.requests(1).input(9));
            granted(quiet.decide(call("k"))).release();

            assertThat(ledger.settled).containsExactly(List.of(1L, 5L), List.of(0L, 0L));
        }
    }

    @Test
    void aPermitsIdIsItsOwnAndStays() throws Exception {
        Reservation one = granted(limiter.decide(call("k")));
        Reservation other = granted(limiter.decide(call("k")));

        assertThat(one.id()).isEqualTo(one.id()).isNotEqualTo(other.id()).hasSize(36);
        assertThat(one).asString().contains(one.id());
    }

    @Test
    void theOutputToReserveIsTheMostThatABudgetOfTheCallAssumes() {
        assertThat(limiter.assumedOutput(call("k"))).isEqualTo(1_000);
        assertThat(limiter(
                                List.of(
                                        BUDGET,
                                        Budget.named("big")
                                                .assumedOutput(5_000)
                                                .limit(Limit.tokens(9).perDay())),
                                events)
                        .assumedOutput(call("k")))
                .isEqualTo(5_000);
    }

    @Test
    void whatACallLacksIsToldByTheDecisionOnly() {
        Limiter strict = limiter(List.of(BUDGET.per("tenant")), events);

        assertThat(strict.assumedOutput(call("k"))).isZero();
        assertThatExceptionOfType(MisfitException.class).isThrownBy(() -> strict.decide(call("k")));
    }

    /** In a picture of all that is alive, after calls with a key have been decided every way, the key is not. */
    @Test
    @Tag("slow")
    void noKeyIsKept(@TempDir Path folder) throws Exception {
        String kept = key(1);
        List<Admission> admissions = askWithKey(2);

        Path heap = folder.resolve("heap.hprof");
        ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class).dumpHeap(heap.toString(), true);
        String alive = Files.readString(heap, StandardCharsets.ISO_8859_1);

        assertThat(alive.contains(kept)).isTrue();
        assertThat(alive.contains(key(2))).isFalse();
        assertThat(admissions).hasSize(6);
        assertThat(limiter.decide(call("k"))).isInstanceOf(Admission.Refused.class);
    }

    private List<Admission> askWithKey(int seed) throws GuardUnavailableException {
        GuardedCall call = call(key(seed));
        List<Admission> admissions = new ArrayList<>();
        for (boolean spent : new boolean[] {false, true, true}) {
            ledger.spent = spent;
            admissions.add(limiter.decide(call));
            admissions.add(limiter.decide(call.cost(Cost.requests(1).input(10))));
        }
        assertThat(events.grants).hasSize(2);
        assertThat(events.denials).hasSize(4);
        return admissions;
    }

    /** Anew each time, so that the picture does not have it for being looked for. */
    private static String key(int seed) {
        StringBuilder key = new StringBuilder("sk-");
        new Random(seed).ints(40, 'a', 'z' + 1).forEach(letter -> key.append((char) letter));
        return key.toString();
    }

    private static GuardedCall call(String key) {
        return GuardedCall.of("gpt-4o")
                .with("apiKey", key)
                .cost(Cost.requests(1).input(9));
    }

    private Limiter limiter(GuardListener listener) {
        return limiter(List.of(BUDGET), listener);
    }

    private Limiter limiter(List<Budget> budgets, GuardListener listener) {
        Fingerprint fingerprint = new Fingerprint(new byte[16]);
        return new Limiter(
                new Subjects(budgets, "p", "apiKey", fingerprint, new Cardinality(1_000, System::nanoTime)),
                ledger,
                PriceList.bundled(),
                fingerprint,
                WhenExhausted.reject(),
                WhenRedisFails.failClosed(),
                Duration.ofMillis(500),
                Duration.ofMinutes(1),
                Listeners.of(listener));
    }

    private static BudgetExceededException refused(Admission admission) {
        return ((Admission.Refused) admission).exception();
    }

    private static Reservation granted(Admission admission) {
        return ((Admission.Granted) admission).reservation();
    }

    /** Grants everything, or nothing. */
    private static final class Counter extends QuietLedger {
        private final List<List<Long>> settled = new ArrayList<>();
        private final List<Correction> corrections = new ArrayList<>();
        private boolean spent;
        private boolean away;
        /** What each limit has left after a grant. */
        private long left;

        @Override
        public Verdict reserve(List<Claim> claims, Patience patience, long deadlineNanos)
                throws GuardUnavailableException {
            if (away) {
                throw new GuardUnavailableException("nobody is there");
            }
            if (spent) {
                return new Verdict.Shortfall(claims.get(0), 0, 0, 3_600_000_000L, 0, 0);
            }
            List<Charge> charges = new ArrayList<>();
            for (Claim claim : claims) {
                long[] balances = new long[claim.amounts().length];
                Arrays.fill(balances, left);
                charges.add(new Charge(claim, new long[balances.length], balances));
            }
            return new Verdict.Granted(charges, List.of());
        }

        @Override
        public void settle(List<Settled> settles, Runnable then) {
            for (Settled each : settles) {
                settled.add(Arrays.stream(each.actual()).boxed().toList());
            }
            then.run();
        }

        @Override
        public void correct(Correction correction, Runnable then) {
            corrections.add(correction);
            then.run();
        }
    }
}
