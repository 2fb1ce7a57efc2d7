package io.costguard.examples.sdk.anthropic;

import com.anthropic.client.AnthropicClient;
import com.anthropic.core.http.AsyncStreamResponse;
import com.anthropic.core.http.StreamResponse;
import com.anthropic.errors.AnthropicIoException;
import com.anthropic.errors.PaymentRequiredException;
import com.anthropic.errors.RateLimitException;
import com.anthropic.errors.ServiceUnavailableException;
import com.anthropic.models.messages.Message;
import com.anthropic.models.messages.MessageCreateParams;
import com.anthropic.models.messages.RawMessageStreamEvent;
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

class AnthropicIT extends SdkContract {
    @Override
    protected String name() {
        return "anthropic-java";
    }

    @Override
    protected Class<?> anchor() {
        return AnthropicClient.class;
    }

    @Override
    protected String entry() {
        return "`AnthropicOkHttpClient.builder().addInterceptor(..)`";
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
        return Recordings.of("anthropic-messages-basic");
    }

    @Override
    protected Exchange streamed() {
        return Recordings.of("anthropic-messages-stream");
    }

    @Override
    protected Program program() {
        return new Program(AnthropicProgram.class, AnthropicProgram::run);
    }

    @Override
    protected Class<? extends Throwable> thrownOn(Refusal refusal) {
        return switch (refusal) {
            case PASSING, WAITED_IN_VAIN -> RateLimitException.class;
            case LASTING -> PaymentRequiredException.class;
            case UNAVAILABLE -> ServiceUnavailableException.class;
            case THROWN -> AnthropicIoException.class;
        };
    }

    @Override
    protected SdkClient client(CostGuard guard, URI provider, String apiKey, Mode mode) {
        AnthropicClient client = AnthropicProgram.client(provider.toString(), apiKey, guard);
        return mode == Mode.SYNC ? new Sync(client) : new Async(client);
    }

    private static MessageCreateParams question(String model) {
        return MessageCreateParams.builder()
                .model(model)
                .maxTokens(1_000)
                .addUserMessage("Say hello.")
                .build();
    }

    private static String text(Message answer) {
        return answer.content().get(0).asText().text();
    }

    private record Sync(AnthropicClient client) implements SdkClient {
        @Override
        public String call(String model) {
            return text(client.messages().create(question(model)));
        }

        @Override
        @SuppressWarnings("MustBeClosed") // the events close it
        public Events stream(String model) {
            StreamResponse<RawMessageStreamEvent> response = client.messages().createStreaming(question(model));
            return Events.of(response.stream().iterator(), response::close);
        }

        @Override
        public void close() {
            client.close();
        }
    }

    private record Async(AnthropicClient client) implements SdkClient {
        @Override
        public String call(String model) throws Exception {
            return text(client.async().messages().create(question(model)).get());
        }

        @Override
        public Events stream(String model) {
            AsyncStreamResponse<RawMessageStreamEvent> response =
                    client.async().messages().createStreaming(question(model));
            ToldEvents events = new ToldEvents(response::close);
            response.subscribe(new AsyncStreamResponse.Handler<>() {
                @Override
                public void onNext(RawMessageStreamEvent chunk) {
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
