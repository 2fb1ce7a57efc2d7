package io.costguard.limit;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Logged;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;

/** Who has a balance of its own. */
@ResourceLock(Resources.SYSTEM_ERR)
class CardinalityTest {
    private final AtomicLong nanos = new AtomicLong(Duration.ofDays(3).toNanos());
    private final Cardinality two = new Cardinality(2, nanos::get);

    @Test
    void thoseWhoCameFirstAreToldApartAndTheRestShare() {
        assertThat(two.admits("b", "1")).isTrue();
        assertThat(two.admits("b", "2")).isTrue();
        assertThat(two.admits("b", "3")).isFalse();
        assertThat(two.admits("b", "1")).isTrue();
        assertThat(two.admits("b", "3")).isFalse();
    }

    @Test
    void eachBudgetHasItsOwnBound() {
        two.admits("b", "1");
        two.admits("b", "2");

        assertThat(two.admits("c", "1")).isTrue();
        assertThat(two.admits("b", "3")).isFalse();
    }

    @Test
    void whoIsCalledInEachHourStaysAndWhoIsNotMakesRoom() {
        two.admits("b", "regular");
        two.admits("b", "once");

        pass(Duration.ofHours(1));
        assertThat(two.admits("b", "new")).isFalse();
        assertThat(two.admits("b", "regular")).isTrue();
        pass(Duration.ofHours(1));

        assertThat(two.admits("b", "new")).isTrue();
        assertThat(two.admits("b", "another")).isFalse();
        assertThat(two.admits("b", "regular")).isTrue();
        assertThat(two.admits("b", "once")).isFalse();
    }

    @Test
    void whoMayHaveBeenCalledByWhatWasRememberedStaysHoweverLongNobodyNewCame() {
        two.admits("b", "regular");
        two.admits("b", "once");

        pass(Duration.ofDays(3));

        assertThat(two.admits("b", "new")).isFalse();
        assertThat(two.admits("b", "regular")).isTrue();
    }

    @Test
    void aSpanEndsWhereEverybodyIsRememberedTooIfSomebodyShares() {
        two.admits("b", "1");
        two.admits("b", "2");
        long first = two.span();
        pass(Duration.ofHours(2));
        assertThat(two.span()).isEqualTo(first);

        two.admits("b", "3");
        long second = two.span();
        assertThat(second).isNotEqualTo(first);
        pass(Duration.ofHours(1));

        assertThat(two.span()).isNotEqualTo(second);
    }

    @Test
    void whoeverAsksNextMayBeAnotherThread() throws Exception {
        two.admits("b", "1");
        two.admits("b", "2");
        two.admits("b", "3");
        pass(Duration.ofHours(1));
        two.span();

        assertThat(CompletableFuture.supplyAsync(() -> two.admits("b", "1")).get(10, TimeUnit.SECONDS))
                .isTrue();
    }

    @Test
    void thatSomebodySharesIsLoggedOnceAMinute() {
        two.admits("b", "1");
        two.admits("b", "2");

        assertThat(Logged.by(() -> {
                    two.admits("b", "3");
                    two.admits("b", "4");
                    pass(Duration.ofSeconds(59));
                    two.admits("b", "5");
                }))
                .hasLineCount(1)
                .contains("WARN")
                .contains("budget 'b' is counted for more than 2 subjects");
        pass(Duration.ofSeconds(1));
        assertThat(Logged.by(() -> two.admits("b", "6"))).hasLineCount(1);
    }

    private void pass(Duration time) {
        nanos.addAndGet(time.toNanos());
    }
}
