package io.costguard.settle;

/** Cuts a body into the JSON documents that it is made of. Not safe for use by many threads. */
interface Framing {

    /** The next bytes of the body. */
    void accept(byte[] bytes, int offset, int length);

    /** Tells what has come, but not been told, if it is whole. */
    default void readOn() {}

    /** Whether what came so far makes sense. */
    boolean isReadable();

    /** Told each document, in a buffer that is not its own. */
    interface Listener {
        void event(byte[] data, int offset, int length);

        /**
         * Takes the document that begins at {@code from}, if it is like one before and {@code end} comes after it.
         *
         * @return its length; 0 if it was not taken
         */
        default int anotherEvent(byte[] data, int from, int to, byte[] end) {
            return 0;
        }
    }
}
