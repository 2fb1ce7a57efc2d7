package io.costguard.redis;

import static io.costguard.Awaiting.PATIENCE;
import static io.costguard.Awaiting.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.Budget;
import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.PatientRedis;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger.Correction;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Patience;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.exceptions.JedisConnectionException;

/** What becomes of a batch whose answer never came, of those who were in it, and of those who come after it. */
@Timeout(60)
class CancelledBatchIT {
    private static final Duration TIMEOUT = Duration.ofMillis(400);
    /** It leads for settles and for asynchronous calls, and cancels. */
    private static final String OWN_THREAD = "costguard-ledger";

    private final RedisForTests server = RedisForTests.shared();
    private final String prefix = server.keyPrefix();
    private final RedisClient jedis = PatientRedis.client(server.url());
    private volatile boolean losesAnswers;
    private volatile boolean cancelsNothing;
    private volatile CountDownLatch ownThreadMaySend = new CountDownLatch(0);
    private volatile boolean ownThreadIsHeld;

    private final FaultyClient client = new FaultyClient(server, 8, new FaultyClient.Fault() {
        @Override
        public void beforeItIsSent() {
            if (Thread.currentThread().getName().equals(OWN_THREAD)) {
                ownThreadIsHeld = ownThreadMaySend.getCount() > 0;
                awaitUninterruptibly(ownThreadMaySend);
                if (cancelsNothing) {
                    throw new JedisConnectionException("it was not sent");
                }
            }
        }

        @Override
        public void afterItWasAnswered() {
            if (losesAnswers) {
                throw new JedisConnectionException("the answer was lost");
            }
        }
    });

    private final Subject subject = subject("s");
    private final RedisLedger ledger = new RedisLedger(Redis.of(client), prefix, TIMEOUT);

    @AfterEach
    void close() {
        ownThreadMaySend.countDown();
        ledger.close();
        client.close();
        jedis.close();
    }

    @Test
    void moreOfThemThanThereAreLanesKeepNobodyFromBeingDecided() throws Exception {
        for (int i = 0; i < 9; i++) {
            reserveUnheard(10);
            await(() -> balance(subject) == 100);
        }

        assertThat(reserve(10)).isInstanceOf(Verdict.Granted.class);
    }

    @Test
    void whatIsGivenBackByACancelLetsTheNextInLineGo() throws Exception {
        reserve(1);
        cancelsNothing = true;
        reserveUnheard(60);
        Patience patience = new Patience(Duration.ofDays(365).toNanos() / 1_000, 0);
        Verdict.Waiting waiting = (Verdict.Waiting) ledger.reserve(claims(80), patience, deadline());

        cancelsNothing = false;

        assertThat(waiting.place().end().get(20, TimeUnit.SECONDS)).isInstanceOf(Verdict.Granted.class);
        assertThat(balance(subject)).isEqualTo(100 - 1 - 80);
    }

    @Test
    void whatWasSettledBesideACallThatIsCancelledIsToldWhatBecameOfIt() throws Exception {
        Subject one = subject("one");
        Subject two = subject("two");
        reserve(1);
        Queue<Subject> corrected = new ConcurrentLinkedQueue<>();
        CompletableFuture<Verdict> first = holdOwnThread();
        CompletableFuture<Verdict> unheard =
                ledger.reserveAsync(claims(10), Patience.NONE, System.nanoTime() + TIMEOUT.toNanos());
        ledger.correct(new Correction(one, 0, 50), () -> corrected.add(one));
        ledger.correct(new Correction(two, 0, 50), () -> corrected.add(two));

        CompletableFuture<?> lost = first.thenRun(() -> losesAnswers = true);
        ownThreadMaySend.countDown();
        lost.get();
        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(unheard::get)
                .withCauseInstanceOf(GuardUnavailableException.class);
        losesAnswers = false;

        ledger.flush(deadline());
        assertThat(corrected).containsExactlyInAnyOrder(one, two);
        assertThat(List.of(balance(one), balance(two))).containsOnly(50L);
    }

    @Test
    void settlesThatRedisForgotWithTheirBatchAreGivenUpAndCounted() throws Exception {
        List<Charge> charges = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            charges.add(((Verdict.Granted) reserve(10)).charges().get(0));
        }
        losesAnswers = true;
        charges.forEach(charge -> ledger.settle(List.of(new Settled(charge, new long[] {0})), () -> {}));
        await(() -> balance(subject) > 20);
        jedis.keys(prefix + ":{lane-*").forEach(jedis::del);
        losesAnswers = false;

        ledger.flush(deadline());

        assertThat(ledger.backlog().givenUp()).isPositive();
    }

    @Test
    void whoWasNotAskedForYetWhenTheLedgerClosesIsToldSo() throws Exception {
        reserve(1);
        CompletableFuture<Verdict> unused = holdOwnThread();
        CompletableFuture<Verdict> behind = ledger.reserveAsync(claims(10), Patience.NONE, deadline());

        ledger.close();

        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(behind::get)
                .withCauseInstanceOf(GuardUnavailableException.class)
                .withMessageContaining("the guard is closed");
    }

    // --------------------------------------------------------------------------------------------------- the words

    /** Returns once it is about to send what it leads. */
    private CompletableFuture<Verdict> holdOwnThread() {
        ownThreadMaySend = new CountDownLatch(1);
        CompletableFuture<Verdict> held = ledger.reserveAsync(claims(0), Patience.NONE, deadline());
        await(() -> ownThreadIsHeld);
        return held;
    }

    private void reserveUnheard(long amount) {
        losesAnswers = true;
        long soon = System.nanoTime() + TIMEOUT.toNanos() / 4;
        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> ledger.reserve(claims(amount), Patience.NONE, soon));
        losesAnswers = false;
    }

    private Verdict reserve(long amount) throws GuardUnavailableException {
        return ledger.reserve(claims(amount), Patience.NONE, deadline());
    }

    private List<Claim> claims(long amount) {
        return List.of(new Claim(subject, new long[] {amount}));
    }

    private Subject subject(String name) {
        Limit limit = Limit.requests(100).per(Duration.ofDays(300)).tokenBucket();
        return new Subject(prefix + ":{x}:" + name, Budget.named("b").limit(limit));
    }

    /** As Redis has it, asked past the faults. */
    private long balance(Subject subject) throws GuardUnavailableException {
        try (RedisLedger direct = new RedisLedger(Redis.at(server.url(), PATIENCE), prefix, PATIENCE)) {
            return direct.look(List.of(new Claim(subject, new long[] {0})), deadline())
                    .get(0)
                    .get(0)
                    .balance();
        }
    }

    private static long deadline() {
        return System.nanoTime() + PATIENCE.toNanos();
    }

    private static void awaitUninterruptibly(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
