package io.costguard.proof.twins;

import io.costguard.CostGuard;
import io.costguard.jdk.GuardedHttpClient;
import java.io.IOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;

final class JdkTwins implements Twins {
    private final HttpClient without = client();
    private final HttpClient with;
    private final boolean isAsync;

    JdkTwins(CostGuard guard, boolean isAsync) {
        this.with = GuardedHttpClient.wrap(client(), guard);
        this.isAsync = isAsync;
    }

    private static HttpClient client() {
        return HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    }

    @Override
    public String send(Sent sent, boolean isGuarded) throws InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(sent.uri())
                .timeout(PATIENCE)
                .POST(HttpRequest.BodyPublishers.ofByteArray(sent.body()));
        sent.headers().forEach(request::header);
        HttpClient client = isGuarded ? with : without;
        Seen seen = new Seen();
        try {
            if (isAsync) {
                client.sendAsync(request.build(), keeping(seen)).get();
            } else {
                client.send(request.build(), keeping(seen));
            }
        } catch (ExecutionException e) {
            seen.failed(e.getCause());
        } catch (IOException | RuntimeException e) {
            seen.failed(e);
        }
        return seen.toString();
    }

    /** Hands on all that came before a failure, as no stream of this client does. */
    private static BodyHandler<Void> keeping(Seen seen) {
        return head -> {
            seen.head(
                    head.version() + " " + head.statusCode(),
                    new TreeMap<>(head.headers().map()));
            return BodyHandlers.ofByteArrayConsumer(piece -> piece.ifPresent(seen::body))
                    .apply(head);
        };
    }

    @Override
    public void close() {
        // Clients of Java 17 end when nobody refers to them any more.
    }

    @Override
    public String toString() {
        return "GuardedHttpClient" + (isAsync ? ", asynchronous" : "");
    }
}
