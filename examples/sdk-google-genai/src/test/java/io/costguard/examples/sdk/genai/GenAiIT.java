package io.costguard.examples.sdk.genai;

import com.google.genai.Client;
import com.google.genai.ResponseStream;
import com.google.genai.errors.ClientException;
import com.google.genai.errors.GenAiIOException;
import com.google.genai.errors.ServerException;
import com.google.genai.types.GenerateContentConfig;
import com.google.genai.types.GenerateContentResponse;
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

class GenAiIT extends SdkContract {
    private static final GenerateContentConfig NONE =
            GenerateContentConfig.builder().build();

    @Override
    protected String name() {
        return "google-genai";
    }

    @Override
    protected Class<?> anchor() {
        return Client.class;
    }

    @Override
    protected String entry() {
        return "`ClientOptions.builder().customHttpClient(..)`";
    }

    @Override
    protected Set<Mode> modes() {
        return EnumSet.allOf(Mode.class);
    }

    @Override
    protected Retries retries() {
        return Retries.BELOW_THE_GUARD;
    }

    @Override
    protected Exchange answer() {
        return Recordings.of("gemini-generateContent-thinking");
    }

    @Override
    protected Exchange streamed() {
        return Recordings.of("gemini-streamGenerateContent-sse-thinking-tools");
    }

    @Override
    protected Program program() {
        return new Program(GenAiProgram.class, GenAiProgram::run);
    }

    @Override
    protected Class<? extends Throwable> thrownOn(Refusal refusal) {
        return switch (refusal) {
            case PASSING, WAITED_IN_VAIN, LASTING -> ClientException.class;
            case UNAVAILABLE -> ServerException.class;
            case THROWN -> GenAiIOException.class;
        };
    }

    @Override
    protected SdkClient client(CostGuard guard, URI provider, String apiKey, Mode mode) {
        Client client = GenAiProgram.client(provider.toString(), apiKey, guard);
        return mode == Mode.SYNC ? new Sync(client) : new Async(client);
    }

    private record Sync(Client client) implements SdkClient {
        @Override
        public String call(String model) {
            return Objects.toString(
                    client.models.generateContent(model, "Say hello.", NONE).text());
        }

        @Override
        public Events stream(String model) {
            ResponseStream<GenerateContentResponse> stream =
                    client.models.generateContentStream(model, "Say hello.", NONE);
            return Events.of(stream.iterator(), stream::close);
        }

        @Override
        public void close() {
            client.close();
        }
    }

    private record Async(Client client) implements SdkClient {
        @Override
        public String call(String model) throws Exception {
            return Objects.toString(client.async
                    .models
                    .generateContent(model, "Say hello.", NONE)
                    .get()
                    .text());
        }

        @Override
        public Events stream(String model) throws Exception {
            ResponseStream<GenerateContentResponse> stream = client.async
                    .models
                    .generateContentStream(model, "Say hello.", NONE)
                    .get();
            return Events.of(stream.iterator(), stream::close);
        }

        @Override
        public void close() {
            client.close();
        }
    }
}
