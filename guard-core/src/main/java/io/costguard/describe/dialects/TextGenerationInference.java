package io.costguard.describe.dialects;

import io.costguard.describe.Dialect;
import io.costguard.describe.ErrorBody;
import io.costguard.describe.Field;
import io.costguard.describe.JsonPaths;
import io.costguard.describe.Target;
import io.costguard.describe.Usage;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * Text Generation Inference, where the host is one of Hugging Face's or said to be: its paths tell nothing. It serves one model, which a request does
 * not name. The shapes are those of its reference ("Text Generation Inference API"). Usage is in headers, {@code x-prompt-tokens} and
 * {@code x-generated-tokens}; that of a stream in its last event, of which older versions leave the prompt away.
 */
final class TextGenerationInference implements Dialect {
    private static final Set<String> PATHS = Set.of("", "/", "/generate", "/generate_stream");
    private static final String INPUT = "x-prompt-tokens";
    private static final String OUTPUT = "x-generated-tokens";

    private static final JsonPaths REQUEST = JsonPaths.of("inputs", "parameters.max_new_tokens", "parameters.best_of");

    private static final JsonPaths RESPONSE = JsonPaths.of(
                    "details.input_length",
                    "details.generated_tokens",
                    "details.finish_reason",
                    "generated_text",
                    "error_type")
            .andTexts("token.text");

    @Override
    public boolean speaksFor(Target target) {
        return target.method().equals("POST")
                && target.provider().equals("huggingface")
                && PATHS.contains(target.path());
    }

    @Override
    public String provider(Target target) {
        return target.provider();
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
            case "parameters.max_new_tokens" -> request.outputCap(field.count());
            case "parameters.best_of" -> request.choices(field.count());
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
            case "details.input_length" -> response.reported(INPUT, field);
            case "details.generated_tokens" -> response.reported(OUTPUT, field);
            case "error_type" -> response.error(field.text());
            case "details.finish_reason" -> response.end();
            default -> {
                // Of a stream, null but in the last event.
                if (field.isString()) {
                    response.wholeText(field.text());
                    response.end();
                }
            }
        }
    }

    @Override
    public void responseHeaders(Function<String, Optional<String>> headers, ResponseReader response) {
        Stream.of(INPUT, OUTPUT)
                .forEach(name -> headers.apply(name)
                        .map(value -> new Field(name, Field.Kind.NUMBER, value.strip()))
                        .ifPresent(count -> response.reported(name, count)));
    }

    @Override
    public Usage usage(Map<String, Long> counts) {
        return Usage.of(counts.getOrDefault(INPUT, 0L), counts.getOrDefault(OUTPUT, 0L));
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
            json.writeStringField("error", message);
            json.writeStringField("error_type", "overloaded");
            json.writeEndObject();
        });
    }
}
