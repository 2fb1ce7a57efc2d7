package io.costguard.describe.dialects;

import io.costguard.describe.Target;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Whose a request to AWS is: signatures change with each, and temporary keys by the hour. */
final class AwsKey {
    private static final Pattern CREDENTIAL = Pattern.compile("Credential=(\\w+)");
    private static final String SHORT_TERM = "bedrock-api-key-";
    private static final String TEMPORARY = "ASIA";
    private static final String BASE_32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    private AwsKey() {}

    /**
     * The access key of a signature, the account of a temporary one, or else the key as it is.
     *
     * @param key as a header has it; empty if none does, and the signature may be in the URL
     */
    static String of(String key, Target target) {
        String signed = key.isEmpty() ? target.query() : key;
        if (key.startsWith(SHORT_TERM)) {
            signed = decoded(key.substring(SHORT_TERM.length()));
        }
        Matcher credential = CREDENTIAL.matcher(signed);
        return credential.find() ? account(credential.group(1)) : key;
    }

    private static String decoded(String base64) {
        try {
            return new String(Base64.getDecoder().decode(base64), StandardCharsets.US_ASCII);
        } catch (IllegalArgumentException e) {
            return "";
        }
    }

    /**
     * Of a temporary access key the account, which stays when the key changes; it is in the key ("A short note on AWS KEY ID"), as 40 of
     * its bits after the first. Any other key is itself.
     */
    private static String account(String accessKey) {
        if (!accessKey.startsWith(TEMPORARY) || accessKey.length() != 20) {
            return accessKey;
        }
        long bits = 0;
        for (char c :
                accessKey.substring(TEMPORARY.length(), TEMPORARY.length() + 9).toCharArray()) {
            int digit = BASE_32.indexOf(c);
            if (digit < 0) {
                return accessKey;
            }
            bits = bits << 5 | digit;
        }
        return String.valueOf(bits >> 4 & (1L << 40) - 1);
    }
}
