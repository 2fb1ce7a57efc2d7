package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The example in {@code docs/regions.md}, which compiles here. */
class RegionsExampleTest {

    @SuppressWarnings("FutureReturnValueIgnored") // it throws nothing
    static CostGuard example() {
        CostGuard guard = CostGuard.builder()
                .redis("redis://redis.eu:6379")
                .budget(Budget.named("money").per().limit(Limit.usd("100.00").perDay()))
                .regions(RegionalShares.of("money").among("eu", "us").in("eu").through("redis://redis.shared:6379"))
                .build();

        guard.rebalance();
        ScheduledExecutorService scheduler = Executors.newSingleThreadScheduledExecutor();
        scheduler.scheduleWithFixedDelay(guard::rebalance, 1, 1, TimeUnit.SECONDS);
        return guard;
    }

    @Test
    void theDocumentationSaysWhatCompiles() throws IOException {
        String documentation = Files.readString(inCheckout("docs/regions.md"));
        String example = documentation.split("```java\n|```\n", 3)[1];
        String source = Files.readString(
                inCheckout("guard-core/src/test/java/io/costguard/" + getClass().getSimpleName() + ".java"));

        assertThat(example).contains("CostGuard.builder()");
        assertThat(bare(source)).contains(bare(example));
    }

    private static Path inCheckout(String file) {
        return Stream.of(Path.of(file), Path.of("..").resolve(file))
                .filter(Files::exists)
                .findFirst()
                .orElseThrow();
    }

    /** Without comments and spaces. */
    private static String bare(String java) {
        return java.replaceAll("(?m) //.*$", "").replaceAll("\\s", "");
    }
}
