package io.costguard.jdk;

import io.costguard.http.Exchange;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodySubscriber;
import java.net.http.HttpResponse.ResponseInfo;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import org.jspecify.annotations.Nullable;

/** Tells an exchange the bytes of a body before they are handed on, and how the body ended. */
final class MeteredBody<T> implements BodySubscriber<T> {
    private final BodySubscriber<T> subscriber;
    private final Exchange exchange;
    private volatile Flow.@Nullable Subscription subscription;
    private volatile boolean abandoned;

    private MeteredBody(BodySubscriber<T> subscriber, Exchange exchange) {
        this.subscriber = subscriber;
        this.exchange = exchange;
    }

    /** Meters the body of the answer that is taken. */
    static final class Handler<T> implements BodyHandler<T> {
        private final BodyHandler<T> handler;
        private final Exchange exchange;
        private volatile @Nullable MeteredBody<T> body;

        Handler(BodyHandler<T> handler, Exchange exchange) {
            this.handler = handler;
            this.exchange = exchange;
        }

        @Override
        public BodySubscriber<T> apply(ResponseInfo response) {
            exchange.answered(response.statusCode(), response.headers()::firstValue);
            MeteredBody<T> metered = new MeteredBody<>(handler.apply(response), exchange);
            body = metered;
            return metered;
        }

        /** Nobody will read the body. */
        void abandon() {
            exchange.cut();
            MeteredBody<T> taken = body;
            if (taken != null) {
                taken.abandon();
            }
        }
    }

    private void abandon() {
        abandoned = true;
        Flow.Subscription open = subscription;
        if (open != null) {
            open.cancel();
        }
    }

    @Override
    public CompletionStage<T> getBody() {
        return subscriber.getBody();
    }

    @Override
    public void onSubscribe(Flow.Subscription upstream) {
        subscription = upstream;
        subscriber.onSubscribe(new Flow.Subscription() {
            @Override
            public void request(long n) {
                upstream.request(n);
            }

            @Override
            public void cancel() {
                exchange.cut();
                upstream.cancel();
            }
        });
        if (abandoned) {
            upstream.cancel();
        }
    }

    @Override
    public void onNext(List<ByteBuffer> buffers) {
        for (ByteBuffer buffer : buffers) {
            exchange.bytes(buffer.duplicate());
        }
        subscriber.onNext(buffers);
    }

    @Override
    public void onError(Throwable failure) {
        exchange.cut();
        subscriber.onError(failure);
    }

    @Override
    public void onComplete() {
        exchange.complete();
        subscriber.onComplete();
    }
}
