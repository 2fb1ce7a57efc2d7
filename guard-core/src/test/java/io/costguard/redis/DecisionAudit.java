package io.costguard.redis;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * What the scripts of a fleet decided, in the order in which they did, as they noted it themselves. Each batch is replayed through the model
 * as it is read. Calls are told apart by a budget that is counted per call, of which each limit is an aligned window, and whose first limit a
 * call asks for as much of as its number says. Not safe for use by many threads.
 */
public final class DecisionAudit {
    private static final String LANE = "lane-";

    private final LedgerModel model = new LedgerModel(new Noting());
    private final int limits;
    private final Map<String, Decided> byKey = new HashMap<>();
    private final Map<Long, Decided> byNumber = new HashMap<>();
    /** By the process, and by how many limits the budget has. */
    private final Map<String, Map<Integer, long[]>> charged = new HashMap<>();

    private String process = "";
    private long batches;

    /** What became of one call. */
    public static final class Decided {
        private final long[] charged;
        private long[] estimate = {};
        private String process = "";
        private long lastBatch;
        private int grants;
        private int settles;

        private Decided(int limits) {
            charged = new long[limits];
        }

        /** {@return how often it was let go, those aside that were cancelled} */
        public int grants() {
            return grants;
        }

        /** {@return how often it was settled} */
        public int settles() {
            return settles;
        }

        /** {@return in which batch it was last let go or denied} */
        public long lastBatch() {
            return lastBatch;
        }

        /**
         * {@return what it is charged now}
         *
         * @param limit of its own budget, from 0
         */
        public long charged(int limit) {
            return charged[limit];
        }

        /**
         * {@return what it asked for when it was last decided}
         *
         * @param limit of its own budget, from 0
         */
        public long estimate(int limit) {
            return estimate[limit];
        }

        /** {@return the name of the process that last asked for it, which it gave itself} */
        public String process() {
            return process;
        }

        @Override
        public String toString() {
            return "let go " + grants + " times, settled " + settles + " times, charged " + Arrays.toString(charged)
                    + ", last decided in batch " + lastBatch;
        }
    }

    /**
     * Of a fleet that has decided nothing yet.
     *
     * @param limits how many the budget has that is counted per call; no other budget has as many, as what was charged is summed by that
     */
    public DecisionAudit(int limits) {
        this.limits = limits;
    }

    /**
     * Has the processes note what they decide that have {@code classes} on their class path before the library.
     *
     * @param classes a directory
     * @param key of the list that they append to
     */
    public static void install(Path classes, String key) {
        TestScript.ofTheRealOne().withAuditAt(key).install(classes);
    }

    /**
     * The next batch.
     *
     * @param entry of the list
     * @throws AssertionError where the script answered otherwise than the model does, or left another balance
     */
    public void read(byte[] entry) {
        batches++;
        process = processOf(entry);
        model.replay(entry);
    }

    /** Its lane is the first of the keys, and named by the process and a number. */
    private static String processOf(byte[] entry) {
        ByteBuffer in = ByteBuffer.wrap(entry);
        in.position(in.getInt() + in.position());
        in.position(in.getInt() + in.position());
        String keys = StandardCharsets.UTF_8.decode(in).toString();
        return keys.substring(keys.indexOf(LANE) + LANE.length(), keys.indexOf('\n'))
                .replaceFirst("[^0-9a-f].*", "");
    }

    /** {@return how many batches were read} */
    public long batches() {
        return batches;
    }

    /**
     * {@return what all calls were charged, less what was given back, of one limit of all subjects of a budget}
     *
     * @param limits how many that budget has
     * @param limit which of them, from 0
     */
    public long charged(int limits, int limit) {
        return charged.keySet().stream()
                .mapToLong(each -> chargedBy(each, limits, limit))
                .sum();
    }

    /**
     * {@return the same of the calls that one process asked for, and of what it gave back}
     *
     * @param asking as {@link Decided#process} names it
     * @param limits how many that budget has
     * @param limit which of them, from 0
     */
    public long chargedBy(String asking, int limits, int limit) {
        return charged.getOrDefault(asking, Map.of()).getOrDefault(limits, new long[limits])[limit];
    }

    /** {@return what became of each call, by its number} */
    public Map<Long, Decided> calls() {
        return byNumber;
    }

    private final class Noting implements LedgerModel.Listener {
        @Override
        public void reserved(String key, boolean isLetGo, long[] amounts) {
            if (amounts.length == limits) {
                Decided call = byNumber.computeIfAbsent(amounts[0], number -> new Decided(limits));
                byKey.put(key, call);
                call.lastBatch = batches;
                call.process = process;
                call.estimate = amounts;
                call.grants += isLetGo ? 1 : 0;
            }
            if (isLetGo) {
                charge(key, amounts, 1);
            }
        }

        @Override
        public void undone(String key, long[] amounts) {
            charge(key, amounts, -1);
            Decided call = byKey.get(key);
            if (call != null) {
                call.grants--;
            }
        }

        @Override
        public void settled(String key, long[] over) {
            charge(key, over, 1);
            Decided call = byKey.get(key);
            if (call != null) {
                call.settles++;
            }
        }

        private void charge(String key, long[] amounts, int times) {
            long[] ofAll = charged.computeIfAbsent(process, unused -> new HashMap<>())
                    .computeIfAbsent(amounts.length, length -> new long[length]);
            Decided call = byKey.get(key);
            for (int i = 0; i < amounts.length; i++) {
                ofAll[i] += times * amounts[i];
                if (call != null) {
                    call.charged[i] += times * amounts[i];
                }
            }
        }
    }
}
