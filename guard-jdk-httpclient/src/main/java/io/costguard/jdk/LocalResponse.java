package io.costguard.jdk;

import io.costguard.http.LocalAnswer;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
import java.util.concurrent.atomic.AtomicBoolean;
import javax.net.ssl.SSLSession;

/** An answer of the guard's own, as a response whose body went through the user's handler. */
record LocalResponse<T>(int statusCode, HttpRequest request, HttpHeaders headers, T body) implements HttpResponse<T> {

    static <T> CompletableFuture<HttpResponse<T>> of(HttpRequest request, LocalAnswer answer, BodyHandler<T> handler) {
        Map<String, List<String>> values = new TreeMap<>();
        answer.headers().forEach((name, value) -> values.put(name, List.of(value)));
        HttpHeaders headers = HttpHeaders.of(values, (name, value) -> true);
        BodySubscriber<T> subscriber = handler.apply(new Info(answer.status(), headers));
        ByteBuffer body = ByteBuffer.wrap(answer.body()).asReadOnlyBuffer();
        AtomicBoolean over = new AtomicBoolean();
        subscriber.onSubscribe(new Flow.Subscription() {
            @Override
            public void request(long n) {
                if (over.compareAndSet(false, true)) {
                    subscriber.onNext(List.of(body));
                    subscriber.onComplete();
                }
            }

            @Override
            public void cancel() {
                over.set(true);
            }
        });
        return subscriber
                .getBody()
                .toCompletableFuture()
                .thenApply(read -> new LocalResponse<>(answer.status(), request, headers, read));
    }

    private record Info(int statusCode, HttpHeaders headers) implements ResponseInfo {
        @Override
        public HttpClient.Version version() {
            return HttpClient.Version.HTTP_1_1;
        }
    }

    @Override
    public Optional<HttpResponse<T>> previousResponse() {
        return Optional.empty();
    }

    @Override
    public Optional<SSLSession> sslSession() {
        return Optional.empty();
    }

    @Override
    public URI uri() {
        return request.uri();
    }

    @Override
    public HttpClient.Version version() {
        return HttpClient.Version.HTTP_1_1;
    }
}
