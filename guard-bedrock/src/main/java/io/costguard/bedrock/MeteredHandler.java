package io.costguard.bedrock;

import io.costguard.http.Exchange;
import io.costguard.http.ReadBody;
import java.nio.ByteBuffer;
import org.reactivestreams.Publisher;
import org.reactivestreams.Subscriber;
import org.reactivestreams.Subscription;
import software.amazon.awssdk.http.SdkHttpResponse;
import software.amazon.awssdk.http.async.SdkAsyncHttpResponseHandler;

/** Tells an exchange the answer before it is handed on, and how it ended. */
final class MeteredHandler implements SdkAsyncHttpResponseHandler {
    private final SdkAsyncHttpResponseHandler handler;
    private final Exchange exchange;
    private final ReadBody sent;
    private volatile boolean answered;

    /** @param sent the request's body */
    MeteredHandler(SdkAsyncHttpResponseHandler handler, Exchange exchange, ReadBody sent) {
        this.handler = handler;
        this.exchange = exchange;
        this.sent = sent;
    }

    @Override
    public void onHeaders(SdkHttpResponse response) {
        answered = true;
        GuardedRequest.told(exchange, response);
        handler.onHeaders(response);
    }

    @Override
    public void onStream(Publisher<ByteBuffer> body) {
        handler.onStream(subscriber -> body.subscribe(new Metered(subscriber, exchange)));
    }

    @Override
    public void onError(Throwable failure) {
        failed(failure);
        handler.onError(failure);
    }

    /** The call came to no end of its own. */
    void failed(Throwable failure) {
        if (!answered && (sent.withdraw() || GuardedRequest.neverConnected(failure))) {
            exchange.neverSent();
        } else {
            exchange.noAnswer();
        }
    }

    private record Metered(Subscriber<? super ByteBuffer> subscriber, Exchange exchange)
            implements Subscriber<ByteBuffer> {
        @Override
        public void onSubscribe(Subscription upstream) {
            subscriber.onSubscribe(new Subscription() {
                @Override
                public void request(long count) {
                    upstream.request(count);
                }

                @Override
                public void cancel() {
                    exchange.cut();
                    upstream.cancel();
                }
            });
        }

        @Override
        public void onNext(ByteBuffer buffer) {
            exchange.bytes(buffer.duplicate());
            subscriber.onNext(buffer);
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
}
