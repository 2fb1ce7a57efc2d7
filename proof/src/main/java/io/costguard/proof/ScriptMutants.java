package io.costguard.proof;

import java.util.List;

/** Mistakes in the scripts that are easily made, each in another part. */
final class ScriptMutants {
    private static final String GUARD = "io/costguard/redis/guard.lua";
    private static final String LINE = "io/costguard/redis/line.lua";

    private static final String BROKEN = "broken promises in any order";
    private static final String DIFFERENT = "differences to the model";

    static final List<SeededChange> ALL = List.of(
            new SeededChange(
                    "refill: what is left over of a unit is lost",
                    GUARD,
                    "f[k], f[x] = balance + units, rest\n",
                    "f[k], f[x] = balance + units, 0\n",
                    "histories:ledgers",
                    DIFFERENT),
            new SeededChange(
                    "eras: what was charged before the balance was full is given back too",
                    GUARD,
                    "(not era or era == f[k + 1]) and balance < capacity",
                    "balance < capacity",
                    "histories:ledgers",
                    DIFFERENT),
            new SeededChange(
                    "sub-slots: a refund goes to the slot before that of its charge",
                    GUARD,
                    "oldest = (f[k + 1] - era) % ERAS + 1\n",
                    "oldest = (f[k + 1] - era + 1) % ERAS + 1\n",
                    "interleavings",
                    BROKEN),
            new SeededChange(
                    "calendar: a window that opens does not say when it ends",
                    GUARD,
                    "        f[x + 1], f[x + 2] = start, stop\n",
                    "        f[x + 1] = start\n",
                    "histories:ledgers",
                    DIFFERENT),
            new SeededChange(
                    "debts: windows in which nobody called pay none",
                    GUARD,
                    "local skipped = math.max(0, math.floor((start - former) / q[y] + 0.49))\n",
                    "local skipped = 0\n",
                    "histories:ledgers",
                    DIFFERENT),
            new SeededChange(
                    "lines, sums: who leaves leaves what it asked behind",
                    LINE,
                    "    redis.call('ZREM', line.key, call.member)\n    count(line, call, -1)\n",
                    "    redis.call('ZREM', line.key, call.member)\n    line.size = line.size - 1\n",
                    "interleavings",
                    BROKEN),
            new SeededChange(
                    "lines, place: two stand at the same",
                    LINE,
                    "place = max(place, part.f.line.last + 1)",
                    "place = max(place, part.f.line.last)",
                    "interleavings",
                    BROKEN),
            new SeededChange(
                    "lines, turn: who is behind others goes before them",
                    LINE,
                    "    elseif call.place ~= line.place then\n      return 0, first\n",
                    "",
                    "interleavings",
                    BROKEN),
            new SeededChange(
                    "lines, a newcomer goes before those who wait",
                    LINE,
                    "local short = balance < (amount + before) * parts\n",
                    "local short = balance < amount * parts\n",
                    "interleavings",
                    BROKEN),
            new SeededChange(
                    "lines, deadlines: who cannot make its own joins all the same",
                    LINE,
                    "mayJoin = asked(n, parts, states), wait <= op.wait or op.place > 0\n",
                    "mayJoin = asked(n, parts, states), true\n",
                    "interleavings",
                    BROKEN),
            new SeededChange(
                    "lines, the dead: nobody drops their calls",
                    LINE,
                    "      dead[name] = true\n",
                    "",
                    "histories:lines",
                    "promises broken in them"),
            new SeededChange(
                    "holds: the turn goes all the same",
                    LINE,
                    "local short = line.hold > now and first or nil\n",
                    "local short = nil\n",
                    "interleavings",
                    BROKEN),
            new SeededChange(
                    "dry run: what would have been denied is charged",
                    GUARD,
                    "        charged = dryRuns[part] or '\\1'\n",
                    "        charged = '\\1'\n",
                    "histories:ledgers",
                    DIFFERENT),
            new SeededChange(
                    "TTL: a thousandth of what it must be",
                    GUARD,
                    "(2 ^ (exponent + 1) - f[3] % 2 ^ exponent + f[3] - now) / 1000 + 1\n",
                    "(2 ^ (exponent + 1) - f[3] % 2 ^ exponent + f[3] - now) / 1000000 + 1\n",
                    "guards:kept",
                    "gone before they are full"),
            new SeededChange(
                    "cancel: who joined by what is cancelled stands there for ever",
                    GUARD,
                    "if (result == 5 and kind < LOOKS) or result == 11 then",
                    "if result == 11 then",
                    "interleavings",
                    BROKEN),
            new SeededChange(
                    "remembered numbers: a cancel that comes first does not take its number",
                    GUARD,
                    "reply = pack(HEAD, VERSION, number, laneExpires, CANCELLED_BEFORE, now)",
                    "reply = pack(HEAD, VERSION, number - 1, laneExpires, CANCELLED_BEFORE, now)",
                    "interleavings",
                    BROKEN),
            new SeededChange(
                    "slots in flight: those beyond the capacity are debt",
                    GUARD,
                    "return q[o + 3 + j * 3] == IN_FLIGHT and MAX or q[o + 2 + j * 3]\n",
                    "return q[o + 2 + j * 3]\n",
                    "histories:ledgers",
                    DIFFERENT),
            new SeededChange(
                    "cool-downs: one begins while nobody goes anyway, and is added",
                    LINE,
                    "for j = 1, isNew and till <= now and q[o] or 0 do",
                    "for j = 1, isNew and q[o] or 0 do",
                    "histories:ledgers",
                    DIFFERENT),
            new SeededChange(
                    "a clock that steps back: a bucket stays in its era",
                    GUARD,
                    "        if setBack then\n          f[k + 1] = (f[k + 1] + 1) % ERAS\n        end\n",
                    "",
                    "histories:ledgers",
                    DIFFERENT),
            new SeededChange(
                    "capacity: a call above it is not let go when all is there",
                    GUARD,
                    "elseif amount > 0 and f[k] < q[m] then",
                    "elseif amount > 0 then",
                    "interleavings",
                    BROKEN));

    private ScriptMutants() {}
}
