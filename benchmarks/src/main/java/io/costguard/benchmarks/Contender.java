package io.costguard.benchmarks;

/** Something that decides over calls by asking Redis. Safe for use by many threads. */
interface Contender extends AutoCloseable {

    String name();

    /** Has one call decided, under the budget of {@code key}, and lets it go. Fails if it may not go: none here is ever short. */
    void decide(int key) throws Exception;

    /** How many calls Redis has let go, by what is left in its balances. */
    long charged(int key) throws Exception;

    @Override
    void close();
}
