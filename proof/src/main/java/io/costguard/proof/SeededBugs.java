package io.costguard.proof;

import java.util.List;

/** A dozen faults of which each breaks a promise, as somebody might write them. */
final class SeededBugs {
    static final List<SeededChange> ALL = List.of(
            new SeededChange(
                    "no id: what is sent again is sent under another number",
                    "io/costguard/redis/BatchSender.java",
                    "LockSupport.parkNanos(this, PAUSE_NANOS);",
                    "LockSupport.parkNanos(this, PAUSE_NANOS); lane.advance(clock.nanoTime());",
                    "interleavings"),
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
                                long[] balances = standings.get(i).stream().mapToLong(Standing::balance).toArray();
                                for (int j = 0; j < balances.length; j++) {
                                    covers &= balances[j] >= claim.amounts()[j];
                                }
                                charges.add(new io.costguard.limit.Charge(claim, new long[balances.length], balances));
                            }
                            if (covers) {
                                for (Claim claim : call.claims()) {
                                    Batch.Call.ByHand charge = new Batch.Call.ByHand(Ledger.Change.CHARGE, claim);
                                    Settling charging = new Settling(charge, result -> {}, clock.nanoTime());
                                    begin(charging, CompletableFuture.completedFuture(null));
                                    charging.done.join();
                                }
                                return new Verdict.Granted(charges, List.of());
                            }
                            Ask ask = new Ask(call, deadlineNanos, Thread.currentThread(), false);
                    """,
                    "guards"),
            new SeededChange("a refund that is not clamped", "io/costguard/redis/guard.lua", """
                              f[k] = capacity
                              if q[m + 1] > 0 then
                    """, """
                              f[k] = left
                              if q[m + 1] > 0 then
                    """, "interleavings"),
            new SeededChange(
                    "a missing TTL: a key that is new has none",
                    "io/costguard/redis/guard.lua",
                    "if ttls and ttls[i] then",
                    "if ttls and ttls[i] and values[i + 1] then",
                    "interleavings"),
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
                    "guards"),
            new SeededChange(
                    "float: what refills is worked out in floating point",
                    "io/costguard/redis/guard.lua",
                    "        units, rest = refill(micros, amount, period, rest)\n",
                    "        units, rest = math.floor(micros * (amount / period) + rest / period), 0\n",
                    "histories"),
            new SeededChange(
                    "the client's clock: the time is what the caller takes it for",
                    "io/costguard/redis/guard.lua",
                    "local now = time[1] * 1000000 + time[2]\n",
                    "local now = notAfter > 500000 and notAfter - 500000 or time[1] * 1000000 + time[2]\n",
                    "interleavings"),
            new SeededChange("a lost interrupt", "io/costguard/redis/Slot.java", """
                                if (interrupted) {
                                    Thread.currentThread().interrupt();
                                }
                    """, "", "guards"),
            new SeededChange(
                    "a permit that settles each time",
                    "io/costguard/limit/Reservation.java",
                    "if (limiter != null && ended.compareAndSet(false, true)) {",
                    "if (limiter != null) {",
                    "guards"),
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
                    "guards"),
            new SeededChange(
                    "a key in the wrong slot",
                    "io/costguard/redis/RedisLedger.java",
                    "slot(key, key.substring(0, key.indexOf('}') + 1) + \":lane-\" + client)",
                    "slot(key, \"lane-\" + client)",
                    "guards"),
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
                    "guards"));

    private SeededBugs() {}
}
