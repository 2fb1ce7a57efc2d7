package io.costguard.describe;

import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.List;

/**
 * A file as it stands in a request: base64 of either alphabet, as a string or as it is written in JSON, perhaps with {@code data:…,} before it;
 * or a URL instead. Only what is asked for is decoded.
 */
final class Base64Text {
    private static final int LONGEST_PREFIX = 200;
    private static final int LONGEST_SCHEME = 10;
    private static final byte[] DIGITS = digits();

    private final CharSequence text;
    private final int from;

    private Base64Text(CharSequence text, int from) {
        this.text = text;
        this.from = from;
    }

    static Base64Text of(CharSequence text) {
        boolean hasPrefix =
                text.length() > 5 && text.subSequence(0, 5).toString().equalsIgnoreCase("data:");
        return new Base64Text(text, hasPrefix ? indexOf(text, ',', LONGEST_PREFIX) + 1 : 0);
    }

    private static int indexOf(CharSequence text, char wanted, int limit) {
        for (int i = 0; i < Math.min(limit, text.length()); i++) {
            if (text.charAt(i) == wanted) {
                return i;
            }
        }
        return -1;
    }

    /** {@code https://…}, {@code gs://…}: base64 has no colon. */
    boolean isUrl() {
        return from == 0 && indexOf(text, ':', LONGEST_SCHEME) > 0;
    }

    /** Whether its beginning is base64, and no plain text. */
    boolean isEncoded() {
        for (int i = from; i < Math.min(text.length(), from + LONGEST_PREFIX); i++) {
            char c = text.charAt(i);
            if (digit(c) < 0 && c != '=' && c != '\\' && c != '\r' && c != '\n') {
                return false;
            }
        }
        return true;
    }

    /** About how many bytes it has; of lines that are broken, somewhat fewer. */
    int bytes() {
        return (int) ((text.length() - from) * 3L / 4);
    }

    /** Bytes of it, from the first to before the last; fewer if it ends before, or has line breaks. */
    byte[] decoded(int first, int last) {
        return decoded(first, last, 0);
    }

    /** {@link #decoded(int, int)} without its first so many digits: where lines are broken, those before are not a multiple of four. */
    byte[] decoded(int first, int last, int without) {
        int groups = first / 3;
        int next = from + 4 * groups;
        int wanted = last - 3 * groups;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(Math.max(0, wanted));
        int passed = 0;
        int bits = 0;
        int held = 0;
        while (bytes.size() < wanted && next < text.length()) {
            char c = text.charAt(next++);
            if (c == '\\' && next < text.length()) {
                char escaped = text.charAt(next++);
                boolean isUnicode = escaped == 'u' && next + 4 <= text.length();
                c = isUnicode ? unicode(next) : escaped == '/' ? escaped : '\n';
                next += isUnicode ? 4 : 0;
            }
            int digit = digit(c);
            if (digit >= 0 && passed < without) {
                passed++;
            } else if (digit >= 0) {
                bits = bits << 6 | digit;
                held += 6;
                if (held >= 8) {
                    held -= 8;
                    bytes.write(bits >> held);
                }
            }
        }
        return bytes.toByteArray();
    }

    private char unicode(int at) {
        int code = 0;
        for (int i = at; i < at + 4; i++) {
            code = code << 4 | Math.max(0, Character.digit(text.charAt(i), 16));
        }
        return (char) code;
    }

    private static int digit(char c) {
        return c < DIGITS.length ? DIGITS[c] : -1;
    }

    private static byte[] digits() {
        byte[] digits = new byte[128];
        Arrays.fill(digits, (byte) -1);
        for (String alphabet : List.of("+/", "-_")) {
            String all = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" + alphabet;
            for (int i = 0; i < all.length(); i++) {
                digits[all.charAt(i)] = (byte) i;
            }
        }
        return digits;
    }
}
