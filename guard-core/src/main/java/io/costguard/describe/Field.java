package io.costguard.describe;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.OptionalLong;

/**
 * A value in a JSON document, at a path that somebody asked for.
 *
 * @param path as it was asked for
 * @param kind what it is
 * @param value the string, or the number, or {@code true}, {@code false}, {@code null} as written. Of a file ({@link JsonPaths#andFiles}), the
 *     document itself from where the string begins to where it ends, escapes and all; then its {@code toString()} is the string
 */
public record Field(String path, Kind kind, CharSequence value) {
    private static final long LARGEST = (1L << 53) - 1;
    private static final int LONGEST_NUMBER = 40;

    /** What a value is. */
    public enum Kind {
        /** A text. */
        STRING,
        /** A string that is text of the answer ({@link JsonPaths#andTexts}). A {@link Dialect} is not told of these: they are counted as they are. */
        TEXT,
        /** A number. */
        NUMBER,
        /** {@code true}, {@code false} or {@code null}. */
        LITERAL,
        /** The name of a member, below a path that ends with {@code **}. */
        NAME,
        /** The end of an object, which has no text. */
        END
    }

    /** {@return the value as a string} */
    public String text() {
        return value.toString();
    }

    /** {@return a count, if it is one: an integer from 0 to 2^53 - 1} Some providers write 28 as 28.0. */
    public OptionalLong count() {
        String text = text();
        String digits = text.endsWith(".0") ? text.substring(0, text.length() - 2) : text;
        if (kind != Kind.NUMBER || digits.length() > 16 || digits.isEmpty()) {
            return OptionalLong.empty();
        }
        for (int i = 0; i < digits.length(); i++) {
            if (digits.charAt(i) < '0' || digits.charAt(i) > '9') {
                return OptionalLong.empty();
            }
        }
        long count = Long.parseLong(digits);
        return count <= LARGEST ? OptionalLong.of(count) : OptionalLong.empty();
    }

    /** {@return whether it is a text} */
    public boolean isString() {
        return kind == Kind.STRING || kind == Kind.TEXT;
    }

    /** {@return whether it is {@code null}} */
    public boolean isNull() {
        return kind == Kind.LITERAL && text().equals("null");
    }

    /**
     * {@return a part of a dollar, as a number of units of which so many make one, in billionths of a dollar, rounded up; empty if it is no number, or
     * below 0, or above what can be counted}
     *
     * @param unitsADollar how many of the unit make a dollar
     */
    public OptionalLong nanoUsd(long unitsADollar) {
        if (kind != Kind.NUMBER || value.length() > LONGEST_NUMBER) {
            return OptionalLong.empty();
        }
        BigDecimal units;
        try {
            units = new BigDecimal(text());
        } catch (NumberFormatException e) {
            // Its exponent is beyond an int.
            return OptionalLong.empty();
        }
        // Before anything is done with it: 1e999999999 is short to write.
        if (units.signum() < 0 || Math.abs((long) units.scale()) > LONGEST_NUMBER) {
            return OptionalLong.empty();
        }
        BigDecimal nano = units.movePointRight(9).divide(BigDecimal.valueOf(unitsADollar), 0, RoundingMode.UP);
        return nano.compareTo(BigDecimal.valueOf(LARGEST)) <= 0
                ? OptionalLong.of(nano.longValueExact())
                : OptionalLong.empty();
    }
}
