package io.costguard.redis;

import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Continuations;
import io.costguard.limit.InForce;
import io.costguard.limit.LatestBudgets;
import io.costguard.limit.Ledger;
import io.costguard.limit.Listeners;
import io.costguard.limit.Patience;
import io.costguard.limit.Standing;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The ledger in Redis. Each {@link Slot} has what lies in it decided in batches; on a single server there is one. What a call asks of
 * several is {@link AcrossSlots}'s to ask.
 *
 * <p><b>Closing.</b> New calls are refused, and calls that wait have to leave. Then everything goes on as ever until nothing is on
 * its way any more, or one timeout is over: what was asked is decided, what is unknown is cancelled, and what was granted to nobody is
 * given back.
 */
public final class RedisLedger implements Ledger {
    private static final Logger log = LoggerFactory.getLogger(RedisLedger.class);

    /** One text: the functions of lines, which only a batch with lines makes, and the script that decides. */
    static final String[] SCRIPT = {"line.lua", "guard.lua"};

    private static final int SETTLES_KEPT = 1 << 16;
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(1);
    private static final CompletableFuture<Void> COMPLETED = CompletableFuture.completedFuture(null);

    final Lines lines;
    final Waiters waiters;
    final Leases leases;
    final long timeoutNanos;
    /** Of all slots. */
    final AtomicInteger unsettled = new AtomicInteger();

    final Listeners listeners;
    private final LongAdder givenUp = new LongAdder();

    private final Redis redis;
    private final Script script;
    private final ServerClock clock;
    private final String client;
    private final Map<Integer, Slot> slots = new ConcurrentHashMap<>();
    /** By its eras, which a charge and its parts have in common, each that is being renewed: what of it is settled has to wait. */
    @SuppressWarnings("ArrayAsKeyOfSetOrMap") // it is their identity that tells
    private final Map<long[], CompletableFuture<Void>> renewing = new ConcurrentHashMap<>();

    private final Diagnosis diagnosis;
    private final Lane none;
    private final AcrossSlots across;
    private final AtomicInteger undecidedAcross = new AtomicInteger();
    private volatile LatestBudgets latest = LatestBudgets.NONE;
    private final AtomicBoolean closing = new AtomicBoolean();
    private volatile boolean closed;

    /**
     * @param timeout how long a decision may take
     * @param listeners told of each batch
     */
    public RedisLedger(Redis redis, String keyPrefix, Duration timeout, Listeners listeners) {
        this(redis, Script.load(SCRIPT), keyPrefix, timeout, listeners);
    }

    public RedisLedger(Redis redis, String keyPrefix, Duration timeout) {
        this(redis, Script.load(SCRIPT), keyPrefix, timeout);
    }

    RedisLedger(Redis redis, Script script, String keyPrefix, Duration timeout) {
        this(redis, script, keyPrefix, timeout, Listeners.of());
    }

    private RedisLedger(Redis redis, Script script, String keyPrefix, Duration timeout, Listeners listeners) {
        this.listeners = listeners;
        this.redis = redis;
        this.script = script;
        this.timeoutNanos = timeout.toNanos();
        this.clock = new ServerClock();
        byte[] random = new byte[12];
        ThreadLocalRandom.current().nextBytes(random);
        this.client = HexFormat.of().formatHex(random);
        String process = Base64.getUrlEncoder().encodeToString(Arrays.copyOf(random, 9));
        this.lines = new Lines(process, keyPrefix + ":turn:");
        this.waiters = new Waiters(new AskerOfWaiters(), lines, clock, timeoutNanos);
        this.leases = new Leases(new RenewerOfLeases(), clock);
        this.across = new AcrossSlots(new AskerOfSlots());
        String lanes = keyPrefix + ":{lane-" + client + "}";
        this.none = new Lane(lanes, clock.nanoTime());
        this.diagnosis = new Diagnosis(redis, keyPrefix);
        slot(lanes, lanes).connect(none, diagnosis);
    }

    @Override
    public Optional<String> lackingRights() throws GuardUnavailableException {
        return diagnosis.lackingRights(none.key(), timeoutNanos);
    }

    // ------------------------------------------------------------------------------------------------------ the slots

    private Slot slot(Subject subject) {
        String key = subject.key();
        Slot known = slots.get(redis.slotOf(key));
        // Lanes have the hash tag of whatever came first: it is in the slot too.
        return known != null ? known : slot(key, key.substring(0, key.indexOf('}') + 1) + ":lane-" + client);
    }

    private Slot slot(String key, String lanes) {
        return slots.computeIfAbsent(redis.slotOf(key), unused -> {
            ServerClock itsClock = clock.ofOneServer();
            BatchSender sender = new BatchSender(redis, script, itsClock, Duration.ofNanos(timeoutNanos));
            return new Slot(this, sender, itsClock, lanes);
        });
    }

    /** The slot of all claims; nothing if they lie in several. */
    private @Nullable Slot onlySlot(List<Claim> claims) {
        Slot only = slot(claims.get(0).subject());
        for (int i = 1; i < claims.size(); i++) {
            if (slot(claims.get(i).subject()) != only) {
                return null;
            }
        }
        return only;
    }

    LatestBudgets latest() {
        return latest;
    }

    boolean isClosing() {
        return closing.get();
    }

    boolean isClosed() {
        return closed;
    }

    String timeoutText() {
        return timeoutNanos / 1_000_000 + " ms";
    }

    // ------------------------------------------------------------------------------------------------ what others ask

    @Override
    public Verdict reserve(List<Claim> claims, Patience patience, long deadlineNanos) throws GuardUnavailableException {
        Batch.Call.Reserve call = waiters.call(claims, patience);
        Slot slot = onlySlot(claims);
        return slot != null ? slot.reserve(call, deadlineNanos) : Slot.joined(reserveAcross(call, deadlineNanos));
    }

    @Override
    public CompletableFuture<Verdict> reserveAsync(List<Claim> claims, Patience patience, long deadlineNanos) {
        Batch.Call.Reserve call = waiters.call(claims, patience);
        Slot slot = onlySlot(claims);
        return slot != null
                ? slot.reserveAsync(call, deadlineNanos)
                // The caller's continuations are not for the thread of whoever led.
                : Continuations.after(reserveAcross(call, deadlineNanos), verdict -> verdict);
    }

    private CompletableFuture<Verdict> reserveAcross(Batch.Call.Reserve call, long deadlineNanos) {
        CompletableFuture<Verdict> heard = new CompletableFuture<>();
        undecidedAcross.incrementAndGet();
        if (closing.get()) {
            undecidedAcross.decrementAndGet();
            heard.completeExceptionally(Waiters.closed());
            return heard;
        }
        CompletableFuture<Void> timer = clock.after(Math.max(0, deadlineNanos - clock.nanoTime()));
        CompletableFuture<Void> unused = timer.thenRun(() -> heard.completeExceptionally(
                new GuardUnavailableException("Redis did not decide within " + timeoutText())));
        CompletableFuture<?> unusedToo = across.ask(call, deadlineNanos).whenComplete((result, failure) -> {
            try {
                if (failure != null) {
                    heard.completeExceptionally(failure instanceof CompletionException ? failure.getCause() : failure);
                } else {
                    hear(call, result, heard);
                }
            } finally {
                undecidedAcross.decrementAndGet();
                timer.complete(null);
            }
        });
        return heard;
    }

    private void hear(Batch.Call.Reserve call, Batch.Result result, CompletableFuture<Verdict> heard) {
        Verdict waits = heard.isDone() ? null : waiters.begins(call, result);
        boolean isHeard = waits != null
                ? heard.complete(waits)
                : result instanceof Batch.Result.Decided decided && heard.complete(decided.verdict());
        if (!isHeard) {
            takeBack(call, waits, result);
        } else if (result instanceof Batch.Result.Joined && call.operation() != null) {
            // What its lines told before it stood in all of them is asked for again.
            waiters.askAfter(call.operation().number(), 0);
        }
    }

    /** Nobody wants to hear it any more. */
    void takeBack(Batch.Call.Reserve call, @Nullable Verdict verdict, Batch.Result result) {
        if (verdict instanceof Verdict.Waiting waiting) {
            waiting.place().leave();
        } else if (result instanceof Batch.Result.Joined joined) {
            waiters.leave(call, joined);
        } else if (result instanceof Batch.Result.Decided decided
                && decided.verdict() instanceof Verdict.Granted granted) {
            giveBack(granted);
        }
    }

    /** For a caller that was let go when it had given up already. */
    private void giveBack(Verdict.Granted granted) {
        List<Settled> unused = new ArrayList<>();
        for (Charge charge : granted.charges()) {
            unused.add(new Settled(charge, new long[charge.eras().length]));
        }
        settle(unused, () -> {});
    }

    /** Asks what calls over several slots ask of each. */
    private final class AskerOfSlots implements AcrossSlots.Asker {
        @Override
        public int slotOf(Subject subject) {
            return redis.slotOf(subject.key());
        }

        @Override
        public CompletableFuture<Batch.Result> ask(Batch.Call.Reserve part, long deadlineNanos) {
            return slot(part.claims().get(0).subject()).ask(part, deadlineNanos);
        }

        @Override
        public long deadlineNanos() {
            return clock.nanoTime() + timeoutNanos;
        }

        @Override
        public void giveBack(Verdict.Granted granted) {
            RedisLedger.this.giveBack(granted);
        }

        @Override
        public void leaveWhereverItStands(Batch.Call.Reserve call) {
            waiters.leaveWhereverItStands(call);
        }
    }

    /** Asks what waiting calls ask, and gives back what they do not want. */
    private final class AskerOfWaiters implements Waiters.Asker {
        @Override
        public CompletableFuture<Batch.Result> ask(Batch.Call.Reserve call) {
            return across.ask(call, clock.nanoTime() + timeoutNanos);
        }

        @Override
        public void giveBack(Verdict.Granted granted) {
            RedisLedger.this.giveBack(granted);
        }

        @Override
        public Runnable listen(Listening.Listener listener) {
            return new Listening(redis, lines.ownChannel(), listener)::close;
        }
    }

    @Override
    public void settle(List<Settled> settled, Runnable then) {
        if (isFull()) {
            for (Settled each : settled) {
                CompletableFuture<Void> unused = leases.end(each.charge());
            }
            giveUp(settled.size(), closed ? "the guard is closed" : "too many wait for Redis");
            return;
        }
        AtomicInteger left = new AtomicInteger(settled.size());
        Consumer<Batch.Result> thenOnce = result -> {
            if (left.decrementAndGet() == 0) {
                then.run();
            }
        };
        for (Settled each : settled) {
            CompletableFuture<Void> unused = begin(new Batch.Call.Settle(each), thenOnce, erasKnown(each.charge()));
        }
    }

    /** A charge is given back from now on; completes when it is known in which eras. */
    private CompletableFuture<Void> erasKnown(Charge charge) {
        CompletableFuture<Void> inFlight = leases.end(charge);
        CompletableFuture<Void> renewal = renewing.get(charge.eras());
        return renewal == null ? inFlight : CompletableFuture.allOf(inFlight, renewal);
    }

    @Override
    public CompletableFuture<?> renew(Charge charge) {
        long[] eras = charge.eras();
        CompletableFuture<Void> known = new CompletableFuture<>();
        renewing.put(eras, known);
        Consumer<Batch.Result> then = result -> {
            if (result instanceof Batch.Result.Recharged recharged) {
                System.arraycopy(recharged.eras(), 0, eras, 0, eras.length);
            }
        };
        CompletableFuture<?> done = change(new Batch.Call.Recharge(charge), then);
        CompletableFuture<?> unused = done.whenComplete((nothing, failure) -> {
            renewing.remove(eras);
            known.complete(null);
        });
        return done;
    }

    @Override
    public CompletableFuture<Void> after(long nanos) {
        return clock.after(nanos);
    }

    @Override
    public long countsNanos(Subject subject, Limit limit) {
        return slot(subject).countsNanos(limit);
    }

    /** Renewals are settled, in their turn, as often as it takes. */
    private final class RenewerOfLeases implements Leases.Renewer {
        @Override
        public CompletableFuture<?> renew(Batch.Call.Renew call, LongConsumer renewed) {
            Consumer<Batch.Result> then = result -> {
                if (result instanceof Batch.Result.Renewed present) {
                    renewed.accept(present.era());
                }
            };
            return begin(call, then, COMPLETED);
        }

        @Override
        public void hadLapsed(Subject subject, long calls) {
            log.warn(
                    "calls in flight of budget '{}' that had lost their slots for a while, and hold them again: {}; they were reset,"
                            + " this process or Redis stood still for longer than their lease, or Redis lost them",
                    subject.budget().name(),
                    calls);
        }
    }

    @Override
    public void correct(Correction correction, Runnable then) {
        if (!isFull()) {
            CompletableFuture<Void> unused = begin(new Batch.Call.Correct(correction), result -> then.run(), COMPLETED);
        }
    }

    @Override
    public CompletableFuture<?> change(Change change, List<Claim> claims) {
        return CompletableFuture.allOf(claims.stream()
                .map(claim -> change(new Batch.Call.ByHand(change, claim), result -> {}))
                .toArray(CompletableFuture<?>[]::new));
    }

    private CompletableFuture<?> change(Batch.Call.OfOneSubject call, Consumer<Batch.Result> then) {
        return isFull()
                ? CompletableFuture.failedFuture(
                        closed ? Waiters.closed() : new GuardUnavailableException("too much waits for Redis"))
                : begin(call, then, COMPLETED);
    }

    private boolean isFull() {
        return unsettled.get() >= SETTLES_KEPT || closed;
    }

    private CompletableFuture<Void> begin(
            Batch.Call.OfOneSubject call, Consumer<Batch.Result> then, CompletableFuture<Void> after) {
        Slot.Settling settling = new Slot.Settling(call, then, clock.nanoTime());
        slot(call.subject()).begin(settling, after);
        return settling.done;
    }

    @Override
    public boolean takeLoss(List<Claim> claims) {
        boolean isLost = false;
        for (Claim claim : claims) {
            isLost |= slot(claim.subject()).takeLoss();
        }
        return isLost;
    }

    @Override
    public List<List<Standing>> look(List<Claim> newcomer, long deadlineNanos) throws GuardUnavailableException {
        if (closing.get()) {
            throw Waiters.closed();
        }
        Map<Slot, List<Claim>> bySlot = new LinkedHashMap<>();
        for (Claim claim : newcomer) {
            bySlot.computeIfAbsent(slot(claim.subject()), unused -> new ArrayList<>())
                    .add(claim);
        }
        Map<Slot, Iterator<List<Standing>>> answers = new HashMap<>();
        for (Map.Entry<Slot, List<Claim>> each : bySlot.entrySet()) {
            answers.put(
                    each.getKey(),
                    each.getKey().look(each.getValue(), deadlineNanos).iterator());
        }
        List<List<Standing>> inOrder = new ArrayList<>();
        for (Claim claim : newcomer) {
            inOrder.add(
                    Objects.requireNonNull(answers.get(slot(claim.subject()))).next());
        }
        return inOrder;
    }

    @Override
    public CompletableFuture<?> hold(List<Subject> subjects, Duration hold) {
        if (closing.get()) {
            return CompletableFuture.failedFuture(Waiters.closed());
        }
        return across.ask(Waiters.hold(subjects, hold), clock.nanoTime() + timeoutNanos);
    }

    @Override
    public void update(InForce budgets) {
        latest = latest.with(budgets);
    }

    @Override
    public Backlog backlog() {
        return new Backlog(waiters.count(), unsettled.get(), givenUp.sum());
    }

    @Override
    public void flush(long deadlineNanos) throws GuardUnavailableException {
        for (Slot slot : slots.values()) {
            for (Slot.Settling settling : slot.unsettled()) {
                try {
                    settling.done.get(Math.max(1, deadlineNanos - clock.nanoTime()), TimeUnit.NANOSECONDS);
                } catch (TimeoutException e) {
                    throw new GuardUnavailableException("not everything was settled within " + timeoutText(), e);
                } catch (ExecutionException e) {
                    log.debug("there is nothing left to wait for", e);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    throw new GuardUnavailableException("interrupted while settling", e);
                }
            }
        }
    }

    @Override
    public void close() {
        if (!closing.compareAndSet(false, true)) {
            return;
        }
        waiters.leave();
        leases.close();
        awaitQuiet(clock.nanoTime() + timeoutNanos);
        closed = true;
        slots.values().forEach(Slot::close);
        waiters.close();
        slots.values().forEach(slot -> slot.giveUp("the guard was closed while Redis was away"));
        redis.close();
    }

    private void awaitQuiet(long deadlineNanos) {
        boolean interrupted = false;
        while (!isQuiet() && clock.nanoTime() - deadlineNanos < 0) {
            LockSupport.parkNanos(this, LOOK_NANOS);
            interrupted |= Thread.interrupted();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * Whether nothing is on its way any more. Each of these may leave one of those after it, never before it is there itself: hence the
     * order.
     */
    private boolean isQuiet() {
        return undecidedAcross.get() == 0
                && slots.values().stream().allMatch(Slot::isQuiet)
                && waiters.areGone()
                && unsettled.get() == 0;
    }

    void giveUp(int count, String why) {
        if (count > 0) {
            givenUp.add(count);
            log.warn(
                    "settles given up: {} ({}); what they would have given back stays charged, and what they would have charged is not",
                    count,
                    why);
        }
    }
}
