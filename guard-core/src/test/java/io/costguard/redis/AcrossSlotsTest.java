package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import io.costguard.redis.Batch.LineOperation;
import io.costguard.redis.Batch.LineOperation.Kind;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is asked of which slot, and when, where something comes in between. */
class AcrossSlotsTest {
    private static final Claim FIRST = claim("1");
    private static final Claim SECOND = claim("2");
    private static final Verdict.Shortfall SHORT = new Verdict.Shortfall(SECOND, 0, 0, 5, 0, 0);
    private static final Batch.Result DENIED = new Batch.Result.Decided(SHORT);
    private static final Batch.Result STANDS = new Batch.Result.Stands(0, 0, false);

    private final Slots slots = new Slots();
    private final AcrossSlots across = new AcrossSlots(slots);

    @Test
    void aCallLooksInAllBeforeItIsChargedInOneAfterTheOther() {
        slots.answer("LOOK", new Batch.Result.Covered(7)).answer("LOOK", new Batch.Result.Covered(7));
        slots.grant(FIRST).grant(SECOND);

        assertThat(granted(ask(null)).charges()).hasSize(2);
        assertThat(slots.log).containsExactly("LOOK 1", "LOOK 2", "charge 1", "charge 2");
    }

    @Test
    void aCallThatIsShortWhereItLooksIsChargedNowhere() {
        slots.answer("LOOK", new Batch.Result.Covered(7)).answer("LOOK", DENIED);

        assertThat(ask(null).join()).isEqualTo(DENIED);
        assertThat(slots.log).containsExactly("LOOK 1", "LOOK 2");
    }

    @Test
    void whatWasTakenIsGivenBackWhereTheNextIsShortAfterAll() {
        slots.answer("LOOK", new Batch.Result.Covered(7)).answer("LOOK", new Batch.Result.Covered(7));
        slots.grant(FIRST).answer("charge", DENIED);

        assertThat(ask(null).join()).isEqualTo(DENIED);
        assertThat(slots.log).endsWith("charge 1", "charge 2", "give back 1");
    }

    @Test
    void whatWasTakenIsGivenBackWhereTheNextDoesNotAnswer() {
        slots.answer("LOOK", new Batch.Result.Covered(7)).answer("LOOK", new Batch.Result.Covered(7));
        slots.grant(FIRST);

        assertThat(ask(null)).isCompletedExceptionally();
        assertThat(slots.log).endsWith("charge 1", "charge 2", "give back 1");
    }

    @Test
    void aCallThatMayWaitStandsAtTheLargestPlaceThatItWasOffered() {
        slots.answer("LOOK_TO_JOIN", new Batch.Result.Covered(9)).answer("LOOK_TO_JOIN", joins(7));
        slots.answer("STAND", STANDS).answer("STAND", STANDS);

        assertThat(ask(join())).isCompletedWithValueMatching(result -> ((Batch.Result.Joined) result).place() == 9);
        assertThat(slots.log).endsWith("STAND 1 at 9", "STAND 2 at 9");
    }

    @Test
    void aCallThatMayWaitAndIsShortAfterAllStandsInLine() {
        slots.answer("LOOK_TO_JOIN", new Batch.Result.Covered(9)).answer("LOOK_TO_JOIN", new Batch.Result.Covered(7));
        slots.grant(FIRST).answer("charge", DENIED).answer("STAND", STANDS).answer("STAND", STANDS);

        assertThat(ask(join())).isCompletedWithValueMatching(result -> result instanceof Batch.Result.Joined);
        assertThat(slots.log).endsWith("give back 1", "STAND 1 at 9", "STAND 2 at 9");
    }

    @Test
    void noTwoCallsOfAProcessWantTheSamePlace() {
        for (int i = 0; i < 2; i++) {
            slots.answer("LOOK_TO_JOIN", joins(7)).answer("LOOK_TO_JOIN", joins(7));
            slots.answer("STAND", STANDS).answer("STAND", STANDS);
        }

        assertThat(((Batch.Result.Joined) ask(join()).join()).place()).isEqualTo(7);
        assertThat(((Batch.Result.Joined) ask(join()).join()).place()).isEqualTo(8);
    }

    @Test
    void whereAnotherStandsAtItsPlaceItStandsBehindInAll() {
        slots.answer("LOOK_TO_JOIN", joins(7)).answer("LOOK_TO_JOIN", joins(7));
        slots.answer("STAND", STANDS).answer("STAND", new Batch.Result.Taken(12));
        slots.answer("LEAVE", new Batch.Result.Done()).answer("LEAVE", new Batch.Result.Done());
        slots.answer("STAND", STANDS).answer("STAND", STANDS);

        long place = ((Batch.Result.Joined) ask(join()).join()).place();

        assertThat(place).isGreaterThanOrEqualTo(12);
        assertThat(slots.log).endsWith("LEAVE 1 at 7", "LEAVE 2 at 7", "STAND 1 at " + place, "STAND 2 at " + place);
    }

    @Test
    void aCallThatCouldNotStandInAllStandsInNone() {
        slots.answer("LOOK_TO_JOIN", joins(7)).answer("LOOK_TO_JOIN", joins(7));
        slots.answer("STAND", STANDS).answer("LEAVE", new Batch.Result.Done());

        assertThat(ask(join())).isCompletedExceptionally();
        assertThat(slots.log).endsWith("LEAVE 1 at 7", "LEAVE 2 at 7", "leave wherever it stands");
    }

    @Test
    void aWaiterThatIsShortAfterAllStandsAtItsPlaceAgainBeforeItsRoomIsGivenBack() {
        slots.answer("LOOK_IN_LINE", new Batch.Result.Covered(7)).answer("LOOK_IN_LINE", new Batch.Result.Covered(7));
        slots.grant(FIRST).answer("charge", new Batch.Result.WaitsOn()).answer("STAND", STANDS);

        assertThat(ask(new LineOperation(Kind.ASK, 1, 7, 100)).join()).isEqualTo(new Batch.Result.WaitsOn());
        assertThat(slots.log).endsWith("charge 1", "charge 2", "STAND 1 at 7", "give back 1");
    }

    @Test
    void aWaiterThatOneSlotHasLostStandsThereAgainAtItsPlace() {
        slots.answer("LOOK_IN_LINE", new Batch.Result.WaitsOn()).answer("LOOK_IN_LINE", new Batch.Result.Gone());
        assertThat(ask(new LineOperation(Kind.ASK, 1, 7, 100)).join()).isEqualTo(new Batch.Result.Gone());

        slots.answer("STAND", STANDS).answer("STAND", STANDS);

        assertThat(ask(new LineOperation(Kind.JOIN, 1, 7, 100))).isCompleted();
        assertThat(slots.log).endsWith("STAND 1 at 7", "STAND 2 at 7");
    }

    @Test
    void aSlotThatHasLostAWaiterIsHeardWhereverItComes() {
        slots.answer("LOOK_IN_LINE", new Batch.Result.Gone()).answer("LOOK_IN_LINE", new Batch.Result.WaitsOn());

        assertThat(ask(new LineOperation(Kind.ASK, 1, 7, 100)).join()).isEqualTo(new Batch.Result.Gone());
    }

    @ParameterizedTest
    @CsvSource({"5, 9", "9, 5", "9, 9"})
    void ofWhatACallLacksTheOneIsToldThatLastsTheLongest(long first, long second) {
        Verdict.Shortfall one = new Verdict.Shortfall(FIRST, 0, 0, first, 0, 0);
        Verdict.Shortfall other = new Verdict.Shortfall(SECOND, 0, 0, second, 0, 0);
        slots.answer("LOOK", new Batch.Result.Decided(one)).answer("LOOK", new Batch.Result.Decided(other));

        assertThat(ask(null).join()).isEqualTo(new Batch.Result.Decided(first >= second ? one : other));
    }

    @ParameterizedTest
    @CsvSource({"100, true", "101, false"})
    void aCallThatIsShortAfterAllStandsInLineOnlyIfItMayGoInTime(long waitMicros, boolean stands) {
        Verdict.Shortfall shortAfterAll = new Verdict.Shortfall(SECOND, 0, 0, waitMicros, 0, 0);
        slots.answer("LOOK_TO_JOIN", new Batch.Result.Covered(9)).answer("LOOK_TO_JOIN", new Batch.Result.Covered(7));
        slots.grant(FIRST).answer("charge", new Batch.Result.Decided(shortAfterAll));
        slots.answer("STAND", STANDS).answer("STAND", STANDS);

        assertThat(ask(join()).join() instanceof Batch.Result.Joined).isEqualTo(stands);
    }

    @Test
    void aCallIsTheFirstOfItsProcessWhereItIsThatAnywhereAndLeavesAtTheEarliestOfItsDeadlines() {
        for (boolean isFirst : new boolean[] {true, false}) {
            slots.answer("LOOK_TO_JOIN", joins(7)).answer("LOOK_TO_JOIN", joins(7));
            slots.answer("STAND", new Batch.Result.Stands(7, 40, isFirst));
            slots.answer("STAND", new Batch.Result.Stands(7, 30, false));

            assertThat(ask(join())).isCompletedWithValueMatching(result -> {
                Batch.Result.Joined joined = (Batch.Result.Joined) result;
                return joined.isFirst() == isFirst && joined.deadlineMicros() == 30;
            });
        }
    }

    @Test
    void whateverIsAskedSaysWhichCallItIsAndHowLongThatMayWait() {
        slots.answer("LOOK_TO_JOIN", joins(7)).answer("LOOK_TO_JOIN", joins(7));
        slots.answer("STAND", STANDS).answer("STAND", STANDS);

        assertThat(ask(join())).isCompleted();

        assertThat(slots.operations).hasSize(4).allSatisfy(operation -> {
            assertThat(operation.number()).isEqualTo(1);
            assertThat(operation.waitMicros()).isEqualTo(100);
        });
    }

    // --------------------------------------------------------------------------------------------------- the words

    private CompletableFuture<Batch.Result> ask(@Nullable LineOperation operation) {
        List<Claim> claims = List.of(SECOND, FIRST);
        return across.ask(
                operation == null ? new Batch.Call.Reserve(claims) : new Batch.Call.Reserve(claims, operation), 0);
    }

    private static LineOperation join() {
        return new LineOperation(Kind.JOIN, 1, 0, 100);
    }

    private static Batch.Result joins(long place) {
        return new Batch.Result.Joined(place, 0, false, SHORT);
    }

    private static Verdict.Granted granted(CompletableFuture<Batch.Result> result) {
        return (Verdict.Granted) ((Batch.Result.Decided) result.join()).verdict();
    }

    private static Claim claim(String slot) {
        return new Claim(
                new Subject(slot, Budget.named(slot).limit(Limit.requests(1).perDay())), new long[] {1});
    }

    /** A slot has the number that is its subject's key; what has no answer left fails. */
    private static final class Slots implements AcrossSlots.Asker {
        final List<String> log = new ArrayList<>();
        final List<LineOperation> operations = new ArrayList<>();
        private final Map<String, Deque<Batch.Result>> answers = new HashMap<>();

        Slots answer(String asked, Batch.Result result) {
            answers.computeIfAbsent(asked, unused -> new ArrayDeque<>()).add(result);
            return this;
        }

        Slots grant(Claim claim) {
            Charge charge = new Charge(claim, new long[1], new long[1]);
            return answer("charge", new Batch.Result.Decided(new Verdict.Granted(List.of(charge), List.of())));
        }

        @Override
        public int slotOf(Subject subject) {
            return Integer.parseInt(subject.key());
        }

        @Override
        public CompletableFuture<Batch.Result> ask(Batch.Call.Reserve part, long deadlineNanos) {
            LineOperation operation = part.operation();
            String asked = "charge";
            String where = "";
            if (operation != null) {
                operations.add(operation);
            }
            if (operation != null && operation.kind() != Kind.ASK) {
                asked = operation.kind().toString();
                where = asked.equals("STAND") || asked.equals("LEAVE") ? " at " + operation.place() : "";
            }
            log.add(asked + " " + part.claims().get(0).subject().key() + where);
            Deque<Batch.Result> left = answers.getOrDefault(asked, new ArrayDeque<>());
            return left.isEmpty()
                    ? CompletableFuture.failedFuture(new GuardUnavailableException("no answer"))
                    : CompletableFuture.completedFuture(left.poll());
        }

        @Override
        public long deadlineNanos() {
            return 0;
        }

        @Override
        public void giveBack(Verdict.Granted granted) {
            log.add("give back " + granted.charges().get(0).claim().subject().key());
        }

        @Override
        public void leaveWhereverItStands(Batch.Call.Reserve call) {
            log.add("leave wherever it stands");
        }
    }
}
