package io.costguard.describe;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads JSON documents that come one after another, as the events of a stream do, and tells of each what {@link JsonScan#read} tells. Most
 * differ from one before, the model, in a few strings. Such a one is not parsed: outside of these strings it is compared with the model, after
 * which it is known to be JSON, and what stands where.
 *
 * <p>Not safe for use by many threads.
 */
public final class JsonSequence {
    /** A longer document is no model. */
    private static final int LONGEST_KEPT = 1 << 16;

    /** What stands in the place of bytes that are not UTF-8. */
    private static final char UNDECODABLE = '\ufffd';

    /** Of no document. */
    private static final Model NONE = new Model(new byte[0], List.of());

    private final JsonPaths paths;
    private Model model = NONE;
    /** Of each string of the model, where it is in the document that is compared with it; if it is the same there, -1. */
    private int[] begins = {};

    private int[] ends = {};
    /** Of each value that the model told, what it is in the document, if that differs. */
    private @Nullable String[] texts = {};

    /** Told the values that are wanted. */
    @FunctionalInterface
    public interface Reader {
        /** Says whether it makes anything of this one: if not, it is not told again while it is the same. */
        boolean read(Field field);
    }

    /** @param place where in the document it begins, if it is a string, without its quote; -1 where that is not known */
    private record Told(Field field, int place, boolean isOfUse) {}

    public JsonSequence(JsonPaths paths) {
        this.paths = paths;
    }

    /** Reads the next document, and says whether it is one: an object or an array. */
    public boolean read(byte[] document, int offset, int length, Reader reader) {
        if (endOfOneLikeTheModel(document, offset, offset + length) == offset + length && isText(document)) {
            tell(reader);
            return true;
        }
        List<Told> told = new ArrayList<>();
        boolean whole = JsonScan.readWithPlaces(
                document,
                offset,
                length,
                paths,
                (field, place) -> told.add(new Told(field, place - offset, reader.read(field))));
        if (whole && length <= LONGEST_KEPT) {
            Model parsed = new Model(Arrays.copyOfRange(document, offset, offset + length), told);
            if (parsed.isUsable()) {
                model = parsed;
                begins = new int[model.strings];
                ends = new int[model.strings];
                texts = new @Nullable String[model.told.length];
            }
        }
        return whole;
    }

    /**
     * Reads the document that begins at {@code from}, if it is like one before and {@code end} comes after it: it need not be known where it
     * ends.
     *
     * @return its length; 0 if it was not read
     */
    public int readAnother(byte[] bytes, int from, int to, byte[] end, Reader reader) {
        int at = endOfOneLikeTheModel(bytes, from, to);
        if (at < 0
                || at + end.length > to
                || !Arrays.equals(bytes, at, at + end.length, end, 0, end.length)
                || !isText(bytes)) {
            return 0;
        }
        tell(reader);
        return at - from;
    }

    /** What the model told, with the texts that differ. */
    private void tell(Reader reader) {
        for (int i = 0; i < texts.length; i++) {
            Field field = model.told[i];
            String other = texts[i];
            if (other != null) {
                reader.read(new Field(field.path(), field.kind(), other));
            } else if (model.isOfUse[i]) {
                reader.read(field);
            }
        }
    }

    /** -1 where there is none. */
    private int endOfOneLikeTheModel(byte[] document, int from, int to) {
        Arrays.fill(begins, -1);
        int string = 0;
        int inModel = 0;
        int here = from;
        while (model.bytes.length > 0) {
            int rest = Math.min(model.bytes.length - inModel, to - here);
            int same = Arrays.mismatch(model.bytes, inModel, inModel + rest, document, here, here + rest);
            if (same < 0) {
                return inModel + rest == model.bytes.length ? here + rest : -1;
            }
            while (string < model.strings && model.ends[string] < inModel + same) {
                string++;
            }
            if (string == model.strings || inModel + same < model.begins[string]) {
                return -1;
            }
            int begin = here + model.begins[string] - inModel;
            int end = plainEnd(document, begin, to, model.isTold[string]);
            if (end < 0) {
                return -1;
            }
            begins[string] = begin;
            ends[string] = end;
            inModel = model.ends[string];
            here = end;
            string++;
        }
        return -1;
    }

    /** Where a string ends that needs no parser; else -1. */
    private static int plainEnd(byte[] document, int begin, int length, boolean isDecoded) {
        for (int at = begin; at < length; at++) {
            byte b = document[at];
            if (b == '"') {
                return at;
            } else if (b == '\\' || (b < ' ' && (b >= 0 || !isDecoded))) {
                return -1;
            }
        }
        return -1;
    }

    /** Decodes the strings that are told and differ from the model's, and says whether all of them are UTF-8. */
    private boolean isText(byte[] document) {
        for (int i = 0; i < texts.length; i++) {
            int string = model.stringTold[i];
            texts[i] = null;
            if (string >= 0 && begins[string] >= 0) {
                int begin = begins[string];
                String text = new String(document, begin, ends[string] - begin, StandardCharsets.UTF_8);
                if (text.indexOf(UNDECODABLE) >= 0) {
                    return false;
                }
                texts[i] = text;
            }
        }
        return true;
    }

    /** A document that was parsed. */
    private static final class Model {
        final byte[] bytes;
        final Field[] told;
        final boolean[] isOfUse;
        /** Which string each of those is; -1 where it is none. */
        final int[] stringTold;
        /** Where the strings begin that are no names, and where their closing quotes are. */
        int[] begins = new int[16];

        int[] ends = new int[16];
        int strings;
        final boolean[] isTold;

        Model(byte[] document, List<Told> fields) {
            bytes = document;
            findStrings();
            isTold = new boolean[strings];
            told = new Field[fields.size()];
            isOfUse = new boolean[told.length];
            stringTold = new int[fields.size()];
            for (int i = 0; i < told.length; i++) {
                told[i] = fields.get(i).field;
                isOfUse[i] = fields.get(i).isOfUse;
                int place = fields.get(i).place;
                stringTold[i] = Math.max(-1, Arrays.binarySearch(begins, 0, strings, place));
                if (stringTold[i] >= 0) {
                    isTold[stringTold[i]] = true;
                }
            }
        }

        /** Whether all that was told is found again. */
        boolean isUsable() {
            for (int i = 0; i < Math.min(4, bytes.length); i++) {
                if (bytes[i] == 0) {
                    return false; // UTF-16 or UTF-32, where a byte like a quote may be half a character
                }
            }
            for (int i = 0; i < told.length; i++) {
                if (told[i].isString() && stringTold[i] < 0) {
                    return false;
                }
            }
            return true;
        }

        private void findStrings() {
            for (int at = 0; at < bytes.length; at++) {
                if (bytes[at] != '"') {
                    continue;
                }
                int begin = ++at;
                while (at < bytes.length && bytes[at] != '"') {
                    at += bytes[at] == '\\' ? 2 : 1;
                }
                int after = at + 1;
                while (after < bytes.length && bytes[after] <= ' ') {
                    after++;
                }
                if (after < bytes.length && bytes[after] != ':') {
                    add(begin, at);
                }
            }
        }

        private void add(int begin, int end) {
            if (strings == begins.length) {
                begins = Arrays.copyOf(begins, strings * 2);
                ends = Arrays.copyOf(ends, strings * 2);
            }
            begins[strings] = begin;
            ends[strings++] = end;
        }
    }
}
