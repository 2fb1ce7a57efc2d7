package io.costguard.limit;

import io.costguard.GuardUnavailableException;
import java.util.Optional;

/** A text in a Redis that many processes write, one at a time. Safe for use by many threads. */
public interface Register extends AutoCloseable {

    /**
     * What is there now.
     *
     * @throws GuardUnavailableException where Redis does not answer
     */
    Seen read() throws GuardUnavailableException;

    /**
     * Puts another text in the place of what was seen; nothing, and it is not done, where somebody else was there first, or where it was
     * seen some seconds ago.
     *
     * @throws GuardUnavailableException where Redis does not answer: it may have been done, or may be yet within those seconds
     */
    Optional<Seen> replace(Seen seen, String text) throws GuardUnavailableException;

    @Override
    void close();

    /**
     * What was there, and when.
     *
     * @param text empty where nothing was
     * @param micros by the time of its Redis
     */
    record Seen(String text, long micros) {}
}
