package io.costguard.jdk;

import io.costguard.http.Exchange;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;

/** Tells an exchange the bytes of a body before they are handed on, and how the body ended. */
final class MeteredBody<T> implements BodySubscriber<T> {
    private final BodySubscriber<T> subscriber;
    private final Exchange exchange;

    private MeteredBody(BodySubscriber<T> subscriber, Exchange exchange) {
        this.subscriber = subscriber;
        this.exchange = exchange;
    }

    static <T> BodyHandler<T> of(BodyHandler<T> handler, Exchange exchange) {
        return response -> {
            exchange.answered(response.statusCode(), response.headers()::firstValue);
            return new MeteredBody<>(handler.apply(response), exchange);
        };
    }

    @Override
    public CompletionStage<T> getBody() {
        return subscriber.getBody();
    }

    @Override
    public void onSubscribe(Flow.Subscription subscription) {
        subscriber.onSubscribe(new Flow.Subscription() {
            @Override
            public void request(long n) {
                subscription.request(n);
            }

            @Override
            public void cancel() {
                exchange.cut();
                subscription.cancel();
            }
        });
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
