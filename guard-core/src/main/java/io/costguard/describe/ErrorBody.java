package io.costguard.describe;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;

/** Writes the JSON of errors that the guard answers with in a provider's place. */
public final class ErrorBody {
    private static final JsonFactory JSON = new JsonFactory();

    private ErrorBody() {}

    /** What writes a JSON document. */
    public interface Content {
        /**
         * Writes the members of the body.
         *
         * @param json a whole document
         * @throws IOException if it cannot be read, or makes no sense
         */
        void write(JsonGenerator json) throws IOException;
    }

    /**
     * {@return a body with that content}
     *
     * @param content writes the members
     */
    public static byte[] of(Content content) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (JsonGenerator json = JSON.createGenerator(out)) {
            content.write(json);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }

    /**
     * Where no provider's form is known: {@code {"error":{"message":...}}}.
     *
     * @param message what people read
     * @return that body
     */
    public static byte[] plain(String message) {
        return of(json -> {
            json.writeStartObject();
            json.writeObjectFieldStart("error");
            json.writeStringField("message", message);
            json.writeEndObject();
            json.writeEndObject();
        });
    }
}
