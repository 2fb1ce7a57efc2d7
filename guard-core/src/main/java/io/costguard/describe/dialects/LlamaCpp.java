package io.costguard.describe.dialects;

import io.costguard.describe.Dialect;
import io.costguard.describe.ErrorBody;
import io.costguard.describe.Field;
import io.costguard.describe.JsonPaths;
import io.costguard.describe.Media;
import io.costguard.describe.Providers;
import io.costguard.describe.Target;
import io.costguard.describe.Usage;
import java.util.Map;

/**
 * The own API of the server of llama.cpp, {@code /completion}; it offers OpenAI's too. The shapes are those of its reference ("LLaMA.cpp HTTP
 * Server"). The tokens of the prompt are all of it, of which {@code timings.cache_n} were in the server's cache.
 */
final class LlamaCpp implements Dialect {
    private static final JsonPaths REQUEST = JsonPaths.of(
                    "model",
                    "n_predict",
                    "prompt",
                    "prompt[]",
                    "prompt[][]",
                    "prompt.prompt_string",
                    "prompt[].prompt_string")
            .andFiles("prompt.multimodal_data[]", "prompt[].multimodal_data[]");

    private static final JsonPaths RESPONSE = JsonPaths.of(
                    "tokens_evaluated", "tokens_predicted", "timings.cache_n", "stop", "error.type")
            .andTexts("content");

    @Override
    public boolean speaksFor(Target target) {
        return target.method().equals("POST") && target.path().equals("/completion");
    }

    @Override
    public String provider(Target target) {
        return target.provider().isEmpty() ? Providers.LLAMA_CPP : target.provider();
    }

    @Override
    public void target(Target target, RequestReader request) {
        request.modelUnlessGiven(target.host());
        // The one with which every prompt begins.
        request.tokens(1);
    }

    @Override
    public JsonPaths requestPaths() {
        return REQUEST;
    }

    @Override
    public void request(Field field, RequestReader request) {
        switch (field.path()) {
            case "model" -> request.model(field.text());
            case "prompt.multimodal_data[]", "prompt[].multimodal_data[]" ->
                request.media(Media.of(field.value(), Media.Kind.PICTURE));
            case "n_predict" -> request.outputCap(field.count());
            default -> {
                // A prompt may be given as text, as numbers of tokens, or as some of each.
                if (field.isString()) {
                    request.text(field.text());
                } else {
                    request.tokens(1);
                }
            }
        }
    }

    @Override
    public JsonPaths responsePaths() {
        return RESPONSE;
    }

    @Override
    public void response(Field field, ResponseReader response) {
        switch (field.path()) {
            case "tokens_evaluated", "tokens_predicted", "timings.cache_n" -> response.reported(field.path(), field);
            case "error.type" -> response.error(field.text());
            case "stop" -> {
                if (field.text().equals("true")) {
                    response.end();
                }
            }
            default -> {}
        }
    }

    @Override
    public Usage usage(Map<String, Long> counts) {
        long prompt = counts.getOrDefault("tokens_evaluated", 0L);
        long cached = Math.min(prompt, counts.getOrDefault("timings.cache_n", 0L));
        return Usage.of(prompt - cached, counts.getOrDefault("tokens_predicted", 0L))
                .withCacheRead(cached);
    }

    @Override
    public boolean billable(int status, String error) {
        // 503 while the model is loaded.
        return status != 400 && status != 503;
    }

    @Override
    public byte[] errorBody(int status, String message) {
        return ErrorBody.of(json -> {
            json.writeStartObject();
            json.writeObjectFieldStart("error");
            json.writeNumberField("code", status);
            json.writeStringField("message", message);
            json.writeStringField("type", "unavailable_error");
            json.writeEndObject();
            json.writeEndObject();
        });
    }
}
