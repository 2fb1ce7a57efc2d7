package io.costguard.describe.dialects;

import io.costguard.describe.Field;
import io.costguard.describe.JsonPaths;
import io.costguard.describe.Media;
import io.costguard.describe.Target;
import io.costguard.describe.Usage;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * Pictures ("Create image", "Create image edit", "Image streaming"). Models that are paid by the token report usage; of others only the
 * request is counted. An edit is most often a form, of which the pictures are not read.
 */
final class OpenAiImages extends OpenAi {
    /**
     * Of 1,024 × 1,536 (API guide, "Image generation", cost and latency), which is the most but for {@code gpt-image-2}, whose calculator there
     * gives 7,024 to a square of high quality; the one between is taken to have a quarter of that. Its larger sizes may have more.
     */
    private static final long TOKENS_OF_LOW_QUALITY = 408;

    private static final long TOKENS_OF_MEDIUM_QUALITY = 1_756;
    private static final long TOKENS_OF_HIGH_QUALITY = 7_024;

    /** A picture to edit, in high fidelity (API guide, "Images and vision", GPT Image 1): 65, 129 for each of four tiles, and 6,240. */
    private static final long MOST_TOKENS_OF_A_PICTURE = 6_821;

    private static final long BYTES_A_TOKEN = 1_000;

    private static final JsonPaths REQUEST = JsonPaths.of(
                    "model", "prompt", "n", "quality", "input_fidelity", "images[].file_id")
            .andFiles("images[].image_url");
    private static final JsonPaths RESPONSE = paths(List.of("usage"), "type");

    OpenAiImages() {
        super("/images/generations", "/images/edits", "/images/variations");
    }

    @Override
    public void target(Target target, RequestReader request) {
        super.target(target, request);
        request.outputKind(Media.Kind.PICTURE);
    }

    @Override
    public JsonPaths requestPaths() {
        return REQUEST;
    }

    @Override
    public void request(Field field, RequestReader request) {
        switch (field.path()) {
            case "model" -> request.model(field.text());
            case "n" -> request.choices(field.count());
            case "prompt" -> request.text(field.text());
            case "quality" -> {
                switch (field.text()) {
                    case "low" -> request.outputCap(OptionalLong.of(TOKENS_OF_LOW_QUALITY));
                    case "medium" -> request.outputCap(OptionalLong.of(TOKENS_OF_MEDIUM_QUALITY));
                    case "high" -> request.outputCap(OptionalLong.of(TOKENS_OF_HIGH_QUALITY));
                    default -> {}
                }
            }
            case "input_fidelity" -> request.detailOfAll(field.text());
            case "images[].file_id" -> request.media(Media.elsewhere(Media.Kind.PICTURE));
            default -> request.media(Media.of(field.value(), Media.Kind.PICTURE));
        }
    }

    @Override
    public List<String> formFields() {
        return List.of("model", "n", "quality");
    }

    @Override
    public long unreadTokens(long bytes) {
        return MOST_TOKENS_OF_A_PICTURE + bytes / BYTES_A_TOKEN;
    }

    @Override
    public JsonPaths responsePaths() {
        return RESPONSE;
    }

    /** What is made is pictures, but for what is told to be text: {@code gpt-image-1} tells nothing of it, as it makes nothing else. */
    @Override
    public Usage usage(Map<String, Long> counts) {
        Usage usage = super.usage(counts);
        return counts.containsKey(IMAGE_OUTPUT) ? usage : usage.withOutput(0).withImageOutput(usage.output());
    }

    @Override
    void answer(Field field, ResponseReader response) {
        if (field.text().equals("image_generation.completed") || field.text().equals("image_edit.completed")) {
            response.end();
        }
    }
}
