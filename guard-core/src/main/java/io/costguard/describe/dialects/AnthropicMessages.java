package io.costguard.describe.dialects;

import io.costguard.Unit;
import io.costguard.describe.Dialect;
import io.costguard.describe.ErrorBody;
import io.costguard.describe.Field;
import io.costguard.describe.JsonPaths;
import io.costguard.describe.Media;
import io.costguard.describe.Remaining;
import io.costguard.describe.Target;
import io.costguard.describe.Usage;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Anthropic's messages, at Anthropic or at any host that offers the same path, or at Vertex AI, with the model in the URL; and Anthropic's
 * older text completions. The shapes are those of the API reference ("Messages", "Streaming Messages", "Service tiers", "Errors", "Create a
 * Text Completion") and of Vertex AI ("Request predictions with Claude models"). Input tokens are without those of the prompt cache; those that are written to
 * it for an hour are among those that are written. In a stream, output is cumulative, and input may be reported again, higher: the last report
 * counts. Text completions report no usage.
 */
final class AnthropicMessages implements Dialect {
    private static final long TOKENS_A_MESSAGE = 6;

    /** The system prompt that comes with tools, at its longest (API guide, "Tool use", pricing). */
    private static final long TOKENS_OF_TOOLS = 530;

    private static final long TOKENS_OF_THINKING = 40;

    /** As recorded. */
    private static final long TOKENS_AROUND_A_FILE = 4;

    /** Remaining tokens are told to the nearest thousand (API guide, "Rate limits", response headers): there may be as many more. */
    private static final long ROUNDING = 500;

    /** What a server tool found comes back encrypted with the next turn; so many characters of base64 are about a token of text. */
    private static final long ENCRYPTED_A_TOKEN = 5;

    private static final Pattern ON_VERTEX =
            Pattern.compile(".*/publishers/anthropic/models/[^/]+:(?:rawPredict|streamRawPredict)");

    /** Counts tokens, and is free ("Count tokens for Claude models"). */
    private static final String COUNTS_ONLY = "count-tokens";

    private static final List<String> FILES = List.of(
            "messages[].content[].source.data",
            "messages[].content[].source.url",
            "messages[].content[].source.content[].source.data",
            "messages[].content[].source.content[].source.url",
            "messages[].content[].content[].source.data",
            "messages[].content[].content[].source.url");

    private static final JsonPaths REQUEST = JsonPaths.of(
                    "model",
                    "service_tier",
                    "max_tokens",
                    "max_tokens_to_sample",
                    "prompt",
                    "system",
                    "system[].text",
                    "messages[].role",
                    "messages[].content",
                    "messages[].content[].text",
                    "messages[].content[].thinking",
                    "messages[].content[].id",
                    "messages[].content[].name",
                    "messages[].content[].tool_use_id",
                    "messages[].content[].input.**",
                    "messages[].content[].content",
                    "messages[].content[].content[].text",
                    "messages[].content[].content[].title",
                    "messages[].content[].content[].url",
                    "messages[].content[].content[].encrypted_content",
                    "messages[].content[].content.stdout",
                    "messages[].content[].content.stderr",
                    "messages[].content[].source.file_id",
                    "messages[].content[].content[].source.file_id",
                    "messages[].content[].source.content",
                    "messages[].content[].source.content[].text",
                    "tools[].name",
                    "tools[].description",
                    "tools[].input_schema.**",
                    "thinking.type")
            .andFiles(FILES.toArray(String[]::new));

    /** What a usage counts. */
    private static final List<String> COUNTS = List.of(
            "input_tokens",
            "output_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
            "cache_creation.ephemeral_1h_input_tokens");

    /**
     * Of each time that the model was run for one answer. What they come to is billed; the usage itself leaves out those that summed up an earlier
     * part of the conversation ("Compaction", understanding usage), or asked another model ("Advisor tool").
     */
    private static final String ITERATIONS = "iterations[].";

    private static final JsonPaths RESPONSE = JsonPaths.of(
                    usagePaths("stop_reason", "type", "error.type", "error.status"))
            .andTexts(
                    "content[].text",
                    "content[].thinking",
                    "content[].input.**",
                    "delta.text",
                    "delta.thinking",
                    "delta.partial_json",
                    "completion");

    /** {@code others}, and all of a usage in each of its places. */
    private static String[] usagePaths(String... others) {
        Stream<String> usage = Stream.of("usage.", "message.usage.")
                .flatMap(place -> Stream.concat(
                        Stream.of(place + "service_tier"),
                        Stream.of(place, place + ITERATIONS)
                                .flatMap(within -> COUNTS.stream().map(within::concat))));
        return Stream.concat(usage, Stream.of(others)).toArray(String[]::new);
    }

    @Override
    public boolean speaksFor(Target target) {
        String path = target.path();
        return target.method().equals("POST")
                && (path.endsWith("/v1/messages")
                        || path.endsWith("/v1/complete")
                        || (isOnVertex(target) && !GoogleUrl.model(target).equals(COUNTS_ONLY)));
    }

    private static boolean isOnVertex(Target target) {
        return ON_VERTEX.matcher(target.path()).matches();
    }

    @Override
    public String provider(Target target) {
        if (!target.provider().isEmpty()) {
            return target.provider();
        }
        return isOnVertex(target) ? "vertex" : "anthropic";
    }

    /** On the paths of Vertex AI the project, whatever host offers them; else as {@link AccountKey} has it. */
    @Override
    public String apiKey(Target target, Function<String, Optional<String>> headers) {
        String project = isOnVertex(target) ? GoogleUrl.project(target) : "";
        return project.isEmpty() ? AccountKey.of(Dialect.super.apiKey(target, headers), target) : project;
    }

    /** On Vertex AI, a model's date comes after an {@code @}: the name is made that which Anthropic gives it. */
    @Override
    public void target(Target target, RequestReader request) {
        if (isOnVertex(target)) {
            request.model(GoogleUrl.model(target).replace("@default", "").replace('@', '-'));
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
            case "service_tier" -> request.tier(field);
            case "max_tokens", "max_tokens_to_sample" -> request.outputCap(field.count());
            case "messages[].role" -> request.tokens(TOKENS_A_MESSAGE);
            case "tools[].name" -> {
                request.tokensOnce("tools", TOKENS_OF_TOOLS);
                request.text(field.text());
            }
            case "thinking.type" -> request.tokens(TOKENS_OF_THINKING);
            case "messages[].content[].content[].encrypted_content" ->
                request.tokens(field.text().length() / ENCRYPTED_A_TOKEN);
            case "messages[].content[].source.file_id", "messages[].content[].content[].source.file_id" ->
                request.media(Media.elsewhere(Media.Kind.PICTURE));
            default -> {
                // A document may be plain text.
                if (FILES.contains(field.path()) && Media.isEncoded(field.value())) {
                    request.tokens(TOKENS_AROUND_A_FILE);
                    request.media(Media.of(field.value(), Media.Kind.PICTURE));
                } else {
                    request.text(field.text());
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
        String path = field.path();
        if (path.endsWith(".service_tier")) {
            response.tier(field.text());
        } else if (path.contains(ITERATIONS)) {
            response.part(ITERATIONS + path.substring(path.lastIndexOf('.') + 1), field);
        } else if (path.startsWith("usage.") || path.startsWith("message.usage.")) {
            response.reported(path.substring(path.lastIndexOf('.') + 1), field);
        } else if (path.equals("error.type") || path.equals("error.status")) {
            response.error(field.text());
        } else if (path.equals("stop_reason")) {
            if (field.isString()) {
                response.end();
            }
        } else if (path.equals("type") && field.text().equals("message_stop")) {
            response.end();
        }
    }

    @Override
    public Usage usage(Map<String, Long> counts) {
        long written = count(counts, "cache_creation_input_tokens");
        long forAnHour = Math.min(written, count(counts, "ephemeral_1h_input_tokens"));
        return Usage.of(count(counts, "input_tokens"), count(counts, "output_tokens"))
                .withCacheRead(count(counts, "cache_read_input_tokens"))
                .withCacheWrite(written - forAnHour)
                .withCacheWriteLong(forAnHour);
    }

    private static long count(Map<String, Long> counts, String name) {
        return Math.max(counts.getOrDefault(name, 0L), counts.getOrDefault(ITERATIONS + name, 0L));
    }

    @Override
    public boolean billable(int status, String error) {
        // Errors come in place of an answer, and are not billed ("Errors"); 5xx of a gateway may hide one that was.
        boolean refused = status == 400 || status == 529 || error.equals("overloaded_error");
        return !refused;
    }

    @Override
    public List<Remaining> remaining(Function<String, Optional<String>> headers, Instant sent, Instant now) {
        return Stream.of(Unit.REQUESTS, Unit.TOKENS, Unit.INPUT_TOKENS, Unit.OUTPUT_TOKENS)
                .flatMap(unit -> remaining(unit, headers, sent, now).stream())
                .toList();
    }

    private static Optional<Remaining> remaining(
            Unit unit, Function<String, Optional<String>> headers, Instant sent, Instant now) {
        String of = "anthropic-ratelimit-" + unit.label().replace(' ', '-');
        Optional<Remaining> told = Remaining.of(unit, of + "-remaining", of + "-reset", headers, sent, now);
        return unit == Unit.REQUESTS ? told : told.map(rounded -> rounded.plus(ROUNDING));
    }

    @Override
    public byte[] errorBody(int status, String message) {
        String type = switch (status) {
            case 429 -> "rate_limit_error";
            case 402 -> "billing_error";
            default -> "overloaded_error";
        };
        return ErrorBody.of(json -> {
            json.writeStartObject();
            json.writeStringField("type", "error");
            json.writeObjectFieldStart("error");
            json.writeStringField("type", type);
            json.writeStringField("message", message);
            json.writeEndObject();
            json.writeEndObject();
        });
    }
}
