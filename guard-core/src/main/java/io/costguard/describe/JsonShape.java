package io.costguard.describe;

import java.util.Arrays;
import java.util.List;

/**
 * A document that was read, and what was told of it: another that differs from it in nothing but some of its strings and numbers needs no
 * parser. These are its slots: strings that are no names, and numbers of digits alone. Immutable.
 */
final class JsonShape {
    /**
     * A value that is told.
     *
     * @param slot in which it is; -1 where it is in none, and is the same in each document of this shape
     * @param isOfUse whether anybody made anything of it
     */
    record Told(Field field, int slot, boolean isOfUse) {}

    final byte[] bytes;
    /** In the order of their slots. */
    final Told[] told;

    final int slots;
    /** Where each slot begins, without its quote, and where it ends, which is its closing quote. */
    final int[] begins;

    final int[] ends;
    final boolean[] isString;
    /** Whether anything of it is told. */
    final boolean[] isTold;

    private JsonShape(byte[] bytes, Told[] told, int slots, int[] begins, int[] ends, boolean[] isString) {
        this.bytes = bytes;
        this.told = told;
        this.slots = slots;
        this.begins = begins;
        this.ends = ends;
        this.isString = isString;
        this.isTold = new boolean[slots];
        for (Told value : told) {
            if (value.slot() >= 0) {
                isTold[value.slot()] = true;
            }
        }
    }

    /** @param values what was told, with the places where those begin that are no literals; the slots are still to be found */
    static JsonShape of(byte[] document, List<Told> values) {
        Slots slots = new Slots(document);
        Told[] told = values.stream()
                .map(value -> new Told(value.field(), slots.at(value.slot()), value.isOfUse()))
                .toArray(Told[]::new);
        return new JsonShape(document, told, slots.count, slots.begins, slots.ends, slots.isString);
    }

    /** Whether a document of this shape can be told from others: byte by byte, and all that is told of it is found again. */
    boolean isUsable() {
        for (int i = 0; i < Math.min(4, bytes.length); i++) {
            if (bytes[i] == 0) {
                return false; // UTF-16 or UTF-32, where a byte like a quote may be half a character
            }
        }
        return Arrays.stream(told).noneMatch(value -> value.field().isString() && value.slot() < 0);
    }

    /** Whether what it said is in its slots alone: below a path that ends with {@code **} it is in names, too. */
    boolean saysAllInSlots() {
        return Arrays.stream(told).noneMatch(value -> value.field().path().endsWith("**"));
    }

    /** This one with empty strings, and zeros. */
    JsonShape emptied() {
        byte[] emptied = new byte[bytes.length];
        int[] newBegins = new int[slots];
        int[] newEnds = new int[slots];
        int from = 0;
        int length = 0;
        for (int slot = 0; slot < slots; slot++) {
            int count = begins[slot] - from;
            System.arraycopy(bytes, from, emptied, length, count);
            length += count;
            newBegins[slot] = length;
            if (!isString[slot]) {
                emptied[length++] = '0';
            }
            newEnds[slot] = length;
            from = ends[slot];
        }
        System.arraycopy(bytes, from, emptied, length, bytes.length - from);
        length += bytes.length - from;
        Told[] newTold = Arrays.stream(told)
                .map(value -> value.slot() < 0 ? value : new Told(emptied(value), value.slot(), value.isOfUse()))
                .toArray(Told[]::new);
        return new JsonShape(Arrays.copyOf(emptied, length), newTold, slots, newBegins, newEnds, isString);
    }

    private Field emptied(Told value) {
        return new Field(value.field().path(), value.field().kind(), isString[value.slot()] ? "" : "0");
    }

    /** A document of this shape, with the places of its slots. */
    JsonShape filled(byte[] document, int[] newBegins, int[] newEnds, Told[] newTold) {
        return new JsonShape(document, newTold, slots, newBegins, newEnds, isString);
    }

    /** The latest shapes of documents, without what they said. Safe for use by many threads. */
    static final class Seen {
        private static final int MOST = 16;
        private static final int LONGEST = 4_096;

        private volatile JsonShape[] shapes = {};

        JsonShape[] shapes() {
            return shapes;
        }

        /** Of two threads that do so at once one may be in vain. */
        void add(JsonShape document) {
            if (document.bytes.length > LONGEST || !document.saysAllInSlots()) {
                return;
            }
            JsonShape shape = document.emptied();
            JsonShape[] seen = shapes;
            if (Arrays.stream(seen).noneMatch(other -> Arrays.equals(other.bytes, shape.bytes))) {
                JsonShape[] more = new JsonShape[Math.min(MOST, seen.length + 1)];
                System.arraycopy(seen, 0, more, 1, more.length - 1);
                more[0] = shape;
                shapes = more;
            }
        }
    }

    /** Those of a document that is JSON. */
    private static final class Slots {
        private final byte[] bytes;
        int[] begins = new int[16];
        int[] ends = new int[16];
        boolean[] isString = new boolean[16];
        int count;

        Slots(byte[] document) {
            bytes = document;
            int at = 0;
            while (at < bytes.length) {
                if (bytes[at] == '"') {
                    at = string(at + 1);
                } else if (bytes[at] == '-' || isDigit(bytes[at])) {
                    at = number(at);
                } else {
                    at++;
                }
            }
        }

        /** -1 where there is none. */
        int at(int place) {
            return Math.max(-1, Arrays.binarySearch(begins, 0, count, place));
        }

        private int string(int begin) {
            int at = begin;
            while (at < bytes.length && bytes[at] != '"') {
                at += bytes[at] == '\\' ? 2 : 1;
            }
            int after = at + 1;
            while (after < bytes.length && bytes[after] <= ' ') {
                after++;
            }
            if (after < bytes.length && bytes[after] != ':') {
                add(begin, at, true);
            }
            return at + 1;
        }

        private int number(int begin) {
            boolean isPlain = true;
            int at = begin;
            for (; at < bytes.length && isOfNumber(bytes[at]); at++) {
                isPlain &= isDigit(bytes[at]);
            }
            if (isPlain) {
                add(begin, at, false);
            }
            return at;
        }

        private void add(int begin, int end, boolean string) {
            if (count == begins.length) {
                begins = Arrays.copyOf(begins, 2 * count);
                ends = Arrays.copyOf(ends, 2 * count);
                isString = Arrays.copyOf(isString, 2 * count);
            }
            begins[count] = begin;
            ends[count] = end;
            isString[count++] = string;
        }

        private static boolean isOfNumber(byte b) {
            return isDigit(b) || b == '-' || b == '+' || b == '.' || b == 'e' || b == 'E';
        }

        private static boolean isDigit(byte b) {
            return b >= '0' && b <= '9';
        }
    }
}
