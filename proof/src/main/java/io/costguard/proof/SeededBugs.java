package io.costguard.proof;

import java.util.List;

/** Faults of which each breaks a promise, as somebody might write them. */
final class SeededBugs {
    /** Those that the checks of decisions have to find. */
    static final List<SeededChange> DOZEN = List.of(
            new SeededChange(
                    "no id: what is sent again is sent under another number",
                    "io/costguard/redis/BatchSender.java",
                    "LockSupport.parkNanos(this, PAUSE_NANOS);",
                    "LockSupport.parkNanos(this, PAUSE_NANOS); lane.advance(clock.nanoTime());",
                    "interleavings",
                    "broken promises in any order"),
            new SeededChange(
                    "two calls instead of one: looks whether there is room, then takes it",
                    "io/costguard/redis/Slot.java",
                    "        Ask ask = new Ask(call, deadlineNanos, Thread.currentThread(), false);\n",
                    """
                            List<List<Standing>> standings = look(call.claims(), deadlineNanos);
                            List<io.costguard.limit.Charge> charges = new ArrayList<>();
                            boolean covers = true;
                            for (int i = 0; i < standings.size(); i++) {
                                Claim claim = call.claims().get(i);
                                long[] left = standings.get(i).stream().mapToLong(Standing::balance).toArray();
                                for (int j = 0; j < left.length; j++) {
                                    left[j] -= claim.amounts()[j];
                                    covers &= left[j] >= 0;
                                }
                                charges.add(new io.costguard.limit.Charge(claim, new long[left.length], left));
                            }
                            if (covers) {
                                for (io.costguard.limit.Charge charge : charges) {
                                    // It is charged anew, and as in era 0 it was not charged before, nothing is given back.
                                    Settling charging = new Settling(new Batch.Call.Recharge(charge), result -> {
                                        if (result instanceof Batch.Result.Recharged recharged) {
                                            System.arraycopy(recharged.eras(), 0, charge.eras(), 0, charge.eras().length);
                                        }
                                    }, clock.nanoTime());
                                    begin(charging, CompletableFuture.completedFuture(null));
                                    charging.done.join();
                                }
                                return new Verdict.Granted(charges, List.of());
                            }
                            Ask ask = new Ask(call, deadlineNanos, Thread.currentThread(), false);
                    """,
                    "guards:race",
                    "calls let go beyond what there was, of guards that race"),
            new SeededChange(
                    "a refund that is not clamped",
                    "io/costguard/redis/guard.lua",
                    """
                              f[k] = capacity
                              if q[m + 1] > 0 then
                    """,
                    """
                              f[k] = left
                              if q[m + 1] > 0 then
                    """,
                    "interleavings",
                    "broken promises in any order"),
            new SeededChange(
                    "a missing TTL: a key that is new has none",
                    "io/costguard/redis/guard.lua",
                    "if ttls and ttls[i] then",
                    "if ttls and ttls[i] and values[i + 1] then",
                    "pairs",
                    "keys without a time to live"),
            new SeededChange(
                    "NaN: a count is read as a floating-point number, whatever it is",
                    "io/costguard/describe/Field.java",
                    "        String digits = text.endsWith(\".0\")",
                    """
                            try {
                                return OptionalLong.of((long) Double.parseDouble(text));
                            } catch (NumberFormatException e) {
                                // It is read as digits.
                            }
                            String digits = text.endsWith(".0")""",
                    "guards:nonsense",
                    "of these, charged less than what passed, or otherwise than told"),
            new SeededChange(
                    "float: what refills is worked out in floating point",
                    "io/costguard/redis/guard.lua",
                    "        units, rest = refill(micros, amount, period, rest)\n",
                    "        units, rest = math.floor(micros * (amount / period) + rest / period), 0\n",
                    "histories:ledgers",
                    "differences to the model"),
            new SeededChange(
                    "the client's clock: the time is what the caller takes it for",
                    "io/costguard/redis/guard.lua",
                    "local now = time[1] * 1000000 + time[2]\n",
                    "local now = notAfter > 500000 and notAfter - 500000 or time[1] * 1000000 + time[2]\n",
                    "interleavings",
                    "broken promises in any order"),
            new SeededChange(
                    "a lost interrupt",
                    "io/costguard/redis/Slot.java",
                    """
                                if (interrupted) {
                                    Thread.currentThread().interrupt();
                                }
                    """,
                    "",
                    "guards:interrupts",
                    "interrupt flags lost"),
            new SeededChange(
                    "a permit that settles each time",
                    "io/costguard/limit/Reservation.java",
                    "if (limiter != null && ended.compareAndSet(false, true)) {",
                    "if (limiter != null) {",
                    "guards:race",
                    "drift where each permit is ended three times"),
            new SeededChange(
                    "a cache that grants",
                    "io/costguard/redis/Slot.java",
                    "    Verdict reserve(Batch.Call.Reserve call, long deadlineNanos) throws GuardUnavailableException {\n",
                    """
                        Verdict reserve(Batch.Call.Reserve call, long deadlineNanos) throws GuardUnavailableException {
                            String key = call.claims().get(0).subject().key();
                            Verdict known = verdicts.get(key);
                            if (known == null) {
                                known = decided(call, deadlineNanos);
                                if (known instanceof Verdict.Granted) {
                                    verdicts.put(key, known);
                                }
                            }
                            return known;
                        }

                        private final java.util.Map<String, Verdict> verdicts = new ConcurrentHashMap<>();

                        private Verdict decided(Batch.Call.Reserve call, long deadlineNanos) throws GuardUnavailableException {
                    """,
                    "guards:race",
                    "calls let go beyond what there was, of guards that race"),
            new SeededChange(
                    "a key in the wrong slot",
                    "io/costguard/redis/RedisLedger.java",
                    "slot(key, key.substring(0, key.indexOf('}') + 1) + \":lane-\" + client)",
                    "slot(key, \"lane-\" + client)",
                    "guards:cluster",
                    "each in one slot of a cluster"),
            new SeededChange(
                    "a late reply: a connection on which one is due is used again",
                    "io/costguard/redis/Redis.java",
                    """
                                @Override
                                public void addObject() throws Exception {
                    """,
                    """
                                @Override
                                public void returnBrokenResource(Connection connection) {
                                    try {
                                        java.lang.reflect.Field broken = Connection.class.getDeclaredField("broken");
                                        broken.setAccessible(true);
                                        broken.setBoolean(connection, false);
                                    } catch (ReflectiveOperationException e) {
                                        throw new IllegalStateException(e);
                                    }
                                    returnResource(connection);
                                }

                                @Override
                                public void addObject() throws Exception {
                    """,
                    "guards:late",
                    "of these, those that were another's"));

    /** Those that only one of the other checks can find. */
    static final List<SeededChange> OTHERS = List.of(
            new SeededChange(
                    "a step back refills: how much time went by counts, and not which way",
                    "io/costguard/redis/guard.lua",
                    "      micros = 0\n    end\n    local k, m, x, y = 4, o + 5",
                    "      micros = math.abs(micros)\n    end\n    local k, m, x, y = 4, o + 5",
                    "clock:balances",
                    // It is either of them that sees it first.
                    List.of("limits refilled by a step back", "histories of them that differ from the model")),
            new SeededChange(
                    "the slots of the dead: a lease is told in the wrong unit",
                    "io/costguard/redis/Terms.java",
                    "case SLIDING, IN_FLIGHT -> out.putLong(slotMicros(limit));",
                    """
                    case SLIDING -> out.putLong(slotMicros(limit));
                                    case IN_FLIGHT -> out.putLong(1_000 * slotMicros(limit));""",
                    "kills",
                    "slots of calls in flight held after the leases of the dead"),
            new SeededChange(
                    "it fails open, and closed where it was told to fail open",
                    "io/costguard/limit/Limiter.java",
                    "if (whenRedisFails != WhenRedisFails.failOpen()) {",
                    "if (whenRedisFails == WhenRedisFails.failOpen()) {",
                    "faults:4",
                    "wrong outcomes"),
            new SeededChange(
                    "a tee that writes: ends of lines are made alike where the caller reads them",
                    "io/costguard/settle/Meter.java",
                    "    private void decoded(byte[] bytes, int offset, int length) {\n",
                    """
                        private void decoded(byte[] bytes, int offset, int length) {
                            for (int i = offset; i < offset + length; i++) {
                                bytes[i] = bytes[i] == '\\r' ? (byte) '\\n' : bytes[i];
                            }
                    """,
                    "fuzz",
                    "inputs whose bytes were changed"),
            new SeededChange(
                    "a log that names the API key",
                    "io/costguard/limit/Askings.java",
                    "        String key = call.attributes().getOrDefault(KEY, \"\");\n",
                    """
                            String key = call.attributes().getOrDefault(KEY, "");
                            org.slf4j.LoggerFactory.getLogger(Askings.class).debug("a call by {}", key);
                    """,
                    "secrets",
                    "canaries found"));

    private SeededBugs() {}
}
