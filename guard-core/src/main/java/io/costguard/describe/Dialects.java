package io.costguard.describe;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The dialects there are: a user's own first, then those of this library. Immutable. */
public final class Dialects {
    private static final JsonFactory JSON = new JsonFactory();
    private static final Dialects BUNDLED = new Dialects(List.of(
            new OpenAiChat(),
            new OpenAiResponses(),
            new OpenAiCompletions(),
            new OpenAiEmbeddings(),
            new OpenAiModerations(),
            new OpenAiImages(),
            new OpenAiAudio(),
            new AnthropicMessages(),
            new Gemini(),
            new Cohere(),
            new Ollama(),
            new LlamaCpp(),
            new TextGenerationInference(),
            new Bedrock()));

    /** Base64 of a second of speech, 24 kHz and 16 bit, has 64,000 characters and is at most 25 tokens. */
    private static final long BASE64_A_TOKEN = 2_000;

    private final List<Dialect> all;

    private Dialects(List<Dialect> all) {
        this.all = all;
    }

    /** Those that come with this library. */
    public static Dialects bundled() {
        return BUNDLED;
    }

    /** These, and {@code dialect}, which is asked first. */
    public Dialects with(Dialect dialect) {
        List<Dialect> more = new ArrayList<>(all.size() + 1);
        more.add(dialect);
        more.addAll(all);
        return new Dialects(List.copyOf(more));
    }

    /** The first that speaks for a request. */
    public Optional<Dialect> of(Target target) {
        for (Dialect dialect : all) {
            if (dialect.speaksFor(target)) {
                return Optional.of(dialect);
            }
        }
        return Optional.empty();
    }

    static long tokensOfBase64(String data) {
        return 10 + data.length() / BASE64_A_TOKEN;
    }

    /** What writes a JSON document. */
    interface JsonBody {
        void write(JsonGenerator json) throws IOException;
    }

    static byte[] json(JsonBody body) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (JsonGenerator json = JSON.createGenerator(out)) {
            body.write(json);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }

    /** The body of an error where no provider is known. */
    public static byte[] plainError(String message) {
        return json(json -> {
            json.writeStartObject();
            json.writeObjectFieldStart("error");
            json.writeStringField("message", message);
            json.writeEndObject();
            json.writeEndObject();
        });
    }
}
