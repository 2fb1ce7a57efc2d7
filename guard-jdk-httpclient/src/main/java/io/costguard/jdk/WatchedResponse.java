package io.costguard.jdk;

import io.costguard.http.Exchange;
import java.io.FilterInputStream;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Optional;
import javax.net.ssl.SSLSession;

/**
 * A response whose body is a stream, which is watched: an open connection holds on to the stream that {@code BodyHandlers.ofInputStream()}
 * gives, so that only by a stream around it can be seen that its caller has forgotten it.
 */
record WatchedResponse<T>(HttpResponse<T> response, T body) implements HttpResponse<T> {

    /** {@code response}, watched if need be. */
    @SuppressWarnings(
            "unchecked") // the stream's class is not public, so that T is InputStream, or what every InputStream is
    static <T> HttpResponse<T> of(HttpResponse<T> response, Exchange exchange) {
        T body = response.body();
        if (body instanceof InputStream stream && body.getClass().getName().startsWith("jdk.internal.net.http.")) {
            InputStream around = new FilterInputStream(stream) {};
            exchange.endsAtTheLatestWith(around);
            return new WatchedResponse<>(response, (T) around);
        }
        return response;
    }

    @Override
    public int statusCode() {
        return response.statusCode();
    }

    @Override
    public HttpRequest request() {
        return response.request();
    }

    @Override
    public Optional<HttpResponse<T>> previousResponse() {
        return response.previousResponse();
    }

    @Override
    public HttpHeaders headers() {
        return response.headers();
    }

    @Override
    public Optional<SSLSession> sslSession() {
        return response.sslSession();
    }

    @Override
    public URI uri() {
        return response.uri();
    }

    @Override
    public HttpClient.Version version() {
        return response.version();
    }

    @Override
    public String toString() {
        return response.toString();
    }
}
