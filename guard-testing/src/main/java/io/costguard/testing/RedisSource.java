package io.costguard.testing;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Chooses where a Redis comes from. The order is told to users at {@link RedisForTests}. */
final class RedisSource {
    private static final Logger log = LoggerFactory.getLogger(RedisForTests.class);

    private static @Nullable Path extracted;

    private final Settings settings;

    RedisSource(Settings settings) {
        this.settings = settings;
    }

    /** The Redis of all tests: the user's, or one that is started for them. */
    RedisServer shared() {
        Optional<String> forced = settings.value("guard.redis");
        if (forced.isPresent()) return forced(forced.get(), List.of());
        Optional<String> url = settings.value("guard.redis.url");
        if (url.isPresent()) return existing(url.get());
        if (settings.value("guard.redis.server").isEmpty() && RedisContainer.dockerAnswers()) {
            try {
                return RedisContainer.start(List.of());
            } catch (RuntimeException e) {
                log.warn("Docker answers but cannot run a Redis; trying without", e);
            }
        }
        return process(List.of());
    }

    /** A Redis of the caller's own. In a container only if the user asks for that: a process is there at once. */
    RedisServer own(List<String> arguments) {
        return settings.value("guard.redis")
                .map(forced -> forced(forced, arguments))
                .orElseGet(() -> process(arguments));
    }

    /** Of a cluster: never in a container, of which the others, and clients, would not know the address. */
    RedisServer node(List<String> arguments) {
        return settings.value("guard.redis")
                .filter(forced -> !forced.equalsIgnoreCase("docker"))
                .map(forced -> forced(forced, arguments))
                .orElseGet(() -> process(arguments));
    }

    private RedisServer forced(String kind, List<String> arguments) {
        return switch (kind.toLowerCase(Locale.ROOT)) {
            case "docker" -> {
                if (!RedisContainer.dockerAnswers())
                    throw new IllegalStateException("GUARD_REDIS=docker: no Docker answers");
                yield RedisContainer.start(arguments);
            }
            case "installed" ->
                installed(arguments)
                        .orElseThrow(() -> new IllegalStateException("GUARD_REDIS=installed: no redis-server on the"
                                + " PATH, and GUARD_REDIS_SERVER names none"));
            case "embedded" ->
                embedded(arguments)
                        .orElseThrow(
                                () -> new IllegalStateException("GUARD_REDIS=embedded: no binary for " + platform()));
            default ->
                throw new IllegalStateException("GUARD_REDIS=" + kind + ": not one of embedded, installed, docker");
        };
    }

    private static RedisServer existing(String url) {
        URI uri;
        try {
            uri = URI.create(url);
        } catch (IllegalArgumentException e) {
            uri = URI.create("");
        }
        // The value is not repeated: it may hold a password.
        if (uri.getHost() == null || !List.of("redis", "rediss").contains(uri.getScheme())) {
            throw new IllegalStateException("GUARD_REDIS_URL must be like redis://user:password@host:6379");
        }
        return new RedisServer.Shared("GUARD_REDIS_URL", uri);
    }

    private RedisServer process(List<String> arguments) {
        return installed(arguments)
                .or(() -> embedded(arguments))
                .orElseThrow(() -> new IllegalStateException("No Redis for tests: GUARD_REDIS_URL is not set, no Docker"
                        + " answers, no redis-server is on the PATH, and none is embedded for " + platform()));
    }

    private Optional<RedisServer> installed(List<String> arguments) {
        return settings.value("guard.redis.server")
                .map(RedisSource::named)
                .or(RedisSource::onThePath)
                .map(binary -> RedisProcess.start("installed " + binary, binary, arguments));
    }

    private static Path named(String binary) {
        Path path = Path.of(binary);
        if (!Files.isExecutable(path)) throw new IllegalStateException("GUARD_REDIS_SERVER: cannot run " + path);
        return path;
    }

    private static Optional<Path> onThePath() {
        return Optional.ofNullable(System.getenv("PATH")).stream()
                .flatMap(path -> Arrays.stream(path.split(File.pathSeparator)))
                .map(directory -> Path.of(directory, "redis-server"))
                .filter(Files::isExecutable)
                .findFirst();
    }

    private static Optional<RedisServer> embedded(List<String> arguments) {
        return embeddedBinary().map(binary -> RedisProcess.start("embedded", binary, arguments));
    }

    /** Extracted once, to a file that lives as long as the JVM. */
    static synchronized Optional<Path> embeddedBinary() {
        if (extracted != null) return Optional.of(extracted);
        try (InputStream resource = RedisSource.class.getResourceAsStream("/redis-server-7.0.15-" + platform())) {
            if (resource == null) return Optional.empty();
            Path binary = Files.createTempFile("redis-server", "");
            binary.toFile().deleteOnExit();
            Files.copy(resource, binary, StandardCopyOption.REPLACE_EXISTING);
            if (!binary.toFile().setExecutable(true)) throw new IOException("Cannot make executable: " + binary);
            extracted = binary;
            return Optional.of(binary);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String platform() {
        String system = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String processor = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
        return (system.startsWith("mac") ? "darwin" : system.replace(' ', '-')) + "-"
                + switch (processor) {
                    case "x86_64" -> "amd64";
                    case "aarch64" -> "arm64";
                    case "x86", "i386", "i686" -> "386";
                    default -> processor;
                };
    }
}
