package io.costguard.describe;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
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

    /** @param place where in the document it begins, if it is a string, without its quote; -1 where that is not known */
    private record Told(Field field, int place) {}

    public JsonSequence(JsonPaths paths) {
        this.paths = paths;
    }

    /** Reads the next document, and says whether it is one: an object or an array. */
    public boolean read(byte[] document, int length, Consumer<Field> fields) {
        List<Field> found = isLikeTheModel(document, length) ? toldAsOfTheModel(document) : null;
        if (found != null) {
            found.forEach(fields);
            return true;
        }
        List<Told> told = new ArrayList<>();
        boolean whole = JsonScan.read(document, length, paths, (field, place) -> {
            told.add(new Told(field, place));
            fields.accept(field);
        });
        if (whole && length <= LONGEST_KEPT) {
            Model parsed = new Model(Arrays.copyOf(document, length), told);
            if (parsed.isUsable()) {
                model = parsed;
                begins = new int[model.strings];
                ends = new int[model.strings];
            }
        }
        return whole;
    }

    private boolean isLikeTheModel(byte[] document, int length) {
        Arrays.fill(begins, -1);
        int string = 0;
        int inModel = 0;
        int here = 0;
        while (model.bytes.length > 0) {
            int same = Arrays.mismatch(model.bytes, inModel, model.bytes.length, document, here, length);
            if (same < 0) {
                return true;
            }
            while (string < model.strings && model.ends[string] < inModel + same) {
                string++;
            }
            if (string == model.strings || inModel + same < model.begins[string]) {
                return false;
            }
            int begin = here + model.begins[string] - inModel;
            int end = plainEnd(document, begin, length, model.isTold[string]);
            if (end < 0) {
                return false;
            }
            begins[string] = begin;
            ends[string] = end;
            inModel = model.ends[string];
            here = end;
            string++;
        }
        return false;
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

    /** Nothing where one of the strings is not UTF-8. */
    private @Nullable List<Field> toldAsOfTheModel(byte[] document) {
        List<Field> found = new ArrayList<>(model.told.length);
        for (int i = 0; i < model.told.length; i++) {
            Field field = model.told[i];
            int string = model.stringTold[i];
            if (string >= 0 && begins[string] >= 0) {
                int begin = begins[string];
                String text = new String(document, begin, ends[string] - begin, StandardCharsets.UTF_8);
                if (text.indexOf(UNDECODABLE) >= 0) {
                    return null;
                }
                field = new Field(field.path(), field.kind(), text);
            }
            found.add(field);
        }
        return found;
    }

    /** A document that was parsed. */
    private static final class Model {
        final byte[] bytes;
        final Field[] told;
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
            stringTold = new int[fields.size()];
            for (int i = 0; i < told.length; i++) {
                told[i] = fields.get(i).field;
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
