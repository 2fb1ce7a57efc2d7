package io.costguard.proof.fleet;

import io.costguard.proof.Trial;
import io.costguard.redis.DecisionAudit.Decided;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What was written down of all calls beside what was decided, and billed. */
final class Reconciliation {
    private static final int SHOWN = 5;

    private final Trial trial;
    private final Map<Long, Decided> decided;
    private final Map<Long, Bill.Billed> bill;
    private final Set<Long> told = new HashSet<>();
    private final List<Answered> answered = new ArrayList<>();
    private final Map<Fault, Integer> faults = new HashMap<>();
    private long letGo;
    private long denied;
    private long unknown;
    private long unknownCharged;
    private long settledForSure;
    private long endedCleanly;
    /** In nano-dollars: a process that was killed may have settled a call for the one budget, and not yet for the other. */
    private long halfSettled;

    /** A process that ran, and what it wrote down. */
    record Ran(String plan, Path journal, boolean isDead) {}

    /** What is wrong of a call. */
    enum Fault {
        LOST("calls lost: let go or settled, and not so in Redis"),
        DOUBLED("calls doubled: charged or settled twice"),
        OTHER("calls answered otherwise than Redis decided"),
        FAILED("calls that failed or were never answered"),
        MISCHARGED("calls charged other than what they used, or than their estimate"),
        OF_NOBODY("calls charged that nobody made"),
        UNBILLED("calls billed above what they were charged"),
        UNEQUAL("calls that ended cleanly and are billed other than charged");

        private final String about;

        Fault(String about) {
            this.about = about;
        }
    }

    /** A call that was answered, and when. */
    private record Answered(long batch, long asked, long answered) {}

    /** What one process wrote down of a call. */
    private static final class Told {
        final Journal.Entry asked;
        Journal.@Nullable Entry answer;
        Journal.@Nullable Entry end;

        Told(Journal.Entry asked) {
            this.asked = asked;
        }
    }

    Reconciliation(Trial trial, Map<Long, Decided> decided, Map<Long, Bill.Billed> bill) {
        this.trial = trial;
        this.decided = decided;
        this.bill = bill;
    }

    void read(Ran ran) throws IOException {
        Map<Long, Told> calls = new HashMap<>();
        long flushed = 0;
        for (Journal.Entry entry : Journal.read(ran.journal)) {
            switch (entry.event()) {
                case ASKS -> calls.put(entry.call(), new Told(entry));
                case LET_GO, DENIED, FAILED -> called(calls, entry).answer = entry;
                case ENDED, SETTLED, RELEASED, KEPT -> called(calls, entry).end = entry;
                case FLUSHED -> flushed = Math.max(flushed, entry.call());
                case CLOSED -> flushed = Long.MAX_VALUE;
            }
        }
        for (Map.Entry<Long, Told> call : calls.entrySet()) {
            told.add(call.getKey());
            check(call.getKey(), call.getValue(), ran, flushed);
        }
    }

    private static Told called(Map<Long, Told> calls, Journal.Entry entry) {
        return Objects.requireNonNull(calls.get(entry.call()), "an answer that nobody asked for");
    }

    private void check(long number, Told call, Ran ran, long flushed) {
        Decided became = decided.get(number);
        int grants = became == null ? 0 : became.grants();
        int settles = became == null ? 0 : became.settles();
        String history = "call " + number + " of " + ran.plan + ": " + call.asked + ", " + call.answer + ", " + call.end
                + ", flushed up to " + flushed + "; in Redis " + became + "; billed " + bill.get(number);
        isRight(Fault.DOUBLED, grants <= 1 && settles <= 1, history);
        Journal.Entry answer = call.answer;
        if (answer == null) {
            unknown++;
            unknownCharged += grants;
            isRight(Fault.FAILED, ran.isDead, history);
        } else {
            checkAnswer(call.asked, answer, became, grants, history);
        }
        if (became != null && ran.isDead) {
            halfSettled += mostHalfSettled(call, became, flushed);
        }
        checkEnd(number, call, became, settles, flushed, history);
        checkBill(number, call, became, settles, history);
    }

    /** What one budget may have been charged for it, and the other not: nothing, unless its process died before it was known to be settled. */
    private static long mostHalfSettled(Told call, Decided became, long flushed) {
        boolean isLetGo = call.answer == null ? became.grants() > 0 : call.answer.event() == Journal.Event.LET_GO;
        Journal.Entry end = call.end;
        if (!isLetGo || (end != null && (end.number() <= flushed || end.event() == Journal.Event.KEPT))) {
            return 0;
        }
        long estimate = became.estimate(Worker.USD);
        if (became.settles() > 0) {
            return Math.abs(estimate - became.charged(Worker.USD));
        }
        return end != null && end.event() == Journal.Event.SETTLED
                ? Math.abs(estimate - end.nanoUsd())
                : estimate + Worker.MOST_OVERRUN;
    }

    private void checkAnswer(
            Journal.Entry asked, Journal.Entry answer, @Nullable Decided became, int grants, String history) {
        switch (answer.event()) {
            case LET_GO -> {
                letGo++;
                isRight(Fault.LOST, grants > 0, history);
            }
            case DENIED -> {
                denied++;
                isRight(Fault.OTHER, grants == 0 && became != null, history);
            }
            default -> isRight(Fault.FAILED, false, history);
        }
        if (became != null) {
            answered.add(new Answered(became.lastBatch(), asked.nanos(), answer.nanos()));
        }
    }

    private void checkEnd(long number, Told call, @Nullable Decided became, int settles, long flushed, String history) {
        Journal.Entry end = call.end;
        if (end != null && end.event() != Journal.Event.KEPT && end.number() <= flushed) {
            settledForSure++;
            isRight(Fault.LOST, settles > 0, history);
        }
        if (became == null) {
            return;
        }
        boolean isEstimate = became.charged(Worker.OUTPUT) == (became.grants() == 0 ? 0 : number);
        boolean isRight = settles == 0
                ? isEstimate
                : end == null
                        || switch (end.event()) {
                            case SETTLED ->
                                became.charged(Worker.OUTPUT) == end.output()
                                        && became.charged(Worker.INPUT) == end.input()
                                        && became.charged(Worker.USD) == end.nanoUsd();
                            case RELEASED ->
                                became.charged(Worker.OUTPUT) == 0
                                        && became.charged(Worker.INPUT) == 0
                                        && became.charged(Worker.USD) == 0;
                            case KEPT -> false;
                            default -> true;
                        };
        isRight(Fault.MISCHARGED, isRight, history);
    }

    private void checkBill(long number, Told call, @Nullable Decided became, int settles, String history) {
        Bill.Billed billed = bill.get(number);
        if (billed == null) {
            return;
        }
        isRight(
                Fault.UNBILLED,
                became != null
                        && billed.output() <= became.charged(Worker.OUTPUT)
                        && billed.input() <= became.charged(Worker.INPUT)
                        && billed.nanoUsd() <= became.charged(Worker.USD),
                history);
        if (call.end != null && settles == 1 && became != null) {
            endedCleanly++;
            isRight(
                    Fault.UNEQUAL,
                    billed.output() == became.charged(Worker.OUTPUT)
                            && billed.input() == became.charged(Worker.INPUT)
                            && billed.nanoUsd() == became.charged(Worker.USD),
                    history);
        }
    }

    private void isRight(Fault fault, boolean isRight, String history) {
        if (!isRight && faults.merge(fault, 1, Integer::sum) <= SHOWN) {
            trial.history(fault + " " + history);
        }
    }

    /** @param kills how many processes were to die: there are to be so many calls at least, of each kind */
    void tell(int kills) {
        decided.forEach(
                (number, call) -> isRight(Fault.OF_NOBODY, told.contains(number), "call " + number + ": " + call));
        trial.atLeast("calls let go", letGo, 10L * kills);
        trial.atLeast("calls denied", denied, kills / 4);
        trial.atLeast("calls whose outcome died with their process", unknown, kills / 4);
        trial.atLeast("  of which Redis had charged", unknownCharged, kills / 20);
        trial.atLeast("settles that were to be in Redis", settledForSure, 5L * kills);
        trial.atLeast("calls that ended cleanly, with a bill", endedCleanly, kills);
        for (Fault fault : Fault.values()) {
            trial.none(fault.about, faults.getOrDefault(fault, 0));
        }
        trial.none("calls decided before one that was answered before they were asked", outOfOrder());
    }

    /** In the order in which Redis decided, none was answered before one that was decided earlier had been asked. */
    private long outOfOrder() {
        answered.sort(Comparator.comparingLong(Answered::batch));
        long violations = 0;
        long lastAsked = Long.MIN_VALUE;
        for (int i = 0; i < answered.size(); ) {
            int from = i;
            long askedHere = lastAsked;
            for (; i < answered.size() && answered.get(i).batch == answered.get(from).batch; i++) {
                violations += answered.get(i).answered < lastAsked ? 1 : 0;
                askedHere = Math.max(askedHere, answered.get(i).asked);
            }
            lastAsked = askedHere;
        }
        return violations;
    }

    /** {@return what one budget may have been charged for calls of the dead, and the other not, in nano-dollars} */
    long halfSettled() {
        return halfSettled;
    }
}
