package io.costguard.describe.dialects;

import io.costguard.describe.Dialect;
import io.costguard.describe.ErrorBody;
import io.costguard.describe.Field;
import io.costguard.describe.JsonPaths;
import io.costguard.describe.Media;
import io.costguard.describe.Target;
import io.costguard.describe.Usage;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Amazon Bedrock's runtime: Converse, and Invoke with the bodies of all families of models, each at once and as a stream. The shapes are
 * those of the API reference ("Converse", "ConverseStream", "InvokeModel", "ResponseStream") and of the user guides ("Inference request
 * parameters and response fields", "Amazon Nova: Request and response schema"). One dialect reads them all: no two of them mean different
 * things by one path.
 */
final class Bedrock implements Dialect {
    private static final Set<String> OPERATIONS =
            Set.of("converse", "converse-stream", "invoke", "invoke-with-response-stream");

    private static final String MODEL = "/model/";

    /** An ARN that ends with a model's own name; others name something of an account. */
    private static final Pattern MODEL_ARN = Pattern.compile("arn:[^/]*:(?:inference-profile|foundation-model)/(.+)");

    private static final long TOKENS_A_MESSAGE = 5;

    /** What leads over to the answer: of all models but one, recorded exchanges had no more. */
    private static final long TOKENS_OF_THE_LEAD = 3;

    private static final long TOKENS_OF_THE_LEAD_OF_NOVA_2 = 45;

    /** What comes with tools (likewise; it is Nova 2 that had most, Claude had 530). */
    private static final long TOKENS_OF_TOOLS = 860;

    private static final long TOKENS_OF_PUNCTUATION = 2;

    /** Of Invoke and what answers it ("InvokeModel"). */
    private static final String TIER_HEADER = "X-Amzn-Bedrock-Service-Tier";

    /** Of Converse and what answers it ("Converse", "ConverseStreamMetadataEvent"). */
    private static final String TIER = "serviceTier.type";

    /** In bodies that are as OpenAI's ("Service tiers for optimizing performance and cost"). */
    private static final String TIER_OF_OPENAI = "service_tier";

    private static final List<String> CAPS = List.of(
            "inferenceConfig.maxTokens",
            "inferenceConfig.max_new_tokens",
            "max_tokens",
            "max_completion_tokens",
            "max_tokens_to_sample",
            "max_gen_len",
            "maxTokens",
            "textGenerationConfig.maxTokenCount");

    private static final List<String> CHOICES = List.of("n", "num_generations", "numResults");

    private static final List<String> TOOLS =
            List.of("toolConfig.**", "tools.**", "outputConfig.**", "response_format.json_schema.**");

    private static final List<String> CONTENT = List.of(
            "text",
            "json.**",
            "image.source.s3Location.uri",
            "document.name",
            "document.context",
            "document.source.s3Location.uri",
            "document.source.text",
            "document.source.content[].text",
            "searchResult.title",
            "searchResult.content[].text");

    private static final List<String> FILES = List.of(
            "image.source.bytes",
            "document.source.bytes",
            "video.source.bytes",
            "audio.source.bytes",
            // Anthropic's
            "source.data",
            // as OpenAI's
            "image_url.url");

    private static final JsonPaths REQUEST = paths(List.of(
                    CAPS,
                    CHOICES,
                    TOOLS,
                    List.of(TIER, TIER_OF_OPENAI),
                    below("messages[].content[].", CONTENT),
                    below("messages[].content[].toolResult.content[].", CONTENT),
                    below("messages[].content[].content[].", CONTENT),
                    List.of(
                            "system",
                            "system[].text",
                            "system[].guardContent.text.text",
                            "promptVariables.**",
                            "messages[].role",
                            "messages[].content",
                            "messages[].content[].guardContent.text.text",
                            "messages[].content[].citationsContent.content[].text",
                            "messages[].content[].reasoningContent.reasoningText.text",
                            "messages[].content[].toolUse.toolUseId",
                            "messages[].content[].toolUse.name",
                            "messages[].content[].toolUse.input.**",
                            "messages[].content[].toolResult.toolUseId",
                            // Anthropic's
                            "messages[].content[].thinking",
                            "messages[].content[].id",
                            "messages[].content[].name",
                            "messages[].content[].tool_use_id",
                            "messages[].content[].input.**",
                            "messages[].content[].content",
                            // as OpenAI's: Mistral, AI21, Qwen, gpt-oss
                            "messages[].tool_calls[].function.**",
                            // Titan; Llama, Mistral, and older models; Cohere
                            "inputText",
                            "prompt",
                            "message",
                            "preamble",
                            "chat_history[].message",
                            "tool_results.**",
                            "documents.**",
                            "query",
                            "texts[]")))
            .andFiles(Stream.of("", "toolResult.content[].", "content[].")
                    .flatMap(within -> below("messages[].content[]." + within, FILES).stream())
                    .toArray(String[]::new));

    private static final Map<String, String> HEADERS = Map.of(
            "x-amzn-bedrock-input-token-count", "input",
            "x-amzn-bedrock-output-token-count", "output",
            "x-amzn-bedrock-cache-read-input-token-count", "cacheRead",
            "x-amzn-bedrock-cache-write-input-token-count", "cacheWrite");

    private static final Map<String, String> COUNTS = Map.ofEntries(
            Map.entry("usage.inputTokens", "input"),
            Map.entry("usage.outputTokens", "output"),
            Map.entry("usage.cacheReadInputTokens", "cacheRead"),
            Map.entry("usage.cacheReadInputTokenCount", "cacheRead"),
            Map.entry("usage.cacheWriteInputTokens", "cacheWrite"),
            Map.entry("usage.cacheWriteInputTokenCount", "cacheWrite"),
            Map.entry("usage.cacheDetails[].inputTokens", "cacheWriteOfOneKind"),
            Map.entry("amazon-bedrock-invocationMetrics.inputTokenCount", "input"),
            Map.entry("amazon-bedrock-invocationMetrics.outputTokenCount", "output"),
            Map.entry("amazon-bedrock-invocationMetrics.cacheReadInputTokenCount", "cacheRead"),
            Map.entry("amazon-bedrock-invocationMetrics.cacheWriteInputTokenCount", "cacheWrite"),
            Map.entry("usage.input_tokens", "input"),
            Map.entry("usage.output_tokens", "output"),
            Map.entry("usage.cache_read_input_tokens", "cacheRead"),
            Map.entry("usage.cache_creation_input_tokens", "cacheWrite"),
            Map.entry("usage.cache_creation.ephemeral_1h_input_tokens", "cacheWriteLong"),
            Map.entry("message.usage.input_tokens", "input"),
            Map.entry("message.usage.output_tokens", "output"),
            Map.entry("message.usage.cache_read_input_tokens", "cacheRead"),
            Map.entry("message.usage.cache_creation_input_tokens", "cacheWrite"),
            Map.entry("message.usage.cache_creation.ephemeral_1h_input_tokens", "cacheWriteLong"),
            Map.entry("usage.prompt_tokens", "input"),
            Map.entry("usage.completion_tokens", "output"),
            Map.entry("usage.prompt_tokens_details.cached_tokens", "cachedOfInput"),
            Map.entry("inputTextTokenCount", "input"),
            Map.entry("results[].tokenCount", "output"),
            Map.entry("totalOutputTextTokenCount", "output"),
            Map.entry("prompt_token_count", "input"),
            Map.entry("generation_token_count", "output"));

    private static final List<String> DELTA = List.of(
            "delta.text",
            "delta.reasoningContent.text",
            "delta.toolUse.input",
            // Anthropic's
            "delta.thinking",
            "delta.partial_json");

    private static final JsonPaths RESPONSE = paths(List.of(
                    COUNTS.keySet(),
                    List.of(
                            TIER,
                            "usage.cacheDetails[].ttl",
                            "bytes",
                            // These come last.
                            "metrics.latencyMs",
                            "amazon-bedrock-invocationMetrics.invocationLatency",
                            "message",
                            "Message",
                            "error.type")))
            .andTexts(DELTA.toArray(String[]::new))
            .andTexts(below("contentBlockDelta.", DELTA).toArray(String[]::new))
            .andTexts(
                    "output.message.content[].text",
                    "output.message.content[].reasoningContent.reasoningText.text",
                    "output.message.content[].citationsContent.content[].text",
                    "output.message.content[].toolUse.input.**",
                    // Anthropic's
                    "content[].text",
                    "content[].thinking",
                    "content[].input.**",
                    "completion",
                    // as OpenAI's
                    "choices[].message.content",
                    "choices[].message.reasoning_content",
                    "choices[].message.tool_calls[].function.**",
                    "choices[].delta.content",
                    "choices[].delta.reasoning_content",
                    "choices[].delta.tool_calls[].function.**",
                    "choices[].text",
                    // Titan, Llama, Mistral, Cohere, AI21
                    "results[].outputText",
                    "outputText",
                    "generation",
                    "outputs[].text",
                    "generations[].text",
                    "text",
                    "completions[].data.text");

    private static List<String> below(String prefix, List<String> paths) {
        return paths.stream().map(path -> prefix + path).toList();
    }

    private static JsonPaths paths(List<? extends Collection<String>> parts) {
        return JsonPaths.of(parts.stream().flatMap(Collection::stream).toArray(String[]::new));
    }

    @Override
    public boolean speaksFor(Target target) {
        String path = target.path();
        int model = path.indexOf(MODEL);
        int operation = path.lastIndexOf('/');
        return target.method().equals("POST")
                && model >= 0
                && operation > model + MODEL.length()
                && OPERATIONS.contains(path.substring(operation + 1));
    }

    @Override
    public String provider(Target target) {
        return target.provider().isEmpty() ? "bedrock" : target.provider();
    }

    @Override
    public String apiKey(Target target, Function<String, Optional<String>> headers) {
        return AwsKey.of(Dialect.super.apiKey(target, headers), target);
    }

    @Override
    public void target(Target target, RequestReader request) {
        String path = target.path();
        String id = path.substring(path.indexOf(MODEL) + MODEL.length(), path.lastIndexOf('/'));
        Matcher arn = MODEL_ARN.matcher(id);
        String model = arn.matches() ? arn.group(1) : id;
        request.model(model);
        request.tokens(model.contains("amazon.nova-2") ? TOKENS_OF_THE_LEAD_OF_NOVA_2 : TOKENS_OF_THE_LEAD);
    }

    @Override
    public void requestHeaders(Function<String, Optional<String>> headers, RequestReader request) {
        headers.apply(TIER_HEADER).ifPresent(request::tier);
    }

    @Override
    public JsonPaths requestPaths() {
        return REQUEST;
    }

    @Override
    public void request(Field field, RequestReader request) {
        String path = field.path();
        if (CAPS.contains(path)) {
            request.outputCap(field.count());
        } else if (CHOICES.contains(path)) {
            request.choices(field.count());
        } else if (path.equals(TIER) || path.equals(TIER_OF_OPENAI)) {
            request.tier(field);
        } else if (TOOLS.contains(path)) {
            request.tokensOnce("tools", TOKENS_OF_TOOLS);
            request.text(field.text());
            request.tokens(TOKENS_OF_PUNCTUATION);
        } else if (path.equals("messages[].role")) {
            request.tokens(TOKENS_A_MESSAGE);
        } else if (path.contains("image.source.") || path.endsWith("image_url.url")) {
            request.media(Media.of(field.value(), Media.Kind.PICTURE));
        } else if (path.endsWith("document.source.bytes")) {
            request.media(Media.of(field.value(), Media.Kind.DOCUMENT));
        } else if (path.endsWith("document.source.s3Location.uri")) {
            request.media(Media.elsewhere(Media.Kind.PDF));
        } else if (path.endsWith("video.source.bytes")) {
            request.media(Media.of(field.value(), Media.Kind.FILM));
        } else if (path.endsWith("audio.source.bytes")) {
            request.media(Media.of(field.value(), Media.Kind.SOUND));
        } else if (path.endsWith("source.data") && Media.isEncoded(field.value())) {
            request.media(Media.of(field.value(), Media.Kind.PICTURE));
        } else {
            request.text(field.text());
        }
    }

    @Override
    public JsonPaths responsePaths() {
        return RESPONSE;
    }

    @Override
    public void response(Field field, ResponseReader response) {
        String count = COUNTS.get(field.path());
        if (count != null) {
            response.reported(count, field);
            return;
        }
        switch (field.path()) {
            case TIER -> response.tier(field.text());
            case "usage.cacheDetails[].ttl" -> {
                if (field.text().equals("1h")) {
                    response.reported("cacheWritesForAnHour", OptionalLong.of(1));
                }
            }
            case "bytes" -> response.document(decoded(field.text()));
            case "metrics.latencyMs", "amazon-bedrock-invocationMetrics.invocationLatency" -> response.end();
            case "error.type" -> response.error(field.text());
            // An error's text, which is all that its body has.
            case "message", "Message" -> response.error("error");
            default -> {}
        }
    }

    private static byte[] decoded(String base64) {
        try {
            return Base64.getDecoder().decode(base64);
        } catch (IllegalArgumentException e) {
            return new byte[0];
        }
    }

    @Override
    public void responseHeaders(Function<String, Optional<String>> headers, ResponseReader response) {
        headers.apply("x-amzn-errortype").ifPresent(type -> response.error(type.split(":", 2)[0]));
        headers.apply(TIER_HEADER).ifPresent(response::tier);
        HEADERS.forEach((header, name) -> headers.apply(header)
                .ifPresent(value -> response.reported(name, new Field(header, Field.Kind.NUMBER, value.strip()))));
    }

    @Override
    public Usage usage(Map<String, Long> counts) {
        long input = counts.getOrDefault("input", 0L);
        long cached = Math.min(input, counts.getOrDefault("cachedOfInput", 0L));
        long written = counts.getOrDefault("cacheWrite", 0L);
        // Where some is kept for an hour and some is not, it is not known which is which: the larger is the dearer.
        String kept = counts.containsKey("cacheWritesForAnHour") ? "cacheWriteOfOneKind" : "cacheWriteLong";
        long writtenLong = Math.min(written, counts.getOrDefault(kept, 0L));
        return Usage.of(input - cached, counts.getOrDefault("output", 0L))
                .withCacheRead(cached + counts.getOrDefault("cacheRead", 0L))
                .withCacheWrite(written - writtenLong)
                .withCacheWriteLong(writtenLong);
    }

    @Override
    public boolean billable(int status, String error) {
        return switch (status) {
            // All of these refuse the request as it is (user guide, "Troubleshooting Amazon Bedrock API Error Codes").
            case 400 -> false;
            case 503 -> !error.contains("ServiceUnavailable");
            default -> true;
        };
    }

    @Override
    public byte[] errorBody(int status, String message) {
        String type = switch (status) {
            case 429 -> "ThrottlingException";
            case 402 -> "ServiceQuotaExceededException";
            default -> "ServiceUnavailableException";
        };
        return ErrorBody.of(json -> {
            json.writeStartObject();
            json.writeStringField("__type", type);
            json.writeStringField("message", message);
            json.writeEndObject();
        });
    }
}
