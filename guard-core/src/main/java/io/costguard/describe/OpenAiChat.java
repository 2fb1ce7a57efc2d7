package io.costguard.describe;

import io.costguard.Unit;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * OpenAI's chat completions, at OpenAI or at any host that offers the same path. The shapes are those of the API reference
 * ("Create chat completion", "The chat completion chunk object"); usage includes cached and reasoning tokens.
 */
final class OpenAiChat implements Dialect {
    /** Around each message, its role included (OpenAI's cookbook, "How to count tokens with tiktoken"). */
    private static final long TOKENS_A_MESSAGE = 4;

    /** What leads over to the answer (likewise). */
    private static final long TOKENS_OF_THE_LEAD = 3;

    /** How a schema is presented to the model is not public; this covers what was seen of gpt-4, gpt-4o and gpt-5. */
    private static final long TOKENS_OF_TOOLS = 60;

    private static final long TOKENS_OF_PUNCTUATION = 2;

    /** A picture of 1,024 × 1,024 in high detail: 85 and 170 for each of four tiles (API guide, "Images and vision"). */
    private static final long TOKENS_A_PICTURE = 765;

    private static final JsonPaths REQUEST = JsonPaths.of(
            "model",
            "max_completion_tokens",
            "max_tokens",
            "n",
            "messages[].role",
            "messages[].name",
            "messages[].content",
            "messages[].content[].text",
            "messages[].content[].refusal",
            "messages[].content[].image_url.url",
            "messages[].content[].input_audio.data",
            "messages[].content[].file.file_data",
            "messages[].tool_calls[].function.**",
            "messages[].function_call.**",
            "tools.**",
            "functions.**",
            "response_format.json_schema.**",
            "prediction.content");

    private static final JsonPaths RESPONSE = JsonPaths.of(
            "usage.prompt_tokens",
            "usage.completion_tokens",
            "usage.prompt_tokens_details.cached_tokens",
            "choices[].message.content",
            "choices[].message.refusal",
            "choices[].message.tool_calls[].function.**",
            "choices[].message.function_call.**",
            "choices[].delta.content",
            "choices[].delta.refusal",
            "choices[].delta.reasoning_content",
            "choices[].delta.tool_calls[].function.**",
            "choices[].delta.function_call.**",
            "error.type",
            "error.code");

    @Override
    public boolean speaksFor(Target target) {
        return target.method().equals("POST") && target.path().endsWith("/chat/completions");
    }

    @Override
    public String provider(Target target) {
        return target.provider().isEmpty() ? "openai" : target.provider();
    }

    @Override
    public JsonPaths requestPaths() {
        return REQUEST;
    }

    @Override
    public void request(Field field, RequestReader request) {
        switch (field.path()) {
            case "model" -> {
                request.model(field.text());
                request.tokens(TOKENS_OF_THE_LEAD);
            }
            case "max_completion_tokens", "max_tokens" -> request.outputCap(field.count());
            case "n" -> request.choices(field.count());
            case "messages[].role" -> request.tokens(TOKENS_A_MESSAGE);
            case "messages[].content[].image_url.url" -> request.tokens(TOKENS_A_PICTURE);
            case "messages[].content[].input_audio.data", "messages[].content[].file.file_data" ->
                request.tokens(Dialects.tokensOfBase64(field.text()));
            case "tools.**", "functions.**", "response_format.json_schema.**" -> {
                request.tokensOnce("tools", TOKENS_OF_TOOLS);
                request.text(field.text());
                request.tokens(TOKENS_OF_PUNCTUATION);
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
            case "usage.prompt_tokens", "usage.completion_tokens", "usage.prompt_tokens_details.cached_tokens" ->
                response.reported(field.path(), field);
            case "error.type", "error.code" -> response.error(field.text());
            default -> {
                if (field.isString()) {
                    response.text(field.text());
                }
            }
        }
    }

    @Override
    public Usage usage(Map<String, Long> counts) {
        long prompt = counts.getOrDefault("usage.prompt_tokens", 0L);
        long cached = Math.min(prompt, counts.getOrDefault("usage.prompt_tokens_details.cached_tokens", 0L));
        return Usage.of(prompt - cached, counts.getOrDefault("usage.completion_tokens", 0L))
                .withCacheRead(cached);
    }

    @Override
    public boolean billable(int status, String error) {
        return switch (status) {
            // Of the content filter, after the prompt was read; all other 400s refuse the request as it is.
            case 400 -> error.contains("content_filter") || error.contains("content_policy");
            // "The engine is currently overloaded", "Slow down" (API guide, "Error codes").
            case 503 -> false;
            default -> true;
        };
    }

    @Override
    public List<Remaining> remaining(Function<String, Optional<String>> headers, Instant sent, Instant now) {
        return Stream.of(Unit.REQUESTS, Unit.TOKENS)
                .flatMap(unit -> Remaining.of(
                        unit,
                        "x-ratelimit-remaining-" + unit.label(),
                        "x-ratelimit-reset-" + unit.label(),
                        headers,
                        sent,
                        now)
                        .stream())
                .toList();
    }

    @Override
    public byte[] errorBody(int status, String message) {
        String type = switch (status) {
            case 429 -> "rate_limit_error";
            case 402 -> "insufficient_quota";
            default -> "server_error";
        };
        String code = switch (status) {
            case 429 -> "rate_limit_exceeded";
            case 402 -> "insufficient_quota";
            default -> "service_unavailable";
        };
        return Dialects.json(json -> {
            json.writeStartObject();
            json.writeObjectFieldStart("error");
            json.writeStringField("message", message);
            json.writeStringField("type", type);
            json.writeNullField("param");
            json.writeStringField("code", code);
            json.writeEndObject();
            json.writeEndObject();
        });
    }
}
