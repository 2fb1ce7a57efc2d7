package io.costguard.benchmarks;

/** Something that decides over calls by asking Redis. Safe for use by many threads. */
interface Contender extends AutoCloseable {

    String name();

    /** How many subjects its calls may be of. */
    int keys();

    /** Has one call decided, of the subject {@code key}, and fails if the answer is not the one that is measured. */
    void decide(int key) throws Exception;

    /** How many calls of this subject have been decided, by those who must know: what is left in the balances in Redis, mostly. */
    long charged(int key) throws Exception;

    /** Returns when nothing is left to be done for what was decided so far. */
    default void flush() throws Exception {}

    @Override
    void close();

    /** This contender, once it is known that what it lets go it also charges: its figures mean nothing otherwise. */
    static <C extends Contender> C checked(C contender) throws Exception {
        try {
            contender.decide(0);
            long before = contender.charged(0);
            for (int i = 0; i < 100; i++) {
                contender.decide(0);
            }
            long charged = contender.charged(0) - before;
            // A little is refilled meanwhile.
            if (charged < 90 || charged > 100) {
                throw new IllegalStateException(contender.name() + " decided 100 calls and charged " + charged);
            }
            return contender;
        } catch (Exception e) {
            contender.close();
            throw e;
        }
    }
}
