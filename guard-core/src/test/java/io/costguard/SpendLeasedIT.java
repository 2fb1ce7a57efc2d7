package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.costguard.testing.FaultyLink;
import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a process leases while Redis answers, and what that is worth when it does not: at the microsecond, in virtual time. */
@Timeout(60)
class SpendLeasedIT {
    /** Half a second off the full one: looks come in between. */
    private static final Instant MORNING = Instant.parse("2026-03-02T08:00:00.5Z");

    private static final GuardedCall CALL = GuardedCall.of("gpt-4o");

    private final RedisForTests redis = RedisForTests.shared();
    private final FaultyLink link = FaultyLink.to(redis);
    private final Recorder events = new Recorder();
    private Instant begin = MORNING;
    private VirtualTime time = VirtualTime.beginningAt(begin);

    /** What is done at some time. */
    private interface Step {
        void run() throws Exception;
    }

    @AfterEach
    void close() {
        link.close();
    }

    // ------------------------------------------------------------------------------------------ while Redis answers

    @Test
    void whoeverUsesABudgetHoldsASliceOfEachOfItsLimits() {
        CostGuard guard = guard(
                10,
                Limit.requests(1_000).perDay(),
                Limit.tokens(60_005).perHour(),
                Limit.usd("25.00").perMonth());

        at(0, () -> {
            assertThat(guard.leased(CALL)).isEmpty();
            assertThat(goes(guard, CALL.cost(Cost.requests(1).input(5).usd("0.50"))))
                    .isTrue();
            assertThat(guard.leased(CALL)).extracting(Slice::leased).containsExactly(100L, 6_000L, 2_500_000_000L);
            assertThat(guard.leased(CALL)).extracting(Slice::spendable).containsExactly(100L, 6_000L, 2_500_000_000L);
            assertThat(balances(guard)).containsExactly(899L, 54_000L, 22_000_000_000L);
            assertThat(guard.leased(CALL).get(2))
                    .hasToString("budget 'b': usd per month, $2.50 leased, of which $2.50 may be spent");
            guard.close();
        });
        time.run();
    }

    @Test
    void aSliceIsKeptByRenewalsAndTakesNothingMoreOfTheBalance() {
        CostGuard guard =
                guard(10, Limit.requests(600).perMinute(), Limit.tokens(1_000).perDay());

        for (int seconds = 0; seconds <= 50; seconds++) {
            int calls = seconds + 1;
            at(seconds + 0.25, () -> {
                assertThat(goes(guard, tokens(1))).isTrue();
                if (calls == 1) {
                    return;
                }
                long balance = balances(guard).get(0);
                long spendable = guard.leased(CALL).get(0).spendable();
                assertThat(balance + spendable).as("never over").isLessThanOrEqualTo(600);
                assertThat(balance).as("no more than a slice is gone").isGreaterThanOrEqualTo(600 - 60 - 1);
                assertThat(spendable).as("renewed").isGreaterThanOrEqualTo(60 - 10 * 2 - 2);
                assertThat(balances(guard).get(1)).isEqualTo(1_000 - calls - 100);
            });
        }
        at(51, guard::close);
        time.run();
    }

    @Test
    void aBusyBalanceDoesNotLoseItsSliceToOthersWhenItIsRenewed() {
        CostGuard guard = guard(10, Limit.requests(600).perMinute());

        for (int tenths = 0; tenths <= 100; tenths++) {
            at(tenths / 10.0 + 0.05, () -> {
                while (goes(guard, CALL)) {
                    // All that there is.
                }
            });
        }
        at(10.2, () -> {
            assertThat(balances(guard).get(0)).isLessThanOrEqualTo(1);
            assertThat(guard.leased(CALL).get(0).spendable()).isGreaterThanOrEqualTo(60 - 10 * 2 - 2);
            guard.close();
        });
        time.run();
    }

    @Test
    void aSliceIsGivenBackOnceItsBudgetIsNotUsedAnyMore() {
        CostGuard guard = guard(10, Limit.tokens(1_000).perDay());

        at(0, () -> assertThat(goes(guard, tokens(7))).isTrue());
        at(59, () -> assertThat(guard.leased(CALL)).hasSize(1));
        at(62, () -> {
            assertThat(guard.leased(CALL)).isEmpty();
            assertThat(balances(guard)).containsExactly(993L);
        });
        time.run();
        guard.close();
    }

    @Test
    void halfOfALimitIsNeverLeased() {
        CostGuard used = guard(30, Limit.tokens(1_000).perDay());
        CostGuard small = guard(30, Limit.concurrentCalls(1));

        at(0, () -> {
            assertThat(goes(used, tokens(201))).isTrue();
            assertThat(used.leased(CALL)).isEmpty();
            assertThat(goes(small, CALL)).isTrue();
            assertThat(small.leased(CALL)).isEmpty();
            used.close();
            small.close();
        });
        time.run();
    }

    @Test
    void aThousandSubjectsHaveSlicesAndOthersOnceSomeOfThoseAreIdle() {
        CostGuard guard = build(
                10,
                builder -> builder.budget(Budget.named("users")
                        .per("user")
                        .limit(Limit.tokens(1_000).perDay())));
        GuardedCall last = tokens(1).with("user", "last");

        at(0, () -> {
            for (int i = 0; i < 1_000; i++) {
                assertThat(goes(guard, tokens(1).with("user", "u" + i))).isTrue();
            }
            assertThat(guard.leased(tokens(1).with("user", "u999"))).hasSize(1);
            assertThat(goes(guard, last)).isTrue();
            assertThat(guard.leased(last)).isEmpty();
        });
        at(62.2, () -> {
            assertThat(goes(guard, last)).isTrue();
            assertThat(guard.leased(last)).hasSize(1);
            guard.close();
        });
        time.run();
    }

    @Test
    void aBucketWhoseSliceWouldBeWorthNothingInAMomentIsNotLeased() {
        CostGuard guard = guard(10, Limit.requests(1_000).perSecond());

        at(0, () -> {
            assertThat(goes(guard, CALL)).isTrue();
            assertThat(guard.leased(CALL)).isEmpty();
            assertThat(balances(guard)).containsExactly(999L);
            guard.close();
        });
        time.run();
    }

    // --------------------------------------------------------------------------------------------- while it is away

    @Test
    void allIsSpentOrNothingAndEachUseIsTold() {
        CostGuard guard = build(
                10,
                builder -> builder.budget(Budget.named("a")
                                .per()
                                .limit(Limit.tokens(1_000).perDay()))
                        .budget(Budget.named("b").per().limit(Limit.tokens(400).perDay())));

        at(0, () -> assertThat(goes(guard, tokens(1))).isTrue());
        at(1.1, this::cut);
        at(1.2, () -> {
            assertThat(goes(guard, tokens(30))).isTrue();
            assertThatExceptionOfType(GuardUnavailableException.class)
                    .isThrownBy(() -> guard.decide(tokens(11)))
                    .withMessageContaining(
                            "of 'tokens per day' of budget 'b' this process has 10 leased that may be spent, and the call asks 11");
            assertThat(guard.leased(CALL)).extracting(Slice::spendable).containsExactly(70L, 10L);
            assertThat(goes(guard, tokens(10))).isTrue();
            assertThat(events.spentLeased).hasSize(2);
            assertThat(events.spentLeased.get(1).left())
                    .extracting(Slice::leased)
                    .containsExactly(60L, 0L);
            assertThat(events.spentLeased.get(1).cause()).hasMessageContaining("Redis could not decide");
            assertThat(events.failedOpen).isEmpty();
        });
        at(1.3, link::acceptConnections);
        at(5, () -> {
            assertThat(balances(guard)).containsExactly(1_000 - 41 - 100L, 400 - 41 - 40L);
            guard.close();
        });
        time.run();
    }

    @Test
    void whatWasSpentIsSettledLikeAnyOtherAndTheRestIsGivenBack() {
        CostGuard guard = guard(10, Limit.tokens(1_000).perDay());
        List<Permit> permits = new ArrayList<>();

        at(0, () -> assertThat(goes(guard, tokens(1))).isTrue());
        at(1.1, this::cut);
        at(1.2, () -> {
            for (int i = 0; i < 3; i++) {
                permits.add(guard.acquire(tokens(30)));
            }
            assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> guard.acquire(tokens(30)));
        });
        at(1.3, link::acceptConnections);
        at(1.4, () -> {
            permits.get(0).settle(Cost.requests(1).input(5));
            permits.get(1).settle(Cost.requests(1).input(45));
            permits.get(1).settle(Cost.requests(1).input(1_000));
        });
        at(2.5, () -> {
            assertThat(guard.leased(CALL)).isEmpty();
            assertThat(balances(guard)).containsExactly(1_000 - 1 - 5 - 45 - 30L);
        });
        at(3.5, () -> {
            assertThat(guard.leased(CALL)).extracting(Slice::leased).containsExactly(100L);
            permits.get(2).release();
            assertThat(balances(guard)).containsExactly(1_000 - 1 - 5 - 45 - 100L);
            guard.close();
        });
        time.run();
    }

    @Test
    void aSliceOfABucketLosesWhatTheBucketHasRefilledSince() {
        CostGuard guard = guard(10, Limit.requests(600).perMinute());

        at(0, () -> assertThat(goes(guard, CALL)).isTrue());
        at(0.1, this::cut);
        at(3.35, () -> assertThat(guard.leased(CALL).get(0).spendable()).isEqualTo(60 - 33 - 1));
        at(3.4, () -> {
            for (int i = 0; i < 60 - 34 - 1; i++) {
                assertThat(goes(guard, CALL)).isTrue();
            }
            assertThat(goes(guard, CALL)).isFalse();
        });
        at(3.45, () -> {
            link.acceptConnections();
            guard.close();
        });
        time.run();
    }

    @Test
    void whatWasSpentOfABucketDoesNotComeBackAsTimePasses() {
        CostGuard guard = guard(10, Limit.requests(600).perMinute());

        at(0, () -> assertThat(goes(guard, CALL)).isTrue());
        at(0.1, this::cut);
        at(1.05, () -> {
            for (int i = 0; i < 30; i++) {
                assertThat(goes(guard, CALL)).isTrue();
            }
            assertThat(guard.leased(CALL).get(0).spendable()).isEqualTo(60 - 10 - 1 - 30);
        });
        at(3.05, () -> assertThat(guard.leased(CALL).get(0).spendable()).isEqualTo(60 - 10 - 1 - 30));
        at(5.05, () -> assertThat(guard.leased(CALL).get(0).spendable()).isEqualTo(60 - 50 - 1));
        at(5.1, () -> {
            link.acceptConnections();
            guard.close();
        });
        time.run();
    }

    @Test
    void aSliceOfAWindowIsWorthNothingOnceTheWindowHasEnded() {
        beginAt("2026-03-02T23:59:58.5Z");
        CostGuard guard = guard(10, Limit.tokens(1_000).perDay());

        at(0, () -> assertThat(goes(guard, tokens(1))).isTrue());
        at(1.1, this::cut);
        at(1.45, () -> assertThat(goes(guard, tokens(10))).isTrue());
        at(1.51, () -> {
            assertThat(goes(guard, tokens(10))).isFalse();
            link.acceptConnections();
        });
        at(4, () -> {
            assertThat(guard.leased(CALL)).extracting(Slice::spendable).containsExactly(100L);
            assertThat(balances(guard)).containsExactly(900L);
            guard.close();
        });
        time.run();
    }

    @Test
    void aSliceOfAWindowOfTheCalendarIsWorthNothingAfterMidnightOfItsZone() {
        beginAt("2026-03-02T22:59:58.5Z");
        CostGuard guard = guard(10, Limit.tokens(1_000).perDay().fixedWindow(ZoneId.of("Europe/Berlin")));

        at(0, () -> assertThat(goes(guard, tokens(1))).isTrue());
        at(1.1, this::cut);
        at(1.45, () -> assertThat(goes(guard, tokens(10))).isTrue());
        at(1.51, () -> {
            assertThat(goes(guard, tokens(10))).isFalse();
            link.acceptConnections();
            guard.close();
        });
        time.run();
    }

    @Test
    void aSliceOfASlidingWindowIsWorthNothingOnceItsSlotIsOver() {
        beginAt("2026-03-02T08:03:58.5Z");
        CostGuard guard = guard(10, Limit.tokens(1_000).perHour().slidingWindow());

        at(0, () -> assertThat(goes(guard, tokens(1))).isTrue());
        at(1.1, this::cut);
        at(1.45, () -> assertThat(goes(guard, tokens(10))).isTrue());
        at(1.51, () -> {
            assertThat(goes(guard, tokens(10))).isFalse();
            link.acceptConnections();
        });
        at(4, () -> {
            assertThat(guard.leased(CALL)).extracting(Slice::spendable).containsExactly(100L);
            assertThat(balances(guard)).containsExactly(1_000 - 1 - 10 - 100L);
            guard.close();
        });
        time.run();
    }

    @Test
    void slotsOfCallsInFlightAreUsedAgainAndStayTakenUntilTheLastOfTheirCallsEnds() {
        CostGuard guard = guard(20, Limit.concurrentCalls(10));
        List<Permit> permits = new ArrayList<>();

        at(0, () -> assertThat(goes(guard, CALL)).isTrue());
        at(1.1, this::cut);
        at(1.2, () -> {
            permits.add(guard.acquire(CALL));
            guard.acquire(CALL).close();
            permits.add(guard.acquire(CALL));
            assertThat(goes(guard, CALL)).isFalse();
        });
        at(1.3, link::acceptConnections);
        at(4, () -> {
            assertThat(balances(guard))
                    .as("two of the outage, and two of the next slice")
                    .containsExactly(6L);
            permits.get(0).close();
            assertThat(balances(guard)).containsExactly(6L);
            permits.get(1).close();
            assertThat(balances(guard)).containsExactly(8L);
            guard.close();
        });
        time.run();
    }

    @Test
    void aBudgetThatHasChangedHasNoSliceUntilRedisHasDecidedUnderIt() {
        CostGuard guard = guard(10, Limit.tokens(1_000).perDay());
        Budget larger = Budget.named("b").per().limit(Limit.tokens(2_000).perDay());

        at(0, () -> assertThat(goes(guard, tokens(1))).isTrue());
        at(1.1, () -> {
            guard.update(List.of(larger));
            cut();
            assertThat(goes(guard, tokens(1))).isFalse();
            link.acceptConnections();
            assertThat(goes(guard, tokens(1))).isTrue();
            assertThat(guard.leased(CALL)).extracting(Slice::leased).containsExactly(200L);
        });
        at(3, guard::close);
        time.run();
    }

    @Test
    void aDryRunDeniesNothingAndIsChargedWhenItsCallsEnd() {
        CostGuard guard = build(
                10,
                builder -> builder.budget(Budget.named("a")
                                .per()
                                .limit(Limit.tokens(1_000).perDay()))
                        .budget(Budget.named("dry")
                                .per()
                                .dryRun()
                                .limit(Limit.tokens(10).perDay())));
        List<Permit> permits = new ArrayList<>();

        at(0, () -> assertThat(goes(guard, tokens(1))).isTrue());
        at(1.1, this::cut);
        at(1.2, () -> permits.add(guard.acquire(tokens(50))));
        at(1.3, () -> {
            link.acceptConnections();
            permits.get(0).settle(Cost.requests(1).input(40));
        });
        at(4, () -> {
            assertThat(balances(guard)).containsExactly(1_000 - 41 - 100L, 10 - 41L);
            guard.close();
        });
        time.run();
    }

    @Test
    void aShareThatMakesNoSenseIsAnError() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> WhenRedisFails.spendLeased(Share.percent(0)))
                .withMessage("a share must be from 1 to 100 percent, not 0");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> WhenRedisFails.spendLeased(Share.percent(101)))
                .withMessage("a share must be from 1 to 100 percent, not 101");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> WhenRedisFails.spendLeased(Share.percent(51)))
                .withMessage(
                        "a slice must be at most 50 % of a limit, as calls keep the rest while Redis answers, not 51 %");
        assertThat(WhenRedisFails.spendLeased(Share.percent(50))).hasToString("spendLeased(50 %)");
    }

    // ----------------------------------------------------------------------------------------------------- the words

    private void beginAt(String instant) {
        begin = Instant.parse(instant);
        time = VirtualTime.beginningAt(begin);
    }

    private void at(double seconds, Step step) {
        time.at(begin.plusNanos(Math.round(seconds * 1_000) * 1_000_000), () -> {
            try {
                step.run();
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        });
    }

    private void cut() {
        link.refuseConnections();
        link.resetConnections();
    }

    private CostGuard guard(int percent, Limit... limits) {
        Budget budget = Budget.named("b").per();
        for (Limit limit : limits) {
            budget = budget.limit(limit);
        }
        Budget whole = budget;
        return build(percent, builder -> builder.budget(whole));
    }

    private CostGuard build(int percent, UnaryOperator<CostGuard.Builder> said) {
        return said.apply(CostGuard.builder()
                        .redis(link.url())
                        .keyPrefix(redis.keyPrefix())
                        .decisionTimeout(Duration.ofMinutes(1))
                        .preCheck(Duration.ZERO)
                        .listener(events)
                        .whenRedisFails(WhenRedisFails.spendLeased(Share.percent(percent))))
                .buildIn(time);
    }

    private static GuardedCall tokens(long tokens) {
        return CALL.cost(Cost.requests(1).input(tokens));
    }

    /** Whether it may go; it ends at once, with its estimate. */
    private static boolean goes(CostGuard guard, GuardedCall call) {
        try {
            if (guard.decide(call) instanceof Decision.Granted granted) {
                granted.permit().close();
                return true;
            }
            return false;
        } catch (GuardUnavailableException e) {
            return false;
        }
    }

    private static List<Long> balances(CostGuard guard) throws GuardUnavailableException {
        return guard.status(CALL).stream().map(LimitStatus::balance).toList();
    }
}
