package io.costguard.examples.page;

import io.costguard.LimitStatus;
import io.costguard.Outcome;
import io.costguard.Unit;
import io.costguard.examples.fleet.Amounts;
import io.costguard.examples.fleet.ApiKey;
import io.costguard.examples.fleet.Event;
import io.costguard.examples.fleet.Fleet;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** What the workers told so far, added up as the page shows it. Safe for use by many threads. */
final class Live {
    private static final int RECENT = 12;
    private static final int NEWS = 80;
    private static final int SAMPLES = 200;
    private static final long RATE_NANOS = TimeUnit.SECONDS.toNanos(5);
    private static final int RUNS = 3;

    /** A call that waits for its turn. */
    record Waiting(
            String call, String worker, String model, String team, String run, long sinceMillis, boolean isDead) {
        Waiting dead() {
            return new Waiting(call, worker, model, team, run, sinceMillis, true);
        }
    }

    /**
     * A call that was let go, and has not ended.
     *
     * @param by what let it go
     * @param isDead whether its process is gone: it stays charged, and its slot is taken until the lease ends
     */
    record Going(
            String call,
            String worker,
            String model,
            String team,
            String run,
            Event.What by,
            Amounts reserved,
            long sinceMillis,
            boolean isDead) {
        Going dead() {
            return new Going(call, worker, model, team, run, by, reserved, sinceMillis, true);
        }
    }

    /** A loop of calls under one budget. */
    record Run(String run, String team, boolean isOver, String said, long calls, Amounts charged) {}

    /** A thing that happened, with its number. */
    record News(long number, Event event) {}

    /** What became of calls. */
    record Counts(long granted, long waited, long denied, long settled, long uncounted, long leased, long notSent) {
        static final Counts NONE = new Counts(0, 0, 0, 0, 0, 0, 0);

        Counts plus(Event event) {
            return switch (event.what()) {
                case GRANTED -> new Counts(granted + 1, waited, denied, settled, uncounted, leased, notSent);
                case WAITING -> new Counts(granted, waited + 1, denied, settled, uncounted, leased, notSent);
                case DENIED -> new Counts(granted, waited, denied + 1, settled, uncounted, leased, notSent);
                case SETTLED -> new Counts(granted, waited, denied, settled + 1, uncounted, leased, notSent);
                case UNCOUNTED -> new Counts(granted, waited, denied, settled, uncounted + 1, leased, notSent);
                case LEASED -> new Counts(granted, waited, denied, settled, uncounted, leased + 1, notSent);
                case ENDED ->
                    isNotSent(event)
                            ? new Counts(granted, waited, denied, settled, uncounted, leased, notSent + 1)
                            : this;
                default -> this;
            };
        }

        private static boolean isNotSent(Event event) {
            return event.numbers().status() == 503 && event.detail().startsWith("not sent");
        }
    }

    /** The middle and the slowest twentieth of the latest, in microseconds; 0 where there are none. */
    record Latency(long p50, long p95) {
        static Latency of(Deque<Long> samples) {
            long[] sorted = samples.stream().mapToLong(Long::longValue).sorted().toArray();
            return sorted.length == 0
                    ? new Latency(0, 0)
                    : new Latency(sorted[sorted.length / 2], sorted[sorted.length * 95 / 100]);
        }
    }

    /** All of it, at a moment. */
    record Picture(
            List<Waiting> line,
            List<Going> inFlight,
            List<Event> settled,
            List<Event> denied,
            List<Run> runs,
            List<News> news,
            Counts counts,
            Counts inOutage,
            Amounts reserved,
            Amounts charged,
            double decisionsPerSecond,
            Latency decision,
            Latency call,
            List<String> gone,
            long exceptions) {}

    private final List<Waiting> line = new ArrayList<>();
    private final Map<String, Going> inFlight = new LinkedHashMap<>();
    private final Deque<Event> settled = new ArrayDeque<>();
    private final Deque<Event> denied = new ArrayDeque<>();
    private final Map<String, Run> runs = new LinkedHashMap<>();
    private final Deque<News> news = new ArrayDeque<>();
    private final Deque<Long> decisions = new ArrayDeque<>();
    private final Deque<Long> decisionMicros = new ArrayDeque<>();
    private final Deque<Long> callMicros = new ArrayDeque<>();
    private final Deque<String> gone = new ArrayDeque<>();
    private Counts counts = Counts.NONE;
    private Counts inOutage = Counts.NONE;
    private Amounts reserved = Amounts.NONE;
    private Amounts charged = Amounts.NONE;
    private long number;
    private long exceptions;

    synchronized void told(Event event) {
        add(news, new News(++number, event), NEWS);
        counts = counts.plus(event);
        inOutage = inOutage.plus(event);
        switch (event.what()) {
            case WAITING -> {
                decided();
                sample(decisionMicros, event.numbers().tookMicros());
                join(event);
            }
            case GRANTED, UNCOUNTED, LEASED -> {
                leave(event.call());
                if (event.what() == Event.What.GRANTED) {
                    decided();
                    sample(decisionMicros, event.numbers().tookMicros());
                }
                inFlight.put(
                        event.call(),
                        new Going(
                                event.call(),
                                event.worker(),
                                event.model(),
                                event.team(),
                                event.run(),
                                event.what(),
                                event.numbers().reserved(),
                                event.atMillis(),
                                false));
            }
            case DENIED -> {
                decided();
                sample(decisionMicros, event.numbers().tookMicros());
                leave(event.call());
                add(denied, event, RECENT);
            }
            case SETTLED -> settle(event);
            case ENDED -> {
                leave(event.call());
                inFlight.remove(event.call());
                if (event.numbers().tookMicros() > 0) {
                    sample(callMicros, event.numbers().tookMicros());
                }
            }
            case READY, HELD, REGRESSED -> {}
        }
    }

    /** Those that stood before it when it joined are those of its line that came first. */
    private void join(Event event) {
        Waiting waiting = new Waiting(
                event.call(), event.worker(), event.model(), event.team(), event.run(), event.atMillis(), false);
        int at = line.size();
        long behind = line.stream().filter(other -> isSameLine(other, waiting)).count();
        while (at > 0 && behind > event.numbers().ahead()) {
            at--;
            behind -= isSameLine(line.get(at), waiting) ? 1 : 0;
        }
        line.add(at, waiting);
    }

    private static boolean isSameLine(Waiting one, Waiting other) {
        return one.model().equals(other.model()) && one.team().equals(other.team());
    }

    private void leave(String call) {
        line.removeIf(waiting -> waiting.call().equals(call));
    }

    private void settle(Event event) {
        inFlight.remove(event.call());
        add(settled, event, RECENT);
        reserved = reserved.plus(event.numbers().reserved());
        charged = charged.plus(event.numbers().charged());
        if (event.numbers().outcome() != Outcome.REPORTED) {
            exceptions++;
        }
        runs.computeIfPresent(
                event.run(),
                (name, run) -> new Run(
                        name,
                        run.team(),
                        run.isOver(),
                        run.said(),
                        run.calls() + 1,
                        run.charged().plus(event.numbers().charged())));
    }

    private void decided() {
        decisions.addLast(System.nanoTime());
    }

    private static void sample(Deque<Long> samples, long micros) {
        if (micros > 0) {
            samples.addLast(micros);
            if (samples.size() > SAMPLES) {
                samples.removeFirst();
            }
        }
    }

    private static <T> void add(Deque<T> recent, T latest, int most) {
        recent.addFirst(latest);
        if (recent.size() > most) {
            recent.removeLast();
        }
    }

    synchronized void runBegins(String run, ApiKey key) {
        runs.put(run, new Run(run, key.team(), false, "spends", 0, Amounts.NONE));
        if (runs.size() > RUNS) {
            runs.remove(runs.keySet().iterator().next());
        }
    }

    synchronized void runEnds(String run, String why) {
        runs.computeIfPresent(run, (name, now) -> new Run(name, now.team(), true, why, now.calls(), now.charged()));
    }

    /** The runs that are shown, with their keys. */
    synchronized Map<String, ApiKey> runs() {
        Map<String, ApiKey> teams = new LinkedHashMap<>();
        runs.forEach((name, run) -> teams.put(name, ApiKey.of(run.team())));
        return teams;
    }

    synchronized void outageBegins() {
        inOutage = Counts.NONE;
    }

    /** An answer is read half: what passed is charged, and the provider may charge more. */
    synchronized void cut() {
        exceptions++;
    }

    /** Its calls are as they were: the others find out in their own time. */
    synchronized void gone(Fleet.Member worker) {
        exceptions++;
        add(gone, worker.name(), RECENT);
        line.replaceAll(waiting -> waiting.worker().equals(worker.name()) ? waiting.dead() : waiting);
        inFlight.replaceAll((call, going) -> going.worker().equals(worker.name()) ? going.dead() : going);
    }

    /** Lets go of what dead processes had, as far as Redis has. */
    synchronized void found(Balances balances) {
        Map<List<String>, Long> waiting = new HashMap<>();
        Map<List<String>, Long> going = new HashMap<>();
        balances.subjects().forEach(subject -> {
            List<String> key = List.of(subject.model(), subject.team());
            for (LimitStatus limit : subject.limits()) {
                if (limit.unit() == Unit.CONCURRENT_CALLS) {
                    waiting.put(key, limit.waiting());
                    going.put(key, limit.capacity() - limit.balance());
                }
            }
        });
        line.removeIf(call -> call.isDead()
                && line.stream().filter(other -> isSameLine(other, call)).count()
                        > waiting.getOrDefault(List.of(call.model(), call.team()), Long.MAX_VALUE));
        List<Going> all = List.copyOf(inFlight.values());
        inFlight.values()
                .removeIf(call -> call.isDead()
                        && all.stream()
                                        .filter(other -> other.model().equals(call.model())
                                                && other.team().equals(call.team()))
                                        .count()
                                > going.getOrDefault(List.of(call.model(), call.team()), Long.MAX_VALUE));
    }

    synchronized Picture picture() {
        long now = System.nanoTime();
        while (!decisions.isEmpty() && now - decisions.getFirst() > RATE_NANOS) {
            decisions.removeFirst();
        }
        return new Picture(
                List.copyOf(line),
                List.copyOf(inFlight.values()),
                List.copyOf(settled),
                List.copyOf(denied),
                List.copyOf(runs.values()),
                List.copyOf(news),
                counts,
                inOutage,
                reserved,
                charged,
                decisions.size() / (RATE_NANOS / 1e9),
                Latency.of(decisionMicros),
                Latency.of(callMicros),
                List.copyOf(gone),
                exceptions);
    }

    /** Why the ledger may hold something else than the provider's bill; nothing where it may not. */
    synchronized Optional<String> whyItDiffers() {
        List<String> why = new ArrayList<>();
        if (counts.uncounted() > 0) {
            why.add(counts.uncounted() + " calls went uncounted while Redis was away");
        }
        if (exceptions > 0) {
            why.add(exceptions
                    + " times a call failed, was cut or refused, or a process was killed, and an estimate stayed");
        }
        return why.isEmpty() ? Optional.empty() : Optional.of(String.join("; ", why));
    }
}
