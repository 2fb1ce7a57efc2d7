package io.costguard.redis;

import static io.costguard.Awaiting.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import io.costguard.Budget;
import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.PatientRedis;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Patience;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.exceptions.JedisConnectionException;

/** What a ledger makes of a server that no longer knows what it answered last. */
@Timeout(60)
class LostLaneIT {
    private static final Duration PATIENT = Duration.ofMinutes(1);

    private final RedisForTests server = RedisForTests.shared();
    private final String prefix = server.keyPrefix();
    private final RedisClient jedis = PatientRedis.client(server.url());
    private final AtomicBoolean losesItsAnswer = new AtomicBoolean();
    private volatile CountDownLatch together = new CountDownLatch(0);
    private final FaultyClient client = new FaultyClient(server, 8, new FaultyClient.Fault() {
        @Override
        public void beforeItIsSent() {
            together.countDown();
            try {
                together.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }

        @Override
        public void afterItWasAnswered() {
            if (losesItsAnswer.getAndSet(false)) {
                forgetLanes();
                throw new JedisConnectionException("the answer was lost");
            }
        }
    });
    private final Subject subject = new Subject(
            prefix + ":{x}:subject",
            Budget.named("b").limit(Limit.tokens(100).per(Duration.ofDays(30)).tokenBucket()));

    @AfterEach
    void close() {
        client.close();
        jedis.close();
    }

    /** With this timeout a lane lives for two minutes, of which a batch leaves it three quarters less 17 s. */
    @ParameterizedTest
    @CsvSource({"1, true", "70, true", "80, false"})
    void aLaneThatIsGoneIsALossWhereItShouldStillBeThere(int secondsLater, boolean isLoss) throws Exception {
        String time = prefix + ":time";
        jedis.set(time, "1750000000000000");
        Script script = TestScript.ofTheRealOne().withTimeAt(time).build();
        try (RedisLedger ledger = new RedisLedger(Redis.of(client), script, prefix, PATIENT)) {
            granted(ledger, 1);

            jedis.incrBy(time, secondsLater * 1_000_000L);
            forgetLanes();
            granted(ledger, 1);

            assertThat(ledger.takeLoss(claims(0))).isEqualTo(isLoss);
            assertThat(ledger.takeLoss(claims(0))).isFalse();
        }
    }

    @Test
    void whatOneLaneFoundLostIsNoOtherLossToTheNext() throws Exception {
        try (RedisLedger ledger = connected()) {
            grantedOnTwoLanes(ledger);

            forgetLanes();
            granted(ledger, 1);
            assertThat(ledger.takeLoss(claims(0))).isTrue();
            grantedOnTwoLanes(ledger);
            assertThat(ledger.takeLoss(claims(0))).isFalse();

            forgetLanes();
            granted(ledger, 1);
            assertThat(ledger.takeLoss(claims(0))).isTrue();
        }
    }

    @Test
    void aReserveWhoseAnswerIsLostWithAllThatIsRememberedOfItIsDecidedAnew() throws Exception {
        try (RedisLedger ledger = connected()) {
            losesItsAnswer.set(true);
            granted(ledger, 10);

            assertThat(ledger.takeLoss(claims(0))).isTrue();
            assertThat(balance(ledger)).isEqualTo(100 - 10 - 10);
        }
    }

    @Test
    void aSettleWhoseAnswerIsLostWithAllThatIsRememberedOfItNeverGivesBackTwice() throws Exception {
        try (RedisLedger ledger = connected()) {
            Charge charge = granted(ledger, 40);
            granted(ledger, 20);

            losesItsAnswer.set(true);
            settle(ledger, charge, 10);

            assertThat(ledger.takeLoss(claims(0))).isTrue();
            assertThat(balance(ledger)).isEqualTo(100 - 10 - 20);
        }
    }

    /** Nothing is on its way any more: it has connected on the thread that settles. */
    private RedisLedger connected() throws GuardUnavailableException {
        RedisLedger ledger = new RedisLedger(Redis.of(client), prefix, PATIENT);
        settle(ledger, granted(ledger, 1), 0);
        return ledger;
    }

    private static void settle(RedisLedger ledger, Charge charge, long actual) throws GuardUnavailableException {
        ledger.settle(List.of(new Settled(charge, new long[] {actual})), () -> {});
        ledger.flush(deadline());
    }

    private void forgetLanes() {
        jedis.keys(prefix + ":{lane-*").forEach(jedis::del);
    }

    private Charge granted(RedisLedger ledger, long amount) throws GuardUnavailableException {
        Verdict verdict = ledger.reserve(claims(amount), Patience.NONE, deadline());
        return ((Verdict.Granted) verdict).charges().get(0);
    }

    private void grantedOnTwoLanes(RedisLedger ledger) throws Exception {
        together = new CountDownLatch(2);
        CompletableFuture<?> other = CompletableFuture.runAsync(
                () -> assertThatCode(() -> granted(ledger, 1)).doesNotThrowAnyException(),
                task -> new Thread(task).start());
        // Only once that is on its way: else both may go in one batch.
        await(() -> together.getCount() == 1);
        granted(ledger, 1);
        other.get();
    }

    private long balance(RedisLedger ledger) throws GuardUnavailableException {
        return ledger.look(claims(0), deadline()).get(0).get(0).balance();
    }

    private List<Claim> claims(long amount) {
        return List.of(new Claim(subject, new long[] {amount}));
    }

    private static long deadline() {
        return System.nanoTime() + PATIENT.toNanos();
    }
}
