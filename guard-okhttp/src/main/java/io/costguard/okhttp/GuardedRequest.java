package io.costguard.okhttp;

import io.costguard.CallAttributes;
import io.costguard.CostGuard;
import io.costguard.http.Exchange;
import io.costguard.http.HttpCall;
import io.costguard.http.LocalAnswer;
import java.io.IOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLPeerUnverifiedException;
import okhttp3.Call;
import okhttp3.HttpUrl;
import okhttp3.Interceptor;
import okhttp3.MediaType;
import okhttp3.Protocol;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import okhttp3.ResponseBody;
import org.jspecify.annotations.Nullable;

/**
 * A request that a guard decides about: read first, then, as the guard says, sent, metered and settled, or answered in the provider's
 * place. For one thread at a time.
 */
final class GuardedRequest {
    private final CostGuard guard;
    private final Call on;
    private final Request request;
    private final HttpCall call;
    private @Nullable ReadBody body;

    /** Marks a request that a guard has let go on this call, for a second interceptor of the same guard on its way. */
    private record LetGo(CostGuard by, Call on) {}

    private GuardedRequest(CostGuard guard, Call on, Request request, HttpCall call) {
        this.guard = guard;
        this.on = on;
        this.request = request;
        this.call = call;
    }

    /**
     * Empty if this guard has let it go on this call already, or does not guard it.
     *
     * @param around what is said of the calls of the thread that made it
     */
    static Optional<GuardedRequest> of(Request request, Call on, CostGuard guard, CallAttributes around) {
        if (new LetGo(guard, on).equals(request.tag(LetGo.class))) {
            return Optional.empty();
        }
        HttpUrl url = request.url();
        return guard.http()
                .begin(
                        request.method(),
                        url.scheme(),
                        url.host(),
                        url.port(),
                        path(url),
                        Objects.requireNonNullElse(url.encodedQuery(), ""),
                        request::headers,
                        around)
                .map(call -> {
                    CallAttributes tag = request.tag(CallAttributes.class);
                    if (tag != null) {
                        call.own(tag);
                    }
                    return new GuardedRequest(guard, on, request, call);
                });
    }

    /** A request as its provider gets it, without the headers that are for the guard. */
    static Request withoutOwnHeaders(Request request, CostGuard guard) {
        return guard.http().ownHeaders().isEmpty()
                ? request
                : sent(request, guard).build();
    }

    private static Request.Builder sent(Request request, CostGuard guard) {
        Request.Builder sent = request.newBuilder();
        guard.http().ownHeaders().forEach(sent::removeHeader);
        return sent;
    }

    /** Decoded; as a URI only if need be, since making one takes a microsecond. */
    private static String path(HttpUrl url) {
        String encoded = url.encodedPath();
        return encoded.indexOf('%') < 0 ? encoded : url.uri().getPath();
    }

    /** Reads the body, after which the guard can be asked. */
    HttpCall read() throws IOException {
        RequestBody unread = request.body();
        body = unread == null ? null : ReadBody.of(unread, call);
        return call;
    }

    /** Sends what was let go; the exchange ends with the body of the response, or here. */
    Response send(Interceptor.Chain chain, Exchange exchange) throws IOException {
        if (on.isCanceled()) {
            exchange.neverSent();
            throw new IOException("Canceled");
        }
        ReadBody sent = body;
        Response response;
        try {
            response = chain.proceed(sent(request, guard)
                    .method(request.method(), sent)
                    .tag(LetGo.class, new LetGo(guard, on))
                    .build());
        } catch (IOException | RuntimeException | Error e) {
            if (sent == null ? neverConnected(e) : !sent.wasWritten()) {
                exchange.neverSent();
            } else {
                exchange.noAnswer();
            }
            throw e;
        }
        if (response.networkResponse() == null) {
            exchange.neverSent();
            return response;
        }
        return metered(response, exchange);
    }

    /** Of a call without a body: whether no attempt of it made a connection. */
    private static boolean neverConnected(Throwable failure) {
        return isBeforeSending(failure)
                && Arrays.stream(failure.getSuppressed()).allMatch(GuardedRequest::isBeforeSending);
    }

    private static boolean isBeforeSending(Throwable failure) {
        return failure instanceof ConnectException
                || failure instanceof UnknownHostException
                || failure instanceof NoRouteToHostException
                || failure instanceof SSLHandshakeException
                || failure instanceof SSLPeerUnverifiedException;
    }

    private Response metered(Response response, Exchange exchange) {
        exchange.answered(response.code(), name -> Optional.ofNullable(response.header(name)));
        Response.Builder metered = response.newBuilder().request(request);
        ResponseBody answer = response.body();
        if (answer == null) {
            exchange.complete();
        } else {
            metered.body(new MeteredBody(answer, exchange));
        }
        return metered.build();
    }

    /** The guard's own answer, to a call that is not sent. */
    Response answered(LocalAnswer answer) {
        Response.Builder response = new Response.Builder()
                .request(request)
                .protocol(Protocol.HTTP_1_1)
                .code(answer.status())
                .message(message(answer.status()))
                .body(ResponseBody.create(answer.body(), MediaType.get("application/json")))
                .sentRequestAtMillis(System.currentTimeMillis())
                .receivedResponseAtMillis(System.currentTimeMillis());
        answer.headers().forEach(response::header);
        return response.build();
    }

    private static String message(int status) {
        return switch (status) {
            case 429 -> "Too Many Requests";
            case 402 -> "Payment Required";
            default -> "Service Unavailable";
        };
    }
}
