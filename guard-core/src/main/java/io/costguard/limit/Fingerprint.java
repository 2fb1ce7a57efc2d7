package io.costguard.limit;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Names secrets and strangers' strings without telling them: HMAC-SHA-256 under one key of the fleet, cut to 128 bits, in
 * hexadecimal (RFC 2104).
 */
public final class Fingerprint {
    private static final String ALGORITHM = "HmacSHA256";
    private static final int BYTES = 16;

    private final SecretKeySpec key;
    private final Mac unused;

    public Fingerprint(byte[] key) {
        this.key = new SecretKeySpec(key, ALGORITHM);
        this.unused = newMac();
    }

    /** The fingerprint of {@code parts}, in which no two lists of parts look alike. */
    public String of(String... parts) {
        return HexFormat.of().formatHex(bytes(parts));
    }

    /** The same in the URL-safe alphabet of Base64 (RFC 4648), six bits a character. */
    String dense(String... parts) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes(parts));
    }

    private byte[] bytes(String... parts) {
        Mac mac = mac();
        for (String part : parts) {
            byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
            if (parts.length > 1) {
                mac.update((bytes.length + ":").getBytes(StandardCharsets.US_ASCII));
            }
            mac.update(bytes);
        }
        return Arrays.copyOf(mac.doFinal(), BYTES);
    }

    /** A copy costs a third of a new one, but not every provider of cryptography has copies. */
    private Mac mac() {
        try {
            return (Mac) unused.clone();
        } catch (CloneNotSupportedException e) {
            return newMac();
        }
    }

    private Mac newMac() {
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(key);
            return mac;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java runtime has no " + ALGORITHM, e);
        }
    }
}
