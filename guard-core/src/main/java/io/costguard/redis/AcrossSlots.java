package io.costguard.redis;

import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.redis.Batch.LineOperation;
import io.costguard.redis.Batch.LineOperation.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiFunction;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Asks in each slot of a cluster what a call asks of all its subjects, and answers as one script would, had it seen all of them.
 *
 * <p>No script sees two slots. So a call looks in all of them first, which changes no balance; only if all cover it, it is charged in
 * one after the other, in the order of their numbers. Should one be short after all, what was charged before is given back. Whoever
 * dies in between leaves a charge, as if it had died with a permit.
 *
 * <p>A call that waits stands at the same place in each slot's lines, so that all agree on who came first: the largest that was offered
 * while it looked, where nobody else stands. When it asks it looks in all, by which the turn of lines that cover it moves on, and is
 * then charged as above. Should one be short after all, it stands at its place again before what was taken is given back: nobody
 * overtakes it there.
 *
 * <p>Of pieces one is asked for.
 *
 * <p>Safe for use by many threads. Nothing here holds one, or knows more than one call.
 */
final class AcrossSlots {
    /** Two that want the same place would, without it, want the next one both. */
    private static final int STEP_ASIDE = 1_000;

    private final Asker asker;
    /** In this process no two are to want the same place, and batches look for many at once. */
    private final AtomicLong lastPlace = new AtomicLong();

    /** The ledger, as far as it is needed here. */
    interface Asker {
        int slotOf(Subject subject);

        /** Has something asked of one slot; the answer fails only where it is certain that it was not done. */
        CompletableFuture<Batch.Result> ask(Batch.Call.Reserve part, long deadlineNanos);

        /** By when something that is asked now is decided. */
        long deadlineNanos();

        void giveBack(Verdict.Granted granted);

        /** For a call of which nobody knows in which lines it stands. */
        void leaveWhereverItStands(Batch.Call.Reserve call);
    }

    AcrossSlots(Asker asker) {
        this.asker = asker;
    }

    /** The answer fails only where it is certain that nothing stays charged. */
    CompletableFuture<Batch.Result> ask(Batch.Call.Reserve call, long deadlineNanos) {
        Map<Integer, List<Claim>> bySlot = new TreeMap<>();
        for (Claim claim : call.claims()) {
            bySlot.computeIfAbsent(asker.slotOf(claim.subject()), unused -> new ArrayList<>())
                    .add(claim);
        }
        return bySlot.size() == 1
                ? asker.ask(call, deadlineNanos)
                : new Spread(call, List.copyOf(bySlot.values()), deadlineNanos).ask();
    }

    /** Then this, failed or not. */
    private static <T, R> CompletableFuture<R> then(
            CompletableFuture<T> first, BiFunction<@Nullable T, @Nullable Throwable, CompletableFuture<R>> next) {
        return first.<Supplier<CompletableFuture<R>>>handle((result, failure) -> () -> next.apply(result, failure))
                .thenCompose(Supplier::get);
    }

    /** One call that asks in several slots. */
    private final class Spread {
        private final Batch.Call.Reserve call;
        private final List<List<Claim>> parts;
        private final long deadlineNanos;
        private final @Nullable LineOperation operation;

        Spread(Batch.Call.Reserve call, List<List<Claim>> parts, long deadlineNanos) {
            this.call = call;
            this.parts = parts;
            this.deadlineNanos = deadlineNanos;
            LineOperation its = call.operation();
            this.operation = its == null ? null : its.ofOnePiece();
        }

        CompletableFuture<Batch.Result> ask() {
            if (operation == null) {
                return lookAndGo(new LineOperation(Kind.LOOK, 0, 0, 0));
            }
            return switch (operation.kind()) {
                case JOIN ->
                    operation.place() == 0
                            ? lookAndGo(as(Kind.LOOK_TO_JOIN, 0))
                            : stand(operation.place(), Waiters.unknown(call));
                case ASK -> lookAndGo(as(Kind.LOOK_IN_LINE, operation.place()));
                case LEAVING -> lookAndGo(as(Kind.LOOK_LEAVING, operation.place()));
                default -> inEach(operation, deadlineNanos).thenApply(results -> results.get(0));
            };
        }

        private LineOperation as(Kind kind, long place) {
            LineOperation its = operation == null ? new LineOperation(kind, 0, 0, 0) : operation;
            return new LineOperation(kind, its.number(), place, its.waitMicros());
        }

        private CompletableFuture<List<Batch.Result>> inEach(LineOperation asked, long untilNanos) {
            List<CompletableFuture<Batch.Result>> answers = new ArrayList<>();
            for (List<Claim> part : parts) {
                answers.add(asker.ask(new Batch.Call.Reserve(part, asked), untilNanos));
            }
            return CompletableFuture.allOf(answers.toArray(CompletableFuture<?>[]::new))
                    .thenApply(unused ->
                            answers.stream().map(CompletableFuture::join).toList());
        }

        // --------------------------------------------------------------------------------------------------- to look

        private CompletableFuture<Batch.Result> lookAndGo(LineOperation look) {
            return inEach(look, deadlineNanos).thenCompose(this::looked);
        }

        private CompletableFuture<Batch.Result> looked(List<Batch.Result> seen) {
            long place = 0;
            boolean mayWait = true;
            Verdict.@Nullable Shortfall longest = null;
            Batch.@Nullable Result inLine = null;
            for (Batch.Result each : seen) {
                if (each instanceof Batch.Result.Covered covered) {
                    place = Math.max(place, covered.place());
                } else if (each instanceof Batch.Result.Joined would) {
                    place = Math.max(place, would.place());
                    longest = longer(longest, would.expected());
                } else if (each instanceof Batch.Result.Decided decided
                        && decided.verdict() instanceof Verdict.Shortfall denied) {
                    mayWait = false;
                    longest = longer(longest, denied);
                } else if (!(inLine instanceof Batch.Result.Gone)) {
                    inLine = each;
                }
            }
            if (inLine != null) {
                return CompletableFuture.completedFuture(inLine);
            } else if (longest == null) {
                return go(place, new ArrayList<>());
            }
            return mayWait ? standAnew(place, longest) : denied(longest);
        }

        private static Verdict.Shortfall longer(Verdict.@Nullable Shortfall one, Verdict.Shortfall other) {
            return one != null && one.waitMicros() >= other.waitMicros() ? one : other;
        }

        private static CompletableFuture<Batch.Result> denied(Verdict.Shortfall why) {
            return CompletableFuture.completedFuture(new Batch.Result.Decided(why));
        }

        // ----------------------------------------------------------------------------------------------------- to go

        private CompletableFuture<Batch.Result> go(long place, List<Verdict.Granted> taken) {
            if (taken.size() == parts.size()) {
                return CompletableFuture.completedFuture(new Batch.Result.Decided(all(taken)));
            }
            return then(asker.ask(charging(parts.get(taken.size())), deadlineNanos), (result, failure) -> {
                if (result instanceof Batch.Result.Decided decided
                        && decided.verdict() instanceof Verdict.Granted granted) {
                    taken.add(granted);
                    return go(place, taken);
                }
                return giveBack(taken)
                        .thenCompose(unused -> result == null
                                ? CompletableFuture.failedFuture(failure)
                                : shortAfterAll(result, place));
            });
        }

        private Batch.Call.Reserve charging(List<Claim> part) {
            return operation == null || operation.kind() == Kind.JOIN
                    ? new Batch.Call.Reserve(part)
                    : new Batch.Call.Reserve(part, operation);
        }

        private static Verdict.Granted all(List<Verdict.Granted> taken) {
            List<Charge> charges = new ArrayList<>();
            List<Verdict.Shortfall> dryRuns = new ArrayList<>();
            for (Verdict.Granted each : taken) {
                charges.addAll(each.charges());
                dryRuns.addAll(each.dryRuns());
            }
            return new Verdict.Granted(charges, dryRuns);
        }

        private CompletableFuture<Batch.Result> shortAfterAll(Batch.Result result, long place) {
            return operation != null
                            && operation.kind() == Kind.JOIN
                            && result instanceof Batch.Result.Decided decided
                            && decided.verdict() instanceof Verdict.Shortfall denied
                            && denied.waitMicros() <= operation.waitMicros()
                    ? standAnew(place, denied)
                    : CompletableFuture.completedFuture(result);
        }

        /** Completes when what was taken is on its way back; where it has stood in line, at its place again. */
        private CompletableFuture<?> giveBack(List<Verdict.Granted> taken) {
            List<CompletableFuture<?>> given = new ArrayList<>();
            for (int i = 0; i < taken.size(); i++) {
                Verdict.Granted granted = taken.get(i);
                CompletableFuture<?> stands = operation == null || operation.kind() != Kind.ASK
                        ? CompletableFuture.completedFuture(granted)
                        : asker.ask(
                                new Batch.Call.Reserve(parts.get(i), as(Kind.STAND, operation.place())),
                                asker.deadlineNanos());
                given.add(stands.handle((unused, failure) -> {
                    // Where it could not stand there again, it learns that when it asks.
                    asker.giveBack(granted);
                    return granted;
                }));
            }
            return CompletableFuture.allOf(given.toArray(CompletableFuture<?>[]::new));
        }

        // --------------------------------------------------------------------------------------------------- to wait

        private CompletableFuture<Batch.Result> standAnew(long offered, Verdict.Shortfall expected) {
            return stand(lastPlace.updateAndGet(last -> Math.max(last + 1, offered)), expected);
        }

        private CompletableFuture<Batch.Result> stand(long place, Verdict.Shortfall expected) {
            return then(
                    inEach(as(Kind.STAND, place), deadlineNanos),
                    (stands, failure) -> stands != null
                            ? stood(stands, place, expected)
                            : then(leave(place), (left, unleft) -> CompletableFuture.failedFuture(failure)));
        }

        private CompletableFuture<Batch.Result> stood(
                List<Batch.Result> stands, long place, Verdict.Shortfall expected) {
            long free = 0;
            boolean isFirst = false;
            long deadlineMicros = Long.MAX_VALUE;
            for (Batch.Result each : stands) {
                if (each instanceof Batch.Result.Taken taken) {
                    free = Math.max(free, taken.freePlace());
                } else if (each instanceof Batch.Result.Stands its) {
                    isFirst |= its.isFirst();
                    deadlineMicros = Math.min(deadlineMicros, its.deadlineMicros());
                }
            }
            if (free == 0) {
                return CompletableFuture.completedFuture(
                        new Batch.Result.Joined(place, deadlineMicros, isFirst, expected));
            }
            long next = Math.max(free, place + 1) + ThreadLocalRandom.current().nextInt(STEP_ASIDE);
            return leave(place).thenCompose(unused -> standAnew(next, expected));
        }

        private CompletableFuture<?> leave(long place) {
            return inEach(as(Kind.LEAVE, place), asker.deadlineNanos()).whenComplete((left, failure) -> {
                if (failure != null && operation != null && operation.place() == 0) {
                    asker.leaveWhereverItStands(call);
                }
            });
        }
    }
}
