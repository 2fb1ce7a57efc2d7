package io.costguard.examples.sdk.openai;

import com.openai.client.OpenAIClient;
import com.openai.client.okhttp.OpenAIOkHttpClient;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.Limit;
import io.costguard.okhttp.CostGuardInterceptor;
import java.util.Map;

/** One question, by OpenAI's SDK, that costs no more than a budget has left. */
public final class OpenAiProgram {
    private OpenAiProgram() {}

    public static void main(String[] args) {
        System.out.println(run(System.getenv()));
    }

    static String run(Map<String, String> environment) {
        try (CostGuard guard = CostGuard.builder()
                .redis(environment.getOrDefault("REDIS_URL", "redis://localhost:6379"))
                .budget(Budget.named("money").limit(Limit.usd("25.00").perDay()))
                .build()) {
            OpenAIClient client = client(
                    environment.getOrDefault("BASE_URL", "https://api.openai.com") + "/v1",
                    environment.getOrDefault("API_KEY", ""),
                    guard);
            ChatCompletionCreateParams question = ChatCompletionCreateParams.builder()
                    .model("gpt-4o-mini")
                    .addUserMessage("Say hello.")
                    .build();
            return client.chat()
                    .completions()
                    .create(question)
                    .choices()
                    .get(0)
                    .message()
                    .content()
                    .orElse("");
        }
    }

    static OpenAIClient client(String baseUrl, String apiKey, CostGuard guard) {
        return OpenAIOkHttpClient.builder()
                .baseUrl(baseUrl)
                .apiKey(apiKey)
                .addInterceptor(new CostGuardInterceptor(guard))
                .build();
    }
}
