package io.costguard.describe;

/** Texts as fields of HTTP have them. */
public final class HeaderText {
    private HeaderText() {}

    /**
     * {@return a quoted string (RFC 9110, section 5.6.4) that is a String of structured fields too (RFC 9651, section 3.3.3): printable ASCII}
     *
     * @param value any text
     */
    public static String quoted(String value) {
        StringBuilder text = new StringBuilder("\"");
        value.codePoints().forEach(c -> {
            if (c == '"' || c == '\\') {
                text.append('\\').appendCodePoint(c);
            } else {
                text.appendCodePoint(c >= ' ' && c < 127 ? c : '?');
            }
        });
        return text.append('"').toString();
    }
}
