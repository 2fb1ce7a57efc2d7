package io.costguard.describe.dialects;

import io.costguard.describe.Field;
import io.costguard.describe.JsonPaths;
import io.costguard.describe.Media;
import java.util.List;
import java.util.Set;

/**
 * OpenAI's responses ("Create a model response", "Streaming events"), at OpenAI, Azure, xAI and others. What a call refers to that is kept
 * at the provider, such as an earlier response, is not in the request, and not in its estimate.
 */
final class OpenAiResponses extends OpenAi {
    /** Beyond what chat has, as recorded. */
    private static final long TOKENS_OF_GPT_4O = 18;

    /** Of reasoning that is kept at the caller's: 5 were seen of xAI's, 9 of OpenAI's. */
    private static final long ENCRYPTED_A_TOKEN = 5;

    private static final JsonPaths REQUEST = JsonPaths.of(
                    "model",
                    "models[]",
                    TIER,
                    "max_output_tokens",
                    "instructions",
                    "input",
                    "input[].type",
                    "input[].role",
                    "input[].content",
                    "input[].content[].text",
                    "input[].content[].refusal",
                    "input[].content[].detail",
                    "input[].content[].file_id",
                    "input[].encrypted_content",
                    "input[].name",
                    "input[].arguments",
                    "input[].input",
                    "input[].output",
                    "input[].output[].text",
                    "input[].output[].detail",
                    "input[].output[].file_id",
                    "input[].output.file_id",
                    "tools.**",
                    "text.format.schema.**",
                    "text.format.description")
            .andFiles(
                    "input[].content[].image_url",
                    "input[].content[].file_data",
                    "input[].content[].file_url",
                    "input[].content[].input_audio.data",
                    "input[].output[].image_url",
                    "input[].output[].file_data",
                    "input[].output[].file_url",
                    "input[].output.image_url")
            .andEnds("input[].content[]", "input[].output[]");

    private static final JsonPaths RESPONSE = paths(List.of("usage"), "status")
            .andTexts(
                    "output[].content[].text",
                    "output[].content[].refusal",
                    "output[].summary[].text",
                    "output[].arguments",
                    "output[].input");

    private static final JsonPaths EVENT = paths(List.of("response.usage"), "type", "code", "response.error.code")
            .andTexts("delta");

    OpenAiResponses() {
        super("/responses", "/responses/compact");
    }

    @Override
    public JsonPaths requestPaths() {
        return REQUEST;
    }

    @Override
    public void request(Field field, RequestReader request) {
        switch (field.path()) {
            case "model", "models[]" -> request.model(field.text());
            case TIER -> request.tier(field);
            case "max_output_tokens" -> request.outputCap(field.count());
            case "input" -> {
                message(request);
                request.text(field.text());
            }
            case "input[].type", "input[].role" -> message(request);
            case "input[].content[].image_url", "input[].output[].image_url", "input[].output.image_url" ->
                request.media(Media.of(field.value(), Media.Kind.PICTURE));
            case "input[].content[].file_data",
                    "input[].content[].file_url",
                    "input[].output[].file_data",
                    "input[].output[].file_url" -> request.media(Media.of(field.value(), Media.Kind.DOCUMENT));
            case "input[].content[].input_audio.data" -> request.media(Media.of(field.value(), Media.Kind.SOUND));
            // Of a picture or of a document: the former may have more tokens than a page.
            case "input[].content[].file_id", "input[].output[].file_id", "input[].output.file_id" ->
                request.media(Media.elsewhere(Media.Kind.PICTURE));
            case "input[].content[].detail", "input[].output[].detail" -> request.detail(field.text());
            case "input[].content[]", "input[].output[]" -> request.partEnds();
            case "input[].encrypted_content" -> request.tokens(field.text().length() / ENCRYPTED_A_TOKEN);
            case "tools.**", "text.format.schema.**" -> schema(field, request);
            default -> request.text(field.text());
        }
    }

    @Override
    public long templateTokens(String model, Set<String> kinds) {
        return super.templateTokens(model, kinds) + (model.startsWith("gpt-4o") ? TOKENS_OF_GPT_4O : 0);
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
    void answer(Field field, ResponseReader response) {
        switch (field.path()) {
            case "status" -> {
                if (field.text().equals("queued") || field.text().equals("in_progress")) {
                    response.later();
                }
            }
            case "type" -> {
                switch (field.text()) {
                    case "response.completed", "response.incomplete", "response.failed", "error" -> response.end();
                    default -> {}
                }
            }
            case "code", "response.error.code" -> response.error(field.text());
            default -> {}
        }
    }
}
