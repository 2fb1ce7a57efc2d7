package io.costguard.describe;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.async.NonBlockingJsonParser;
import java.io.IOException;
import java.util.Arrays;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Reads a JSON document once, and tells the values at the paths that are wanted, in their order. A whole document at once
 * ({@link #read}), or as it comes ({@link #incremental} and {@link #feed}). An array of documents is read as these, one after the other.
 * Bounded in depth and in the length of names, numbers and
 * strings. What is not JSON, or beyond a bound, ends the reading: {@link #isReadable} then says no, and nothing is thrown.
 *
 * <p>Not safe for use by many threads.
 */
public final class JsonScan {
    private static final int LONGEST_TOKEN = 32 << 20;
    static final JsonFactory JSON = JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(200)
                    .maxNumberLength(100)
                    .maxStringLength(LONGEST_TOKEN)
                    .maxNameLength(10_000)
                    .build())
            .disable(StreamReadFeature.AUTO_CLOSE_SOURCE)
            .build();

    private final JsonParser parser;
    private final JsonPaths.Node root;
    private final Consumer<Field> fields;
    private final Runnable itemEnds;
    /** What is wanted in each object or array that is open. */
    private JsonPaths.@Nullable Node[] open = new JsonPaths.@Nullable Node[16];

    private int depth;
    /** What is wanted of the value that comes next. */
    private JsonPaths.@Nullable Node next;

    private boolean readable = true;
    private boolean complete;
    private long fedSinceToken;

    private JsonScan(JsonParser parser, JsonPaths paths, Consumer<Field> fields, Runnable itemEnds) {
        this.parser = parser;
        this.root = paths.root;
        this.fields = fields;
        this.itemEnds = itemEnds;
        this.next = root;
    }

    /**
     * A reading of a document that comes in pieces.
     *
     * @param itemEnds told where each document of an array of them ends
     */
    public static JsonScan incremental(JsonPaths paths, Consumer<Field> fields, Runnable itemEnds) {
        try {
            return new JsonScan(JSON.createNonBlockingByteArrayParser(), paths, fields, itemEnds);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Reads a whole document, and says whether it was one: an object or an array. */
    public static boolean read(byte[] document, int offset, int length, JsonPaths paths, Consumer<Field> fields) {
        return read(document, offset, length, paths, fields, () -> {});
    }

    /** {@link #read(byte[], int, int, JsonPaths, Consumer)} that tells where each document of an array of them ends. */
    public static boolean read(
            byte[] document, int offset, int length, JsonPaths paths, Consumer<Field> fields, Runnable itemEnds) {
        try (JsonParser parser = JSON.createParser(document, offset, length)) {
            JsonScan scan = new JsonScan(parser, paths, fields, itemEnds);
            scan.advance();
            return scan.readable && scan.complete;
        } catch (IOException e) {
            return false;
        }
    }

    /** The next piece. */
    public void feed(byte[] bytes, int offset, int length) {
        if (!readable || complete || length == 0) {
            return;
        }
        fedSinceToken += length;
        if (fedSinceToken > LONGEST_TOKEN) {
            readable = false;
            return;
        }
        try {
            ((NonBlockingJsonParser) parser).getNonBlockingInputFeeder().feedInput(bytes, offset, offset + length);
        } catch (IOException e) {
            readable = false;
            return;
        }
        advance();
    }

    /** Whether all that came so far is JSON, an object or an array, and within the bounds. */
    public boolean isReadable() {
        return readable;
    }

    /** Whether the document came to its end. */
    public boolean isComplete() {
        return complete;
    }

    private void advance() {
        try {
            for (JsonToken token = parser.nextToken();
                    token != null && token != JsonToken.NOT_AVAILABLE;
                    token = parser.nextToken()) {
                fedSinceToken = 0;
                accept(token);
                if (depth == 0) {
                    // A bare value is not looked at to its end, and no provider's document.
                    complete = token.isStructEnd();
                    readable = complete;
                    return;
                }
            }
        } catch (IOException e) {
            readable = false;
        }
    }

    private void accept(JsonToken token) throws IOException {
        switch (token) {
            case FIELD_NAME -> {
                JsonPaths.Node object = open[depth - 1];
                next = object == null ? null : object.member(parser.currentName());
                if (object != null && object.everything != null) {
                    fields.accept(new Field(object.everything, Field.Kind.NAME, parser.currentName()));
                }
            }
            case START_OBJECT, START_ARRAY -> open();
            case END_OBJECT, END_ARRAY -> {
                depth--;
                nextInArray();
                if (depth == 1 && token == JsonToken.END_OBJECT && next == root) {
                    itemEnds.run();
                }
            }
            default -> {
                String path = next == null ? null : next.everything != null ? next.everything : next.path;
                if (path != null) {
                    fields.accept(new Field(path, kind(token), parser.getText()));
                }
            }
        }
    }

    private void open() throws IOException {
        if (next == null && depth > 0 && !parser.canParseAsync()) {
            parser.skipChildren();
            return;
        }
        if (depth == open.length) {
            open = Arrays.copyOf(open, 2 * depth);
        }
        open[depth++] = next;
        nextInArray();
    }

    /** Of an array, all values are wanted alike; of an object, the next name tells. */
    private void nextInArray() {
        if (depth > 0 && parser.getParsingContext().inArray()) {
            JsonPaths.Node array = open[depth - 1];
            next = depth == 1 ? root : array == null ? null : array.item();
        }
    }

    private static Field.Kind kind(JsonToken token) {
        if (token == JsonToken.VALUE_STRING) {
            return Field.Kind.STRING;
        }
        return token.isNumeric() ? Field.Kind.NUMBER : Field.Kind.LITERAL;
    }
}
