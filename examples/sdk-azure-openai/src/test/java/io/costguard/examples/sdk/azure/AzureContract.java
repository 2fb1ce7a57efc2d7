package io.costguard.examples.sdk.azure;

import com.azure.ai.openai.OpenAIClient;
import com.azure.ai.openai.OpenAIClientBuilder;
import com.azure.ai.openai.models.ChatCompletions;
import com.azure.ai.openai.models.ChatCompletionsOptions;
import com.azure.core.exception.HttpResponseException;
import com.azure.core.http.HttpClient;
import io.costguard.BudgetExceededException;
import io.costguard.CostGuard;
import io.costguard.sdk.tck.Program;
import io.costguard.sdk.tck.SdkClient;
import io.costguard.sdk.tck.SdkContract;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.io.UncheckedIOException;
import java.net.URI;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import reactor.core.Disposable;

/** On whichever HTTP client. */
abstract class AzureContract extends SdkContract {
    abstract HttpClient http(CostGuard guard);

    @Override
    protected Class<?> anchor() {
        return OpenAIClient.class;
    }

    @Override
    protected Set<Mode> modes() {
        return EnumSet.allOf(Mode.class);
    }

    @Override
    protected Retries retries() {
        return Retries.ABOVE_THE_GUARD;
    }

    @Override
    protected Exchange answer() {
        return Recordings.of("azure-chat-basic");
    }

    @Override
    protected Exchange streamed() {
        return Recordings.of("openai-chat-stream-include-usage");
    }

    /** It hands a stream on by 4 KB, and by no less than all of it where that is shorter. */
    @Override
    protected Set<Mode> liveModes() {
        return EnumSet.noneOf(Mode.class);
    }

    @Override
    protected Program program() {
        return new Program(AzureProgram.class, AzureProgram::run);
    }

    @Override
    protected Class<? extends Throwable> thrownOn(Refusal refusal) {
        return refusal == Refusal.THROWN ? UncheckedIOException.class : HttpResponseException.class;
    }

    @Override
    protected Class<? extends Throwable> thrownOn(Refusal refusal, Mode mode) {
        return refusal == Refusal.THROWN && mode == Mode.ASYNC ? BudgetExceededException.class : thrownOn(refusal);
    }

    @Override
    protected SdkClient client(CostGuard guard, URI provider, String apiKey, Mode mode) {
        OpenAIClientBuilder builder = AzureProgram.client(provider.toString(), apiKey, http(guard));
        return mode == Mode.SYNC ? new Sync(builder) : new Async(builder);
    }

    private static ChatCompletionsOptions question() {
        return AzureProgram.question();
    }

    private static String text(ChatCompletions answer) {
        return answer.getChoices().get(0).getMessage().getContent();
    }

    private record Sync(OpenAIClientBuilder builder) implements SdkClient {
        @Override
        public String call(String model) {
            return text(builder.buildClient().getChatCompletions(model, question()));
        }

        @Override
        public Events stream(String model) {
            return Events.of(builder.buildClient().getChatCompletionsStream(model, question()).stream());
        }
    }

    private record Async(OpenAIClientBuilder builder) implements SdkClient {
        @Override
        public String call(String model) throws Exception {
            return text(builder.buildAsyncClient()
                    .getChatCompletions(model, question())
                    .toFuture()
                    .get());
        }

        @Override
        public Events stream(String model) {
            CompletableFuture<Disposable> subscription = new CompletableFuture<>();
            ToldEvents events = new ToldEvents(() -> subscription.join().dispose());
            subscription.complete(builder.buildAsyncClient()
                    .getChatCompletionsStream(model, question())
                    .subscribe(event -> events.event(), events::failed, events::end));
            return events;
        }
    }
}
