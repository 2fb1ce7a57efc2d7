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

final class JdkTwins extends Twins<HttpClient> {
    private final boolean isAsync;

    JdkTwins(CostGuard guard, boolean isAsync) {
        super(
                "GuardedHttpClient" + (isAsync ? ", asynchronous" : ""),
                client(),
                GuardedHttpClient.wrap(client(), guard),
                each -> {
                    // Clients of Java 17 end when nobody refers to them any more.
                });
        this.isAsync = isAsync;
    }

    private static HttpClient client() {
        return HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    }

    @Override
    void send(HttpClient client, Sent sent, Seen seen) throws IOException, InterruptedException, ExecutionException {
        HttpRequest.Builder request = HttpRequest.newBuilder(sent.uri())
                .timeout(PATIENCE)
                .POST(HttpRequest.BodyPublishers.ofByteArray(sent.body()));
        sent.headers().forEach(request::header);
        if (isAsync) {
            client.sendAsync(request.build(), keeping(seen)).get();
        } else {
            client.send(request.build(), keeping(seen));
        }
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
}
