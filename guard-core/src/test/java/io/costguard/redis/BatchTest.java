package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.Limit;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.InForce;
import io.costguard.limit.LatestBudgets;
import io.costguard.limit.Ledger;
import io.costguard.limit.Patience;
import io.costguard.limit.Subject;
import io.costguard.redis.Batch.LineOperation;
import io.costguard.redis.Batch.LineOperation.Kind;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** How many calls a batch has room for, what of them is settled as one, and what pieces ask. */
class BatchTest {
    /** Eight fields. */
    private static final Limit BUCKET = Limit.tokens(900).perMinute();

    private static final byte LINE_OF_NOBODY = 26;
    private static final byte LINE = (byte) (128 + 26);
    private static final int ERA = 0x1234;

    private final Lines lines = new Lines("process-1234", "p:turn:");
    private final Subject subject = subject("a", BUCKET);

    // ------------------------------------------------------------------------------------------------------- room

    @Test
    void aBatchTakesCallsUntilTheScriptCouldNotTakeTheLargestOneToo() {
        // The subject, its terms, and for each call how many claims it has, of which place each is, and its amount.
        assertThat(room(i -> reserve(subject))).isEqualTo(callsFor(2_000 - 1 - 8, 3));
    }

    @Test
    void subjectsUnderTheSameTermsBringThemOnce() {
        Budget budget = subject.budget();

        assertThat(room(i -> reserve(new Subject("{x}:" + i, budget)))).isEqualTo(callsFor(2_000 - 8, 1 + 3));
    }

    @Test
    void whatACallDoesInItsLineTakesFourFieldsMoreAndItsLineOne() {
        LineOperation joins = new LineOperation(Kind.JOIN, 1, 0, 5);

        assertThat(room(i -> new Batch.Call.Reserve(List.of(claim(subject, 1)), joins)))
                .isEqualTo(callsFor(2_000 - 1 - 8 - 1, 3 + 4));
    }

    @Test
    void aLineThatIsKnownIsNamedOnceWhateverIsSettled() {
        lines.told(subject, true);

        assertThat(room(i -> settle(subject, i, 5, 3))).isEqualTo(callsFor(2_000 - 1 - 8 - 1, 3));
    }

    @Test
    void coolDownsTakeThreeFieldsEachAndThoseThatBeginNoneOne() {
        Subject cools = subject("c", BUCKET.coolDown(Duration.ofSeconds(3)));
        Batch batch = new Batch(lines);
        int calls = 0;
        while (batch.hasRoom()) {
            batch.add(reserve(cools));
            batch.beginsNoCoolDown(calls);
            calls++;
        }

        assertThat(calls).isEqualTo(callsFor(2_000 - 1 - 8 - 2 - 3, 3 + 1));
    }

    @Test
    void aSettleTakesTwoFieldsForEachLimitAndOneMore() {
        Subject two = subject("two", BUCKET, Limit.requests(9).perDay());

        assertThat(room(i -> new Batch.Call.Settle(new Ledger.Settled(
                        new Charge(new Claim(two, new long[] {5, 5}), new long[] {i, i}, new long[2]), new long[2]))))
                .isEqualTo(callsFor(2_000 - 1 - (5 + 3 + 3 + 2), 5));
    }

    // --------------------------------------------------------------------------------------------- settled as one

    @Test
    void whatWasChargedInTheSameErasIsSettledAsOne() {
        assertThat(changes(settle(subject, 7, 5, 3), settle(subject, 7, 5, 0), settle(subject, 7, 4, 4)))
                .isEqualTo(1);
        assertThat(more(settle(subject, 7, 5, 3), settle(subject, 7, 5, 0))).isEqualTo(-7);
    }

    @Test
    void whatWasChargedInOtherErasIsSettledApart() {
        assertThat(changes(settle(subject, 7, 5, 3), settle(subject, 8, 5, 3))).isEqualTo(2);
    }

    @Test
    void whatOneGivesBackIsNotSetAgainstWhatAnotherTakes() {
        assertThat(changes(settle(subject, 7, 5, 3), settle(subject, 7, 5, 9))).isEqualTo(2);
        assertThat(changes(settle(subject, 7, 5, 9), settle(subject, 7, 5, 9))).isEqualTo(1);
    }

    @Test
    void whatComesToTooMuchIsSettledApart() {
        long most = Cost.MAX_AMOUNT;

        assertThat(changes(settle(subject, 7, 0, most - 1), settle(subject, 7, 0, 1)))
                .isEqualTo(1);
        assertThat(changes(settle(subject, 7, 0, most), settle(subject, 7, 0, 1)))
                .isEqualTo(2);
        assertThat(changes(settle(subject, 7, most, 0), settle(subject, 7, 1, 0)))
                .isEqualTo(2);
    }

    @Test
    void whatIsSettledAfterAChangeByHandIsNotSettledBeforeIt() {
        Batch.Call reset = new Batch.Call.ByHand(Ledger.Change.RESET, claim(subject, 0));

        assertThat(changes(settle(subject, 7, 5, 3), reset, settle(subject, 7, 5, 3)))
                .isEqualTo(3);
    }

    @Test
    void aBatchOnlyReservesUntilSomethingIsChanged() {
        Batch batch = new Batch(lines);
        batch.add(reserve(subject));
        assertThat(batch.onlyReserves()).isTrue();

        batch.add(settle(subject, 7, 5, 3));
        assertThat(batch.onlyReserves()).isFalse();
    }

    // -------------------------------------------------------------------------------------------------------- keys

    @Test
    void itsKeysAreTheLaneThenTheSubjectsThenTheLinesThatAreNamed() {
        Subject other = subject("b", BUCKET);
        lines.told(other, true);
        Batch batch = new Batch(lines);
        batch.add(reserve(subject));
        batch.add(settle(other, 7, 5, 3));
        batch.add(reserve(subject));

        request(batch, Batch.Mode.RUN);
        assertThat(keys(batch)).containsExactly("lane", "{x}:a", "{x}:b", "{x}:b:line");

        request(batch, Batch.Mode.CANCEL);
        assertThat(keys(batch)).containsExactly("lane", "{x}:a", "{x}:b", "{x}:b:line", "{x}:a:line");
    }

    // ------------------------------------------------------------------------------------------- the latest budgets

    @Test
    void whatWasMadeForAnOlderBudgetIsAskedAndSettledUnderTheLatest() {
        Limit day = Limit.requests(9).perDay();
        Subject older = subject("a", BUCKET, day);
        LatestBudgets latest = LatestBudgets.NONE.with(InForce.always(
                List.of(subject("a", day, BUCKET, Limit.tokens(9).perDay()).budget())));
        Charge charge = new Charge(new Claim(older, new long[] {5, 1}), new long[] {3, 4}, new long[2]);

        Batch asks = new Batch(lines, () -> latest);
        asks.add(new Batch.Call.Reserve(List.of(new Claim(older, new long[] {5, 1}))));
        assertThat(last(3, request(asks, Batch.Mode.RUN))).containsExactly(1, 5, 0);

        Batch settles = new Batch(lines, () -> latest);
        settles.add(new Batch.Call.Settle(new Ledger.Settled(charge, new long[] {2, 1})));
        assertThat(erasAndAmounts(3, request(settles, Batch.Mode.RUN))).containsExactly("4 0", "3 -3", "0 0");

        Batch renews = new Batch(lines, () -> latest);
        renews.add(new Batch.Call.Recharge(charge));
        ByteBuffer in = request(renews, Batch.Mode.RUN);
        assertThat(erasAndAmounts(3, in)).containsExactly("0 1", "0 5", "0 0");
        assertThat(erasAndAmounts(3, in.limit(in.limit() - (2 + 3 * 11)))).containsExactly("4 -1", "3 -5", "0 0");
    }

    @Test
    void callsInFlightAreGivenBackInTheErasInWhichTheyWereChargedAndChargedInThePresent() {
        Limit calls = Limit.concurrentCalls(9);
        Subject older = subject("a", calls, BUCKET);
        LatestBudgets latest = LatestBudgets.NONE.with(
                InForce.always(List.of(subject("a", BUCKET, calls).budget())));
        Batch batch = new Batch(lines, () -> latest);

        batch.add(new Batch.Call.Renew(older, 0, new TreeMap<>(Map.of(7L, 2L, 8L, 3L))));

        ByteBuffer in = request(batch, Batch.Mode.RUN);
        int each = 2 + 2 * 11;
        assertThat(erasAndAmounts(2, in)).containsExactly("0 0", "0 5");
        assertThat(erasAndAmounts(2, in.limit(in.limit() - each))).containsExactly("0 0", "8 -3");
        assertThat(erasAndAmounts(2, in.limit(in.limit() - each))).containsExactly("0 0", "7 -2");
    }

    @Test
    void whereABudgetLimitsCallsInFlightNoMoreNothingOfThemIsRenewed() {
        Batch batch = new Batch(lines, () -> LatestBudgets.NONE.with(InForce.always(List.of(subject.budget()))));
        batch.add(new Batch.Call.Renew(subject("a", Limit.concurrentCalls(9)), 0, Map.of(7L, 2L)));

        assertThat(erasAndAmounts(1, request(batch, Batch.Mode.RUN))).containsExactly("0 0");
        assertThat(answer(batch, reply(LINE_OF_NOBODY, (byte) 1, (byte) 1))).isEqualTo(new Batch.Result.Done());
    }

    @Test
    void coolDownsAreToldByTheirTermsAndTheirLimitWithTheReservesThatBeginNone() {
        Limit cools = BUCKET.coolDown(Duration.ofSeconds(3));
        Batch batch = new Batch(lines);
        batch.add(reserve(subject));
        batch.add(reserve(subject("c", Limit.requests(9).perDay(), cools)));
        batch.beginsNoCoolDown(1);

        ByteBuffer in = request(batch, Batch.Mode.RUN);

        int begin = in.getShort(in.position() + 27);
        in.position(in.position() + 27 + 3 * 2);
        assertThat(in.getShort()).as("cool-downs").isEqualTo((short) 1);
        assertThat(in.getShort()).as("the terms").isEqualTo((short) (begin + 8));
        assertThat(in.get()).as("the limit").isEqualTo((byte) 2);
        assertThat(seven(in)).isEqualTo(3_000_000);
        assertThat(in.getShort()).as("reserves").isEqualTo((short) 1);
        assertThat(in.getShort()).isEqualTo((short) 2);
    }

    // ----------------------------------------------------------------------------------------------------- answers

    @Test
    void aLineThatAnAnswerTellsOfIsNamedFromThenOn() {
        Batch batch = batchOf(reserve(subject));
        request(batch, Batch.Mode.RUN);

        assertThat(answer(batch, reply(LINE, (byte) 6))).isEqualTo(new Batch.Result.WaitsOn());
        assertThat(lines.hasLine(subject)).isTrue();

        assertThat(answer(batch, reply(LINE_OF_NOBODY, (byte) 6))).isEqualTo(new Batch.Result.WaitsOn());
        assertThat(lines.hasLine(subject)).isFalse();
    }

    @Test
    void whatWasReservedAnewIsChargedInTheErasThatTheAnswerTells() {
        Charge charge = new Charge(claim(subject, 5), new long[] {3}, new long[1]);
        Batch batch = batchOf(new Batch.Call.Recharge(charge), new Batch.Call.Recharge(charge));
        request(batch, Batch.Mode.RUN);

        assertThat(batch.read(reply(LINE_OF_NOBODY, (byte) 1, (byte) 1, (byte) 1, (byte) 1))
                        .results())
                .hasSize(2)
                .allSatisfy(result ->
                        assertThat(((Batch.Result.Recharged) result).eras()).containsExactly(ERA));
        assertThat(answer(batch, reply(LINE_OF_NOBODY, (byte) 1, (byte) 4, (byte) 1, (byte) 1)))
                .isInstanceOf(Batch.Result.Refused.class);
    }

    @Test
    void callsInFlightAreRenewedInTheEraThatTheAnswerTells() {
        Subject calls = subject("a", Limit.concurrentCalls(9));
        Batch batch =
                batchOf(new Batch.Call.Renew(calls, 0, Map.of(7L, 2L)), new Batch.Call.Renew(calls, 0, Map.of(8L, 2L)));
        request(batch, Batch.Mode.RUN);
        byte[] reply = reply(16 * 7, LINE_OF_NOBODY, (byte) 1, (byte) 1, (byte) 1, (byte) 1);

        assertThat(batch.read(reply).results())
                .containsExactly(new Batch.Result.Renewed(ERA), new Batch.Result.Renewed(ERA));
    }

    // ------------------------------------------------------------------------------------------------------ pieces

    @Test
    void whatACallAsksOfItsLineIsWhatItPutsUpWith() {
        assertThat(LineOperation.of(new Patience(9, 0), 3)).isEqualTo(new LineOperation(Kind.JOIN, 3, 0, 9));
        assertThat(LineOperation.of(new Patience(9, 20), 3)).isEqualTo(new LineOperation(Kind.LEAVING, 3, 20, 9));
        assertThat(LineOperation.of(new Patience(9, 20, 5), 3))
                .isEqualTo(new LineOperation(Kind.UP_TO, 3, 5 * 128 + 20, 9));
    }

    @Test
    void onePieceAsksWhatACallAloneWould() {
        assertThat(ofOne(new Patience(9, 20, 5))).hasValue(new LineOperation(Kind.LEAVING, 3, 20, 9));
        assertThat(ofOne(new Patience(9, 0, 5))).hasValue(new LineOperation(Kind.JOIN, 3, 0, 9));
        assertThat(ofOne(new Patience(0, 0, 5))).isEmpty();
        assertThat(ofOne(new Patience(9, 0))).hasValue(new LineOperation(Kind.JOIN, 3, 0, 9));
    }

    @Test
    void whoeverLeavesAShareStandsInNoLine() {
        assertThat(LineOperation.of(new Patience(9, 20), 3).leavesShare()).isTrue();
        assertThat(LineOperation.of(new Patience(9, 20, 5), 3).leavesShare()).isTrue();
        assertThat(LineOperation.of(new Patience(9, 0, 5), 3).leavesShare()).isFalse();
        assertThat(LineOperation.of(new Patience(9, 0), 3).leavesShare()).isFalse();
    }

    private static Optional<LineOperation> ofOne(Patience patience) {
        return Optional.ofNullable(LineOperation.of(patience, 3).ofOnePiece());
    }

    // ------------------------------------------------------------------------------------------------------------

    /** Room is looked for before a call is added. */
    private static int callsFor(int fields, int each) {
        return (fields + each - 1) / each;
    }

    private int room(IntFunction<Batch.Call> call) {
        Batch batch = new Batch(lines);
        int calls = 0;
        while (batch.hasRoom()) {
            batch.add(call.apply(calls));
            calls++;
        }
        request(batch, Batch.Mode.RUN);
        return calls;
    }

    private static ByteBuffer request(Batch batch, Batch.Mode mode) {
        byte[] request = batch.request(mode, 1, 2, 3, 4);
        return ByteBuffer.wrap(request).position(2 + ByteBuffer.wrap(request).getShort());
    }

    /** The last so many numbers of a request. */
    private static long[] last(int count, ByteBuffer in) {
        return IntStream.range(0, count)
                .mapToLong(i -> in.getLong(in.limit() - (count - i) * 8))
                .toArray();
    }

    /** {@code ERA AMOUNT} of each limit of the change that a request ends with. */
    private static List<String> erasAndAmounts(int limits, ByteBuffer in) {
        return IntStream.range(0, limits)
                .map(i -> in.limit() - (limits - i) * 11)
                .mapToObj(at -> (in.getInt(at) >> 8) + " " + in.getLong(at + 3))
                .toList();
    }

    private static long seven(ByteBuffer in) {
        return ((long) in.get() << 48) | ((in.getShort() & 0xffffL) << 32) | (in.getInt() & 0xffffffffL);
    }

    /** Of a batch that was done, with one subject of one limit that is in an era, and what is told after that. */
    private static byte[] reply(byte life, byte... results) {
        return reply(0, life, results);
    }

    /** @param more bytes of the subject's value */
    private static byte[] reply(int more, byte life, byte... results) {
        ByteBuffer reply = ByteBuffer.allocate(13 + 1 + 8 + 1 + 8 + 1 + 7 + 10 + more + results.length);
        reply.position(13);
        reply.put((byte) 1).putLong(1_760_000_000_000_000L).put((byte) 0);
        reply.put(new byte[8]).put(life).put(new byte[7]).put(new byte[7]);
        reply.put((byte) 0).putShort((short) ERA).put(new byte[more]);
        return reply.put(results).array();
    }

    private static Batch.Result answer(Batch batch, byte[] reply) {
        return batch.read(reply).results().get(0);
    }

    private int changes(Batch.Call... calls) {
        ByteBuffer in = request(batchOf(calls), Batch.Mode.RUN);
        return in.getShort(in.position() + 23);
    }

    /** The last amount that is written. */
    private long more(Batch.Call... calls) {
        ByteBuffer in = request(batchOf(calls), Batch.Mode.RUN);
        return in.getLong(in.limit() - 8);
    }

    private Batch batchOf(Batch.Call... calls) {
        Batch batch = new Batch(lines);
        for (Batch.Call call : calls) {
            batch.add(call);
        }
        return batch;
    }

    private static List<String> keys(Batch batch) {
        return batch.keys("lane".getBytes(StandardCharsets.US_ASCII)).stream()
                .map(key -> new String(key, StandardCharsets.UTF_8))
                .toList();
    }

    private static Batch.Call reserve(Subject of) {
        return new Batch.Call.Reserve(List.of(claim(of, 1)));
    }

    private static Batch.Call settle(Subject of, long era, long reserved, long used) {
        Charge charge = new Charge(claim(of, reserved), new long[] {era}, new long[1]);
        return new Batch.Call.Settle(new Ledger.Settled(charge, new long[] {used}));
    }

    private static Claim claim(Subject of, long amount) {
        return new Claim(of, new long[] {amount});
    }

    private static Subject subject(String name, Limit... limits) {
        Budget budget = Budget.named("b");
        for (Limit limit : limits) {
            budget = budget.limit(limit);
        }
        return new Subject("{x}:" + name, budget);
    }
}
