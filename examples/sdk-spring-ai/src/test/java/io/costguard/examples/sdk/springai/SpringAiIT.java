package io.costguard.examples.sdk.springai;

import com.openai.errors.InternalServerException;
import com.openai.errors.OpenAIIoException;
import com.openai.errors.RateLimitException;
import com.openai.errors.UnexpectedStatusCodeException;
import io.costguard.CostGuard;
import io.costguard.sdk.tck.Program;
import io.costguard.sdk.tck.SdkClient;
import io.costguard.sdk.tck.SdkContract;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.net.URI;
import java.util.EnumSet;
import java.util.Objects;
import java.util.Set;
import org.springframework.ai.chat.prompt.Prompt;
import org.springframework.ai.openai.OpenAiChatModel;
import org.springframework.ai.openai.OpenAiChatOptions;

class SpringAiIT extends SdkContract {
    @Override
    protected String name() {
        return "Spring AI";
    }

    @Override
    protected Class<?> anchor() {
        return OpenAiChatModel.class;
    }

    @Override
    protected String entry() {
        return "`OpenAiChatModel.builder().httpClientBuilderCustomizer(..)`";
    }

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
        return Recordings.of("openai-chat-n2");
    }

    @Override
    protected Exchange streamed() {
        return Recordings.of("openai-chat-stream-include-usage");
    }

    @Override
    protected Program program() {
        return new Program(SpringAiProgram.class, SpringAiProgram::run);
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
        return new SdkClient() {
            @Override
            public String call(String model) {
                return Objects.toString(
                        SpringAiProgram.model(options(model), guard).call("Say hello."));
            }

            @Override
            public Events stream(String model) {
                return Events.of(SpringAiProgram.model(options(model), guard).stream(new Prompt("Say hello."))
                        .toStream(1));
            }

            private OpenAiChatOptions options(String model) {
                return OpenAiChatOptions.builder()
                        .baseUrl(provider + "/v1")
                        .apiKey(apiKey)
                        .model(model)
                        .build();
            }
        };
    }
}
