package io.costguard.examples.sdk.azure;

import com.azure.ai.openai.OpenAIClientBuilder;
import com.azure.ai.openai.models.ChatCompletionsOptions;
import com.azure.ai.openai.models.ChatRequestUserMessage;
import com.azure.core.http.HttpClient;
import com.azure.core.http.HttpHeaderName;
import com.azure.core.http.HttpHeaders;
import com.azure.core.http.jdk.httpclient.JdkHttpClientBuilder;
import com.azure.core.http.okhttp.OkHttpAsyncHttpClientBuilder;
import com.azure.core.http.policy.AddHeadersPolicy;
import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.Limit;
import io.costguard.jdk.GuardedHttpClient;
import io.costguard.okhttp.CostGuardInterceptor;
import java.util.List;
import java.util.Map;
import okhttp3.OkHttpClient;

/** One question to a deployment, by Azure's SDK, that costs no more than a budget has left. */
public final class AzureProgram {
    private AzureProgram() {}

    public static void main(String[] args) {
        System.out.println(run(System.getenv()));
    }

    static String run(Map<String, String> environment) {
        try (CostGuard guard = CostGuard.builder()
                .redis(environment.getOrDefault("REDIS_URL", "redis://localhost:6379"))
                .budget(Budget.named("money").limit(Limit.usd("25.00").perDay()))
                .build()) {
            return client(
                            environment.getOrDefault("BASE_URL", "https://my-resource.openai.azure.com"),
                            environment.getOrDefault("API_KEY", ""),
                            onOkHttp(guard))
                    .buildClient()
                    .getChatCompletions("gpt-4o-mini", question())
                    .getChoices()
                    .get(0)
                    .getMessage()
                    .getContent();
        }
    }

    /** The key in its header, as {@code credential(..)} has it, which takes no URL but of HTTPS. */
    static OpenAIClientBuilder client(String baseUrl, String apiKey, HttpClient http) {
        HttpHeaders key = new HttpHeaders().set(HttpHeaderName.fromString("api-key"), apiKey);
        return new OpenAIClientBuilder()
                .endpoint(baseUrl)
                .addPolicy(new AddHeadersPolicy(key))
                .httpClient(http);
    }

    static HttpClient onOkHttp(CostGuard guard) {
        OkHttpClient guarded = new OkHttpClient.Builder()
                .addInterceptor(new CostGuardInterceptor(guard))
                .build();
        return new OkHttpAsyncHttpClientBuilder(guarded).build();
    }

    static HttpClient onJdk(CostGuard guard) {
        return new JdkHttpClientBuilder(GuardedHttpClient.newBuilder(guard)).build();
    }

    static ChatCompletionsOptions question() {
        return new ChatCompletionsOptions(List.of(new ChatRequestUserMessage("Say hello.")));
    }
}
