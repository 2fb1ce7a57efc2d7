package io.costguard.bedrock;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.http.HttpCall;
import io.costguard.http.tck.AdapterContract;
import io.costguard.http.tck.Client;
import java.io.ByteArrayInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.reactivestreams.Publisher;
import org.reactivestreams.Subscriber;
import software.amazon.awssdk.http.AbortableInputStream;
import software.amazon.awssdk.http.ContentStreamProvider;
import software.amazon.awssdk.http.ExecutableHttpRequest;
import software.amazon.awssdk.http.HttpExecuteRequest;
import software.amazon.awssdk.http.HttpExecuteResponse;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.SdkHttpFullRequest;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.SdkHttpResponse;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.http.async.AsyncExecuteRequest;
import software.amazon.awssdk.http.async.SdkAsyncHttpClient;
import software.amazon.awssdk.http.async.SdkAsyncHttpResponseHandler;
import software.amazon.awssdk.http.async.SdkHttpContentPublisher;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.utils.async.InputStreamSubscriber;
import software.amazon.awssdk.utils.async.SimplePublisher;

/** What every adapter must do, with the clients of the SDK alone. */
class GuardedSdkClientsIT extends AdapterContract {

    @Override
    protected boolean can(Ability ability, Mode mode) {
        return switch (ability) {
            case FOLLOW_REDIRECTS -> false;
            // The SDK's Netty client keeps the subscriber until the read times out, and takes such a chunk for the
            // last.
            case FORGET_RESPONSES, TELL_MALFORMED_CHUNKS -> mode == Mode.SYNC;
        };
    }

    @Override
    protected Client client(CostGuard guard, Denials denials, Mode mode) {
        return mode == Mode.SYNC
                ? new Sync(GuardedSdkHttpClient.wrap(
                        Apache5HttpClient.builder()
                                .connectionTimeout(connectTimeout)
                                .socketTimeout(readTimeout)
                                .build(),
                        guard,
                        denials))
                : new Async(GuardedSdkAsyncHttpClient.wrap(
                        NettyNioAsyncHttpClient.builder()
                                .connectionTimeout(connectTimeout)
                                .readTimeout(readTimeout)
                                .build(),
                        guard,
                        denials));
    }

    /** A body that is too long to be read, of a call that no budget covers. */
    @Test
    void aLongBodyThatWasBegunIsClosedIfItsCallIsDenied() throws Exception {
        CostGuard guard = guard(Budget.named("b").per().limit(Limit.requests(1).perDay()));
        SdkHttpClient client = GuardedSdkHttpClient.wrap(new Unreached(), guard);
        Once body = new Once(HttpCall.MOST_READ + 10, 0);
        guard.acquire(GuardedCall.of("any")).close();

        HttpExecuteResponse response = client.prepareRequest(converse(body)).call();

        assertThat(response.httpResponse().statusCode()).isNotEqualTo(200);
        assertThat(body.read).isPositive();
        assertThat(body.closed).isTrue();
    }

    @Test
    void aBodyThatFailsWhileItIsReadIsClosed() {
        SdkHttpClient client = GuardedSdkHttpClient.wrap(new Unreached(), guard(roomy()));
        Once body = new Once(100, 50);

        assertThatThrownBy(() -> client.prepareRequest(converse(body)).call()).hasMessage("broken off");

        assertThat(body.closed).isTrue();
    }

    private static HttpExecuteRequest converse(InputStream body) {
        return HttpExecuteRequest.builder()
                .request(SdkHttpFullRequest.builder()
                        .method(SdkHttpMethod.POST)
                        .uri(
                                URI.create(
                                        "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse"))
                        .build())
                .contentStreamProvider(() -> body)
                .build();
    }

    /** A client that no call of its test is to come to. */
    private static final class Unreached implements SdkHttpClient {
        @Override
        public ExecutableHttpRequest prepareRequest(HttpExecuteRequest request) {
            throw new AssertionError("sent");
        }

        @Override
        public void close() {}
    }

    /** So many bytes, or a failure once so many of them were read. */
    private static final class Once extends InputStream {
        private final long length;
        private final long failsAt;
        private long read;
        private boolean closed;

        /** @param failsAt 0 for never */
        Once(long length, long failsAt) {
            this.length = length;
            this.failsAt = failsAt;
        }

        @Override
        public int read() throws IOException {
            return read(new byte[1], 0, 1) < 0 ? -1 : 0;
        }

        @Override
        public int read(byte[] bytes, int offset, int asked) throws IOException {
            if (failsAt > 0 && read >= failsAt) {
                throw new IOException("broken off");
            }
            int count = (int) Math.min(asked, (failsAt > 0 ? failsAt : length) - read);
            read += count;
            return count == 0 && asked > 0 ? -1 : count;
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    private static SdkHttpRequest request(Client.Sent request) {
        SdkHttpFullRequest.Builder builder = SdkHttpFullRequest.builder()
                .method(SdkHttpMethod.valueOf(request.method()))
                .uri(request.uri());
        request.headers().forEach(builder::putHeader);
        if (request.form() == Client.Body.BYTES && !request.method().equals("GET")) {
            builder.putHeader("Content-Length", String.valueOf(request.body().length));
        }
        return builder.build();
    }

    private static Client.Answer answer(SdkHttpResponse response, InputStream body) {
        return Client.Answer.of(response.statusCode(), response.headers(), body);
    }

    private record Sync(SdkHttpClient client) implements Client {
        private ExecutableHttpRequest prepared(Sent request) {
            HttpExecuteRequest.Builder builder = HttpExecuteRequest.builder().request(request(request));
            if (!request.method().equals("GET")) {
                InputStream once = new ByteArrayInputStream(request.body());
                builder.contentStreamProvider(
                        request.form() == Body.ONE_SHOT
                                ? () -> once
                                : ContentStreamProvider.fromByteArray(request.body()));
            }
            return client.prepareRequest(builder.build());
        }

        @Override
        public Answer send(Sent request) throws IOException {
            HttpExecuteResponse response = prepared(request).call();
            AbortableInputStream body = response.responseBody().orElseGet(AbortableInputStream::createEmpty);
            // What is left of a body is read when it is closed, unless it is aborted.
            return answer(response.httpResponse(), new FilterInputStream(body) {
                @Override
                public void close() throws IOException {
                    body.abort();
                    super.close();
                }
            });
        }

        @Override
        public void sendAndCancel(Sent request, Moment when) throws Exception {
            ExecutableHttpRequest prepared = prepared(request);
            FutureTask<Void> canceller = new FutureTask<>(() -> {
                when.await();
                prepared.abort();
                return null;
            });
            new Thread(canceller).start();
            try {
                throw new AssertionError(
                        "answered: " + prepared.call().httpResponse().statusCode());
            } catch (IOException e) {
                canceller.get();
            }
        }
    }

    private record Async(SdkAsyncHttpClient client) implements Client {
        private CompletableFuture<Void> sent(Sent request, SdkAsyncHttpResponseHandler handler) {
            SdkHttpRequest.Builder builder = request(request).toBuilder();
            if (request.form() == Body.ONE_SHOT) {
                builder.putHeader("Transfer-Encoding", "chunked");
            }
            return client.execute(AsyncExecuteRequest.builder()
                    .request(builder.build())
                    .requestContentPublisher(new Content(request))
                    .responseHandler(handler)
                    .build());
        }

        @Override
        public Answer send(Sent request) throws IOException, InterruptedException {
            Handler handler = new Handler();
            CompletableFuture<Void> future = sent(request, handler);
            CompletableFuture<Void> unused = future.whenComplete((done, failure) -> {
                if (failure != null) {
                    handler.answer.completeExceptionally(failure);
                }
            });
            try {
                return handler.answer.get();
            } catch (ExecutionException e) {
                throw e.getCause() instanceof IOException failure ? failure : new IOException(e.getCause());
            }
        }

        @Override
        public void sendAndCancel(Sent request, Moment when) throws Exception {
            CompletableFuture<Void> future = sent(request, new Handler());
            when.await();
            // As the SDK does when its time is over.
            assertThat(future.completeExceptionally(new IOException("over"))).isTrue();
        }
    }

    /** A request's body; its length is told if it is at hand at once. */
    private record Content(Client.Sent request) implements SdkHttpContentPublisher {
        @Override
        public Optional<Long> contentLength() {
            return request.method().equals("GET")
                    ? Optional.of(0L)
                    : request.form() == Client.Body.ONE_SHOT
                            ? Optional.empty()
                            : Optional.of((long) request.body().length);
        }

        @Override
        public void subscribe(Subscriber<? super ByteBuffer> subscriber) {
            SimplePublisher<ByteBuffer> publisher = new SimplePublisher<>();
            publisher.subscribe(subscriber);
            if (request.body().length > 0) {
                CompletableFuture<Void> unused = publisher.send(ByteBuffer.wrap(request.body()));
            }
            CompletableFuture<Void> unused = publisher.complete();
        }
    }

    private static final class Handler implements SdkAsyncHttpResponseHandler {
        private final CompletableFuture<Client.Answer> answer = new CompletableFuture<>();
        private @Nullable SdkHttpResponse response;

        @Override
        public void onHeaders(SdkHttpResponse headers) {
            response = headers;
        }

        @Override
        public void onStream(Publisher<ByteBuffer> stream) {
            InputStreamSubscriber body = new InputStreamSubscriber();
            stream.subscribe(body);
            SdkHttpResponse headers = response;
            if (headers == null) {
                answer.completeExceptionally(new AssertionError("a body before its headers"));
            } else {
                answer.complete(answer(headers, new Failing(body)));
            }
        }

        @Override
        public void onError(Throwable failure) {
            answer.completeExceptionally(failure);
        }
    }

    /** A body whose failures are those of a stream. */
    private static final class Failing extends FilterInputStream {
        Failing(InputStream body) {
            super(body);
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            try {
                return super.read(bytes, offset, length);
            } catch (RuntimeException e) {
                throw new IOException(e);
            }
        }
    }
}
