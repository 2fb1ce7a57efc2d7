package io.costguard.bedrock;

import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.http.Admittance;
import io.costguard.http.Exchange;
import io.costguard.http.HttpCall;
import io.costguard.http.LocalAnswer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.http.AbortableInputStream;
import software.amazon.awssdk.http.ExecutableHttpRequest;
import software.amazon.awssdk.http.HttpExecuteRequest;
import software.amazon.awssdk.http.HttpExecuteResponse;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.utils.AttributeMap;

/**
 * An HTTP client of the AWS SDK, version 2, that guards the calls of another.
 *
 * <pre>{@code
 * import io.costguard.bedrock.GuardedSdkHttpClient;
 * import software.amazon.awssdk.http.SdkHttpClient;
 * import software.amazon.awssdk.http.apache5.Apache5HttpClient;
 * import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeClient;
 *
 * BedrockRuntimeClient.builder()
 *     .httpClientBuilder(GuardedSdkHttpClient.newBuilder(Apache5HttpClient.builder(), guard))
 *     .build();
 * SdkHttpClient client = GuardedSdkHttpClient.wrap(Apache5HttpClient.create(), guard);
 * }</pre>
 *
 * <p>Safe for use by many threads. Each attempt of the SDK is a call of its own. A call that waits for its budgets holds its thread, and ends
 * when the SDK's own timeouts do, or when it is interrupted or aborted. Bodies pass as they are, but for what {@link
 * CostGuard.Builder#streamUsage()} puts into a request that is not signed; a request body is read into memory up to {@link
 * HttpCall#MOST_READ}. A call is settled when its body has been read, or was closed or aborted.
 *
 * <p>What is said of the thread ({@link CostGuard#with}) is told. A header that says an attribute ({@link CostGuard.Builder#attributes}) is
 * not sent, unless the request's signature covers it, as it covers all headers that are set with the SDK.
 *
 * <p>To close it closes the client within.
 */
public final class GuardedSdkHttpClient implements SdkHttpClient {
    private static final Duration UNBOUNDED = Duration.ofSeconds(Long.MAX_VALUE);

    private final SdkHttpClient client;
    private final CostGuard guard;
    private final Denials denials;

    private GuardedSdkHttpClient(SdkHttpClient client, CostGuard guard, Denials denials) {
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
    public static SdkHttpClient wrap(SdkHttpClient client, CostGuard guard) {
        return wrap(client, guard, guard.http().denials());
    }

    /**
     * {@link #wrap(SdkHttpClient, CostGuard)} with its own way to show denials.
     *
     * @param client whose calls are to be guarded
     * @param guard that decides on calls
     * @param denials how its callers see a denial
     * @return a guarded client
     */
    public static SdkHttpClient wrap(SdkHttpClient client, CostGuard guard, Denials denials) {
        if (client instanceof GuardedSdkHttpClient guarded && guarded.guard == guard) {
            return client;
        }
        return new GuardedSdkHttpClient(client, guard, denials);
    }

    /**
     * A builder of clients whose calls are guarded: so the SDK's client closes it, and gives it the settings of its service, as Bedrock's
     * time to read.
     *
     * @param builder of a client whose calls are to be guarded
     * @param guard that decides on calls
     * @return a builder of guarded clients
     */
    public static SdkHttpClient.Builder<?> newBuilder(SdkHttpClient.Builder<?> builder, CostGuard guard) {
        return newBuilder(builder, guard, guard.http().denials());
    }

    /**
     * {@link #newBuilder(SdkHttpClient.Builder, CostGuard)} with its own way to show denials.
     *
     * @param builder of a client whose calls are to be guarded
     * @param guard that decides on calls
     * @param denials how its callers see a denial
     * @return a builder of guarded clients
     */
    public static SdkHttpClient.Builder<?> newBuilder(
            SdkHttpClient.Builder<?> builder, CostGuard guard, Denials denials) {
        return new Builder(builder, guard, denials);
    }

    private record Builder(SdkHttpClient.Builder<?> builder, CostGuard guard, Denials denials)
            implements SdkHttpClient.Builder<Builder> {
        @Override
        public SdkHttpClient buildWithDefaults(AttributeMap defaults) {
            return wrap(builder.buildWithDefaults(defaults), guard, denials);
        }
    }

    @Override
    public ExecutableHttpRequest prepareRequest(HttpExecuteRequest prepared) {
        GuardedRequest request = new GuardedRequest(prepared.httpRequest(), guard);
        Optional<HttpCall> call = request.begin();
        return call.isPresent()
                ? new Guarded(prepared, request, call.get())
                : client.prepareRequest(sent(prepared, request, null));
    }

    /** @param content in place of the request's own, if it is not null */
    private static HttpExecuteRequest sent(
            HttpExecuteRequest prepared, GuardedRequest request, @Nullable ReadContent content) {
        return HttpExecuteRequest.builder()
                .request(request.sent(content == null ? 0 : content.added()))
                .contentStreamProvider(
                        content == null ? prepared.contentStreamProvider().orElse(null) : content)
                .metricCollector(prepared.metricCollector().orElse(null))
                .build();
    }

    @Override
    public String clientName() {
        return client.clientName();
    }

    @Override
    public void close() {
        client.close();
    }

    /** A call that goes if the guard lets it. */
    private final class Guarded implements ExecutableHttpRequest {
        private final HttpExecuteRequest prepared;
        private final GuardedRequest request;
        private final HttpCall call;
        private volatile boolean aborted;
        /** Once it may go. */
        private volatile @Nullable ExecutableHttpRequest sending;

        Guarded(HttpExecuteRequest prepared, GuardedRequest request, HttpCall call) {
            this.prepared = prepared;
            this.request = request;
            this.call = call;
        }

        @Override
        public HttpExecuteResponse call() throws IOException {
            ReadContent content = prepared.contentStreamProvider().isEmpty()
                    ? null
                    : ReadContent.of(prepared.contentStreamProvider().get(), request.contentLength(), call);
            try {
                Admittance admittance = admittance();
                return admittance instanceof Admittance.Answered answered
                        ? answered(answered.answer())
                        : send(content, ((Admittance.Admitted) admittance).exchange());
            } finally {
                if (content != null) {
                    content.withdraw();
                }
            }
        }

        private Admittance admittance() throws IOException {
            try {
                return call.admit(denials, UNBOUNDED, () -> aborted);
            } catch (CancellationException e) {
                throw abortedWhileWaiting();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new InterruptedIOException("interrupted while the call waited for its turn");
            }
        }

        private HttpExecuteResponse send(@Nullable ReadContent content, Exchange exchange) throws IOException {
            HttpExecuteResponse response;
            try {
                ExecutableHttpRequest sent = client.prepareRequest(sent(prepared, request, content));
                sending = sent;
                if (aborted) {
                    throw abortedWhileWaiting();
                }
                response = sent.call();
            } catch (IOException | RuntimeException | Error e) {
                if (content == null ? GuardedRequest.neverConnected(e) : !content.wasRead()) {
                    exchange.neverSent();
                } else {
                    exchange.noAnswer();
                }
                throw e;
            }
            return metered(response, exchange);
        }

        private static HttpExecuteResponse metered(HttpExecuteResponse response, Exchange exchange) {
            GuardedRequest.told(exchange, response.httpResponse());
            if (response.responseBody().isEmpty()) {
                exchange.complete();
                return response;
            }
            AbortableBody body = new AbortableBody(response.responseBody().get(), exchange);
            return HttpExecuteResponse.builder()
                    .response(response.httpResponse())
                    .responseBody(AbortableInputStream.create(body, body))
                    .build();
        }

        private static HttpExecuteResponse answered(LocalAnswer answer) {
            return HttpExecuteResponse.builder()
                    .response(GuardedRequest.answered(answer))
                    .responseBody(AbortableInputStream.create(new ByteArrayInputStream(answer.body())))
                    .build();
        }

        private static IOException abortedWhileWaiting() {
            return new IOException("the call was aborted before it was sent");
        }

        @Override
        public void abort() {
            aborted = true;
            ExecutableHttpRequest sent = sending;
            if (sent != null) {
                sent.abort();
            }
        }
    }
}
