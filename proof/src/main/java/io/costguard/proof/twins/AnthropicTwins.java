package io.costguard.proof.twins;

import com.anthropic.backends.AnthropicBackend;
import com.anthropic.client.okhttp.OkHttpClient;
import com.anthropic.core.RequestOptions;
import com.anthropic.core.Timeout;
import com.anthropic.core.http.HttpClient;
import com.anthropic.core.http.HttpMethod;
import com.anthropic.core.http.HttpRequest;
import com.anthropic.core.http.HttpRequestBody;
import com.anthropic.core.http.HttpResponse;
import com.anthropic.errors.AnthropicIoException;
import io.costguard.CostGuard;
import io.costguard.anthropic.CostGuardInterceptor;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;

/** As Anthropic's SDK sends, below what makes requests and reads answers. */
final class AnthropicTwins extends Twins<HttpClient> {
    private final boolean isAsync;

    AnthropicTwins(CostGuard guard, boolean isAsync) {
        super(
                "Anthropic's SDK" + (isAsync ? ", asynchronous" : ""),
                client(),
                new CostGuardInterceptor(guard).intercept(client()),
                HttpClient::close);
        this.isAsync = isAsync;
    }

    private static HttpClient client() {
        return OkHttpClient.builder()
                .backend(AnthropicBackend.builder().build())
                .timeout(Timeout.builder().request(PATIENCE).build())
                // A connection that an answer with a damaged head left open is taken again by no other call.
                .maxIdleConnections(0)
                .keepAliveDuration(Duration.ofSeconds(1))
                .dispatcherExecutorService(threads())
                .build();
    }

    @Override
    void send(HttpClient client, Sent sent, Seen seen) throws InterruptedException, ExecutionException {
        HttpRequest.Builder request = HttpRequest.builder()
                .method(HttpMethod.POST)
                .baseUrl(sent.uri().toString())
                .body(new Body(sent.body()));
        sent.headers().forEach(request::putHeader);
        read(
                isAsync
                        ? client.executeAsync(request.build(), RequestOptions.none())
                                .get()
                        : client.execute(request.build(), RequestOptions.none()),
                seen);
    }

    private static void read(HttpResponse response, Seen seen) {
        try (response) {
            Map<String, List<String>> headers = new TreeMap<>();
            response.headers()
                    .names()
                    .forEach(name -> headers.put(name, response.headers().values(name)));
            seen.head(response.statusCode(), headers);
            seen.body(response.body());
        }
    }

    private record Body(byte[] bytes) implements HttpRequestBody {
        @Override
        public void writeTo(OutputStream out) {
            try {
                out.write(bytes);
            } catch (IOException e) {
                throw new AnthropicIoException("Request failed", e);
            }
        }

        @Override
        public @Nullable String contentType() {
            return null;
        }

        @Override
        public long contentLength() {
            return bytes.length;
        }

        @Override
        public boolean repeatable() {
            return true;
        }

        @Override
        public void close() {}
    }
}
