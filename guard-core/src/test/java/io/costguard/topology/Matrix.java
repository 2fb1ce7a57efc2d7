package io.costguard.topology;

import io.costguard.testing.RedisForTests;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.TestWatcher;
import redis.clients.jedis.UnifiedJedis;

/** Tells, once all tests have run, over what the contract of limits was run, and what was left out, and why. */
final class Matrix implements BeforeEachCallback, TestWatcher {
    private static final ExtensionContext.Namespace OURS = ExtensionContext.Namespace.create(Matrix.class);

    /** How many tests of each topology there were. */
    private static final class Counts implements AutoCloseable {
        private final Map<String, Integer> run = new LinkedHashMap<>();
        private final Map<String, Integer> passed = new LinkedHashMap<>();

        @Override
        public void close() throws IOException {
            List<String> lines = new ArrayList<>();
            lines.add("The contract of limits, with " + version() + ", Jedis " + jedis() + ", Java "
                    + Runtime.version().feature() + ":");
            run.forEach((topology, count) ->
                    lines.add("  " + passed.getOrDefault(topology, 0) + " of " + count + " passed over " + topology));
            lines.add(
                    "  left out: other servers, as one build has one: GUARD_REDIS_SERVER names another, Redis 6.2 to 8 or Valkey");
            lines.add(
                    "  left out: containers, as what is started here is a process; GUARD_REDIS=docker has one of one server");
            lines.forEach(System.out::println);
            Path report = Path.of("target", "contract-of-limits.txt");
            Files.createDirectories(report.getParent());
            Files.write(report, lines);
        }

        private static String version() {
            return "Redis " + RedisForTests.shared().version();
        }

        private static String jedis() {
            String jar = UnifiedJedis.class
                    .getProtectionDomain()
                    .getCodeSource()
                    .getLocation()
                    .getPath();
            return jar.replaceAll(".*jedis-|\\.jar$", "");
        }
    }

    @Override
    public void beforeEach(ExtensionContext test) {
        counts(test).run.merge(topology(test), 1, Integer::sum);
    }

    @Override
    public void testSuccessful(ExtensionContext test) {
        counts(test).passed.merge(topology(test), 1, Integer::sum);
    }

    private static Counts counts(ExtensionContext test) {
        return test.getRoot().getStore(OURS).getOrComputeIfAbsent(Counts.class, type -> new Counts(), Counts.class);
    }

    /** The invocation of the class, of which there is one for each; inside it the method, and inside that the test. */
    private static String topology(ExtensionContext test) {
        return test.getParent()
                .flatMap(ExtensionContext::getParent)
                .orElseThrow()
                .getDisplayName();
    }
}
