package io.costguard.limit;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Limit;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

class LatestBudgetsTest {
    private static final Budget FIRST = budget("money", 3);
    private static final Budget SECOND = budget("money", 2);
    private static final Budget LEAST = budget("money", 1);

    @Test
    void whenTheirTimeIsOverOthersTakeTheirPlaceUntilTheyAreUpdated() {
        AtomicBoolean isOver = new AtomicBoolean();
        LatestBudgets latest = LatestBudgets.NONE.with(new InForce(List.of(SECOND), isOver::get, List.of(LEAST)));

        assertThat(underLatest(latest)).isSameAs(SECOND);
        isOver.set(true);
        assertThat(underLatest(latest)).isSameAs(LEAST);
        assertThat(underLatest(latest.with(InForce.always(List.of(FIRST))))).isSameAs(FIRST);
    }

    @Test
    void whatIsNotUpdatedStaysWhatItWasLast() {
        LatestBudgets latest = LatestBudgets.NONE
                .with(InForce.always(List.of(SECOND)))
                .with(new InForce(List.of(budget("other", 5)), () -> true, List.of(budget("other", 4))));

        assertThat(underLatest(latest)).isSameAs(SECOND);
    }

    private static Budget underLatest(LatestBudgets latest) {
        return latest.of(new Subject("key", FIRST)).budget();
    }

    private static Budget budget(String name, long requests) {
        return Budget.named(name).per().limit(Limit.requests(requests).perDay());
    }
}
