package io.costguard.http;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * A published request body, which a call has read as far as it may, and that can be sent all the same. Its publisher is subscribed to
 * once, since it may have only one body to give. Of a body that is longer than what is read, what was read is sent first, and then the
 * rest as it comes. Knows whether anybody asked for it. Safe for use by many threads; it is sent once, unless all of it was read.
 */
public final class ReadBody implements Flow.Publisher<ByteBuffer> {
    private final Flow.Publisher<ByteBuffer> content;
    private final int added;
    /** Has the publisher of a body that was begun give up the rest. */
    private final Runnable cancel;

    private final AtomicReference<State> state = new AtomicReference<>(State.UNASKED);

    private enum State {
        UNASKED,
        ASKED_FOR,
        WITHDRAWN
    }

    private ReadBody(Flow.Publisher<ByteBuffer> content, int added, Runnable cancel) {
        this.content = content;
        this.added = added;
        this.cancel = cancel;
    }

    /**
     * Reads a body for {@code call}, up to hardly more than {@link HttpCall#MOST_READ} bytes. Fails as its publisher does.
     *
     * @param body the caller's
     * @param call that is told what is read
     * @return what is to be sent in its place
     */
    public static CompletableFuture<ReadBody> of(Flow.Publisher<ByteBuffer> body, HttpCall call) {
        Reading reading = new Reading(call);
        CompletableFuture<?> unused = reading.read.whenComplete((read, failure) -> {
            if (reading.read.isCancelled()) {
                reading.cancel();
            }
        });
        body.subscribe(reading);
        return reading.read;
    }

    /**
     * One of which nothing is read before it is sent.
     *
     * @param body the caller's
     * @return what is to be sent in its place
     */
    public static ReadBody unread(Flow.Publisher<ByteBuffer> body) {
        return new ReadBody(body, 0, () -> {});
    }

    /** {@return how many bytes of it are not the caller's} */
    public int added() {
        return added;
    }

    /**
     * Takes the body back, if nobody asked for it: then nothing of it has left this process, nor will.
     *
     * @return whether it was
     */
    public boolean withdraw() {
        boolean withdrawn = state.compareAndSet(State.UNASKED, State.WITHDRAWN);
        if (withdrawn) {
            cancel.run();
        }
        return withdrawn;
    }

    @Override
    public void subscribe(Flow.Subscriber<? super ByteBuffer> subscriber) {
        if (state.updateAndGet(was -> was == State.WITHDRAWN ? was : State.ASKED_FOR) == State.WITHDRAWN) {
            subscriber.onSubscribe(new Flow.Subscription() {
                @Override
                public void request(long count) {}

                @Override
                public void cancel() {}
            });
            subscriber.onError(new IOException("the call was given up before its body was sent"));
        } else {
            content.subscribe(subscriber);
        }
    }

    /** A body that is held; for any number of subscribers. */
    private record Held(byte[] bytes) implements Flow.Publisher<ByteBuffer> {
        @Override
        public void subscribe(Flow.Subscriber<? super ByteBuffer> subscriber) {
            AtomicBoolean over = new AtomicBoolean();
            subscriber.onSubscribe(new Flow.Subscription() {
                @Override
                public void request(long count) {
                    if (!over.compareAndSet(false, true)) {
                        return;
                    }
                    if (count <= 0) {
                        subscriber.onError(new IllegalArgumentException("asked for " + count + " buffers"));
                        return;
                    }
                    subscriber.onNext(ByteBuffer.wrap(bytes));
                    subscriber.onComplete();
                }

                @Override
                public void cancel() {
                    over.set(true);
                }
            });
            if (bytes.length == 0 && over.compareAndSet(false, true)) {
                subscriber.onComplete();
            }
        }
    }

    /** Takes a body in, until it ends or is too long; then hands it on. */
    private static final class Reading implements Flow.Subscriber<ByteBuffer> {
        private final HttpCall call;
        private final ByteArrayOutputStream collected = new ByteArrayOutputStream();
        private final CompletableFuture<ReadBody> read = new CompletableFuture<>();
        private volatile Flow.@Nullable Subscription source;
        /** Who takes the rest, once it is known that there is one. */
        private volatile @Nullable Rest rest;

        Reading(HttpCall call) {
            this.call = call;
        }

        @Override
        public void onSubscribe(Flow.Subscription subscription) {
            source = subscription;
            if (read.isCancelled()) {
                subscription.cancel();
            } else {
                subscription.request(1);
            }
        }

        void cancel() {
            Flow.Subscription subscription = source;
            if (subscription != null) {
                subscription.cancel();
            }
        }

        @Override
        public void onNext(ByteBuffer buffer) {
            Rest taker = rest;
            Flow.Subscription subscription = source;
            if (taker != null) {
                taker.next(buffer);
            } else if (subscription != null) {
                byte[] bytes = new byte[buffer.remaining()];
                buffer.get(bytes);
                collected.writeBytes(bytes);
                if (collected.size() <= HttpCall.MOST_READ) {
                    subscription.request(1);
                } else {
                    byte[] prefix = collected.toByteArray();
                    Rest tail = new Rest(prefix, subscription);
                    rest = tail;
                    call.unreadBody(prefix.length);
                    read.complete(new ReadBody(tail, 0, subscription::cancel));
                }
            }
        }

        @Override
        public void onError(Throwable failure) {
            Rest taker = rest;
            if (taker != null) {
                taker.ended(failure);
            } else {
                read.completeExceptionally(failure);
            }
        }

        @Override
        public void onComplete() {
            Rest taker = rest;
            if (taker != null) {
                taker.ended(null);
            } else {
                byte[] all = collected.toByteArray();
                byte[] sent = call.body(all);
                read.complete(new ReadBody(new Held(sent), sent.length - all.length, () -> {}));
            }
        }
    }

    /** A body whose beginning was read: that first, then the rest as it comes. Like its source, it is for one subscriber. */
    private static final class Rest implements Flow.Publisher<ByteBuffer>, Flow.Subscription {
        private final byte[] prefix;
        private final Flow.Subscription source;
        private volatile Flow.@Nullable Subscriber<? super ByteBuffer> target;
        private Prefix state = Prefix.UNSENT;
        /** What was asked for while the beginning was on its way: it is asked of the source once that has passed. */
        private long owed;

        private boolean sourceOver;
        private @Nullable Throwable sourceFailure;

        private enum Prefix {
            UNSENT,
            ON_ITS_WAY,
            SENT
        }

        Rest(byte[] prefix, Flow.Subscription source) {
            this.prefix = prefix;
            this.source = source;
        }

        @Override
        public void subscribe(Flow.Subscriber<? super ByteBuffer> subscriber) {
            target = subscriber;
            subscriber.onSubscribe(this);
        }

        @Override
        public void request(long count) {
            Prefix was;
            synchronized (this) {
                was = state;
                if (count > 0 && was == Prefix.UNSENT) {
                    state = Prefix.ON_ITS_WAY;
                    owed = count - 1;
                } else if (count > 0 && was == Prefix.ON_ITS_WAY) {
                    owed = owed > Long.MAX_VALUE - count ? Long.MAX_VALUE : owed + count;
                }
            }
            if (count <= 0 || was == Prefix.SENT) {
                source.request(count);
            } else if (was == Prefix.UNSENT) {
                sendPrefix();
            }
        }

        private void sendPrefix() {
            next(ByteBuffer.wrap(prefix));
            boolean over;
            long more;
            synchronized (this) {
                state = Prefix.SENT;
                over = sourceOver;
                more = owed;
            }
            if (over) {
                end();
            } else if (more > 0) {
                source.request(more);
            }
        }

        @Override
        public void cancel() {
            target = null;
            source.cancel();
        }

        void next(ByteBuffer buffer) {
            Flow.Subscriber<? super ByteBuffer> taker = target;
            if (taker != null) {
                taker.onNext(buffer);
            }
        }

        void ended(@Nullable Throwable failure) {
            boolean now;
            synchronized (this) {
                sourceOver = true;
                sourceFailure = failure;
                now = state == Prefix.SENT;
            }
            if (now) {
                end();
            }
        }

        private void end() {
            Flow.Subscriber<? super ByteBuffer> taker = target;
            Throwable failure = sourceFailure;
            if (taker != null && failure != null) {
                taker.onError(failure);
            } else if (taker != null) {
                taker.onComplete();
            }
        }
    }
}
