package io.costguard.examples.sdk.genai;

import com.google.genai.Client;
import com.google.genai.types.ClientOptions;
import com.google.genai.types.GenerateContentConfig;
import com.google.genai.types.HttpOptions;
import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.Limit;
import io.costguard.okhttp.CostGuardInterceptor;
import java.util.Map;
import java.util.Objects;
import okhttp3.OkHttpClient;

/** One question, by Google's SDK, that costs no more than a budget has left. */
public final class GenAiProgram {
    private GenAiProgram() {}

    public static void main(String[] args) {
        System.out.println(run(System.getenv()));
    }

    static String run(Map<String, String> environment) {
        try (CostGuard guard = CostGuard.builder()
                        .redis(environment.getOrDefault("REDIS_URL", "redis://localhost:6379"))
                        .budget(Budget.named("money").limit(Limit.usd("25.00").perDay()))
                        .build();
                Client client = client(
                        environment.getOrDefault("BASE_URL", "https://generativelanguage.googleapis.com"),
                        environment.getOrDefault("API_KEY", ""),
                        guard)) {
            GenerateContentConfig none = GenerateContentConfig.builder().build();
            return Objects.toString(client.models
                    .generateContent("gemini-2.5-flash", "Say hello.", none)
                    .text());
        }
    }

    static Client client(String baseUrl, String apiKey, CostGuard guard) {
        OkHttpClient http = new OkHttpClient.Builder()
                .addInterceptor(new CostGuardInterceptor(guard))
                .build();
        return Client.builder()
                .apiKey(apiKey)
                .httpOptions(HttpOptions.builder().baseUrl(baseUrl).build())
                .clientOptions(ClientOptions.builder().customHttpClient(http).build())
                .build();
    }
}
