package io.costguard.describe.dialects;

import io.costguard.describe.Field;
import io.costguard.describe.JsonPaths;
import io.costguard.describe.Media;
import io.costguard.describe.Target;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The Gemini API's interactions, at once and as events ("Interactions API", "Streaming interactions"), with the names that its outputs and its events
 * had until May 2026, too ("Interactions API: breaking changes"). What a call refers to that is kept at Google, such as an earlier interaction, is
 * not in the request, and not in its estimate. Usage is counted as {@link Gemini} counts it, under other names.
 */
final class GeminiInteractions extends Gemini {
    private static final JsonPaths REQUEST = JsonPaths.of(
                    "model",
                    "agent",
                    "service_tier",
                    "generation_config.max_output_tokens",
                    "response_modalities[]",
                    "system_instruction",
                    "input",
                    "input.text",
                    "input[].text",
                    "input[].content",
                    "input[].content.text",
                    "input[].content[].text",
                    "input[].name",
                    "input[].arguments.**",
                    "input[].result.**",
                    "tools.**",
                    "response_format.**")
            .andFiles(
                    "input.data",
                    "input.uri",
                    "input[].data",
                    "input[].uri",
                    "input[].content.data",
                    "input[].content.uri",
                    "input[].content[].data",
                    "input[].content[].uri");

    private static final Set<String> FILES = Set.of("data", "uri");

    /** What each count in a usage is called by Gemini's other methods. */
    private static final Map<String, String> COUNTS = Map.of(
            "total_input_tokens", "promptTokenCount",
            "total_cached_tokens", "cachedContentTokenCount",
            "total_tool_use_tokens", "toolUsePromptTokenCount",
            "total_output_tokens", "candidatesTokenCount",
            "total_thought_tokens", "thoughtsTokenCount");

    private static final Map<String, String> DETAILS = Map.of(
            "input_tokens_by_modality[]", OF_PROMPT,
            "cached_tokens_by_modality[]", OF_CACHE,
            "output_tokens_by_modality[]", OF_ANSWER);

    private static final JsonPaths RESPONSE = paths("", "status")
            .andTexts("steps[].content[].text", "steps[].arguments.**", "outputs[].text", "outputs[].arguments.**");

    private static final JsonPaths EVENT =
            paths("interaction.", "event_type").andTexts("delta.text", "delta.content.text", "delta.arguments.**");

    /** {@code others}, errors, and all of a usage in what {@code interaction} leads to. */
    private static JsonPaths paths(String interaction, String... others) {
        String usage = interaction + "usage.";
        List<String> paths = new ArrayList<>(List.of(others));
        paths.addAll(List.of(interaction + "service_tier", "error.code", "error.status"));
        COUNTS.keySet().forEach(name -> paths.add(usage + name));
        DETAILS.keySet().forEach(list -> paths.addAll(List.of(usage + list + ".modality", usage + list + ".tokens")));
        return JsonPaths.of(paths.toArray(String[]::new))
                .andEnds(DETAILS.keySet().stream().map(usage::concat).toArray(String[]::new));
    }

    @Override
    public boolean speaksFor(Target target) {
        return target.method().equals("POST")
                && target.provider().equals("gemini")
                && target.path().endsWith("/interactions");
    }

    @Override
    public void target(Target target, RequestReader request) {}

    @Override
    public JsonPaths requestPaths() {
        return REQUEST;
    }

    @Override
    public void request(Field field, RequestReader request) {
        String path = field.path();
        if (FILES.contains(path.substring(path.lastIndexOf('.') + 1))) {
            request.media(Media.of(field.value(), Media.Kind.PICTURE));
            return;
        }
        switch (path) {
            case "model" -> model(field.text(), request);
            case "agent" -> request.modelUnlessGiven(field.text());
            case "service_tier" -> request.tier(field);
            case "generation_config.max_output_tokens" -> request.outputCap(field.count());
            case "response_modalities[]" -> outputKind(field.text(), request);
            default -> {
                request.tokens(TOKENS_A_TEXT);
                request.text(field.text());
            }
        }
    }

    @Override
    public JsonPaths responsePaths() {
        return RESPONSE;
    }

    @Override
    public JsonPaths eventPaths() {
        return EVENT;
    }

    @Override
    public void response(Field field, ResponseReader response) {
        String path = field.path();
        String name = path.substring(path.lastIndexOf('.') + 1);
        if (DETAILS.containsKey(name)) {
            response.kindEnds(DETAILS.get(name));
            return;
        }
        switch (name) {
            case "modality" -> kind(field.text(), response);
            case "tokens" -> response.ofKind(field);
            case "service_tier" -> response.tier(field.text());
            case "code" -> response.error(field.text());
            // Of a call in the background, which goes on.
            case "status" -> {
                if (path.equals("error.status")) {
                    response.error(field.text());
                } else if (field.text().equals("in_progress")) {
                    response.later();
                }
            }
            case "event_type" -> {
                if (field.text().startsWith("interaction.complete")) {
                    response.end();
                }
            }
            default -> response.reported(COUNTS.getOrDefault(name, name), field);
        }
    }
}
