package io.costguard.bedrock;

import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.http.Admittance;
import io.costguard.http.Exchange;
import io.costguard.http.HttpCall;
import io.costguard.http.LocalAnswer;
import io.costguard.http.ReadBody;
import io.costguard.http.StagedFuture;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.reactivestreams.FlowAdapters;
import org.reactivestreams.Subscriber;
import software.amazon.awssdk.http.async.AsyncExecuteRequest;
import software.amazon.awssdk.http.async.SdkAsyncHttpClient;
import software.amazon.awssdk.http.async.SdkAsyncHttpResponseHandler;
import software.amazon.awssdk.http.async.SdkHttpContentPublisher;
import software.amazon.awssdk.utils.AttributeMap;

/**
 * An asynchronous HTTP client of the AWS SDK, version 2, that guards the calls of another.
 *
 * <pre>{@code
 * import io.costguard.bedrock.GuardedSdkAsyncHttpClient;
 * import software.amazon.awssdk.http.async.SdkAsyncHttpClient;
 * import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
 * import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeAsyncClient;
 *
 * BedrockRuntimeAsyncClient.builder()
 *     .httpClientBuilder(GuardedSdkAsyncHttpClient.newBuilder(NettyNioAsyncHttpClient.builder(), guard))
 *     .build();
 * SdkAsyncHttpClient client = GuardedSdkAsyncHttpClient.wrap(NettyNioAsyncHttpClient.create(), guard);
 * }</pre>
 *
 * <p>As {@link GuardedSdkHttpClient}, but that a call which waits for its budgets holds no thread. To cancel its future, or to complete
 * it exceptionally as the SDK's timeouts do, ends whatever the call is at. A request body is subscribed to once; that of a full-duplex call is not
 * read. A response is metered as it is asked for. An SDK that tries again does so on a thread of its own, of which nothing is said by {@link
 * CostGuard#with}.
 */
public final class GuardedSdkAsyncHttpClient implements SdkAsyncHttpClient {
    private static final Duration UNBOUNDED = Duration.ofSeconds(Long.MAX_VALUE);

    private final SdkAsyncHttpClient client;
    private final CostGuard guard;
    private final Denials denials;

    private GuardedSdkAsyncHttpClient(SdkAsyncHttpClient client, CostGuard guard, Denials denials) {
        this.client = client;
        this.guard = guard;
        this.denials = denials;
    }

    /**
     * A client that guards the calls of {@code client}; {@code client} itself, if this guard guards it already.
     *
     * @param client whose calls are to be guarded
     * @param guard that decides on calls
     * @return a guarded client
     */
    public static SdkAsyncHttpClient wrap(SdkAsyncHttpClient client, CostGuard guard) {
        return wrap(client, guard, guard.http().denials());
    }

    /**
     * {@link #wrap(SdkAsyncHttpClient, CostGuard)} with its own way to show denials.
     *
     * @param client whose calls are to be guarded
     * @param guard that decides on calls
     * @param denials how its callers see a denial
     * @return a guarded client
     */
    public static SdkAsyncHttpClient wrap(SdkAsyncHttpClient client, CostGuard guard, Denials denials) {
        if (client instanceof GuardedSdkAsyncHttpClient guarded && guarded.guard == guard) {
            return client;
        }
        return new GuardedSdkAsyncHttpClient(client, guard, denials);
    }

    /**
     * A builder of clients whose calls are guarded: so the SDK's client closes it, and gives it the settings of its service, as Bedrock's
     * time to read.
     *
     * @param builder of a client whose calls are to be guarded
     * @param guard that decides on calls
     * @return a builder of guarded clients
     */
    public static SdkAsyncHttpClient.Builder<?> newBuilder(SdkAsyncHttpClient.Builder<?> builder, CostGuard guard) {
        return newBuilder(builder, guard, guard.http().denials());
    }

    /**
     * {@link #newBuilder(SdkAsyncHttpClient.Builder, CostGuard)} with its own way to show denials.
     *
     * @param builder of a client whose calls are to be guarded
     * @param guard that decides on calls
     * @param denials how its callers see a denial
     * @return a builder of guarded clients
     */
    public static SdkAsyncHttpClient.Builder<?> newBuilder(
            SdkAsyncHttpClient.Builder<?> builder, CostGuard guard, Denials denials) {
        return new Builder(builder, guard, denials);
    }

    private record Builder(SdkAsyncHttpClient.Builder<?> builder, CostGuard guard, Denials denials)
            implements SdkAsyncHttpClient.Builder<Builder> {
        @Override
        public SdkAsyncHttpClient buildWithDefaults(AttributeMap defaults) {
            return wrap(builder.buildWithDefaults(defaults), guard, denials);
        }
    }

    @Override
    public CompletableFuture<Void> execute(AsyncExecuteRequest asked) {
        GuardedRequest request = new GuardedRequest(asked.request(), guard);
        Optional<HttpCall> begun = request.begin();
        if (begun.isEmpty()) {
            return client.execute(sent(asked, request, asked.requestContentPublisher(), 0, asked.responseHandler()));
        }
        HttpCall call = begun.get();
        SdkAsyncHttpResponseHandler handler = asked.responseHandler();
        StagedFuture<Void> result = new StagedFuture<>();
        AtomicBoolean handedOver = new AtomicBoolean();
        CompletableFuture<Void> unused = result.whenComplete((done, failure) -> {
            if (failure != null && handedOver.compareAndSet(false, true)) {
                handler.onError(failure);
            }
        });
        result.follow(
                read(asked, request, call),
                body -> result.follow(call.admitAsync(denials, UNBOUNDED), admittance -> {
                    if (!handedOver.compareAndSet(false, true)) {
                        body.withdraw();
                        giveBack(admittance);
                    } else if (admittance instanceof Admittance.Answered answered) {
                        body.withdraw();
                        answer(handler, answered.answer());
                        result.complete(null);
                    } else {
                        Exchange exchange = ((Admittance.Admitted) admittance).exchange();
                        result.follow(send(asked, request, body, exchange), result::complete);
                    }
                }));
        return result;
    }

    private static CompletableFuture<ReadBody> read(AsyncExecuteRequest asked, GuardedRequest request, HttpCall call) {
        SdkHttpContentPublisher content = asked.requestContentPublisher();
        long length = content.contentLength().orElseGet(request::contentLength);
        if (asked.fullDuplex() || length > HttpCall.MOST_READ) {
            call.unreadBody(length);
        } else if (call.readsBody()) {
            return ReadBody.of(FlowAdapters.toFlowPublisher(content), call);
        }
        return CompletableFuture.completedFuture(ReadBody.unread(FlowAdapters.toFlowPublisher(content)));
    }

    private static void giveBack(Admittance admittance) {
        if (admittance instanceof Admittance.Admitted admitted) {
            admitted.exchange().neverSent();
        }
    }

    private static void answer(SdkAsyncHttpResponseHandler handler, LocalAnswer answer) {
        handler.onHeaders(GuardedRequest.answered(answer));
        handler.onStream(FlowAdapters.toPublisher(BodyPublishers.ofByteArray(answer.body())));
    }

    private CompletableFuture<Void> send(
            AsyncExecuteRequest asked, GuardedRequest request, ReadBody body, Exchange exchange) {
        MeteredHandler metered = new MeteredHandler(asked.responseHandler(), exchange, body);
        CompletableFuture<Void> sent;
        try {
            SdkHttpContentPublisher content = new SentContent(
                    body, asked.requestContentPublisher().contentLength().map(length -> length + body.added()));
            sent = client.execute(sent(asked, request, content, body.added(), metered));
        } catch (RuntimeException | Error e) {
            metered.onError(e);
            throw e;
        }
        CompletableFuture<Void> unused = sent.whenComplete((done, failure) -> {
            if (failure != null) {
                metered.failed(failure);
            }
        });
        return sent;
    }

    private static AsyncExecuteRequest sent(
            AsyncExecuteRequest asked,
            GuardedRequest request,
            SdkHttpContentPublisher content,
            int added,
            SdkAsyncHttpResponseHandler handler) {
        return AsyncExecuteRequest.builder()
                .request(request.sent(added))
                .requestContentPublisher(content)
                .responseHandler(handler)
                .metricCollector(asked.metricCollector().orElse(null))
                .fullDuplex(asked.fullDuplex())
                .httpExecutionAttributes(asked.httpExecutionAttributes())
                .build();
    }

    private record SentContent(ReadBody body, Optional<Long> contentLength) implements SdkHttpContentPublisher {
        @Override
        public void subscribe(Subscriber<? super ByteBuffer> subscriber) {
            body.subscribe(FlowAdapters.toFlowSubscriber(subscriber));
        }
    }

    @Override
    public String clientName() {
        return client.clientName();
    }

    @Override
    public void close() {
        client.close();
    }
}
