package io.costguard.jdk;

import io.costguard.CallAttributes;
import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.http.Admittance;
import io.costguard.http.Exchange;
import io.costguard.http.HttpCall;
import io.costguard.http.StagedFuture;
import java.io.IOException;
import java.net.Authenticator;
import java.net.ConnectException;
import java.net.CookieHandler;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.PushPromiseHandler;
import java.net.http.WebSocket;
import java.time.Duration;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLParameters;
import org.jspecify.annotations.Nullable;

/**
 * An {@link HttpClient} that guards the calls of another: call sites do not change.
 *
 * <pre>{@code
 * HttpClient client = GuardedHttpClient.wrap(HttpClient.newHttpClient(), guard);
 * HttpClient.Builder builder = GuardedHttpClient.newBuilder(guard);   // for libraries that take a builder
 * }</pre>
 *
 * <p>Safe for use by many threads. Bodies pass as they are, but for what {@link CostGuard.Builder#streamUsage()} puts into a request; a
 * request body is subscribed to once, and read into memory up to {@link HttpCall#MOST_READ}. {@code sendAsync} never throws a denial, and
 * holds no thread; cancelling its future cancels whatever the call is at. WebSockets are not guarded. A client is closed by closing this
 * one, on Java 21 and newer. Headers that say attributes of calls ({@link CostGuard.Builder#attributes}) are not sent; what is said of the
 * thread ({@link CostGuard#with}) is told where {@code send} or {@code sendAsync} is called.
 *
 * <p>A call is settled when its body has ended, was cut, or was cancelled. Close a body that is an {@code InputStream} or a
 * {@code Stream}: one that is forgotten is settled, and reported, once the garbage collector finds it; with the place of its call, if that is among
 * the first or one in many later, or if another was forgotten before.
 */
public final class GuardedHttpClient extends HttpClient {
    private final HttpClient client;
    private final CostGuard guard;
    private final Denials denials;

    private GuardedHttpClient(HttpClient client, CostGuard guard, Denials denials) {
        this.client = client;
        this.guard = guard;
        this.denials = denials;
    }

    /**
     * A client that guards the calls of {@code client}; {@code client} itself, if this guard guards it already.
     *
     * @param client any of Jedis
     * @param guard whom it asks
     * @return the client that asks first
     */
    public static HttpClient wrap(HttpClient client, CostGuard guard) {
        return wrap(client, guard, guard.http().denials());
    }

    /**
     * {@link #wrap(HttpClient, CostGuard)} with its own way to show denials.
     *
     * @param client any of Jedis
     * @param guard whom it asks
     * @param denials how they are shown
     * @return the client that asks first
     */
    public static HttpClient wrap(HttpClient client, CostGuard guard, Denials denials) {
        if (client instanceof GuardedHttpClient guarded && guarded.guard == guard) {
            return client;
        }
        return new GuardedHttpClient(client, guard, denials);
    }

    /**
     * A builder of clients whose calls are guarded.
     *
     * @param guard whom it asks
     * @return a builder of a client that asks first
     */
    public static HttpClient.Builder newBuilder(CostGuard guard) {
        return newBuilder(guard, guard.http().denials());
    }

    /**
     * {@link #newBuilder(CostGuard)} with its own way to show denials.
     *
     * @param guard whom it asks
     * @param denials how they are shown
     * @return a builder of a client that asks first
     */
    public static HttpClient.Builder newBuilder(CostGuard guard, Denials denials) {
        return new GuardedBuilder(HttpClient.newBuilder(), guard, denials);
    }

    // ------------------------------------------------------------------------------------------------------ sending

    @Override
    public <T> HttpResponse<T> send(HttpRequest request, BodyHandler<T> handler)
            throws IOException, InterruptedException {
        Optional<HttpCall> begun = begin(request);
        if (begun.isEmpty()) {
            return client.send(withoutOwnHeaders(request), handler);
        }
        HttpRequest readable = await(read(request, begun.get()));
        Admittance admittance = begun.get().admit(denials, longestWait(request), () -> false);
        if (admittance instanceof Admittance.Answered answered) {
            return await(LocalResponse.of(request, answered.answer(), handler));
        }
        Exchange exchange = ((Admittance.Admitted) admittance).exchange();
        try {
            return WatchedResponse.of(client.send(readable, new MeteredBody.Handler<>(handler, exchange)), exchange);
        } catch (IOException | InterruptedException | RuntimeException | Error e) {
            failed(exchange, readable, e);
            throw e;
        }
    }

    private static Duration longestWait(HttpRequest request) {
        return request.timeout().orElse(Duration.ofSeconds(Long.MAX_VALUE));
    }

    @Override
    public <T> CompletableFuture<HttpResponse<T>> sendAsync(HttpRequest request, BodyHandler<T> handler) {
        return guarded(request, handler, client::sendAsync);
    }

    @Override
    public <T> CompletableFuture<HttpResponse<T>> sendAsync(
            HttpRequest request, BodyHandler<T> handler, @Nullable PushPromiseHandler<T> pushes) {
        return guarded(request, handler, (readable, metered) -> client.sendAsync(readable, metered, pushes));
    }

    /** The way in which a call that may go is sent. */
    private interface Sending<T> {
        CompletableFuture<HttpResponse<T>> send(HttpRequest request, BodyHandler<T> handler);
    }

    private <T> CompletableFuture<HttpResponse<T>> guarded(
            HttpRequest request, BodyHandler<T> handler, Sending<T> sending) {
        Optional<HttpCall> begun = begin(request);
        if (begun.isEmpty()) {
            return sending.send(withoutOwnHeaders(request), handler);
        }
        HttpCall call = begun.get();
        StagedFuture<HttpResponse<T>> result = new StagedFuture<>();
        result.follow(
                read(request, call),
                readable -> result.follow(call.admitAsync(denials, longestWait(request)), admittance -> {
                    if (admittance instanceof Admittance.Answered answered) {
                        withdraw(readable);
                        result.follow(LocalResponse.of(request, answered.answer(), handler), result::complete);
                        return;
                    }
                    Exchange exchange = ((Admittance.Admitted) admittance).exchange();
                    if (result.isDone()) {
                        withdraw(readable);
                        exchange.neverSent();
                        return;
                    }
                    MeteredBody.Handler<T> metered = new MeteredBody.Handler<>(handler, exchange);
                    CompletableFuture<HttpResponse<T>> sent;
                    try {
                        sent = sending.send(readable, metered);
                    } catch (RuntimeException e) {
                        exchange.neverSent();
                        throw e;
                    }
                    CompletableFuture<?> unused = sent.whenComplete((response, failure) -> {
                        if (failure != null) {
                            failed(exchange, readable, StagedFuture.unwrapped(failure));
                        }
                    });
                    result.follow(sent, response -> {
                        if (!result.complete(WatchedResponse.of(response, exchange))) {
                            metered.abandon();
                        }
                    });
                }));
        return result;
    }

    private Optional<HttpCall> begin(HttpRequest request) {
        URI uri = request.uri();
        return guard.http()
                .begin(
                        request.method(),
                        Objects.requireNonNullElse(uri.getScheme(), ""),
                        Objects.requireNonNullElse(uri.getHost(), ""),
                        uri.getPort(),
                        Objects.requireNonNullElse(uri.getPath(), ""),
                        Objects.requireNonNullElse(uri.getRawQuery(), ""),
                        name -> request.headers().allValues(name),
                        CallAttributes.current());
    }

    /** A request as its provider gets it, without the headers that are for the guard. */
    private HttpRequest withoutOwnHeaders(HttpRequest request) {
        Set<String> names = guard.http().ownHeaders();
        boolean hasAny = names.stream()
                .anyMatch(name -> !request.headers().allValues(name).isEmpty());
        return hasAny ? sent(request).build() : request;
    }

    private HttpRequest.Builder sent(HttpRequest request) {
        Set<String> names = guard.http().ownHeaders();
        return HttpRequest.newBuilder(request, (name, value) -> !names.contains(name.toLowerCase(Locale.ROOT)));
    }

    /** The request that is sent, with a body that can be sent after it was read. */
    private CompletableFuture<HttpRequest> read(HttpRequest request, HttpCall call) {
        Optional<HttpRequest.BodyPublisher> body = request.bodyPublisher();
        if (body.isEmpty() || !call.readsBody()) {
            return CompletableFuture.completedFuture(withoutOwnHeaders(request));
        }
        long length = body.get().contentLength();
        if (length > HttpCall.MOST_READ) {
            call.unreadBody(length);
            return CompletableFuture.completedFuture(withoutOwnHeaders(request));
        }
        StagedFuture<HttpRequest> result = new StagedFuture<>();
        result.follow(
                RequestBody.read(body.get(), call),
                read -> result.complete(
                        sent(request).method(request.method(), read).build()));
        return result;
    }

    /** Has nothing of a request's body be sent, nor waited for. */
    private static void withdraw(HttpRequest request) {
        if (request.bodyPublisher().orElse(null) instanceof RequestBody sent) {
            sent.body().withdraw();
        }
    }

    /** Says whether a call that failed can have reached the provider: not without its body, if it has one that is known. */
    private static void failed(Exchange exchange, HttpRequest request, Throwable failure) {
        boolean neverSent = request.bodyPublisher().orElse(null) instanceof RequestBody sent
                ? sent.body().withdraw()
                : failure instanceof ConnectException
                        || failure instanceof HttpConnectTimeoutException
                        || failure instanceof SSLHandshakeException;
        if (neverSent) {
            exchange.neverSent();
        } else {
            exchange.noAnswer();
        }
    }

    private static <T> T await(CompletableFuture<T> future) throws IOException, InterruptedException {
        try {
            return future.get();
        } catch (ExecutionException e) {
            Throwable cause = StagedFuture.unwrapped(e);
            if (cause instanceof IOException io) {
                throw io;
            } else if (cause instanceof Error error) {
                throw error;
            } else if (cause instanceof RuntimeException unchecked) {
                throw unchecked;
            }
            throw new IOException(cause);
        }
    }

    // ------------------------------------------------------------------------------------------- what the client is

    @Override
    public Optional<CookieHandler> cookieHandler() {
        return client.cookieHandler();
    }

    @Override
    public Optional<Duration> connectTimeout() {
        return client.connectTimeout();
    }

    @Override
    public Redirect followRedirects() {
        return client.followRedirects();
    }

    @Override
    public Optional<ProxySelector> proxy() {
        return client.proxy();
    }

    @Override
    public SSLContext sslContext() {
        return client.sslContext();
    }

    @Override
    public SSLParameters sslParameters() {
        return client.sslParameters();
    }

    @Override
    public Optional<Authenticator> authenticator() {
        return client.authenticator();
    }

    @Override
    public Version version() {
        return client.version();
    }

    @Override
    public Optional<Executor> executor() {
        return client.executor();
    }

    @Override
    public WebSocket.Builder newWebSocketBuilder() {
        return client.newWebSocketBuilder();
    }

    // Java 21 and newer; not overrides on 17.

    /** As {@code HttpClient} has it from Java 21 on. */
    public void shutdown() {
        Newer.SHUTDOWN.call(client);
    }

    /**
     * As {@code HttpClient} has it from Java 21 on.
     *
     * @param duration for how long
     * @return whether it ended in time
     * @throws InterruptedException if this thread is interrupted while it waits
     */
    public boolean awaitTermination(Duration duration) throws InterruptedException {
        return Boolean.TRUE.equals(Newer.AWAIT_TERMINATION.callInterruptibly(client, duration));
    }

    /**
     * As {@code HttpClient} has it from Java 21 on.
     *
     * @return whether it has ended
     */
    public boolean isTerminated() {
        return Boolean.TRUE.equals(Newer.IS_TERMINATED.call(client));
    }

    /** As {@code HttpClient} has it from Java 21 on. */
    public void shutdownNow() {
        Newer.SHUTDOWN_NOW.call(client);
    }

    /** As {@code HttpClient} has it from Java 21 on. */
    public void close() {
        Newer.CLOSE.call(client);
    }
}
