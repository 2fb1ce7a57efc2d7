package io.costguard.limit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.Budget;
import io.costguard.Limit;
import org.junit.jupiter.api.Test;

class ClaimTest {
    private static final Limit TOKENS = Limit.tokens(900).perMinute();
    private static final Limit REQUESTS = Limit.requests(9).perDay();

    private final Subject subject =
            new Subject("key", Budget.named("b").limit(TOKENS).limit(REQUESTS));
    private final Claim claim = new Claim(subject, new long[] {5, 1});

    @Test
    void soManyCallsAskSoManyTimesAsMuch() {
        assertThat(claim.times(3).amounts()).containsExactly(15, 3);
        assertThat(claim.times(1)).isSameAs(claim);
        assertThatExceptionOfType(ArithmeticException.class)
                .isThrownBy(() -> new Claim(subject, new long[] {Long.MAX_VALUE, 1}).times(2));
    }

    @Test
    void underAnotherBudgetItAsksTheSameOfTheSameLimits() {
        Subject other = new Subject("key", Budget.named("b").limit(REQUESTS).limit(TOKENS));

        assertThat(claim.under(other).amounts()).containsExactly(1, 5);
        assertThat(claim.under(other).subject()).isSameAs(other);
        assertThat(claim.under(subject)).isSameAs(claim);
    }
}
