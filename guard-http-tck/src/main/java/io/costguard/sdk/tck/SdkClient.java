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

    /**
     * Events that the SDK tells, one at a time: whoever tells one is kept until the next is wanted, or gives the stream up himself, as a
     * handler does that has seen enough. (From another thread, an SDK's {@code close()} may wait for whoever reads.)
     */
    final class ToldEvents implements Events {
        private final BlockingQueue<Told> told = new LinkedBlockingQueue<>();
        private final BlockingQueue<Wish> wishes = new LinkedBlockingQueue<>();
        private final Closeable stream;
        private volatile boolean isGivenUp;
        private boolean isKept;

        private sealed interface Told {
            record Event() implements Told {}

            record End() implements Told {}

            record Failure(Throwable cause) implements Told {}
        }

        private enum Wish {
            NEXT,
            CLOSE
        }

        /** @param stream which tells no more once it is closed */
        public ToldEvents(Closeable stream) {
            this.stream = stream;
        }

        /** Tells an event; called by the SDK's thread. */
        public void event() {
            if (isGivenUp) {
                return;
            }
            told.add(new Told.Event());
            try {
                if (wishes.take() == Wish.CLOSE) {
                    isGivenUp = true;
                    stream.close();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } catch (IOException e) {
                failed(e);
            }
        }

        public void end() {
            told.add(new Told.End());
        }

        public void failed(Throwable cause) {
            told.add(new Told.Failure(cause));
        }

        @Override
        public boolean next() throws Exception {
            if (isKept) {
                wishes.add(Wish.NEXT);
            }
            Told next = told.take();
            if (next instanceof Told.Failure failure) {
                throw new IllegalStateException("the stream failed", failure.cause());
            }
            isKept = next instanceof Told.Event;
            return isKept;
        }

        @Override
        public void close() {
            wishes.add(Wish.CLOSE);
        }
    }
}
