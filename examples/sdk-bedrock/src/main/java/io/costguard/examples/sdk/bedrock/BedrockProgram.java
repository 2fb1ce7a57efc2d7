package io.costguard.examples.sdk.bedrock;

import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.Limit;
import io.costguard.bedrock.GuardedSdkAsyncHttpClient;
import io.costguard.bedrock.GuardedSdkHttpClient;
import java.net.URI;
import java.util.List;
import java.util.Map;
import software.amazon.awssdk.auth.token.credentials.StaticTokenProvider;
import software.amazon.awssdk.http.SdkHttpClient;
import software.amazon.awssdk.http.apache5.Apache5HttpClient;
import software.amazon.awssdk.http.async.SdkAsyncHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeAsyncClient;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeBaseClientBuilder;
import software.amazon.awssdk.services.bedrockruntime.BedrockRuntimeClient;
import software.amazon.awssdk.services.bedrockruntime.auth.scheme.BedrockRuntimeAuthSchemeProvider;
import software.amazon.awssdk.services.bedrockruntime.model.ContentBlock;
import software.amazon.awssdk.services.bedrockruntime.model.Message;

/** One question to Bedrock, by Amazon's SDK, that costs no more than a budget has left. */
public final class BedrockProgram {
    private BedrockProgram() {}

    public static void main(String[] args) {
        System.out.println(run(System.getenv()));
    }

    static String run(Map<String, String> environment) {
        try (CostGuard guard = CostGuard.builder()
                        .redis(environment.getOrDefault("REDIS_URL", "redis://localhost:6379"))
                        .budget(Budget.named("money").limit(Limit.usd("25.00").perDay()))
                        .build();
                BedrockRuntimeClient client = client(
                        environment.getOrDefault("BASE_URL", "https://bedrock-runtime.us-east-1.amazonaws.com"),
                        environment.getOrDefault("API_KEY", ""),
                        Apache5HttpClient.builder(),
                        guard)) {
            return client.converse(call -> call.modelId("amazon.nova-lite-v1:0").messages(user("Say hello.")))
                    .output()
                    .message()
                    .content()
                    .get(0)
                    .text();
        }
    }

    static BedrockRuntimeClient client(String baseUrl, String apiKey, SdkHttpClient.Builder<?> http, CostGuard guard) {
        return configured(BedrockRuntimeClient.builder(), baseUrl, apiKey)
                .httpClientBuilder(GuardedSdkHttpClient.newBuilder(http, guard))
                .build();
    }

    static BedrockRuntimeAsyncClient asyncClient(
            String baseUrl, String apiKey, SdkAsyncHttpClient.Builder<?> http, CostGuard guard) {
        return configured(BedrockRuntimeAsyncClient.builder(), baseUrl, apiKey)
                .httpClientBuilder(GuardedSdkAsyncHttpClient.newBuilder(http, guard))
                .build();
    }

    private static <B extends BedrockRuntimeBaseClientBuilder<B, ?>> B configured(
            B builder, String baseUrl, String apiKey) {
        return builder.endpointOverride(URI.create(baseUrl))
                .region(Region.US_EAST_1)
                .tokenProvider(StaticTokenProvider.create(() -> apiKey))
                .authSchemeProvider(BedrockRuntimeAuthSchemeProvider.defaultProvider(List.of("httpBearerAuth")));
    }

    static Message user(String text) {
        return Message.builder()
                .role("user")
                .content(ContentBlock.fromText(text))
                .build();
    }
}
