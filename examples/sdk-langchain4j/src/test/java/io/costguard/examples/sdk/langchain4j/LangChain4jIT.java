package io.costguard.examples.sdk.langchain4j;

import dev.langchain4j.exception.InternalServerException;
import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.exception.RateLimitException;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.PartialResponse;
import dev.langchain4j.model.chat.response.PartialResponseContext;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.chat.response.StreamingHandle;
import dev.langchain4j.model.openai.OpenAiChatModel;
import dev.langchain4j.model.openai.OpenAiStreamingChatModel;
import io.costguard.CostGuard;
import io.costguard.sdk.tck.Program;
import io.costguard.sdk.tck.SdkClient;
import io.costguard.sdk.tck.SdkContract;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.net.URI;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

class LangChain4jIT extends SdkContract {
    @Override
    protected String name() {
        return "langchain4j-open-ai";
    }

    @Override
    protected Class<?> anchor() {
        return OpenAiChatModel.class;
    }

    @Override
    protected String entry() {
        return "`new JdkHttpClientBuilder().httpClientBuilder(..)`";
    }

    /** A chat waits for its answer; a stream is told. */
    @Override
    protected Set<Mode> modes() {
        return EnumSet.of(Mode.SYNC);
    }

    @Override
    protected Retries retries() {
        return Retries.ABOVE_THE_GUARD;
    }

    @Override
    protected Exchange answer() {
        return Recordings.of("openai-chat-cached-prompt");
    }

    @Override
    protected Exchange streamed() {
        return Recordings.of("openai-chat-stream-include-usage");
    }

    @Override
    protected Program program() {
        return new Program(LangChain4jProgram.class, LangChain4jProgram::run);
    }

    @Override
    protected Class<? extends Throwable> thrownOn(Refusal refusal) {
        return switch (refusal) {
            case PASSING, WAITED_IN_VAIN -> RateLimitException.class;
            case LASTING -> InvalidRequestException.class;
            case THROWN -> RuntimeException.class;
            case UNAVAILABLE -> InternalServerException.class;
        };
    }

    @Override
    protected SdkClient client(CostGuard guard, URI provider, String apiKey, Mode mode) {
        return new Chat(guard, provider + "/v1", apiKey);
    }

    private record Chat(CostGuard guard, String baseUrl, String apiKey) implements SdkClient {
        @Override
        public String call(String model) {
            return OpenAiChatModel.builder()
                    .httpClientBuilder(LangChain4jProgram.http(guard))
                    .baseUrl(baseUrl)
                    .apiKey(apiKey)
                    .modelName(model)
                    .build()
                    .chat("Say hello.");
        }

        @Override
        public Events stream(String model) {
            CompletableFuture<StreamingHandle> handle = new CompletableFuture<>();
            ToldEvents events = new ToldEvents(() -> handle.join().cancel());
            OpenAiStreamingChatModel.builder()
                    .httpClientBuilder(LangChain4jProgram.http(guard))
                    .baseUrl(baseUrl)
                    .apiKey(apiKey)
                    .modelName(model)
                    .build()
                    .chat("Say hello.", new StreamingChatResponseHandler() {
                        @Override
                        public void onPartialResponse(PartialResponse part, PartialResponseContext context) {
                            handle.complete(context.streamingHandle());
                            events.event();
                        }

                        @Override
                        public void onCompleteResponse(ChatResponse answer) {
                            events.end();
                        }

                        @Override
                        public void onError(Throwable failure) {
                            events.failed(failure);
                        }
                    });
            return events;
        }
    }
}
