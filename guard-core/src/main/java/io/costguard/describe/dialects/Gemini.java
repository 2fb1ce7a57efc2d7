package io.costguard.describe.dialects;

import io.costguard.describe.Dialect;
import io.costguard.describe.ErrorBody;
import io.costguard.describe.Field;
import io.costguard.describe.JsonPaths;
import io.costguard.describe.Media;
import io.costguard.describe.Target;
import io.costguard.describe.Usage;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Google's Gemini, at the Gemini API and at Vertex AI: answers, as JSON, as events or as an array, and embeddings. The shapes are those of the
 * API references ("Generating content", "Embeddings"; Vertex AI's "Text embeddings API"). The model is in the URL. Tokens that a prompt cache
 * served are among those of the prompt; thinking comes on top of the answer, and what Google's own tools fetched on top of the prompt
 * ("UsageMetadata").
 */
class Gemini implements Dialect {
    private static final Pattern ANSWER =
            Pattern.compile(".*/(?:models|tunedModels|endpoints)/[^/]+:(?:generateContent|streamGenerateContent)");
    private static final Pattern EMBEDDING = Pattern.compile(
            ".*/models/[^/]+:(?:embedContent|batchEmbedContents)|.*/publishers/google/models/[^/]*embedding[^/]*:predict");

    /** A turn has one more than its text ("Understand and count tokens", of a chat). */
    static final long TOKENS_A_TEXT = 1;

    /** As seen of thoughts that are sent along with the next turn. */
    private static final long SIGNATURE_A_TOKEN = 7;

    /** Vertex AI's ("Priority PayGo", "Flex PayGo"). */
    private static final String ASKED_TIER = "X-Vertex-AI-LLM-Shared-Request-Type";

    /** The Gemini API's ("Priority inference"). */
    private static final String SERVED_TIER = "x-gemini-service-tier";

    private static final Map<String, String> REQUEST = spellings(
            "serviceTier",
            "contents[].parts[].text",
            "contents[].parts[].mediaResolution.level",
            "contents[].parts[].thoughtSignature",
            "contents[].parts[].functionCall.**",
            "contents[].parts[].functionResponse.**",
            "contents[].parts[].executableCode.code",
            "contents[].parts[].codeExecutionResult.output",
            "systemInstruction.parts[].text",
            "tools[].functionDeclarations.**",
            "generationConfig.maxOutputTokens",
            "generationConfig.candidateCount",
            "generationConfig.responseModalities[]",
            "generationConfig.mediaResolution",
            "generationConfig.responseSchema.**",
            "generationConfig.responseJsonSchema.**",
            "content.parts[].text",
            "requests[].content.parts[].text",
            "instances[].content");

    private static final Map<String, String> FILES = spellings(
            "contents[].parts[].inlineData.data",
            "contents[].parts[].fileData.fileUri",
            "content.parts[].inlineData.data",
            "requests[].content.parts[].inlineData.data");

    private static final Map<String, String> PARTS = spellings("contents[].parts[]");

    private static final JsonPaths REQUEST_PATHS = JsonPaths.of(REQUEST.keySet().toArray(String[]::new))
            .andFiles(FILES.keySet().toArray(String[]::new))
            .andEnds(PARTS.keySet().toArray(String[]::new));

    /** Of which kinds the tokens are ("ModalityTokenCount"): these, of those that have prices of their own. */
    private static final String AUDIO = "AUDIO";

    private static final String IMAGE = "IMAGE";
    private static final Set<String> KINDS = Set.of(AUDIO, IMAGE);
    static final String OF_PROMPT = "usageMetadata.promptTokensDetails[]";
    private static final String OF_EMBEDDED = "usageMetadata.promptTokenDetails[]";
    static final String OF_CACHE = "usageMetadata.cacheTokensDetails[]";
    static final String OF_ANSWER = "usageMetadata.candidatesTokensDetails[]";

    private static final JsonPaths RESPONSE_PATHS = JsonPaths.of(
                    "usageMetadata.serviceTier",
                    "usageMetadata.trafficType",
                    "usageMetadata.promptTokenCount",
                    "usageMetadata.cachedContentTokenCount",
                    "usageMetadata.toolUsePromptTokenCount",
                    "usageMetadata.candidatesTokenCount",
                    "usageMetadata.thoughtsTokenCount",
                    "predictions[].embeddings.statistics.token_count",
                    "candidates[].finishReason",
                    "promptFeedback.blockReason",
                    "error.status",
                    OF_PROMPT + ".modality",
                    OF_PROMPT + ".tokenCount",
                    OF_EMBEDDED + ".modality",
                    OF_EMBEDDED + ".tokenCount",
                    OF_CACHE + ".modality",
                    OF_CACHE + ".tokenCount",
                    OF_ANSWER + ".modality",
                    OF_ANSWER + ".tokenCount")
            .andEnds(OF_PROMPT, OF_EMBEDDED, OF_CACHE, OF_ANSWER)
            .andTexts(
                    "candidates[].content.parts[].text",
                    "candidates[].content.parts[].functionCall.**",
                    "candidates[].content.parts[].executableCode.code",
                    "candidates[].content.parts[].codeExecutionResult.output");

    @Override
    public boolean speaksFor(Target target) {
        return target.method().equals("POST") && (ANSWER.matcher(target.path()).matches() || isEmbedding(target));
    }

    private static boolean isEmbedding(Target target) {
        return EMBEDDING.matcher(target.path()).matches();
    }

    @Override
    public String provider(Target target) {
        if (!target.provider().isEmpty()) {
            return target.provider();
        }
        return target.path().contains("/publishers/") || target.path().contains("/projects/") ? "vertex" : "gemini";
    }

    /** Tokens of Vertex AI change from hour to hour; keys do not, nor does the project that they are of. */
    @Override
    public String apiKey(Target target, Function<String, Optional<String>> headers) {
        String project = GoogleUrl.project(target);
        if (!project.isEmpty()) {
            return project;
        }
        String given = headers.apply("x-goog-api-key")
                .map(String::strip)
                .filter(key -> !key.isEmpty())
                .orElseGet(() -> target.parameter("key"));
        return given.isEmpty()
                ? headers.apply("x-goog-user-project")
                        .map(String::strip)
                        .orElseGet(() -> Dialect.super.apiKey(target, headers))
                : given;
    }

    @Override
    public void target(Target target, RequestReader request) {
        String model = GoogleUrl.model(target);
        model(model, request);
        if (isEmbedding(target)) {
            request.noOutput();
        }
    }

    /** Models of pictures make these without being asked to ("Image generation"). */
    static void model(String name, RequestReader request) {
        request.model(name);
        if (name.contains("image")) {
            request.outputKind(Media.Kind.PICTURE);
        }
    }

    static void outputKind(String modality, RequestReader request) {
        switch (modality.toUpperCase(Locale.ROOT)) {
            case AUDIO -> request.outputKind(Media.Kind.SOUND);
            case IMAGE -> request.outputKind(Media.Kind.PICTURE);
            default -> {}
        }
    }

    static void kind(String modality, ResponseReader response) {
        String kind = modality.toUpperCase(Locale.ROOT);
        response.kind(KINDS.contains(kind) ? kind : "other");
    }

    @Override
    public void requestHeaders(Function<String, Optional<String>> headers, RequestReader request) {
        headers.apply(ASKED_TIER).ifPresent(request::tier);
    }

    @Override
    public JsonPaths requestPaths() {
        return REQUEST_PATHS;
    }

    @Override
    public void request(Field field, RequestReader request) {
        if (FILES.containsKey(field.path())) {
            request.media(Media.of(field.value(), Media.Kind.PICTURE));
            return;
        }
        if (PARTS.containsKey(field.path())) {
            request.partEnds();
            return;
        }
        switch (REQUEST.getOrDefault(field.path(), field.path())) {
            case "serviceTier" -> request.tier(field);
            case "generationConfig.maxOutputTokens" -> request.outputCap(field.count());
            case "generationConfig.candidateCount" -> request.choices(field.count());
            case "generationConfig.responseModalities[]" -> outputKind(field.text(), request);
            case "contents[].parts[].mediaResolution.level" -> request.detail(field.text());
            case "generationConfig.mediaResolution" -> request.detailOfAll(field.text());
            case "contents[].parts[].thoughtSignature" ->
                request.tokens(field.text().length() / SIGNATURE_A_TOKEN);
            case "contents[].parts[].text", "systemInstruction.parts[].text" -> {
                request.tokens(TOKENS_A_TEXT);
                request.text(field.text());
            }
            default -> request.text(field.text());
        }
    }

    @Override
    public JsonPaths responsePaths() {
        return RESPONSE_PATHS;
    }

    @Override
    public void response(Field field, ResponseReader response) {
        switch (field.path()) {
            case OF_PROMPT + ".modality", OF_EMBEDDED + ".modality", OF_CACHE + ".modality", OF_ANSWER + ".modality" ->
                kind(field.text(), response);
            case OF_PROMPT + ".tokenCount",
                    OF_EMBEDDED + ".tokenCount",
                    OF_CACHE + ".tokenCount",
                    OF_ANSWER + ".tokenCount" -> response.ofKind(field);
            case OF_PROMPT, OF_EMBEDDED -> response.kindEnds(OF_PROMPT);
            case OF_CACHE, OF_ANSWER -> response.kindEnds(field.path());
            case "usageMetadata.promptTokenCount",
                    "usageMetadata.cachedContentTokenCount",
                    "usageMetadata.toolUsePromptTokenCount",
                    "usageMetadata.candidatesTokenCount",
                    "usageMetadata.thoughtsTokenCount" ->
                response.reported(field.path().substring("usageMetadata.".length()), field);
            case "usageMetadata.serviceTier", "usageMetadata.trafficType" -> response.tier(field.text());
            case "predictions[].embeddings.statistics.token_count" -> response.part("promptTokenCount", field);
            case "error.status" -> response.error(field.text());
            case "candidates[].finishReason", "promptFeedback.blockReason" -> response.end();
            default -> {}
        }
    }

    @Override
    public void responseHeaders(Function<String, Optional<String>> headers, ResponseReader response) {
        headers.apply(SERVED_TIER).ifPresent(response::tier);
    }

    @Override
    public Usage usage(Map<String, Long> counts) {
        long prompt = counts.getOrDefault("promptTokenCount", 0L);
        long cached = Math.min(prompt, counts.getOrDefault("cachedContentTokenCount", 0L));
        long uncached = prompt - cached;
        long audio = Math.min(uncached, uncached(AUDIO, counts));
        long pictures = Math.min(uncached - audio, uncached(IMAGE, counts));
        long fetched = counts.getOrDefault("toolUsePromptTokenCount", 0L);

        long answer = counts.getOrDefault("candidatesTokenCount", 0L);
        long spoken = Math.min(answer, counts.getOrDefault(OF_ANSWER + "." + AUDIO, 0L));
        long drawn = Math.min(answer - spoken, counts.getOrDefault(OF_ANSWER + "." + IMAGE, 0L));
        return Usage.of(uncached - audio - pictures + fetched, answer - spoken - drawn)
                .withCacheRead(cached)
                .withAudioInput(audio)
                .withImageInput(pictures)
                .withReasoning(counts.getOrDefault("thoughtsTokenCount", 0L))
                .withAudioOutput(spoken)
                .withImageOutput(drawn);
    }

    /** Of what no cache served. */
    private static long uncached(String kind, Map<String, Long> counts) {
        long ofCache = counts.getOrDefault(OF_CACHE + "." + kind, 0L);
        return Math.max(0, counts.getOrDefault(OF_PROMPT + "." + kind, 0L) - ofCache);
    }

    @Override
    public boolean billable(int status, String error) {
        // A request that fails is not charged (Gemini API, "Billing"; Vertex AI, "Pricing"). Charged as long as nobody
        // knows: what a gateway
        // gives up while the model works.
        return status != 400 && status != 503;
    }

    @Override
    public byte[] errorBody(int status, String message) {
        String name = switch (status) {
            case 429 -> "RESOURCE_EXHAUSTED";
            case 402 -> "FAILED_PRECONDITION";
            default -> "UNAVAILABLE";
        };
        return ErrorBody.of(json -> {
            json.writeStartObject();
            json.writeObjectFieldStart("error");
            json.writeNumberField("code", status);
            json.writeStringField("message", message);
            json.writeStringField("status", name);
            json.writeEndObject();
            json.writeEndObject();
        });
    }

    /**
     * Each path in each way in which it may be written, and that it is the same. Google takes names in camel case and with underscores, and one
     * value for a list of one.
     */
    private static Map<String, String> spellings(String... paths) {
        Map<String, String> all = new HashMap<>();
        for (String path : paths) {
            List<String> written = List.of();
            for (String step : path.split("\\.", -1)) {
                List<String> longer = new ArrayList<>();
                for (String spelling : waysToWrite(step).toList()) {
                    if (written.isEmpty()) {
                        longer.add(spelling);
                    } else {
                        written.forEach(before -> longer.add(before + "." + spelling));
                    }
                }
                written = longer;
            }
            written.forEach(spelling -> all.put(spelling, path));
        }
        return Map.copyOf(all);
    }

    private static Stream<String> waysToWrite(String step) {
        String name = step.replace("[]", "");
        String underscored = name.replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
        return Stream.of(name, underscored)
                .distinct()
                .flatMap(spelling -> name.equals(step) ? Stream.of(spelling) : Stream.of(spelling, spelling + "[]"));
    }
}
