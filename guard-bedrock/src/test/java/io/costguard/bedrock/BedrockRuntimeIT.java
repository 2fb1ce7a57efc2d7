package io.costguard.bedrock;

import static com.github.tomakehurst.wiremock.client.WireMock.aResponse;
import static com.github.tomakehurst.wiremock.client.WireMock.any;
import static com.github.tomakehurst.wiremock.client.WireMock.anyRequestedFor;
import static com.github.tomakehurst.wiremock.client.WireMock.anyUrl;
import static com.github.tomakehurst.wiremock.client.WireMock.equalTo;
import static com.github.tomakehurst.wiremock.core.WireMockConfiguration.options;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.github.tomakehurst.wiremock.WireMockServer;
import com.github.tomakehurst.wiremock.client.ResponseDefinitionBuilder;
import io.costguard.Attributes;
import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.GuardListener;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.Outcome;
import io.costguard.WhenExhausted;
import io.costguard.http.tck.PiecemealProvider;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import io.costguard.testing.RedisForTests;
import java.net.URI;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.reactivestreams.FlowAdapters;
import org.reactivestreams.Publisher;
import org.reactivestreams.Subscriber;
import org.reactivestreams.Subscription;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.async.SdkPublisher;
import software.amazon.awssdk.core.exception.ApiCallTimeoutException;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.SdkHttpMethod;
import software.amazon.awssdk.http.SdkHttpRequest;
import software.amazon.awssdk.http.SdkHttpResponse;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.http.async.AsyncExecuteRequest;
import software.amazon.awssdk.http.async.SdkAsyncHttpClient;
import software.amazon.awssdk.http.async.SdkAsyncHttpResponseHandler;
import software.amazon.awssdk.http.async.SdkHttpContentPublisher;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.http.nio.netty.SdkEventLoopGroup;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeAsyncClient;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeClient;
import software.amazon.awssdk.services.bedrockruntime.model.ContentBlock;
import software.amazon.awssdk.services.bedrockruntime.model.ConverseRequest;
import software.amazon.awssdk.services.bedrockruntime.model.ConverseStreamOutput;
import software.amazon.awssdk.services.bedrockruntime.model.ConverseStreamRequest;
import software.amazon.awssdk.services.bedrockruntime.model.ConverseStreamResponseHandler;
import software.amazon.awssdk.services.bedrockruntime.model.InvokeModelRequest;
import software.amazon.awssdk.services.bedrockruntime.model.InvokeModelWithResponseStreamRequest;
import software.amazon.awssdk.services.bedrockruntime.model.InvokeModelWithResponseStreamResponseHandler;
import software.amazon.awssdk.services.bedrockruntime.model.Message;
import software.amazon.awssdk.services.bedrockruntime.model.ServiceQuotaExceededException;
import software.amazon.awssdk.services.bedrockruntime.model.ThrottlingException;

/** Bedrock's own clients with a guard in them, against recorded answers. */
@Timeout(60)
class BedrockRuntimeIT {
    private static final WireMockServer PROVIDER =
            new WireMockServer(options().dynamicPort().bindAddress("127.0.0.1").gzipDisabled(true));
    private static final Exchange CONVERSE = Recordings.of("bedrock-converse-nova");
    private static final Exchange CONVERSE_STREAM = Recordings.of("bedrock-converse-stream-titan");
    private static final Exchange INVOKE = Recordings.of("bedrock-invoke-cohere-usage-in-headers-only");
    private static final Exchange INVOKE_STREAM = Recordings.of("bedrock-invoke-with-response-stream-titan");

    /** One that stays: to end it takes seconds. */
    private static final SdkEventLoopGroup THREADS =
            SdkEventLoopGroup.builder().numberOfThreads(2).build();

    private final RedisForTests redis = RedisForTests.shared();
    private final String prefix = redis.keyPrefix();
    private final BlockingQueue<GuardListener.Settlement> settlements = new LinkedBlockingQueue<>();
    private final BlockingQueue<GuardListener.Waiting> waits = new LinkedBlockingQueue<>();
    private final Deque<AutoCloseable> open = new ArrayDeque<>();

    @BeforeAll
    static void startProvider() {
        PROVIDER.start();
    }

    @AfterAll
    static void stopProvider() {
        PROVIDER.stop();
    }

    @BeforeEach
    void forgetCalls() {
        PROVIDER.resetAll();
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
    }

    // --- the operations

    /** The SDK's synchronous HTTP clients. */
    enum Http {
        APACHE {
            @Override
            SdkHttpClient.Builder<?> builder() {
                return Apache5HttpClient.builder();
            }
        },
        URL_CONNECTION {
            @Override
            SdkHttpClient.Builder<?> builder() {
                return UrlConnectionHttpClient.builder();
            }
        };

        abstract SdkHttpClient.Builder<?> builder();
    }

    @ParameterizedTest
    @EnumSource(Http.class)
    void converseSettlesToItsUsage(Http http) throws Exception {
        answers(CONVERSE);

        assertThat(sync(roomy(), http).converse(question(CONVERSE)).usage().outputTokens())
                .isEqualTo(108);

        assertReported(CONVERSE);
    }

    @Test
    void converseOfTheAsynchronousClientSettlesToItsUsage() throws Exception {
        answers(CONVERSE);

        assertThat(async(roomy()).converse(question(CONVERSE)).join().usage().outputTokens())
                .isEqualTo(108);

        assertReported(CONVERSE);
    }

    @Test
    void converseStreamSettlesToItsUsage() throws Exception {
        answers(CONVERSE_STREAM);
        List<ConverseStreamOutput> events = new ArrayList<>();

        async(roomy())
                .converseStream(
                        streamed(CONVERSE_STREAM),
                        ConverseStreamResponseHandler.builder()
                                .subscriber(events::add)
                                .build())
                .join();

        assertThat(events).isNotEmpty();
        assertReported(CONVERSE_STREAM);
    }

    @ParameterizedTest
    @EnumSource(Http.class)
    void invokeModelSettlesToItsUsageThatIsInHeadersAlone(Http http) throws Exception {
        answers(INVOKE);

        SdkBytes body = sync(roomy(), http)
                .invokeModel(InvokeModelRequest.builder()
                        .modelId(INVOKE.model())
                        .body(SdkBytes.fromByteArray(INVOKE.request()))
                        .build())
                .body();

        assertThat(body.asByteArray()).isEqualTo(INVOKE.response());
        assertReported(INVOKE);
    }

    @Test
    void invokeModelWithResponseStreamSettlesToItsUsage() throws Exception {
        answers(INVOKE_STREAM);

        async(roomy())
                .invokeModelWithResponseStream(
                        InvokeModelWithResponseStreamRequest.builder()
                                .modelId(INVOKE_STREAM.model())
                                .body(SdkBytes.fromByteArray(INVOKE_STREAM.request()))
                                .build(),
                        InvokeModelWithResponseStreamResponseHandler.builder()
                                .subscriber(event -> {})
                                .build())
                .join();

        assertReported(INVOKE_STREAM);
    }

    private void assertReported(Exchange exchange) throws InterruptedException {
        GuardListener.Settlement settled = settled();
        assertThat(settled.outcome()).isEqualTo(Outcome.REPORTED);
        assertThat(settled.call().model())
                .isEqualTo(GuardedCall.of(exchange.model()).model());
        assertThat(settled.actual().input()).isEqualTo(exchange.reportedInput().orElseThrow());
        assertThat(settled.actual().output())
                .isEqualTo(exchange.reportedOutput().orElseThrow());
    }

    // --- what a guard says in Bedrock's place

    @Test
    void aDenialThatPassesSoonIsAThrottlingException() throws Exception {
        CostGuard guard = guard(builder().budget(Budget.named("busy").per().limit(Limit.concurrentCalls(1))));
        open.push(guard.acquire(GuardedCall.of("another")));

        assertThatExceptionOfType(ThrottlingException.class)
                .isThrownBy(() -> sync(guard, Http.APACHE).converse(question(CONVERSE)))
                .satisfies(thrown -> {
                    assertThat(thrown.statusCode()).isEqualTo(429);
                    assertThat(thrown.isThrottlingException()).isTrue();
                    assertThat(thrown.awsErrorDetails().sdkHttpResponse().firstMatchingHeader("x-cost-guard"))
                            .hasValue("denied; budget=busy; limit=\"concurrent calls\"");
                });
        assertNothingSent();
    }

    @Test
    void aDenialThatDoesNotPassSoonIsAServiceQuotaExceededExceptionOfAStreamToo() throws Exception {
        CostGuard guard = guard(builder()
                .budget(Budget.named("day").per().limit(Limit.requests(1).perDay())));
        open.push(guard.acquire(GuardedCall.of("another")));

        assertThatExceptionOfType(ServiceQuotaExceededException.class)
                .isThrownBy(() -> sync(guard, Http.URL_CONNECTION).converse(question(CONVERSE)))
                .satisfies(thrown -> assertThat(thrown.statusCode()).isEqualTo(402));
        assertThatExceptionOfType(CompletionException.class)
                .isThrownBy(() -> async(guard)
                        .converseStream(
                                streamed(CONVERSE_STREAM),
                                ConverseStreamResponseHandler.builder()
                                        .subscriber(event -> {})
                                        .build())
                        .join())
                .withCauseInstanceOf(ServiceQuotaExceededException.class);
        assertNothingSent();
    }

    // --- its end

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aCallWhoseTimeIsOverWhileItWaitsLeavesTheLine(boolean isAsync) throws Exception {
        CostGuard guard = guard(builder()
                .budget(Budget.named("day").per().limit(Limit.requests(1).perDay()))
                .whenExhausted(WhenExhausted.waitUpTo(Duration.ofHours(30))));
        open.push(guard.acquire(GuardedCall.of("another")));
        ConverseRequest question = question(CONVERSE).toBuilder()
                .overrideConfiguration(call -> call.apiCallTimeout(Duration.ofSeconds(2)))
                .build();

        if (isAsync) {
            assertThatExceptionOfType(CompletionException.class)
                    .isThrownBy(() -> async(guard).converse(question).join())
                    .withCauseInstanceOf(ApiCallTimeoutException.class);
        } else {
            assertThatExceptionOfType(ApiCallTimeoutException.class)
                    .isThrownBy(() -> sync(guard, Http.APACHE).converse(question));
        }

        assertThat(waits.poll(10, TimeUnit.SECONDS)).isNotNull();
        long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        while (guard.status(GuardedCall.of("another")).get(0).waiting() > 0) {
            assertThat(System.nanoTime() - deadline).isNegative();
            Thread.onSpinWait();
        }
        assertNothingSent();
    }

    @Test
    void aStreamThatIsCancelledKeepsWhatPassed() throws Exception {
        List<byte[]> pieces = Recordings.pieces(INVOKE_STREAM.response(), 17);
        PiecemealProvider provider =
                PiecemealProvider.silentAfter(INVOKE_STREAM, pieces.subList(0, pieces.size() * 2 / 3));
        open.push(provider);
        CountDownLatch begun = new CountDownLatch(1);

        CompletableFuture<Void> call = async(
                        roomy(),
                        origin(provider.uri()),
                        NettyNioAsyncHttpClient.builder().protocol(Protocol.HTTP1_1))
                .invokeModelWithResponseStream(
                        InvokeModelWithResponseStreamRequest.builder()
                                .modelId(INVOKE_STREAM.model())
                                .body(SdkBytes.fromByteArray(INVOKE_STREAM.request()))
                                .build(),
                        InvokeModelWithResponseStreamResponseHandler.builder()
                                .subscriber(event -> begun.countDown())
                                .build());
        assertThat(begun.await(20, TimeUnit.SECONDS)).isTrue();
        call.cancel(true);

        GuardListener.Settlement settled = settled();
        assertThat(settled.outcome()).isEqualTo(Outcome.COUNTED);
        assertThat(settled.actual().input()).isEqualTo(settled.estimate().input());
        assertThat(settled.actual().output())
                .isPositive()
                .isLessThan(settled.estimate().output());
    }

    @Test
    void aBodyThatIsCancelledIsSettledWhateverTheClientMakesOfIt() throws Exception {
        CompletableFuture<Void> unused = GuardedSdkAsyncHttpClient.wrap(new SilentClient(), roomy())
                .execute(AsyncExecuteRequest.builder()
                        .request(SdkHttpRequest.builder()
                                .method(SdkHttpMethod.POST)
                                .uri(INVOKE_STREAM.url())
                                .build())
                        .requestContentPublisher(new EmptyPublisher())
                        .responseHandler(new CancellingHandler())
                        .build());

        assertThat(settled().outcome()).isEqualTo(Outcome.COUNTED);
    }

    /** Begins an answer, and leaves it at that. */
    private static final class SilentClient implements SdkAsyncHttpClient {
        @Override
        public CompletableFuture<Void> execute(AsyncExecuteRequest request) {
            request.responseHandler()
                    .onHeaders(SdkHttpResponse.builder().statusCode(200).build());
            request.responseHandler()
                    .onStream(subscriber -> subscriber.onSubscribe(new Subscription() {
                        @Override
                        public void request(long count) {}

                        @Override
                        public void cancel() {}
                    }));
            return new CompletableFuture<>();
        }

        @Override
        public void close() {}
    }

    private static final class CancellingHandler implements SdkAsyncHttpResponseHandler {
        @Override
        public void onHeaders(SdkHttpResponse headers) {}

        @Override
        public void onStream(Publisher<ByteBuffer> stream) {
            stream.subscribe(new Subscriber<>() {
                @Override
                public void onSubscribe(Subscription subscription) {
                    subscription.cancel();
                }

                @Override
                public void onNext(ByteBuffer bytes) {}

                @Override
                public void onError(Throwable failure) {}

                @Override
                public void onComplete() {}
            });
        }

        @Override
        public void onError(Throwable failure) {}
    }

    private static final class EmptyPublisher implements SdkHttpContentPublisher {
        @Override
        public Optional<Long> contentLength() {
            return Optional.of(0L);
        }

        @Override
        public void subscribe(Subscriber<? super ByteBuffer> subscriber) {
            SdkPublisher.adapt(FlowAdapters.<ByteBuffer>toPublisher(BodyPublishers.noBody()))
                    .subscribe(subscriber);
        }
    }

    @Test
    void aStreamIsGivenNoEventMoreThanItsCallerAskedFor() throws Exception {
        answers(CONVERSE_STREAM);
        CompletableFuture<Subscription> subscribed = new CompletableFuture<>();
        BlockingQueue<ConverseStreamOutput> events = new LinkedBlockingQueue<>();
        CompletableFuture<Void> call = async(roomy())
                .converseStream(
                        streamed(CONVERSE_STREAM),
                        ConverseStreamResponseHandler.builder()
                                .onEventStream(publisher -> subscribe(publisher, subscribed, events))
                                .build());

        subscribed.get(20, TimeUnit.SECONDS).request(1);

        assertThat(events.poll(20, TimeUnit.SECONDS)).isNotNull();
        assertThat(events).isEmpty();
        assertThat(settlements).isEmpty();
        subscribed.join().request(Long.MAX_VALUE);
        call.get(20, TimeUnit.SECONDS);
        assertReported(CONVERSE_STREAM);
    }

    private static void subscribe(
            SdkPublisher<ConverseStreamOutput> publisher,
            CompletableFuture<Subscription> subscribed,
            BlockingQueue<ConverseStreamOutput> events) {
        publisher.subscribe(new Subscriber<>() {
            @Override
            public void onSubscribe(Subscription subscription) {
                subscribed.complete(subscription);
            }

            @Override
            public void onNext(ConverseStreamOutput event) {
                events.add(event);
            }

            @Override
            public void onError(Throwable failure) {
                subscribed.completeExceptionally(failure);
            }

            @Override
            public void onComplete() {}
        });
    }

    // --- attributes

    @Test
    void aHeaderThatIsSignedIsAnAttributeAndIsSentAsTheSignatureSays() throws Exception {
        answers(CONVERSE);
        CostGuard guard = guard(builder()
                .attributes(Attributes.header("X-Tenant").as("tenant"))
                .budget(Budget.named("roomy").limit(Limit.requests(1_000).perDay())));

        sync(guard, Http.APACHE)
                .converse(question(CONVERSE).toBuilder()
                        .overrideConfiguration(call -> call.putHeader("X-Tenant", "acme"))
                        .build());

        assertThat(settled().call().attributes()).containsEntry("tenant", "acme");
        PROVIDER.verify(1, anyRequestedFor(anyUrl()).withHeader("X-Tenant", equalTo("acme")));
    }

    // --- the words

    private static void answers(Exchange exchange) {
        ResponseDefinitionBuilder answer = aResponse()
                .withStatus(exchange.status())
                .withHeader("content-type", exchange.contentType())
                .withBody(exchange.response());
        exchange.headers().forEach(answer::withHeader);
        PROVIDER.stubFor(any(anyUrl()).willReturn(answer));
    }

    private static void assertNothingSent() {
        PROVIDER.verify(0, anyRequestedFor(anyUrl()));
    }

    private static Message message() {
        return Message.builder()
                .role("user")
                .content(ContentBlock.fromText("Say this is a test"))
                .build();
    }

    private static ConverseRequest question(Exchange exchange) {
        return ConverseRequest.builder()
                .modelId(exchange.model())
                .messages(message())
                .build();
    }

    private static ConverseStreamRequest streamed(Exchange exchange) {
        return ConverseStreamRequest.builder()
                .modelId(exchange.model())
                .messages(message())
                .build();
    }

    private CostGuard.Builder builder() {
        return CostGuard.builder()
                .redis(redis.url())
                .keyPrefix(prefix)
                .decisionTimeout(Duration.ofSeconds(10))
                .listener(new GuardListener() {
                    @Override
                    public void onSettled(Settlement event) {
                        settlements.add(event);
                    }

                    @Override
                    public void onWaiting(Waiting event) {
                        waits.add(event);
                    }
                });
    }

    private CostGuard guard(CostGuard.Builder builder) {
        CostGuard guard = builder.build();
        open.push(guard);
        return guard;
    }

    private CostGuard roomy() {
        return guard(builder()
                .budget(Budget.named("roomy").limit(Limit.requests(1_000).perDay())));
    }

    private GuardListener.Settlement settled() throws InterruptedException {
        GuardListener.Settlement settled = settlements.poll(20, TimeUnit.SECONDS);
        if (settled == null) {
            throw new AssertionError("never settled");
        }
        return settled;
    }

    private static URI origin(URI uri) {
        return URI.create(uri.getScheme() + "://" + uri.getAuthority());
    }

    private static final StaticCredentialsProvider CREDENTIALS =
            StaticCredentialsProvider.create(AwsBasicCredentials.create("AKIAIOSFODNN7EXAMPLE", "secret"));

    private BedrockRuntimeClient sync(CostGuard guard, Http http) {
        BedrockRuntimeClient client = BedrockRuntimeClient.builder()
                .httpClientBuilder(GuardedSdkHttpClient.newBuilder(http.builder(), guard))
                .endpointOverride(URI.create(PROVIDER.baseUrl()))
                .region(Region.US_EAST_1)
                .credentialsProvider(CREDENTIALS)
                .build();
        open.push(client);
        return client;
    }

    /** By HTTP/2, as the SDK has it for Bedrock. */
    private BedrockRuntimeAsyncClient async(CostGuard guard) {
        return async(guard, URI.create(PROVIDER.baseUrl()), NettyNioAsyncHttpClient.builder());
    }

    private BedrockRuntimeAsyncClient async(CostGuard guard, URI provider, NettyNioAsyncHttpClient.Builder http) {
        BedrockRuntimeAsyncClient client = BedrockRuntimeAsyncClient.builder()
                .httpClientBuilder(GuardedSdkAsyncHttpClient.newBuilder(http.eventLoopGroup(THREADS), guard))
                .endpointOverride(provider)
                .region(Region.US_EAST_1)
                .credentialsProvider(CREDENTIALS)
                .build();
        open.push(client);
        return client;
    }
}
