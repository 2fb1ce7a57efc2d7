package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.Budget;
import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.PatientRedis;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Patience;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.testing.FaultyLink;
import io.costguard.testing.RedisForTests;
import java.lang.ref.WeakReference;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.RedisClient;

/** Where Redis and a process no longer know the same of a line: who waits stands in it, who does not leaves, without being told. */
@Timeout(30)
class LostLineIT {
    private static final Patience PATIENCE = new Patience(Duration.ofDays(365).toNanos() / 1_000, 0);

    private final RedisClient jedis = PatientRedis.client(RedisForTests.shared().url());
    private final String prefix = RedisForTests.shared().keyPrefix();
    private final Subject subject = new Subject(
            prefix + ":{x}:lost",
            Budget.named("lost")
                    .limit(Limit.requests(10).per(Duration.ofDays(300)).tokenBucket()));

    @AfterEach
    void close() {
        jedis.close();
    }

    @Test
    void callsWhoseLineWasLostFindTheirPlaceAgain() throws Exception {
        try (RedisLedger ledger = ledger(RedisForTests.shared().url(), Duration.ofSeconds(5))) {
            Verdict.Granted all = (Verdict.Granted) ledger.reserve(of(10), Patience.NONE, soon());
            Verdict.Waiting waiting = (Verdict.Waiting) ledger.reserve(of(1), PATIENCE, soon());
            jedis.del(subject.key() + ":line");

            ledger.settle(List.of(new Settled(all.charges().get(0), new long[] {0})), () -> {});

            assertThat(waiting.place().end().get(10, TimeUnit.SECONDS)).isInstanceOf(Verdict.Granted.class);
        }
    }

    @Test
    void whereOneFindsThatTheLineWasLostNobodyOfItsProcessIsOvertaken() throws Exception {
        Subject fast = new Subject(
                prefix + ":{x}:fast",
                Budget.named("fast").limit(Limit.requests(100).perSecond()));
        BlockingQueue<String> ends = new LinkedBlockingQueue<>();
        try (RedisLedger ledger = ledger(RedisForTests.shared().url(), Duration.ofSeconds(5));
                RedisLedger other = ledger(RedisForTests.shared().url(), Duration.ofSeconds(5))) {
            ledger.reserve(of(10), Patience.NONE, soon());
            ledger.reserve(of(1), PATIENCE, soon());
            awaitThatItListens();
            ledger.reserve(of(fast, 100), Patience.NONE, soon());
            waits(ledger, of(fast, 30), "the first", ends);
            waits(ledger, of(fast, 69), "the second", ends);
            jedis.del(fast.key(), fast.key() + ":line");

            other.reserve(of(fast, 100), Patience.NONE, soon());
            waits(other, of(fast, 40), "one that came later", ends);

            for (String next : List.of("the first", "the second", "one that came later")) {
                assertThat(ends.poll(20, TimeUnit.SECONDS)).isEqualTo(next);
            }
        }
    }

    private static void waits(RedisLedger ledger, List<Claim> claims, String name, Queue<String> ends)
            throws GuardUnavailableException {
        Verdict.Waiting waiting = (Verdict.Waiting) ledger.reserve(claims, PATIENCE, soon());
        CompletableFuture<?> unused = waiting.place().end().whenComplete((verdict, failure) -> ends.add(name));
    }

    /** @param before how many batches there were: each lane takes one, in turn */
    @ParameterizedTest
    @ValueSource(ints = {1, 4})
    void aCallThatJoinedUnheardAndCannotBeCancelledAnyMoreLeaves(int before) throws Exception {
        try (FaultyLink link = FaultyLink.to(RedisForTests.shared());
                RedisLedger ledger = ledger(link.url(), Duration.ofMillis(500))) {
            for (int i = 1; i < before; i++) {
                ledger.reserve(of(0), Patience.NONE, soon());
            }
            assertThat(ledger.reserve(of(10), Patience.NONE, soon())).isInstanceOf(Verdict.Granted.class);
            link.replies().hold("EVALSHA");
            CompletableFuture<Verdict> joins = ledger.reserveAsync(of(1), PATIENCE, soon());
            link.replies().awaitWithheld(1);
            link.requests().drop("EVALSHA");
            assertThatExceptionOfType(ExecutionException.class)
                    .isThrownBy(() -> joins.get(20, TimeUnit.SECONDS))
                    .withCauseInstanceOf(GuardUnavailableException.class);
            assertThat(jedis.zcount(subject.key() + ":line", "(0", "+inf")).isEqualTo(1);

            jedis.keys(prefix + ":{lane-*").forEach(jedis::del);
            link.requests().pass();
            link.replies().pass();

            awaitThatNobodyStandsInLine();
        }
    }

    @Test
    void aCallThatIsCancelledWhileRedisIsAwayLeavesOnceItIsBack() throws Exception {
        try (FaultyLink link = FaultyLink.to(RedisForTests.shared());
                RedisLedger ledger = ledger(link.url(), Duration.ofMillis(500))) {
            ledger.reserve(of(10), Patience.NONE, soon());
            Verdict.Waiting waiting = (Verdict.Waiting) ledger.reserve(of(1), PATIENCE, soon());
            link.refuseConnections();
            link.resetConnections();

            waiting.place().leave();
            long afterItGaveUp = System.nanoTime() + TimeUnit.SECONDS.toNanos(1);
            assertThatExceptionOfType(GuardUnavailableException.class)
                    .isThrownBy(() -> ledger.reserve(of(1), Patience.NONE, afterItGaveUp));
            link.acceptConnections();

            awaitThatNobodyStandsInLine();
        }
    }

    @Test
    void aCallThatIsLetGoWhileItsGuardClosesIsRefunded() throws Exception {
        try (FaultyLink link = FaultyLink.to(RedisForTests.shared());
                RedisLedger other = ledger(RedisForTests.shared().url(), Duration.ofSeconds(5))) {
            RedisLedger ledger = ledger(link.url(), Duration.ofSeconds(5));
            Verdict.Granted all = (Verdict.Granted) other.reserve(of(10), Patience.NONE, soon());
            ledger.reserve(of(0), Patience.NONE, soon());
            int before = link.replies().passed("EVALSHA");
            Verdict.Waiting waiting = (Verdict.Waiting) ledger.reserve(of(5), PATIENCE, soon());
            link.replies().awaitPassed(before + 2, "EVALSHA"); // it joined, and its process listens
            link.replies().hold("EVALSHA");
            other.settle(List.of(new Settled(all.charges().get(0), new long[] {0})), () -> {});
            awaitThatNobodyStandsInLine();
            assertThat(balance(other)).isEqualTo(5);

            CompletableFuture<Void> closed = CompletableFuture.runAsync(ledger::close);
            assertThatItEndsAsClosed(waiting);
            link.replies().pass();
            closed.get();

            assertThat(balance(other)).isEqualTo(10);
        }
    }

    @Test
    void aCallThatJoinsWhileItsGuardClosesLeaves() throws Exception {
        try (FaultyLink link = FaultyLink.to(RedisForTests.shared())) {
            RedisLedger ledger = ledger(link.url(), Duration.ofSeconds(5));
            ledger.reserve(of(10), Patience.NONE, soon());
            link.replies().holdNext("EVALSHA");
            CompletableFuture<Verdict> joins = ledger.reserveAsync(of(1), PATIENCE, soon());
            link.replies().awaitWithheld(1);
            assertThat(jedis.zcount(subject.key() + ":line", "(0", "+inf")).isEqualTo(1);

            CompletableFuture<Void> closed = CompletableFuture.runAsync(ledger::close);
            assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> {
                while (true) {
                    ledger.look(of(0), soon());
                }
            });
            link.replies().pass();
            closed.get();

            assertThatItEndsAsClosed((Verdict.Waiting) joins.get());
            assertThat(jedis.zcount(subject.key() + ":line", "(0", "+inf")).isZero();
        }
    }

    /** What still ran would keep it. */
    @Test
    void nothingRunsOnOfALedgerThatWasClosedWhileRedisWasSilent() throws Exception {
        try (FaultyLink link = FaultyLink.to(RedisForTests.shared())) {
            WeakReference<RedisLedger> closed = closedWhileRedisIsSilent(link);

            while (!closed.refersTo(null)) {
                System.gc();
                assertThat(Thread.interrupted()).as("timed out").isFalse();
            }
        }
    }

    private WeakReference<RedisLedger> closedWhileRedisIsSilent(FaultyLink link) throws Exception {
        RedisLedger ledger = ledger(link.url(), Duration.ofMillis(500));
        ledger.reserve(of(10), Patience.NONE, soon());
        assertThat(ledger.reserve(of(1), PATIENCE, soon())).isInstanceOf(Verdict.Waiting.class);
        link.replies().hold("EVALSHA");
        link.replies().awaitWithheld(1);
        ledger.close();
        return new WeakReference<>(ledger);
    }

    /** Until then a process looks more often than each second. */
    private void awaitThatItListens() {
        try (Jedis admin = PatientRedis.connection(RedisForTests.shared().url())) {
            while (admin.pubsubChannels(prefix + ":turn:*").isEmpty()) {
                assertThat(Thread.interrupted()).as("timed out").isFalse();
            }
        }
    }

    private static void assertThatItEndsAsClosed(Verdict.Waiting waiting) {
        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(() -> waiting.place().end().get())
                .withCauseInstanceOf(GuardUnavailableException.class)
                .withMessageContaining("the guard is closed");
    }

    private long balance(RedisLedger ledger) throws GuardUnavailableException {
        return ledger.look(of(0), soon()).get(0).get(0).balance();
    }

    private void awaitThatNobodyStandsInLine() {
        while (jedis.zcount(subject.key() + ":line", "(0", "+inf") > 0) {
            assertThat(Thread.interrupted()).as("timed out").isFalse();
        }
    }

    private RedisLedger ledger(String url, Duration timeout) {
        return new RedisLedger(Redis.at(url, timeout), prefix, timeout);
    }

    private List<Claim> of(long amount) {
        return of(subject, amount);
    }

    private static List<Claim> of(Subject subject, long amount) {
        return List.of(new Claim(subject, new long[] {amount}));
    }

    private static long soon() {
        return System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
    }
}
