package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.Logged;
import io.costguard.PatientRedis;
import io.costguard.limit.Claim;
import io.costguard.limit.Patience;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;
import redis.clients.jedis.RedisClient;

/** A real Redis whose {@code TIME} is set, as a whole fleet sees it: each process says so once. */
@Timeout(60)
@ResourceLock(Resources.SYSTEM_ERR)
@Tag("fault-12")
class ClockStepIT {
    private static final Duration PATIENT = Duration.ofMinutes(1);

    private final String prefix = RedisForTests.shared().keyPrefix();
    private final String url = RedisForTests.shared().url();
    private final RedisClient jedis = PatientRedis.client(url);
    private final Script script = TestScript.ofTheRealOne()
            .replace(
                    "local time = redis.call('TIME')",
                    "local time = redis.call('TIME')\ntime[1] = time[1] + (redis.call('GET', '" + prefix
                            + ":set') or 0)")
            .build();
    private final RedisLedger one = new RedisLedger(Redis.at(url, PATIENT), script, prefix, PATIENT);
    private final RedisLedger other = new RedisLedger(Redis.at(url, PATIENT), script, prefix, PATIENT);
    private final Subject subject = new Subject(
            prefix + ":{x}:s", Budget.named("b").limit(Limit.requests(10).perHour()));

    @AfterEach
    void close() {
        one.close();
        other.close();
        jedis.close();
    }

    @Test
    void eachProcessSaysOnceThatTheClockWasSetBackAndNothingRefills() throws Exception {
        assertThat(reserve(one, 10)).isInstanceOf(Verdict.Granted.class);
        assertThat(reserve(other, 1)).isInstanceOf(Verdict.Shortfall.class);

        jedis.set(prefix + ":set", "-36000");

        assertThat(loggedByAll())
                .hasLineCount(2)
                .contains("behind where it was")
                .doesNotContain("ahead");
    }

    @Test
    void eachProcessSaysOnceThatTheClockWasSetForwardAndOneCapacityRefills() throws Exception {
        assertThat(reserve(one, 10)).isInstanceOf(Verdict.Granted.class);
        assertThat(reserve(other, 1)).isInstanceOf(Verdict.Shortfall.class);

        jedis.set(prefix + ":set", "36000");

        assertThat(Logged.by(() -> {
                    assertThat(reserve(one, 10)).isInstanceOf(Verdict.Granted.class);
                    assertThat(reserve(one, 1)).isInstanceOf(Verdict.Shortfall.class);
                    assertThat(reserve(other, 1)).isInstanceOf(Verdict.Shortfall.class);
                }))
                .hasLineCount(2)
                .contains("ahead of where it was")
                .doesNotContain("behind");
    }

    private String loggedByAll() {
        return Logged.by(() -> {
            for (int i = 0; i < 2; i++) {
                assertThat(reserve(one, 1)).isInstanceOf(Verdict.Shortfall.class);
                assertThat(reserve(other, 1)).isInstanceOf(Verdict.Shortfall.class);
            }
        });
    }

    private Verdict reserve(RedisLedger ledger, long requests) {
        try {
            return ledger.reserve(
                    List.of(new Claim(subject, new long[] {requests})),
                    Patience.NONE,
                    System.nanoTime() + PATIENT.toNanos());
        } catch (GuardUnavailableException e) {
            throw new AssertionError(e);
        }
    }
}
