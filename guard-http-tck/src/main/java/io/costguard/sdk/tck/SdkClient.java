package io.costguard.sdk.tck;

import java.io.Closeable;
import java.io.IOException;
import java.util.Iterator;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.stream.BaseStream;

/** An SDK with a guard in it, as the tests use it: with the retries and limits of time that it has unless it is told otherwise. */
public interface SdkClient extends Closeable {
    /**
     * Makes one call, and gives the text of its answer. What it throws may be wrapped as futures wrap it.
     *
     * @param model to name in the request
     */
    String call(String model) throws Exception;

    /** Makes one streaming call; returns before the answer has ended. */
    Events stream(String model) throws Exception;

    @Override
    default void close() throws IOException {}

    /** The events of a stream, as the caller gets them. */
    interface Events extends Closeable {
        /** Waits for the next event, and gives whether there is one. */
        boolean next() throws Exception;

        /** Gives the stream up, if it has not ended. */
        @Override
        void close() throws IOException;

        /** Events that the caller asks for. */
        static Events of(Iterator<?> events, Closeable stream) {
            return new Events() {
                @Override
                public boolean next() {
                    boolean one = events.hasNext();
                    if (one) {
                        events.next();
                    }
                    return one;
                }

                @Override
                public void close() throws IOException {
                    stream.close();
                }
            };
        }

        /** Events that the caller asks for, of a stream that closes what they come from. */
        static Events of(BaseStream<?, ?> stream) {
            return of(stream.iterator(), stream::close);
        }
    }

    /** Events that the SDK tells. Safe for use by many threads. */
    final class ToldEvents implements Events {
        private final BlockingQueue<Told> told = new LinkedBlockingQueue<>();
        private final Closeable stream;

        private sealed interface Told {
            record Event() implements Told {}

            record End() implements Told {}

            record Failure(Throwable cause) implements Told {}
        }

        /** @param stream which tells no more once it is closed */
        public ToldEvents(Closeable stream) {
            this.stream = stream;
        }

        public void event() {
            told.add(new Told.Event());
        }

        public void end() {
            told.add(new Told.End());
        }

        public void failed(Throwable cause) {
            told.add(new Told.Failure(cause));
        }

        @Override
        public boolean next() throws Exception {
            Told next = told.take();
            if (next instanceof Told.Failure failure) {
                throw new IllegalStateException("the stream failed", failure.cause());
            }
            return next instanceof Told.Event;
        }

        @Override
        public void close() throws IOException {
            stream.close();
        }
    }
}
