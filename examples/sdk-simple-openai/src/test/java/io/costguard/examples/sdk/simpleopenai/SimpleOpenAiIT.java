package io.costguard.examples.sdk.simpleopenai;

import io.costguard.CostGuard;
import io.costguard.sdk.tck.Program;
import io.costguard.sdk.tck.SdkClient;
import io.costguard.sdk.tck.SdkContract;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import io.github.sashirestela.cleverclient.support.CleverClientException;
import io.github.sashirestela.openai.SimpleOpenAI;
import java.net.URI;
import java.util.EnumSet;
import java.util.Set;

class SimpleOpenAiIT extends SdkContract {
    @Override
    protected String name() {
        return "simple-openai";
    }

    @Override
    protected Class<?> anchor() {
        return SimpleOpenAI.class;
    }

    @Override
    protected String entry() {
        return "`SimpleOpenAI.builder().httpClient(..)`";
    }

    @Override
    protected Set<Mode> modes() {
        return EnumSet.of(Mode.ASYNC);
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
        return new Program(SimpleOpenAiProgram.class, SimpleOpenAiProgram::run);
    }

    @Override
    protected Class<? extends Throwable> thrownOn(Refusal refusal) {
        return CleverClientException.class;
    }

    @Override
    protected SdkClient client(CostGuard guard, URI provider, String apiKey, Mode mode) {
        return new Chat(SimpleOpenAiProgram.client(provider.toString(), apiKey, guard));
    }

    private record Chat(SimpleOpenAI client) implements SdkClient {
        @Override
        public String call(String model) throws Exception {
            return client.chatCompletions()
                    .create(SimpleOpenAiProgram.question(model))
                    .get()
                    .firstContent();
        }

        @Override
        public Events stream(String model) throws Exception {
            return Events.of(client.chatCompletions()
                    .createStream(SimpleOpenAiProgram.question(model))
                    .get());
        }
    }
}
