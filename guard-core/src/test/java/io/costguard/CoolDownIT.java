package io.costguard;

import static io.costguard.Guards.CALL;
import static io.costguard.Guards.PATIENTLY;
import static io.costguard.Guards.bucket;
import static io.costguard.Guards.budget;
import static io.costguard.Guards.tokens;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import redis.clients.jedis.RedisClient;

/** Limits that keep everybody away for a while after somebody ran into them. */
@Timeout(60)
class CoolDownIT {
    private static final Duration HOUR = Duration.ofHours(1);
    private static final Duration ALMOST = HOUR.minusMinutes(5);
    private static final Limit TOKENS = bucket(1_000).coolDown(HOUR);

    @RegisterExtension
    private final Guards guards = new Guards();

    @Test
    void whoRunsIntoALimitKeepsTheWholeFleetAwayForAsLongAsItSays() throws Exception {
        CostGuard one = guards.guard(TOKENS);
        CostGuard other = guards.guard(TOKENS);
        one.acquire(tokens(900));

        Denial first = denied(one, tokens(200));
        Denial second = denied(other, tokens(1));

        assertThat(first.retryAfter()).isGreaterThanOrEqualTo(HOUR);
        assertThat(first.held()).isEqualTo(HOUR);
        assertThat(second.retryAfter()).isBetween(ALMOST, HOUR);
        assertThat(second).returns(100L, Denial::available).returns(0L, Denial::largestThatFits);
        assertThat(second).asString().contains("is held for");
        assertThat(other.status(tokens(1)).get(0))
                .returns(100L, LimitStatus::balance)
                .satisfies(status -> assertThat(status.newcomerWait()).isBetween(ALMOST, HOUR));
    }

    @Test
    void whatIsGivenBackDuringACoolDownIsThereAfterAReset() throws Exception {
        CostGuard guard = guards.guard(TOKENS);
        Permit permit = guard.acquire(tokens(1_000));
        denied(guard, tokens(1));
        permit.settle(Cost.requests(1).input(400));
        guard.flush();
        denied(guard, tokens(1));

        guard.reset(CALL);

        assertThat(guard.tryAcquire(tokens(1_000))).isPresent();
    }

    @Test
    void aCallThatIsShortOnlyUntilItsProcessHasSettledBeginsNone() throws Exception {
        CostGuard guard = guards.guard(TOKENS);
        for (int i = 0; i < 10; i++) {
            Permit before = guard.acquire(tokens(900));
            before.settle(Cost.requests(1).input(1));

            Permit after = guard.acquire(i % 2 == 0 ? tokens(900) : tokens(900).whenExhausted(PATIENTLY));
            after.settle(Cost.requests(1));
            guard.flush();
        }
    }

    /** It is asked again behind what its process was about to settle, and joins no line before that. */
    @Test
    void aCallThatMayWaitBeginsOneWhateverElseItsProcessSettles() throws Exception {
        CostGuard guard = guards.guard(Limit.tokens(60_000).perMinute().coolDown(HOUR));
        GuardedCall mayWait = tokens(1_000).whenExhausted(WhenExhausted.waitUpTo(Duration.ofMinutes(10)));
        for (int i = 0; i < 10; i++) {
            Permit settledMeanwhile = guard.acquire(tokens(1));
            guard.acquire(tokens(59_999));
            settledMeanwhile.settle(Cost.requests(1));

            assertThatExceptionOfType(BudgetExceededException.class)
                    .isThrownBy(() -> guard.acquire(mayWait))
                    .satisfies(e -> assertThat(e.denial().held()).isEqualTo(HOUR));

            guard.reset(CALL);
        }
    }

    @Test
    void aGuardWhoseBudgetHasNoCoolDownYetIsHeldByThatOfOthers() throws Exception {
        CostGuard with = guards.guard(TOKENS);
        CostGuard without = guards.guard(bucket(1_000));
        with.acquire(tokens(900));
        denied(with, tokens(200));

        assertThat(denied(without, tokens(1)).retryAfter()).isBetween(ALMOST, HOUR);
    }

    @Test
    void aBudgetThatGetsACoolDownHasItFromTheNextCallOn() throws Exception {
        CostGuard guard = guards.guard(bucket(1_000));
        guard.acquire(tokens(900));
        assertThat(denied(guard, tokens(200)).held()).isZero();

        guard.update(List.of(budget(TOKENS)));

        assertThat(denied(guard, tokens(200)).held()).isEqualTo(HOUR);
    }

    @Test
    void whatIsInRedisLastsAsLongAsItsCoolDown() throws Exception {
        CostGuard guard = guards.guard(Limit.requests(1).perSecond().coolDown(Duration.ofHours(100)));
        guard.acquire(CALL);
        denied(guard, CALL);

        try (RedisClient jedis = PatientRedis.client(guards.redis.url())) {
            assertThat(jedis.keys(guards.prefix + ":{*}:*"))
                    .singleElement()
                    .satisfies(key -> assertThat(jedis.pttl(key))
                            .isGreaterThan(Duration.ofHours(100).minus(HOUR).toMillis()));
        }
    }

    private static Denial denied(CostGuard guard, GuardedCall call) throws GuardUnavailableException {
        Decision decision = guard.decide(call);
        assertThat(decision).isInstanceOf(Decision.Denied.class);
        return ((Decision.Denied) decision).denial();
    }
}
