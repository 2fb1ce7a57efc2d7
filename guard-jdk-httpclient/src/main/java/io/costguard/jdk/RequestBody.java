package io.costguard.jdk;

import io.costguard.http.HttpCall;
import io.costguard.http.ReadBody;
import io.costguard.http.StagedFuture;
import java.net.http.HttpRequest.BodyPublisher;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;

/**
 * A request body that a call has read, and that can be sent all the same.
 *
 * @param contentLength negative if it is unknown
 */
record RequestBody(ReadBody body, long contentLength) implements BodyPublisher {

    /** Fails as the body's publisher does. */
    static CompletableFuture<RequestBody> read(BodyPublisher body, HttpCall call) {
        long length = body.contentLength();
        StagedFuture<RequestBody> result = new StagedFuture<>();
        result.follow(
                ReadBody.of(body, call),
                read -> result.complete(new RequestBody(read, length < 0 ? length : length + read.added())));
        return result;
    }

    @Override
    public void subscribe(Flow.Subscriber<? super ByteBuffer> subscriber) {
        body.subscribe(subscriber);
    }
}
