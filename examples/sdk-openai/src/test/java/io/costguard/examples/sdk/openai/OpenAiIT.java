package io.costguard.examples.sdk.openai;

import com.openai.client.OpenAIClient;
import com.openai.core.http.AsyncStreamResponse;
import com.openai.core.http.StreamResponse;
import com.openai.errors.InternalServerException;
import com.openai.errors.OpenAIIoException;
import com.openai.errors.RateLimitException;
import com.openai.errors.UnexpectedStatusCodeException;
import com.openai.models.chat.completions.ChatCompletion;
import com.openai.models.chat.completions.ChatCompletionChunk;
import com.openai.models.chat.completions.ChatCompletionCreateParams;
import io.costguard.CostGuard;
import io.costguard.sdk.tck.Program;
import io.costguard.sdk.tck.SdkClient;
import io.costguard.sdk.tck.SdkContract;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.net.URI;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;

class OpenAiIT extends SdkContract {
    @Override
    protected String name() {
        return "openai-java";
    }

    @Override
    protected Class<?> anchor() {
        return OpenAIClient.class;
    }

    @Override
    protected String entry() {
        return "`OpenAIOkHttpClient.builder().addInterceptor(..)`";
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
        return Recordings.of("openai-chat-n2");
    }

    @Override
    protected Exchange streamed() {
        return Recordings.of("openai-chat-stream-include-usage");
    }

    @Override
    protected Program program() {
        return new Program(OpenAiProgram.class, OpenAiProgram::run);
    }

    @Override
    protected Class<? extends Throwable> thrownOn(Refusal refusal) {
        return switch (refusal) {
            case PASSING, WAITED_IN_VAIN -> RateLimitException.class;
            case LASTING -> UnexpectedStatusCodeException.class;
            case UNAVAILABLE -> InternalServerException.class;
            case THROWN -> OpenAIIoException.class;
        };
    }

    @Override
    protected SdkClient client(CostGuard guard, URI provider, String apiKey, Mode mode) {
        OpenAIClient client = OpenAiProgram.client(provider + "/v1", apiKey, guard);
        return mode == Mode.SYNC ? new Sync(client) : new Async(client);
    }

    private static ChatCompletionCreateParams question(String model) {
        return ChatCompletionCreateParams.builder()
                .model(model)
                .addUserMessage("Say hello.")
                .build();
    }

    private static String text(ChatCompletion answer) {
        return answer.choices().get(0).message().content().orElse("");
    }

    private record Sync(OpenAIClient client) implements SdkClient {
        @Override
        public String call(String model) {
            return text(client.chat().completions().create(question(model)));
        }

        @Override
        @SuppressWarnings("MustBeClosed") // the events close it
        public Events stream(String model) {
            StreamResponse<ChatCompletionChunk> response =
                    client.chat().completions().createStreaming(question(model));
            return Events.of(response.stream().iterator(), response::close);
        }

        @Override
        public void close() {
            client.close();
        }
    }

    private record Async(OpenAIClient client) implements SdkClient {
        @Override
        public String call(String model) throws Exception {
            return text(
                    client.async().chat().completions().create(question(model)).get());
        }

        @Override
        public Events stream(String model) {
            AsyncStreamResponse<ChatCompletionChunk> response =
                    client.async().chat().completions().createStreaming(question(model));
            ToldEvents events = new ToldEvents(response::close);
            response.subscribe(new AsyncStreamResponse.Handler<>() {
                @Override
                public void onNext(ChatCompletionChunk chunk) {
                    events.event();
                }

                @Override
                public void onComplete(Optional<Throwable> error) {
                    error.ifPresentOrElse(events::failed, events::end);
                }
            });
            return events;
        }

        @Override
        public void close() {
            client.close();
        }
    }
}
