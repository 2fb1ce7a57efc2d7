package io.costguard.redis;

import io.costguard.GuardUnavailableException;
import io.costguard.limit.Claim;
import io.costguard.limit.Patience;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The calls of this process that wait. Each asks when its line tells it to, and again only once it knows what became of the last
 * time; it holds no thread. While any of them waits, the process sends a heartbeat each second, which also tells what was missed.
 */
final class Waiters {
    private static final Logger log = LoggerFactory.getLogger(Waiters.class);

    private static final Pattern WAKE = Pattern.compile("([0-9]{1,15}) ([0-9]{1,18})");

    private static final long BEAT_NANOS = TimeUnit.SECONDS.toNanos(1);
    /** Where nobody can be told. */
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
    /** How late a call may be that leaves others their share: what is given back, nobody tells it. */
    private static final long LATEST_NANOS = TimeUnit.SECONDS.toNanos(1);

    private static final long RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
    /** How long after its deadline a call still tries to leave; then it is dropped at its turn. */
    private static final long LEAVING_NANOS = TimeUnit.MINUTES.toNanos(1);

    /** Without a call that waits. */
    private static final int BEATS_UNTIL_DEAF = 10;

    private final Asker asker;
    private final Lines lines;
    private final ServerClock clock;
    private final long timeoutNanos;

    private final AtomicLong lastNumber = new AtomicLong();
    private final Map<Long, Waiter> waiting = new ConcurrentHashMap<>();
    /** Those who ask: they may be let go although nobody wants it any more. */
    private final Set<Waiter> unanswered = ConcurrentHashMap.newKeySet();

    private final Set<Waiter> leaving = ConcurrentHashMap.newKeySet();
    private final AtomicBoolean beating = new AtomicBoolean();
    private volatile @Nullable Runnable stopsListening;
    private volatile boolean deaf;
    private volatile boolean closing;
    private volatile boolean closed;

    /** The ledger, as far as calls that wait need it. */
    interface Asker {
        /** Has something asked of the script in the next batch; the answer fails only where it is certain that it was not done. */
        CompletableFuture<Batch.Result> ask(Batch.Call.Reserve call);

        /** For a call that was let go when nobody wanted it any more. */
        void giveBack(Verdict.Granted granted);

        /** Hears what other processes tell this one, until what it answers is run. */
        Runnable listen(Listening.Listener listener);
    }

    Waiters(Asker asker, Lines lines, ServerClock clock, long timeoutNanos) {
        this.asker = asker;
        this.lines = lines;
        this.clock = clock;
        this.timeoutNanos = timeoutNanos;
    }

    /** What a call asks that puts up with this. */
    Batch.Call.Reserve call(List<Claim> claims, Patience patience) {
        if (patience.isNone()) {
            return new Batch.Call.Reserve(claims);
        }
        return new Batch.Call.Reserve(claims, Batch.LineOperation.of(patience, lastNumber.incrementAndGet()));
    }

    /** Lets nobody go for so long. */
    static Batch.Call.Reserve hold(List<Subject> subjects, Duration hold) {
        List<Claim> claims = new ArrayList<>();
        for (Subject subject : subjects) {
            claims.add(Claim.ofNothing(subject));
        }
        return new Batch.Call.Reserve(
                claims, new Batch.LineOperation(Batch.LineOperation.Kind.HOLD, 0, 0, hold.toNanos() / 1_000));
    }

    /** What becomes of a call that is not let go, if it waits from now on. */
    @Nullable Verdict begins(Batch.Call.Reserve call, Batch.Result result) {
        if (result instanceof Batch.Result.Joined joined) {
            return joined(call, joined);
        } else if (result instanceof Batch.Result.Decided decided
                && decided.verdict() instanceof Verdict.Shortfall denied
                && call.operation() != null
                && call.operation().leavesShare()) {
            return mayReturn(call, denied);
        }
        return null;
    }

    /** A call that stands in line from now on. */
    private Verdict.Waiting joined(Batch.Call.Reserve call, Batch.Result.Joined joined) {
        Waiter waiter = new Waiter(call, joined.expected(), joined.place());
        waiter.stands(joined);
        waiter.begin();
        return waiter.verdict;
    }

    /** Redis knows of no call of this process in this line: those that stand there ask, and stand in it again. */
    private void lost(Subject subject) {
        for (Waiter waiter : waiting.values()) {
            if (waiter.standsIn(subject)) {
                waiter.askAfter(0);
            }
        }
    }

    /** A call that leaves others their share, and asks again and again; it is denied if that would be too late. */
    private Verdict mayReturn(Batch.Call.Reserve call, Verdict.Shortfall denied) {
        if (denied.waitMicros() * 1_000 >= patienceNanos(call)) {
            return denied;
        }
        Waiter waiter = new Waiter(call, denied, 0);
        waiter.begin();
        waiter.askAfter(waiter.untilNextLook(denied) / 1_000);
        return waiter.verdict;
    }

    private static long patienceNanos(Batch.Call.Reserve call) {
        return call.operation() == null ? 0 : call.operation().waitMicros() * 1_000;
    }

    /** For a call that gave up before it heard that it joined. */
    void leave(Batch.Call.Reserve call, Batch.Result.Joined joined) {
        new Waiter(call, joined.expected(), joined.place()).leave();
    }

    /** For a call that gave up, and of which Redis no longer knows what it answered: it may have joined. */
    void leaveWhereverItStands(Batch.Call.Reserve call) {
        Batch.LineOperation operation = call.operation();
        if (operation != null
                && (operation.kind() == Batch.LineOperation.Kind.JOIN
                        || operation.kind() == Batch.LineOperation.Kind.UP_TO)) {
            new Waiter(call, unknown(call), 0).goAway();
        }
    }

    /** Of a call of which nobody knows what it lacks. */
    static Verdict.Shortfall unknown(Batch.Call.Reserve call) {
        return new Verdict.Shortfall(call.claims().get(0), 0, 0, 0, 0, 0);
    }

    /** @param server whose time the moments are in */
    void told(List<Batch.Wake> wakes, ServerClock server) {
        for (Batch.Wake wake : wakes) {
            askAfter(wake.number(), wake.micros() - server.micros());
        }
    }

    /** Where it waits, that call asks after so many microseconds. */
    void askAfter(long number, long micros) {
        Waiter waiter = waiting.get(number);
        if (waiter != null) {
            waiter.askAfter(micros);
        }
    }

    /** Nobody waits any longer, and whoever joins leaves at once. */
    void leave() {
        closing = true;
        for (Waiter waiter : waiting.values()) {
            waiter.leaveClosed();
        }
    }

    /** How many wait. */
    int count() {
        return waiting.size();
    }

    /** Whether all that were to leave have left, and nobody can still be let go. */
    boolean areGone() {
        return unanswered.isEmpty() && leaving.isEmpty();
    }

    /** Nobody can ask any more; whoever has not left yet is dropped at its turn. */
    void close() {
        closed = true;
        if (!areGone()) {
            log.warn("calls that waited are still in line: the guard was closed while Redis was away");
        }
        stopListening();
    }

    static GuardUnavailableException closed() {
        return new GuardUnavailableException("the guard is closed");
    }

    private void after(long nanos, Runnable then) {
        CompletableFuture<Void> unused = clock.after(nanos).thenRun(then);
    }

    // -------------------------------------------------------------------------------------------------- one waiter

    private final class Waiter implements Verdict.Place {
        final Batch.Call.Reserve call;
        final long number;
        final Verdict.Waiting verdict;
        final CompletableFuture<Verdict> end = new CompletableFuture<>();
        private final ReentrantLock lock = new ReentrantLock();
        private final long deadlineNanos;
        private Verdict.Shortfall expected;
        private volatile long place;
        private boolean asking;
        private boolean leaves;
        private @Nullable Long askAtNanos;
        private long lookNanos = LOOK_NANOS;
        private volatile Runnable regressed = () -> {};

        Waiter(Batch.Call.Reserve call, Verdict.Shortfall expected, long place) {
            this.call = call;
            this.number = call.operation() == null ? 0 : call.operation().number();
            this.expected = expected;
            this.place = place;
            this.verdict = new Verdict.Waiting(expected, this);
            this.deadlineNanos = clock.nanoTime() + patienceNanos(call);
        }

        void begin() {
            waiting.put(number, this);
            CompletableFuture<Verdict> unused = end.whenComplete((verdict, failure) -> waiting.remove(number));
            unlessEndedWithin(patienceNanos(call), this::expire);
            beat();
            if (closing) {
                leaveClosed();
            }
        }

        void leaveClosed() {
            end.completeExceptionally(closed());
            leave();
        }

        /** Nothing of a call that ends before is kept until then. */
        private void unlessEndedWithin(long nanos, Runnable then) {
            CompletableFuture<Void> timer = clock.after(nanos);
            CompletableFuture<Void> unused = timer.thenRun(then);
            CompletableFuture<Verdict> unusedToo = end.whenComplete((verdict, failure) -> timer.complete(null));
        }

        @Override
        public CompletableFuture<Verdict> end() {
            return end;
        }

        @Override
        public void onRegressed(Runnable told) {
            regressed = told;
        }

        @Override
        public void leave() {
            end.cancel(false);
            if (mayAskLast()) {
                if (place != 0) {
                    goAway();
                } else {
                    unanswered.remove(this);
                }
            }
        }

        /** It asks for nothing more but to leave; says whether it may do so now, and not only once its last ask is answered. */
        private boolean mayAskLast() {
            lock.lock();
            try {
                leaves = true;
                boolean may = !asking;
                if (may) {
                    asking = true;
                    unanswered.add(this);
                }
                return may;
            } finally {
                lock.unlock();
            }
        }

        private void goAway() {
            leaving.add(this);
            unanswered.remove(this);
            CompletableFuture<?> unused = asker.ask(
                            new Batch.Call.Reserve(call.claims(), operation(Batch.LineOperation.Kind.LEAVE, place)))
                    .whenComplete((result, failure) -> {
                        if (failure == null) {
                            end.complete(expected);
                        }
                        if (failure == null || closed || clock.nanoTime() - deadlineNanos > LEAVING_NANOS) {
                            leaving.remove(this);
                        } else {
                            after(RETRY_NANOS, this::goAway);
                        }
                    });
        }

        /** That it has waited in vain is for Redis to say: by letting it leave, or by denying it once more. */
        private void expire() {
            if (end.isDone()) {
                return;
            }
            unlessEndedWithin(timeoutNanos, this::endUndecided);
            if (mayAskLast()) {
                if (place != 0) {
                    goAway();
                } else {
                    ask();
                }
            }
        }

        private void endUndecided() {
            long waitedNanos = clock.nanoTime() - deadlineNanos + patienceNanos(call);
            end.completeExceptionally(new GuardUnavailableException("the call waited "
                    + waitedNanos / 1_000_000 + " ms, and then Redis did not say within "
                    + timeoutNanos / 1_000_000 + " ms what has become of it"));
        }

        /** Asks after so many microseconds, unless it does so before. */
        void askAfter(long micros) {
            long at = clock.nanoTime() + Math.max(0, micros) * 1_000;
            lock.lock();
            try {
                if (askAtNanos != null && askAtNanos - at <= 0) {
                    return;
                }
                askAtNanos = at;
                if (asking) {
                    return;
                }
            } finally {
                lock.unlock();
            }
            askWhenDue();
        }

        private void askWhenDue() {
            lock.lock();
            try {
                if (asking || leaves || end.isDone() || askAtNanos == null) {
                    return;
                }
                long left = askAtNanos - clock.nanoTime();
                if (left > 0) {
                    unlessEndedWithin(left, this::askWhenDue);
                    return;
                }
                askAtNanos = null;
                asking = true;
                unanswered.add(this);
            } finally {
                lock.unlock();
            }
            ask();
        }

        private void ask() {
            CompletableFuture<?> unused = asker.ask(new Batch.Call.Reserve(call.claims(), asks()))
                    .whenComplete(this::asked)
                    .whenComplete((result, failure) -> unanswered.remove(this));
        }

        /** When there may be enough; where others wait for something else, nobody knows, and it looks less and less often. */
        private long untilNextLook(Verdict.Shortfall denied) {
            long nanos = Math.max(denied.waitMicros() * 1_000, LOOK_NANOS);
            if (denied.waitMicros() == 0) {
                nanos = lookNanos;
                lookNanos = Math.min(2 * lookNanos, LATEST_NANOS);
            }
            long jitter = ThreadLocalRandom.current().nextLong(LOOK_NANOS);
            return Math.min(nanos, LATEST_NANOS - LOOK_NANOS) + jitter;
        }

        private Batch.LineOperation asks() {
            return place == 0 && call.operation() != null
                    ? call.operation()
                    : operation(Batch.LineOperation.Kind.ASK, place);
        }

        /** Where Redis knew of none of its process, it has lost the others too. */
        private void stands(Batch.Result.Joined joined) {
            if (joined.isFirst()) {
                inLine().forEach(claim -> lost(claim.subject()));
            }
        }

        private void asked(Batch.@Nullable Result result, @Nullable Throwable failure) {
            if (result instanceof Batch.Result.Gone && !leaves) {
                regressed.run();
                CompletableFuture<?> unused = asker.ask(
                                new Batch.Call.Reserve(call.claims(), operation(Batch.LineOperation.Kind.JOIN, place)))
                        .whenComplete(this::asked);
                return;
            }
            if (result instanceof Batch.Result.Decided decided
                    && decided.verdict() instanceof Verdict.Granted granted) {
                if (!end.complete(granted)) {
                    asker.giveBack(granted);
                }
                return;
            }
            if (result instanceof Batch.Result.Joined joined) {
                place = joined.place();
                stands(joined);
            }
            boolean last;
            lock.lock();
            try {
                last = leaves;
                asking = last;
                if (result instanceof Batch.Result.Decided decided
                        && decided.verdict() instanceof Verdict.Shortfall denied) {
                    expected = denied;
                    askAtNanos = clock.nanoTime() + untilNextLook(denied);
                } else if (failure != null && askAtNanos == null) {
                    askAtNanos = clock.nanoTime() + RETRY_NANOS;
                }
            } finally {
                lock.unlock();
            }
            if (!last) {
                askWhenDue();
            } else if (place != 0) {
                goAway();
            } else if (failure == null) {
                end.complete(expected);
            } else {
                endUndecided();
            }
        }

        boolean standsIn(Subject subject) {
            return place != 0
                    && inLine().stream().anyMatch(claim -> claim.subject().equals(subject));
        }

        private List<Claim> inLine() {
            List<Claim> claims = new ArrayList<>();
            for (Claim claim : call.claims()) {
                if (!claim.subject().budget().isDryRun()) {
                    claims.add(claim);
                }
            }
            return claims;
        }

        private Batch.LineOperation operation(Batch.LineOperation.Kind kind, long at) {
            long leftMicros = Math.max(0, deadlineNanos - clock.nanoTime()) / 1_000;
            return new Batch.LineOperation(kind, number, at, leftMicros);
        }
    }

    // ----------------------------------------------------------------------------------------------- the heartbeat

    private void beat() {
        if (beating.compareAndSet(false, true)) {
            listen();
            after(BEAT_NANOS, () -> beats(0));
        }
    }

    private void beats(int idle) {
        Set<Subject> subjects = subjects();
        CompletableFuture<?> all = beatsOf(subjects);
        int silent = subjects.isEmpty() ? idle + 1 : 0;
        if (closed || silent >= BEATS_UNTIL_DEAF) {
            stopListening();
            beating.set(false);
            if (!waiting.isEmpty() && !closed) {
                beat();
            }
            return;
        }
        CompletableFuture<?> unused =
                all.whenComplete((nothing, failure) -> after(deaf ? LOOK_NANOS : BEAT_NANOS, () -> beats(silent)));
    }

    private Set<Subject> subjects() {
        return waiting.values().stream()
                .filter(waiter -> waiter.place != 0)
                .flatMap(waiter -> waiter.inLine().stream())
                .map(Claim::subject)
                .collect(Collectors.toCollection(LinkedHashSet::new));
    }

    private CompletableFuture<?> beatsOf(Set<Subject> subjects) {
        return CompletableFuture.allOf(
                subjects.stream().map(subject -> beats(subject, 0)).toArray(CompletableFuture<?>[]::new));
    }

    private CompletableFuture<Batch.Result> beats(Subject subject, long from) {
        Batch.LineOperation beat = new Batch.LineOperation(Batch.LineOperation.Kind.BEAT, 0, from, 0);
        return asker.ask(new Batch.Call.Reserve(List.of(Claim.ofNothing(subject)), beat))
                .thenCompose(result -> {
                    if (result instanceof Batch.Result.Beaten beaten) {
                        if (beaten.isFirst()) {
                            lost(subject);
                        }
                        if (beaten.next() > 0) {
                            return beats(subject, beaten.next());
                        }
                    }
                    return CompletableFuture.completedFuture(result);
                });
    }

    private void stopListening() {
        Runnable stops = stopsListening;
        stopsListening = null;
        if (stops != null) {
            stops.run();
        }
    }

    private void listen() {
        if (stopsListening != null) {
            return;
        }
        stopsListening = asker.listen(new Listening.Listener() {
            @Override
            public void onMessage(String message) {
                Matcher wake = WAKE.matcher(message);
                if (wake.matches()) {
                    askAfter(Long.parseLong(wake.group(1)), Long.parseLong(wake.group(2)) - clock.micros());
                }
            }

            @Override
            public void onListening() {
                deaf = false;
                CompletableFuture<?> unused = beatsOf(subjects());
            }

            @Override
            public void onForbidden(String why) {
                if (!deaf) {
                    deaf = true;
                    log.warn(
                            "waiting calls are not told when it is their turn, and look every {} instead: {}; allow the"
                                    + " channels {}*",
                            Duration.ofNanos(LOOK_NANOS),
                            why,
                            new String(lines.channel(), StandardCharsets.US_ASCII));
                }
            }
        });
    }
}
