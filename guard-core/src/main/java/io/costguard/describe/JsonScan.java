package io.costguard.describe;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.async.NonBlockingJsonParser;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Reads a JSON document once, and tells the values at the paths that are wanted, in their order. A whole document at once
 * ({@link #read}), or as it comes ({@link #incremental} and {@link #feed}). An array of documents is read as these, one after the other.
 * Bounded in depth and in the length of names, numbers and
 * strings; of a document that comes in pieces, what is beyond the first 256 KB of a string is passed over. What is not JSON, or beyond a bound, ends the reading: {@link #isReadable} then says no, and nothing is thrown.
 *
 * <p>Not safe for use by many threads.
 */
public final class JsonScan {
    private static final int LONGEST_TOKEN = 32 << 20;

    /** In bytes, of a document that comes in pieces: more than any text of an answer, and less than many a picture. */
    private static final int LONGEST_STRING = 256 << 10;

    private static final int HEX_DIGITS = 4;
    private static final int ESCAPED = 5;
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
    private final Listener listener;
    private final Runnable itemEnds;
    /** What is wanted in each object or array that is open. */
    private JsonPaths.@Nullable Node[] open = new JsonPaths.@Nullable Node[16];

    private int depth;
    /** What is wanted of the value that comes next. */
    private JsonPaths.@Nullable Node next;

    /** The whole document, if it is there, from where the parser began. */
    private byte[] document = {};

    private int offset;
    private boolean tellsPlaces;
    private boolean readable = true;
    private boolean complete;
    private long fedSinceToken;
    private boolean inString;
    /** In bytes, of the string that is open. */
    private int stringLength;
    /** {@link #ESCAPED} after a backslash in it, otherwise how many digits of its escape are still to come. */
    private int escape;
    /** Whether it is beyond what is read of it. */
    private boolean passingOver;

    /**
     * Told what is wanted; and where in the document it begins, a string without its quote: -1 where that is not known, or not asked for.
     */
    @FunctionalInterface
    interface Listener {
        void field(Field field, int place);
    }

    private JsonScan(JsonParser parser, JsonPaths paths, Listener listener, Runnable itemEnds) {
        this.parser = parser;
        this.root = paths.root;
        this.listener = listener;
        this.itemEnds = itemEnds;
        this.next = root;
    }

    /**
     * {@return a reading of a document that comes in pieces}
     *
     * @param paths which fields are told
     * @param fields told of each in turn
     * @param itemEnds told where each document of an array of them ends
     */
    public static JsonScan incremental(JsonPaths paths, Consumer<Field> fields, Runnable itemEnds) {
        try {
            return new JsonScan(
                    JSON.createNonBlockingByteArrayParser(), paths, (field, place) -> fields.accept(field), itemEnds);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /**
     * Reads a whole document, and says whether it was one: an object or an array.
     *
     * @param document bytes of JSON
     * @param offset where it begins
     * @param length how many bytes
     * @param paths which fields are told
     * @param fields told of each in turn
     * @return whether it was one
     */
    public static boolean read(byte[] document, int offset, int length, JsonPaths paths, Consumer<Field> fields) {
        return read(document, offset, length, paths, fields, () -> {});
    }

    /**
     * {@link #read(byte[], int, int, JsonPaths, Consumer)} that tells where each document of an array of them ends.
     *
     * @param document bytes of JSON
     * @param offset where it begins
     * @param length how many bytes
     * @param paths which fields are told
     * @param fields told of each in turn
     * @param itemEnds told where one ends
     * @return whether it was one
     */
    public static boolean read(
            byte[] document, int offset, int length, JsonPaths paths, Consumer<Field> fields, Runnable itemEnds) {
        return read(document, offset, length, paths, (field, place) -> fields.accept(field), itemEnds, false);
    }

    /** {@link #read(byte[], int, int, JsonPaths, Consumer)} that tells where each value begins, too. */
    static boolean readWithPlaces(byte[] document, int offset, int length, JsonPaths paths, Listener listener) {
        return read(document, offset, length, paths, listener, () -> {}, true);
    }

    private static boolean read(
            byte[] document,
            int offset,
            int length,
            JsonPaths paths,
            Listener listener,
            Runnable itemEnds,
            boolean tellsPlaces) {
        try (JsonParser parser = JSON.createParser(document, offset, length)) {
            JsonScan scan = new JsonScan(parser, paths, listener, itemEnds);
            scan.document = document;
            scan.offset = offset;
            scan.tellsPlaces = tellsPlaces;
            scan.advance();
            return scan.readable && scan.complete;
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * The next piece.
     *
     * @param bytes the next ones
     * @param offset where it begins
     * @param length how many bytes
     */
    public void feed(byte[] bytes, int offset, int length) {
        if (!readable || complete) {
            return;
        }
        int end = offset + length;
        int from = offset;
        for (int at = offset; at < end; at++) {
            byte b = bytes[at];
            if (!inString) {
                inString = b == '"';
                stringLength = 0;
            } else if (escape == 0 && b == '"') {
                inString = false;
                from = passingOver ? at : from;
                passingOver = false;
            } else {
                // Neither amid an escape nor amid a character.
                if (!passingOver && stringLength >= LONGEST_STRING && escape == 0 && (b & 0xc0) != 0x80) {
                    read(bytes, from, at - from);
                    passingOver = true;
                }
                stringLength++;
                escape = escapeAfter(b);
            }
        }
        if (!passingOver) {
            read(bytes, from, end - from);
        }
    }

    private int escapeAfter(byte b) {
        return switch (escape) {
            case 0 -> b == '\\' ? ESCAPED : 0;
            case ESCAPED -> b == 'u' ? HEX_DIGITS : 0;
            default -> escape - 1;
        };
    }

    private void read(byte[] bytes, int offset, int length) {
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

    /** {@return whether all that came so far is JSON, an object or an array, and within the bounds} */
    public boolean isReadable() {
        return readable;
    }

    /** {@return whether the document came to its end} */
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
                if (object != null && object.everything != null && !object.isText()) {
                    listener.field(new Field(object.everything, Field.Kind.NAME, parser.currentName()), -1);
                }
            }
            case START_OBJECT, START_ARRAY -> open();
            case END_OBJECT, END_ARRAY -> {
                JsonPaths.Node ended = open[--depth];
                if (token == JsonToken.END_OBJECT && ended != null && ended.end != null) {
                    listener.field(new Field(ended.end, Field.Kind.END, ""), -1);
                }
                nextInArray();
                if (depth == 1 && token == JsonToken.END_OBJECT && next == root) {
                    itemEnds.run();
                }
            }
            default -> {
                if (next != null) {
                    value(next, token);
                }
            }
        }
    }

    private void value(JsonPaths.Node wanted, JsonToken token) throws IOException {
        String path = wanted.everything != null ? wanted.everything : wanted.path;
        if (path != null && (!wanted.isText() || token == JsonToken.VALUE_STRING)) {
            boolean isFile = wanted.isFile() && token == JsonToken.VALUE_STRING;
            int place = tellsPlaces ? place(token) : -1;
            listener.field(
                    new Field(
                            path, wanted.isText() ? Field.Kind.TEXT : kind(token), isFile ? file() : parser.getText()),
                    place);
        }
    }

    private int place(JsonToken token) {
        int begin = begin();
        return begin >= 0 && token == JsonToken.VALUE_STRING ? begin + 1 : begin;
    }

    /** The string that the parser is at, which it passes over unread; where the document is not of bytes of ASCII, a copy. */
    private CharSequence file() throws IOException {
        int quote = begin();
        if (quote < 0 || quote >= document.length || document[quote] != '"') {
            return parser.getText();
        }
        int end = quote + 1;
        while (end < document.length && document[end] != '"') {
            end += document[end] == '\\' ? 2 : 1;
        }
        // One that does not end is no string.
        return end < document.length ? new Written(document, quote + 1, end) : parser.getText();
    }

    /** Where in the document the value begins that the parser is at; -1 where that cannot be known. */
    private int begin() {
        long at = parser.currentTokenLocation().getByteOffset();
        return at < 0 ? -1 : offset + (int) at;
    }

    /** A string as it is written in a document, between its quotes. */
    private static final class Written implements CharSequence {
        private final byte[] document;
        private final int from;
        private final int to;

        Written(byte[] document, int from, int to) {
            this.document = document;
            this.from = from;
            this.to = to;
        }

        @Override
        public int length() {
            return to - from;
        }

        @Override
        public char charAt(int index) {
            return (char) (document[from + index] & 0xff);
        }

        @Override
        public CharSequence subSequence(int start, int end) {
            return new String(document, from + start, end - start, StandardCharsets.ISO_8859_1);
        }

        @Override
        public String toString() {
            try (JsonParser parser = JSON.createParser(document, from - 1, to - from + 2)) {
                parser.nextToken();
                return parser.getText();
            } catch (IOException e) {
                return new String(document, from, to - from, StandardCharsets.UTF_8);
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
