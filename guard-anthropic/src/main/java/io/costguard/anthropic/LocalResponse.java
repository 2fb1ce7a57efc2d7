package io.costguard.anthropic;

import com.anthropic.core.http.Headers;
import com.anthropic.core.http.HttpResponse;
import io.costguard.http.LocalAnswer;
import java.io.ByteArrayInputStream;
import java.io.InputStream;

/** The guard's own answer, to a call that is not sent. */
final class LocalResponse implements HttpResponse {
    private final int status;
    private final Headers headers;
    private final InputStream body;

    LocalResponse(LocalAnswer answer) {
        Headers.Builder named = Headers.builder();
        answer.headers().forEach(named::put);
        this.status = answer.status();
        this.headers = named.build();
        this.body = new ByteArrayInputStream(answer.body());
    }

    @Override
    public int statusCode() {
        return status;
    }

    @Override
    public Headers headers() {
        return headers;
    }

    @Override
    public InputStream body() {
        return body;
    }

    @Override
    public void close() {}
}
