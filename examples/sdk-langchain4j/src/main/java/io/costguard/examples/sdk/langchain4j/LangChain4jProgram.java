package io.costguard.examples.sdk.langchain4j;

import dev.langchain4j.http.client.HttpClientBuilder;
import dev.langchain4j.http.client.jdk.JdkHttpClientBuilder;
import dev.langchain4j.model.openai.OpenAiChatModel;
import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.Limit;
import io.costguard.jdk.GuardedHttpClient;
import java.util.Map;

/** One question, by LangChain4j, that costs no more than a budget has left. */
public final class LangChain4jProgram {
    private LangChain4jProgram() {}

    public static void main(String[] args) {
        System.out.println(run(System.getenv()));
    }

    static String run(Map<String, String> environment) {
        try (CostGuard guard = CostGuard.builder()
                .redis(environment.getOrDefault("REDIS_URL", "redis://localhost:6379"))
                .budget(Budget.named("money").limit(Limit.usd("25.00").perDay()))
                .build()) {
            OpenAiChatModel model = OpenAiChatModel.builder()
                    .httpClientBuilder(http(guard))
                    .baseUrl(environment.getOrDefault("BASE_URL", "https://api.openai.com") + "/v1")
                    .apiKey(environment.getOrDefault("API_KEY", ""))
                    .modelName("gpt-4o-mini")
                    .build();
            return model.chat("Say hello.");
        }
    }

    static HttpClientBuilder http(CostGuard guard) {
        return new JdkHttpClientBuilder().httpClientBuilder(GuardedHttpClient.newBuilder(guard));
    }
}
