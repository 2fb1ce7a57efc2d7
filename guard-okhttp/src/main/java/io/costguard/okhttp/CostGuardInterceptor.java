package io.costguard.okhttp;

import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.http.Admittance;
import io.costguard.http.Exchange;
import io.costguard.http.HttpCall;
import io.costguard.http.LocalAnswer;
import java.io.IOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.UnknownHostException;
import java.util.Optional;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLPeerUnverifiedException;
import okhttp3.Call;
import okhttp3.Interceptor;
import okhttp3.MediaType;
import okhttp3.Protocol;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import okhttp3.ResponseBody;
import okio.Buffer;
import okio.BufferedSink;
import okio.ForwardingSink;
import okio.Okio;

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
                                request.url().uri(),
                                name -> Optional.ofNullable(request.header(name)));
        if (begun.isEmpty()) {
            return chain.proceed(request);
        }
        HttpCall call = begun.get();
        Request readable = call.readsBody() ? read(request, call) : request;

        Admittance admittance = call.admit(denials);
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
            response =
                    chain.proceed(readable.newBuilder().tag(Guarded.class, mark).build());
        } catch (IOException e) {
            ended(exchange, e);
            throw e;
        } catch (RuntimeException | Error e) {
            exchange.noAnswer();
            throw e;
        }
        if (response.networkResponse() == null) {
            exchange.neverSent();
            return response;
        }
        return metered(response.newBuilder().request(request).build(), exchange);
    }

    /** The request with a body that can be sent after it was read. */
    private static Request read(Request request, HttpCall call) throws IOException {
        RequestBody body = request.body();
        if (body == null) {
            return request;
        }
        long length = body.contentLength();
        if (body.isDuplex() || length > HttpCall.MOST_READ || (body.isOneShot() && length < 0)) {
            call.unreadBody(Math.max(0, length));
            return request;
        }
        CappedSink sink = new CappedSink(HttpCall.MOST_READ);
        try {
            sink.fill(body);
        } catch (CappedSink.FullException e) {
            call.unreadBody(HttpCall.MOST_READ);
            return request;
        }
        byte[] bytes = sink.bytes();
        call.body(bytes);
        if (!body.isOneShot()) {
            return request;
        }
        return request.newBuilder()
                .method(request.method(), RequestBody.create(bytes, body.contentType()))
                .build();
    }

    /** Says whether a call that failed can have reached the provider: only if no attempt of it made a connection. */
    private static void ended(Exchange exchange, IOException failure) {
        boolean neverConnected = isBeforeSending(failure);
        for (Throwable earlier : failure.getSuppressed()) {
            neverConnected &= isBeforeSending(earlier);
        }
        if (neverConnected) {
            exchange.neverSent();
        } else {
            exchange.noAnswer();
        }
    }

    private static boolean isBeforeSending(Throwable failure) {
        return failure instanceof ConnectException
                || failure instanceof UnknownHostException
                || failure instanceof NoRouteToHostException
                || failure instanceof SSLHandshakeException
                || failure instanceof SSLPeerUnverifiedException;
    }

    private static Response metered(Response response, Exchange exchange) {
        exchange.answered(response.code(), name -> Optional.ofNullable(response.header(name)));
        ResponseBody body = response.body();
        if (body == null) {
            exchange.complete();
            return response;
        }
        return response.newBuilder().body(new MeteredBody(body, exchange)).build();
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

    /** Takes a request body into memory, as long as it is not too long. */
    private static final class CappedSink extends ForwardingSink {
        private final Buffer buffer;
        private final long most;

        /** Ends the writing of a body that is too long. */
        private static final class FullException extends IOException {
            private static final long serialVersionUID = 1L;
        }

        CappedSink(long most) {
            this(new Buffer(), most);
        }

        private CappedSink(Buffer buffer, long most) {
            super(buffer);
            this.buffer = buffer;
            this.most = most;
        }

        void fill(RequestBody body) throws IOException {
            BufferedSink sink = Okio.buffer(this);
            body.writeTo(sink);
            sink.flush();
        }

        @Override
        public void write(Buffer source, long byteCount) throws IOException {
            if (buffer.size() + byteCount > most) {
                throw new FullException();
            }
            super.write(source, byteCount);
        }

        byte[] bytes() {
            return buffer.readByteArray();
        }
    }
}
