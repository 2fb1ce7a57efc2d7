package io.costguard.redis;

import static io.costguard.Awaiting.PATIENCE;
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
import io.costguard.limit.Standing;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.testing.FaultyLink;
import io.costguard.testing.RedisForTests;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redis.clients.jedis.RedisClient;
import redis.clients.jedis.exceptions.JedisConnectionException;

/** What becomes of reserves and settles when Redis, or the way to it, fails. */
@Timeout(60)
class RedisLedgerIT {
    private static final Duration TIMEOUT = Duration.ofMillis(400);
    /** Ends with the JVM, in which the class runs again for each mutant. */
    private static final RedisForTests server = RedisForTests.start();

    private final String prefix = server.keyPrefix();
    private final Subject subject = new Subject(
            prefix + ":{x}:s", Budget.named("b").limit(Limit.requests(100).perDay()));
    private final RedisClient jedis = PatientRedis.client(server.url());
    private final FaultyLink link = FaultyLink.to(server);
    private final RedisLedger ledger = ledger(link.url());

    @AfterEach
    void close() {
        link.close();
        ledger.close();
        jedis.configSet("maxmemory", "0");
        jedis.close();
    }

    // ---------------------------------------------------------------------------------------- row 1: down at start

    @Test
    @Tag("fault-1")
    void aLedgerIsMadeWhileRedisIsDownAndDecidesOnceItIsUp() throws Exception {
        link.refuseConnections();
        try (RedisLedger early = ledger(link.url())) {
            assertThatExceptionOfType(GuardUnavailableException.class)
                    .isThrownBy(() -> reserveInVain(early, 1))
                    .withMessageContaining("400 ms");

            link.acceptConnections();

            assertThat(reserve(early, 1)).isInstanceOf(Verdict.Granted.class);
            assertThat(balance()).isEqualTo(99);
        }
    }

    // ------------------------------------------------------------------------------- row 2: the outcome is unknown

    @Test
    @Tag("fault-2")
    @Tag("slow")
    void aReserveWhoseReplyIsLostIsAskedAgainAndChargedOnce() throws Exception {
        reserve(1);
        link.replies().dropNext("EVALSHA");
        // Half of it is for the reply that is lost.
        long deadlineNanos = System.nanoTime() + Duration.ofSeconds(8).toNanos();

        assertThat(ledger.reserve(claims(10), Patience.NONE, deadlineNanos)).isInstanceOf(Verdict.Granted.class);

        assertThat(balance()).isEqualTo(100 - 1 - 10);
    }

    @Test
    void aReserveWhoseConnectionIsResetIsAskedAgainAndChargedOnce() throws Exception {
        reserve(1);
        link.resetConnections();

        assertThat(reserve(10)).isInstanceOf(Verdict.Granted.class);

        assertThat(balance()).isEqualTo(100 - 1 - 10);
    }

    @Test
    @Tag("fault-2")
    void aReserveWhoseOutcomeStaysUnknownFailsAndIsCancelled() throws Exception {
        reserve(1);
        link.replies().drop("EVALSHA");

        assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> reserveInVain(ledger, 10));
        link.replies().pass();

        awaitBalance(99);
    }

    @Test
    @Tag("fault-2")
    void aReserveThatArrivesAfterItsCancelHasNoEffect() throws Exception {
        reserve(1);
        link.requests().hold("EVALSHA");
        assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> reserveInVain(ledger, 10));

        CompletableFuture<Verdict> later = ledger.reserveAsync(claims(5), Patience.NONE, deadline());
        link.requests().pass();

        assertThat(later.handle((verdict, failure) -> true).get()).isTrue();
        for (int i = 0; i < 20; i++) {
            assertThat(reserve(1)).isInstanceOf(Verdict.Granted.class);
        }
        int asked = later.isCompletedExceptionally() ? 0 : 5;
        awaitBalance(100 - 1 - 20 - asked);
    }

    @Test
    void aBatchThatTheScriptCannotCancelHoldsUpNoOtherAndIsCancelledOnceItCan() throws Exception {
        Duration patient = Duration.ofSeconds(30);
        Subject spoilt = new Subject(prefix + ":{x}:spoilt", subject.budget());
        Script script = TestScript.ofTheRealOne()
                .replace(
                        "elseif mode == CANCEL then\n",
                        "elseif mode == CANCEL then\n  if KEYS[2] == '" + spoilt.key() + "' and redis.call('EXISTS', '"
                                + prefix + "spoils') == 1 then error('spoilt') end\n")
                .build();
        try (RedisLedger own = new RedisLedger(Redis.at(link.url(), patient), script, prefix, patient)) {
            reserve(own, 1);
            jedis.set(prefix + "spoils", "");
            link.replies().hold("EVALSHA");
            CompletableFuture<Verdict> first =
                    own.reserveAsync(List.of(new Claim(spoilt, new long[] {10})), Patience.NONE, soon());
            assertThat(first.handle((verdict, failure) -> failure).get()).isInstanceOf(CompletionException.class);
            assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> reserveInVain(own, 10));
            link.replies().pass();

            awaitBalance(subject, 99);

            assertThat(balance(spoilt)).isEqualTo(90);
            jedis.del(prefix + "spoils");
            awaitBalance(spoilt, 100);
        }
    }

    @Test
    @Tag("fault-2")
    @Tag("invariant-3")
    void aSettleWhoseReplyIsLostIsSettledOnce() throws Exception {
        Charge charge = granted(40);
        link.replies().dropNext("EVALSHA");

        settle(charge, 70);
        ledger.flush(deadline());

        assertThat(balance()).isEqualTo(30);
    }

    @Test
    void settlesThatRodeInACancelledBatchAreSettledOnce() throws Exception {
        List<Charge> charges = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            charges.add(granted(5));
        }
        link.replies().drop("EVALSHA");
        charges.forEach(charge -> settle(charge, 8));
        assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> reserveInVain(ledger, 10));
        link.replies().pass();

        awaitBalance(100 - 80);
    }

    // ------------------------------------------------------------- what is leased for when Redis fails, and renewed

    @Test
    void aRenewalGivesBackAndChargesInOneStepSoThatNobodyCanTakeItMeanwhile() throws Exception {
        Charge charge = granted(40);
        reserve(60);

        ledger.renew(charge).get();

        assertThat(reserve(1)).isInstanceOf(Verdict.Shortfall.class);
        settle(charge, 0);
        ledger.flush(deadline());
        assertThat(balance()).isEqualTo(40);
    }

    @Test
    void whatIsSettledWhileNobodyKnowsOfARenewalThatRanIsSettledWhereItIsChargedNow() throws Exception {
        Charge part = partOfOneThatIsRenewed(
                () -> link.replies().hold("EVALSHA"), () -> link.replies().awaitWithheld(1));

        // It was full in between: a settle in the era before would give nothing back.
        assertThat(balance(part.claim().subject())).isEqualTo(100 - 40 + 25 - 10);
    }

    @Test
    void whatIsSettledWhileNobodyKnowsOfARenewalThatNeverRanIsSettledWhereItWasCharged() throws Exception {
        Charge part = partOfOneThatIsRenewed(() -> link.requests().drop("EVALSHA"), () -> {});

        assertThat(balance(part.claim().subject())).isEqualTo(100 - 40 + 25 - 10);
    }

    /** Of a charge of 40, a part of 25 is settled at nothing and one of 15 at 25, while it is being renewed. */
    private Charge partOfOneThatIsRenewed(Runnable fault, Fault awaited) throws Exception {
        Subject bucket = new Subject(
                prefix + ":{x}:bucket",
                Budget.named("b")
                        .limit(Limit.requests(100).per(Duration.ofDays(366)).tokenBucket()));
        Verdict.Granted granted = (Verdict.Granted)
                ledger.reserve(List.of(new Claim(bucket, new long[] {40})), Patience.NONE, deadline());
        Charge whole = granted.charges().get(0);
        Charge part = new Charge(new Claim(bucket, new long[] {25}), whole.eras(), whole.balances());
        Charge rest = new Charge(new Claim(bucket, new long[] {15}), whole.eras(), whole.balances());
        fault.run();
        CompletableFuture<?> renewed = ledger.renew(whole);
        awaited.happens();
        settle(part, 0);
        settle(rest, 25);
        link.refuseConnections();
        link.resetConnections();

        link.replies().pass();
        link.requests().pass();
        link.acceptConnections();

        assertThat(renewed.handle((done, failure) -> true).get()).isTrue();
        ledger.flush(deadline());
        return part;
    }

    private interface Fault {
        void happens() throws InterruptedException;
    }

    @Test
    void aCorrectionIsForgottenWhileRedisIsAwayAndTheSettleBesideItIsNot() throws Exception {
        Subject bucket = new Subject(
                prefix + ":{x}:bucket",
                Budget.named("b").limit(Limit.requests(100).perDay().tokenBucket()));
        Verdict.Granted granted =
                (Verdict.Granted) ledger.reserve(List.of(new Claim(bucket, new long[] {1})), Patience.NONE, deadline());
        AtomicInteger corrected = new AtomicInteger();
        ledger.correct(new Correction(bucket, 0, 90), corrected::incrementAndGet);
        ledger.flush(deadline());
        assertThat(balance(bucket)).isEqualTo(90);
        assertThat(corrected).hasValue(1);
        ledger.correct(new Correction(bucket, 0, 95), corrected::incrementAndGet);
        ledger.flush(deadline());
        assertThat(corrected).as("told of what lowered nothing").hasValue(1);
        link.requests().drop("EVALSHA");

        ledger.correct(new Correction(bucket, 0, 40), corrected::incrementAndGet);
        ledger.settle(List.of(new Settled(granted.charges().get(0), new long[] {11})), () -> {});
        assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> ledger.flush(soon()));
        assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> ledger.flush(soon()));
        link.requests().pass();
        ledger.flush(deadline());

        assertThat(balance(bucket)).isEqualTo(80);
        assertThat(corrected).hasValue(1);
    }

    // ------------------------------------------------------------------------------------------------- row 3: slow

    @Test
    @Tag("fault-3")
    void aLateReplyNeverAnswersTheNextCommand() throws Exception {
        reserve(1);
        link.replies().hold("EVALSHA");
        assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> reserveInVain(ledger, 50));
        link.replies().pass();

        for (int i = 0; i < 30; i++) {
            Verdict.Granted granted = (Verdict.Granted) reserve(1);
            assertThat(granted.charges().get(0).claim().amounts()).containsExactly(1);
        }
        awaitBalance(100 - 1 - 30);
    }

    @Test
    void aCallerThatGotNoReplyDoesNotMakeAConnectionForOthers() throws Exception {
        byte[] script = "return 1".getBytes(StandardCharsets.US_ASCII);
        byte[] nothing = {};
        try (FaultyLink own = FaultyLink.to(server);
                Redis redis = Redis.at(own.url(), TIMEOUT)) {
            redis.eval(script, List.of(), nothing, TIMEOUT.toNanos());
            own.replies().dropNext("EVAL");

            assertThatExceptionOfType(JedisConnectionException.class)
                    .isThrownBy(() -> redis.eval(script, List.of(), nothing, TIMEOUT.toNanos() / 4));

            assertThat(own.requests().passed("HELLO")).isEqualTo(1);
        }
    }

    /** Each takes more than half of the time, as one does that has to connect. */
    @Test
    void noAttemptBeginsOnceTheTimeIsOver() {
        AtomicLong now = new AtomicLong();
        AtomicInteger attempts = new AtomicInteger();
        FaultyClient hanging = new FaultyClient(server, 1, new FaultyClient.Fault() {
            @Override
            public void beforeItIsSent() {
                attempts.incrementAndGet();
                now.addAndGet(TIMEOUT.toNanos() * 3 / 5);
                throw new JedisConnectionException("Read timed out");
            }
        });
        ServerClock clock = new ServerClock(now::get, nanos -> new CompletableFuture<>());
        BatchSender sender = new BatchSender(Redis.of(hanging), Script.load(RedisLedger.SCRIPT), clock, TIMEOUT);
        Batch batch = new Batch(new Lines("process-name", "channel:"));

        try (hanging) {
            assertThatExceptionOfType(BatchSender.UnknownOutcomeException.class)
                    .isThrownBy(() -> sender.send(Batch.Mode.RUN, new Lane("lane", 0), batch, TIMEOUT.toNanos()));
        }

        assertThat(attempts).hasValue(2);
    }

    @Test
    void aHostThatNobodyKnowsIsNamed() {
        FaultyClient astray = new FaultyClient(server, 1, new FaultyClient.Fault() {
            @Override
            public void beforeItIsSent() {
                throw new JedisConnectionException("Failed to create socket.", new UnknownHostException("redis.typo"));
            }
        });

        try (astray;
                RedisLedger lost = new RedisLedger(Redis.of(astray), prefix, TIMEOUT)) {
            assertThatExceptionOfType(GuardUnavailableException.class)
                    .isThrownBy(() -> lost.reserve(claims(1), Patience.NONE, System.nanoTime() + TIMEOUT.toNanos()))
                    .withMessageEndingWith(": unknown host redis.typo");
        }
    }

    @Test
    @Tag("fault-3")
    @Tag("slow")
    void aRedisThatHangsHoldsNobodyBeyondTheDeadlineAndDecidesWhenItGoesOn() throws Exception {
        reserve(1);
        server.suspend();
        try {
            List<CompletableFuture<Boolean>> callers = new ArrayList<>();
            for (int i = 0; i < 16; i++) {
                callers.add(CompletableFuture.supplyAsync(() -> fails(10)));
                callers.add(ledger.reserveAsync(claims(10), Patience.NONE, soon())
                        .handle((verdict, failure) -> failure != null));
            }
            for (CompletableFuture<Boolean> caller : callers) {
                assertThat(caller.get()).isTrue();
            }
        } finally {
            server.resume();
        }

        awaitBalance(99);
        assertThat(reserve(1)).isInstanceOf(Verdict.Granted.class);
    }

    // ---------------------------------------------------------------------------------------- row 4: out of memory

    @Test
    @Tag("fault-4")
    void aFullRedisRefusesAReserveWithoutEffectAndStillSettles() throws Exception {
        Charge charge = granted(40);
        jedis.configSet("maxmemory", "1");

        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> reserve(1))
                .withMessageContaining("OOM");
        settle(charge, 10);
        assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> reserveInVain(ledger, 1));
        ledger.flush(deadline());

        assertThat(balance()).isEqualTo(90);
        jedis.configSet("maxmemory", "0");
        assertThat(reserve(1)).isInstanceOf(Verdict.Granted.class);
    }

    // -------------------------------------------------------------------------------------------------- row 7:
    // NOSCRIPT

    @Test
    @Tag("fault-7")
    void aServerThatForgetsTheScriptIsToldItAgainAndNobodyNotices() throws Exception {
        for (int i = 0; i < 50; i++) {
            if (i % 7 == 0) {
                jedis.scriptFlush();
            }
            assertThat(reserve(1)).isInstanceOf(Verdict.Granted.class);
        }
        assertThat(balance()).isEqualTo(50);
    }

    // ----------------------------------------------------------------------------------- row 19: settles that fail

    @Test
    @Tag("fault-19")
    void settlesWaitWhileRedisIsAwayAndNobodyWaitsForThem() throws Exception {
        Charge charge = granted(40);
        link.refuseConnections();
        link.resetConnections();
        AtomicInteger done = new AtomicInteger();

        ledger.settle(List.of(new Settled(charge, new long[] {10})), done::incrementAndGet);
        assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> ledger.flush(soon()));
        assertThat(done).hasValue(0);
        link.acceptConnections();

        awaitBalance(90);
        ledger.flush(deadline());
        assertThat(done).hasValue(1);
    }

    @Test
    @Tag("fault-11")
    void aServerThatLostEverythingGivesNothingBackToNewBalances() throws Exception {
        Charge charge = granted(40);
        jedis.flushAll();
        granted(50);

        settle(charge, 0);
        ledger.flush(deadline());

        assertThat(balance()).isEqualTo(50);
    }

    @Test
    void closingSettlesWhatThereIsToSettle() throws Exception {
        try (RedisLedger other = ledger(server.url())) {
            Verdict.Granted granted = (Verdict.Granted) other.reserve(claims(40), Patience.NONE, deadline());
            other.settle(List.of(new Settled(granted.charges().get(0), new long[] {1})), () -> {});
        }
        assertThat(balance()).isEqualTo(99);
    }

    @Test
    void closingWaitsUntilWhatIsUnknownIsCancelled() throws Exception {
        Duration patient = Duration.ofSeconds(10);
        RedisLedger own = new RedisLedger(Redis.at(link.url(), patient), prefix, patient);
        reserve(own, 1);
        link.replies().hold("EVALSHA");
        CompletableFuture<Verdict> unknown = own.reserveAsync(claims(10), Patience.NONE, soon());
        link.replies().awaitWithheld(1);
        link.refuseConnections();
        link.resetConnections();
        assertThat(unknown.handle((verdict, failure) -> failure).get()).isInstanceOf(CompletionException.class);
        assertThat(balance()).isEqualTo(89);
        link.replies().pass();

        CompletableFuture<Void> closed = CompletableFuture.runAsync(own::close);
        assertThatExceptionOfType(TimeoutException.class)
                .isThrownBy(() -> closed.get(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS));
        link.acceptConnections();
        closed.get();

        assertThat(balance()).isEqualTo(99);
    }

    @Test
    void aClosedLedgerSaysSoWhateverItIsAsked() throws Exception {
        ledger.close();

        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> reserve(1))
                .withMessage("the guard is closed");
        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> ledger.look(claims(1), deadline()))
                .withMessage("the guard is closed");
        assertThat(ledger.hold(List.of(subject), Duration.ofSeconds(1)))
                .isCompletedExceptionally()
                .failsWithin(Duration.ZERO)
                .withThrowableOfType(ExecutionException.class)
                .withCauseInstanceOf(GuardUnavailableException.class)
                .withMessageContaining("the guard is closed");
    }

    @Test
    void aLedgerThatWasClosedWhileRedisWasAwayHasNothingLeftToFlush() throws Exception {
        Charge charge = granted(40);
        link.refuseConnections();
        link.resetConnections();
        settle(charge, 10);

        ledger.close();

        ledger.flush(deadline());
    }

    // ------------------------------------------------------------------------------------------------------ threads

    @Test
    void manyThreadsOnOneSubjectAreEachDecidedOnce() throws Exception {
        AtomicInteger granted = new AtomicInteger();
        CountDownLatch start = new CountDownLatch(1);
        List<CompletableFuture<Void>> callers = new ArrayList<>();
        for (int i = 0; i < 32; i++) {
            CompletableFuture<Void> done = new CompletableFuture<>();
            Thread thread = new Thread(() -> {
                try {
                    start.await();
                    for (int j = 0; j < 20; j++) {
                        if (reserve(1) instanceof Verdict.Granted) {
                            granted.incrementAndGet();
                        }
                    }
                    done.complete(null);
                } catch (Throwable e) {
                    done.completeExceptionally(e);
                }
            });
            thread.start();
            callers.add(done);
        }
        start.countDown();
        for (CompletableFuture<Void> caller : callers) {
            caller.get();
        }

        assertThat(granted).hasValue(100);
        assertThat(balance()).isZero();
    }

    @Test
    void anInterruptedCallerIsDecidedAndKeepsItsFlag() throws Exception {
        Thread.currentThread().interrupt();

        assertThat(reserve(1)).isInstanceOf(Verdict.Granted.class);

        assertThat(Thread.interrupted()).isTrue();
    }

    @Test
    void whoIsInterruptedWhileItWaitsForSettlesStopsWaitingAndKeepsItsFlag() throws Exception {
        Charge charge = granted(1);
        link.refuseConnections();
        link.resetConnections();
        settle(charge, 0);

        Thread.currentThread().interrupt();

        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> ledger.flush(deadline()))
                .withMessageContaining("interrupted");
        assertThat(Thread.interrupted()).isTrue();
    }

    @Test
    void whoIsInterruptedClosesNoEarlierAndKeepsItsFlag() throws Exception {
        RedisLedger own = ledger(server.url());
        Verdict.Granted granted = (Verdict.Granted) reserve(own, 40);
        own.settle(List.of(new Settled(granted.charges().get(0), new long[] {1})), () -> {});

        Thread.currentThread().interrupt();
        own.close();

        assertThat(Thread.interrupted()).isTrue();
        assertThat(balance()).isEqualTo(99);
    }

    @Test
    @Tag("fault-15")
    void everyKeyLivesUntilItWouldBeFullAndNoLongerThanFourTimesAsLong() throws Exception {
        Subject slow = new Subject(
                prefix + ":{x}:slow",
                Budget.named("slow")
                        .limit(Limit.requests(2).per(Duration.ofDays(10)).tokenBucket()));
        Verdict.Granted granted =
                (Verdict.Granted) ledger.reserve(List.of(new Claim(slow, new long[] {1})), Patience.NONE, deadline());
        assertThat(jedis.pttl(slow.key()))
                .isBetween(
                        Duration.ofDays(10).toMillis() - 60_000,
                        Duration.ofDays(40).toMillis());
        ledger.settle(List.of(new Settled(granted.charges().get(0), new long[] {9})), () -> {});
        ledger.flush(deadline());
        assertThat(jedis.pttl(slow.key()))
                .isBetween(
                        Duration.ofDays(45).toMillis() - 60_000,
                        Duration.ofDays(180).toMillis());

        assertThat(jedis.keys(prefix + "*"))
                .hasSizeGreaterThan(1)
                .allSatisfy(key -> assertThat(jedis.pttl(key)).as(key).isPositive());
    }

    // --------------------------------------------------------------------------------------------------- the words

    private RedisLedger ledger(String url) {
        return new RedisLedger(Redis.at(url, TIMEOUT), prefix, TIMEOUT);
    }

    /** For what is expected to succeed. */
    private static long deadline() {
        return System.nanoTime() + PATIENCE.toNanos();
    }

    /** For what is expected to fail. */
    private static long soon() {
        return System.nanoTime() + TIMEOUT.toNanos();
    }

    private List<Claim> claims(long amount) {
        return List.of(new Claim(subject, new long[] {amount}));
    }

    private Verdict reserve(long amount) throws GuardUnavailableException {
        return reserve(ledger, amount);
    }

    private Verdict reserve(RedisLedger ledger, long amount) throws GuardUnavailableException {
        return ledger.reserve(claims(amount), Patience.NONE, deadline());
    }

    private Verdict reserveInVain(RedisLedger ledger, long amount) throws GuardUnavailableException {
        return ledger.reserve(claims(amount), Patience.NONE, soon());
    }

    private boolean fails(long amount) {
        try {
            reserveInVain(ledger, amount);
            return false;
        } catch (GuardUnavailableException e) {
            return true;
        }
    }

    private Charge granted(long amount) throws GuardUnavailableException {
        return ((Verdict.Granted) reserve(amount)).charges().get(0);
    }

    private void settle(Charge charge, long actual) {
        ledger.settle(List.of(new Settled(charge, new long[] {actual})), () -> {});
    }

    /** As Redis has it, asked past the link. */
    private long balance() throws GuardUnavailableException {
        return balance(subject);
    }

    private long balance(Subject subject) throws GuardUnavailableException {
        try (RedisLedger direct = ledger(server.url())) {
            List<List<Standing>> standings = direct.look(List.of(new Claim(subject, new long[] {1})), deadline());
            return standings.get(0).get(0).balance();
        }
    }

    private void awaitBalance(long expected) throws GuardUnavailableException {
        awaitBalance(subject, expected);
    }

    private void awaitBalance(Subject subject, long expected) throws GuardUnavailableException {
        long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        while (balance(subject) != expected && System.nanoTime() - deadline < 0) {
            Thread.onSpinWait();
        }
        assertThat(balance(subject)).isEqualTo(expected);
    }
}
