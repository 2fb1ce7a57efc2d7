package io.costguard.examples.sdk.springweb;

import io.costguard.sdk.tck.SdkContract;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;

/** What is the same of both clients. */
abstract class SpringContract extends SdkContract {
    @Override
    protected Retries retries() {
        return Retries.NONE;
    }

    @Override
    protected Exchange answer() {
        return Recordings.of("openai-chat-n2");
    }

    @Override
    protected Exchange streamed() {
        return Recordings.of("openai-chat-stream-include-usage");
    }

    static String question(String model) {
        return "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"Say hello.\"}]}".formatted(model);
    }

    static String streamingQuestion(String model) {
        return question(model).replaceFirst("\\{", "{\"stream\":true,");
    }
}
