package io.costguard.examples.sdk.retrofit;

import com.fasterxml.jackson.databind.JsonNode;
import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.Limit;
import io.costguard.okhttp.GuardedCallFactory;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import okhttp3.OkHttpClient;
import okhttp3.ResponseBody;
import retrofit2.Call;
import retrofit2.HttpException;
import retrofit2.Response;
import retrofit2.Retrofit;
import retrofit2.converter.jackson.JacksonConverterFactory;
import retrofit2.http.Body;
import retrofit2.http.Header;
import retrofit2.http.POST;
import retrofit2.http.Streaming;

/** One question to an LLM's HTTP API, by Retrofit, that costs no more than a budget has left. */
public final class RetrofitProgram {
    private RetrofitProgram() {}

    record Message(String role, String content) {}

    record Question(String model, List<Message> messages, boolean stream) {}

    /** What of the API is called. */
    interface Chat {
        @POST("v1/chat/completions")
        Call<JsonNode> ask(@Header("Authorization") String key, @Body Question question);

        @POST("v1/chat/completions")
        CompletableFuture<JsonNode> askAsync(@Header("Authorization") String key, @Body Question question);

        @Streaming
        @POST("v1/chat/completions")
        Call<ResponseBody> stream(@Header("Authorization") String key, @Body Question question);

        @Streaming
        @POST("v1/chat/completions")
        CompletableFuture<ResponseBody> streamAsync(@Header("Authorization") String key, @Body Question question);
    }

    public static void main(String[] args) throws IOException {
        System.out.println(run(System.getenv()));
    }

    static String run(Map<String, String> environment) throws IOException {
        try (CostGuard guard = CostGuard.builder()
                .redis(environment.getOrDefault("REDIS_URL", "redis://localhost:6379"))
                .budget(Budget.named("money").limit(Limit.usd("25.00").perDay()))
                .build()) {
            Chat chat = chat(environment.getOrDefault("BASE_URL", "https://api.openai.com"), guard);
            String key = "Bearer " + environment.getOrDefault("API_KEY", "");
            return text(body(chat.ask(key, question("gpt-4o-mini", false)).execute()));
        }
    }

    static Chat chat(String baseUrl, CostGuard guard) {
        return new Retrofit.Builder()
                .baseUrl(baseUrl)
                .callFactory(new GuardedCallFactory(new OkHttpClient(), guard))
                .addConverterFactory(JacksonConverterFactory.create())
                .build()
                .create(Chat.class);
    }

    static Question question(String model, boolean stream) {
        return new Question(model, List.of(new Message("user", "Say hello.")), stream);
    }

    static <T> T body(Response<T> response) {
        T body = response.body();
        if (body == null) {
            throw new HttpException(response);
        }
        return body;
    }

    static String text(JsonNode answer) {
        return answer.at("/choices/0/message/content").asText();
    }
}
