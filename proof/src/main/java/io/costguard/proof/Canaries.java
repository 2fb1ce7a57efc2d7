package io.costguard.proof;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URLEncoder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;

/** Secrets that are in calls, and in nothing that a guard tells. Immutable. */
final class Canaries {
    private static final String LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    private static final int BEGINNING = 8;
    private static final int AROUND = 200;

    private final Map<Secret, String> values = new EnumMap<>(Secret.class);
    private final Map<Secret, Set<String>> disguises = new EnumMap<>(Secret.class);

    /** Where in a call it is. */
    enum Secret {
        BEARER,
        BASIC_PASSWORD,
        X_API_KEY,
        API_KEY,
        GOOG_API_KEY,
        QUERY,
        USER_INFO,
        PROMPT,
        ANSWER,
        ANSWERS_ERROR,
        ANSWERS_HEADER,
        ACQUIRED_KEY,
        REDIS_PASSWORD,
        /** Told to listeners and the log, but in clear to nobody else. */
        TENANT;

        boolean isHiddenFrom(Place place) {
            return this != TENANT || place.hidesAttributes;
        }
    }

    /** Where it must not be. */
    enum Place {
        COMMANDS("commands to Redis", true),
        KEYS("keys and values in Redis", true),
        LOG("the log at TRACE", false),
        EVENTS("events of listeners", false),
        EXCEPTIONS("exceptions and their causes", false),
        OBJECTS("toString() of public objects", false),
        DENIALS("answers of the guard's own", false),
        METERS("meters of Micrometer", true),
        TELEMETRY("spans and metrics of OpenTelemetry", true),
        THREADS("names of threads", true);

        final String label;
        final boolean hidesAttributes;

        Place(String label, boolean hidesAttributes) {
            this.label = label;
            this.hidesAttributes = hidesAttributes;
        }
    }

    private Canaries() {}

    static Canaries of(Random random) {
        Canaries canaries = new Canaries();
        for (Secret secret : Secret.values()) {
            String value = letters(random, 12) + "/" + letters(random, 9) + "+" + letters(random, 9);
            canaries.put(secret, value);
        }
        return canaries;
    }

    /** {@return those that another process was told of as {@link #toString()}} */
    static Canaries told(String text) {
        Canaries canaries = new Canaries();
        Iterator<String> values = List.of(text.split(",", -1)).iterator();
        for (Secret secret : Secret.values()) {
            canaries.put(secret, values.next());
        }
        return canaries;
    }

    private void put(Secret secret, String value) {
        values.put(secret, value);
        disguises.put(secret, disguises(value));
    }

    private static String letters(Random random, int count) {
        StringBuilder letters = new StringBuilder();
        for (int i = 0; i < count; i++) {
            letters.append(LETTERS.charAt(random.nextInt(LETTERS.length())));
        }
        return letters.toString();
    }

    String of(Secret secret) {
        return values.getOrDefault(secret, "");
    }

    /** {@return those that are in {@code text}, in whatever disguise, and should not be in that place} */
    List<String> in(String text, Place place) {
        String lower = text.toLowerCase(Locale.ROOT);
        List<String> found = new ArrayList<>();
        values.forEach((secret, value) -> {
            if (secret.isHiddenFrom(place)) {
                disguises.getOrDefault(secret, Set.of()).stream()
                        .filter(text::contains)
                        .findFirst()
                        .ifPresent(disguise -> found.add(secret + " as " + disguise + " in " + around(text, disguise)));
                if (lower.contains(value.toLowerCase(Locale.ROOT)) && !text.contains(value)) {
                    found.add(secret + " in lower case");
                }
            }
        });
        return found;
    }

    /** {@return those that are in {@code text}, in whatever disguise} */
    Set<Secret> in(String text) {
        Set<Secret> found = EnumSet.noneOf(Secret.class);
        disguises.forEach((secret, those) -> {
            if (those.stream().anyMatch(text::contains)) {
                found.add(secret);
            }
        });
        return found;
    }

    private static String around(String text, String found) {
        int at = text.indexOf(found);
        return text.substring(Math.max(0, at - AROUND), Math.min(text.length(), at + found.length() + AROUND))
                .replaceAll("[^ -~\n]", ".");
    }

    /** As it is, its beginning, and what everybody can make of them or of it. */
    private static Set<String> disguises(String value) {
        Set<String> disguises = new LinkedHashSet<>();
        for (String part : List.of(value, value.substring(0, BEGINNING))) {
            disguises.add(part);
            disguises.add(URLEncoder.encode(part, UTF_8));
            disguises.add(part.replace("/", "\\/"));
            HexFormat hex = HexFormat.of();
            disguises.add(hex.formatHex(part.getBytes(UTF_8)));
            disguises.add(hex.withUpperCase().formatHex(part.getBytes(UTF_8)));
            for (int before = 0; before < 3; before++) {
                disguises.add(inBase64(Base64.getEncoder(), part, before));
                disguises.add(inBase64(Base64.getUrlEncoder(), part, before));
            }
        }
        for (String algorithm : List.of("MD5", "SHA-1", "SHA-256")) {
            byte[] digest = digest(algorithm, value);
            disguises.add(HexFormat.of().formatHex(digest).substring(0, 16));
            disguises.add(Base64.getEncoder().encodeToString(digest).substring(0, 12));
        }
        return disguises;
    }

    /** Of its letters in Base64, those that are the same whatever comes before and after it. */
    private static String inBase64(Base64.Encoder encoder, String part, int before) {
        String encoded = encoder.withoutPadding().encodeToString((" ".repeat(before) + part).getBytes(UTF_8));
        int whole = (before + part.length()) / 3 * 4;
        return encoded.substring(before == 0 ? 0 : before + 1, whole);
    }

    private static byte[] digest(String algorithm, String value) {
        try {
            return MessageDigest.getInstance(algorithm).digest(value.getBytes(UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public String toString() {
        return String.join(",", values.values());
    }
}
