package io.costguard.redis;

import io.costguard.GuardUnavailableException;
import io.costguard.limit.Charge;
import io.costguard.limit.Claim;
import io.costguard.limit.Ledger.Settled;
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

/**
 * Calls that are decided in one run of the script, the settles among them first: how they are written to it, and its reply read.
 * The layout is described at the head of {@code guard.lua}.
 */
final class Batch {
    private static final int HEAD_BYTES = 1 + 2 * 8 + 4 + 1 + 5 * 2;
    /** With the most that one call adds, they fit the stack of the script's interpreter, and terms are counted in a byte. */
    private static final int MOST_NUMBERS = 3_000;

    private static final int MOST_TERMS = 100;
    private static final int DRY_RUN = 1 << 15;
    private static final byte BOUNDS_NEEDED = 4;

    private final List<Call> calls = new ArrayList<>();
    private final Map<Subject, Integer> subjects = new LinkedHashMap<>();
    private final Map<Terms, Integer> terms = new LinkedHashMap<>();
    private int words;
    private int numbers;

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
        int parts();

        Subject subject(int part);

        /** How many numbers go with each limit. */
        int numbers();

        void write(ByteBuffer out, int part, int limit);

        record Reserve(List<Claim> claims) implements Call {
            @Override
            public int parts() {
                return claims.size();
            }

            @Override
            public Subject subject(int part) {
                return claims.get(part).subject();
            }

            @Override
            public int numbers() {
                return 1;
            }

            @Override
            public void write(ByteBuffer out, int part, int limit) {
                out.putLong(claims.get(part).amounts()[limit]);
            }
        }

        record Settle(List<Settled> settled) implements Call {
            @Override
            public int parts() {
                return settled.size();
            }

            @Override
            public Subject subject(int part) {
                return settled.get(part).charge().claim().subject();
            }

            @Override
            public int numbers() {
                return 2;
            }

            @Override
            public void write(ByteBuffer out, int part, int limit) {
                Charge charge = settled.get(part).charge();
                out.putLong(charge.eras()[limit])
                        .putLong(settled.get(part).actual()[limit]
                                - charge.claim().amounts()[limit]);
            }
        }

        record Look(List<Subject> subjects) implements Call {
            @Override
            public int parts() {
                return subjects.size();
            }

            @Override
            public Subject subject(int part) {
                return subjects.get(part);
            }

            @Override
            public int numbers() {
                return 0;
            }

            @Override
            public void write(ByteBuffer out, int part, int limit) {}
        }
    }

    /** What the script answered to one call. */
    sealed interface Result {
        record Decided(Verdict verdict) implements Result {}

        record Done() implements Result {}

        record Looked(List<List<Standing>> standings) implements Result {}

        /** The calendar windows that were sent are not those of the server's time. */
        record BoundsNeeded() implements Result {}

        /** The subject's value cannot be used, or an amount is out of range. */
        record Refused(GuardUnavailableException why) implements Result {}
    }

    /**
     * @param micros the server's time
     * @param results one for each call, where the batch ran
     */
    record Reply(Status status, long micros, List<Result> results) {}

    void add(Call call) {
        calls.add(call);
        words += 1 + call.parts();
        for (int part = 0; part < call.parts(); part++) {
            Subject subject = call.subject(part);
            numbers += subject.limits().size() * call.numbers();
            if (subjects.putIfAbsent(subject, subjects.size() + 1) == null) {
                terms.putIfAbsent(Terms.of(subject.budget()), terms.size() + 1);
            }
        }
    }

    /** Whether it may take another call. */
    boolean hasRoom() {
        return numbers < MOST_NUMBERS && terms.size() < MOST_TERMS;
    }

    List<byte[]> keys(byte[] lane) {
        List<byte[]> keys = new ArrayList<>(subjects.size() + 1);
        keys.add(lane);
        for (Subject subject : subjects.keySet()) {
            keys.add(subject.key().getBytes(StandardCharsets.UTF_8));
        }
        return keys;
    }

    byte[] request(Mode mode, long number, long notAfterMicros, long laneTtlMillis, long serverMicros) {
        List<Call> settles = only(Call.Settle.class);
        List<Call> reserves = only(Call.Reserve.class);
        boolean looks = mode == Mode.LOOK;
        ByteBuffer out = ByteBuffer.allocate(size());
        out.put(mode.code)
                .putLong(number)
                .putLong(notAfterMicros)
                .putInt((int) laneTtlMillis)
                .put((byte) terms.size())
                .putShort((short) subjects.size())
                .putShort((short) settles.size())
                .putShort((short) reserves.size())
                .putShort((short) (looks ? 0 : words))
                .putShort((short) numbers);
        for (Terms each : terms.keySet()) {
            each.write(out, serverMicros);
        }
        for (Subject subject : subjects.keySet()) {
            out.put(terms.getOrDefault(Terms.of(subject.budget()), 0).byteValue());
        }
        settles.forEach(call -> writeWords(out, call));
        reserves.forEach(call -> writeWords(out, call));
        settles.forEach(call -> writeNumbers(out, call));
        reserves.forEach(call -> writeNumbers(out, call));
        return out.position() == out.capacity() ? out.array() : Arrays.copyOf(out.array(), out.position());
    }

    private int size() {
        int size = HEAD_BYTES + subjects.size() + words * 2 + numbers * 8;
        for (Terms each : terms.keySet()) {
            size += each.size();
        }
        return size;
    }

    private List<Call> only(Class<? extends Call> type) {
        List<Call> found = new ArrayList<>(calls.size());
        for (Call call : calls) {
            if (type.isInstance(call)) {
                found.add(call);
            }
        }
        return found;
    }

    private void writeWords(ByteBuffer out, Call call) {
        out.putShort((short) call.parts());
        for (int part = 0; part < call.parts(); part++) {
            Subject subject = call.subject(part);
            boolean dry = call instanceof Call.Reserve && subject.budget().isDryRun();
            out.putShort((short) (number(subject) | (dry ? DRY_RUN : 0)));
        }
    }

    private static void writeNumbers(ByteBuffer out, Call call) {
        for (int part = 0; part < call.parts(); part++) {
            int limits = call.subject(part).limits().size();
            for (int limit = 0; limit < limits; limit++) {
                call.write(out, part, limit);
            }
        }
    }

    /** From 1, as the script counts. */
    private int number(Subject subject) {
        Integer number = subjects.get(subject);
        if (number == null) {
            throw new IllegalStateException("a part without its subject");
        }
        return number;
    }

    // ------------------------------------------------------------------------------------------------------ the reply

    Reply read(byte[] reply) {
        ByteBuffer in = ByteBuffer.wrap(reply);
        Status status = Status.values()[in.get() - 1];
        long micros = in.getLong();
        if (status != Status.DONE && status != Status.CANCELLED_AFTER_IT_RAN) {
            return new Reply(status, micros, List.of());
        }
        byte[] flags = new byte[subjects.size()];
        if (in.get() == 1) {
            in.get(flags);
        }
        Terms.State[] states = new Terms.State[flags.length];
        int subject = 0;
        for (Subject each : subjects.keySet()) {
            if (flags[subject] == 0) {
                states[subject] = Terms.of(each.budget()).read(in);
            }
            subject++;
        }
        Result[] results = new Result[calls.size()];
        for (int i = 0; i < results.length; i++) {
            if (calls.get(i) instanceof Call.Settle settle) {
                results[i] = settled(in, settle, flags);
            }
        }
        for (int i = 0; i < results.length; i++) {
            if (calls.get(i) instanceof Call.Reserve reserve) {
                results[i] = reserved(in, reserve, flags, states);
            } else if (calls.get(i) instanceof Call.Look look) {
                results[i] = looked(in, look, flags, states);
            }
        }
        return new Reply(status, micros, List.of(results));
    }

    private Result settled(ByteBuffer in, Call.Settle call, byte[] flags) {
        byte code = in.get();
        return switch (code) {
            case 0 -> unusable(call, flags);
            case 1 -> new Result.Done();
            case 4 -> outOfRange(in, call);
            default -> throw unknown(code);
        };
    }

    private Result reserved(ByteBuffer in, Call.Reserve call, byte[] flags, Terms.State[] states) {
        byte code = in.get();
        return switch (code) {
            case 0 -> unusable(call, flags);
            case 1, 3 -> new Result.Decided(granted(in, call.claims(), code == 3, states));
            case 2 -> new Result.Decided(shortfall(in, call.claims().get(in.get() - 1)));
            case 4 -> outOfRange(in, call);
            default -> throw unknown(code);
        };
    }

    private Verdict.Granted granted(ByteBuffer in, List<Claim> claims, boolean withDryRuns, Terms.State[] states) {
        List<Charge> charges = new ArrayList<>(claims.size());
        List<Verdict.Shortfall> dryRuns = withDryRuns ? new ArrayList<>() : List.of();
        for (Claim claim : claims) {
            if (withDryRuns && in.get() == 0) {
                dryRuns.add(shortfall(in, claim));
            } else {
                Terms.State state = states[number(claim.subject()) - 1];
                charges.add(new Charge(claim, state.eras(), state.balances()));
            }
        }
        return new Verdict.Granted(charges, dryRuns);
    }

    private static Verdict.Shortfall shortfall(ByteBuffer in, Claim claim) {
        return new Verdict.Shortfall(claim, in.get() - 1, in.getLong(), in.getLong());
    }

    private Result looked(ByteBuffer in, Call.Look call, byte[] flags, Terms.State[] states) {
        for (Subject subject : call.subjects()) {
            if (flags[number(subject) - 1] != 0) {
                return unusable(call, flags);
            }
        }
        List<List<Standing>> standings = new ArrayList<>();
        for (Subject subject : call.subjects()) {
            List<Standing> limits = new ArrayList<>();
            for (long balance : states[number(subject) - 1].balances()) {
                limits.add(new Standing(balance, in.getLong()));
            }
            standings.add(limits);
        }
        return new Result.Looked(standings);
    }

    private Result unusable(Call call, byte[] flags) {
        Result result = new Result.BoundsNeeded();
        for (int part = 0; part < call.parts(); part++) {
            byte flag = flags[number(call.subject(part)) - 1];
            if (flag != 0 && flag != BOUNDS_NEEDED) {
                return new Result.Refused(refusal(call.subject(part), flag));
            }
        }
        return result;
    }

    private static Result outOfRange(ByteBuffer in, Call call) {
        return new Result.Refused(refusal(call.subject(in.get() - 1), (byte) 0));
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
