package io.costguard.examples.sdk.simpleopenai;

import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.Limit;
import io.costguard.jdk.GuardedHttpClient;
import io.github.sashirestela.openai.SimpleOpenAI;
import io.github.sashirestela.openai.domain.chat.ChatMessage.UserMessage;
import io.github.sashirestela.openai.domain.chat.ChatRequest;
import java.net.http.HttpClient;
import java.util.Map;

/** One question, by simple-openai, that costs no more than a budget has left. */
public final class SimpleOpenAiProgram {
    private SimpleOpenAiProgram() {}

    public static void main(String[] args) {
        System.out.println(run(System.getenv()));
    }

    static String run(Map<String, String> environment) {
        try (CostGuard guard = CostGuard.builder()
                .redis(environment.getOrDefault("REDIS_URL", "redis://localhost:6379"))
                .budget(Budget.named("money").limit(Limit.usd("25.00").perDay()))
                .build()) {
            SimpleOpenAI client = client(
                    environment.getOrDefault("BASE_URL", "https://api.openai.com"),
                    environment.getOrDefault("API_KEY", ""),
                    guard);
            return client.chatCompletions()
                    .create(question("gpt-4o-mini"))
                    .join()
                    .firstContent();
        }
    }

    static SimpleOpenAI client(String baseUrl, String apiKey, CostGuard guard) {
        return SimpleOpenAI.builder()
                .baseUrl(baseUrl)
                .apiKey(apiKey)
                .httpClient(GuardedHttpClient.wrap(HttpClient.newHttpClient(), guard))
                .build();
    }

    static ChatRequest question(String model) {
        return ChatRequest.builder()
                .model(model)
                .message(UserMessage.of("Say hello."))
                .build();
    }
}
