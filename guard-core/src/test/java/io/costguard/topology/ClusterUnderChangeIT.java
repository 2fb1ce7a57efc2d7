package io.costguard.topology;

import static io.costguard.Awaiting.await;
import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.GuardListener.Regression;
import io.costguard.GuardListener.Regression.Lost;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.LimitStatus;
import io.costguard.PatientRedis;
import io.costguard.Permit;
import io.costguard.Recorder;
import io.costguard.testing.RedisCluster;
import io.costguard.testing.RedisForTests;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.RedisClusterClient;
import redis.clients.jedis.args.ClientType;
import redis.clients.jedis.params.ClientKillParams;
import redis.clients.jedis.util.JedisClusterCRC16;

/**
 * Row 8 of the faults under load: slots move from master to master while calls are made, then a master dies that had not told its
 * replica everything, and slots move on. Seconds of each half: {@code costguard.clusterSeconds}.
 */
@Timeout(300)
class ClusterUnderChangeIT {
    private static final long HALF_SECONDS = Long.getLong("costguard.clusterSeconds", 4) / 2;
    private static final int MASTERS = 3;
    private static final int THREADS = 4;
    private static final int HELD_BY_EACH = 6;
    private static final List<String> KEYS = List.of("sk-a", "sk-b", "sk-c", "sk-d");
    /** Given back when a call ends, so that the load is always at the limit. */
    private static final int ROOM = 21;

    private static final int ROOM_FOR_ALL = 2 * ROOM;
    /** Stays charged, and does not refill meanwhile, so that each call can be found in it. */
    private static final long PLENTY = 1_000_000_000;

    private static final int ESTIMATE = 3;
    private static final int MOST = 5;
    private static final Duration LONG = Duration.ofDays(30);
    private static final Limit ROOM_OF_EACH = Limit.inputTokens(ROOM).per(LONG).tokenBucket();
    private static final Limit USED =
            Limit.outputTokens(1).per(LONG).tokenBucket().burst(PLENTY);

    private final RedisCluster cluster =
            RedisCluster.start(MASTERS, 1, "--cluster-node-timeout", "1000", "--cluster-replica-validity-factor", "0");
    private final List<RedisForTests> nodes = new ArrayList<>(cluster.nodes());
    private final List<RedisForTests> masters = new ArrayList<>(cluster.nodes().subList(0, MASTERS));
    private final Map<Integer, RedisForTests> ownerOfSlot = new HashMap<>();
    private final String prefix = cluster.keyPrefix();
    private final Recorder events = new Recorder();
    private final List<RedisClusterClient> clients = List.of(client(), client());
    private final List<CostGuard> guards = clients.stream().map(this::guard).toList();

    private final ReentrantReadWriteLock pauses = new ReentrantReadWriteLock(true);
    private final Map<String, Tally> tallies = new HashMap<>();
    private final AtomicLong denied = new AtomicLong();
    private final AtomicLong undecided = new AtomicLong();
    private final AtomicBoolean ends = new AtomicBoolean();
    private volatile boolean atRisk;

    /** What is known here of one balance: of a key, or of all. */
    private static final class Tally {
        final AtomicLong inRoom = new AtomicLong();
        final AtomicLong mostInRoom = new AtomicLong();
        final AtomicLong used = new AtomicLong();
        final AtomicLong callsAtRisk = new AtomicLong();

        void granted(boolean isAtRisk) {
            mostInRoom.accumulateAndGet(inRoom.addAndGet(ESTIMATE), Math::max);
            callsAtRisk.addAndGet(isAtRisk ? 1 : 0);
        }

        void ends(int output) {
            inRoom.addAndGet(-ESTIMATE);
            used.addAndGet(output);
        }
    }

    private record Held(Permit permit, List<Tally> tallies) {
        void end(int output) {
            tallies.forEach(tally -> tally.ends(output));
            permit.settle(Cost.requests(1).output(output));
        }
    }

    @BeforeEach
    void findTheSlots() throws Exception {
        tallies.put("all", new Tally());
        for (String key : KEYS) {
            tallies.put(key, new Tally());
            guards.get(0).acquire(call(key, true)).release();
        }
        flush();
        for (RedisForTests master : masters) {
            PatientRedis.subjects(master.url(), prefix)
                    .forEach(subject -> ownerOfSlot.put(JedisClusterCRC16.getSlot(subject), master));
        }
        assertThat(ownerOfSlot).hasSize(KEYS.size() + 1);
    }

    @AfterEach
    void close() {
        guards.forEach(CostGuard::close);
        clients.forEach(RedisClusterClient::close);
        cluster.close();
    }

    @Test
    @Tag("fault-8")
    void throughAReshardingAndAFailoverNothingGoesButWhatRedisLostAndEveryCallIsAnswered() throws Exception {
        List<Deque<Held>> held = new ArrayList<>();
        List<CompletableFuture<Void>> load = new ArrayList<>();
        for (int thread = 0; thread < THREADS; thread++) {
            int one = thread;
            held.add(new ArrayDeque<>());
            // Java's common pool may have a single thread.
            load.add(CompletableFuture.runAsync(() -> call(one, held.get(one)), task -> new Thread(task).start()));
        }

        long moved = reshardFor(HALF_SECONDS);
        pause(held);
        long went = events.grants.size();
        assertNothingIsOver();
        awaitCharged();
        assertThat(events.regressions).isEmpty();

        RedisForTests victim = ownerOfSlot.values().iterator().next();
        detachReplicaOf(victim);
        atRisk = true;
        pauses.writeLock().unlock();
        await(() -> events.grants.size() >= went + 200);
        victim.kill();
        atRisk = false;
        RedisForTests heir = replicaOf(victim);
        masters.set(masters.indexOf(victim), heir);
        nodes.remove(victim);
        ownerOfSlot.replaceAll((slot, owner) -> owner == victim ? heir : owner);
        new ClusterNodes(nodes).awaitAgreed(ownerOfSlot);
        moved += reshardFor(HALF_SECONDS);
        pause(held);
        ends.set(true);
        pauses.writeLock().unlock();
        for (CompletableFuture<Void> each : load) {
            each.get(1, TimeUnit.MINUTES);
        }

        assertNothingIsOver();
        awaitCharged();
        assertThat(lost()).isPositive();
        assertThat(events.regressions).extracting(Regression::lost).contains(Lost.BALANCES);
        assertThat(denied).hasPositiveValue();
        System.out.printf(
                "cluster under change: %d granted, %d denied, %d undecided, %d slots moved, %d output tokens lost, %d times regressed%n",
                events.grants.size(), denied.get(), undecided.get(), moved, lost(), events.regressions.size());
    }

    // ------------------------------------------------------------------------------------------------------- the load

    private void call(int thread, Deque<Held> held) {
        Random random = new Random(thread);
        CostGuard guard = guards.get(thread % guards.size());
        while (!ends.get()) {
            pauses.readLock().lock();
            try {
                if (held.size() == HELD_BY_EACH) {
                    held.remove().end(1 + random.nextInt(MOST));
                }
                String key = KEYS.get(random.nextInt(KEYS.size()));
                boolean ofAll = random.nextBoolean();
                boolean isAtRisk = atRisk;
                Optional<Permit> permit = guard.tryAcquire(call(key, ofAll));
                if (permit.isPresent()) {
                    List<Tally> its = ofAll ? List.of(tally(key), tally("all")) : List.of(tally(key));
                    its.forEach(tally -> tally.granted(isAtRisk));
                    held.add(new Held(permit.get(), its));
                } else {
                    denied.incrementAndGet();
                    if (!held.isEmpty()) {
                        held.remove().end(1 + random.nextInt(MOST));
                    }
                }
            } catch (GuardUnavailableException e) {
                undecided.incrementAndGet();
            } finally {
                pauses.readLock().unlock();
            }
        }
    }

    private Tally tally(String key) {
        return Objects.requireNonNull(tallies.get(key));
    }

    private static GuardedCall call(String key, boolean ofAll) {
        return GuardedCall.of("search")
                .with("apiKey", key)
                .with("counts", ofAll ? "for all" : "alone")
                .cost(Cost.requests(1).input(ESTIMATE).output(ESTIMATE));
    }

    /** Returns once nobody calls, and all calls have ended. */
    private void pause(List<Deque<Held>> held) {
        pauses.writeLock().lock();
        held.forEach(its -> {
            its.forEach(each -> each.end(MOST));
            its.clear();
        });
        flush();
    }

    private void flush() {
        guards.forEach(guard -> await(() -> {
            try {
                guard.flush();
                return true;
            } catch (GuardUnavailableException e) {
                return false;
            }
        }));
    }

    // --------------------------------------------------------------------------------------------- what became of it

    private void assertNothingIsOver() {
        tallies.forEach((key, tally) -> assertThat(tally.mostInRoom.get())
                .as(key)
                .isGreaterThan(ROOM / 2)
                .isLessThanOrEqualTo(room(key) + ESTIMATE * tally.callsAtRisk.get()));
    }

    /** What is undecided may have to be cancelled yet. */
    private void awaitCharged() throws Exception {
        for (Map.Entry<String, Tally> each : tallies.entrySet()) {
            Tally tally = each.getValue();
            long risk = tally.callsAtRisk.get();
            await(() -> {
                long charged = PLENTY - balance(each.getKey(), USED);
                return charged >= tally.used.get() - MOST * risk && charged <= tally.used.get() + (ESTIMATE - 1) * risk;
            });
            if (risk == 0) {
                await(() -> balance(each.getKey(), ROOM_OF_EACH) == room(each.getKey()));
            }
        }
    }

    private long lost() throws GuardUnavailableException {
        long lost = 0;
        for (Map.Entry<String, Tally> each : tallies.entrySet()) {
            lost += each.getValue().used.get() - (PLENTY - balance(each.getKey(), USED));
        }
        return lost;
    }

    private static long room(String key) {
        return key.equals("all") ? ROOM_FOR_ALL : ROOM;
    }

    private long balance(String key, Limit limit) throws GuardUnavailableException {
        boolean ofAll = key.equals("all");
        return guards.get(0).status(call(ofAll ? KEYS.get(0) : key, ofAll)).stream()
                .filter(status -> status.budget().equals(ofAll ? "all" : "each")
                        && status.limit().equals(limit.name()))
                .mapToLong(LimitStatus::balance)
                .findFirst()
                .orElseThrow();
    }

    // ------------------------------------------------------------------------------------------------------ the
    // cluster

    /** Moves all slots in use to one master, and to the next one once all nodes have heard of that. */
    private long reshardFor(long seconds) {
        long endNanos = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
        long moved = 0;
        for (int round = 0; System.nanoTime() - endNanos < 0; round++) {
            RedisForTests target = masters.get(round % MASTERS);
            for (Map.Entry<Integer, RedisForTests> each : ownerOfSlot.entrySet()) {
                if (each.getValue() != target) {
                    try (MovingSlot moving = new MovingSlot(each.getKey(), each.getValue(), target)) {
                        moving.finish();
                    }
                    each.setValue(target);
                    moved++;
                }
            }
            new ClusterNodes(nodes).awaitAgreed(ownerOfSlot);
        }
        return moved;
    }

    /** It gets nothing from now on, as it has a password that its master does not know. */
    private void detachReplicaOf(RedisForTests master) {
        ReplicatedRedis.awaitCaughtUp(master, replicaOf(master));
        try (Jedis atMaster = PatientRedis.connection(master.url());
                Jedis atReplica = PatientRedis.connection(replicaOf(master).url())) {
            atReplica.configSet("masterauth", "unknown");
            atMaster.clientKill(new ClientKillParams().type(ClientType.REPLICA));
            await(() -> atReplica.info("replication").contains("master_link_status:down"));
        }
    }

    private RedisForTests replicaOf(RedisForTests master) {
        return cluster.nodes().get(MASTERS + cluster.nodes().indexOf(master));
    }

    private RedisClusterClient client() {
        Set<HostAndPort> nodes = cluster.nodes().stream()
                .map(node -> new HostAndPort(node.host(), node.port()))
                .collect(Collectors.toSet());
        return RedisClusterClient.builder()
                .nodes(nodes)
                .maxAttempts(2)
                .clientConfig(DefaultJedisClientConfig.builder()
                        .socketTimeoutMillis(250)
                        .connectionTimeoutMillis(250)
                        .build())
                .build();
    }

    private CostGuard guard(RedisClusterClient client) {
        return CostGuard.builder()
                .redis(client)
                .keyPrefix(prefix)
                .budget(Budget.named("each").per("apiKey").limit(ROOM_OF_EACH).limit(USED))
                .budget(Budget.named("all")
                        .per()
                        .where("counts", "for all")
                        .limit(Limit.inputTokens(ROOM_FOR_ALL).per(LONG).tokenBucket())
                        .limit(USED))
                .preCheck(Duration.ZERO)
                .listener(events)
                .build();
    }
}
