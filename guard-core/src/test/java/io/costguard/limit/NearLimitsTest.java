package io.costguard.limit;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Limit;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class NearLimitsTest {
    private static final Budget BUDGET = Budget.named("b")
            .limit(Limit.tokens(1_000).perDay())
            .limit(Limit.requests(10).perDay());
    private static final Subject SUBJECT = new Subject("p:{x}:a", BUDGET);

    private long nowNanos;
    private final NearLimits nearLimits = new NearLimits(0.8, () -> nowNanos);
    private final List<String> told = new ArrayList<>();

    @Test
    void aLimitIsToldOnceSoMuchOfItIsUsedAndNotBefore() {
        left(SUBJECT, 201);
        assertThat(told).isEmpty();

        left(SUBJECT, 200);
        assertThat(told).containsExactly("p:{x}:a tokens per day 200");
    }

    @Test
    void aLimitIsToldOnceHoweverMuchMoreIsUsed() {
        left(SUBJECT, 200, 150, 0, -700);

        assertThat(told).containsExactly("p:{x}:a tokens per day 200");
    }

    @Test
    void aUseThatGoesUpAndDownAroundItIsToldOnce() {
        left(SUBJECT, 200, 280, 190, 280, 190);

        assertThat(told).hasSize(1);
    }

    @Test
    void aUseThatFellAndRoseAgainIsToldAgain() {
        left(SUBJECT, 200, 281, 190);

        assertThat(told).containsExactly("p:{x}:a tokens per day 200", "p:{x}:a tokens per day 190");
    }

    @Test
    void whatIsInDebtWhenItIsFirstSeenIsTold() {
        left(SUBJECT, -5);

        assertThat(told).containsExactly("p:{x}:a tokens per day -5");
    }

    @Test
    void eachSubjectAndEachLimitIsToldByItself() {
        left(SUBJECT, 200);
        left(new Subject("p:{x}:b", BUDGET), 200);
        look(SUBJECT, new long[] {1, 1}, 200, 2);

        assertThat(told)
                .containsExactly(
                        "p:{x}:a tokens per day 200", "p:{x}:b tokens per day 200", "p:{x}:a requests per day 2");
    }

    @Test
    void aBudgetThatWasPutInThePlaceOfAnotherIsTheSame() {
        left(SUBJECT, 200);
        left(new Subject(SUBJECT.key(), BUDGET.dryRun()), 190);

        assertThat(told).hasSize(1);
    }

    @Test
    void aLimitOfWhichACallAsksNothingIsNotLookedAt() {
        look(SUBJECT, new long[] {5, 0}, 900, 0);

        assertThat(told).isEmpty();
    }

    @Test
    void aSubjectThatNobodyUsedForADayIsForgotten() {
        left(SUBJECT, 200);
        nowNanos += Duration.ofHours(23).toNanos();
        left(SUBJECT, 190);
        nowNanos += Duration.ofHours(23).toNanos();
        left(SUBJECT, 180);
        assertThat(told).hasSize(1);

        nowNanos += Duration.ofHours(25).toNanos();
        left(SUBJECT, 170);
        assertThat(told).hasSize(2);
    }

    @Test
    void aFloodOfSubjectsFillsNoMemory() {
        for (int i = 0; i < 50_000; i++) {
            left(new Subject("p:{x}:" + i, BUDGET), 0);
        }

        assertThat(told).hasSize(50_000);
        assertThat(nearLimits.remembered()).isLessThanOrEqualTo(10_000);
    }

    private void left(Subject subject, long... tokens) {
        for (long left : tokens) {
            look(subject, new long[] {1, 0}, left, 10);
        }
    }

    private void look(Subject subject, long[] amounts, long... balances) {
        Charge charge = new Charge(new Claim(subject, amounts), new long[balances.length], balances);
        nearLimits.look(
                List.of(charge), (of, limit, balance) -> told.add(of.key() + " " + limit.name() + " " + balance));
    }
}
