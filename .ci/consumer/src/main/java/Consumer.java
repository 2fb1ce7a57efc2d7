import com.sun.net.httpserver.HttpServer;
import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.Limit;
import io.costguard.jdk.GuardedHttpClient;
import io.costguard.testing.RedisForTests;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Makes two calls under a budget that has room for one, and ends with 0 if that is what came of it. */
public class Consumer {

    public static void main(String[] args) throws Exception {
        HttpServer provider = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        byte[] answer = """
                {"model": "gpt-4o", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}}
                """.getBytes(StandardCharsets.UTF_8);
        provider.createContext("/v1/chat/completions", exchange -> {
            exchange.getRequestBody().readAllBytes();
            exchange.sendResponseHeaders(200, answer.length);
            exchange.getResponseBody().write(answer);
            exchange.close();
        });
        provider.start();
        HttpRequest request = HttpRequest.newBuilder(
                        URI.create("http://127.0.0.1:" + provider.getAddress().getPort() + "/v1/chat/completions"))
                .header("Authorization", "Bearer a-key")
                .POST(HttpRequest.BodyPublishers.ofString(
                        "{\"model\": \"gpt-4o\", \"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}]}"))
                .build();

        RedisForTests redis = RedisForTests.shared();
        List<Integer> statuses = new ArrayList<>();
        try (CostGuard guard = CostGuard.builder()
                .redis(redis.url())
                .keyPrefix(redis.keyPrefix())
                .budget(Budget.named("rate").limit(Limit.requests(1).perHour()))
                .build()) {
            HttpClient client = GuardedHttpClient.wrap(HttpClient.newHttpClient(), guard);
            for (int i = 0; i < 2; i++) {
                statuses.add(client.send(request, BodyHandlers.ofString()).statusCode());
            }
        }
        provider.stop(0);
        System.out.println("answered with " + statuses);
        System.exit(statuses.equals(List.of(200, 402)) ? 0 : 1);
    }
}
