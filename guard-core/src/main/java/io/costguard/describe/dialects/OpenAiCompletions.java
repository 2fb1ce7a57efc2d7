package io.costguard.describe.dialects;

import io.costguard.describe.Field;
import io.costguard.describe.JsonPaths;
import io.costguard.describe.Target;
import java.util.List;
import java.util.Optional;

/**
 * Completions of a text ("Create completion", legacy), at OpenAI, vLLM, llama.cpp and others; and those that fill a gap, at Mistral ("Fill in
 * the middle") and DeepSeek ("FIM completion"). A prompt is a text or its tokens.
 */
final class OpenAiCompletions extends OpenAi {
    private static final JsonPaths REQUEST =
            JsonPaths.of("model", "max_tokens", "n", "best_of", "prompt", "prompt[]", "prompt[][]", "suffix");

    private static final JsonPaths RESPONSE =
            paths(List.of("usage")).andTexts("choices[].text", "choices[].message.content", "choices[].delta.content");

    OpenAiCompletions() {
        super("/completions");
    }

    @Override
    public boolean speaksFor(Target target) {
        return super.speaksFor(target) && !target.path().endsWith("/chat/completions");
    }

    @Override
    public JsonPaths requestPaths() {
        return REQUEST;
    }

    @Override
    public void request(Field field, RequestReader request) {
        switch (field.path()) {
            case "model" -> request.model(field.text());
            case "max_tokens" -> request.outputCap(field.count());
            case "n", "best_of" -> request.choices(field.count());
            case "prompt[]", "prompt[][]" -> {
                if (field.isString()) {
                    request.prompt();
                    request.text(field.text());
                } else {
                    request.tokens(1);
                }
            }
            default -> request.text(field.text());
        }
    }

    @Override
    public Optional<byte[]> askForUsage(Target target, byte[] body) {
        return StreamOptions.askForUsage(target, body);
    }

    @Override
    public JsonPaths responsePaths() {
        return RESPONSE;
    }
}
