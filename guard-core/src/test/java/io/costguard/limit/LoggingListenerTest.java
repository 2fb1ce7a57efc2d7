package io.costguard.limit;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Denial;
import io.costguard.GuardListener;
import io.costguard.GuardListener.Denied.By;
import io.costguard.GuardListener.Regression;
import io.costguard.GuardListener.Regression.Lost;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.Logged;
import io.costguard.Unit;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;

/** The lines that a user sees without setting anything up. */
@ResourceLock(Resources.SYSTEM_ERR)
class LoggingListenerTest {
    private static final Denial DENIAL =
            new Denial("b", "tokens per minute", 600, 20, Duration.ofSeconds(3), 20, Unit.TOKENS, 0, Duration.ZERO);

    private final LoggingListener listener = new LoggingListener(
            () -> List.of(Budget.named("b").per("model").limit(Limit.tokens(100).perMinute())));

    @Test
    void aDenialSaysWhatWasDeniedAndWhy() {
        assertThat(Logged.by(() -> listener.onDenied(denied("gpt-4o", By.REDIS))))
                .contains("WARN")
                .contains("gpt-4o")
                .contains("denied: " + DENIAL)
                .doesNotContain("fingerprint-of-the-key");
    }

    @Test
    void theLikeOfADenialIsNotRepeated() {
        assertThat(Logged.by(() -> {
                    for (int i = 0; i < 100; i++) {
                        listener.onDenied(denied("gpt-4o", By.REDIS));
                    }
                }))
                .hasLineCount(1);
    }

    @Test
    void denialsOfOtherSubjectsAndByOthersHaveTheirOwnLine() {
        assertThat(Logged.by(() -> {
                    listener.onDenied(denied("gpt-4o", By.REDIS));
                    listener.onDenied(denied("gpt-4.1", By.REDIS));
                    listener.onDenied(denied("gpt-4o", By.CAPACITY));
                }))
                .hasLineCount(3);
    }

    @Test
    void eachBudgetHasItsOwnLineAndCountsByItsOwnAttributes() {
        LoggingListener listener = new LoggingListener(() -> List.of(
                Budget.named("b").per("model").limit(Limit.tokens(100).perMinute()),
                Budget.named("c").per("user").limit(Limit.tokens(100).perMinute())));

        assertThat(Logged.by(() -> {
                    for (String user : new String[] {"ann", "bob"}) {
                        GuardedCall call = GuardedCall.of("gpt-4o").with("user", user);
                        for (String budget : new String[] {"b", "c"}) {
                            listener.onNearLimit(
                                    new GuardListener.NearLimit(call, budget, "usd per day", Unit.USD, 20, 100));
                        }
                    }
                }))
                .hasLineCount(3);
    }

    @Test
    void whatThePreCheckRepeatsIsNotSaidAgain() {
        assertThat(Logged.by(() -> listener.onDenied(denied("gpt-4o", By.PRE_CHECK))))
                .isEmpty();
    }

    @Test
    void aDryRunSaysThatItWas() {
        assertThat(Logged.by(() -> listener.onDenied(denied("gpt-4o", By.DRY_RUN))))
                .contains("would have been denied (dry run)");
    }

    @Test
    void aCallAboveCapacityIsToldThatItCanNeverGo() {
        Denial forGood = new Denial("b", "tokens per minute", 600, 20, Denial.NEVER, 20, Unit.TOKENS, 0, Duration.ZERO);

        assertThat(Logged.by(() -> listener.onDenied(denied(forGood, By.CAPACITY, Duration.ZERO))))
                .contains("denied: budget 'b' can never let this call go: tokens per minute, requested 600, at most 20")
                .doesNotContain("spent")
                .doesNotContain("retry after");
    }

    @Test
    void aCallThatWaitedInVainIsToldSo() {
        assertThat(Logged.by(() -> listener.onDenied(denied(DENIAL, By.REDIS, Duration.ofSeconds(5)))))
                .contains("the call waited 5 s in vain");
    }

    @Test
    void aLossOfBalancesIsSaidOnceAMinuteAndALostPlaceIsNot() {
        GuardedCall call = GuardedCall.of("gpt-4o").with("apiKey", "fingerprint-of-the-key");

        assertThat(Logged.by(() -> listener.onRegressed(new Regression(call, Lost.PLACE))))
                .isEmpty();
        assertThat(Logged.by(() -> {
                    for (int i = 0; i < 100; i++) {
                        listener.onRegressed(new Regression(call, Lost.PLACE));
                        listener.onRegressed(new Regression(call, Lost.BALANCES));
                    }
                }))
                .hasLineCount(1)
                .contains("WARN", "Redis lost what it had written last", "gpt-4o")
                .doesNotContain("fingerprint-of-the-key");
    }

    @Test
    void aLimitThatHasLittleLeftIsSaidOnceAMinuteOfEachSubjectAndLimit() {
        assertThat(Logged.by(() -> {
                    for (int i = 0; i < 100; i++) {
                        listener.onNearLimit(near("gpt-4o", "tokens per minute"));
                    }
                    listener.onNearLimit(near("gpt-4.1", "tokens per minute"));
                    listener.onNearLimit(near("gpt-4o", "usd per day"));
                }))
                .hasLineCount(3)
                .contains("WARN", "budget 'b': 20 of 100 left of 'tokens per minute', after call", "gpt-4o")
                .doesNotContain("fingerprint-of-the-key");
    }

    private static GuardListener.NearLimit near(String model, String limit) {
        GuardedCall call = GuardedCall.of(model).with("apiKey", "fingerprint-of-the-key");
        return new GuardListener.NearLimit(call, "b", limit, Unit.TOKENS, 20, 100);
    }

    private static GuardListener.Denied denied(String model, By by) {
        return new GuardListener.Denied(
                GuardedCall.of(model).with("apiKey", "fingerprint-of-the-key"), DENIAL, by, Duration.ZERO);
    }

    private static GuardListener.Denied denied(Denial denial, By by, Duration waited) {
        return new GuardListener.Denied(GuardedCall.of("gpt-4o"), denial, by, waited);
    }
}
