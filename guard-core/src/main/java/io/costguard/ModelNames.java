package io.costguard;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The names under which models are counted. Providers offer one model under several: an alias, and dated snapshots of it.
 * Counting each by itself would give a caller a fresh balance for every spelling.
 */
public final class ModelNames {
    /**
     * Snapshots whose date is not a date by its looks. All others are found by their ending: {@code -2024-08-06},
     * {@code -20241022} and {@code -latest} are left away.
     */
    public static final Map<String, String> ALIASES = Map.ofEntries(
            Map.entry("gpt-3.5-turbo-0125", "gpt-3.5-turbo"),
            Map.entry("gpt-3.5-turbo-0301", "gpt-3.5-turbo"),
            Map.entry("gpt-3.5-turbo-0613", "gpt-3.5-turbo"),
            Map.entry("gpt-3.5-turbo-1106", "gpt-3.5-turbo"),
            Map.entry("gpt-3.5-turbo-16k-0613", "gpt-3.5-turbo-16k"),
            Map.entry("gpt-4-0314", "gpt-4"),
            Map.entry("gpt-4-0613", "gpt-4"),
            Map.entry("gpt-4-32k-0314", "gpt-4-32k"),
            Map.entry("gpt-4-32k-0613", "gpt-4-32k"));

    private static final Pattern DATED = Pattern.compile("-(?:20[0-9]{2}-[01][0-9]-[0-3][0-9]|20[0-9]{6}|latest)$");
    private static final int LONGEST_DATE = "-2024-08-06".length();
    private static final int LONGEST = 128;
    private static final int DIGEST_DIGITS = 16;

    private ModelNames() {}

    /**
     * {@return the name under which {@code model} is counted: lower case, without a snapshot's date, without control characters and
     * blanks at its ends} A name of more than 128 characters is cut, and told from its like by a digest at its end.
     *
     * @param model the model's name
     */
    public static String canonical(String model) {
        String name = undated(printable(model).toLowerCase(Locale.ROOT).strip());
        name = ALIASES.getOrDefault(name, name);
        return name.length() > LONGEST ? name.substring(0, LONGEST - DIGEST_DIGITS - 1) + "~" + digest(name) : name;
    }

    private static String printable(String name) {
        for (int i = 0; i < name.length(); i++) {
            if (Character.isISOControl(name.charAt(i))) {
                return withoutControls(name);
            }
        }
        return name;
    }

    private static String withoutControls(String name) {
        StringBuilder printable = new StringBuilder(name.length());
        for (int i = 0; i < name.length(); i++) {
            if (!Character.isISOControl(name.charAt(i))) {
                printable.append(name.charAt(i));
            }
        }
        return printable.toString();
    }

    private static String undated(String name) {
        if (!mayBeDated(name)) {
            return name;
        }
        Matcher dated = DATED.matcher(name);
        int end = name.length();
        while (dated.region(Math.max(0, end - LONGEST_DATE), end).find()) {
            end = dated.start();
            while (end > 0 && Character.isWhitespace(name.charAt(end - 1))) {
                end--;
            }
        }
        return name.substring(0, end);
    }

    /** Most names are not, and told by their last character. */
    private static boolean mayBeDated(String name) {
        char last = name.isEmpty() ? ' ' : name.charAt(name.length() - 1);
        return last == 't' || (last >= '0' && last <= '9');
    }

    private static String digest(String name) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(name.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest, 0, DIGEST_DIGITS / 2);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("this Java runtime has no SHA-256", e);
        }
    }
}
