package io.costguard.examples.sdk.anthropic;

import com.anthropic.client.AnthropicClient;
import com.anthropic.client.okhttp.AnthropicOkHttpClient;
import com.anthropic.models.messages.MessageCreateParams;
import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.Limit;
import io.costguard.anthropic.CostGuardInterceptor;
import java.util.Map;

/** One question, by Anthropic's SDK, that costs no more than a budget has left. */
public final class AnthropicProgram {
    private AnthropicProgram() {}

    public static void main(String[] args) {
        System.out.println(run(System.getenv()));
    }

    static String run(Map<String, String> environment) {
        try (CostGuard guard = CostGuard.builder()
                .redis(environment.getOrDefault("REDIS_URL", "redis://localhost:6379"))
                .budget(Budget.named("money").limit(Limit.usd("25.00").perDay()))
                .build()) {
            AnthropicClient client = client(
                    environment.getOrDefault("BASE_URL", "https://api.anthropic.com"),
                    environment.getOrDefault("API_KEY", ""),
                    guard);
            MessageCreateParams question = MessageCreateParams.builder()
                    .model("claude-sonnet-4-5")
                    .maxTokens(1_000)
                    .addUserMessage("Say hello.")
                    .build();
            return client.messages().create(question).content().get(0).asText().text();
        }
    }

    static AnthropicClient client(String baseUrl, String apiKey, CostGuard guard) {
        return AnthropicOkHttpClient.builder()
                .baseUrl(baseUrl)
                .apiKey(apiKey)
                .addInterceptor(new CostGuardInterceptor(guard))
                .build();
    }
}
