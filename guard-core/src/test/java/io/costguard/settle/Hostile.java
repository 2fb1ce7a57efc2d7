package io.costguard.settle;

import java.util.List;

/**
 * Something to read that chance made, or that was written to do harm. Immutable.
 *
 * @param <T> what it can be made shorter by
 */
public interface Hostile<T> {
    /** {@return what it is made of, in order} */
    List<T> parts();

    /** {@return the same of other parts} */
    Hostile<T> of(List<T> parts);

    /** {@return the same with the same array of bytes, to be read as if it were read first: the library remembers none of it, nor any text} */
    Hostile<T> afresh();

    /** {@return the bytes that are read, and that reading leaves as they are; the same array each time} */
    byte[] bytes();

    /** {@return how many bytes there are once they are decoded} */
    default int size() {
        return bytes().length;
    }

    /**
     * Reads it, the same way each time.
     *
     * @return what came of it, for those who count what they have seen
     * @throws AssertionError where what came of it is wrong
     */
    Object read() throws Exception;
}
