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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Calls that are decided in one run of the script, in their order: how they are written to it, and its reply read. The layout is
 * described at the head of {@code guard.lua}.
 */
final class Batch {
    private static final int HEAD_BYTES = 1 + 3 * 8 + 2 * 2;

    private final List<Call> calls = new ArrayList<>();
    private final Map<Subject, Integer> subjects = new LinkedHashMap<>();
    private int bytes = HEAD_BYTES;

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

    /** What is asked of the script: an operation on some subjects. */
    sealed interface Call {
        byte operation();

        int parts();

        Subject subject(int part);

        /** How many numbers go with each limit. */
        int numbers();

        void write(ByteBuffer out, int part, int limit);

        record Reserve(List<Claim> claims) implements Call {
            @Override
            public byte operation() {
                return 1;
            }

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
            public byte operation() {
                return 2;
            }

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
                return 3;
            }

            @Override
            public void write(ByteBuffer out, int part, int limit) {
                Charge charge = settled.get(part).charge();
                out.putLong(charge.eras()[limit])
                        .putLong(charge.claim().amounts()[limit])
                        .putLong(settled.get(part).actual()[limit]);
            }
        }

        record Look(List<Subject> subjects) implements Call {
            @Override
            public byte operation() {
                return 3;
            }

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
        bytes += 2;
        for (int part = 0; part < call.parts(); part++) {
            Subject subject = call.subject(part);
            bytes += 3 + subject.limits().size() * call.numbers() * 8;
            if (subjects.putIfAbsent(subject, subjects.size() + 1) == null) {
                bytes += new Terms(subject.limits()).size();
            }
        }
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
        ByteBuffer out = ByteBuffer.allocate(bytes);
        out.put(mode.code)
                .putLong(number)
                .putLong(notAfterMicros)
                .putLong(laneTtlMillis)
                .putShort((short) subjects.size())
                .putShort((short) calls.size());
        for (Subject subject : subjects.keySet()) {
            new Terms(subject.limits()).write(out, serverMicros);
        }
        for (Call call : calls) {
            write(out, call);
        }
        byte[] request = new byte[out.position()];
        out.flip().get(request);
        return request;
    }

    private void write(ByteBuffer out, Call call) {
        out.put(call.operation()).put((byte) call.parts());
        for (int part = 0; part < call.parts(); part++) {
            Subject subject = call.subject(part);
            Integer index = subjects.get(subject);
            if (index == null) {
                throw new IllegalStateException("a part without its subject");
            }
            out.putShort(index.shortValue());
            out.put((byte) (subject.budget().isDryRun() ? 1 : 0));
            for (int limit = 0; limit < subject.limits().size(); limit++) {
                call.write(out, part, limit);
            }
        }
    }

    Reply read(byte[] reply) {
        ByteBuffer in = ByteBuffer.wrap(reply);
        Status status = Status.values()[in.get() - 1];
        long micros = in.getLong();
        List<Result> results = new ArrayList<>(calls.size());
        if (status == Status.DONE || status == Status.CANCELLED_AFTER_IT_RAN) {
            for (Call call : calls) {
                results.add(readResult(in, call));
            }
        }
        return new Reply(status, micros, results);
    }

    private static Result readResult(ByteBuffer in, Call call) {
        byte code = in.get();
        return switch (code) {
            case 1 -> new Result.Decided(readGranted(in, claimsOf(call)));
            case 2 -> new Result.Decided(readShort(in, claimsOf(call).get(in.get() - 1)));
            case 3 -> new Result.BoundsNeeded();
            case 4 -> new Result.Refused(refusal(call.subject(in.get() - 1), in.get()));
            case 5 -> new Result.Done();
            case 6 -> new Result.Looked(readStandings(in, call));
            default -> throw new IllegalStateException("a reply of the script has an unknown result: " + code);
        };
    }

    private static Verdict.Granted readGranted(ByteBuffer in, List<Claim> claims) {
        List<Charge> charges = new ArrayList<>(claims.size());
        List<Verdict.Shortfall> dryRuns = new ArrayList<>(0);
        for (Claim claim : claims) {
            if (in.get() == 0) {
                dryRuns.add(readShort(in, claim));
                continue;
            }
            long[] eras = new long[claim.amounts().length];
            long[] balances = new long[claim.amounts().length];
            for (int i = 0; i < eras.length; i++) {
                eras[i] = in.getLong();
                balances[i] = in.getLong();
            }
            charges.add(new Charge(claim, eras, balances));
        }
        return new Verdict.Granted(List.copyOf(charges), List.copyOf(dryRuns));
    }

    private static Verdict.Shortfall readShort(ByteBuffer in, Claim claim) {
        return new Verdict.Shortfall(claim, in.get() - 1, in.getLong(), in.getLong());
    }

    private static List<List<Standing>> readStandings(ByteBuffer in, Call call) {
        List<List<Standing>> standings = new ArrayList<>();
        for (int part = 0; part < call.parts(); part++) {
            List<Standing> limits = new ArrayList<>();
            for (int i = 0; i < call.subject(part).limits().size(); i++) {
                limits.add(new Standing(in.getLong(), in.getLong()));
            }
            standings.add(limits);
        }
        return standings;
    }

    private static List<Claim> claimsOf(Call call) {
        if (call instanceof Call.Reserve reserve) {
            return reserve.claims();
        }
        throw new IllegalStateException("a reply of the script does not fit its call");
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
