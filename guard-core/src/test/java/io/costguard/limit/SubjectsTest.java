package io.costguard.limit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.Budget;
import io.costguard.Limit;
import io.costguard.MisfitException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What a call falls under, and where that lies. */
class SubjectsTest {
    private final Fingerprint fingerprint = new Fingerprint(new byte[16]);

    @Test
    void aCallMayFallUnderAHundredBudgets() {
        assertThat(subjects("apiKey", budgets(100, 1)).of(Map.of())).hasSize(100);
        assertThatExceptionOfType(MisfitException.class)
                .isThrownBy(() -> subjects("apiKey", budgets(101, 1)).of(Map.of()))
                .withMessageContaining("under 101 budgets, and may fall under 100 at most");
    }

    @Test
    void aCallMayFallUnderFiveHundredLimitsOfAllItsBudgets() {
        assertThat(subjects("apiKey", budgets(100, 5)).of(Map.of())).hasSize(100);
        assertThatExceptionOfType(MisfitException.class)
                .isThrownBy(() -> subjects("apiKey", budgets(84, 6)).of(Map.of()))
                .withMessageContaining("under 504 limits, and may fall under 500 at most");
    }

    @Test
    void whatIsCountedPerTheAttributeThatPartitionsLiesWithAllElseOfItsValue() {
        Map<String, String> call = Map.of("apiKey", "abcdef", "tenant", "acme");
        Budget budget = Budget.named("b").limit(Limit.tokens(9).perDay());

        assertThat(key(subjects("apiKey", List.of(budget.per("apiKey"))), call)).startsWith("p:{abcd}:");
        assertThat(key(subjects("tenant", List.of(budget.per("tenant"))), call))
                .startsWith("p:{" + fingerprint.of("acme").substring(0, 4) + "}:");
        assertThat(key(subjects("tenant", List.of(budget.per("apiKey"))), call)).doesNotStartWith("p:{abcd}:");
    }

    private static String key(Subjects subjects, Map<String, String> call) {
        return subjects.of(call).get(0).key();
    }

    private Subjects subjects(String partitionBy, List<Budget> budgets) {
        return new Subjects(budgets, "p", partitionBy, fingerprint, new Cardinality(1_000, () -> 7));
    }

    private static List<Budget> budgets(int count, int limits) {
        return IntStream.range(0, count)
                .mapToObj(i -> {
                    Budget budget = Budget.named("b" + i).per();
                    for (int seconds = 1; seconds <= limits; seconds++) {
                        budget = budget.limit(Limit.tokens(9).per(Duration.ofSeconds(seconds)));
                    }
                    return budget;
                })
                .toList();
    }
}
