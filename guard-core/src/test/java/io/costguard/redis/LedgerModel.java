package io.costguard.redis;

import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What the script must do, said again in plain Java with an explicit clock: it replays batches as the script was asked them, and
 * fails where the script answered otherwise. It shares no code with what it checks, not even the reading of requests.
 */
final class LedgerModel {
    private static final int RUNS = 1;
    private static final int CANCELS = 2;
    private static final int WITH_LINES = 8;
    private static final int WITH_COOL_DOWNS = 16;
    private static final int PROCESS_BYTES = 12;
    private static final long STANDS_STILL = 10_000_000;
    private static final long ERAS = 1L << 24;
    private static final BigInteger DEEPEST = BigInteger.valueOf((1L << 50) - (1L << 53));
    private static final long LONGEST = 3_155_760_000_000_000L;
    private static final BigInteger MAX = BigInteger.valueOf((1L << 53) - 1);

    private static final int IN_LINE = 128;
    private static final int UP_TO = 7;
    private static final int LOOK = 16;
    private static final int PLACE_BYTES = 7;

    private static final Balance MISSING = new Bucket(new Terms(0, 0, 0, 0, 1, 1, 0, new long[0]));

    private final Map<String, Map<Long, Balance>> subjects = new HashMap<>();
    /** Under which terms each was written last. */
    private final Map<String, List<Terms>> writtenUnder = new HashMap<>();

    private final Map<String, Remembered> lanes = new HashMap<>();
    private final Set<Integer> changed = new HashSet<>();
    /** Until when nobody goes. */
    private final Map<String, Long> holds = new HashMap<>();

    private final Map<Integer, Long> out = new HashMap<>();
    private final Map<Integer, Map<Long, Long>> outByEra = new HashMap<>();
    private long granted;
    private long denied;
    private long coolDownsBegun;
    private long dryRunsShort;
    private final Listener listener;

    /** Of the batch that is replayed: its time, and of each subject until when nobody goes, and its limits' cool-downs. */
    private long now;

    private final List<Long> heldUntil = new ArrayList<>();
    private final List<long[]> coolDownsOf = new ArrayList<>();

    /** @param none which reserves begin none, counted from 1 */
    private record CoolDowns(Map<Integer, long[]> byTerms, Set<Integer> none, int fields) {
        static final CoolDowns NONE = new CoolDowns(Map.of(), Set.of(), 0);

        static CoolDowns read(ByteBuffer in) {
            Map<Integer, long[]> byTerms = new HashMap<>();
            int count = in.getShort();
            for (int i = 0; i < count; i++) {
                long[] spans = byTerms.computeIfAbsent((int) in.getShort(), unused -> new long[32]);
                spans[in.get() - 1] = number(in, 7);
            }
            Set<Integer> none = new HashSet<>();
            int without = in.getShort();
            for (int i = 0; i < without; i++) {
                none.add((int) in.getShort());
            }
            return new CoolDowns(byTerms, none, 2 + 3 * count + without);
        }

        long[] of(int terms) {
            return byTerms.getOrDefault(terms, new long[32]);
        }
    }

    /** What a lane did last, and what was answered; nothing is undone twice. */
    private record Remembered(long number, byte[] reply, List<Result> results, boolean isCancelled) {
        static final Remembered NOTHING = new Remembered(0, new byte[0], List.of(), false);

        static Remembered cancelled(long number, byte[] reply) {
            return new Remembered(number, reply, List.of(), true);
        }
    }

    /**
     * @param kind 0 a bucket, 1 a long one, 2 an aligned window, 3 a calendar window, 4 a sliding window, 5 calls in flight
     * @param offset of an aligned window; of a sliding one, or of a lease, the length of a slot
     * @param period of a bucket, in how many parts a unit is told, of which {@code amount} come in a microsecond
     */
    private record Terms(
            long id, int kind, long capacity, long amount, long period, long parts, long offset, long[] bounds) {
        /** The same for a bucket and a long one. */
        long name() {
            return kind == 1 ? id - 1 : id;
        }
    }

    /** @param amounts what is asked, or, where it is settled, by how much more was used than charged */
    private record Part(int terms, int dry, long[] eras, long[] amounts) {}

    /**
     * @param op 1 a reserve, 2 a settle, 3 a reset, 4 a correction, 5 a refund of whatever was charged, 6 a look
     * @param most of a reserve of pieces, how many may go at most; 0 of any other
     */
    private record Call(int op, List<Part> parts, int most) {
        Call(int op, List<Part> parts) {
            this(op, parts, 0);
        }

        Call times(long pieces) {
            return new Call(
                    op,
                    parts.stream()
                            .map(part -> new Part(
                                    part.terms(),
                                    part.dry(),
                                    part.eras(),
                                    Arrays.stream(part.amounts())
                                            .map(amount -> Math.multiplyExact(amount, pieces))
                                            .toArray()))
                            .toList());
        }
    }

    /** Granted so many pieces, with eras and balances by part (null for a dry run that was short), or short; or a bare code. */
    private record Result(int code, List<long @Nullable []> granted, long pieces) {
        Result(int code) {
            this(code, List.of(), 1);
        }
    }

    /** Told what became of each part of a call, in the order of the limits of its budget. */
    interface Listener {
        void reserved(String key, boolean isLetGo, long[] amounts);

        void undone(String key, long[] amounts);

        void settled(String key, long[] over);
    }

    LedgerModel() {
        this(new Listener() {
            @Override
            public void reserved(String key, boolean isLetGo, long[] amounts) {}

            @Override
            public void undone(String key, long[] amounts) {}

            @Override
            public void settled(String key, long[] over) {}
        });
    }

    LedgerModel(Listener listener) {
        this.listener = listener;
    }

    /** Checks one batch, as the audit has it: request, reply and keys, each with its length before it. */
    void replay(byte[] entry) {
        ByteBuffer in = ByteBuffer.wrap(entry);
        byte[] request = new byte[in.getInt()];
        in.get(request);
        byte[] reply = new byte[in.getInt()];
        in.get(reply);
        byte[] keys = new byte[in.remaining()];
        in.get(keys);
        replay(request, reply, new String(keys, StandardCharsets.UTF_8).split("\n"));
    }

    void replay(byte[] request, byte[] reply, String... keys) {
        ByteBuffer in = ByteBuffer.wrap(request);
        in.position(2 + in.getShort(0));
        int head = in.get();
        int mode = head % WITH_LINES;
        boolean withLines = head % WITH_COOL_DOWNS >= WITH_LINES;
        long number = in.getLong();
        long notAfter = in.getLong();
        in.getInt();
        int subjectCount = in.getShort();
        int settleCount = in.getShort();
        int reserveCount = in.getShort();
        int[] termsOf = new int[subjectCount];
        for (int i = 0; i < subjectCount; i++) {
            termsOf[i] = in.getShort();
        }
        int end = in.getShort();
        int begin = 9 + subjectCount + (withLines ? passLines(in) : 0);
        CoolDowns coolDowns = head >= WITH_COOL_DOWNS ? CoolDowns.read(in) : CoolDowns.NONE;
        begin += coolDowns.fields();
        Map<Integer, List<Terms>> known = new HashMap<>();
        for (int field = begin; field < end; ) {
            List<Terms> terms = readTerms(in);
            known.put(field, terms);
            field += 5 + terms.stream().mapToInt(LedgerModel::fields).sum();
        }
        List<Map<Long, Balance>> states = new ArrayList<>();
        List<List<Terms>> limits = new ArrayList<>();
        heldUntil.clear();
        coolDownsOf.clear();
        for (int i = 0; i < subjectCount; i++) {
            limits.add(known.getOrDefault(termsOf[i], List.of()));
            states.add(copyOf(subjects.getOrDefault(keys[i + 1], Map.of())));
            heldUntil.add(holds.getOrDefault(keys[i + 1], 0L));
            coolDownsOf.add(coolDowns.of(termsOf[i]));
        }
        List<Call> calls = new ArrayList<>();
        for (int i = 0; i < settleCount + reserveCount; i++) {
            calls.add(i < settleCount ? readSettle(in, limits) : readReserve(in, limits));
        }
        same("bytes of the request left over", 0, in.remaining());

        ByteBuffer out = ByteBuffer.wrap(reply);
        same("version of a reply", 1, out.get());
        long told = out.getLong();
        out.getInt();
        int status = out.get();
        now = out.getLong();
        Remembered last = lanes.getOrDefault(keys[0], Remembered.NOTHING);
        if (number == last.number() && (mode == RUNS || last.isCancelled())) {
            same("first byte that is not as it was answered before", -1, Arrays.mismatch(last.reply(), reply));
            return;
        }
        if (number != last.number() + 1 && number != last.number()) {
            same("status of a number that is not the next one", 3, status);
            return;
        }
        if (mode == RUNS && now > notAfter) {
            same("status of a batch that is late", 2, status);
            return;
        }
        same("number of a reply", number, told);
        if (mode == CANCELS && number == last.number() + 1) {
            same("status of a cancel that came first", 5, status);
            lanes.put(keys[0], Remembered.cancelled(number, reply));
            return;
        }
        for (int i = 0; i < limits.size(); i++) {
            for (Terms each : limits.get(i)) {
                Balance balance = states.get(i).computeIfAbsent(each.name(), name -> Balance.fresh(each, now));
                if (balance.at - now > STANDS_STILL && changed.add(i)) {
                    setBack(i, balance.at);
                }
                balance.advance(each, now);
            }
        }
        if (mode == CANCELS) {
            same("status of a cancel that came after", 4, status);
            for (int i = 0; i < calls.size(); i++) {
                Result result = last.results().get(i);
                undo(calls.get(i).times(result.pieces()), result, limits, states);
                for (Part part : result.code() == 1 ? calls.get(i).parts() : List.<Part>of()) {
                    listener.undone(keys[part.terms() + 1], part.amounts());
                }
            }
            lanes.put(keys[0], Remembered.cancelled(number, reply));
            keep(states, limits, keys);
            return;
        }
        same("status", 1, status);
        same("subjects that cannot be used", 0, out.get());
        ByteBuffer values = out.slice();
        for (List<Terms> each : limits) {
            out.position(out.position() + bytes(each));
        }
        List<Result> results = new ArrayList<>();
        int reserves = 0;
        for (Call call : calls) {
            if (call.op() == 1 || call.op() == 6) {
                reserves++;
                // Of pieces of which a dry run has too little, as it bounds none.
                Call decided = call.times(pieces(call, limits, states));
                for (Part part : coolDowns.none().contains(reserves) ? List.<Part>of() : decided.parts()) {
                    coolDown(part, limits, states);
                }
            }
            Result result = switch (call.op()) {
                case 1, 6 -> reserve(call, out, limits, states);
                case 2, 5 -> settle(call, out, limits, states);
                case 3 -> reset(call, out, limits, states);
                default -> correct(call, out, limits, states);
            };
            results.add(result);
            for (Part part : call.parts()) {
                if (call.op() == 1) {
                    listener.reserved(keys[part.terms() + 1], result.code() == 1, part.amounts());
                } else if (call.op() == 2) {
                    listener.settled(keys[part.terms() + 1], part.amounts());
                }
            }
        }
        if (withLines) {
            same("calls that are told something", 0, out.getShort());
        }
        same("bytes of the reply left over", 0, out.remaining());
        for (int i = 0; i < limits.size(); i++) {
            sameValue(values, limits.get(i), states.get(i));
        }
        lanes.put(keys[0], new Remembered(number, reply, results, false));
        keep(states, limits, keys);
    }

    /** Passes over the lines that are named, in which nobody stands here; says how many fields they are. */
    private static int passLines(ByteBuffer in) {
        in.position(in.position() + PROCESS_BYTES);
        int channelBytes = in.getShort();
        in.position(in.position() + channelBytes);
        int lines = in.getShort();
        in.position(in.position() + 2 * lines);
        return 3 + lines;
    }

    /** Like the script, keeps of a batch only the subjects on which something was charged or given back. */
    private void keep(List<Map<Long, Balance>> states, List<List<Terms>> limits, String[] keys) {
        for (int subject : changed) {
            subjects.put(keys[subject + 1], states.get(subject));
            writtenUnder.put(keys[subject + 1], limits.get(subject));
            long until = heldUntil.get(subject);
            holds.put(keys[subject + 1], until > now ? until : 0);
        }
        changed.clear();
    }

    /** What is left of a hold lasts as long as before. */
    private void setBack(int subject, long last) {
        long until = heldUntil.get(subject);
        heldUntil.set(subject, until > now ? now + Math.max(0, until - last) : until);
    }

    /** For how long nobody goes. */
    private long held(Part part) {
        return Math.max(0, heldUntil.get(part.terms()) - now);
    }

    /** Begins the longest of those whose limits alone have too little, unless nobody goes anyway. */
    private void coolDown(Part part, List<List<Terms>> limits, List<Map<Long, Balance>> states) {
        List<Terms> terms = limits.get(part.terms());
        long longest = 0;
        for (int j = 0; j < terms.size(); j++) {
            long need = Math.min(part.amounts()[j], terms.get(j).capacity());
            if (need > 0 && balance(states, part, terms.get(j)).balance() < need) {
                longest = Math.max(longest, coolDownsOf.get(part.terms())[j]);
            }
        }
        if (longest > 0 && held(part) == 0) {
            heldUntil.set(part.terms(), now + longest);
            changed.add(part.terms());
            coolDownsBegun++;
        }
    }

    /** Until when nobody goes, or went when it was last written. */
    long heldUntil(String key) {
        return holds.getOrDefault(key, 0L);
    }

    /** How often a dry run would have denied a call that was let go. */
    long dryRunsShort() {
        return dryRunsShort;
    }

    /** How many cool-downs began. */
    long coolDownsBegun() {
        return coolDownsBegun;
    }

    private static Map<Long, Balance> copyOf(Map<Long, Balance> state) {
        Map<Long, Balance> copy = new TreeMap<>();
        state.forEach((id, balance) -> copy.put(id, balance.copy()));
        return copy;
    }

    /** How many calls were let go. */
    long granted() {
        return granted;
    }

    /** How many were denied. */
    long denied() {
        return denied;
    }

    /** That key is not in Redis any more. */
    void forget(String key) {
        subjects.remove(key);
        writtenUnder.remove(key);
        holds.remove(key);
        lanes.remove(key);
    }

    /** Nothing is lost with a key that is gone by then: all would be there again, and nobody is held. */
    void meansNothingAt(String key, long micros) {
        Map<Long, Balance> state = copyOf(subjects.getOrDefault(key, Map.of()));
        for (Terms terms : writtenUnder.getOrDefault(key, List.of())) {
            Balance balance = state.getOrDefault(terms.name(), MISSING);
            if (balance instanceof Window window) {
                same("whether a window lasts of a key that is gone", 0, window.means(terms, micros) ? 1 : 0);
            } else {
                balance.advance(terms, micros);
                same("balance of a key that is gone", terms.capacity(), balance.balance());
            }
        }
        same("whether anybody is held by a key that is gone", 0, heldUntil(key) > micros ? 1 : 0);
    }

    /** What is stored of a subject, of which no limit was ever left out, is what the model has. */
    void sameStored(String key, byte @Nullable [] value) {
        Map<Long, Balance> state = subjects.get(key);
        same("values of a subject", state == null ? 0 : 1, value == null ? 0 : 1);
        if (state == null || value == null) {
            return;
        }
        List<Terms> limits = writtenUnder.getOrDefault(key, List.of());
        ByteBuffer in = ByteBuffer.wrap(value);
        sameValue(in, limits, state);
        long until = 0;
        if ((value[1 + 7 * limits.size()] & IN_LINE) != 0) {
            until = number(in, 7);
            same("calls in line", 0, in.getInt());
            number(in, 7);
            int bytes = in.getShort();
            in.position(in.position() + 7 * limits.size() + bytes);
        }
        same("until when nobody goes", heldUntil(key), until);
        same("bytes of a value left over", 0, in.remaining());
    }

    /** What was let go minus what was given back so far, of one limit of all subjects. */
    long out(int limit) {
        return out.getOrDefault(limit, 0L);
    }

    /** The most that was let go minus what was given back in one window of this limit. */
    long mostInAWindow(int limit) {
        return outByEra.getOrDefault(limit, Map.of()).values().stream()
                .mapToLong(Long::longValue)
                .max()
                .orElse(0);
    }

    /** The balances of a subject at the time of its last batch. */
    List<Long> balances(String key) {
        return subjects.getOrDefault(key, Map.of()).values().stream()
                .map(Balance::balance)
                .toList();
    }

    private Result reserve(Call asked, ByteBuffer out, List<List<Terms>> limits, List<Map<Long, Balance>> states) {
        long pieces = pieces(asked, limits, states);
        Call call = asked.times(pieces);
        int longestPart = -1;
        long[] longest = {};
        for (int i = 0; i < call.parts().size(); i++) {
            Part part = call.parts().get(i);
            long[] found = part.dry() == 1 ? new long[0] : shortOf(part, limits, states);
            if (found.length > 0 && (longest.length == 0 || found[2] > longest[2])) {
                longest = found;
                longestPart = i;
            }
        }
        int code = out.get();
        if (longestPart >= 0) {
            denied++;
            same("result of a call that is not covered", 2, code);
            same("part that is short", longestPart + 1L, out.get());
            sameShort(longest, out);
            return new Result(2);
        }
        if (asked.most() > 0) {
            same("result of pieces that are covered", 10, code);
            same("pieces", pieces, number(out, 7));
            code = out.get();
        }
        if (call.op() == 6) {
            same("result of a call that looked, and is covered", 13, code);
            out.position(out.position() + PLACE_BYTES);
            return new Result(13);
        }
        boolean withDryRuns = call.parts().stream().anyMatch(part -> part.dry() == 1);
        same("result of a call that is covered", withDryRuns ? 3 : 1, code);
        granted++;
        List<long @Nullable []> granted = new ArrayList<>();
        for (Part part : call.parts()) {
            long[] found = part.dry() == 1 ? shortOf(part, limits, states) : new long[0];
            int charged = withDryRuns ? out.get() : 1;
            if (found.length > 0) {
                same("charge of a dry run that is short", 0, charged);
                sameShort(found, out);
                dryRunsShort++;
                granted.add(null);
                continue;
            }
            same("charge", 1, charged);
            List<Terms> terms = limits.get(part.terms());
            long[] eras = new long[terms.size()];
            for (int j = 0; j < terms.size(); j++) {
                Balance balance = balance(states, part, terms.get(j));
                changed.add(part.terms());
                if (part.amounts()[j] > 0) {
                    balance.charge(terms.get(j), part.amounts()[j]);
                    count(j, balance.era, part.amounts()[j]);
                }
                eras[j] = balance.era;
            }
            granted.add(eras);
        }
        return new Result(1, granted, pieces);
    }

    private Result settle(Call call, ByteBuffer out, List<List<Terms>> limits, List<Map<Long, Balance>> states) {
        same("result of a settle", 1, out.get());
        for (Part part : call.parts()) {
            List<Terms> terms = limits.get(part.terms());
            for (int j = 0; j < terms.size(); j++) {
                Balance balance = balance(states, part, terms.get(j));
                long over = part.amounts()[j];
                if (over > 0) {
                    balance.charge(terms.get(j), over);
                    changed.add(part.terms());
                } else if (over < 0 && call.op() == 5) {
                    if (balance.takesBack(terms.get(j), -over)) {
                        changed.add(part.terms());
                    }
                } else if (over < 0 && balance.takesBack(terms.get(j), part.eras()[j], -over)) {
                    changed.add(part.terms());
                    count(j, part.eras()[j], over);
                }
            }
        }
        return new Result(5);
    }

    private Result reset(Call call, ByteBuffer out, List<List<Terms>> limits, List<Map<Long, Balance>> states) {
        same("result of a reset", 1, out.get());
        for (Part part : call.parts()) {
            for (Terms terms : limits.get(part.terms())) {
                balance(states, part, terms).reset(terms);
            }
            heldUntil.set(part.terms(), 0L);
            changed.add(part.terms());
        }
        return new Result(7);
    }

    private Result correct(Call call, ByteBuffer out, List<List<Terms>> limits, List<Map<Long, Balance>> states) {
        boolean lowered = false;
        for (Part part : call.parts()) {
            List<Terms> terms = limits.get(part.terms());
            for (int j = 0; j < terms.size(); j++) {
                if (balance(states, part, terms.get(j)) instanceof Bucket bucket
                        && bucket.lower(terms.get(j), part.amounts()[j])) {
                    lowered = true;
                    changed.add(part.terms());
                }
            }
        }
        same("result of a correction", lowered ? 6 : 1, out.get());
        return new Result(6);
    }

    private void undo(Call call, Result result, List<List<Terms>> limits, List<Map<Long, Balance>> states) {
        if (result.code() != 1) {
            return;
        }
        for (int i = 0; i < call.parts().size(); i++) {
            Part part = call.parts().get(i);
            long[] eras = result.granted().get(i);
            if (eras == null) {
                continue;
            }
            List<Terms> terms = limits.get(part.terms());
            for (int j = 0; j < terms.size(); j++) {
                Balance balance = balance(states, part, terms.get(j));
                if (part.amounts()[j] > 0 && balance.takesBack(terms.get(j), eras[j], part.amounts()[j])) {
                    changed.add(part.terms());
                    count(j, eras[j], -part.amounts()[j]);
                }
            }
        }
    }

    private void count(int limit, long era, long amount) {
        out.merge(limit, amount, Long::sum);
        outByEra.computeIfAbsent(limit, key -> new HashMap<>()).merge(era, amount, Long::sum);
    }

    private static Balance balance(List<Map<Long, Balance>> states, Part part, Terms terms) {
        Balance balance = states.get(part.terms()).get(terms.name());
        if (balance == null) {
            throw new AssertionError("no balance for a limit that was just advanced");
        }
        return balance;
    }

    /** As many as fit, beyond the first, of which it is decided whether it does. */
    private long pieces(Call call, List<List<Terms>> limits, List<Map<Long, Balance>> states) {
        long pieces = Math.max(1, call.most());
        for (Part part : call.parts()) {
            if (part.dry() == 0 && held(part) > 0) {
                return 1;
            }
            List<Terms> terms = limits.get(part.terms());
            for (int j = 0; j < terms.size(); j++) {
                long room = part.dry() == 1
                        ? MAX.longValueExact()
                        : Math.max(0, balance(states, part, terms.get(j)).balance());
                while (pieces > 1
                        && BigInteger.valueOf(part.amounts()[j])
                                        .multiply(BigInteger.valueOf(pieces))
                                        .compareTo(BigInteger.valueOf(room))
                                > 0) {
                    pieces--;
                }
            }
        }
        return pieces;
    }

    private long[] shortOf(Part part, List<List<Terms>> limits, List<Map<Long, Balance>> states) {
        long[] found = {};
        long held = held(part);
        long[] coolDowns = coolDownsOf.get(part.terms());
        List<Terms> terms = limits.get(part.terms());
        for (int j = 0; j < terms.size(); j++) {
            Balance balance = balance(states, part, terms.get(j));
            long need = Math.min(part.amounts()[j], terms.get(j).capacity());
            boolean isShort = balance.balance() < need;
            if (need > 0 && (isShort || held > 0)) {
                long wait = Math.max(held, isShort ? balance.waitFor(terms.get(j), need) : 0);
                boolean cools = held > 0 && found.length > 0 && wait == found[2] && coolDowns[j] > 0;
                if (found.length == 0 || wait > found[2] || (cools && coolDowns[(int) found[0] - 1] == 0)) {
                    found = new long[] {j + 1, balance.balance(), wait, held};
                }
            }
        }
        return found;
    }

    private static void sameShort(long[] expected, ByteBuffer out) {
        same("limit that is short", expected[0], out.get());
        same("available", expected[1], out.getLong());
        same("wait", expected[2], out.getLong());
        same("how many stand in line", 0, out.getInt());
        same("for how long it is held", expected[3], number(out, 7));
    }

    /** What the script wrote of a subject is what the model has. */
    private static void sameValue(ByteBuffer in, List<Terms> limits, Map<Long, Balance> state) {
        same("version and limits of a value", 32 + limits.size(), in.get());
        for (Terms terms : limits) {
            same("id of a limit", terms.id(), number(in, 3));
            same("parts of a unit", terms.parts(), number(in, 4));
        }
        in.get();
        long at = number(in, 7);
        for (Terms terms : limits) {
            Balance balance = state.getOrDefault(terms.name(), MISSING);
            same("at of a value", balance.at, at);
            long amount = signed(in, 7);
            if (balance instanceof Bucket bucket && terms.kind() == 0) {
                same("balance in parts", bucket.inParts(terms).longValueExact(), amount);
            } else if (balance instanceof Bucket bucket) {
                same("balance", bucket.balance, amount);
            } else if (balance instanceof Window window) {
                same("used", window.used, amount);
            } else if (balance instanceof Slots slots) {
                same("used", slots.used(), amount);
            }
            same("era", balance.era, number(in, 3));
        }
        for (Terms terms : limits) {
            Balance balance = state.getOrDefault(terms.name(), MISSING);
            if (balance instanceof Bucket bucket && terms.kind() == 1) {
                same("remainder", bucket.remainder, number(in, 7));
            } else if (balance instanceof Window window) {
                same("ceiling", window.ceiling, number(in, 7));
                if (terms.kind() == 3) {
                    same("start", window.start, number(in, 7));
                    same("stop", window.stop, number(in, 7));
                }
            } else if (balance instanceof Slots slots) {
                for (int age = 0; age < Slots.COUNT; age++) {
                    same("slot " + age, slots.ofAge(age), number(in, 7));
                }
            }
        }
    }

    private static int bytes(List<Terms> limits) {
        return 9
                + limits.stream()
                        .mapToInt(terms -> 17
                                + switch (terms.kind()) {
                                    case 0 -> 0;
                                    case 3 -> 21;
                                    case 4, 5 -> 7 * Slots.COUNT;
                                    default -> 7;
                                })
                        .sum();
    }

    private static int fields(Terms terms) {
        return 3 + (terms.kind() == 0 ? 0 : terms.kind() == 3 ? 6 : 2);
    }

    private static long signed(ByteBuffer in, int bytes) {
        int unused = 64 - 8 * bytes;
        return number(in, bytes) << unused >> unused;
    }

    private static long number(ByteBuffer in, int bytes) {
        byte[] wide = new byte[8];
        in.get(wide, 8 - bytes, bytes);
        return ByteBuffer.wrap(wide).getLong();
    }

    private static List<Terms> readTerms(ByteBuffer in) {
        int count = in.get();
        in.position(in.position() + 1 + (in.get(in.position()) & 0xff));
        in.getShort();
        in.get();
        same("version and limits of a head", 32 + count, in.get());
        long[] ids = new long[count];
        for (int j = 0; j < count; j++) {
            ids[j] = number(in, 3);
            in.getInt();
        }
        in.get();
        long[][] told = new long[count][];
        for (int j = 0; j < count; j++) {
            told[j] = new long[] {in.getLong(), in.getLong(), in.getInt() & 0xffffffffL};
        }
        List<Terms> limits = new ArrayList<>();
        for (int j = 0; j < count; j++) {
            int kind = (int) (ids[j] & 7);
            long parts = told[j][2];
            long period = kind == 0 ? parts : in.getLong();
            long amount = kind == 0 ? told[j][1] : kind == 1 ? in.getLong() : 0;
            long offset = kind == 2 || kind >= 4 ? in.getLong() : 0;
            long[] bounds = new long[kind == 3 ? 5 : 0];
            for (int i = 0; i < bounds.length; i++) {
                bounds[i] = in.getLong();
            }
            limits.add(new Terms(ids[j], kind, told[j][0] / parts, amount, period, parts, offset, bounds));
        }
        return limits;
    }

    private static Call readSettle(ByteBuffer in, List<List<Terms>> limits) {
        int word = in.getShort() & 0xffff;
        int index = word % 16384 - 1;
        int size = limits.get(index).size();
        Part part = new Part(index, 0, new long[size], new long[size]);
        for (int j = 0; j < size; j++) {
            part.eras()[j] = number(in, 3);
            part.amounts()[j] = in.getLong();
        }
        return new Call(2 + word / 16384, List.of(part));
    }

    private static Call readReserve(ByteBuffer in, List<List<Terms>> limits) {
        int head = in.get() & 0xff;
        int op = 1;
        int most = 0;
        if (head >= IN_LINE) {
            int kind = in.get();
            number(in, 6);
            long place = number(in, 7);
            same("how long it may wait", 0, number(in, 7));
            if (kind == UP_TO) {
                most = (int) (place / 128);
            } else {
                same("what is asked of a line", LOOK, kind);
                op = 6;
            }
        }
        int count = head % IN_LINE;
        List<Part> parts = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int word = in.getShort() & 0xffff;
            int index = word % 32768 - 1;
            Part part = new Part(
                    index, word / 32768, new long[0], new long[limits.get(index).size()]);
            for (int j = 0; j < part.amounts().length; j++) {
                part.amounts()[j] = in.getLong();
            }
            parts.add(part);
        }
        return new Call(op, parts, most);
    }

    private static void same(String what, long expected, long answered) {
        if (expected != answered) {
            throw new AssertionError(what + ": the model says " + expected + ", the script " + answered);
        }
    }

    /** One limit of one subject. Exact: what does not fit into a long is a BigInteger. */
    private abstract static class Balance implements Cloneable {
        long at;
        long era;

        static Balance fresh(Terms terms, long now) {
            Balance balance = switch (terms.kind()) {
                case 0, 1 -> new Bucket(terms);
                case 4 -> new Slots(terms, now);
                case 5 -> new InFlight(terms, now);
                default -> new Window(terms, now);
            };
            balance.at = now;
            balance.era = now % ERAS;
            return balance;
        }

        Balance copy() {
            try {
                return (Balance) clone();
            } catch (CloneNotSupportedException e) {
                throw new AssertionError(e);
            }
        }

        void nextEra() {
            era = (era + 1) % ERAS;
        }

        abstract long balance();

        abstract void advance(Terms terms, long now);

        abstract long waitFor(Terms terms, long need);

        abstract void charge(Terms terms, long amount);

        abstract void refund(Terms terms, long amount);

        abstract void reset(Terms terms);

        /** Says whether anything could be given back, whenever it was charged. */
        boolean takesBack(Terms terms, long amount) {
            return takesBack(terms, era, amount);
        }

        /** Says whether anything could be given back of what was charged then. */
        boolean takesBack(Terms terms, long then, long amount) {
            boolean counts = then == era && balance() < terms.capacity();
            if (counts) {
                refund(terms, amount);
            }
            return counts;
        }
    }

    private static final class Bucket extends Balance {
        long balance;
        /** In parts of the period that it was last told under, or of a unit. */
        long remainder;

        long period;
        int kind;

        Bucket(Terms terms) {
            this.balance = terms.capacity();
            this.period = terms.period();
            this.kind = terms.kind();
        }

        BigInteger inParts(Terms terms) {
            return BigInteger.valueOf(balance)
                    .multiply(BigInteger.valueOf(terms.parts()))
                    .add(BigInteger.valueOf(remainder));
        }

        /** Under other terms, what is left over of a unit is told in other parts, and cut to a whole number of them. */
        private void retell(Terms terms) {
            if (kind != terms.kind() || period != terms.period()) {
                remainder = kind == 1 && terms.kind() == 0
                        ? 0
                        : BigInteger.valueOf(remainder)
                                .multiply(BigInteger.valueOf(terms.period()))
                                .divide(BigInteger.valueOf(period))
                                .longValueExact();
                kind = terms.kind();
                period = terms.period();
            }
        }

        @Override
        long balance() {
            return balance;
        }

        @Override
        void advance(Terms terms, long now) {
            retell(terms);
            long elapsed = now - at;
            if (now < at && at - now <= STANDS_STILL) {
                elapsed = 0;
            } else if (now < at) {
                at = now;
                nextEra();
                elapsed = 0;
            } else {
                at = now;
            }
            if (balance > terms.capacity() || (kind == 0 && balance == terms.capacity() && remainder > 0)) {
                fill(terms);
            }
            // A balance is never so deep below its capacity that their difference is not exact.
            charge(terms, 0);
            if (balance < terms.capacity() && elapsed > 0) {
                BigInteger[] gained = BigInteger.valueOf(elapsed)
                        .multiply(BigInteger.valueOf(terms.amount()))
                        .add(BigInteger.valueOf(remainder))
                        .divideAndRemainder(BigInteger.valueOf(terms.period()));
                BigInteger total = gained[0].add(BigInteger.valueOf(balance));
                if (total.compareTo(BigInteger.valueOf(terms.capacity())) >= 0) {
                    fill(terms);
                } else {
                    balance = total.longValueExact();
                    remainder = gained[1].longValueExact();
                }
            }
        }

        @Override
        public String toString() {
            return "bucket " + balance + " rest " + remainder + " at " + at + " era " + era;
        }

        @Override
        void reset(Terms terms) {
            fill(terms);
        }

        private void fill(Terms terms) {
            balance = terms.capacity();
            remainder = 0;
            nextEra();
        }

        @Override
        long waitFor(Terms terms, long need) {
            BigInteger units = BigInteger.valueOf(need).subtract(BigInteger.valueOf(balance));
            BigInteger[] micros = units.multiply(BigInteger.valueOf(terms.period()))
                    .subtract(BigInteger.valueOf(remainder))
                    .divideAndRemainder(BigInteger.valueOf(terms.amount()));
            BigInteger up = micros[1].signum() > 0 ? micros[0].add(BigInteger.ONE) : micros[0];
            return up.min(BigInteger.valueOf(LONGEST)).longValueExact();
        }

        @Override
        void charge(Terms terms, long amount) {
            if (kind == 0) {
                BigInteger parts = BigInteger.valueOf(terms.parts());
                BigInteger left = inParts(terms)
                        .subtract(BigInteger.valueOf(amount).multiply(parts))
                        .max(DEEPEST);
                remainder = left.mod(parts).longValueExact();
                balance = left.subtract(BigInteger.valueOf(remainder))
                        .divide(parts)
                        .longValueExact();
                return;
            }
            BigInteger lowest = BigInteger.valueOf(terms.capacity()).subtract(MAX);
            balance = BigInteger.valueOf(balance)
                    .subtract(BigInteger.valueOf(amount))
                    .max(lowest)
                    .longValueExact();
        }

        /** Says whether it was above that; what is left over of a long one's unit stays. */
        boolean lower(Terms terms, long atMost) {
            boolean isAbove = balance > atMost || (balance == atMost && terms.kind() == 0 && remainder > 0);
            if (isAbove) {
                balance = atMost;
                remainder = terms.kind() == 0 ? 0 : remainder;
            }
            return isAbove;
        }

        @Override
        void refund(Terms terms, long amount) {
            if (balance < terms.capacity()) {
                balance += amount;
                if (balance >= terms.capacity()) {
                    fill(terms);
                }
            }
        }
    }

    private static final class Window extends Balance {
        long start;
        long stop;
        long used;
        long ceiling;
        long capacity;

        Window(Terms terms, long now) {
            open(terms, now);
            ceiling = terms.capacity();
            capacity = terms.capacity();
        }

        @Override
        long balance() {
            return capacity - used;
        }

        @Override
        void advance(Terms terms, long now) {
            long time = now < at && at - now <= STANDS_STILL ? at : now;
            if (time >= stop) {
                long formerStop = stop;
                open(terms, time);
                long debt = Math.max(0, used - ceiling);
                long passed = Math.floorDiv((start - formerStop) * 100 + terms.period() * 49, terms.period() * 100);
                debt = passed < windowsOf(debt, terms) ? debt - Math.max(0, passed) * terms.capacity() : 0;
                used = debt;
                ceiling = terms.capacity();
                nextEra();
            } else if (time < start) {
                open(terms, time);
            }
            at = time;
            capacity = terms.capacity();
            ceiling = Math.max(ceiling, capacity);
        }

        @Override
        public String toString() {
            return "window used " + used + " ceiling " + ceiling + " " + start + " to " + stop + " at " + at + " era "
                    + era;
        }

        /** Whether it is open then, or its debt not yet paid, whichever the bounds of that time are. */
        boolean means(Terms terms, long micros) {
            long debt = Math.max(0, used - ceiling);
            return micros < stop
                    || windowsOf(debt, terms) > Math.floorDiv(micros - terms.period() - stop, terms.period());
        }

        /** How many it takes to pay that. */
        private static long windowsOf(long debt, Terms terms) {
            return debt / terms.capacity() + (debt % terms.capacity() > 0 ? 1 : 0);
        }

        private void open(Terms terms, long time) {
            if (terms.kind() == 2) {
                start = time - Math.floorMod(time - terms.offset(), terms.period());
                stop = start + terms.period();
                return;
            }
            long[] bounds = terms.bounds();
            for (int i = 0; i + 1 < bounds.length; i++) {
                if (bounds[i] <= time && time < bounds[i + 1]) {
                    start = bounds[i];
                    stop = bounds[i + 1];
                    return;
                }
            }
            throw new AssertionError("no bounds for " + time);
        }

        @Override
        long waitFor(Terms terms, long need) {
            long debt = Math.max(0, used - ceiling);
            BigInteger windows = BigInteger.ZERO;
            BigInteger lacking = BigInteger.valueOf(debt)
                    .add(BigInteger.valueOf(need))
                    .subtract(BigInteger.valueOf(terms.capacity()));
            if (lacking.signum() > 0) {
                windows = lacking.add(BigInteger.valueOf(terms.capacity() - 1))
                        .divide(BigInteger.valueOf(terms.capacity()));
            }
            return windows.multiply(BigInteger.valueOf(terms.period()))
                    .add(BigInteger.valueOf(stop - at))
                    .min(BigInteger.valueOf(LONGEST))
                    .longValueExact();
        }

        @Override
        void charge(Terms terms, long amount) {
            used = BigInteger.valueOf(used)
                    .add(BigInteger.valueOf(amount))
                    .min(MAX)
                    .longValueExact();
        }

        @Override
        void refund(Terms terms, long amount) {
            used = Math.max(0, used - amount);
        }

        @Override
        void reset(Terms terms) {
            used = 0;
            ceiling = terms.capacity();
            nextEra();
        }
    }

    /** A sliding window: what was used by slot, of which those there are hold no more than the limit; the rest is debt. */
    private static class Slots extends Balance {
        static final int COUNT = 16;

        private TreeMap<Long, Long> usedIn = new TreeMap<>();
        private long debt;
        private long newest;
        private long capacity;

        Slots(Terms terms, long now) {
            capacity = terms.capacity();
            newest = now / terms.offset();
        }

        @Override
        Slots copy() {
            Slots copy = (Slots) super.copy();
            copy.usedIn = new TreeMap<>(usedIn);
            return copy;
        }

        long room() {
            return capacity;
        }

        /** Of eras, when the clock was set back. */
        int passedBySetBack() {
            return COUNT;
        }

        private long inSlots() {
            return usedIn.values().stream().mapToLong(Long::longValue).sum();
        }

        long used() {
            return inSlots() + debt;
        }

        long ofAge(int age) {
            return usedIn.getOrDefault(newest - age, 0L);
        }

        @Override
        long balance() {
            return capacity - used();
        }

        @Override
        void advance(Terms terms, long now) {
            capacity = terms.capacity();
            long time = now < at && at - now <= STANDS_STILL ? at : now;
            long slot = time / terms.offset();
            if (slot != newest || time < at) {
                enter();
                if (time < at) {
                    TreeMap<Long, Long> kept = new TreeMap<>();
                    usedIn.forEach((each, amount) -> kept.put(each - newest + slot, amount));
                    usedIn = kept;
                    newest = slot;
                    era = (era + passedBySetBack()) % ERAS;
                } else {
                    era = (era + slot - newest) % ERAS;
                    move(slot - newest);
                }
            }
            at = time;
        }

        /** Debt takes what room there is. */
        private void enter() {
            long entering = Math.max(0, Math.min(debt, room() - inSlots()));
            debt -= entering;
            usedIn.merge(newest, entering, Long::sum);
        }

        private void move(long slots) {
            for (long left = slots; left > 0; left--) {
                long rounds = Math.min(left / COUNT, debt / capacity);
                if (debt == 0 && left >= COUNT) {
                    usedIn.clear();
                    newest += left;
                    return;
                } else if (rounds > 1 && inSlots() == capacity) {
                    // All of it leaves and is replaced by as much debt, in the same places, so many times.
                    TreeMap<Long, Long> moved = new TreeMap<>();
                    usedIn.forEach((each, amount) -> moved.put(each + rounds * COUNT, amount));
                    usedIn = moved;
                    debt -= rounds * capacity;
                    newest += rounds * COUNT;
                    left -= rounds * COUNT;
                    if (left == 0) {
                        return;
                    }
                }
                newest++;
                usedIn.remove(newest - COUNT);
                enter();
            }
        }

        @Override
        long waitFor(Terms terms, long need) {
            Slots later = copy();
            later.enter();
            long enough = COUNT * (used() / capacity + 2);
            long tooFew = 0;
            while (enough - tooFew > 1) {
                long middle = tooFew + (enough - tooFew) / 2;
                Slots then = later.copy();
                then.move(middle);
                if (then.balance() >= need) {
                    enough = middle;
                } else {
                    tooFew = middle;
                }
            }
            return BigInteger.valueOf(newest)
                    .add(BigInteger.valueOf(enough))
                    .multiply(BigInteger.valueOf(terms.offset()))
                    .subtract(BigInteger.valueOf(at))
                    .min(BigInteger.valueOf(LONGEST))
                    .longValueExact();
        }

        @Override
        void charge(Terms terms, long amount) {
            long balance = balance();
            long total = BigInteger.valueOf(used())
                    .add(BigInteger.valueOf(amount))
                    .min(MAX)
                    .longValueExact();
            if (amount > balance) {
                enter();
            }
            long entering = Math.max(0, Math.min(amount, room() - inSlots()));
            usedIn.merge(newest, entering, Long::sum);
            debt = total - inSlots();
        }

        @Override
        boolean takesBack(Terms terms, long then, long amount) {
            long age = Math.floorMod(era - then, ERAS);
            if (age >= COUNT) {
                return false;
            }
            enter();
            long given = Math.min(amount, ofAge((int) age));
            long paid = Math.min(amount - given, debt);
            usedIn.merge(newest - age, -given, Long::sum);
            debt -= paid;
            enter();
            return given + paid > 0;
        }

        /** What is oldest first. */
        @Override
        boolean takesBack(Terms terms, long amount) {
            enter();
            long left = amount;
            for (long slot = newest - COUNT + 1; slot <= newest; slot++) {
                long given = Math.min(left, usedIn.getOrDefault(slot, 0L));
                usedIn.merge(slot, -given, Long::sum);
                left -= given;
            }
            long paid = Math.min(left, debt);
            debt -= paid;
            enter();
            return left - paid < amount;
        }

        @Override
        void reset(Terms terms) {
            usedIn.clear();
            debt = 0;
            era = (era + COUNT) % ERAS;
        }

        @Override
        void refund(Terms terms, long amount) {
            throw new AssertionError("a slot takes back what was used in it");
        }

        @Override
        public String toString() {
            return "slots " + usedIn + " debt " + debt + " newest " + newest + " at " + at;
        }
    }

    /** Calls in flight: each is in the slot in which it was last charged, however many there are, and may end at any moment. */
    private static final class InFlight extends Slots {
        InFlight(Terms terms, long now) {
            super(terms, now);
        }

        @Override
        long room() {
            return MAX.longValueExact();
        }

        @Override
        int passedBySetBack() {
            return 0;
        }

        @Override
        long waitFor(Terms terms, long need) {
            return 0;
        }
    }
}
