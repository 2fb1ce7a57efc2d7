package io.costguard.describe;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The short fields of a form that may have long files: {@code multipart/form-data} (RFC 7578). What separates its parts is taken from its first
 * line, as some clients tell it in no header that can be seen before the request is sent; a form with a preamble is not read.
 */
final class Form {
    private static final byte[] LINE_END = {'\r', '\n'};
    private static final byte[] HEAD_END = {'\r', '\n', '\r', '\n'};

    /** Two hyphens and a boundary (RFC 2046, 5.1.1). */
    private static final int LONGEST_DELIMITER = 2 + 70;

    private static final int LONGEST_HEAD = 1_000;
    private static final int LONGEST_VALUE = 1_000;

    private static final Pattern NAME = Pattern.compile(
            "^content-disposition:[^\r\n]*?;[ \t]*name=\"?([^\";\r\n]+)\"?",
            Pattern.CASE_INSENSITIVE | Pattern.MULTILINE);

    private static final Pattern NUMBER = Pattern.compile("[0-9]+");

    private Form() {}

    /** Tells of each part of one of these names, whose value is no longer than such are. */
    static void read(byte[] body, List<String> names, Consumer<Field> told) {
        int first = indexOf(body, LINE_END, 0, body.length);
        if (first < 3 || first > LONGEST_DELIMITER || body[0] != '-' || body[1] != '-') {
            return;
        }
        byte[] delimiter = ("\r\n" + text(body, 0, first)).getBytes(StandardCharsets.ISO_8859_1);
        int part = first + LINE_END.length;
        int end = indexOf(body, delimiter, part, body.length);
        while (end >= 0) {
            int head = indexOf(body, HEAD_END, part, Math.min(end, part + LONGEST_HEAD) + HEAD_END.length);
            int value = head + HEAD_END.length;
            if (head >= 0 && value <= end && end - value <= LONGEST_VALUE) {
                Matcher name = NAME.matcher(text(body, part, head));
                if (name.find() && names.contains(name.group(1))) {
                    told.accept(field(name.group(1), new String(body, value, end - value, StandardCharsets.UTF_8)));
                }
            }
            part = end + delimiter.length + LINE_END.length;
            end = indexOf(body, delimiter, part, body.length);
        }
    }

    private static Field field(String name, String value) {
        boolean isNumber = NUMBER.matcher(value).matches();
        return new Field(name, isNumber ? Field.Kind.NUMBER : Field.Kind.STRING, value);
    }

    private static String text(byte[] body, int from, int to) {
        return new String(body, from, to - from, StandardCharsets.ISO_8859_1);
    }

    private static int indexOf(byte[] body, byte[] wanted, int from, int to) {
        for (int i = from; i <= Math.min(to, body.length) - wanted.length; i++) {
            if (body[i] == wanted[0] && Arrays.equals(body, i, i + wanted.length, wanted, 0, wanted.length)) {
                return i;
            }
        }
        return -1;
    }
}
