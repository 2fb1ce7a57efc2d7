package io.costguard.describe.dialects;

import io.costguard.Cost;
import io.costguard.describe.Field;
import io.costguard.describe.JsonPaths;
import io.costguard.describe.Media;
import io.costguard.describe.Target;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.OptionalLong;

/**
 * Speech to text and text to speech ("Create transcription", "Create translation", "Create speech"). Models that are paid by the token report
 * usage, but for a spoken answer that is no event stream: such a call keeps its estimate. A recording comes in a form, of which the model is
 * read, and the recording is not.
 */
final class OpenAiAudio extends OpenAi {
    private static final String SPEECH = "/audio/speech";

    /** A second has 20 ("Managing costs", audio in what the model says), and at least some ten letters; one each was measured. */
    private static final long SPOKEN_TOKENS_A_BYTE = 2;

    /** A second has 10 (the same, audio in what a user says), and at least 1,000 bytes, at 8 kbit/s. */
    private static final long RECORDED_BYTES_A_TOKEN = 100;

    private static final JsonPaths REQUEST = JsonPaths.of("model", "input", "instructions");
    private static final JsonPaths RESPONSE = paths(List.of("usage")).andTexts("text");
    private static final JsonPaths EVENT = paths(List.of("usage"), "type").andTexts("delta");

    OpenAiAudio() {
        super("/audio/transcriptions", "/audio/translations", SPEECH);
    }

    @Override
    public void target(Target target, RequestReader request) {
        super.target(target, request);
        if (target.path().endsWith(SPEECH)) {
            request.outputKind(Media.Kind.SOUND);
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
            case "input" -> {
                request.text(field.text());
                int bytes = field.text().getBytes(StandardCharsets.UTF_8).length;
                request.outputCap(OptionalLong.of(bytes * SPOKEN_TOKENS_A_BYTE));
            }
            default -> request.text(field.text());
        }
    }

    @Override
    public List<String> formFields() {
        return List.of("model");
    }

    @Override
    public long unreadTokens(long bytes) {
        return bytes / RECORDED_BYTES_A_TOKEN;
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
        switch (field.text()) {
            case "transcript.text.done" -> response.end();
            case "speech.audio.done" -> {
                // All that was spoken, however much that is.
                response.reported(AUDIO_OUTPUT, OptionalLong.of(Cost.MAX_AMOUNT));
                response.end();
            }
            default -> {}
        }
    }
}
