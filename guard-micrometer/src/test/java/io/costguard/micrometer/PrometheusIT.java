package io.costguard.micrometer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.Permit;
import io.costguard.WhenExhausted;
import io.costguard.testing.RedisForTests;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.Tag;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What Prometheus scrapes of a guard that made real calls, and what is written for it: dashboard, alerts, and the page of the meters. */
@Timeout(60)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class PrometheusIT {
    private static final String KEY = "sk-canary-0123456789abcdef";
    private static final Path ROOT = Path.of("..");
    private static final Path DASHBOARD = Path.of("grafana/cost-guard.json");
    private static final Path ALERTS = Path.of("prometheus/alerts.yml");
    private static final Duration LONG = Duration.ofDays(30);
    /** What Prometheus adds to all that it scrapes. */
    private static final Set<String> OF_PROMETHEUS = Set.of("job", "instance");

    private static final GuardedCall CALL = GuardedCall.of("gpt-4o")
            .with("provider", "openai")
            .with("apiKey", KEY)
            .with("tenant", "acme");

    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    private final Map<String, Set<String>> scraped = new HashMap<>();
    private String text = "";

    @BeforeAll
    void calls() throws Exception {
        RedisForTests redis = RedisForTests.shared();
        CostGuardMetrics metrics = new CostGuardMetrics(registry).tags("tenant");
        CostGuard.Builder there = CostGuard.builder()
                .redis(redis.url())
                .keyPrefix(redis.keyPrefix())
                .decisionTimeout(Duration.ofSeconds(30))
                .preCheck(Duration.ofMinutes(1))
                .nearLimit(0.8)
                .listener(metrics)
                .budget(Budget.named("money").per().limit(Limit.usd("1.00").perDay()))
                .budget(Budget.named("rate").limit(Limit.tokens(1_000).per(LONG).tokenBucket()))
                .budget(Budget.named("trial").dryRun().limit(Limit.requests(1).per(LONG)));
        CostGuard.Builder away = CostGuard.builder()
                .redis("redis://127.0.0.1:1")
                .decisionTimeout(Duration.ofMillis(10))
                .listener(metrics)
                .budget(Budget.named("rate").limit(Limit.tokens(1_000).perDay()));
        try (CostGuard guard = there.build();
                CostGuard alone = away.build()) {
            CostGuardMetrics.gauges(guard).bindTo(registry);
            guard.acquire(tokens(400, 200)).settle(Cost.requests(1).input(300).output(250));
            guard.flush();
            Permit most = guard.acquire(tokens(400, 0));
            assertThat(guard.tryAcquire(tokens(100, 0))).as("denied").isEmpty();
            assertThat(guard.tryAcquire(tokens(100, 0))).as("denied again").isEmpty();
            assertThat(guard.tryAcquire(tokens(1_001, 0))).as("above capacity").isEmpty();
            CompletableFuture<Permit> waits =
                    guard.acquireAsync(tokens(100, 0).whenExhausted(WhenExhausted.waitUpTo(LONG)));
            while (guard.stats().waitingCalls() == 0) {
                LockSupport.parkNanos(1_000_000);
            }
            most.release();
            waits.get().close();
            guard.hold(CALL, Duration.ofSeconds(1));
            assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> alone.acquire(tokens(1, 1)));
            guard.flush();
            text = registry.scrape();
        }
        Matcher sample = Pattern.compile("^([a-z_]+)(?:\\{(.*)\\})? [-+0-9.eENaInf]+$", Pattern.MULTILINE)
                .matcher(text);
        while (sample.find()) {
            Set<String> labels = scraped.computeIfAbsent(sample.group(1), unused -> new TreeSet<>());
            Matcher label = Pattern.compile("([a-z_]+)=\"").matcher(sample.group(2) == null ? "" : sample.group(2));
            while (label.find()) {
                labels.add(label.group(1));
            }
        }
    }

    @AfterAll
    void close() {
        registry.close();
    }

    private static GuardedCall tokens(long input, long output) {
        return CALL.cost(Cost.requests(1).input(input).output(output));
    }

    // ------------------------------------------------------------------------------------------------ what is counted

    @Test
    void realCallsAreCounted() {
        assertThat(text)
                .contains(
                        "costguard_tokens_total{model=\"gpt-4o\",provider=\"openai\",tenant=\"acme\",type=\"output\"} 250.0")
                .contains("costguard_limit_near_total{budget=\"rate\",limit=\"tokens per 30 days (token bucket)\"} 1.0")
                .contains("costguard_estimate_error_ratio_count{direction=\"over\",type=\"input\"} 1")
                .contains("costguard_estimate_error_ratio_count{direction=\"under\",type=\"output\"} 1")
                .contains("costguard_wait_seconds_count{outcome=\"granted\"} 1")
                .contains("costguard_settles_queued 0.0");
        assertThat(decisions("granted")).isEqualTo(3);
        assertThat(decisions("denied")).isEqualTo(3);
        assertThat(decisions("failed_closed")).isEqualTo(1);
        assertThat(denials("redis")).isEqualTo(1);
        assertThat(denials("pre_check")).isEqualTo(1);
        assertThat(denials("capacity")).isEqualTo(1);
        assertThat(denials("dry_run")).isPositive();
    }

    @Test
    void theKeyIsNowhereAndNeitherIsItsFingerprint() {
        assertThat(text).doesNotContain("sk-canary").doesNotContain("apiKey").doesNotContain("api_key");
        assertThat(Pattern.compile("[0-9a-f]{32}").matcher(text).find()).isFalse();
    }

    private double decisions(String outcome) {
        return registry.get("costguard.decisions").tag("outcome", outcome).counters().stream()
                .mapToDouble(counter -> counter.count())
                .sum();
    }

    private double denials(String by) {
        return registry.get("costguard.denials").tag("by", by).counters().stream()
                .mapToDouble(counter -> counter.count())
                .sum();
    }

    // ------------------------------------------------------------------------------------- what is written for it

    @ParameterizedTest
    @MethodSource("expressions")
    void whatAnExpressionAsksForIsScraped(String expression) {
        Matcher metric =
                Pattern.compile("(costguard_[a-z_]+)(?:\\{([^}]*)\\})?").matcher(expression);
        Set<String> grouping = new TreeSet<>();
        Matcher by = Pattern.compile("by \\(([a-z_, ]*)\\)").matcher(expression);
        while (by.find()) {
            grouping.addAll(names(by.group(1), "[a-z_]+"));
        }
        grouping.removeAll(OF_PROMETHEUS);
        int metrics = 0;
        while (metric.find()) {
            metrics++;
            assertThat(scraped).containsKey(metric.group(1));
            Set<String> labels = scraped.get(metric.group(1));
            assertThat(labels).as(metric.group(1)).containsAll(grouping);
            Set<String> selected = names(metric.group(2) == null ? "" : metric.group(2), "[a-z_]+(?=[!=]~?\")");
            selected.removeAll(OF_PROMETHEUS);
            assertThat(labels).as(metric.group(1)).containsAll(selected);
            Matcher value = Pattern.compile("([a-z_]+)!?=~?\"([a-z_|]+)\"")
                    .matcher(metric.group(2) == null ? "" : metric.group(2));
            while (value.find()) {
                for (String each : value.group(2).split("\\|", -1)) {
                    assertThat(text).contains(value.group(1) + "=\"" + each + "\"");
                }
            }
        }
        assertThat(metrics).as(expression).isPositive();
    }

    Stream<String> expressions() throws IOException {
        JsonNode alerts = new ObjectMapper(new YAMLFactory()).readTree(ALERTS.toFile());
        return Stream.of(new ObjectMapper().readTree(DASHBOARD.toFile()), alerts)
                .flatMap(tree -> tree.findValuesAsText("expr").stream());
    }

    @ParameterizedTest
    @MethodSource("panels")
    void aLegendNamesOnlyWhatItsExpressionKeeps(JsonNode target) {
        String expression = target.get("expr").asText();
        Set<String> kept = new TreeSet<>();
        Matcher by = Pattern.compile("by \\(([a-z_, ]*)\\)").matcher(expression);
        while (by.find()) {
            kept.addAll(names(by.group(1), "[a-z_]+"));
        }

        assertThat(kept).containsAll(names(target.get("legendFormat").asText(), "(?<=\\{\\{)[a-z_]+(?=\\}\\})"));
    }

    Stream<JsonNode> panels() throws IOException {
        List<JsonNode> targets = new ArrayList<>();
        new ObjectMapper()
                .readTree(DASHBOARD.toFile())
                .findValues("targets")
                .forEach(each -> each.forEach(targets::add));
        return targets.stream();
    }

    @Test
    void panelsLieBesideEachOther() throws IOException {
        Set<String> taken = new TreeSet<>();
        for (JsonNode at : new ObjectMapper().readTree(DASHBOARD.toFile()).findValues("gridPos")) {
            for (int x = 0; x < at.get("w").asInt(); x++) {
                for (int y = 0; y < at.get("h").asInt(); y++) {
                    int column = at.get("x").asInt() + x;
                    assertThat(column).isLessThan(24);
                    assertThat(taken.add(column + "," + (at.get("y").asInt() + y)))
                            .isTrue();
                }
            }
        }
    }

    @Test
    void theDashboardAndTheAlertsUseEveryMeter() throws IOException {
        String asked = String.join("\n", expressions().toList());

        assertThat(registry.getMeters())
                .map(meter -> meter.getId().getName())
                .filteredOn(name -> name.startsWith("costguard") && !name.equals("costguard.corrections"))
                .allSatisfy(name -> assertThat(asked).contains(name.replace('.', '_')));
    }

    @Test
    void thePageOfTheMetersHasThemAll() throws IOException {
        Map<String, String> written = new TreeMap<>();
        Matcher row = Pattern.compile(
                        "^\\| `(costguard[a-z.]+)` \\| ([a-z]+) \\| ([a-z]*) ?\\| ([a-z, ]*)\\|", Pattern.MULTILINE)
                .matcher(Files.readString(ROOT.resolve("docs/metrics.md")));
        while (row.find()) {
            written.put(row.group(1), row.group(2) + " " + row.group(3) + " " + names(row.group(4), "[a-z]+"));
        }
        Map<String, String> there = new TreeMap<>();
        for (Meter meter : registry.getMeters()) {
            Meter.Id id = meter.getId();
            Set<String> tags =
                    new TreeSet<>(id.getTags().stream().map(Tag::getKey).toList());
            tags.remove("tenant");
            String unit = id.getType() == Meter.Type.TIMER || id.getBaseUnit() == null ? "" : id.getBaseUnit();
            there.put(id.getName(), type(id.getType()) + " " + unit + " " + tags);
        }

        assertThat(written).isEqualTo(there);
    }

    @Test
    void thePageOfTheMetersHasAllAlerts() throws IOException {
        String page = Files.readString(ROOT.resolve("docs/metrics.md"));

        assertThat(names(page, "(?<=\\| `)CostGuard[A-Za-z]+"))
                .isEqualTo(names(Files.readString(ALERTS), "(?<=alert: )[A-Za-z]+"));
    }

    @Test
    void eachMeterSaysWhatItIs() {
        assertThat(registry.getMeters())
                .allSatisfy(meter -> assertThat(meter.getId().getDescription()).isNotBlank());
    }

    private static String type(Meter.Type type) {
        return type == Meter.Type.DISTRIBUTION_SUMMARY ? "summary" : type.name().toLowerCase(Locale.ROOT);
    }

    private static Set<String> names(String text, String pattern) {
        Set<String> names = new TreeSet<>();
        Matcher name = Pattern.compile(pattern).matcher(text);
        while (name.find()) {
            names.add(name.group());
        }
        return names;
    }
}
