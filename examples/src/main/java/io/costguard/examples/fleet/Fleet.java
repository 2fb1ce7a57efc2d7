package io.costguard.examples.fleet;

import io.costguard.CostGuard;
import io.costguard.GuardedCall;
import io.costguard.LimitStatus;
import io.costguard.examples.fleet.Event.What;
import io.costguard.limit.Cardinality;
import io.costguard.limit.Fingerprint;
import io.costguard.limit.Subject;
import io.costguard.limit.Subjects;
import io.costguard.testing.Recordings.Exchange;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * Worker processes that share their budgets over one Redis, and this process beside them, which makes no calls and can look at all
 * balances. Safe for use by many threads.
 */
public final class Fleet implements AutoCloseable {
    /** For how long a dead process keeps its slots of calls in flight. */
    public static final Duration LEASE = Duration.ofSeconds(15);

    private static final int MOST_WORKERS = 16;
    private static final int MOST_SUBJECTS = 1_000;

    private final FleetRedis redis;
    private final Provider provider;
    private final String keyPrefix = "demo-" + UUID.randomUUID();
    private final CostGuard guard;
    private final List<WorkerProcess> workers = new CopyOnWriteArrayList<>();
    private final Map<String, Making> making = new ConcurrentHashMap<>();
    private final List<Consumer<Event>> listeners = new CopyOnWriteArrayList<>();
    private final List<Consumer<Member>> mourners = new CopyOnWriteArrayList<>();
    private final AtomicLong callsMade = new AtomicLong();
    private int workersMade;
    private int failures;
    private volatile Order.Change conduct;
    private volatile boolean isEnding;

    /** A process of the fleet, as it is told. */
    public record Member(String name, long pid) {}

    private record Making(WorkerProcess worker, CompletableFuture<Event> ended) {}

    public Fleet(FleetRedis redis, Provider provider, Budgets budgets) throws IOException {
        this.redis = redis;
        this.provider = provider;
        this.conduct = new Order.Change(budgets, RedisFails.CLOSED);
        this.guard = guard(redis.url(), keyPrefix, budgets).build();
        guard.flush();
    }

    /** What all guards of the fleet, in whichever process, have in common. */
    public static CostGuard.Builder guard(String redisUrl, String keyPrefix, Budgets budgets) {
        CostGuard.Builder builder = CostGuard.builder()
                .redis(redisUrl)
                .keyPrefix(keyPrefix)
                .fingerprintKey(ApiKey.FINGERPRINT_KEY)
                .lease(LEASE);
        budgets.list().forEach(builder::budget);
        return builder;
    }

    public FleetRedis redis() {
        return redis;
    }

    public Provider provider() {
        return provider;
    }

    public String keyPrefix() {
        return keyPrefix;
    }

    public Budgets budgets() {
        return conduct.budgets();
    }

    public RedisFails whenRedisFails() {
        return conduct.whenRedisFails();
    }

    /** Told each thing that happens in a worker, on a thread of that worker. */
    public void listen(Consumer<Event> listener) {
        listeners.add(listener);
    }

    /** Told of each worker that is gone. */
    public void mourn(Consumer<Member> mourner) {
        mourners.add(mourner);
    }

    /** Those that are there. */
    public List<Member> members() {
        return workers.stream().map(Fleet::member).toList();
    }

    /** How many calls were ordered, and have not ended. */
    public int underWay() {
        return making.size();
    }

    private static Member member(WorkerProcess worker) {
        return new Member(worker.name(), worker.pid());
    }

    /**
     * One more process, by turns with one client or the other.
     *
     * @throws IllegalArgumentException if there are enough
     */
    public synchronized Member add() throws IOException {
        if (workers.size() >= MOST_WORKERS) {
            throw new IllegalArgumentException("there are " + MOST_WORKERS + " processes already");
        }
        Client.Kind kind = workersMade % 2 == 0 ? Client.Kind.OKHTTP : Client.Kind.JDK;
        String name = kind.label() + "-" + (workersMade / 2 + 1);
        workersMade++;
        WorkerProcess worker = WorkerProcess.start(
                name,
                List.of(
                        name,
                        kind.name(),
                        redis.url(),
                        keyPrefix,
                        provider.uri().toString()),
                this::told,
                this::gone);
        worker.order(conduct);
        workers.add(worker);
        return member(worker);
    }

    private void told(Event event) {
        listeners.forEach(listener -> listener.accept(event));
        if (event.what() == What.ENDED) {
            Making call = making.remove(event.call());
            if (call != null) {
                call.ended.complete(event);
            }
        }
    }

    private void gone(WorkerProcess worker) {
        workers.remove(worker);
        making.values().removeIf(call -> {
            if (call.worker == worker) {
                call.ended.completeExceptionally(new IOException(worker.name() + " is gone"));
            }
            return call.worker == worker;
        });
        if (!isEnding) {
            mourners.forEach(mourner -> mourner.accept(member(worker)));
        }
    }

    /**
     * Ends a process as {@code kill -9} does.
     *
     * @throws IllegalArgumentException if there is none of that name
     */
    public void kill(String name) {
        find(name).kill();
    }

    private WorkerProcess find(String name) {
        return workers.stream()
                .filter(worker -> worker.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no process '" + name + "'"));
    }

    /** Has all processes go by these from now on. */
    public synchronized void conduct(Budgets budgets, RedisFails whenRedisFails) {
        guard.update(budgets.list());
        conduct = new Order.Change(budgets, whenRedisFails);
        workers.forEach(worker -> worker.order(conduct));
    }

    /**
     * Has a process make a call; completes with what ended it, or fails where the process is gone.
     *
     * @param run the agent run that it is a part of; empty for none
     * @param patience how long it may wait for its turn; zero for not at all
     */
    public CompletableFuture<Event> call(
            String worker, Exchange exchange, ApiKey key, String run, Duration patience, Reading reading) {
        WorkerProcess process = find(worker);
        String id = "c" + callsMade.incrementAndGet();
        Making call = new Making(process, new CompletableFuture<>());
        making.put(id, call);
        process.order(new Order.Call(id, exchange.folder(), key.team(), run, patience.toMillis(), reading));
        if (!workers.contains(process) && making.remove(id) != null) {
            call.ended.completeExceptionally(new IOException(worker + " is gone"));
        }
        return call.ended;
    }

    /** How the limits of such a call stand, by the guard of this process. */
    public List<LimitStatus> status(GuardedCall call) throws IOException {
        return guard.status(call);
    }

    /**
     * Under which keys Redis holds the balances of such a call, by budget: nothing that calls need, but what a look into Redis does.
     *
     * @param run empty for none
     */
    public Map<String, String> keys(String model, ApiKey key, String run) {
        Map<String, String> attributes = new HashMap<>(Calls.like(model, key).attributes());
        attributes.put("apiKey", key.fingerprint());
        if (!run.isEmpty()) {
            attributes.put("run", run);
        }
        Subjects subjects = new Subjects(
                budgets().list(),
                keyPrefix,
                "apiKey",
                new Fingerprint(ApiKey.FINGERPRINT_KEY),
                new Cardinality(MOST_SUBJECTS, System::nanoTime));
        return subjects.of(attributes).stream()
                .collect(Collectors.toMap(subject -> subject.budget().name(), Subject::key));
    }

    /** What the ledger in Redis holds as used of the budget that has one balance for everything. */
    public Amounts ledger() throws IOException {
        return ledger(status(GuardedCall.of("any")));
    }

    /** The same, of what was found by {@link #status}. */
    public static Amounts ledger(List<LimitStatus> found) {
        long[] used = found.stream()
                .filter(status -> status.budget().equals(Budgets.BILL))
                .mapToLong(status -> status.capacity() - status.balance())
                .toArray();
        return new Amounts(used[0], used[1], used[2], used[3]);
    }

    /**
     * Has all processes leave once their calls are over, those that wait at once; returns when they have.
     *
     * @return how many did not leave in order
     */
    public int end() throws InterruptedException {
        isEnding = true;
        List<WorkerProcess> leaving = new ArrayList<>(workers);
        leaving.forEach(worker -> worker.order(new Order.End()));
        for (WorkerProcess worker : leaving) {
            failures += worker.awaitEnd() == 0 ? 0 : 1;
        }
        return failures;
    }

    @Override
    public void close() {
        isEnding = true;
        workers.forEach(WorkerProcess::kill);
        guard.close();
    }
}
