package io.costguard.proof.twins;

import io.costguard.CostGuard;
import io.costguard.bedrock.GuardedSdkAsyncHttpClient;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.reactivestreams.Publisher;
import org.reactivestreams.Subscriber;
import org.reactivestreams.Subscription;
import software.amazon.awssdk.http.SdkHttpResponse;
import software.amazon.awssdk.http.async.AsyncExecuteRequest;
import software.amazon.awssdk.http.async.SdkAsyncHttpClient;
import software.amazon.awssdk.http.async.SdkAsyncHttpResponseHandler;
import software.amazon.awssdk.http.async.SdkHttpContentPublisher;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.utils.async.SimplePublisher;

/** As the AWS SDK's asynchronous client calls Bedrock. */
final class AwsAsyncTwins extends Twins<SdkAsyncHttpClient> {
    /** What is answered is answered at once; an answer without an end is waited for so long. */
    private static final Duration READ_TIMEOUT = Duration.ofSeconds(1);

    /** What Netty makes of a head that is none; it depends on the moment whether anything that follows that is passed on. */
    private static final String NO_HEAD = "Unknown";

    AwsAsyncTwins(CostGuard guard) {
        super(
                "GuardedSdkAsyncHttpClient",
                client(),
                GuardedSdkAsyncHttpClient.wrap(client(), guard),
                SdkAsyncHttpClient::close);
    }

    private static SdkAsyncHttpClient client() {
        return NettyNioAsyncHttpClient.builder().readTimeout(READ_TIMEOUT).build();
    }

    @Override
    void send(SdkAsyncHttpClient client, Sent sent, Seen seen) throws InterruptedException, ExecutionException {
        Collecting collecting = new Collecting(seen);
        client.execute(AsyncExecuteRequest.builder()
                        .request(AwsTwins.request(sent))
                        .requestContentPublisher(new Content(sent.body()))
                        .responseHandler(collecting)
                        .build())
                .get();
        collecting.whole.get();
    }

    private record Content(byte[] body) implements SdkHttpContentPublisher {
        @Override
        public Optional<Long> contentLength() {
            return Optional.of((long) body.length);
        }

        @Override
        public void subscribe(Subscriber<? super ByteBuffer> subscriber) {
            SimplePublisher<ByteBuffer> publisher = new SimplePublisher<>();
            publisher.subscribe(subscriber);
            CompletableFuture<Void> unused = publisher.send(ByteBuffer.wrap(body));
            unused = publisher.complete();
        }
    }

    private static final class Collecting implements SdkAsyncHttpResponseHandler, Subscriber<ByteBuffer> {
        private final CompletableFuture<Void> whole = new CompletableFuture<>();
        private final Seen seen;
        private boolean isHead;

        Collecting(Seen seen) {
            this.seen = seen;
        }

        @Override
        public void onHeaders(SdkHttpResponse headers) {
            isHead = headers.statusText().filter(NO_HEAD::equals).isEmpty();
            AwsTwins.head(headers, seen);
        }

        @Override
        public void onStream(Publisher<ByteBuffer> stream) {
            stream.subscribe(this);
        }

        @Override
        public void onSubscribe(Subscription subscription) {
            subscription.request(Long.MAX_VALUE);
        }

        @Override
        public void onNext(ByteBuffer piece) {
            byte[] bytes = new byte[piece.remaining()];
            piece.get(bytes);
            if (isHead) {
                seen.body(bytes);
            }
        }

        @Override
        public void onComplete() {
            whole.complete(null);
        }

        /** Of the call, or of its body. */
        @Override
        public void onError(Throwable failure) {
            whole.completeExceptionally(failure);
        }
    }
}
