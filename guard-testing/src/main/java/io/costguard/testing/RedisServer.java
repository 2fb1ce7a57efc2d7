package io.costguard.testing;

import java.net.URI;

/** A Redis and what a test may do to it. */
interface RedisServer extends AutoCloseable {
    /** Where it came from, in words for a log. */
    String origin();

    URI uri();

    /** Ends it as a crash would. */
    void kill();

    /** Starts it again, on the same port, after {@link #kill()}. */
    void restart();

    void suspend();

    void resume();

    @Override
    void close();

    /** A Redis that belongs to more than one test: usable, but not to be disturbed. */
    record Shared(String origin, URI uri) implements RedisServer {
        @Override
        public void kill() {
            throw notToBeDisturbed();
        }

        @Override
        public void restart() {
            throw notToBeDisturbed();
        }

        @Override
        public void suspend() {
            throw notToBeDisturbed();
        }

        @Override
        public void resume() {
            throw notToBeDisturbed();
        }

        @Override
        public void close() {}

        private static IllegalStateException notToBeDisturbed() {
            return new IllegalStateException("This Redis is shared with other tests and must not be disturbed:"
                    + " take one of your own with RedisForTests.start()");
        }
    }
}
