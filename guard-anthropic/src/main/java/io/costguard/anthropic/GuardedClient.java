package io.costguard.anthropic;

import com.anthropic.core.RequestOptions;
import com.anthropic.core.Timeout;
import com.anthropic.core.http.HttpClient;
import com.anthropic.core.http.HttpRequest;
import com.anthropic.core.http.HttpResponse;
import com.anthropic.errors.AnthropicIoException;
import io.costguard.CallAttributes;
import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.http.Admittance;
import io.costguard.http.Exchange;
import io.costguard.http.HttpCall;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.URI;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Future;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.jspecify.annotations.Nullable;

/** The SDK's HTTP client, guarded. */
final class GuardedClient implements HttpClient {
    private final HttpClient client;
    private final CostGuard guard;
    private final Denials denials;

    GuardedClient(HttpClient client, CostGuard guard, Denials denials) {
        this.client = client;
        this.guard = guard;
        this.denials = denials;
    }

    boolean isGuardedBy(CostGuard other) {
        return guard == other;
    }

    @Override
    public HttpResponse execute(HttpRequest request, RequestOptions options) {
        Optional<HttpCall> begun = begin(request);
        if (begun.isEmpty()) {
            return client.execute(withoutOwnHeaders(request), options);
        }
        HttpCall call = begun.get();
        ReadBody body = body(request, call);
        Admittance admittance;
        try {
            admittance = call.admit(denials, longestWait(options), () -> false);
        } catch (IOException e) {
            throw failed(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw failed(new InterruptedIOException("interrupted while the call waited for its turn"));
        }
        if (admittance instanceof Admittance.Answered answered) {
            return new LocalResponse(answered.answer());
        }
        Exchange exchange = ((Admittance.Admitted) admittance).exchange();
        if (Thread.currentThread().isInterrupted()) {
            exchange.neverSent();
            throw failed(new InterruptedIOException("interrupted before the call was sent"));
        }
        HttpResponse response;
        try {
            response = client.execute(sent(request, body), options);
        } catch (RuntimeException | Error e) {
            ended(exchange, body, e);
            throw e;
        }
        return metered(response, exchange);
    }

    /** What another interceptor made of a response may fail to show it. */
    private static HttpResponse metered(HttpResponse response, Exchange exchange) {
        try {
            return MeteredResponse.of(response, exchange);
        } catch (RuntimeException | Error e) {
            exchange.noAnswer();
            throw e;
        }
    }

    @Override
    public CompletableFuture<HttpResponse> executeAsync(HttpRequest request, RequestOptions options) {
        Optional<HttpCall> begun = begin(request);
        if (begun.isEmpty()) {
            return client.executeAsync(withoutOwnHeaders(request), options);
        }
        HttpCall call = begun.get();
        ReadBody body = body(request, call);
        CompletableFuture<HttpResponse> result = new CompletableFuture<>();
        CompletableFuture<Admittance> asked = call.admitAsync(denials, longestWait(options));
        cancelWith(result, asked);
        CompletableFuture<?> unused = asked.whenComplete((admittance, failure) -> {
            if (failure != null) {
                Throwable cause = unwrapped(failure);
                result.completeExceptionally(cause instanceof IOException io ? failed(io) : cause);
            } else if (admittance instanceof Admittance.Answered answered) {
                result.complete(new LocalResponse(answered.answer()));
            } else {
                send(request, body, options, ((Admittance.Admitted) admittance).exchange(), result);
            }
        });
        return result;
    }

    /** Sends what was let go; {@code result} is what came of it. */
    private void send(
            HttpRequest request,
            @Nullable ReadBody body,
            RequestOptions options,
            Exchange exchange,
            CompletableFuture<HttpResponse> result) {
        if (result.isDone()) {
            exchange.neverSent();
            return;
        }
        CompletableFuture<HttpResponse> sent;
        try {
            sent = client.executeAsync(sent(request, body), options);
        } catch (RuntimeException | Error e) {
            ended(exchange, body, e);
            result.completeExceptionally(e);
            return;
        }
        CompletableFuture<?> unused = sent.whenComplete((response, failure) -> {
            if (failure != null) {
                ended(exchange, body, unwrapped(failure));
                result.completeExceptionally(unwrapped(failure));
                return;
            }
            HttpResponse metered;
            try {
                metered = metered(response, exchange);
            } catch (RuntimeException | Error e) {
                result.completeExceptionally(e);
                return;
            }
            if (!result.complete(metered)) {
                metered.close();
            }
        });
        cancelWith(result, sent);
    }

    private static void cancelWith(CompletableFuture<?> result, Future<?> stage) {
        CompletableFuture<?> unused = result.whenComplete((response, failure) -> {
            if (result.isCancelled()) {
                stage.cancel(true);
            }
        });
    }

    private Optional<HttpCall> begin(HttpRequest request) {
        URI uri = URI.create(request.url());
        return guard.http()
                .begin(
                        request.method().name(),
                        Objects.requireNonNullElse(uri.getScheme(), ""),
                        Objects.requireNonNullElse(uri.getHost(), ""),
                        uri.getPort(),
                        Objects.requireNonNullElse(uri.getPath(), ""),
                        Objects.requireNonNullElse(uri.getRawQuery(), ""),
                        request.headers()::values,
                        CallAttributes.current());
    }

    private static @Nullable ReadBody body(HttpRequest request, HttpCall call) {
        return request.body().map(body -> ReadBody.of(body, call)).orElse(null);
    }

    private HttpRequest sent(HttpRequest request, @Nullable ReadBody body) {
        HttpRequest sent = withoutOwnHeaders(request);
        return body == null ? sent : sent.toBuilder().body(body).build();
    }

    /** A request as its provider gets it, without the headers that are for the guard. */
    private HttpRequest withoutOwnHeaders(HttpRequest request) {
        return guard.http().ownHeaders().isEmpty()
                ? request
                : request.toBuilder()
                        .removeAllHeaders(guard.http().ownHeaders())
                        .build();
    }

    private static Duration longestWait(RequestOptions options) {
        // Zero is no limit.
        return options.timeout()
                .map(Timeout::request)
                .filter(time -> !time.isZero())
                .orElse(Duration.ofSeconds(Long.MAX_VALUE));
    }

    /** As the SDK's own transport has it. */
    private static AnthropicIoException failed(IOException e) {
        return new AnthropicIoException("Request failed", e);
    }

    private static void ended(Exchange exchange, @Nullable ReadBody body, Throwable failure) {
        if (body == null ? neverConnected(failure) : !body.wasWritten()) {
            exchange.neverSent();
        } else {
            exchange.noAnswer();
        }
    }

    /** Of a call without a body. */
    private static boolean neverConnected(Throwable failure) {
        Throwable cause = failure instanceof AnthropicIoException ? failure.getCause() : failure;
        return cause instanceof ConnectException
                || cause instanceof UnknownHostException
                || cause instanceof NoRouteToHostException
                || cause instanceof SSLHandshakeException
                || cause instanceof SSLPeerUnverifiedException;
    }

    private static Throwable unwrapped(Throwable failure) {
        Throwable cause = failure.getCause();
        return failure instanceof CompletionException && cause != null ? unwrapped(cause) : failure;
    }

    @Override
    public void close() {
        client.close();
    }
}
