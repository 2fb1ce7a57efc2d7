package io.costguard.spring;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.bind.BindResult;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.core.env.Environment;

/** What {@code spring.data.redis.*} says of a single server, in the names that all versions of Spring Boot have for it. Immutable. */
record SpringRedis(
        @Nullable String url,
        @Nullable String host,
        @DefaultValue("6379") int port,
        @Nullable String username,
        @Nullable String password,
        @DefaultValue("0") int database,
        @DefaultValue Ssl ssl,
        @DefaultValue Sentinel sentinel,
        @DefaultValue Cluster cluster) {
    private static final String PREFIX = "spring.data.redis";

    record Ssl(@Nullable Boolean enabled, @Nullable String bundle) {}

    record Sentinel(@Nullable String master) {}

    record Cluster(@Nullable List<String> nodes) {}

    /** Without the password. */
    @Override
    public String toString() {
        return PREFIX;
    }

    /**
     * The URL of the server, if there is one.
     *
     * @throws InvalidPropertyException if it is one that a URL cannot say
     */
    static Optional<String> url(Environment environment) {
        BindResult<SpringRedis> said = Binder.get(environment).bind(PREFIX, SpringRedis.class);
        return said.isBound() ? said.get().asUrl() : Optional.empty();
    }

    private Optional<String> asUrl() {
        if (sentinel.master() != null || cluster.nodes() != null || ssl.bundle() != null) {
            throw new InvalidPropertyException(
                    CostGuardProperties.PREFIX + ".redis",
                    PREFIX
                            + " has a cluster, sentinels or an SSL bundle, which the guard's own client does not know; set"
                            + " it to the URL of a single server, or define a bean of type UnifiedJedis, which the guard"
                            + " then uses");
        }
        if (url != null) {
            return Optional.of(url);
        }
        if (host == null) {
            return Optional.empty();
        }
        String credentials = password == null ? null : (username == null ? "" : username) + ":" + password;
        try {
            String scheme = Boolean.TRUE.equals(ssl.enabled()) ? "rediss" : "redis";
            return Optional.of(new URI(scheme, credentials, host, port, "/" + database, null, null).toString());
        } catch (URISyntaxException e) {
            // Not with the cause, which repeats the password.
            throw new InvalidPropertyException(PREFIX + ".host", "not the name of a host: '" + host + "'");
        }
    }
}
