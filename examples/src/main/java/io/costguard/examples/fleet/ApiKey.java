package io.costguard.examples.fleet;

import io.costguard.limit.Fingerprint;
import java.nio.charset.StandardCharsets;

/** The API keys of the fleet, one a team. */
public enum ApiKey {
    SEARCH("search", "sk-demo-0f3c9a71b2d84e56"),
    SUPPORT("support", "sk-demo-7be1d0c4a9f64832");

    /** Under which the whole fleet fingerprints keys. */
    static final byte[] FINGERPRINT_KEY = "io.costguard.examples".getBytes(StandardCharsets.UTF_8);

    private final String team;
    private final String secret;

    ApiKey(String team, String secret) {
        this.team = team;
        this.secret = secret;
    }

    /** Whose it is: how the key is called wherever it is shown. */
    public String team() {
        return team;
    }

    /** What the guard calls it. */
    public String fingerprint() {
        return new Fingerprint(FINGERPRINT_KEY).of(secret);
    }

    String bearer() {
        return "Bearer " + secret;
    }

    /**
     * The one of a team.
     *
     * @throws IllegalArgumentException if none is called so
     */
    public static ApiKey of(String team) {
        for (ApiKey key : values()) {
            if (key.team.equals(team)) {
                return key;
            }
        }
        throw new IllegalArgumentException("no team '" + team + "'");
    }
}
