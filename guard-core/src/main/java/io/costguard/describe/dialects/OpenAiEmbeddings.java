package io.costguard.describe.dialects;

import io.costguard.describe.Field;
import io.costguard.describe.JsonPaths;
import io.costguard.describe.Target;
import java.util.List;

/** Embeddings ("Create embeddings"), at OpenAI and others: of one text or several, or of their tokens. There is no output to pay for. */
final class OpenAiEmbeddings extends OpenAi {
    private static final JsonPaths REQUEST = JsonPaths.of("model", "input", "input[]", "input[][]");
    private static final JsonPaths RESPONSE = paths(List.of("usage"));

    OpenAiEmbeddings() {
        super("/embeddings");
    }

    @Override
    public boolean speaksFor(Target target) {
        // Ollama's own are others; OpenRouter's have a version in between.
        return super.speaksFor(target) && !target.path().endsWith("/api/embeddings");
    }

    @Override
    public void target(Target target, RequestReader request) {
        super.target(target, request);
        request.noOutput();
    }

    @Override
    public JsonPaths requestPaths() {
        return REQUEST;
    }

    @Override
    public void request(Field field, RequestReader request) {
        if (field.path().equals("model")) {
            request.model(field.text());
        } else if (field.isString()) {
            request.text(field.text());
        } else {
            request.tokens(1);
        }
    }

    @Override
    public JsonPaths responsePaths() {
        return RESPONSE;
    }
}
