package io.costguard.examples.sdk.springai;

import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.Limit;
import io.costguard.okhttp.CostGuardInterceptor;
import java.util.Map;
import java.util.Objects;
import org.springframework.ai.chat.model.ChatModel;
import org.springframework.ai.openai.OpenAiChatModel;
import org.springframework.ai.openai.OpenAiChatOptions;

/** One question, by Spring AI, that costs no more than a budget has left. */
public final class SpringAiProgram {
    private SpringAiProgram() {}

    public static void main(String[] args) {
        System.out.println(run(System.getenv()));
    }

    static String run(Map<String, String> environment) {
        try (CostGuard guard = CostGuard.builder()
                .redis(environment.getOrDefault("REDIS_URL", "redis://localhost:6379"))
                .budget(Budget.named("money").limit(Limit.usd("25.00").perDay()))
                .build()) {
            OpenAiChatOptions options = OpenAiChatOptions.builder()
                    .baseUrl(environment.getOrDefault("BASE_URL", "https://api.openai.com") + "/v1")
                    .apiKey(environment.getOrDefault("API_KEY", ""))
                    .model("gpt-4o-mini")
                    .build();
            return Objects.toString(model(options, guard).call("Say hello."));
        }
    }

    static ChatModel model(OpenAiChatOptions options, CostGuard guard) {
        return OpenAiChatModel.builder()
                .options(options)
                .httpClientBuilderCustomizer(http -> http.interceptor(new CostGuardInterceptor(guard)))
                .build();
    }
}
