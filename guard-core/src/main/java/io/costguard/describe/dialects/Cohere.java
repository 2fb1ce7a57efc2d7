package io.costguard.describe.dialects;

import io.costguard.describe.Dialect;
import io.costguard.describe.ErrorBody;
import io.costguard.describe.Field;
import io.costguard.describe.JsonPaths;
import io.costguard.describe.Media;
import io.costguard.describe.Target;
import io.costguard.describe.Usage;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Cohere's chat, generation, embeddings and reranking, version 1 and 2, at Cohere's own host: other APIs have paths like these. The shapes are
 * those of the API reference ("Chat", "Chat with Streaming", "Embed", "Rerank", "Generate"). Usage is what Cohere bills, {@code billed_units}: what
 * it processed, {@code tokens}, is far more, and its cached tokens are among those. A ranking is billed by searches, and reports no tokens.
 */
final class Cohere implements Dialect {
    private static final Pattern PATH = Pattern.compile("(?:/v[12])?/(?:chat|generate|embed|rerank)");

    private static final long TOKENS_A_MESSAGE = 2;

    private static final JsonPaths REQUEST = JsonPaths.of(
                    "model",
                    "max_tokens",
                    "num_generations",
                    "prompt",
                    "message",
                    "preamble",
                    "chat_history[].message",
                    "messages[].content",
                    "messages[].content[].text",
                    "messages[].content[].thinking",
                    "messages[].content[].image_url.detail",
                    "messages[].content[].document.**",
                    "messages[].tool_plan",
                    "messages[].tool_calls[].function.**",
                    "documents.**",
                    "tools.**",
                    "tool_results.**",
                    "response_format.json_schema.**",
                    "response_format.schema.**",
                    "texts[]",
                    "inputs[].content[].text",
                    "query")
            .andFiles("messages[].content[].image_url.url", "inputs[].content[].image_url.url", "images[]")
            .andEnds("messages[].content[]");

    private static final JsonPaths RESPONSE = JsonPaths.of(
                    "usage.billed_units.input_tokens",
                    "usage.billed_units.output_tokens",
                    "delta.usage.billed_units.input_tokens",
                    "delta.usage.billed_units.output_tokens",
                    "meta.billed_units.input_tokens",
                    "meta.billed_units.output_tokens",
                    "meta.billed_units.image_tokens",
                    "response.meta.billed_units.input_tokens",
                    "response.meta.billed_units.output_tokens",
                    "type",
                    "is_finished",
                    "finish_reason",
                    "delta.finish_reason",
                    "message")
            .andTexts(
                    "message.content[].text",
                    "message.content[].thinking",
                    "message.tool_plan",
                    "message.tool_calls[].function.**",
                    "delta.message.content.text",
                    "delta.message.content.thinking",
                    "delta.message.tool_plan",
                    "delta.message.tool_calls.function.**",
                    "generations[].text",
                    "tool_calls.**",
                    "text");

    @Override
    public boolean speaksFor(Target target) {
        return target.method().equals("POST")
                && target.provider().equals("cohere")
                && PATH.matcher(target.path()).matches();
    }

    @Override
    public String provider(Target target) {
        return target.provider();
    }

    @Override
    public void target(Target target, RequestReader request) {
        if (target.path().endsWith("/embed") || target.path().endsWith("/rerank")) {
            request.noOutput();
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
            case "max_tokens" -> request.outputCap(field.count());
            case "num_generations" -> request.choices(field.count());
            case "messages[].content[].image_url.url", "inputs[].content[].image_url.url", "images[]" ->
                request.media(Media.of(field.value(), Media.Kind.PICTURE));
            case "messages[].content[].image_url.detail" -> request.detail(field.text());
            case "messages[].content[]" -> request.partEnds();
            case "message", "chat_history[].message", "messages[].content", "messages[].content[].text" -> {
                request.tokens(TOKENS_A_MESSAGE);
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
        String path = field.path();
        if (path.contains("billed_units.")) {
            response.reported(path.substring(path.lastIndexOf('.') + 1), field);
            return;
        }
        switch (path) {
            // An error is no more than a sentence, which may quote the request.
            case "message" -> response.error("error");
            case "finish_reason", "delta.finish_reason" -> {
                if (field.text().startsWith("ERROR")) {
                    response.error(field.text());
                }
            }
            case "type" -> {
                if (field.text().equals("message-end")) {
                    response.end();
                }
            }
            case "is_finished" -> {
                if (field.text().equals("true")) {
                    response.end();
                }
            }
            default -> {}
        }
    }

    @Override
    public Usage usage(Map<String, Long> counts) {
        return Usage.of(
                counts.getOrDefault("input_tokens", 0L) + counts.getOrDefault("image_tokens", 0L),
                counts.getOrDefault("output_tokens", 0L));
    }

    @Override
    public boolean billable(int status, String error) {
        // What is not valid, what is blocked, and what a trial has no more of ("Errors"); 503 says that the service is
        // not there.
        return !(status == 400 || status == 402 || status == 498 || status == 503);
    }

    @Override
    public byte[] errorBody(int status, String message) {
        return ErrorBody.of(json -> {
            json.writeStartObject();
            json.writeStringField("message", message);
            json.writeEndObject();
        });
    }
}
