package io.costguard.describe;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * An object in a JSON document, and where its bytes are: so that a member can be put into it while every other byte stays as it is. Bounded
 * as {@link JsonScan} is. Immutable, as long as the document is left alone; safe for use by many threads.
 */
public final class JsonObject {
    /** What a name means that comes twice in an object is for its reader to say. */
    private static final JsonFactory STRICT = JsonScan.JSON
            .rebuild()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();

    private static final byte FIRST_OF_A_BYTE_ORDER_MARK = (byte) 0xEF;

    private final byte[] document;
    /** Behind its opening brace. */
    private final int inside;

    private final Map<String, JsonToken> members = new HashMap<>();
    private final Map<String, JsonObject> objects = new HashMap<>();

    private JsonObject(byte[] document, int inside) {
        this.document = document;
        this.inside = inside;
    }

    /**
     * {@return the object that a document is; empty if it is anything else, or not in plain UTF-8, or has a name twice in one object}
     *
     * @param document bytes of JSON
     */
    public static Optional<JsonObject> of(byte[] document) {
        try (JsonParser parser = STRICT.createParser(document)) {
            boolean isObject = parser.nextToken() == JsonToken.START_OBJECT
                    && parser.currentTokenLocation().getByteOffset() >= 0 // in UTF-16 and UTF-32 there is none
                    && document[0] != FIRST_OF_A_BYTE_ORDER_MARK;
            if (!isObject) {
                return Optional.empty();
            }
            JsonObject object = read(document, parser);
            return parser.nextToken() == null ? Optional.of(object) : Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static JsonObject read(byte[] document, JsonParser parser) throws IOException {
        int opening = Math.toIntExact(parser.currentTokenLocation().getByteOffset());
        JsonObject object = new JsonObject(document, opening + 1);
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String name = parser.currentName();
            JsonToken value = parser.nextToken();
            object.members.put(name, value);
            if (value == JsonToken.START_OBJECT) {
                object.objects.put(name, read(document, parser));
            } else {
                parser.skipChildren();
            }
        }
        return object;
    }

    /**
     * {@return whether it has such a member, whatever its value}
     *
     * @param name of a member
     */
    public boolean has(String name) {
        return members.containsKey(name);
    }

    /**
     * {@return whether the value of that member is {@code true}}
     *
     * @param name of a member
     */
    public boolean isTrue(String name) {
        return members.get(name) == JsonToken.VALUE_TRUE;
    }

    /**
     * {@return the value of that member, if it is an object}
     *
     * @param name of a member
     */
    public Optional<JsonObject> object(String name) {
        return Optional.ofNullable(objects.get(name));
    }

    /**
     * {@return the document with one more member in this object, before its others}
     *
     * @param member as it is written there: {@code "name":true}
     */
    public byte[] with(String member) {
        byte[] added = (members.isEmpty() ? member : member + ",").getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(document.length + added.length)
                .put(document, 0, inside)
                .put(added)
                .put(document, inside, document.length - inside)
                .array();
    }
}
