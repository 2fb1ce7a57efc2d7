package io.costguard.jdk;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * A request body that was read, and can be sent all the same. Its publisher is subscribed to once, since it may have only one body to
 * give. Of a body that is longer than what is read, what was read is sent first, and then the rest as it comes.
 */
final class RequestBody implements BodyPublisher {
    private final long contentLength;
    private final byte[] prefix;
    private final BodyPublisher content;
    private final Extent extent;
    private final AtomicReference<State> state = new AtomicReference<>(State.UNASKED);

    private enum State {
        UNASKED,
        ASKED_FOR,
        WITHDRAWN
    }

    /** How much of a body was read. */
    enum Extent {
        ALL,
        BEGINNING
    }

    private RequestBody(long contentLength, byte[] prefix, BodyPublisher content, Extent extent) {
        this.contentLength = contentLength;
        this.prefix = prefix;
        this.content = content;
        this.extent = extent;
    }

    /** Reads a body, up to hardly more than {@code most} bytes. Fails as its publisher does. */
    static CompletableFuture<RequestBody> read(BodyPublisher body, int most) {
        Reading reading = new Reading(body.contentLength(), most);
        body.subscribe(reading);
        return reading.read;
    }

    /** This body, of which all was read, with {@code bytes} in the place of what it held; its length stays unknown if it was. */
    RequestBody with(byte[] bytes) {
        if (bytes == prefix) {
            return this;
        }
        long length = contentLength < 0 ? contentLength : contentLength + bytes.length - prefix.length;
        return new RequestBody(length, bytes, BodyPublishers.ofByteArray(bytes), Extent.ALL);
    }

    byte[] prefix() {
        return prefix;
    }

    Extent extent() {
        return extent;
    }

    @Override
    public long contentLength() {
        return contentLength;
    }

    /** Takes the body back, if nobody asked for it: then nothing of it has left this process, nor will. */
    boolean withdraw() {
        return state.compareAndSet(State.UNASKED, State.WITHDRAWN);
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

    /** Takes a body in, until it ends or is too long; then hands it on. */
    private static final class Reading implements Flow.Subscriber<ByteBuffer> {
        private final long contentLength;
        private final int most;
        private final ByteArrayOutputStream collected = new ByteArrayOutputStream();
        private final CompletableFuture<RequestBody> read = new CompletableFuture<>();
        private Flow.@Nullable Subscription source;
        /** Who takes the rest, once it is known that there is one. */
        private volatile @Nullable Rest rest;

        Reading(long contentLength, int most) {
            this.contentLength = contentLength;
            this.most = most;
        }

        @Override
        public void onSubscribe(Flow.Subscription subscription) {
            source = subscription;
            subscription.request(1);
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
                if (collected.size() <= most) {
                    subscription.request(1);
                } else {
                    byte[] prefix = collected.toByteArray();
                    Rest tail = new Rest(prefix, subscription);
                    rest = tail;
                    read.complete(new RequestBody(contentLength, prefix, tail, Extent.BEGINNING));
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
                read.complete(new RequestBody(contentLength, all, BodyPublishers.ofByteArray(all), Extent.ALL));
            }
        }
    }

    /** A body whose beginning was read: that first, then the rest as it comes. Like its source, it is for one subscriber. */
    private static final class Rest implements BodyPublisher, Flow.Subscription {
        private final byte[] prefix;
        private final Flow.Subscription source;
        private Flow.@Nullable Subscriber<? super ByteBuffer> target;
        private boolean prefixSent;
        private boolean sourceOver;
        private @Nullable Throwable sourceFailure;

        Rest(byte[] prefix, Flow.Subscription source) {
            this.prefix = prefix;
            this.source = source;
        }

        @Override
        public long contentLength() {
            return -1;
        }

        @Override
        public void subscribe(Flow.Subscriber<? super ByteBuffer> subscriber) {
            target = subscriber;
            subscriber.onSubscribe(this);
        }

        @Override
        public void request(long count) {
            boolean first;
            synchronized (this) {
                first = !prefixSent;
                prefixSent = true;
            }
            if (first) {
                next(ByteBuffer.wrap(prefix));
            }
            if (first && sourceOver) {
                end();
            } else if (!first || count > 1) {
                source.request(first ? count - 1 : count);
            }
        }

        @Override
        public void cancel() {
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
                now = prefixSent;
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
