package io.costguard;

import io.costguard.describe.Dialect;
import io.costguard.describe.OutputHistory;
import io.costguard.describe.Providers;
import io.costguard.describe.dialects.Dialects;
import io.costguard.http.HttpGuard;
import io.costguard.http.StreamUsage;
import io.costguard.limit.Admission;
import io.costguard.limit.Cardinality;
import io.costguard.limit.Fingerprint;
import io.costguard.limit.InForce;
import io.costguard.limit.Ledger;
import io.costguard.limit.Limiter;
import io.costguard.limit.Listeners;
import io.costguard.limit.LoggingListener;
import io.costguard.limit.NearLimits;
import io.costguard.limit.Region;
import io.costguard.limit.Reservation;
import io.costguard.limit.SharedBudgets;
import io.costguard.limit.Subjects;
import io.costguard.redis.Redis;
import io.costguard.redis.RedisLedger;
import io.costguard.redis.RedisRegister;
import io.costguard.redis.RedisShelf;
import io.costguard.redis.VirtualLedger;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import redis.clients.jedis.UnifiedJedis;

/**
 * Keeps outbound calls inside their budgets, together with all other guards on the same Redis.
 *
 * <pre>{@code
 * CostGuard guard = CostGuard.builder()
 *     .redis("redis://localhost:6379")
 *     .budget(Budget.named("rate")
 *         .models("gpt-4o*", "claude-*")
 *         .limit(Limit.requests(500).perMinute())
 *         .limit(Limit.tokens(200_000).perMinute()))
 *     .budget(Budget.named("money")
 *         .per()
 *         .limit(Limit.usd("25.00").perDay()))
 *     .build();
 * }</pre>
 *
 * <p>One guard serves a whole process: it is safe for use by many threads. HTTP calls are guarded by its adapters
 * ({@code CostGuardInterceptor}, {@code GuardedHttpClient}); any other call by {@link #acquire}. A call that no budget applies
 * to goes without asking Redis.
 *
 * <p>Where a call cannot be judged at all, because its model has no price under a limit in dollars, or because it lacks an
 * attribute that a budget is counted per, every method that takes a call throws a {@link MisfitException} that says what to do.
 */
public final class CostGuard implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(CostGuard.class);

    private static final Duration LONGEST_HOLD = Duration.ofHours(1);
    private static final Duration FOR_EVER = Duration.ofSeconds(Long.MAX_VALUE);

    private final @Nullable Limiter limiter;
    private final HttpGuard http;
    private final PriceList prices;
    private final AtomicReference<List<Budget>> budgets;
    private final ReentrantLock updating = new ReentrantLock();
    private final Duration lease;
    private final @Nullable RegionalShares shares;
    private final @Nullable Region region;
    private volatile boolean closed;

    private CostGuard(
            @Nullable Limiter limiter,
            HttpGuard http,
            PriceList prices,
            AtomicReference<List<Budget>> budgets,
            Duration lease,
            @Nullable RegionalShares shares,
            @Nullable Region region) {
        this.limiter = limiter;
        this.http = http;
        this.prices = prices;
        this.budgets = budgets;
        this.lease = lease;
        this.shares = shares;
        this.region = region;
    }

    /** {@return what a guard is made of} */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Says these attributes of calls: of all that a thread makes in {@code call(..)}, whichever the guard and the client.
     *
     * <pre>{@code
     * String answer = CostGuard.with(Map.of("run", runId)).call(() -> agent.run(question));
     * }</pre>
     *
     * @param attributes names and values
     * @return the attributes, to make calls under
     * @throws IllegalArgumentException as {@link CallAttributes#with(String, String)} has it
     */
    public static CallAttributes with(Map<String, String> attributes) {
        return CallAttributes.of(attributes);
    }

    /**
     * An executor whose tasks make their calls under what is said, {@link #with}, where they are handed over.
     *
     * @param executor whose tasks make calls
     * @return what to hand tasks to
     */
    public static Executor wrap(Executor executor) {
        return task -> {
            CallAttributes said = CallAttributes.current();
            executor.execute(() -> said.callAlone(() -> {
                task.run();
                return true;
            }));
        };
    }

    /**
     * Reserves what the call is expected to cost, in all of its budgets; waits for its turn, if it may.
     *
     * @param call what is to be made
     * @return what settles it, or gives it back
     * @throws BudgetExceededException if a budget does not cover it
     * @throws CostExceedsCapacityException if it asks more than a limit can ever hold
     * @throws GuardUnavailableException if Redis could not decide, and the guard fails closed
     * @throws InterruptedIOException if the thread was interrupted; the flag stays set
     * @throws MisfitException if no budget can judge the call
     */
    public Permit acquire(GuardedCall call) throws IOException {
        return acquireUpTo(call, 1);
    }

    /**
     * Reserves what so many calls like this one are expected to cost, or as many of them as there is room for: for work that is taken in
     * batches. {@link Permit#pieces()} says how many: the most for which every limit of every budget has room, beyond what waits for it; a
     * dry run does not make them fewer. All of them are charged in every limit, or nothing, and {@link Permit#estimate()} is what they cost
     * together; each is a call in flight of its own, and all of these end with the permit.
     *
     * <p>Where there is no room for a single one, one call asks, as {@link #acquire} has it: it is denied, or waits in line and is let go
     * alone. It never waits for a second one.
     *
     * @param each one of them, with its cost
     * @param count how many at most
     * @return what settles them, or gives them back; it knows how many
     * @throws IOException as {@link #acquire} does
     * @throws IllegalArgumentException if {@code count} is below 1, or so many cost 2^53 of anything or more
     * @throws MisfitException if no budget can judge the call
     */
    public Permit acquireUpTo(GuardedCall each, int count) throws IOException {
        GuardedCall call = ofThisThread(each);
        checkCount(count);
        if (Thread.currentThread().isInterrupted()) {
            throw new InterruptedIOException("interrupted before the call was let go");
        }
        if (limiter == null) {
            return Reservation.uncounted(call, count);
        }
        try {
            return permit(limiter.admitUpTo(call, count, FOR_EVER));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while the call waited for its turn");
        }
    }

    /**
     * {@link #acquire} without holding a thread; fails with what that throws. Cancelled, it leaves the line, or gives back what it is
     * granted.
     *
     * @param call what is to be made
     * @return done when the call may go
     */
    public CompletableFuture<Permit> acquireAsync(GuardedCall call) {
        return acquireUpToAsync(call, 1);
    }

    /**
     * {@link #acquireUpTo} without holding a thread; fails with what that throws, and may be cancelled as {@link #acquireAsync} may.
     *
     * @param each one of them
     * @param count how many at most
     * @return done when some of them may go
     */
    public CompletableFuture<Permit> acquireUpToAsync(GuardedCall each, int count) {
        GuardedCall call = ofThisThread(each);
        checkCount(count);
        if (limiter == null) {
            return CompletableFuture.completedFuture(Reservation.uncounted(call, count));
        }
        CompletableFuture<Permit> result = new CompletableFuture<>();
        CompletableFuture<Admission> admitted = limiter.admitUpToAsync(call, count, FOR_EVER);
        CompletableFuture<Permit> unusedToo = result.whenComplete((permit, failure) -> admitted.cancel(false));
        CompletableFuture<Admission> unused = admitted.whenComplete((admission, failure) -> {
            if (admission instanceof Admission.Granted granted) {
                if (!result.complete(granted.reservation())) {
                    granted.reservation().release();
                }
            } else if (admission instanceof Admission.Refused refused) {
                result.completeExceptionally(refused.exception());
            } else {
                Throwable wrapped = failure.getCause();
                result.completeExceptionally(
                        failure instanceof CompletionException && wrapped != null ? wrapped : failure);
            }
        });
        return result;
    }

    /**
     * {@link #acquire} that answers with nothing where a budget does not cover the call; never waits for one.
     *
     * @param call what is to be made
     * @return the permit, if it may go
     * @throws GuardUnavailableException if Redis does not answer in time
     */
    public Optional<Permit> tryAcquire(GuardedCall call) throws GuardUnavailableException {
        return admit(call) instanceof Admission.Granted granted ? Optional.of(granted.reservation()) : Optional.empty();
    }

    /**
     * {@link #acquire} that answers with the denial instead of throwing it; never waits for a budget. A call that is granted is charged:
     * its permit must be settled, released or closed. {@link #status} is what charges nothing.
     *
     * @param call what is to be made
     * @return the permit, or the denial
     * @throws GuardUnavailableException if Redis does not answer in time
     */
    public Decision decide(GuardedCall call) throws GuardUnavailableException {
        Admission admission = admit(call);
        if (admission instanceof Admission.Refused refused) {
            return new Decision.Denied(refused.denial());
        }
        return new Decision.Granted(((Admission.Granted) admission).reservation());
    }

    /**
     * How the limits that the call would fall under stand now, after all that was settled so far: what they have, who waits, and how
     * long this call would wait if it asked. Charges nothing.
     *
     * @param made a call like those that are meant
     * @return one of each limit, budget by budget
     * @throws GuardUnavailableException if Redis does not answer in time
     */
    public List<LimitStatus> status(GuardedCall made) throws GuardUnavailableException {
        GuardedCall call = ofThisThread(made);
        return limiter == null ? List.of() : limiter.status(call);
    }

    /**
     * Lets no call with these attributes go for so long, in the whole fleet: they are denied, or wait. Balances refill meanwhile.
     *
     * @param made a call like those that are meant
     * @param duration for how long
     * @throws IllegalArgumentException if {@code duration} is not above 0, or above an hour
     * @throws GuardUnavailableException if Redis does not answer in time
     */
    public void hold(GuardedCall made, Duration duration) throws GuardUnavailableException {
        GuardedCall call = ofThisThread(made);
        if (duration.isNegative() || duration.isZero() || duration.compareTo(LONGEST_HOLD) > 0) {
            throw new IllegalArgumentException(
                    "a hold must be above 0 and at most " + LONGEST_HOLD + ", not " + duration);
        }
        if (limiter != null) {
            limiter.hold(call, duration);
        }
    }

    /**
     * Begins anew, in the whole fleet, with the limits that the call would fall under, after all that was settled so far: their balances are
     * full, their debts are gone, and no hold lasts. Calls that wait stay in line, and go as there is room now. What was reserved before
     * gives nothing back when it is settled; what it used above its estimate is charged.
     *
     * @param made a call like those that are meant
     * @throws GuardUnavailableException if Redis did not answer in time: it may have been done, and may be done again
     */
    public void reset(GuardedCall made) throws GuardUnavailableException {
        GuardedCall call = ofThisThread(made);
        if (limiter != null) {
            limiter.reset(call);
        }
    }

    /**
     * Charges what was used without asking first, to all limits that the call falls under: where they do not have it, it is their debt. For
     * what went past the guard, such as what an invoice has more. Exactly once: also where it throws, as said there.
     *
     * @param made a call like those that are meant
     * @param cost the call's own {@link GuardedCall#cost cost} does not matter here; dollars that are not given come from the price list
     * @throws GuardUnavailableException if Redis did not answer in time: unless the guard is closed before Redis is back, it is charged
     *     then, so that it must not be charged again
     */
    public void charge(GuardedCall made, Cost cost) throws GuardUnavailableException {
        GuardedCall call = ofThisThread(made);
        Objects.requireNonNull(cost);
        if (limiter != null) {
            limiter.charge(call, cost);
        }
    }

    /**
     * Gives back what was charged, to all limits that the call falls under, and lets those who wait go early: up to capacity, of a window
     * at most what was used in it. It does not matter when it was charged: what a permit has reserved is for {@link Permit#release} and
     * {@link Permit#settle}. Exactly once: also where it throws, as {@link #charge} does.
     *
     * @param made a call like those that are meant
     * @param cost how much
     * @throws GuardUnavailableException if Redis does not answer in time
     */
    public void refund(GuardedCall made, Cost cost) throws GuardUnavailableException {
        GuardedCall call = ofThisThread(made);
        Objects.requireNonNull(cost);
        if (limiter != null) {
            limiter.refund(call, cost);
        }
    }

    /**
     * Puts other budgets in the place of all that there are: later calls fall under these. A budget is the same as before if its name and what
     * it is counted per are, and so is a limit of it by its {@link Limit#name() name}: their balances stay, cut to a smaller capacity, never
     * raised to a larger one. Calls that wait, or are under way, are decided and settled under what takes the place of their budgets; under
     * their own where nothing does. Those that wait hear of it within a second. No call fails for it.
     *
     * <p>It is for this process: others follow as they are told. Meanwhile each decides by what it knows, over the same balances. Those that
     * are shared among regions ({@link Builder#regions}) are whole here as everywhere, and stay shared.
     *
     * @param budgets all that there are from now on
     * @throws IllegalArgumentException where these budgets make no sense; it says why, and all stays as it was
     */
    public void update(List<Budget> budgets) {
        List<Budget> latest = List.copyOf(budgets);
        check(latest, prices);
        if (shares != null) {
            shares.check(latest);
        }
        updating.lock();
        try {
            this.budgets.set(latest);
            if (region != null) {
                region.update(leased(latest, lease));
            } else if (limiter != null) {
                limiter.update(InForce.always(leased(latest, lease)));
            }
        } finally {
            updating.unlock();
        }
    }

    /**
     * Has this process go by its region's shares of budgets ({@link Builder#regions}) for the next ten seconds, and has them follow use, if no
     * other process of the region does. For each process: before its first call, and then about every second, on a thread of yours; it takes as
     * long as Redis does to answer, the shared one up to two seconds. Throws nothing: where Redis does not answer, which is logged, a process keeps
     * its share for what is left of the ten seconds. Does nothing where there are no regions.
     */
    public void rebalance() {
        if (region != null && !closed) {
            region.look();
        }
    }

    /** {@return the budgets in force, as they were said last} */
    public List<Budget> budgets() {
        return Objects.requireNonNull(budgets.get());
    }

    /** {@return whether it lets everything go, uncounted: {@link Builder#switchedOff}, or {@code costguard.enabled=false}} */
    public boolean isSwitchedOff() {
        return limiter == null;
    }

    /**
     * Asks Redis whether it answers, and whether this guard may do there what it needs; changes nothing there. For probes of health.
     *
     * @return what its user lacks, with the line that gives it; nothing where it lacks nothing, or the guard is switched off
     * @throws GuardUnavailableException if Redis did not answer in time, or only by an error; it says why, and what to do where that is known
     */
    public Optional<String> lackingRights() throws GuardUnavailableException {
        return limiter == null ? Optional.empty() : limiter.lackingRights();
    }

    private static List<Budget> leased(List<Budget> budgets, Duration lease) {
        return budgets.stream().map(budget -> budget.leased(lease)).toList();
    }

    private void watch(ChangingFile<List<Budget>> file, Executor later) {
        later.execute(() -> {
            if (!closed) {
                file.look(latest -> follow(file, latest));
                watch(file, later);
            }
        });
    }

    private void follow(ChangingFile<List<Budget>> file, List<Budget> latest) {
        try {
            update(latest);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
        }
    }

    private static void check(List<Budget> budgets, PriceList prices) {
        Set<String> names = new HashSet<>();
        for (Budget budget : budgets) {
            if (!names.add(budget.name())) {
                throw new IllegalArgumentException("two budgets have the name '" + budget.name() + "'");
            }
            budget.check(prices);
        }
        if (budgets.isEmpty()) {
            log.warn("the guard has no budget: no call is guarded; add one with budget(..)");
        }
    }

    /**
     * What this process holds of the limits that the call would fall under, for when Redis fails: nothing, unless the guard was told to {@link
     * WhenRedisFails#spendLeased}. Times the number of processes, it is the most that may go above the limits where Redis loses its state. Does
     * not ask Redis.
     *
     * @param made a call like those that are meant
     * @return one of each limit
     */
    public List<Slice> leased(GuardedCall made) {
        GuardedCall call = ofThisThread(made);
        return limiter == null ? List.of() : limiter.leased(call);
    }

    /** {@return what this process has under way} Does not ask Redis. */
    public GuardStats stats() {
        return limiter == null ? new GuardStats(0, 0, 0, 0) : limiter.stats();
    }

    /**
     * Returns when all that was settled so far is in Redis.
     *
     * @throws GuardUnavailableException if Redis does not answer in time
     */
    public void flush() throws GuardUnavailableException {
        if (limiter != null) {
            limiter.flush();
        }
    }

    /** {@return what the adapters of HTTP clients are made of} */
    public HttpGuard http() {
        return http;
    }

    /**
     * Refuses new calls, takes those that wait out of line, settles what there is to settle, and lets go of Redis. It takes as long as one
     * decision may take at most, or two where slices are being leased ({@link WhenRedisFails#spendLeased}); what Redis has not taken by then
     * stays charged, which is logged.
     */
    @Override
    public void close() {
        closed = true;
        if (region != null) {
            region.close();
        }
        if (limiter != null) {
            limiter.close();
        }
    }

    private static void checkCount(int count) {
        if (count < 1) {
            throw new IllegalArgumentException("at least one call must be asked for, not " + count);
        }
    }

    /** The call with what is said around it. */
    private static GuardedCall ofThisThread(GuardedCall call) {
        Objects.requireNonNull(call, "no call was given; GuardedCall.of(name) makes one");
        return call.within(CallAttributes.current());
    }

    private Admission admit(GuardedCall made) throws GuardUnavailableException {
        GuardedCall call = ofThisThread(made);
        return limiter == null ? new Admission.Granted(Reservation.uncounted(call, 1)) : limiter.decide(call);
    }

    private static Permit permit(Admission admission) throws BudgetExceededException {
        if (admission instanceof Admission.Refused refused) {
            throw refused.exception();
        }
        return ((Admission.Granted) admission).reservation();
    }

    /** Says what a guard guards, and how. Not safe for use by many threads. */
    public static final class Builder {
        private static final byte[] DEFAULT_FINGERPRINT_KEY =
                "io.costguard fingerprint".getBytes(StandardCharsets.UTF_8);

        private static final Duration TO_ANOTHER_REGION = Duration.ofSeconds(2);
        /** Half of what a region's share is known for. */
        private static final Duration LONGEST_WITH_REGIONS = Region.TERM.dividedBy(2);

        private @Nullable String redisUrl;
        private @Nullable UnifiedJedis redisClient;
        private final List<Budget> budgets = new ArrayList<>();
        private int inFile;
        private Consumer<CostGuard> watch = guard -> {};
        private WhenExhausted whenExhausted = WhenExhausted.reject();
        private WhenRedisFails whenRedisFails = WhenRedisFails.failClosed();
        private Denials denials = Denials.answer();
        private UnknownCalls unknownCalls = UnknownCalls.guardRequests();
        private Duration decisionTimeout = Duration.ofMillis(500);
        private Duration preCheck = Duration.ofMillis(100);
        private Duration lease = Limit.DEFAULT_LEASE;
        private String keyPrefix = "costguard";
        private String partitionBy = "apiKey";
        private int cardinalityLimit = 100_000;
        private final Map<String, String> attributesByHeader = new LinkedHashMap<>();
        private @Nullable PriceList prices;
        private Outputs outputs = Outputs.capped();
        private StreamUsage streamUsage = StreamUsage.AS_REQUESTED;
        private Dialects dialects = Dialects.bundled();
        private Providers providers = Providers.bundled();
        private byte[] fingerprintKey = DEFAULT_FINGERPRINT_KEY;
        private final List<GuardListener> listeners = new ArrayList<>();
        /** 1 is never near. */
        private double nearLimit = 1;

        private @Nullable RegionalShares regions;
        private boolean switchedOff;
        private LongSupplier nanoTime = System::nanoTime;

        private Builder() {}

        /**
         * The Redis at {@code redis://[user:password@]host[:port][/database]}, or {@code rediss://} for TLS: a server of its own. Of a Redis
         * Cluster hand in a client.
         *
         * @param url where Redis is
         * @return this builder
         */
        public Builder redis(String url) {
            this.redisUrl = url;
            return this;
        }

        /**
         * A client of your own, which stays yours to close. Its socket timeout and attempts bound how long a thread of the
         * guard can be held: {@code socketTimeoutMillis(250)} suits the default decision timeout, and of a cluster's {@code
         * maxAttempts(2)}, the second to follow a slot that moves. While calls wait, {@code blockingSocketTimeoutMillis(5_000)} has a listening connection given up that leads nowhere.
         *
         * @param client any of Jedis
         * @return this builder
         */
        public Builder redis(UnifiedJedis client) {
            this.redisClient = client;
            return this;
        }

        /**
         * One more budget; without any no call is guarded, which is logged.
         *
         * @param budget one more
         * @return this builder
         */
        public Builder budget(Budget budget) {
            budgets.add(budget);
            return this;
        }

        /**
         * The budgets in a file in JSON or YAML, which {@link BudgetFile} reads, and what they become while the guard runs: the file is
         * looked at every ten seconds, and {@link CostGuard#update} follows it, until the guard is closed. A file that is gone, or makes no
         * sense, changes nothing, and is logged once. In the place of {@link #budget}.
         *
         * @param file where it is
         * @return this builder
         * @throws IllegalArgumentException that says in which line and column what is wrong now
         * @throws IOException if it cannot be read, or makes no sense
         */
        public Builder budgets(Path file) throws IOException {
            return budgets(file, CompletableFuture.delayedExecutor(ChangingFile.EVERY.toNanos(), TimeUnit.NANOSECONDS));
        }

        /**
         * {@link #budgets(Path)}, looked at when it is told to.
         *
         * @param later runs what it is given once it is time for the next look
         */
        Builder budgets(Path file, Executor later) throws IOException {
            ChangingFile<List<Budget>> read = new ChangingFile<>(file, BudgetFile::parse);
            budgets.addAll(read.first());
            this.watch = guard -> guard.watch(read, later);
            this.inFile = read.first().size();
            return this;
        }

        /**
         * Some of the budgets are shared with other regions: they are whole as they are said here, in every region, and each region has a share
         * of them. {@link CostGuard#rebalance} is to be called from time to time. {@link #decisionTimeout} may be five seconds at most, and there
         * is no {@link WhenRedisFails#spendLeased} with it.
         *
         * @param shares which, and among whom
         * @return this builder
         */
        public Builder regions(RegionalShares shares) {
            this.regions = shares;
            return this;
        }

        /** {@link #regions(RegionalShares)} in another time than the machine's. */
        Builder regions(RegionalShares shares, LongSupplier nanoTime) {
            this.nanoTime = nanoTime;
            return regions(shares);
        }

        /**
         * What becomes of a call whose budget is spent, unless the call says otherwise: {@link WhenExhausted#reject()}, unless said.
         *
         * @param policy what is to be done
         * @return this builder
         */
        public Builder whenExhausted(WhenExhausted policy) {
            this.whenExhausted = Objects.requireNonNull(policy);
            return this;
        }

        /**
         * What becomes of a call when Redis cannot decide: it fails, unless said.
         *
         * @param policy what is to be done
         * @return this builder
         */
        public Builder whenRedisFails(WhenRedisFails policy) {
            this.whenRedisFails = policy;
            return this;
        }

        /**
         * How HTTP clients see a denial: as the provider's own answer, unless said.
         *
         * @param denials how they are shown
         * @return this builder
         */
        public Builder denials(Denials denials) {
            this.denials = denials;
            return this;
        }

        /**
         * What becomes of HTTP calls that no dialect knows: charged one request, no tokens and no dollars, unless said.
         *
         * @param policy what is to be done
         * @return this builder
         */
        public Builder unknownCalls(UnknownCalls policy) {
            this.unknownCalls = policy;
            return this;
        }

        /**
         * One more header of HTTP requests that says an attribute of their calls, and is not sent:
         * {@code Attributes.header("X-Tenant").as("tenant")}.
         *
         * @param found where the attribute is said
         * @return this builder
         * @throws IllegalArgumentException if the header or the attribute was named before
         */
        public Builder attributes(Attributes found) {
            if (attributesByHeader.containsValue(found.attribute())
                    || attributesByHeader.putIfAbsent(found.header(), found.attribute()) != null) {
                throw new IllegalArgumentException("header '" + found.header() + "' or attribute '" + found.attribute()
                        + "' was named before; each header is one attribute, and each attribute one header");
            }
            return this;
        }

        /**
         * How long a decision may take: 500 ms, unless said; from 10 ms to a minute.
         *
         * @param timeout at most
         * @return this builder
         */
        public Builder decisionTimeout(Duration timeout) {
            this.decisionTimeout = checked("decisionTimeout", timeout, Duration.ofMillis(10), Duration.ofMinutes(1));
            return this;
        }

        /**
         * How long a denial of Redis may be repeated without asking again: 100 ms, unless said; 0 is off.
         *
         * @param bound at most; zero is off
         * @return this builder
         */
        public Builder preCheck(Duration bound) {
            this.preCheck = checked("preCheck", bound, Duration.ZERO, Duration.ofMinutes(1));
            return this;
        }

        /**
         * For how long a call in flight counts of which nothing is heard ({@link Limit#concurrentCalls}): 10 minutes, unless said; from a
         * second to a day. A slot is renewed three times a lease for as long as its permit is neither ended nor lost to the garbage
         * collector, so that calls may take longer. That of a process that died is free again after a lease and up to a fifteenth of it.
         *
         * <p>It is to be the same in the whole fleet: guards with another lease have slots of their own.
         *
         * @param lease from a second to a day; the same in the whole fleet
         * @return this builder
         */
        public Builder lease(Duration lease) {
            this.lease = checked("lease", lease, Duration.ofSeconds(1), Duration.ofDays(1));
            return this;
        }

        /**
         * What every key in Redis begins with: {@code costguard}, unless said.
         *
         * @param prefix 1 to 100 letters, digits or any of {@code _ . : / -}
         * @return this builder
         */
        public Builder keyPrefix(String prefix) {
            if (!prefix.matches("[A-Za-z0-9_.:/-]{1,100}")) {
                throw new IllegalArgumentException(
                        "keyPrefix must be 1 to 100 letters, digits or any of _ . : / -, not '" + prefix + "'");
            }
            this.keyPrefix = prefix;
            return this;
        }

        /**
         * The attribute whose value is the hash tag of keys in Redis Cluster: {@code apiKey}, unless said.
         *
         * @param attribute the attribute's name
         * @return this builder
         */
        public Builder partitionBy(String attribute) {
            this.partitionBy = attribute;
            return this;
        }

        /**
         * How many subjects of each budget, combinations of the values that it is counted per, this process tells apart: 100,000, unless
         * said; from 1 to 10 million. Beyond it, those that are new share one balance of that budget, which is logged once a minute. So a
         * stranger who makes up values, where attributes or models come from outside, fills neither Redis nor the memory of this process (of
         * which a full budget takes some 10 MB), and gets no fresh balance with each. A subject counts from its first call until an hour or more
         * after its last; one that counts is never made to share. (The name is OpenTelemetry's: "Cardinality limits", Metrics SDK.)
         *
         * @param subjects how many of each budget
         * @return this builder
         */
        public Builder cardinalityLimit(int subjects) {
            if (subjects < 1 || subjects > 10_000_000) {
                throw new IllegalArgumentException(
                        "cardinalityLimit must be from 1 to 10,000,000 subjects, not " + subjects);
            }
            this.cardinalityLimit = subjects;
            return this;
        }

        /**
         * What tokens cost, in the place of {@link PriceList#bundled()}, which it is unless said; {@link PriceList#plus} adds to that.
         *
         * @param prices what tokens cost
         * @return this builder
         */
        public Builder prices(PriceList prices) {
            this.prices = prices;
            return this;
        }

        /**
         * How many output tokens are reserved for an HTTP call: {@link Outputs#capped()}, unless said.
         *
         * @param policy what is to be done
         * @return this builder
         */
        public Builder outputs(Outputs policy) {
            this.outputs = Objects.requireNonNull(policy);
            return this;
        }

        /**
         * Asks providers for usage in their streams, where a request for one does not say whether it wants it: puts
         * {@code "stream_options":{"include_usage":true}} into the body of chat completions and completions (OpenAI's API reference, "Create
         * chat completion"), and leaves every other byte as it is. Without this the guard changes no request, and counts the text of such a
         * stream.
         *
         * <p>The stream then ends with a chunk that has usage and no choices, {@code "choices":[]}, which reaches the caller like the others:
         * its reader must not expect a first choice in each.
         *
         * <p>Asked are only providers that are known to take the question, which the host tells, or {@link #provider}; see
         * docs/providers.md. A body is left as it is if it is compressed, or the request has a digest of it, or an {@code Authorization} other
         * than a key, a bearer token or a password, which may sign it; or if the guard cannot read it.
         *
         * @return this builder
         */
        public Builder streamUsage() {
            this.streamUsage = StreamUsage.ASKED_FOR;
            return this;
        }

        /**
         * One more wire format, which is asked before those of this library whether a request is its own.
         *
         * @param dialect a provider's wire format
         * @return this builder
         */
        public Builder dialect(Dialect dialect) {
            this.dialects = dialects.with(dialect);
            return this;
        }

        /**
         * Whose host this is, for calls to it: their {@code provider}. Hosts that offer OpenAI's paths need nothing else.
         *
         * @param host as in a URL, with its port unless that is the scheme's own; a {@code *} stands for anything, at the beginning or at
         *     the end: {@code llm.example.com:8000}, {@code *.example.com}
         * @param provider such as {@code vllm}; a name of your own, too
         * @return this builder
         */
        public Builder provider(String host, String provider) {
            this.providers = providers.with(host, provider);
            return this;
        }

        /**
         * The key under which API keys are fingerprinted, at least 16 bytes; the same in the whole fleet.
         *
         * @param key at least 16 bytes; the same in the whole fleet
         * @return this builder
         */
        public Builder fingerprintKey(byte[] key) {
            if (key.length < 16) {
                throw new IllegalArgumentException("fingerprintKey must be at least 16 bytes, not " + key.length);
            }
            this.fingerprintKey = key.clone();
            return this;
        }

        /**
         * As {@code costguard.enabled=false}: the guard lets everything go, uncounted, and asks no Redis.
         *
         * @return this
         */
        public Builder switchedOff() {
            this.switchedOff = true;
            return this;
        }

        /**
         * Has it told when so much of a limit is used, by a call that went from this process: {@link GuardListener#onNearLimit}, and a line of
         * the log. Of each subject and limit once, and again after its use fell below nine tenths of that, and rose again. Without this, nothing
         * is.
         *
         * @param share of what the limit can hold, above 0 and below 1, such as {@code 0.8}
         * @return this builder
         */
        public Builder nearLimit(double share) {
            if (!(share > 0 && share < 1)) {
                throw new IllegalArgumentException(
                        "nearLimit must be a share of what limits can hold, above 0 and below 1, such as 0.8, not "
                                + share);
            }
            this.nearLimit = share;
            return this;
        }

        /**
         * One more listener: all of them are told.
         *
         * @param listener told of every call
         * @return this builder
         */
        public Builder listener(GuardListener listener) {
            listeners.add(listener);
            return this;
        }

        /**
         * The guard. Does not wait for Redis, which may come up later; a connection is made meanwhile.
         *
         * @return the guard, which is to be closed
         * @throws IllegalArgumentException where budgets, limits or settings make no sense; it says which, and what to do
         */
        public CostGuard build() {
            PriceList known = check();
            AtomicReference<List<Budget>> current = new AtomicReference<>(List.copyOf(budgets));
            if (switchedOff || !isEnabled()) {
                log.warn("the guard is switched off (costguard.enabled=false): calls go unguarded");
                return new CostGuard(
                        null, HttpGuard.off(Map.copyOf(attributesByHeader)), known, current, lease, null, null);
            }
            tellOfUnknownProviders();
            Redis redis = redis();
            List<GuardListener> all = new ArrayList<>(listeners);
            all.add(0, new LoggingListener(current::get));
            Listeners told = told(all, System::nanoTime);
            Ledger ledger = new RedisLedger(redis, keyPrefix, decisionTimeout, told);
            CostGuard guard = guard(known, current, redis, keyPrefix, ledger, told);
            watch.accept(guard);
            return guard;
        }

        /**
         * The guard in another time than this machine's, for replays and tests: it decides as ever, by the same script in a Redis, but
         * over balances of its own, which nobody else sees and which are gone in a day. It cannot be switched off, and logs no denials.
         *
         * <p>It is for the thread on which {@code time} passes, and is asked by what does not wait there: {@link CostGuard#acquireAsync}
         * or {@link CostGuard#decide}, not {@link CostGuard#acquire}. Its Redis must be a single server.
         *
         * @param time which the guard takes for the real one
         * @return the guard
         * @throws IllegalArgumentException where budgets, limits or settings make no sense; it says which, and what to do
         */
        public CostGuard buildIn(VirtualTime time) {
            PriceList known = check();
            if (regions != null) {
                throw new IllegalArgumentException("regions share no budgets in virtual time; drop regions(..)");
            }
            Redis redis = redis();
            String prefix = keyPrefix + ":virtual-" + UUID.randomUUID();
            Ledger ledger = new VirtualLedger(redis, prefix, time, decisionTimeout);
            return guard(
                    known,
                    new AtomicReference<>(List.copyOf(budgets)),
                    redis,
                    prefix,
                    ledger,
                    told(listeners, ledger::nanoTime));
        }

        private Listeners told(List<GuardListener> all, LongSupplier time) {
            return new Listeners(all, nearLimit < 1 ? new NearLimits(nearLimit, time) : null);
        }

        /** Not an error: what is no HTTP call may say any provider, and so may a dialect of the user's own. */
        private void tellOfUnknownProviders() {
            Set<String> known = providers.names();
            if (dialects == Dialects.bundled()) {
                budgets.forEach(budget -> budget.providersBut(known)
                        .forEach(name -> log.warn(
                                "budget '{}' is for provider '{}', which no HTTP call has: known are {}, and those that provider(host, name)"
                                        + " names",
                                budget.name(),
                                name,
                                known)));
            }
        }

        private Redis redis() {
            return redisClient != null
                    ? Redis.of(redisClient)
                    : Redis.at(redisUrl == null ? "" : redisUrl, decisionTimeout);
        }

        private CostGuard guard(
                PriceList known,
                AtomicReference<List<Budget>> current,
                Redis redis,
                String prefix,
                Ledger ledger,
                Listeners told) {
            Fingerprint fingerprint = new Fingerprint(fingerprintKey);
            Limiter limiter = new Limiter(
                    new Subjects(
                            leased(budgets, lease),
                            prefix,
                            partitionBy,
                            fingerprint,
                            new Cardinality(cardinalityLimit, ledger::nanoTime)),
                    ledger,
                    known,
                    fingerprint,
                    whenExhausted,
                    whenRedisFails,
                    decisionTimeout,
                    preCheck,
                    told);
            OutputHistory learned = new OutputHistory(
                    outputs.percent(),
                    new RedisShelf(redis, prefix, fingerprint, decisionTimeout),
                    ForkJoinPool.commonPool());
            return new CostGuard(
                    limiter,
                    HttpGuard.of(
                            limiter,
                            known,
                            learned,
                            dialects,
                            providers,
                            denials,
                            unknownCalls,
                            streamUsage,
                            Map.copyOf(attributesByHeader)),
                    known,
                    current,
                    lease,
                    regions,
                    regions == null ? null : region(regions, limiter, redis));
        }

        private Region region(RegionalShares shares, Limiter limiter, Redis redis) {
            SharedBudgets shared = new SharedBudgets(
                    shares.budgets(),
                    shares.least().percent(),
                    limiter,
                    (budget, percent) -> budget.of(Share.percent(percent)),
                    nanoTime);
            shared.update(leased(budgets, lease));
            return new Region(
                    shares.here(),
                    shares.regions(),
                    new RedisRegister(redis, keyPrefix + ":share", decisionTimeout),
                    new RedisRegister(
                            Redis.at(shares.redis(), TO_ANOTHER_REGION), keyPrefix + ":shares", TO_ANOTHER_REGION),
                    shared,
                    decisionTimeout);
        }

        private PriceList check() {
            PriceList known = prices == null ? PriceList.bundled() : prices;
            if ((redisUrl == null) == (redisClient == null)) {
                throw new IllegalArgumentException(
                        "say where Redis is, once: redis(\"redis://host:6379\") or redis(client)");
            }
            if (inFile > 0 && budgets.size() != inFile) {
                throw new IllegalArgumentException("budgets come from one file, or from budget(..), and not from both");
            }
            CostGuard.check(budgets, known);
            if (regions != null) {
                regions.check(budgets);
                if (decisionTimeout.compareTo(LONGEST_WITH_REGIONS) > 0) {
                    throw new IllegalArgumentException("with regions, decisionTimeout may be " + LONGEST_WITH_REGIONS
                            + " at most, not " + decisionTimeout);
                }
                if (whenRedisFails.slice().isPresent()) {
                    throw new IllegalArgumentException(
                            "shares of regions cannot be leased; say another whenRedisFails(..)");
                }
            }
            return known;
        }

        private static boolean isEnabled() {
            String property = System.getProperty("costguard.enabled", System.getenv("COSTGUARD_ENABLED"));
            return property == null || !property.trim().toLowerCase(Locale.ROOT).equals("false");
        }

        private static Duration checked(String name, Duration value, Duration least, Duration most) {
            if (value.compareTo(least) < 0 || value.compareTo(most) > 0) {
                throw new IllegalArgumentException(name + " must be from " + least + " to " + most + ", not " + value);
            }
            return value;
        }
    }
}
