package io.costguard;

import io.costguard.describe.Dialect;
import io.costguard.describe.OutputHistory;
import io.costguard.describe.Providers;
import io.costguard.describe.dialects.Dialects;
import io.costguard.http.HttpGuard;
import io.costguard.http.StreamUsage;
import io.costguard.limit.Admission;
import io.costguard.limit.Fingerprint;
import io.costguard.limit.Ledger;
import io.costguard.limit.Limiter;
import io.costguard.limit.LoggingListener;
import io.costguard.limit.Reservation;
import io.costguard.limit.Subjects;
import io.costguard.redis.Redis;
import io.costguard.redis.RedisLedger;
import io.costguard.redis.RedisShelf;
import io.costguard.redis.VirtualLedger;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ForkJoinPool;
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

    private CostGuard(@Nullable Limiter limiter, HttpGuard http) {
        this.limiter = limiter;
        this.http = http;
    }

    public static Builder builder() {
        return new Builder();
    }

    /**
     * Reserves what the call is expected to cost, in all of its budgets; waits for its turn, if it may.
     *
     * @throws BudgetExceededException if a budget does not cover it
     * @throws CostExceedsCapacityException if it asks more than a limit can ever hold
     * @throws GuardUnavailableException if Redis could not decide, and the guard fails closed
     * @throws InterruptedIOException if the thread was interrupted; the flag stays set
     * @throws MisfitException if no budget can judge the call
     */
    public Permit acquire(GuardedCall call) throws IOException {
        requireCall(call);
        if (Thread.currentThread().isInterrupted()) {
            throw new InterruptedIOException("interrupted before the call was let go");
        }
        if (limiter == null) {
            return Reservation.uncounted(call);
        }
        try {
            return permit(limiter.admit(call, FOR_EVER, () -> false));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while the call waited for its turn");
        }
    }

    /**
     * {@link #acquire} without holding a thread; fails with what that throws. Cancelled, it leaves the line, or gives back what it is
     * granted.
     */
    public CompletableFuture<Permit> acquireAsync(GuardedCall call) {
        requireCall(call);
        if (limiter == null) {
            return CompletableFuture.completedFuture(Reservation.uncounted(call));
        }
        CompletableFuture<Permit> result = new CompletableFuture<>();
        CompletableFuture<Admission> admitted = limiter.admitAsync(call, FOR_EVER);
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

    /** {@link #acquire} that answers with nothing where a budget does not cover the call; never waits for one. */
    public Optional<Permit> tryAcquire(GuardedCall call) throws GuardUnavailableException {
        return admit(call) instanceof Admission.Granted granted ? Optional.of(granted.reservation()) : Optional.empty();
    }

    /**
     * {@link #acquire} that answers with the denial instead of throwing it; never waits for a budget. A call that is granted is charged:
     * its permit must be settled, released or closed. {@link #status} is what charges nothing.
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
     */
    public List<LimitStatus> status(GuardedCall call) throws GuardUnavailableException {
        requireCall(call);
        return limiter == null ? List.of() : limiter.status(call);
    }

    /**
     * Lets no call with these attributes go for so long, in the whole fleet: they are denied, or wait. Balances refill meanwhile.
     *
     * @throws IllegalArgumentException if {@code duration} is not above 0, or above an hour
     */
    public void hold(GuardedCall call, Duration duration) throws GuardUnavailableException {
        requireCall(call);
        if (duration.isNegative() || duration.isZero() || duration.compareTo(LONGEST_HOLD) > 0) {
            throw new IllegalArgumentException(
                    "a hold must be above 0 and at most " + LONGEST_HOLD + ", not " + duration);
        }
        if (limiter != null) {
            limiter.hold(call, duration);
        }
    }

    /** Returns when all that was settled so far is in Redis. */
    public void flush() throws GuardUnavailableException {
        if (limiter != null) {
            limiter.flush();
        }
    }

    /** What the adapters of HTTP clients are made of. */
    public HttpGuard http() {
        return http;
    }

    /**
     * Refuses new calls, takes those that wait out of line, settles what there is to settle, and lets go of Redis. It takes as long as one
     * decision may take at most; what Redis has not taken by then stays charged, which is logged.
     */
    @Override
    public void close() {
        if (limiter != null) {
            limiter.close();
        }
    }

    private static void requireCall(GuardedCall call) {
        Objects.requireNonNull(call, "no call was given; GuardedCall.of(name) makes one");
    }

    private Admission admit(GuardedCall call) throws GuardUnavailableException {
        requireCall(call);
        return limiter == null ? new Admission.Granted(Reservation.uncounted(call)) : limiter.decide(call);
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

        private @Nullable String redisUrl;
        private @Nullable UnifiedJedis redisClient;
        private final List<Budget> budgets = new ArrayList<>();
        private WhenExhausted whenExhausted = WhenExhausted.reject();
        private WhenRedisFails whenRedisFails = WhenRedisFails.failClosed();
        private Denials denials = Denials.answer();
        private UnknownCalls unknownCalls = UnknownCalls.guardRequests();
        private Duration decisionTimeout = Duration.ofMillis(500);
        private Duration preCheck = Duration.ofMillis(100);
        private String keyPrefix = "costguard";
        private String partitionBy = "apiKey";
        private @Nullable PriceList prices;
        private Outputs outputs = Outputs.capped();
        private StreamUsage streamUsage = StreamUsage.AS_REQUESTED;
        private Dialects dialects = Dialects.bundled();
        private Providers providers = Providers.bundled();
        private byte[] fingerprintKey = DEFAULT_FINGERPRINT_KEY;
        private final List<GuardListener> listeners = new ArrayList<>();

        private Builder() {}

        /** The Redis at {@code redis://[user:password@]host[:port][/database]}, or {@code rediss://} for TLS. */
        public Builder redis(String url) {
            this.redisUrl = url;
            return this;
        }

        /**
         * A client of your own, which stays yours to close. Its socket timeout and attempts bound how long a thread of the
         * guard can be held: {@code socketTimeoutMillis(250)} and {@code maxAttempts(1)} suit the default decision timeout. While calls
         * wait, {@code blockingSocketTimeoutMillis(5_000)} has a listening connection given up that leads nowhere.
         */
        public Builder redis(UnifiedJedis client) {
            this.redisClient = client;
            return this;
        }

        /** One more budget; without any no call is guarded, which is logged. */
        public Builder budget(Budget budget) {
            budgets.add(budget);
            return this;
        }

        /** What becomes of a call whose budget is spent, unless the call says otherwise: {@link WhenExhausted#reject()}, unless said. */
        public Builder whenExhausted(WhenExhausted policy) {
            this.whenExhausted = Objects.requireNonNull(policy);
            return this;
        }

        /** What becomes of a call when Redis cannot decide: it fails, unless said. */
        public Builder whenRedisFails(WhenRedisFails policy) {
            this.whenRedisFails = policy;
            return this;
        }

        /** How HTTP clients see a denial: as the provider's own answer, unless said. */
        public Builder denials(Denials denials) {
            this.denials = denials;
            return this;
        }

        /** What becomes of HTTP calls that no dialect knows: charged one request, no tokens and no dollars, unless said. */
        public Builder unknownCalls(UnknownCalls policy) {
            this.unknownCalls = policy;
            return this;
        }

        /** How long a decision may take: 500 ms, unless said; from 10 ms to a minute. */
        public Builder decisionTimeout(Duration timeout) {
            this.decisionTimeout = checked("decisionTimeout", timeout, Duration.ofMillis(10), Duration.ofMinutes(1));
            return this;
        }

        /** How long a denial of Redis may be repeated without asking again: 100 ms, unless said; 0 is off. */
        public Builder preCheck(Duration bound) {
            this.preCheck = checked("preCheck", bound, Duration.ZERO, Duration.ofMinutes(1));
            return this;
        }

        /** What every key in Redis begins with: {@code costguard}, unless said. */
        public Builder keyPrefix(String prefix) {
            if (!prefix.matches("[A-Za-z0-9_.:/-]{1,100}")) {
                throw new IllegalArgumentException(
                        "keyPrefix must be 1 to 100 letters, digits or any of _ . : / -, not '" + prefix + "'");
            }
            this.keyPrefix = prefix;
            return this;
        }

        /** The attribute whose value is the hash tag of keys in Redis Cluster: {@code apiKey}, unless said. */
        public Builder partitionBy(String attribute) {
            this.partitionBy = attribute;
            return this;
        }

        /**
         * What tokens cost, in the place of {@link PriceList#bundled()}, which it is unless said; {@link PriceList#plus} adds to that.
         */
        public Builder prices(PriceList prices) {
            this.prices = prices;
            return this;
        }

        /** How many output tokens are reserved for an HTTP call: {@link Outputs#capped()}, unless said. */
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
         */
        public Builder streamUsage() {
            this.streamUsage = StreamUsage.ASKED_FOR;
            return this;
        }

        /** One more wire format, which is asked before those of this library whether a request is its own. */
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
         */
        public Builder provider(String host, String provider) {
            this.providers = providers.with(host, provider);
            return this;
        }

        /** The key under which API keys are fingerprinted, at least 16 bytes; the same in the whole fleet. */
        public Builder fingerprintKey(byte[] key) {
            if (key.length < 16) {
                throw new IllegalArgumentException("fingerprintKey must be at least 16 bytes, not " + key.length);
            }
            this.fingerprintKey = key.clone();
            return this;
        }

        /** One more listener. */
        public Builder listener(GuardListener listener) {
            listeners.add(listener);
            return this;
        }

        /**
         * The guard. Does not wait for Redis, which may come up later; a connection is made meanwhile.
         *
         * @throws IllegalArgumentException where budgets, limits or settings make no sense; it says which, and what to do
         */
        public CostGuard build() {
            PriceList known = check();
            if (!isEnabled()) {
                log.warn("the guard is switched off (costguard.enabled=false): calls go unguarded");
                return new CostGuard(null, HttpGuard.off());
            }
            if (budgets.isEmpty()) {
                log.warn("the guard has no budget: no call is guarded; add one with budget(..)");
            }
            tellOfUnknownProviders();
            Redis redis = redis();
            List<GuardListener> told = new ArrayList<>(listeners);
            told.add(0, new LoggingListener(budgets));
            return guard(known, redis, keyPrefix, new RedisLedger(redis, keyPrefix, decisionTimeout), told);
        }

        /**
         * The guard in another time than this machine's, for replays and tests: it decides as ever, by the same script in a Redis, but
         * over balances of its own, which nobody else sees and which are gone in a day. It cannot be switched off, and logs no denials.
         *
         * <p>It is for the thread on which {@code time} passes, and is asked by what does not wait there: {@link CostGuard#acquireAsync}
         * or {@link CostGuard#decide}, not {@link CostGuard#acquire}. Its Redis must be a single server.
         *
         * @throws IllegalArgumentException where budgets, limits or settings make no sense; it says which, and what to do
         */
        public CostGuard buildIn(VirtualTime time) {
            PriceList known = check();
            Redis redis = redis();
            String prefix = keyPrefix + ":virtual-" + UUID.randomUUID();
            return guard(known, redis, prefix, new VirtualLedger(redis, prefix, time, decisionTimeout), listeners);
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

        private CostGuard guard(PriceList known, Redis redis, String prefix, Ledger ledger, List<GuardListener> told) {
            Fingerprint fingerprint = new Fingerprint(fingerprintKey);
            Limiter limiter = new Limiter(
                    new Subjects(budgets, prefix, partitionBy, fingerprint),
                    ledger,
                    known,
                    fingerprint,
                    whenExhausted,
                    whenRedisFails,
                    decisionTimeout,
                    preCheck,
                    told.toArray(GuardListener[]::new));
            OutputHistory learned = new OutputHistory(
                    outputs.percent(),
                    new RedisShelf(redis, prefix, fingerprint, decisionTimeout),
                    ForkJoinPool.commonPool());
            return new CostGuard(
                    limiter,
                    HttpGuard.of(limiter, known, learned, dialects, providers, denials, unknownCalls, streamUsage));
        }

        private PriceList check() {
            PriceList known = prices == null ? PriceList.bundled() : prices;
            if ((redisUrl == null) == (redisClient == null)) {
                throw new IllegalArgumentException(
                        "say where Redis is, once: redis(\"redis://host:6379\") or redis(client)");
            }
            Set<String> names = new HashSet<>();
            for (Budget budget : budgets) {
                if (!names.add(budget.name())) {
                    throw new IllegalArgumentException("two budgets have the name '" + budget.name() + "'");
                }
                budget.check(known);
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
