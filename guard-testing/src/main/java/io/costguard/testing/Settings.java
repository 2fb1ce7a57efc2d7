package io.costguard.testing;

import java.util.Locale;
import java.util.Optional;

/** What the user asks for, each by the name of a system property such as {@code guard.redis.url}. */
interface Settings {
    Optional<String> value(String property);

    /** A system property, or else the environment variable named alike: {@code GUARD_REDIS_URL}. Empty is not set. */
    static Settings ofThisJvm() {
        return property -> Optional.ofNullable(System.getProperty(property))
                .or(() -> Optional.ofNullable(System.getenv(environmentName(property))))
                .map(String::strip)
                .filter(value -> !value.isEmpty());
    }

    static String environmentName(String property) {
        return property.toUpperCase(Locale.ROOT).replace('.', '_');
    }
}
