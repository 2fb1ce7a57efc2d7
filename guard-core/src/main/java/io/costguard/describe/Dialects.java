package io.costguard.describe;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.util.List;
import java.util.Optional;

/** The dialects there are. */
public final class Dialects {
    private static final JsonFactory JSON = new JsonFactory();
    private static final List<Dialect> ALL = List.of(new OpenAiChat(), new AnthropicMessages());

    /** Base64 of a second of speech, 24 kHz and 16 bit, has 64,000 characters and is at most 25 tokens. */
    private static final long BASE64_A_TOKEN = 2_000;

    private Dialects() {}

    /** The first that speaks for a request. */
    public static Optional<Dialect> of(String method, URI uri) {
        return of(method, uri.getPath() == null ? "" : uri.getPath());
    }

    /** The first that speaks for a request, by the path of its URL, decoded. */
    public static Optional<Dialect> of(String method, String path) {
        for (Dialect dialect : ALL) {
            if (dialect.speaksFor(method, path)) {
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
