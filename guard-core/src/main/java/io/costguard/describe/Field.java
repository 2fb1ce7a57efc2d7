package io.costguard.describe;

import java.util.OptionalLong;

/**
 * A value in a JSON document, at a path that somebody asked for.
 *
 * @param path as it was asked for
 * @param text the string, or the number, or {@code true}, {@code false}, {@code null} as written
 */
public record Field(String path, Kind kind, String text) {
    private static final long LARGEST = (1L << 53) - 1;

    /** What a value is. */
    public enum Kind {
        STRING,
        NUMBER,
        LITERAL,
        /** The name of a member, below a path that ends with {@code **}. */
        NAME
    }

    /** A count, if it is one: an integer from 0 to 2^53 - 1. */
    public OptionalLong count() {
        if (kind != Kind.NUMBER || text.length() > 16 || text.isEmpty()) {
            return OptionalLong.empty();
        }
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) < '0' || text.charAt(i) > '9') {
                return OptionalLong.empty();
            }
        }
        long count = Long.parseLong(text);
        return count <= LARGEST ? OptionalLong.of(count) : OptionalLong.empty();
    }

    public boolean isString() {
        return kind == Kind.STRING;
    }
}
