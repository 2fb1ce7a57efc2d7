package io.costguard.describe.dialects;

import io.costguard.describe.Field;
import io.costguard.describe.JsonPaths;
import java.util.List;
import java.util.OptionalLong;

/**
 * Pictures ("Create image", "Create image edit", "Image streaming"). Models that are paid by the token report usage; of others only the
 * request is counted. An edit is most often a form, and not read.
 */
final class OpenAiImages extends OpenAi {
    /** Of the largest size (API guide, "Image generation", cost and latency). */
    private static final long TOKENS_OF_LOW_QUALITY = 408;

    private static final long TOKENS_OF_MEDIUM_QUALITY = 1_584;
    private static final long TOKENS_OF_HIGH_QUALITY = 6_240;

    private static final long BYTES_A_TOKEN = 1_000;

    private static final JsonPaths REQUEST =
            JsonPaths.of("model", "prompt", "n", "quality", "images[].image_url", "images[].file_id");
    private static final JsonPaths RESPONSE = paths(List.of("usage"), "type");

    OpenAiImages() {
        super("/images/generations", "/images/edits", "/images/variations");
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
            default -> request.tokens(TOKENS_A_PICTURE);
        }
    }

    @Override
    public long unreadTokens(long bytes) {
        return TOKENS_A_PICTURE + bytes / BYTES_A_TOKEN;
    }

    @Override
    public JsonPaths responsePaths() {
        return RESPONSE;
    }

    @Override
    void answer(Field field, ResponseReader response) {
        if (field.text().equals("image_generation.completed") || field.text().equals("image_edit.completed")) {
            response.end();
        }
    }
}
