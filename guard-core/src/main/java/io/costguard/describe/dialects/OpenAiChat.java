package io.costguard.describe.dialects;

import io.costguard.describe.Field;
import io.costguard.describe.JsonPaths;
import io.costguard.describe.Media;
import io.costguard.describe.Target;
import java.util.List;
import java.util.Optional;

/**
 * Chat completions: OpenAI's ("Create chat completion", "The chat completion chunk object") and those of all who offer the same path.
 */
final class OpenAiChat extends OpenAi {
    private static final JsonPaths REQUEST = JsonPaths.of(
                    "model",
                    "models[]",
                    TIER,
                    "max_completion_tokens",
                    "max_tokens",
                    "n",
                    "modalities[]",
                    "messages[].role",
                    "messages[].name",
                    "messages[].content",
                    "messages[].content[].text",
                    "messages[].content[].refusal",
                    "messages[].content[].image_url.detail",
                    "messages[].content[].file.file_id",
                    "messages[].tool_calls[].function.**",
                    "messages[].function_call.**",
                    "tools.**",
                    "functions.**",
                    "response_format.json_schema.**",
                    "prediction.content",
                    "prediction.content[].text")
            .andFiles(
                    "messages[].content[].image_url",
                    "messages[].content[].image_url.url",
                    "messages[].content[].input_audio.data",
                    "messages[].content[].file.file_data")
            .andEnds("messages[].content[]");

    /** Groq has its usage in a place of its own (API reference, "Create chat completion"), or in both. */
    private static final List<String> USAGE = List.of("usage", "x_groq.usage");

    private static final JsonPaths RESPONSE = paths(USAGE)
            .andTexts(
                    "choices[].message.content",
                    "choices[].message.content[].text",
                    "choices[].message.content[].thinking[].text",
                    "choices[].message.refusal",
                    "choices[].message.reasoning",
                    "choices[].message.reasoning_content",
                    "choices[].message.audio.transcript",
                    "choices[].message.tool_calls[].function.**",
                    "choices[].message.function_call.**");

    /** Moonshot has it in the last event's choice, unless it is asked for in its own place (earendil-works/pi#2017). */
    private static final List<String> USAGE_OF_EVENT = List.of("usage", "x_groq.usage", "choices[].usage");

    private static final JsonPaths EVENT = paths(USAGE_OF_EVENT, "object", "x_groq.error")
            .andTexts(
                    "choices[].delta.content",
                    "choices[].delta.content[].text",
                    "choices[].delta.content[].thinking[].text",
                    "choices[].delta.refusal",
                    "choices[].delta.reasoning",
                    "choices[].delta.reasoning_content",
                    "choices[].delta.audio.transcript",
                    "choices[].delta.tool_calls[].function.**",
                    "choices[].delta.function_call.**");

    OpenAiChat() {
        super("/chat/completions");
    }

    @Override
    public JsonPaths requestPaths() {
        return REQUEST;
    }

    @Override
    public void request(Field field, RequestReader request) {
        switch (field.path()) {
            // Of those that OpenRouter may fall back to ("Model Routing"), it is not known which will answer.
            case "model", "models[]" -> request.model(field.text());
            case TIER -> request.tier(field);
            case "max_completion_tokens", "max_tokens" -> request.outputCap(field.count());
            case "n" -> request.choices(field.count());
            case "modalities[]" -> {
                switch (field.text()) {
                    case "audio" -> request.outputKind(Media.Kind.SOUND);
                    case "image" -> request.outputKind(Media.Kind.PICTURE); // OpenRouter ("Image generation")
                    default -> {}
                }
            }
            case "messages[].role" -> message(request);
            case "messages[].content[].image_url", "messages[].content[].image_url.url" ->
                request.media(Media.of(field.value(), Media.Kind.PICTURE));
            case "messages[].content[].image_url.detail" -> request.detail(field.text());
            case "messages[].content[].input_audio.data" -> request.media(Media.of(field.value(), Media.Kind.SOUND));
            case "messages[].content[].file.file_data" -> request.media(Media.of(field.value(), Media.Kind.DOCUMENT));
            case "messages[].content[].file.file_id" -> request.media(Media.elsewhere(Media.Kind.PDF));
            case "messages[].content[]" -> request.partEnds();
            case "tools.**", "functions.**", "response_format.json_schema.**" -> schema(field, request);
            default -> request.text(field.text());
        }
    }

    @Override
    public Optional<byte[]> askForUsage(Target target, byte[] body) {
        return StreamOptions.askForUsage(target, body);
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
            case "object" -> {
                if (field.text().equals("chat.completion.done")) {
                    response.end(); // of Perplexity, which sends no [DONE]
                } else if (field.text().equals("error")) {
                    response.error(field.text()); // of vLLM
                }
            }
            case "x_groq.error" -> response.error(field.text());
            default -> {}
        }
    }
}
