package io.costguard;

import static io.costguard.Awaiting.await;
import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.testing.FaultyLink;
import io.costguard.testing.JavaProcess;
import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.ResourceLock;
import redis.clients.jedis.Jedis;

/** What becomes of slots whose calls nobody ends, or of which nobody hears, in the time of a real server. */
@Timeout(120)
class LeaseIT {
    private static final Duration LEASE = Duration.ofSeconds(1);
    private static final GuardedCall CALL = GuardedCall.of("gpt-4o");

    private final RedisForTests redis = RedisForTests.shared();
    private final String prefix = redis.keyPrefix();
    private final List<CostGuard> guards = new ArrayList<>();
    private final CostGuard guard = guard(redis.url(), 3, LEASE);

    @AfterEach
    void close() {
        guards.forEach(CostGuard::close);
    }

    @Test
    @Tag("fault-17")
    @Tag("invariant-5")
    void theSlotsOfAProcessThatWasKilledComeFreeAndThoseOfTheLivingDoNot() throws Exception {
        Permit ours = guard.acquire(CALL);
        Process killed = JavaProcess.of(Halting.InFlight.class, JavaProcess.SHORT_LIVED, redis.url(), prefix)
                .inheritIO()
                .start();
        assertThat(killed.waitFor()).isEqualTo(Halting.HALTED);

        await(() -> free() == 2);

        passes(LEASE.multipliedBy(2));
        await(() -> free() == 2);
        ours.close();
        await(() -> free() == 3);
    }

    @Test
    void aCallThatLastsForLongerThanItsLeaseKeepsItsSlotUntilItEnds() throws Exception {
        Permit permit = guard.acquire(CALL);

        passes(LEASE.multipliedBy(3));

        await(() -> free() == 2);
        permit.settle(Cost.requests(1));
        guard.flush();
        assertThat(free()).isEqualTo(3);
    }

    @Test
    void aPermitThatWasLostToTheGarbageCollectorFreesItsSlot() throws Exception {
        guard.acquire(CALL);
        Permit kept = guard.acquire(CALL);

        await(() -> {
            System.gc();
            return free() == 2;
        });
        kept.close();
        await(() -> free() == 3);
    }

    @Test
    void aRenewalWhoseReplyIsLostMovesTheSlotOnce() throws Exception {
        try (FaultyLink link = FaultyLink.to(redis)) {
            CostGuard linked = guard(link.url(), 3, LEASE);
            Permit permit = linked.acquire(CALL);
            link.replies().dropNext("EVALSHA");
            link.replies().awaitWithheld(1);

            passes(LEASE.multipliedBy(2));

            await(() -> free() == 2);
            permit.settle(Cost.requests(1));
            linked.flush();
            assertThat(free()).isEqualTo(3);
        }
    }

    @Test
    void aCallThatEndsWhileItsRenewalIsOnItsWayFreesItsSlotOnce() throws Exception {
        try (FaultyLink link = FaultyLink.to(redis)) {
            CostGuard linked = guard(link.url(), 3, LEASE);
            Permit other = linked.acquire(CALL);
            Permit permit = linked.acquire(CALL);
            link.replies().holdNext("EVALSHA");
            link.replies().awaitWithheld(1);

            permit.settle(Cost.requests(1));
            link.replies().pass();
            linked.flush();

            await(() -> free() == 2);
            other.close();
            await(() -> free() == 3);
        }
    }

    @Test
    @ResourceLock("System.err")
    @Tag("fault-18")
    void whoWasAwayForLongerThanItsLeaseHoldsItsSlotAgainAsADebtAndSaysSo() throws Exception {
        try (FaultyLink link = FaultyLink.to(redis)) {
            CostGuard linked = guard(link.url(), 1, LEASE);
            CostGuard near = guard(redis.url(), 1, LEASE);
            Permit away = linked.acquire(CALL);
            String said = Logged.by(() -> {
                link.refuseConnections();
                link.resetConnections();
                Permit here = awaited(near);
                link.acceptConnections();
                await(() -> free(near) == -1);
                flush(linked);
                here.close();
            });

            assertThat(said).contains("calls in flight of budget 'b' that had lost their slots for a while");
            await(() -> free(near) == 0);
            away.close();
            await(() -> free(near) == 1);
        }
    }

    @Test
    void guardsWithAnotherLeaseHaveSlotsOfTheirOwn() throws Exception {
        CostGuard patient = guard(redis.url(), 3, Duration.ofHours(1));
        for (int i = 0; i < 3; i++) {
            assertThat(patient.tryAcquire(CALL)).isPresent();
        }
        assertThat(patient.tryAcquire(CALL)).isEmpty();

        assertThat(free()).isEqualTo(3);
        Permit permit = guard.acquire(CALL);
        assertThat(free()).isEqualTo(2);
        assertThat(free(patient)).isZero();
        permit.close();
    }

    @Test
    void aLimitThatIsLoweredIsInDebtUntilCallsEnd() throws Exception {
        List<Permit> open = List.of(guard.acquire(CALL), guard.acquire(CALL), guard.acquire(CALL));
        CostGuard lower = guard(redis.url(), 1, LEASE);
        assertThat(free(lower)).isEqualTo(-2);

        open.get(0).close();
        open.get(1).close();
        guard.flush();
        assertThat(lower.tryAcquire(CALL)).isEmpty();
        open.get(2).close();

        await(() -> lower.tryAcquire(CALL).isPresent());
    }

    @Test
    void aBudgetThatLeavesTheLimitOutForAWhileFindsItsSlotsAgain() throws Exception {
        CostGuard with = guard(redis.url(), 3, Duration.ofHours(1));
        Permit permit = with.acquire(CALL);
        try (CostGuard without = CostGuard.builder()
                .redis(redis.url())
                .keyPrefix(prefix)
                .decisionTimeout(Duration.ofSeconds(10))
                .budget(Budget.named("b").per().limit(Limit.requests(99).perDay()))
                .build()) {
            without.acquire(CALL).close();
        }

        assertThat(free(with)).isEqualTo(2);
        permit.close();
        assertThat(free(with)).isEqualTo(3);
    }

    private long free() throws GuardUnavailableException {
        return free(guard);
    }

    private static long free(CostGuard of) {
        try {
            return of.status(CALL).get(0).balance();
        } catch (GuardUnavailableException e) {
            throw new AssertionError(e);
        }
    }

    /** What it is told of a renewal it has said by then. */
    private static void flush(CostGuard of) {
        try {
            of.flush();
        } catch (GuardUnavailableException e) {
            throw new AssertionError(e);
        }
    }

    /** The next free slot. */
    private static Permit awaited(CostGuard of) {
        try {
            return of.acquire(CALL.whenExhausted(WhenExhausted.waitUpTo(Duration.ofMinutes(1))));
        } catch (java.io.IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Returns once so much of the server's time is over. */
    private void passes(Duration duration) {
        try (Jedis jedis = PatientRedis.connection(redis.url())) {
            long end = micros(jedis) + duration.toNanos() / 1_000;
            await(() -> micros(jedis) >= end);
        }
    }

    private static long micros(Jedis jedis) {
        List<String> time = jedis.time();
        return Long.parseLong(time.get(0)) * 1_000_000 + Long.parseLong(time.get(1));
    }

    private CostGuard guard(String url, long calls, Duration lease) {
        CostGuard made = Halting.guardOfCallsInFlight(url, prefix, calls, lease).build();
        guards.add(made);
        return made;
    }
}
