package io.costguard.describe.dialects;

import io.costguard.describe.Dialect;
import io.costguard.describe.ErrorBody;
import io.costguard.describe.Field;
import io.costguard.describe.JsonPaths;
import io.costguard.describe.Media;
import io.costguard.describe.Target;
import io.costguard.describe.Usage;
import java.util.Map;
import java.util.Set;

/**
 * Ollama's own API: chat, generation and embeddings, as JSON or as a line of it for each piece. The shapes are those of its reference ("API");
 * usage comes with the last line, and says nothing of a prompt that the server still had in its cache.
 */
final class Ollama implements Dialect {
    private static final Set<String> EMBEDDINGS = Set.of("/api/embed", "/api/embeddings");
    private static final Set<String> ANSWERS = Set.of("/api/chat", "/api/generate");

    /** Around each message, and before the answer, in the templates of Llama 3; those of other models are shorter. */
    private static final long TOKENS_A_MESSAGE = 5;

    private static final long TOKENS_OF_THE_LEAD = 4;

    private static final JsonPaths REQUEST = JsonPaths.of(
                    "model",
                    "options.num_predict",
                    "messages[].role",
                    "messages[].content",
                    "messages[].thinking",
                    "messages[].tool_calls[].function.**",
                    "tools.**",
                    "prompt",
                    "suffix",
                    "system",
                    "context[]",
                    "input",
                    "input[]")
            .andFiles("messages[].images[]", "images[]");

    private static final JsonPaths RESPONSE = JsonPaths.of("prompt_eval_count", "eval_count", "done", "error")
            .andTexts(
                    "message.content", "message.thinking", "message.tool_calls[].function.**", "response", "thinking");

    @Override
    public boolean speaksFor(Target target) {
        boolean mayBe = target.provider().isEmpty() || target.provider().equals("ollama");
        return mayBe && target.method().equals("POST") && (ANSWERS.contains(target.path()) || isEmbedding(target));
    }

    private static boolean isEmbedding(Target target) {
        return EMBEDDINGS.contains(target.path());
    }

    @Override
    public String provider(Target target) {
        return "ollama";
    }

    @Override
    public void target(Target target, RequestReader request) {
        if (isEmbedding(target)) {
            request.noOutput();
        } else {
            request.tokens(TOKENS_OF_THE_LEAD);
        }
    }

    @Override
    public JsonPaths requestPaths() {
        return REQUEST;
    }

    @Override
    public void request(Field field, RequestReader request) {
        switch (field.path()) {
            case "model" -> request.model(field.text());
            case "options.num_predict" -> request.outputCap(field.count());
            case "messages[].role" -> request.tokens(TOKENS_A_MESSAGE);
            case "messages[].images[]", "images[]" -> request.media(Media.of(field.value(), Media.Kind.PICTURE));
            case "context[]" -> request.tokens(1);
            case "prompt", "system" -> {
                request.tokens(field.text().isEmpty() ? 0 : TOKENS_A_MESSAGE);
                request.text(field.text());
            }
            default -> request.text(field.text());
        }
    }

    @Override
    public JsonPaths responsePaths() {
        return RESPONSE;
    }

    @Override
    public void response(Field field, ResponseReader response) {
        switch (field.path()) {
            case "prompt_eval_count", "eval_count" -> response.reported(field.path(), field);
            // An error is no more than a sentence, which may quote the request.
            case "error" -> response.error("error");
            case "done" -> {
                if (field.text().equals("true")) {
                    response.end();
                }
            }
            default -> {}
        }
    }

    @Override
    public Usage usage(Map<String, Long> counts) {
        return Usage.of(counts.getOrDefault("prompt_eval_count", 0L), counts.getOrDefault("eval_count", 0L));
    }

    @Override
    public boolean billable(int status, String error) {
        // What is wrong with the request, or too many at a time ("Errors").
        return status != 400 && status != 503;
    }

    @Override
    public byte[] errorBody(int status, String message) {
        return ErrorBody.of(json -> {
            json.writeStartObject();
            json.writeStringField("error", message);
            json.writeEndObject();
        });
    }
}
