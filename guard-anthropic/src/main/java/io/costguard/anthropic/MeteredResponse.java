package io.costguard.anthropic;

import com.anthropic.core.http.Headers;
import com.anthropic.core.http.HttpResponse;
import io.costguard.http.Exchange;
import io.costguard.http.MeteredStream;
import java.io.InputStream;
import java.util.Optional;

/** A response that tells its exchange the bytes that are read, as they are read, and how the reading ended. */
final class MeteredResponse implements HttpResponse {
    private final HttpResponse response;
    private final Exchange exchange;
    private final InputStream body;

    private MeteredResponse(HttpResponse response, Exchange exchange) {
        this.response = response;
        this.exchange = exchange;
        this.body = new MeteredStream(response.body(), exchange);
    }

    static MeteredResponse of(HttpResponse response, Exchange exchange) {
        exchange.answered(
                response.statusCode(),
                name -> response.headers().values(name).stream().findFirst());
        return new MeteredResponse(response, exchange);
    }

    @Override
    public int statusCode() {
        return response.statusCode();
    }

    @Override
    public Headers headers() {
        return response.headers();
    }

    @Override
    public Optional<String> requestId() {
        return response.requestId();
    }

    @Override
    public Optional<String> workspaceId() {
        return response.workspaceId();
    }

    @Override
    public InputStream body() {
        return body;
    }

    @Override
    public void close() {
        exchange.cut();
        response.close();
    }
}
