package io.costguard.redis;

import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.VirtualTime;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.InForce;
import io.costguard.limit.LatestBudgets;
import io.costguard.limit.Ledger;
import io.costguard.limit.Patience;
import io.costguard.limit.Standing;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.exceptions.JedisException;

/**
 * The ledger in a {@link VirtualTime}: one process, whose calls are decided by the real script and wait in its lines as ever. Only what
 * the script takes for the time, and what calls that wait take for it, is another. Each call is a batch of its own, decided at once.
 *
 * <p>Not safe for use by many threads. Its Redis must be a single server.
 */
public final class VirtualLedger implements Ledger {
    private static final byte[] TELL_TIME = ("redis.call('SET', KEYS[1], ARGV[1], 'PX', '" + Script.A_DAY_IN_MILLIS
                    + "')")
            .getBytes(StandardCharsets.US_ASCII);
    /** The latest that fits the script: nothing comes too late. */
    private static final long NEVER_TOO_LATE = (1L << 53) - 1;

    private final Redis redis;
    private final VirtualTime time;
    private final long timeoutNanos;
    private final byte[] timeKey;
    private final Script script;
    private final Lane lane;
    private final Lines lines;
    private final ServerClock clock;
    private final Waiters waiters;
    private final Leases leases;
    private LatestBudgets latest = LatestBudgets.NONE;
    private Instant told = Instant.MIN;
    private CompletableFuture<Void> renews = new CompletableFuture<>();
    private long renewsAtNanos = Long.MAX_VALUE;

    /**
     * @param keyPrefix which nothing else may have: its balances mean nothing in another time
     * @param timeout how long Redis may take to answer, by this machine's clock
     */
    public VirtualLedger(Redis redis, String keyPrefix, VirtualTime time, Duration timeout) {
        this.redis = redis;
        this.time = time;
        this.timeoutNanos = timeout.toNanos();
        String key = keyPrefix + ":time";
        this.timeKey = key.getBytes(StandardCharsets.US_ASCII);
        this.script = Script.load(RedisLedger.SCRIPT).inTimeAt(key);
        this.lane = new Lane(keyPrefix + ":lane", 0);
        this.lines = new Lines("virtual-time", keyPrefix + ":turn:");
        this.clock = new ServerClock(this::nanoTime, this::after);
        this.waiters = new Waiters(new AskerOfWaiters(), lines, clock, timeoutNanos);
        this.leases =
                new Leases(new RenewerOfLeases(), new ServerClock(this::nanoTime, this::beforeWhatIsDecidedAfter));
    }

    @Override
    public long nanoTime() {
        return micros() * 1_000;
    }

    private long micros() {
        return ChronoUnit.MICROS.between(Instant.EPOCH, time.now());
    }

    @Override
    public CompletableFuture<Void> after(long nanos) {
        CompletableFuture<Void> passed = new CompletableFuture<>();
        time.at(time.now().plusNanos(nanos), () -> passed.complete(null));
        return passed;
    }

    @Override
    public Verdict reserve(List<Claim> claims, Patience patience, long deadlineNanos) throws GuardUnavailableException {
        Batch.Call.Reserve call = waiters.call(claims, patience);
        Batch.Result result = decided(call);
        Verdict waits = waiters.begins(call, result);
        if (waits instanceof Verdict.Waiting waiting) {
            return new Verdict.Waiting(waiting.expected(), new PlaceInTime(waiting.place()));
        }
        return waits == null ? ((Batch.Result.Decided) result).verdict() : waits;
    }

    @Override
    public CompletableFuture<Verdict> reserveAsync(List<Claim> claims, Patience patience, long deadlineNanos) {
        try {
            return CompletableFuture.completedFuture(reserve(claims, patience, deadlineNanos));
        } catch (GuardUnavailableException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    @Override
    public void settle(List<Settled> settled, Runnable then) {
        settled.forEach(this::settle);
        then.run();
    }

    private void settle(Settled settled) {
        // Renewals are done at once here: none is on its way.
        CompletableFuture<Void> unused = leases.end(settled.charge());
        Batch.Result unusedToo = change(new Batch.Call.Settle(settled));
    }

    @Override
    public long countsNanos(Subject subject, Limit limit) {
        return clock.countsNanos(limit);
    }

    @Override
    public CompletableFuture<?> renew(Charge charge) {
        try {
            Batch.Result result = decided(new Batch.Call.Recharge(charge));
            if (result instanceof Batch.Result.Recharged recharged) {
                System.arraycopy(recharged.eras(), 0, charge.eras(), 0, charge.eras().length);
            }
            return CompletableFuture.completedFuture(result);
        } catch (GuardUnavailableException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private final class RenewerOfLeases implements Leases.Renewer {
        @Override
        public CompletableFuture<?> renew(Batch.Call.Renew call, LongConsumer renewed) {
            if (change(call) instanceof Batch.Result.Renewed present) {
                renewed.accept(present.era());
            }
            return CompletableFuture.completedFuture(null);
        }

        /** For as long as nobody else asked, who could have taken them. */
        @Override
        public void hadLapsed(Subject subject, long calls) {}
    }

    /** Completes before the next decision after so long: time that passes of itself would never end while a call does not. */
    private CompletableFuture<Void> beforeWhatIsDecidedAfter(long nanos) {
        renewsAtNanos = nanoTime() + nanos;
        renews = new CompletableFuture<>();
        return renews;
    }

    @Override
    public void correct(Correction correction, Runnable then) {
        if (change(new Batch.Call.Correct(correction)) instanceof Batch.Result.Corrected) {
            then.run();
        }
    }

    @Override
    public CompletableFuture<?> change(Change change, List<Claim> claims) {
        for (Claim claim : claims) {
            Batch.Result unused = change(new Batch.Call.ByHand(change, claim));
        }
        return CompletableFuture.completedFuture(null);
    }

    private Batch.Result change(Batch.Call call) {
        try {
            return decided(call);
        } catch (GuardUnavailableException e) {
            // Without it, all that follows would be about another history.
            throw new IllegalStateException(e);
        }
    }

    @Override
    public List<List<Standing>> look(List<Claim> newcomer, long deadlineNanos) throws GuardUnavailableException {
        return ((Batch.Result.Looked) decided(new Batch.Call.Look(newcomer))).standings();
    }

    @Override
    public CompletableFuture<?> hold(List<Subject> subjects, Duration hold) {
        try {
            return CompletableFuture.completedFuture(decided(Waiters.hold(subjects, hold)));
        } catch (GuardUnavailableException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    @Override
    public void update(InForce budgets) {
        latest = latest.with(budgets);
    }

    /** All is settled at once. */
    @Override
    public void flush(long deadlineNanos) {}

    @Override
    public void close() {
        waiters.close();
        leases.close();
        redis.close();
    }

    private Batch.Result decided(Batch.Call call) throws GuardUnavailableException {
        Batch.Call asked = call;
        Batch.Result result = run(asked);
        while (result instanceof Batch.Result.AskAgain) {
            asked = asked.namingLines();
            result = run(asked);
        }
        if (result instanceof Batch.Result.Refused refused) {
            throw refused.why();
        }
        if (result instanceof Batch.Result.Decided decision && decision.verdict() instanceof Verdict.Granted granted) {
            leases.begin(granted);
        }
        return result;
    }

    private Batch.Result run(Batch.Call call) throws GuardUnavailableException {
        if (nanoTime() >= renewsAtNanos) {
            renewsAtNanos = Long.MAX_VALUE;
            renews.complete(null);
        }
        Batch.Mode mode = call instanceof Batch.Call.Look ? Batch.Mode.LOOK : Batch.Mode.RUN;
        Batch batch = mode == Batch.Mode.LOOK ? new Batch(lines) : new Batch(lines, () -> latest);
        batch.add(call);
        byte[] request = batch.request(mode, lane.number(), NEVER_TOO_LATE, Script.A_DAY_IN_MILLIS, micros());
        Batch.Reply reply;
        try {
            tellTime();
            reply = batch.read(script.run(redis, batch.keys(lane.key()), request, timeoutNanos));
        } catch (JedisException e) {
            throw new GuardUnavailableException("Redis could not decide: " + e.getMessage(), e);
        }
        if (mode == Batch.Mode.RUN) {
            lane.advance(0);
        }
        clock.told(reply.micros(), nanoTime());
        waiters.told(reply.wakes(), clock);
        return reply.results().get(0);
    }

    private void tellTime() {
        if (!told.equals(time.now())) {
            byte[] now = Long.toString(micros()).getBytes(StandardCharsets.US_ASCII);
            Object unused = redis.eval(TELL_TIME, List.of(timeKey), now, timeoutNanos);
            told = time.now();
        }
    }

    private final class AskerOfWaiters implements Waiters.Asker {
        /** Not before what is going on has ended: it may be what wakes whoever asks. */
        @Override
        public CompletableFuture<Batch.Result> ask(Batch.Call.Reserve call) {
            CompletableFuture<Batch.Result> answer = new CompletableFuture<>();
            time.at(time.now(), () -> {
                try {
                    answer.complete(decided(call));
                } catch (GuardUnavailableException e) {
                    answer.completeExceptionally(e);
                }
            });
            return answer;
        }

        @Override
        public void giveBack(Verdict.Granted granted) {
            for (Charge charge : granted.charges()) {
                settle(new Settled(charge, new long[charge.eras().length]));
            }
        }

        /** All who wait are of this process, which is told by the replies to its own batches. */
        @Override
        public Runnable listen(Listening.Listener listener) {
            return () -> {};
        }
    }

    /** A place whose end is told on the thread on which time passes, whatever is to follow elsewhere: else time would go on without. */
    private record PlaceInTime(Verdict.Place place, CompletableFuture<Verdict> end) implements Verdict.Place {
        PlaceInTime(Verdict.Place place) {
            this(place, new OnThisThread<>());
            CompletableFuture<Verdict> unused = place.end().whenComplete((verdict, failure) -> {
                if (failure == null) {
                    end.complete(verdict);
                } else {
                    end.completeExceptionally(failure);
                }
            });
        }

        @Override
        public void onRegressed(Runnable told) {
            place.onRegressed(told);
        }

        @Override
        public void leave() {
            place.leave();
        }
    }

    private static final class OnThisThread<T> extends CompletableFuture<@Nullable T> {
        @Override
        public Executor defaultExecutor() {
            return Runnable::run;
        }
    }
}
