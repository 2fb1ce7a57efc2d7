package io.costguard.redis;

import io.costguard.Cost;
import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.LatestBudgets;
import io.costguard.limit.Ledger;
import io.costguard.limit.Ledger.Correction;
import io.costguard.limit.Ledger.Settled;
import io.costguard.limit.Patience;
import io.costguard.limit.Standing;
import io.costguard.limit.Subject;
import io.costguard.limit.Verdict;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.LongUnaryOperator;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Calls that are decided in one run of the script, the settles among them first: how they are written to it, and its reply read.
 * The layout is described at the head of {@code guard.lua}.
 */
final class Batch {
    private static final byte[] HEAD_FORMAT = ascii(">Bi8i8I4HHH");
    private static final int HEAD_BYTES = 1 + 2 * 8 + 4 + 3 * 2;
    private static final int HEAD_FIELDS = 7;
    /** What a reply has for its lane. */
    private static final int LANE_BYTES = 1 + 8 + 4;

    /** What the script's interpreter can take at once is 8,000; this leaves room for the largest call there may be. */
    private static final int MANY_FIELDS = 2_000;

    private static final int DRY_RUN = 1 << 15;
    private static final int RESET = 1 << 14;
    private static final int CORRECTION = 1 << 15;
    private static final int IN_ANY_ERA = RESET | CORRECTION;
    private static final int WITH_LINES = 8;
    private static final int WITH_COOL_DOWNS = 16;
    private static final int IN_LINE = 1 << 7;
    private static final byte[] OPERATION_FORMAT = ascii("BI6I7I7");
    private static final int OPERATION_FIELDS = 4;
    private static final String COOL_DOWN_FORMAT = "HBI7";
    private static final int COOL_DOWN_FIELDS = 3;
    /** Before the lines: the process, the channel, and how many there are. */
    private static final int LINE_FIELDS = 3;

    private static final byte BOUNDS_NEEDED = 4;
    private static final byte LINE_NEEDED = 5;

    private final List<Call> calls = new ArrayList<>();
    /** By key: no two of a batch, under whatever budgets, may be of the same balances, as the script would write both. */
    private final Map<String, Place> subjects = new LinkedHashMap<>();

    private final Map<Terms, Integer> terms = new LinkedHashMap<>();
    private final List<Change> changes = new ArrayList<>();
    private final List<Change> changeOf = new ArrayList<>();
    private final List<Reserving> reserves = new ArrayList<>();
    private final Lines lines;
    private final Supplier<LatestBudgets> latest;
    private final List<Place> withLine = new ArrayList<>();
    private final Set<Integer> withoutCoolDown = new TreeSet<>();
    private @Nullable Place lastPlace;
    private int termsFields;
    private int coolDowns;
    private int callFields;
    private int formatBytes = HEAD_FORMAT.length + 1;

    /** A subject of the batch, which counts from 1. */
    private static final class Place {
        final Subject subject;
        final int number;
        final Terms terms;

        @Nullable Settling lastSettle;

        boolean namesLine;

        Place(Subject subject, int number) {
            this.subject = subject;
            this.number = number;
            this.terms = Terms.of(subject.budget());
        }
    }

    /** A call that wants to be decided, and where its claims are. */
    private record Reserving(Call.Reserve call, Place[] places) {}

    Batch(Lines lines) {
        this(lines, () -> LatestBudgets.NONE);
    }

    /** @param latest under which calls are decided, whatever budgets they were made for; asked as calls are added */
    Batch(Lines lines, Supplier<LatestBudgets> latest) {
        this.lines = lines;
        this.latest = latest;
    }

    /** What is changed at one subject, without a decision. */
    private abstract static class Change {
        final Place place;
        byte result;

        Change(Place place) {
            this.place = place;
        }

        abstract void write(ByteBuffer out);
    }

    /** What is settled at one subject: of one call, or of several that were charged in the same eras. */
    private static final class Settling extends Change {
        final long[] eras;
        final long[] more;

        Settling(Place place, Settled settled) {
            this(place, settled.charge().eras(), more(settled));
        }

        Settling(Place place, long[] eras, long[] more) {
            super(place);
            this.eras = eras;
            this.more = more;
        }

        /** Takes another along, unless one gives back to a limit what the other takes of it, or they come to too much. */
        boolean add(Settled settled) {
            long[] its = more(settled);
            for (int i = 0; i < its.length; i++) {
                if (eras[i] != settled.charge().eras()[i]
                        || Long.signum(its[i]) * Long.signum(more[i]) < 0
                        || Math.abs(its[i] + more[i]) > Cost.MAX_AMOUNT) {
                    return false;
                }
            }
            for (int i = 0; i < its.length; i++) {
                more[i] += its[i];
            }
            return true;
        }

        private static long[] more(Settled settled) {
            long[] more = settled.actual().clone();
            for (int i = 0; i < more.length; i++) {
                more[i] -= settled.charge().claim().amounts()[i];
            }
            return more;
        }

        @Override
        void write(ByteBuffer out) {
            out.putShort((short) place.number);
            for (int i = 0; i < eras.length; i++) {
                out.put((byte) (eras[i] >> 16)).putShort((short) eras[i]).putLong(more[i]);
            }
        }
    }

    /** What changes a subject whatever was charged there, and when. */
    private static final class Adjusting extends Change {
        final int kind;
        final long[] amounts;

        Adjusting(Place place, int kind, long[] amounts) {
            super(place);
            this.kind = kind;
            this.amounts = amounts;
        }

        @Override
        void write(ByteBuffer out) {
            out.putShort((short) (place.number | kind));
            for (long amount : amounts) {
                out.put((byte) 0).putShort((short) 0).putLong(amount);
            }
        }
    }

    /** What is done with a batch. */
    enum Mode {
        RUN(1),
        CANCEL(2),
        LOOK(3);

        private final byte code;

        Mode(int code) {
            this.code = (byte) code;
        }
    }

    /** What the script said of a batch as a whole. */
    enum Status {
        DONE,
        LATE,
        LANE_REFUSED,
        CANCELLED_AFTER_IT_RAN,
        CANCELLED_BEFORE_IT_CAME
    }

    /** What is asked of the script. */
    sealed interface Call {
        /** What is asked after {@link Result.AskAgain}. */
        default Call namingLines() {
            return this;
        }

        /**
         * Wants to be decided at once, or does something else with the lines of its claims.
         *
         * @param namesLines whether its lines are named: one that only wants to go at once is mostly denied without
         */
        record Reserve(List<Claim> claims, @Nullable LineOperation operation, boolean namesLines) implements Call {
            Reserve(List<Claim> claims) {
                this(claims, null, false);
            }

            private Reserve under(Place[] places) {
                List<Claim> latest = new ArrayList<>(places.length);
                for (int i = 0; i < places.length; i++) {
                    latest.add(claims.get(i).under(places[i].subject));
                }
                return new Reserve(latest, operation, namesLines);
            }

            Reserve(List<Claim> claims, LineOperation operation) {
                this(claims, operation, true);
            }

            @Override
            public Reserve namingLines() {
                return new Reserve(claims, operation, true);
            }
        }

        /** Changes one subject, without a decision. */
        sealed interface OfOneSubject extends Call {
            Subject subject();
        }

        record Settle(Settled settled) implements OfOneSubject {
            @Override
            public Subject subject() {
                return settled.charge().claim().subject();
            }
        }

        record ByHand(Ledger.Change change, Claim claim) implements OfOneSubject {
            @Override
            public Subject subject() {
                return claim.subject();
            }
        }

        record Correct(Correction correction) implements OfOneSubject {
            @Override
            public Subject subject() {
                return correction.subject();
            }
        }

        /**
         * Calls in flight go on: they are taken to have been charged in the present era, however full it is.
         *
         * @param limit which of the subject's limits
         * @param byEra how many were charged in which era before
         */
        record Renew(Subject subject, int limit, Map<Long, Long> byEra) implements OfOneSubject {}

        /** Gives a charge back where it was made, and makes it anew in the present; but for calls in flight. */
        record Recharge(Charge charge) implements OfOneSubject {
            @Override
            public Subject subject() {
                return charge.claim().subject();
            }
        }

        /** Wants to know how limits stand, and how long a newcomer with these claims would wait: the only call of its batch. */
        record Look(List<Claim> newcomer) implements Call {}
    }

    /**
     * What a call does with the lines of its claims.
     *
     * @param number which of this process's waiting calls it is
     * @param place where it stands; 0 where it does not yet, or where nobody knows; of {@link Kind#LEAVING} the percentage that must stay free, of
     *     {@link Kind#BEAT} how many members to pass over, of {@link Kind#UP_TO} both how many pieces there are and what must stay free, of
     *     {@link Kind#STAND} where it is to stand
     * @param waitMicros how long it may wait, or a hold lasts
     */
    record LineOperation(Kind kind, long number, long place, long waitMicros) {
        private static final long SHARES = 128;

        /** Wants to go as soon as this patience has it. */
        static LineOperation of(Patience patience, long number) {
            long share = patience.leaves();
            return patience.pieces() > 1
                    ? new LineOperation(Kind.UP_TO, number, patience.pieces() * SHARES + share, patience.micros())
                    : new LineOperation(share > 0 ? Kind.LEAVING : Kind.JOIN, number, share, patience.micros());
        }

        /** Whether a share must stay free for others, so that it does not stand in line. */
        boolean leavesShare() {
            return kind == Kind.LEAVING || (kind == Kind.UP_TO && place % SHARES > 0);
        }

        /** What one piece wants of lines; null where that is nothing. */
        @Nullable LineOperation ofOnePiece() {
            long share = place % SHARES;
            if (kind != Kind.UP_TO) {
                return this;
            } else if (share > 0) {
                return new LineOperation(Kind.LEAVING, number, share, waitMicros);
            }
            return waitMicros > 0 ? new LineOperation(Kind.JOIN, number, 0, waitMicros) : null;
        }

        enum Kind {
            JOIN(1),
            ASK(2),
            LEAVE(3),
            BEAT(4),
            HOLD(5),
            LEAVING(6),
            UP_TO(7),
            /** In line, covered or not. */
            STAND(8),
            /** Each of these changes no balance and stands nowhere: it says what would become of a call. */
            LOOK(16),
            LOOK_TO_JOIN(17),
            LOOK_IN_LINE(18),
            LOOK_LEAVING(22);

            private final byte code;

            Kind(int code) {
                this.code = (byte) code;
            }
        }
    }

    /**
     * The turn of a line came to a call of this process, or will.
     *
     * @param micros when it should ask, by the server's time
     */
    record Wake(long number, long micros) {}

    /** What the script answered to one call. */
    sealed interface Result {
        record Decided(Verdict verdict) implements Result {}

        /**
         * It stands in line.
         *
         * @param isFirst whether no call of its process stood in one of these lines, by what Redis has: if one should, that was lost
         * @param expected what kept it from going at once
         */
        record Joined(long place, long deadlineMicros, boolean isFirst, Verdict.Shortfall expected) implements Result {}

        /** It looked, and would be let go; otherwise the answer is what it would be if it had asked. */
        record Covered(long place) implements Result {}

        /** It stands in line, as it was told to. */
        record Stands(long place, long deadlineMicros, boolean isFirst) implements Result {}

        /** It does not stand there, since another does. */
        record Taken(long freePlace) implements Result {}

        /** It asked, and stays in line. */
        record WaitsOn() implements Result {}

        /** It asked, and does not stand in line any more. */
        record Gone() implements Result {}

        /**
         * A heartbeat was taken.
         *
         * @param next how many members the next one passes over; 0 where all have been looked at
         * @param isFirst whether Redis knew nothing of the process in this line: what it waits for there was lost
         */
        record Beaten(long next, boolean isFirst) implements Result {}

        record Done() implements Result {}

        /** Calls in flight are charged in this era from now on; {@link Done} where their budget does not limit them any more. */
        record Renewed(long era) implements Result {}

        /**
         * A charge was made anew.
         *
         * @param eras for each limit of its subject, that in which it is charged from now on
         */
        record Recharged(long[] eras) implements Result {}

        /** A balance was above what it was corrected to. */
        record Corrected() implements Result {}

        record Looked(List<List<Standing>> standings) implements Result {}

        /** Not done: calendar windows that were sent are not those of the server's time, or a line was not named. */
        record AskAgain() implements Result {}

        /** The subject's value cannot be used, or an amount is out of range. */
        record Refused(GuardUnavailableException why) implements Result {}
    }

    /**
     * @param micros the server's time
     * @param results one for each call, where the batch ran
     * @param wakes what calls of this process are told
     */
    record Reply(Status status, long micros, List<Result> results, List<Wake> wakes) {}

    boolean onlyReserves() {
        return changeOf.isEmpty();
    }

    void add(Call call) {
        calls.add(call);
        if (call instanceof Call.Reserve reserve) {
            addReserve(reserve);
        } else if (call instanceof Call.Settle settle) {
            Place place = named(place(settle.subject()));
            Settled settled = settle.settled().under(place.subject);
            if (place.lastSettle == null || !place.lastSettle.add(settled)) {
                place.lastSettle = new Settling(place, settled);
                add(place.lastSettle);
            }
            changeOf.add(place.lastSettle);
        } else if (call instanceof Call.Correct correct) {
            Correction correction = correct.correction();
            long[] down = new long[correction.subject().limits().size()];
            down[correction.limit()] = Cost.MAX_AMOUNT - correction.atMost();
            adjust(new Claim(correction.subject(), down), CORRECTION, amount -> Cost.MAX_AMOUNT - amount);
        } else if (call instanceof Call.Renew renew) {
            addRenewal(renew);
        } else if (call instanceof Call.Recharge recharge) {
            addRecharge(recharge.charge());
        } else if (call instanceof Call.ByHand byHand) {
            switch (byHand.change()) {
                case CHARGE -> adjust(byHand.claim(), IN_ANY_ERA, amount -> amount);
                case REFUND -> adjust(byHand.claim(), IN_ANY_ERA, amount -> -amount);
                case RESET -> adjust(byHand.claim(), RESET, amount -> 0);
            }
        } else if (call instanceof Call.Look look) {
            addReserve(new Call.Reserve(look.newcomer()).namingLines());
        }
    }

    private void addRenewal(Call.Renew renew) {
        Place place = named(place(renew.subject()));
        long calls = 0;
        for (Map.Entry<Long, Long> each : renew.byEra().entrySet()) {
            add(inFlight(place, renew, each.getKey(), -each.getValue()));
            calls += each.getValue();
        }
        Settling present = inFlight(place, renew, 0, calls);
        add(present);
        changeOf.add(present);
    }

    private void addRecharge(Charge made) {
        Place place = named(place(made.claim().subject()));
        Charge charge = made.under(place.subject);
        long[] amounts = charge.claim().amounts();
        long[] back = Arrays.stream(amounts).map(amount -> -amount).toArray();
        add(new Settling(place, charge.eras(), back));
        Settling anew = new Settling(place, new long[amounts.length], amounts);
        add(anew);
        changeOf.add(anew);
    }

    private static Settling inFlight(Place place, Call.Renew renew, long era, long more) {
        int limits = place.subject.limits().size();
        Settling settling = new Settling(place, new long[limits], new long[limits]);
        int limit = inFlight(renew, place);
        if (limit >= 0) {
            settling.eras[limit] = era;
            settling.more[limit] = more;
        }
        return settling;
    }

    /** Which of the place's limits is renewed; -1 where its budget has none of that name any more. */
    private static int inFlight(Call.Renew renew, Place place) {
        List<Limit> limits = place.subject.limits();
        String name = renew.subject().limits().get(renew.limit()).name();
        int limit = limits.size() - 1;
        while (limit >= 0 && !limits.get(limit).name().equals(name)) {
            limit--;
        }
        return limit;
    }

    private void addReserve(Call.Reserve reserve) {
        Place[] places = new Place[reserve.claims().size()];
        boolean isOfLatest = true;
        for (int i = 0; i < places.length; i++) {
            places[i] = place(reserve.claims().get(i).subject());
            isOfLatest &= places[i].subject.budget()
                    == reserve.claims().get(i).subject().budget();
            if (reserve.namesLines()) {
                nameLine(places[i]);
            }
            callFields += 1 + places[i].subject.limits().size();
            formatBytes += places[i].terms.reserveFormat().length;
        }
        callFields++;
        formatBytes++;
        if (reserve.operation() != null) {
            callFields += OPERATION_FIELDS;
            formatBytes += OPERATION_FORMAT.length;
        }
        reserves.add(new Reserving(isOfLatest ? reserve : reserve.under(places), places));
    }

    private void adjust(Claim claim, int kind, LongUnaryOperator written) {
        Place place = named(place(claim.subject()));
        long[] amounts =
                Arrays.stream(claim.under(place.subject).amounts()).map(written).toArray();
        // What is settled after it would else be settled with what was before it.
        place.lastSettle = null;
        Change adjusting = new Adjusting(place, kind, amounts);
        add(adjusting);
        changeOf.add(adjusting);
    }

    private void add(Change change) {
        changes.add(change);
        callFields += 1 + 2 * change.place.subject.limits().size();
        formatBytes += change.place.terms.settleFormat().length;
    }

    private Place place(Subject subject) {
        if (lastPlace != null && lastPlace.subject.key().equals(subject.key())) {
            return lastPlace;
        }
        Place place = subjects.get(subject.key());
        if (place == null) {
            place = new Place(latest.get().of(subject), subjects.size() + 1);
            subjects.put(subject.key(), place);
            formatBytes++;
            if (terms.putIfAbsent(place.terms, termsFields) == null) {
                termsFields += place.terms.fields();
                formatBytes += place.terms.format().length;
                for (long coolDown : place.terms.coolDowns()) {
                    coolDowns += coolDown > 0 ? 1 : 0;
                }
            }
        }
        lastPlace = place;
        return place;
    }

    /** The same, whose line is named if it has one, as far as is known. */
    private Place named(Place place) {
        if (!place.namesLine && lines.hasLine(place.subject)) {
            nameLine(place);
        }
        return place;
    }

    private void nameLine(Place place) {
        if (!place.namesLine) {
            place.namesLine = true;
            withLine.add(place);
            callFields++;
            formatBytes++;
        }
    }

    /** No cool-down begins with this one of its reserves, which count from 0 in the order in which they were added. */
    void beginsNoCoolDown(int reserve) {
        withoutCoolDown.add(reserve + 1);
    }

    /** Whether it may take another call. */
    boolean hasRoom() {
        return subjects.size() + termsFields + coolDownFields() + callFields < MANY_FIELDS;
    }

    private int coolDownFields() {
        return coolDowns == 0 ? 0 : 1 + coolDowns * COOL_DOWN_FIELDS + 1 + withoutCoolDown.size();
    }

    private byte[] coolDownFormat() {
        return coolDowns == 0
                ? new byte[0]
                : ascii("H" + COOL_DOWN_FORMAT.repeat(coolDowns) + "H" + "H".repeat(withoutCoolDown.size()));
    }

    /** Those of the latest request. */
    List<byte[]> keys(byte[] lane) {
        List<byte[]> keys = new ArrayList<>(subjects.size() + 1);
        keys.add(lane);
        for (String key : subjects.keySet()) {
            keys.add(key.getBytes(StandardCharsets.UTF_8));
        }
        for (Place place : withLine) {
            keys.add((place.subject.key() + ":line").getBytes(StandardCharsets.UTF_8));
        }
        return keys;
    }

    byte[] request(Mode mode, long number, long notAfterMicros, long laneTtlMillis, long serverMicros) {
        if (mode == Mode.CANCEL) {
            // There may be lines by now that nobody has told of: its own answer was lost.
            subjects.values().forEach(this::nameLine);
        }
        boolean hasLines = !withLine.isEmpty();
        byte[] linesFormat = hasLines ? ascii("c" + lines.process().length + "Hc0H") : new byte[0];
        byte[] coolDownFormat = coolDownFormat();
        ByteBuffer format = ByteBuffer.allocate(formatBytes + linesFormat.length + coolDownFormat.length)
                .put(HEAD_FORMAT);
        ByteBuffer out = ByteBuffer.allocate(
                size() + linesFormat.length + lines.size() + coolDownFormat.length + 8 * coolDownFields());
        out.position(2 + format.capacity());
        out.put((byte) (mode.code + (hasLines ? WITH_LINES : 0) + (coolDowns > 0 ? WITH_COOL_DOWNS : 0)))
                .putLong(number)
                .putLong(notAfterMicros)
                .putInt((int) laneTtlMillis)
                .putShort((short) subjects.size())
                .putShort((short) changes.size())
                .putShort((short) reserves.size());
        int begin = HEAD_FIELDS
                + subjects.size()
                + 1
                + 1
                + (hasLines ? LINE_FIELDS + withLine.size() : 0)
                + coolDownFields();
        for (Place place : subjects.values()) {
            format.put((byte) 'H');
            out.putShort((short) (begin + terms.getOrDefault(place.terms, 0)));
        }
        format.put((byte) 'H');
        out.putShort((short) (begin + termsFields));
        if (hasLines) {
            format.put(linesFormat);
            out.put(lines.process()).putShort((short) lines.channel().length).put(lines.channel());
            out.putShort((short) withLine.size());
            for (Place place : withLine) {
                format.put((byte) 'H');
                out.putShort((short) place.number);
            }
        }
        if (coolDowns > 0) {
            format.put(coolDownFormat);
            putCoolDowns(out, begin);
        }
        for (Terms each : terms.keySet()) {
            format.put(each.format());
            each.write(out, serverMicros);
        }
        for (Change change : changes) {
            format.put(change.place.terms.settleFormat());
            change.write(out);
        }
        for (Reserving reserving : reserves) {
            List<Claim> claims = reserving.call.claims();
            format.put((byte) 'B');
            LineOperation operation = reserving.call.operation();
            out.put((byte) (operation == null ? claims.size() : claims.size() | IN_LINE));
            if (operation != null) {
                format.put(OPERATION_FORMAT);
                out.put(operation.kind.code)
                        .putShort((short) (operation.number >> 32))
                        .putInt((int) operation.number);
                putSeven(out, operation.place);
                putSeven(out, operation.waitMicros);
            }
            for (int i = 0; i < reserving.places.length; i++) {
                Place place = reserving.places[i];
                format.put(place.terms.reserveFormat());
                out.putShort((short) (place.number | (place.subject.budget().isDryRun() ? DRY_RUN : 0)));
                for (long amount : claims.get(i).amounts()) {
                    out.putLong(amount);
                }
            }
        }
        byte[] request = Arrays.copyOf(out.array(), out.position());
        ByteBuffer.wrap(request).putShort((short) format.position()).put(format.array());
        return request;
    }

    private void putCoolDowns(ByteBuffer out, int begin) {
        out.putShort((short) coolDowns);
        terms.forEach((each, from) -> {
            long[] its = each.coolDowns();
            for (int i = 0; i < its.length; i++) {
                if (its[i] > 0) {
                    out.putShort((short) (begin + from)).put((byte) (i + 1));
                    putSeven(out, its[i]);
                }
            }
        });
        out.putShort((short) withoutCoolDown.size());
        withoutCoolDown.forEach(reserve -> out.putShort(reserve.shortValue()));
    }

    private static void putSeven(ByteBuffer out, long number) {
        out.put((byte) (number >> 48)).putShort((short) (number >> 32)).putInt((int) number);
    }

    private static long six(ByteBuffer in) {
        return ((in.getShort() & 0xffffL) << 32) | (in.getInt() & 0xffffffffL);
    }

    private static long seven(ByteBuffer in) {
        return ((in.get() & 0xffL) << 48) | six(in);
    }

    /** At most so many bytes: eight a field, but for the terms, which know. */
    private int size() {
        int size = 2 + formatBytes + HEAD_BYTES + 2 * (subjects.size() + 1) + 8 * callFields;
        for (Terms each : terms.keySet()) {
            size += each.size();
        }
        return size;
    }

    // ------------------------------------------------------------------------------------------------------ the reply

    Reply read(byte[] reply) {
        ByteBuffer in = ByteBuffer.wrap(reply).position(LANE_BYTES);
        Status status = Status.values()[in.get() - 1];
        long micros = in.getLong();
        if (status != Status.DONE && status != Status.CANCELLED_AFTER_IT_RAN) {
            return new Reply(status, micros, List.of(), List.of());
        }
        byte[] flags = new byte[subjects.size()];
        if (in.get() == 1) {
            in.get(flags);
        }
        Terms.State[] states = new Terms.State[flags.length];
        for (Place place : subjects.values()) {
            byte flag = flags[place.number - 1];
            if (flag == 0) {
                Terms.State state = place.terms.read(in);
                states[place.number - 1] = state;
                lines.told(place.subject, state.hasLine());
            } else if (flag == LINE_NEEDED) {
                lines.told(place.subject, true);
            }
        }
        for (Change change : changes) {
            change.result = in.get();
        }
        Result[] results = new Result[calls.size()];
        int change = 0;
        int reserve = 0;
        for (int i = 0; i < results.length; i++) {
            Call call = calls.get(i);
            if (call instanceof Call.Renew renew) {
                Change present = changeOf.get(change++);
                Result renewed = changed(present, flags);
                int limit = inFlight(renew, present.place);
                results[i] = renewed instanceof Result.Done && limit >= 0
                        ? new Result.Renewed(states[present.place.number - 1].eras()[limit])
                        : renewed;
            } else if (call instanceof Call.Recharge recharge) {
                Change anew = changeOf.get(change++);
                Result recharged = changed(anew, flags);
                Subject subject = recharge.charge().claim().subject();
                results[i] = recharged instanceof Result.Done
                        ? new Result.Recharged(anew.place.subject.retold(states[anew.place.number - 1].eras(), subject))
                        : recharged;
            } else if (call instanceof Call.Reserve) {
                results[i] = reserved(in, reserves.get(reserve++), flags, states);
            } else if (call instanceof Call.Look look) {
                results[i] = looked(in, look, flags, states);
            } else {
                results[i] = changed(changeOf.get(change++), flags);
            }
        }
        List<Wake> wakes = new ArrayList<>();
        for (int i = in.hasRemaining() ? in.getShort() : 0; i > 0; i--) {
            wakes.add(new Wake(six(in), seven(in)));
        }
        return new Reply(status, micros, List.of(results), wakes);
    }

    private Result changed(Change change, byte[] flags) {
        Subject subject = change.place.subject;
        return switch (change.result) {
            case 0 -> unusable(List.of(subject), flags);
            case 1 -> new Result.Done();
            case 4 -> new Result.Refused(refusal(subject, (byte) 0));
            case 6 -> new Result.Corrected();
            default -> throw unknown(change.result);
        };
    }

    private Result reserved(ByteBuffer in, Reserving reserving, byte[] flags, Terms.State[] states) {
        List<Claim> claims = reserving.call.claims();
        byte code = in.get();
        return switch (code) {
            case 0 -> unusable(claims.stream().map(Claim::subject).toList(), flags);
            case 1, 3 -> new Result.Decided(granted(in, reserving, 1, code == 3, states));
            case 10 -> new Result.Decided(granted(in, reserving, (int) seven(in), in.get() == 3, states));
            case 2 -> new Result.Decided(shortfall(in, claims.get(in.get() - 1)));
            case 4 -> new Result.Refused(refusal(claims.get(in.get() - 1).subject(), (byte) 0));
            case 5 -> new Result.Joined(seven(in), seven(in), in.get() == 1, shortfall(in, claims.get(in.get() - 1)));
            case 6 -> new Result.WaitsOn();
            case 7 -> new Result.Gone();
            case 8 -> new Result.Done();
            case 9 -> new Result.Beaten(in.getInt(), in.get() == 1);
            case 13 -> new Result.Covered(seven(in));
            case 11 -> new Result.Stands(seven(in), seven(in), in.get() == 1);
            case 12 -> new Result.Taken(seven(in));
            default -> throw unknown(code);
        };
    }

    private static Verdict.Granted granted(
            ByteBuffer in, Reserving reserving, int pieces, boolean withDryRuns, Terms.State[] states) {
        List<Charge> charges = new ArrayList<>(reserving.places.length);
        List<Verdict.Shortfall> dryRuns = withDryRuns ? new ArrayList<>() : List.of();
        for (int i = 0; i < reserving.places.length; i++) {
            Claim claim = reserving.call.claims().get(i).times(pieces);
            if (withDryRuns && in.get() == 0) {
                dryRuns.add(shortfall(in, claim));
            } else {
                Terms.State state = states[reserving.places[i].number - 1];
                boolean moves = claim.subject().budget().countsInFlight();
                charges.add(new Charge(claim, moves ? state.eras().clone() : state.eras(), state.balances()));
            }
        }
        return new Verdict.Granted(charges, dryRuns, pieces);
    }

    private static Verdict.Shortfall shortfall(ByteBuffer in, Claim claim) {
        return new Verdict.Shortfall(claim, in.get() - 1, in.getLong(), in.getLong(), in.getInt(), seven(in));
    }

    private Result looked(ByteBuffer in, Call.Look call, byte[] flags, Terms.State[] states) {
        List<Subject> subjects = call.newcomer().stream().map(Claim::subject).toList();
        for (byte flag : flags) {
            if (flag != 0) {
                return unusable(subjects, flags);
            }
        }
        List<List<Standing>> standings = new ArrayList<>();
        for (Subject subject : subjects) {
            List<Standing> limits = new ArrayList<>();
            long[] balances = states[numberOf(subject) - 1].balances();
            long[] untilFull = new long[balances.length];
            long[] newcomerWait = new long[balances.length];
            for (int i = 0; i < balances.length; i++) {
                untilFull[i] = in.getLong();
                newcomerWait[i] = in.getLong();
            }
            int waiting = in.getInt();
            for (int i = 0; i < balances.length; i++) {
                limits.add(new Standing(balances[i], untilFull[i], waiting, newcomerWait[i]));
            }
            standings.add(limits);
        }
        return new Result.Looked(standings);
    }

    private Result unusable(List<Subject> subjects, byte[] flags) {
        Result result = new Result.AskAgain();
        for (Subject subject : subjects) {
            byte flag = flags[numberOf(subject) - 1];
            if (flag != 0 && flag != BOUNDS_NEEDED && flag != LINE_NEEDED) {
                return new Result.Refused(refusal(subject, flag));
            }
        }
        return result;
    }

    private int numberOf(Subject subject) {
        return Objects.requireNonNull(subjects.get(subject.key())).number;
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    private static IllegalStateException unknown(byte code) {
        return new IllegalStateException("a reply of the script has an unknown result: " + code);
    }

    private static GuardUnavailableException refusal(Subject subject, byte reason) {
        String where = "the balances of budget '" + subject.budget().name() + "' at key " + subject.key();
        return new GuardUnavailableException(
                switch (reason) {
                    case 1 -> where + " are not a string: another program uses this key; choose another keyPrefix";
                    case 2 -> where + " were written by another version of this library; update the older one";
                    case 3 -> where + " are damaged: not what this library wrote; delete the key to begin anew";
                    default -> where + " were asked for an amount that is negative or not below 2^53";
                });
    }
}
