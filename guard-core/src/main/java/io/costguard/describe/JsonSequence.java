package io.costguard.describe;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Reads JSON documents that come one after another, as the events of a stream do, and tells of each what {@link JsonScan#read} tells. Most
 * differ in a few strings and numbers from one before, or from one of another stream, of which the shape is kept without these. Such a one is
 * not parsed: outside of them it is compared, after which it is known to be JSON, and what stands where.
 *
 * <p>Not safe for use by many threads.
 */
public final class JsonSequence {
    /** A longer document is not compared with others. */
    private static final int LONGEST_KEPT = 1 << 16;

    /** So many documents are kept to compare others with. */
    private static final int KEPT = 4;

    /** What stands in the place of bytes that are not UTF-8. */
    private static final char UNDECODABLE = '\ufffd';

    private static final int LONGEST_NUMBER = 18;
    private static final int HEX_DIGITS = 4;
    private static final String ESCAPED = "\"\\/bfnrt";
    private static final String MEANT = "\"\\/\b\f\n\r\t";
    private static final VarHandle EIGHT = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final long ONES = 0x0101_0101_0101_0101L;
    private static final long HIGHEST_BITS = 0x8080_8080_8080_8080L;

    private final JsonPaths paths;
    /** The one that came last is the first. */
    private final @Nullable Model[] models = new @Nullable Model[KEPT];

    /** The slots of the document that differ: which, */
    private int[] which = {};

    /** where each begins, */
    private int[] begins = {};

    /** where it ends, */
    private int[] ends = {};

    /** and what it holds; null where that is what its bytes are, read as ASCII. */
    private @Nullable String[] decoded = {};

    private int differing;

    /** Told the values that are wanted. */
    @FunctionalInterface
    public interface Reader {
        /**
         * Says whether it makes anything of this one: if not, it is not told again while it is the same.
         *
         * @param field what was found
         * @return whether it does
         */
        boolean read(Field field);

        /**
         * {@link #read(Field)} of a {@link Field.Kind#TEXT} that is so many bytes of ASCII.
         *
         * @param path where it is
         * @param document bytes of JSON
         * @param begin its first byte
         * @param end what follows the document
         */
        default void text(String path, byte[] document, int begin, int end) {
            read(new Field(path, Field.Kind.TEXT, ascii(document, begin, end)));
        }
    }

    /**
     * For documents of which these fields are read.
     *
     * @param paths which fields are told
     */
    public JsonSequence(JsonPaths paths) {
        this.paths = paths;
    }

    /**
     * Reads the next document, and says whether it is one: an object or an array.
     *
     * @param document bytes of JSON
     * @param offset where it begins
     * @param length how many bytes
     * @param reader told of what is found
     * @return whether it is one
     */
    public boolean read(byte[] document, int offset, int length, Reader reader) {
        if (endOfAnother(document, offset, offset + length, null, reader) >= 0) {
            return true;
        }
        List<JsonShape.Told> told = new ArrayList<>();
        boolean whole = JsonScan.readWithPlaces(
                document,
                offset,
                length,
                paths,
                (field, place) -> told.add(new JsonShape.Told(field, place - offset, reader.read(field))));
        if (whole && length <= LONGEST_KEPT) {
            JsonShape parsed = JsonShape.of(Arrays.copyOfRange(document, offset, offset + length), told);
            if (parsed.isUsable()) {
                keep(new Model(parsed, new int[0]), KEPT - 1);
                paths.seen.add(parsed);
            }
        }
        return whole;
    }

    /**
     * Reads the document that begins at {@code from}, if it is like one before and {@code end} comes after it: it need not be known where it
     * ends.
     *
     * @param bytes of a document
     * @param from the first byte
     * @param to behind the last byte
     * @param end what follows the document
     * @param reader told of what is found
     * @return its length; 0 if it was not read
     */
    public int readAnother(byte[] bytes, int from, int to, byte[] end, Reader reader) {
        return Math.max(0, endOfAnother(bytes, from, to, end, reader) - from);
    }

    /**
     * Reads the document that begins at {@code from}, if it is like one before.
     *
     * @param end which is to come after it; null if it is to end at {@code to}
     * @return where it ends; -1 if it was not read
     */
    private int endOfAnother(byte[] bytes, int from, int to, byte @Nullable [] end, Reader reader) {
        for (int i = 0; i < KEPT; i++) {
            Model model = models[i];
            if (model == null) {
                break;
            }
            int at = endAsExpected(model, bytes, from, to);
            if (at < 0) {
                at = endOfOneLike(model.shape, bytes, from, to);
                model = at < 0 ? model : model.varyingIn(which, differing);
                at = at < 0 ? at : endAsExpected(model, bytes, from, to);
            }
            if (at >= 0 && ends(bytes, at, to, end)) {
                keep(model, i);
                tell(model, bytes, reader);
                return at;
            }
        }
        for (JsonShape shape : paths.seen.shapes()) {
            int at = endOfOneLike(shape, bytes, from, to);
            if (at >= 0 && ends(bytes, at, to, end)) {
                keep(new Model(tellFirst(shape, bytes, from, at, reader), new int[0]), KEPT - 1);
                return at;
            }
        }
        return -1;
    }

    private static boolean ends(byte[] bytes, int at, int to, byte @Nullable [] end) {
        if (end == null) {
            return at == to;
        } else if (at + end.length > to) {
            return false;
        }
        for (int i = 0; i < end.length; i++) {
            if (bytes[at + i] != end[i]) {
                return false;
            }
        }
        return true;
    }

    /** In the place of the one at {@code index}, and before the others. */
    private void keep(Model model, int index) {
        if (index > 0) {
            System.arraycopy(models, 0, models, 1, index);
        }
        models[0] = model;
    }

    /** What the model told, with what differs. */
    private void tell(Model model, byte[] document, Reader reader) {
        for (int i = 0; i < model.told.length; i++) {
            Field field = model.told[i].field();
            int difference = model.differences[i];
            if (difference < 0) {
                reader.read(field);
            } else if (field.kind() == Field.Kind.TEXT && decoded[difference] == null) {
                reader.text(field.path(), document, begins[difference], ends[difference]);
            } else {
                reader.read(different(field, document, difference));
            }
        }
    }

    /** {@link #tell} of the first in a stream that has this shape, which is a model from then on. */
    private JsonShape tellFirst(JsonShape shape, byte[] document, int from, int to, Reader reader) {
        JsonShape.Told[] values = new JsonShape.Told[shape.told.length];
        int next = 0;
        for (int i = 0; i < values.length; i++) {
            JsonShape.Told told = shape.told[i];
            next = differenceAt(told.slot(), next);
            boolean differs = next < differing && which[next] == told.slot();
            Field field = differs ? different(told.field(), document, next) : told.field();
            values[i] = new JsonShape.Told(field, told.slot(), reader.read(field));
        }
        int[] newBegins = shape.begins.clone();
        int[] newEnds = shape.ends.clone();
        int moved = 0;
        next = 0;
        for (int slot = 0; slot < shape.slots; slot++) {
            newBegins[slot] += moved;
            if (next < differing && which[next] == slot) {
                moved = ends[next++] - from - shape.ends[slot];
            }
            newEnds[slot] += moved;
        }
        return shape.filled(Arrays.copyOfRange(document, from, to), newBegins, newEnds, values);
    }

    private int differenceAt(int slot, int from) {
        int next = from;
        while (next < differing && which[next] < slot) {
            next++;
        }
        return next;
    }

    private Field different(Field field, byte[] document, int difference) {
        String text = decoded[difference];
        return new Field(
                field.path(),
                field.kind(),
                text != null ? text : ascii(document, begins[difference], ends[difference]));
    }

    private static String ascii(byte[] document, int begin, int end) {
        return new String(document, begin, end - begin, StandardCharsets.ISO_8859_1);
    }

    /** Where the document ends that begins at {@code from} and differs from the model in what varies; -1 where there is none. */
    private int endAsExpected(Model model, byte[] document, int from, int to) {
        JsonShape shape = model.shape;
        byte[] bytes = shape.bytes;
        int inShape = 0;
        int here = from;
        makeRoom(model.varying.length);
        for (int i = 0; i < model.varying.length; i++) {
            int slot = model.varying[i];
            int length = shape.begins[slot] - inShape;
            if (length > to - here || !Arrays.equals(bytes, inShape, inShape + length, document, here, here + length)) {
                return -1;
            }
            begins[i] = here + length;
            here = slotEnd(shape, slot, document, begins[i], to, i);
            if (here < 0) {
                return -1;
            }
            inShape = shape.ends[slot];
        }
        int end = here + bytes.length - inShape;
        return end <= to && Arrays.equals(bytes, inShape, bytes.length, document, here, end) ? end : -1;
    }

    /** Where the document ends that begins at {@code from} and has this shape, wherever it differs; -1 where there is none. */
    private int endOfOneLike(JsonShape shape, byte[] document, int from, int to) {
        byte[] bytes = shape.bytes;
        int slot = 0;
        int inShape = 0;
        int here = from;
        differing = 0;
        while (true) {
            int rest = Math.min(bytes.length - inShape, to - here);
            int same = Arrays.mismatch(bytes, inShape, inShape + rest, document, here, here + rest);
            if (same < 0) {
                return inShape + rest == bytes.length ? here + rest : -1;
            }
            while (slot < shape.slots && shape.ends[slot] < inShape + same) {
                slot++;
            }
            if (slot == shape.slots || inShape + same < shape.begins[slot]) {
                return -1;
            }
            makeRoom(differing + 1);
            which[differing] = slot;
            begins[differing] = here + shape.begins[slot] - inShape;
            here = slotEnd(shape, slot, document, begins[differing], to, differing);
            if (here < 0) {
                return -1;
            }
            differing++;
            inShape = shape.ends[slot++];
        }
    }

    private void makeRoom(int differences) {
        if (differences > which.length) {
            int room = Math.max(16, 2 * differences);
            which = Arrays.copyOf(which, room);
            begins = Arrays.copyOf(begins, room);
            ends = Arrays.copyOf(ends, room);
            decoded = Arrays.copyOf(decoded, room);
        }
    }

    /** Where a slot ends; -1 if it holds something else there, or something that needs a parser. */
    private int slotEnd(JsonShape shape, int slot, byte[] document, int begin, int to, int difference) {
        String text = null;
        int end = shape.isString[slot] ? asciiEnd(document, begin, to) : numberEnd(document, begin, to);
        if (end < 0 && shape.isString[slot]) {
            end = stringEnd(document, begin, to);
            text = end < 0 ? null : decoded(document, begin, end);
            if (text == null) {
                return -1;
            }
        }
        ends[difference] = end;
        decoded[difference] = text;
        return end;
    }

    private static int numberEnd(byte[] document, int begin, int to) {
        int at = begin;
        while (at < to && document[at] >= '0' && document[at] <= '9') {
            at++;
        }
        int length = at - begin;
        boolean isNumber = length == 1 || (length > 1 && length <= LONGEST_NUMBER && document[begin] != '0');
        return isNumber ? at : -1;
    }

    /**
     * Where a string ends, if it is of ASCII without escapes; else -1. It looks at eight bytes at once, as Anderson's "Bit Twiddling Hacks"
     * has it ("Determine if a word has a byte less than n"): of the bytes that are found, the first is there.
     */
    private static int asciiEnd(byte[] document, int begin, int to) {
        int at = begin;
        for (; at <= to - Long.BYTES; at += Long.BYTES) {
            long eight = (long) EIGHT.get(document, at);
            long quotes = below(eight ^ ('"' * ONES), 1);
            long others = below(eight ^ ('\\' * ONES), 1) | below(eight, ' ') | (eight & HIGHEST_BITS);
            long found = quotes | others;
            if (found != 0) {
                return (quotes & Long.lowestOneBit(found)) == 0
                        ? -1
                        : at + Long.numberOfTrailingZeros(found) / Byte.SIZE;
            }
        }
        for (; at < to; at++) {
            byte b = document[at];
            if (b == '"') {
                return at;
            } else if (b == '\\' || b < ' ') {
                return -1;
            }
        }
        return -1;
    }

    private static long below(long eight, int bound) {
        return (eight - bound * ONES) & ~eight & HIGHEST_BITS;
    }

    private static int stringEnd(byte[] document, int begin, int to) {
        for (int at = begin; at < to; at++) {
            byte b = document[at];
            if (b == '"') {
                return at;
            } else if (b >= 0 && b < ' ') {
                return -1;
            } else if (b == '\\') {
                at++;
            }
        }
        return -1;
    }

    /** Null if it is not UTF-8, or has an escape that is none (RFC 8259, section 7). */
    private static @Nullable String decoded(byte[] document, int begin, int end) {
        String written = new String(document, begin, end - begin, StandardCharsets.UTF_8);
        if (written.indexOf(UNDECODABLE) >= 0) {
            return null;
        }
        StringBuilder text = new StringBuilder();
        int from = 0;
        for (int escape = written.indexOf('\\'); escape >= 0; escape = written.indexOf('\\', from)) {
            text.append(written, from, escape);
            char kind = written.charAt(escape + 1);
            int plain = ESCAPED.indexOf(kind);
            from = escape + 2;
            if (plain >= 0) {
                text.append(MEANT.charAt(plain));
            } else if (kind == 'u' && from + HEX_DIGITS <= written.length()) {
                int c = 0;
                for (int i = 0; i < HEX_DIGITS; i++) {
                    int digit = Character.digit(written.charAt(from++), 16);
                    if (digit < 0 || written.charAt(from - 1) > 'f') {
                        return null;
                    }
                    c = 16 * c + digit;
                }
                text.append((char) c);
            } else {
                return null;
            }
        }
        return text.append(written, from, written.length()).toString();
    }

    /** A document, and in which of its slots others differed from it. */
    private static final class Model {
        final JsonShape shape;
        final int[] varying;
        /** What is to be told of others like it. */
        final JsonShape.Told[] told;
        /** Which of those that vary each of these is; -1 where it is none. */
        final int[] differences;

        Model(JsonShape shape, int[] varying) {
            this.shape = shape;
            this.varying = varying;
            this.told = Arrays.stream(shape.told)
                    .filter(value -> value.isOfUse() || Arrays.binarySearch(varying, value.slot()) >= 0)
                    .toArray(JsonShape.Told[]::new);
            this.differences = Arrays.stream(told)
                    .mapToInt(value -> Math.max(-1, Arrays.binarySearch(varying, value.slot())))
                    .toArray();
        }

        Model varyingIn(int[] slots, int count) {
            return new Model(
                    shape,
                    IntStream.concat(Arrays.stream(varying), Arrays.stream(slots, 0, count))
                            .distinct()
                            .sorted()
                            .toArray());
        }
    }
}
