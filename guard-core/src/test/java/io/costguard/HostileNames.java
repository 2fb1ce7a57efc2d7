package io.costguard;

import java.util.Random;

/** Names of models that somebody chose to do harm with, or that a fuzzer found. */
public final class HostileNames {
    private static final String[] PARTS = {
        "{}",
        "{",
        "}",
        "{a}{b}",
        ":",
        "\n",
        "\r\n",
        "\0",
        "gpt-4o",
        "-latest",
        "-2024-08-06",
        "-20241022",
        " ",
        "*",
        "\\E",
        "\ud800",
        "\udfff",
        "\ud83d\ude00",
        "\u202e",
        "\u0130",
        "\ufeff",
        "\u0085",
        "\"",
        "'",
        "${jndi:ldap://x}",
        "%s",
        "%n",
        "../",
        ";",
        "~0123456789abcdef",
        "x".repeat(300)
    };

    private HostileNames() {}

    /** {@return one, of any length up to a megabyte} */
    public static String next(Random random) {
        StringBuilder name = new StringBuilder();
        for (int parts = random.nextInt(8); parts >= 0; parts--) {
            if (random.nextInt(4) == 0) {
                name.append((char) random.nextInt(1 << 16));
            } else {
                name.append(PARTS[random.nextInt(PARTS.length)]);
            }
        }
        return random.nextInt(2_000) == 0 ? name.append("y".repeat(1 << 20)).toString() : name.toString();
    }
}
