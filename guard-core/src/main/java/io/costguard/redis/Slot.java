package io.costguard.redis;

import io.costguard.GuardListener.Batch.Result;
import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.limit.Claim;
import io.costguard.limit.Continuations;
import io.costguard.limit.Ledger;
import io.costguard.limit.Standing;
import io.costguard.limit.Verdict;
import io.costguard.redis.BatchSender.NotRunException;
import io.costguard.redis.BatchSender.UnknownOutcomeException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.exceptions.JedisException;

/**
 * What one process has decided and settled in one slot of Redis: where that is a single server, in all of it.
 *
 * <p><b>Batches.</b> Reserves and settles wait in two queues. Whoever may lead takes a free {@link Lane} and what waits, has the
 * script decide it as one batch, and hands out the answers. A caller leads with its own thread, so that an idle process adds no
 * hand-over; callers that may not lead park, and are woken by their answer or to lead the next batch. A few callers each lead for
 * themselves; of many, one leads at a time, and another only with a full batch: what waits meanwhile makes the next batch larger.
 * A daemon thread, the pump, leads for those who have no thread: settles, a millisecond after they came, and asynchronous
 * reserves. It is there while there is something to do, and some seconds longer; that each slot has its own keeps a server that is away from
 * holding up what others decide. A batch that is slow holds nobody up: after a few milliseconds the next may lead. A caller that is
 * alone leaves settles to it; should it be denied while some were on their way, it is asked again behind them.
 *
 * <p><b>Deadlines.</b> A leader ends with its own deadline. Those who wait park without one, which is cheaper; while there are any,
 * a watch looks every few milliseconds for those whose deadline is over, or who may lead by now.
 *
 * <p><b>Unknown outcomes.</b> A batch whose reply is lost is sent again under its number until its leader's deadline. After that
 * its reserves fail, and its lane goes to the pump, which cancels that number: the script undoes what it granted, or takes the
 * number so that the batch, should it still arrive, does nothing. Only then is the lane free again. Settles of a batch that never
 * ran ride in a later one; settles of a batch of which nobody knows any more are given up and counted, and what they would have
 * given back stays charged.
 *
 * <p>Locks: none are held around a call to Redis. A lane belongs to the thread that took it from {@code freeLanes}.
 */
final class Slot {
    private static final Logger log = LoggerFactory.getLogger(RedisLedger.class);

    private static final int LANES = 4;
    private static final int ASKS_A_BATCH = 64;
    private static final int SETTLES_A_BATCH = 256;
    private static final long LANE_IDLE_NANOS = TimeUnit.SECONDS.toNanos(30);
    /** A batch that takes longer holds up nobody any more. */
    private static final long SLOW_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

    private static final long GATHER_NANOS = TimeUnit.MILLISECONDS.toNanos(1);
    private static final long RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
    private static final long PUMP_IDLE_NANOS = TimeUnit.SECONDS.toNanos(5);
    private static final Executor SOON = CompletableFuture.delayedExecutor(10, TimeUnit.MILLISECONDS, Runnable::run);

    private final RedisLedger ledger;
    private final Waiters waiters;
    private final Leases leases;
    private final Lines lines;
    private final ServerClock clock;
    private final BatchSender sender;
    private final long timeoutNanos;

    /** The last one first: a server that lost its last writes does not know that one. */
    private final Deque<Lane> freeLanes = new ConcurrentLinkedDeque<>();

    private final AtomicInteger leading = new AtomicInteger();
    private final AtomicInteger batchesUnheard = new AtomicInteger();
    private volatile long begunNanos;
    private final Queue<Ask> asks = new ConcurrentLinkedQueue<>();
    private final AtomicInteger asksWaiting = new AtomicInteger();
    private final AtomicInteger undecided = new AtomicInteger();
    private final Queue<Ask> watched = new ConcurrentLinkedQueue<>();
    private final AtomicBoolean watching = new AtomicBoolean();
    private final Queue<Settling> settles = new ConcurrentLinkedQueue<>();
    private final AtomicInteger settlesWaiting = new AtomicInteger();
    private final Set<Settling> unsettled = ConcurrentHashMap.newKeySet();
    private final Queue<Unknown> unknown = new ConcurrentLinkedQueue<>();
    private final AtomicReference<@Nullable Thread> pump = new AtomicReference<>();
    private volatile boolean pumpSleeps = true;
    /** Could not be started when that was tried last. */
    private volatile boolean pumpFails;

    private volatile boolean settlesApart;

    /** A call that wants to be decided, and whoever waits for that. */
    private static final class Ask {
        volatile Batch.Call.Reserve call;
        final long deadlineNanos;
        final @Nullable Thread caller;
        /** Of a call that waits: it is not asked again before it is known what became of it. */
        final boolean untilKnown;

        final CompletableFuture<Batch.Result> answer = new CompletableFuture<>();
        /** What the caller hears, unless that is for the answer to say. */
        volatile @Nullable Verdict verdict;
        /** In a batch already: there is nothing to lead for it. */
        volatile boolean taken;
        /** Asked again, since it was denied while something that may give back was on its way. */
        volatile boolean again;

        Ask(Batch.Call.Reserve call, long deadlineNanos, @Nullable Thread caller, boolean untilKnown) {
            this.call = call;
            this.deadlineNanos = deadlineNanos;
            this.caller = caller;
            this.untilKnown = untilKnown;
        }
    }

    /** One subject of a call that has ended; a renewal of those that have not; or what changes its balances otherwise. */
    static final class Settling {
        final Batch.Call call;
        final Consumer<Batch.Result> then;
        final long createdNanos;
        /** Fails where it never will be in Redis. */
        final CompletableFuture<Void> done = new CompletableFuture<>();

        Settling(Batch.Call call, Consumer<Batch.Result> then, long createdNanos) {
            this.call = call;
            this.then = then;
            this.createdNanos = createdNanos;
        }

        boolean isCorrection() {
            return call instanceof Batch.Call.Correct;
        }

        /** Whose loss leaves balances wrong. */
        boolean isMissed() {
            return call instanceof Batch.Call.Settle || (call instanceof Batch.Call.ByHand && !isForgottenSoon());
        }

        /** What would be old news, or come at a time when nobody expects it any more. */
        boolean isForgottenSoon() {
            return isCorrection()
                    || call instanceof Batch.Call.Recharge
                    || (call instanceof Batch.Call.ByHand byHand && byHand.change() == Ledger.Change.RESET);
        }
    }

    /** What travels together, in this order. */
    private record Cargo(List<Ask> asks, List<Settling> settles, Batch batch) {
        boolean isEmpty() {
            return asks.isEmpty() && settles.isEmpty();
        }

        /** What is denied only as something is not settled yet must not keep others from going. */
        void beginsNoCoolDownWhereAskedAgain() {
            for (int i = 0; i < asks.size(); i++) {
                if (!asks.get(i).again) {
                    batch.beginsNoCoolDown(i);
                }
            }
        }
    }

    /** A batch that may have run. */
    private record Unknown(Lane lane, Cargo cargo) {}

    /** @param lanes what the keys of its lanes begin with, which lie in this slot */
    Slot(RedisLedger ledger, BatchSender sender, ServerClock clock, String lanes) {
        this.ledger = ledger;
        this.waiters = ledger.waiters;
        this.leases = ledger.leases;
        this.lines = ledger.lines;
        this.timeoutNanos = ledger.timeoutNanos;
        this.clock = clock;
        this.sender = sender;
        for (int i = 0; i < LANES; i++) {
            freeLanes.push(new Lane(lanes + "-" + i, clock.nanoTime()));
        }
    }

    /** Makes a connection meanwhile, so that the first call finds one, and says what keeps it from working. */
    void connect(Lane none, Diagnosis diagnosis) {
        startPump(() -> {
            try {
                sender.connect(none, lines, timeoutNanos);
                diagnosis.examine(none.key(), timeoutNanos);
            } catch (JedisDataException e) {
                diagnosis.examine(none.key(), timeoutNanos);
            } catch (JedisException e) {
                diagnosis.tell(e);
            } catch (Throwable e) {
                log.error("connecting failed in a way that nobody expected", e);
            }
            pump();
        });
    }

    // -------------------------------------------------------------------------------------------- what is asked of it

    /** Decides on the caller's thread. */
    Verdict reserve(Batch.Call.Reserve call, long deadlineNanos) throws GuardUnavailableException {
        Ask ask = new Ask(call, deadlineNanos, Thread.currentThread(), false);
        boolean interrupted = false;
        boolean isWatched = false;
        begin(ask);
        try {
            while (!ask.answer.isDone()) {
                // An interrupted thread cannot park, and a virtual one loses its socket; a decision soon ends.
                interrupted |= Thread.interrupted();
                Lane lane = ask.taken ? null : laneToLead();
                if (lane != null) {
                    lead(lane, loaded(lane, this::asksAndMaybeSettles), deadlineNanos);
                } else if (!isWatched) {
                    // It may wait for a lock there, and so miss that it was woken: it looks once more before it parks.
                    watch(ask);
                    isWatched = true;
                } else {
                    LockSupport.park(this);
                }
            }
            return verdict(ask, joined(ask.answer));
        } catch (Throwable e) {
            // It led others, and nobody is left to hear of its own answer.
            if (!fail(ask, e) && !ask.answer.isCompletedExceptionally()) {
                takeBack(ask, ask.answer.join());
            }
            throw e;
        } finally {
            // Whoever gave up may have been the one that was woken to lead.
            if (ask.answer.isCompletedExceptionally()) {
                wakeNextLeader();
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** {@link #reserve} without holding the caller's thread. */
    CompletableFuture<Verdict> reserveAsync(Batch.Call.Reserve call, long deadlineNanos) {
        Ask ask = new Ask(call, deadlineNanos, null, false);
        askForOther(ask);
        // The caller's continuations are not for the thread of whoever led.
        return Continuations.after(ask.answer, result -> verdict(ask, result));
    }

    /** Has something asked for nobody's thread; the answer fails only where it is certain that it was not done. */
    CompletableFuture<Batch.Result> ask(Batch.Call.Reserve call, long deadlineNanos) {
        Ask ask = new Ask(call, deadlineNanos, null, true);
        askForOther(ask);
        return ask.answer;
    }

    private void askForOther(Ask ask) {
        begin(ask);
        watch(ask);
        wakeNextLeader();
    }

    private static Verdict verdict(Ask ask, Batch.Result result) {
        Verdict other = ask.verdict;
        return other != null ? other : ((Batch.Result.Decided) result).verdict();
    }

    /** While the guard closes, calls that wait may still ask, as they have to leave. */
    private void begin(Ask ask) {
        undecided.incrementAndGet();
        if (ledger.isClosing() && !ask.untilKnown) {
            fail(ask, Waiters.closed());
        } else {
            enqueue(ask);
        }
    }

    private void enqueue(Ask ask) {
        asksWaiting.incrementAndGet();
        asks.add(ask);
        if (ledger.isClosed()) {
            fail(ask, Waiters.closed());
        }
    }

    /** @param after once that is done */
    void begin(Settling settling, CompletableFuture<Void> after) {
        unsettled.add(settling);
        ledger.unsettled.incrementAndGet();
        if (after.isDone()) {
            enqueue(settling);
        } else {
            CompletableFuture<Void> unused = after.thenRun(() -> enqueue(settling));
        }
    }

    private void enqueue(Settling settling) {
        settlesWaiting.incrementAndGet();
        settles.add(settling);
        if (pumpSleeps) {
            wakePump();
        }
    }

    List<List<Standing>> look(List<Claim> newcomer, long deadlineNanos) throws GuardUnavailableException {
        Lane none = new Lane(newcomer.get(0).subject().key(), clock.nanoTime());
        try {
            while (true) {
                Batch batch = new Batch(lines);
                batch.add(new Batch.Call.Look(newcomer));
                Batch.Result result = sender.send(Batch.Mode.LOOK, none, batch, deadlineNanos)
                        .results()
                        .get(0);
                if (result instanceof Batch.Result.Looked looked) {
                    return looked.standings();
                } else if (result instanceof Batch.Result.Refused refused) {
                    throw refused.why();
                } else if (clock.nanoTime() - deadlineNanos > 0) {
                    throw new GuardUnavailableException("Redis did not answer within " + ledger.timeoutText());
                }
            }
        } catch (NotRunException | UnknownOutcomeException e) {
            throw unavailable(e);
        }
    }

    /** {@link Ledger#takeLoss} of what lies here. */
    boolean takeLoss() {
        return sender.takeLoss();
    }

    /** {@link Ledger#countsNanos} of a limit here. */
    long countsNanos(Limit limit) {
        return clock.countsNanos(limit);
    }

    /** What was begun here, and is not in Redis yet. */
    List<Settling> unsettled() {
        return List.copyOf(unsettled);
    }

    /**
     * Whether nothing is on its way any more. Each of these may leave one of those after it, never before it is there itself: hence the
     * order.
     */
    boolean isQuiet() {
        return undecided.get() == 0 && batchesUnheard.get() == 0 && unknown.isEmpty();
    }

    /** Once the ledger is closed: what is left is given up. */
    void close() {
        LockSupport.unpark(pump.get());
        for (Ask ask : asks) {
            fail(ask, Waiters.closed());
        }
    }

    void giveUp(String why) {
        giveUp(unsettled(), why);
    }

    // ------------------------------------------------------------------------------------------------ who may lead

    private boolean mayLead() {
        int leaders = leading.get();
        if (leaders == 0 || leaders == LANES) {
            return leaders == 0;
        }
        return asksWaiting.get() >= ASKS_A_BATCH
                || undecided.get() <= LANES
                || clock.nanoTime() - begunNanos > SLOW_NANOS;
    }

    private @Nullable Lane laneToLead() {
        return mayLead() && !ledger.isClosed() ? take() : null;
    }

    private @Nullable Lane take() {
        Lane lane = freeLanes.poll();
        if (lane != null) {
            leading.incrementAndGet();
            batchesUnheard.incrementAndGet();
        }
        return lane;
    }

    private void release(Lane lane) {
        freeLanes.push(lane);
        leading.decrementAndGet();
        wakeNextLeader();
    }

    private void toPump(Lane lane, Cargo cargo) {
        unknown.add(new Unknown(lane, cargo));
        leading.decrementAndGet();
        wakePump();
        wakeNextLeader();
    }

    private void wakeNextLeader() {
        Ask next = asks.peek();
        while (next != null && next.answer.isDone()) {
            if (asks.remove(next)) {
                asksWaiting.decrementAndGet();
            }
            next = asks.peek();
        }
        if (next != null && mayLead() && !freeLanes.isEmpty()) {
            if (next.caller == null) {
                wakePump();
            } else {
                LockSupport.unpark(next.caller);
            }
        }
    }

    // ----------------------------------------------------------------------------------------------------- the watch

    /** Has its deadline looked after. */
    private void watch(Ask ask) {
        watched.add(ask);
        if (!watching.get() && watching.compareAndSet(false, true)) {
            lookSoon();
        }
    }

    private void lookSoon() {
        try {
            SOON.execute(this::lookAfterDeadlines);
        } catch (Throwable e) {
            watching.set(false);
            throw e;
        }
    }

    private void lookAfterDeadlines() {
        long now = clock.nanoTime();
        List<Ask> waiting = new ArrayList<>();
        for (Ask ask = watched.poll(); ask != null; ask = watched.poll()) {
            if (ask.deadlineNanos - now <= 0 && (ledger.isClosed() || !(ask.untilKnown && ask.taken))) {
                fail(ask, new GuardUnavailableException("Redis did not decide within " + ledger.timeoutText()));
            } else if (!ask.answer.isDone()) {
                waiting.add(ask);
            }
        }
        watched.addAll(waiting);
        if (waiting.isEmpty()) {
            watching.set(false);
            if (watched.isEmpty() || !watching.compareAndSet(false, true)) {
                return;
            }
        }
        lookSoon();
        wakeNextLeader();
        wakeOneThatDoesNotLead();
        if (pumpSleeps && !(unknown.isEmpty() && settles.isEmpty())) {
            // Whoever left it that may not have been able to wake it.
            wakePump();
        }
    }

    /** Those who are to lead next may be held up by a batch that they lead already, but not by more than there are lanes. */
    private void wakeOneThatDoesNotLead() {
        if (mayLead() && !freeLanes.isEmpty()) {
            asks.stream()
                    .filter(ask -> !ask.answer.isDone())
                    .flatMap(ask -> Stream.ofNullable(ask.caller))
                    .limit(LANES + 1)
                    .forEach(LockSupport::unpark);
        }
    }

    // ------------------------------------------------------------------------------------------- leading a batch

    /** Has a batch decided, and says whether it was. The lane is given back, or is the pump's. */
    private boolean lead(Lane lane, Cargo cargo, long deadlineNanos) {
        try {
            return sendAndAnswer(lane, cargo, deadlineNanos);
        } finally {
            batchesUnheard.decrementAndGet();
        }
    }

    private boolean sendAndAnswer(Lane lane, Cargo cargo, long deadlineNanos) {
        if (cargo.isEmpty()) {
            release(lane);
            return true;
        }
        long begun = clock.nanoTime();
        long endedNanos;
        begunNanos = begun;
        wakeNextLeader();
        Batch.Reply reply;
        boolean settlesElsewhere = unsettled.size() > cargo.settles.size();
        if (settlesElsewhere) {
            cargo.beginsNoCoolDownWhereAskedAgain();
        }
        try {
            if (lane.idleFor(LANE_IDLE_NANOS, clock.nanoTime())) {
                lane.renew();
            }
            reply = sender.send(Batch.Mode.RUN, lane, cargo.batch, deadlineNanos);
            endedNanos = clock.nanoTime();
            lane.advance(endedNanos);
        } catch (NotRunException e) {
            settlesApart |= !cargo.settles.isEmpty();
            cargo.settles.forEach(this::enqueue);
            for (Ask ask : cargo.asks) {
                if (e.getCause() == null && ask.deadlineNanos - clock.nanoTime() > 0 && !ledger.isClosed()) {
                    again(ask);
                } else {
                    fail(ask, unavailable(e));
                }
            }
            release(lane);
            tellOfFailure(cargo, begun, Result.NOT_RUN);
            return false;
        } catch (UnknownOutcomeException e) {
            failAll(cargo, e);
            toPump(lane, cargo);
            tellOfFailure(cargo, begun, Result.UNKNOWN);
            return false;
        } catch (Throwable e) {
            failAll(cargo, e);
            toPump(lane, cargo);
            throw e;
        }
        // The next batch first: those who lead it need not wait until all of these are told.
        release(lane);
        answer(cargo, reply.results(), settlesElsewhere);
        waiters.told(reply.wakes(), clock);
        wakeNextLeader();
        tell(cargo, endedNanos - begun, Result.ANSWERED);
        return true;
    }

    private void tellOfFailure(Cargo cargo, long begun, Result result) {
        if (ledger.listeners.anybodyHears()) {
            tell(cargo, clock.nanoTime() - begun, result);
        }
    }

    private void tell(Cargo cargo, long tookNanos, Result result) {
        ledger.listeners.batch(cargo.asks.size(), cargo.settles.size(), tookNanos, result);
    }

    /** Of a batch that may have run: those who can be told already. */
    private void failAll(Cargo cargo, Throwable why) {
        for (Ask ask : cargo.asks) {
            if (!ask.untilKnown) {
                fail(ask, unavailable(why));
            }
        }
    }

    /** What a caller leads. One that is alone leaves the settles to the pump, which gathers them: they would make it wait. */
    private void asksAndMaybeSettles(Cargo cargo) {
        addAsks(cargo);
        if (!settlesApart && (cargo.asks.size() > 1 || settlesWaiting.get() >= ASKS_A_BATCH)) {
            addSettles(cargo);
        }
    }

    /** What the pump leads. A full Redis refuses a batch that reserves, but not one that only settles. */
    private void settlesAndMaybeAsks(Cargo cargo) {
        if (!settlesApart) {
            addAsks(cargo);
        }
        addSettles(cargo);
        if (cargo.isEmpty()) {
            addAsks(cargo);
        }
    }

    /** What goes by this lane, which is given back, like all else that was to go, where one of it cannot be written. */
    private Cargo loaded(Lane lane, Consumer<Cargo> loading) {
        Cargo cargo = new Cargo(new ArrayList<>(), new ArrayList<>(), new Batch(lines, ledger::latest));
        try {
            loading.accept(cargo);
            return cargo;
        } catch (Throwable e) {
            cargo.settles.forEach(this::enqueue);
            cargo.asks.forEach(this::again);
            batchesUnheard.decrementAndGet();
            release(lane);
            throw e;
        }
    }

    private void addAsks(Cargo cargo) {
        while (cargo.asks.size() < ASKS_A_BATCH && cargo.batch.hasRoom()) {
            Ask ask = asks.poll();
            if (ask == null) {
                return;
            }
            asksWaiting.decrementAndGet();
            if (!ask.answer.isDone()) {
                ask.taken = true;
                try {
                    cargo.batch.add(ask.call);
                } catch (Throwable e) {
                    fail(ask, unavailable(e));
                    throw e;
                }
                cargo.asks.add(ask);
            }
        }
    }

    private void addSettles(Cargo cargo) {
        while (cargo.settles.size() < SETTLES_A_BATCH && cargo.batch.hasRoom()) {
            Settling settling = settles.poll();
            if (settling == null) {
                return;
            }
            settlesWaiting.decrementAndGet();
            if (settling.isForgottenSoon() && clock.nanoTime() - settling.createdNanos > timeoutNanos) {
                fail(settling, "Redis did not take it within " + ledger.timeoutText());
            } else {
                try {
                    cargo.batch.add(settling.call);
                } catch (Throwable e) {
                    giveUp(List.of(settling), String.valueOf(e));
                    throw e;
                }
                cargo.settles.add(settling);
            }
        }
    }

    /** @param settlesElsewhere whether something was to be settled, and not by this batch, when it was sent */
    private void answer(Cargo cargo, List<Batch.Result> results, boolean settlesElsewhere) {
        for (int i = 0; i < cargo.settles.size(); i++) {
            settled(cargo.settles.get(i), results.get(cargo.asks.size() + i));
        }
        CompletableFuture<?> settled = null;
        for (int i = 0; i < cargo.asks.size(); i++) {
            Ask ask = cargo.asks.get(i);
            if (isDenied(results.get(i)) && !ask.again && settlesElsewhere) {
                settled = settled == null ? allSettled() : settled;
                askAgainAfter(settled, ask);
            } else {
                decided(ask, results.get(i));
            }
        }
        if (!cargo.settles.isEmpty()) {
            settlesApart = false;
        }
    }

    private static boolean isDenied(Batch.Result result) {
        return result instanceof Batch.Result.Decided decided && decided.verdict() instanceof Verdict.Shortfall;
    }

    /** Until what has been settled in this process so far is in Redis. */
    private CompletableFuture<?> allSettled() {
        wakePump();
        return CompletableFuture.allOf(
                unsettled.stream().map(settling -> settling.done).toArray(CompletableFuture<?>[]::new));
    }

    private void askAgainAfter(CompletableFuture<?> settled, Ask ask) {
        ask.again = true;
        CompletableFuture<?> unused = settled.whenComplete((nothing, failure) -> {
            again(ask);
            wakeNextLeader();
        });
    }

    private void decided(Ask ask, Batch.Result result) {
        if (result instanceof Batch.Result.Refused refused) {
            fail(ask, refused.why());
        } else if (result instanceof Batch.Result.AskAgain) {
            ask.call = ask.call.namingLines();
            again(ask);
        } else {
            if (result instanceof Batch.Result.Decided decided
                    && decided.verdict() instanceof Verdict.Granted granted) {
                leases.begin(granted);
            }
            if (!ask.untilKnown && !ask.answer.isDone()) {
                ask.verdict = waiters.begins(ask.call, result);
            }
            if (ask.answer.complete(result)) {
                ended(ask);
            } else {
                takeBack(ask, result);
            }
        }
    }

    private void takeBack(Ask ask, Batch.Result result) {
        ledger.takeBack(ask.call, ask.verdict, result);
    }

    private void again(Ask ask) {
        ask.taken = false;
        enqueue(ask);
    }

    private boolean fail(Ask ask, Throwable why) {
        boolean first = ask.answer.completeExceptionally(why);
        if (first) {
            ended(ask);
        }
        return first;
    }

    private void ended(Ask ask) {
        undecided.decrementAndGet();
        if (ask.caller != Thread.currentThread()) {
            LockSupport.unpark(ask.caller);
        }
    }

    private void settled(Settling settling, Batch.Result result) {
        if (result instanceof Batch.Result.AskAgain) {
            enqueue(settling);
            return;
        }
        if (result instanceof Batch.Result.Refused refused) {
            giveUp(List.of(settling), String.valueOf(refused.why().getMessage()));
            return;
        } else if (!settling.isCorrection() || result instanceof Batch.Result.Corrected) {
            try {
                settling.then.accept(result);
            } catch (RuntimeException e) {
                log.error("what follows a settle failed", e);
            }
        }
        ended(settling);
        settling.done.complete(null);
    }

    private void fail(Settling settling, String why) {
        ended(settling);
        settling.done.completeExceptionally(new GuardUnavailableException(why));
    }

    private void ended(Settling settling) {
        if (unsettled.remove(settling)) {
            ledger.unsettled.decrementAndGet();
        }
    }

    private void giveUp(Collection<Settling> settlings, String why) {
        ledger.giveUp((int) settlings.stream().filter(Settling::isMissed).count(), why);
        settlings.forEach(settling -> fail(settling, why));
    }

    // -------------------------------------------------------------------------------------------------- the pump

    /** Where no thread can be started, whoever has something decided or settled meanwhile must not be left without that. */
    private void wakePump() {
        Thread there = pump.get();
        if (there != null) {
            LockSupport.unpark(there);
            return;
        }
        try {
            startPump(this::pump);
            pumpFails = false;
        } catch (Throwable e) {
            if (!pumpFails) {
                log.error(
                        "no thread can be started; settles, and asynchronous calls, go with those of others until then",
                        e);
            }
            pumpFails = true;
        }
    }

    private void startPump(Runnable task) {
        Thread thread = new Thread(task, "costguard-ledger");
        thread.setDaemon(true);
        if (pump.compareAndSet(null, thread)) {
            try {
                thread.start();
            } catch (Throwable e) {
                pump.set(null);
                throw e;
            }
        }
    }

    private void pump() {
        pumpSleeps = false;
        long cancelAgainNanos = clock.nanoTime();
        long idleSinceNanos = clock.nanoTime();
        while (!ledger.isClosed()) {
            try {
                boolean cancels = !unknown.isEmpty() && clock.nanoTime() - cancelAgainNanos >= 0;
                if (cancels) {
                    cancelAgainNanos = clock.nanoTime() + (cancelUnknown() ? 0 : RETRY_NANOS);
                } else if (asyncMayLead() || !settles.isEmpty()) {
                    leadForOthers();
                } else {
                    pumpSleeps = true;
                    if (settles.isEmpty() && unknown.isEmpty()) {
                        if (clock.nanoTime() - idleSinceNanos > PUMP_IDLE_NANOS && ends()) {
                            return;
                        }
                        LockSupport.parkNanos(this, PUMP_IDLE_NANOS);
                    } else if (settles.isEmpty()) {
                        LockSupport.parkNanos(this, cancelAgainNanos - clock.nanoTime());
                    }
                    pumpSleeps = false;
                    continue;
                }
                idleSinceNanos = clock.nanoTime();
            } catch (Throwable e) {
                // Nobody else would settle or cancel.
                log.error("a batch failed in a way that nobody expected", e);
                LockSupport.parkNanos(this, RETRY_NANOS);
            }
        }
    }

    /** Whoever comes from now on starts another, unless somebody has come just before, and woken this one in vain. */
    private boolean ends() {
        pump.set(null);
        boolean isNeeded = !settles.isEmpty() || !unknown.isEmpty() || asyncMayLead();
        return !(isNeeded && pump.compareAndSet(null, Thread.currentThread()));
    }

    private void leadForOthers() {
        if (!asyncMayLead()) {
            LockSupport.parkNanos(this, GATHER_NANOS);
        }
        Lane lane = take();
        if (lane == null) {
            LockSupport.parkNanos(this, GATHER_NANOS);
            return;
        }
        Cargo cargo = loaded(lane, this::settlesAndMaybeAsks);
        long deadlineNanos = clock.nanoTime() + timeoutNanos;
        for (Ask ask : cargo.asks) {
            deadlineNanos = deadlineNanos - ask.deadlineNanos > 0 ? ask.deadlineNanos : deadlineNanos;
        }
        if (!lead(lane, cargo, deadlineNanos) && !asyncMayLead()) {
            LockSupport.parkNanos(this, RETRY_NANOS);
        }
    }

    private boolean asyncMayLead() {
        Ask next = asks.peek();
        return next != null && next.caller == null && mayLead();
    }

    /** Tries to learn, and undo, what became of the first unknown batch; says whether it did. Else it is the last from now on. */
    private boolean cancelUnknown() {
        Unknown oldest = unknown.peek();
        if (oldest == null) {
            return true;
        }
        Lane lane = oldest.lane;
        Cargo cargo = oldest.cargo;
        try {
            Batch.Reply reply = sender.send(Batch.Mode.CANCEL, lane, cargo.batch, clock.nanoTime() + timeoutNanos);
            // To a lane that is gone, its first batch looks as if it had never come.
            boolean lost = reply.status() == Batch.Status.LANE_REFUSED
                    || (reply.status() == Batch.Status.CANCELLED_BEFORE_IT_CAME && lane.number() == 1);
            if (reply.status() == Batch.Status.LANE_REFUSED) {
                lane.renew();
                giveUp(cargo.settles, "Redis lost what it remembered of this process");
            } else {
                lane.advance(clock.nanoTime());
                if (reply.status() == Batch.Status.CANCELLED_BEFORE_IT_CAME) {
                    cargo.settles.forEach(this::enqueue);
                } else {
                    for (int i = 0; i < cargo.settles.size(); i++) {
                        settled(cargo.settles.get(i), reply.results().get(cargo.asks.size() + i));
                    }
                }
            }
            // What it did is undone, so that calls that wait may ask again.
            for (Ask ask : cargo.asks) {
                if (ask.untilKnown) {
                    fail(ask, new GuardUnavailableException("Redis did not answer in time"));
                } else if (lost) {
                    waiters.leaveWhereverItStands(ask.call);
                }
            }
            waiters.told(reply.wakes(), clock);
            unknown.remove(oldest);
            freeLanes.push(lane);
            wakeNextLeader();
            return true;
        } catch (NotRunException | UnknownOutcomeException e) {
            log.debug("a batch of which nobody knows whether it ran could not be cancelled yet", e);
            unknown.add(oldest);
            unknown.remove(oldest);
            return false;
        }
    }

    // ------------------------------------------------------------------------------------------------- the words

    static <T> T joined(CompletableFuture<T> answer) throws GuardUnavailableException {
        try {
            return answer.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof GuardUnavailableException unavailable) {
                throw new GuardUnavailableException(String.valueOf(unavailable.getMessage()), unavailable);
            }
            throw e;
        }
    }

    private GuardUnavailableException unavailable(Throwable why) {
        Throwable cause = why.getCause() == null ? why : why.getCause();
        return new GuardUnavailableException(
                "Redis did not decide within " + ledger.timeoutText() + ": " + Diagnosis.reason(why), cause);
    }
}
