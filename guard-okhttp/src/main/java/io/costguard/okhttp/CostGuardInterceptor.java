package io.costguard.okhttp;

import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.http.Admittance;
import io.costguard.http.Exchange;
import io.costguard.http.HttpCall;
import io.costguard.http.LocalAnswer;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.CancellationException;
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

/**
 * Guards the calls of an {@code OkHttpClient}, on OkHttp 4.12 and 5. Added with {@code addInterceptor}, so that what the client repeats
 * by itself (a stale connection, a redirect) is one call.
 *
 * <pre>{@code
 * OkHttpClient client = new OkHttpClient.Builder()
 *     .addInterceptor(new CostGuardInterceptor(guard))
 *     .build();
 * }</pre>
 *
 * <p>Safe for use by many threads. Bodies pass as they are; a one-shot request body is read into memory once, up to
 * {@link HttpCall#MOST_READ}; a duplex body is not read, and its call is guarded by an estimate alone.
 */
public final class CostGuardInterceptor implements Interceptor {
    private final CostGuard guard;
    private final Denials denials;

    /** Marks a request that a guard has let go on this call, for a second interceptor of the same guard on its way. */
    private record Guarded(CostGuard by, Call on) {}

    public CostGuardInterceptor(CostGuard guard) {
        this(guard, guard.http().denials());
    }

    /** With its own way to show denials. */
    public CostGuardInterceptor(CostGuard guard, Denials denials) {
        this.guard = guard;
        this.denials = denials;
    }

    @Override
    public Response intercept(Chain chain) throws IOException {
        Request request = chain.request();
        Guarded mark = new Guarded(guard, chain.call());
        Optional<HttpCall> begun = mark.equals(request.tag(Guarded.class))
                ? Optional.empty()
                : guard.http()
                        .begin(
                                request.method(),
                                request.url().host(),
                                path(request.url()),
                                name -> Optional.ofNullable(request.header(name)));
        if (begun.isEmpty()) {
            return chain.proceed(request);
        }
        HttpCall call = begun.get();
        RequestBody body = request.body();
        ReadBody read = body == null ? null : ReadBody.of(body, call);

        Admittance admittance = admitted(call, chain.call());
        if (admittance instanceof Admittance.Answered answered) {
            return response(request, answered.answer());
        }
        Exchange exchange = ((Admittance.Admitted) admittance).exchange();

        if (chain.call().isCanceled()) {
            exchange.neverSent();
            throw new IOException("Canceled");
        }
        Response response;
        try {
            response = chain.proceed(request.newBuilder()
                    .method(request.method(), read)
                    .tag(Guarded.class, mark)
                    .build());
        } catch (IOException | RuntimeException | Error e) {
            if (read == null ? neverConnected(e) : !read.wasWritten()) {
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
        return metered(response.newBuilder().request(request), response, exchange);
    }

    /** For no longer than the call itself may take. */
    private Admittance admitted(HttpCall call, Call by) throws IOException {
        long nanos = by.timeout().timeoutNanos();
        try {
            return call.admit(denials, Duration.ofNanos(nanos == 0 ? Long.MAX_VALUE : nanos), by::isCanceled);
        } catch (CancellationException e) {
            throw new IOException("Canceled", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while the call waited for its turn");
        }
    }

    /** Decoded; as a URI only if need be, since making one takes a microsecond. */
    private static String path(HttpUrl url) {
        String encoded = url.encodedPath();
        return encoded.indexOf('%') < 0 ? encoded : url.uri().getPath();
    }

    /** Of a call without a body: whether no attempt of it made a connection. */
    private static boolean neverConnected(Throwable failure) {
        return isBeforeSending(failure)
                && Arrays.stream(failure.getSuppressed()).allMatch(CostGuardInterceptor::isBeforeSending);
    }

    private static boolean isBeforeSending(Throwable failure) {
        return failure instanceof ConnectException
                || failure instanceof UnknownHostException
                || failure instanceof NoRouteToHostException
                || failure instanceof SSLHandshakeException
                || failure instanceof SSLPeerUnverifiedException;
    }

    private static Response metered(Response.Builder metered, Response response, Exchange exchange) {
        exchange.answered(response.code(), name -> Optional.ofNullable(response.header(name)));
        ResponseBody body = response.body();
        if (body == null) {
            exchange.complete();
        } else {
            metered.body(new MeteredBody(body, exchange));
        }
        return metered.build();
    }

    private static Response response(Request request, LocalAnswer answer) {
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
