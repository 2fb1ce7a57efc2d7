package io.costguard.redis;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Budget;
import io.costguard.Limit;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** What the script noted of lines while it decided, and what stands in them; reads both without the code that it checks. */
final class LineAudit {
    static final long NEVER = Long.MAX_VALUE;

    private LineAudit() {}

    /** One call in one line. */
    record Member(String process, long number, long place, long deadline, Map<Long, Long> amounts) {
        static Member of(byte[] member) {
            return of(ByteBuffer.wrap(member));
        }

        private static Member of(ByteBuffer in) {
            String process = text(in, 12);
            long number = unsigned(in, 6);
            long place = unsigned(in, 7);
            long deadline = unsigned(in, 7);
            Map<Long, Long> amounts = new TreeMap<>();
            for (int count = in.get(); count > 0; count--) {
                amounts.put(unsigned(in, 3), unsigned(in, 7));
            }
            return new Member(process, number, place, deadline, amounts);
        }

        String call() {
            return process + "/" + number;
        }

        long amount(long limit) {
            return amounts.getOrDefault(limit, 0L);
        }
    }

    /** A limit when a call was let go: balance and capacity in parts of a unit. */
    record Taken(long limit, long balance, long amount, long capacity, long parts) {}

    sealed interface Entry {}

    record Joined(Member member) implements Entry {}

    /**
     * A call was let go, as far as one subject goes.
     *
     * @param place where it stood; 0 if nowhere
     * @param ahead who stands before it; of a call that stood nowhere, all
     */
    record LetGo(
            String process,
            long number,
            long place,
            long micros,
            long hold,
            String key,
            List<Taken> limits,
            List<Member> ahead)
            implements Entry {

        String call() {
            return process + "/" + number;
        }

        boolean isBeforeOthers() {
            return place > 0 && !ahead.isEmpty();
        }

        /** No limit was charged that did not cover this call and all who stand before it. */
        void checkCovered() {
            for (Taken taken : limits) {
                if (taken.amount > 0) {
                    long need = Math.min(taken.amount, taken.capacity / taken.parts);
                    for (Member member : ahead) {
                        need += member.amount(taken.limit);
                    }
                    assertThat(need * taken.parts)
                            .as("what must be there when %s is let go", this)
                            .isLessThanOrEqualTo(taken.balance);
                    assertThat(hold).as("the hold when %s is let go", this).isLessThanOrEqualTo(micros);
                }
            }
        }
    }

    /**
     * What a script left of a subject.
     *
     * @param first who stands first in its line, if anybody does
     */
    record Stood(long micros, String key, List<Member> first, Value value) implements Entry {

        /** From when on who stands first is covered by the limits of a budget, as things stand; never if nobody stands there. */
        long firstCoveredAt(Budget budget) {
            long at = first.isEmpty() ? NEVER : Math.max(micros, value.line.hold);
            for (Member member : first) {
                for (int i = 0; i < budget.limits().size(); i++) {
                    Stored stored = value.limits.get(i);
                    long need = Math.min(
                            member.amount(stored.limit), budget.limits().get(i).capacity());
                    at = Math.max(at, value.coveredAt(budget.limits().get(i), stored, need, micros));
                }
            }
            return at;
        }
    }

    static Entry read(byte[] entry) {
        ByteBuffer in = ByteBuffer.wrap(entry);
        byte kind = in.get();
        if (kind == 'J') {
            return new Joined(Member.of(in));
        } else if (kind == 'S') {
            return stood(in);
        }
        String process = text(in, 12);
        long number = unsigned(in, 6);
        long place = unsigned(in, 7);
        long micros = unsigned(in, 7);
        long hold = unsigned(in, 7);
        int length = in.getShort();
        int count = in.get();
        String key = text(in, length);
        List<Taken> limits = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            limits.add(new Taken(unsigned(in, 3), in.getLong(), in.getLong(), in.getLong(), unsigned(in, 4)));
        }
        List<Member> ahead = new ArrayList<>();
        while (in.hasRemaining()) {
            byte[] member = new byte[in.getShort()];
            in.get(member);
            ahead.add(Member.of(member));
        }
        return new LetGo(process, number, place, micros, hold, key, limits, ahead);
    }

    private static Stood stood(ByteBuffer in) {
        long micros = unsigned(in, 7);
        String key = text(in, in.getShort());
        byte[] first = new byte[in.getShort()];
        in.get(first);
        byte[] value = new byte[in.remaining()];
        in.get(value);
        return new Stood(
                micros,
                key,
                first.length == 0 ? List.of() : List.of(Member.of(first)),
                value.length == 0 ? Value.NONE : Value.of(value));
    }

    /**
     * What a value tells of one limit.
     *
     * @param slots of a sliding window, or of calls in flight, the newest first
     */
    record Stored(long limit, int kind, long parts, long balance, long added, List<Long> slots) {}

    /** What a value tells of its line; {@code sums} and {@code told} by limit. */
    record Line(
            long hold,
            long size,
            long last,
            long until,
            long seen,
            long after,
            long place,
            long moment,
            Map<Long, Long> sums,
            Map<Long, Long> told) {}

    /** A subject's value, without its tail. */
    record Value(long at, List<Stored> limits, Line line) {
        static final Line NO_LINE = new Line(0, 0, 0, 0, 0, 0, 0, 0, Map.of(), Map.of());
        static final Value NONE = new Value(0, List.of(), NO_LINE);

        static Value of(byte[] value) {
            ByteBuffer in = ByteBuffer.wrap(value);
            int head = in.get() & 0xff;
            int count = head & 31;
            long[] ids = new long[count];
            long[] parts = new long[count];
            for (int i = 0; i < count; i++) {
                ids[i] = unsigned(in, 3);
                parts[i] = unsigned(in, 4);
            }
            final boolean hasLine = (in.get() & 128) != 0;
            final long at = unsigned(in, 7);
            long[] balances = new long[count];
            for (int i = 0; i < count; i++) {
                balances[i] = unsigned(in, 7) << 8 >> 8;
                unsigned(in, 3);
            }
            List<Stored> limits = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                int kind = (int) (ids[i] & 7);
                long added = kind == 0 ? 0 : unsigned(in, 7);
                if (kind == 3) {
                    unsigned(in, 7);
                    unsigned(in, 7);
                }
                List<Long> slots = new ArrayList<>(List.of(added));
                for (int older = 0; kind >= 4 && older < 15; older++) {
                    slots.add(unsigned(in, 7));
                }
                limits.add(new Stored(kind == 1 ? ids[i] - 1 : ids[i], kind, parts[i], balances[i], added, slots));
            }
            return new Value(at, limits, hasLine ? line(in, limits) : NO_LINE);
        }

        /** From when on a limit covers so much, as things stand. */
        long coveredAt(Limit limit, Stored stored, long need, long now) {
            if (need > limit.capacity()) {
                return NEVER;
            }
            long period = ((Limit.Window.Span) limit.window()).micros();
            if (stored.kind == 2) {
                return coveredInWindow(limit, stored, need, now, period);
            } else if (stored.kind >= 4) {
                return coveredInSlots(limit, stored, need, now, (period + 14) / 15);
            } else if (stored.kind == 1) {
                long lacks = (need - stored.balance) * period - stored.added;
                return lacks <= 0 ? now : Math.max(now, at + -Math.floorDiv(-lacks, limit.amount()));
            }
            long rate = limit.amount() * stored.parts / period;
            long lacks = need * stored.parts - stored.balance;
            return lacks <= 0 ? now : Math.max(now, at + -Math.floorDiv(-lacks, rate));
        }

        private long coveredInWindow(Limit limit, Stored stored, long need, long now, long period) {
            long first = at / period;
            for (long window = now / period; window < now / period + 1_000; window++) {
                long used = stored.balance;
                if (window > first) {
                    long debt = Math.max(0, used - Math.max(stored.added, limit.capacity()));
                    used = Math.max(0, debt - (window - first - 1) * limit.capacity());
                }
                if (limit.capacity() - used >= need) {
                    return Math.max(now, window * period);
                }
            }
            return NEVER;
        }

        private long coveredInSlots(Limit limit, Stored stored, long need, long now, long width) {
            Deque<Long> slots = new ArrayDeque<>(stored.slots);
            long inSlots = slots.stream().mapToLong(Long::longValue).sum();
            long debt = stored.balance - inSlots;
            for (long slot = at / width; slot < at / width + 10_000; slot++) {
                if (slot >= now / width && limit.capacity() - inSlots - debt >= need) {
                    return Math.max(now, slot * width);
                }
                inSlots -= slots.removeLast();
                long entering = Math.max(0, Math.min(debt, limit.capacity() - inSlots));
                slots.addFirst(entering);
                inSlots += entering;
                debt -= entering;
            }
            return NEVER;
        }

        private static Line line(ByteBuffer in, List<Stored> limits) {
            final long hold = unsigned(in, 7);
            final long size = unsigned(in, 4);
            final long seen = unsigned(in, 7);
            in.getShort();
            Map<Long, Long> sums = new TreeMap<>();
            Map<Long, Long> told = new TreeMap<>();
            for (Stored stored : limits) {
                sums.put(stored.limit, unsigned(in, 7));
            }
            final long last = unsigned(in, 7);
            final long until = unsigned(in, 7);
            final long after = unsigned(in, 7);
            final long place = unsigned(in, 7);
            final long moment = unsigned(in, 7);
            text(in, in.getShort());
            for (Stored stored : limits) {
                told.put(stored.limit, unsigned(in, 7));
            }
            for (int count = in.get(); count > 0; count--) {
                long limit = unsigned(in, 3);
                sums.put(limit, unsigned(in, 7));
                told.put(limit, unsigned(in, 7));
            }
            return new Line(hold, size, last, until, seen, after, place, moment, sums, told);
        }
    }

    private static String text(ByteBuffer in, int bytes) {
        byte[] text = new byte[bytes];
        in.get(text);
        return new String(text, StandardCharsets.ISO_8859_1);
    }

    private static long unsigned(ByteBuffer in, int bytes) {
        long number = 0;
        for (int i = 0; i < bytes; i++) {
            number = (number << 8) | (in.get() & 0xff);
        }
        return number;
    }
}
