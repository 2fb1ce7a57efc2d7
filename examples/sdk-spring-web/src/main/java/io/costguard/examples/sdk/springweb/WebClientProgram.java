package io.costguard.examples.sdk.springweb;

import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.Limit;
import io.costguard.jdk.GuardedHttpClient;
import java.net.http.HttpClient;
import java.util.Map;
import java.util.Objects;
import org.springframework.http.MediaType;
import org.springframework.http.client.reactive.JdkClientHttpConnector;
import org.springframework.web.reactive.function.client.WebClient;

/** One question, by Spring's {@code WebClient}, that costs no more than a budget has left. */
public final class WebClientProgram {
    private WebClientProgram() {}

    public static void main(String[] args) {
        System.out.println(run(System.getenv()));
    }

    static String run(Map<String, String> environment) {
        try (CostGuard guard = CostGuard.builder()
                .redis(environment.getOrDefault("REDIS_URL", "redis://localhost:6379"))
                .budget(Budget.named("money").limit(Limit.usd("25.00").perDay()))
                .build()) {
            WebClient client = client(
                    environment.getOrDefault("BASE_URL", "https://api.openai.com"),
                    environment.getOrDefault("API_KEY", ""),
                    guard);
            return Objects.requireNonNull(client.post()
                    .uri("/v1/chat/completions")
                    .contentType(MediaType.APPLICATION_JSON)
                    .bodyValue(
                            "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"user\",\"content\":\"Say hello.\"}]}")
                    .retrieve()
                    .bodyToMono(String.class)
                    .block());
        }
    }

    static WebClient client(String baseUrl, String apiKey, CostGuard guard) {
        HttpClient http = GuardedHttpClient.wrap(HttpClient.newHttpClient(), guard);
        return WebClient.builder()
                .clientConnector(new JdkClientHttpConnector(http))
                .baseUrl(baseUrl)
                .defaultHeaders(headers -> headers.setBearerAuth(apiKey))
                .build();
    }
}
