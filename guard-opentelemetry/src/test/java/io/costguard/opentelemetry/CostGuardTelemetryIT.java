package io.costguard.opentelemetry;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.sun.net.httpserver.HttpServer;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import io.costguard.Budget;
import io.costguard.BudgetExceededException;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.GuardListener;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.Permit;
import io.costguard.WhenExhausted;
import io.costguard.WhenRedisFails;
import io.costguard.jdk.GuardedHttpClient;
import io.costguard.testing.RedisForTests;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.context.Scope;
import io.opentelemetry.sdk.metrics.data.HistogramPointData;
import io.opentelemetry.sdk.metrics.data.MetricData;
import io.opentelemetry.sdk.metrics.data.MetricDataType;
import io.opentelemetry.sdk.testing.junit5.OpenTelemetryExtension;
import io.opentelemetry.sdk.trace.data.EventData;
import io.opentelemetry.sdk.trace.data.SpanData;
import io.opentelemetry.sdk.trace.data.StatusData;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What is told of real calls of a guard. */
@Timeout(60)
class CostGuardTelemetryIT {
    private static final String KEY = "sk-canary-0123456789abcdef";
    private static final Duration LONG = Duration.ofDays(30);
    private static final GuardedCall CALL = GuardedCall.of("mistral-large")
            .with("provider", "mistral")
            .with("apiKey", KEY)
            .with("tenant", "acme");

    @RegisterExtension
    static final OpenTelemetryExtension TELEMETRY = OpenTelemetryExtension.create();

    private final List<AutoCloseable> open = new ArrayList<>();

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
    }

    // ------------------------------------------------------------------------------------------------------- spans

    @Test
    void aCallThatWentAndEndedIsOnItsSpanWithItsUsageWhereverItEnded() {
        CostGuard guard = guard(builder -> builder);

        SpanData span = inSpan(() -> {
            Permit permit =
                    guard.acquire(tokens(300).cost(Cost.requests(1).input(300).usd("0.5")));
            Cost used = Cost.requests(1)
                    .input(200)
                    .cacheRead(150)
                    .output(50)
                    .reasoning(20)
                    .usd("0.25");
            CompletableFuture.runAsync(() -> permit.settle(used)).get();
        });

        assertThat(span.getEvents())
                .extracting(EventData::getName)
                .containsExactly("costguard.granted", "costguard.settled");
        assertThat(longOf(span.getAttributes(), "gen_ai.usage.input_tokens")).isEqualTo(200);
        assertThat(longOf(span.getAttributes(), "gen_ai.usage.cache_read.input_tokens"))
                .isEqualTo(150);
        assertThat(longOf(span.getAttributes(), "gen_ai.usage.output_tokens")).isEqualTo(50);
        assertThat(longOf(span.getAttributes(), "gen_ai.usage.reasoning.output_tokens"))
                .isEqualTo(20);
        assertThat(doubleOf(span.getAttributes(), "costguard.cost.usd")).isEqualTo(0.25);
        assertThat(stringOf(span.getAttributes(), "costguard.decision")).isEqualTo("granted");
        assertThat(stringOf(span.getAttributes(), "costguard.outcome")).isEqualTo("settled");
        Attributes granted = span.getEvents().get(0).getAttributes();
        assertThat(stringOf(granted, "gen_ai.provider.name")).isEqualTo("mistral_ai");
        assertThat(stringOf(granted, "gen_ai.request.model")).isEqualTo("mistral-large");
        assertThat(doubleOf(granted, "costguard.estimate.usd")).isEqualTo(0.5);
    }

    @Test
    void callsThatAreAlikeAndAtTheSameTimeAreEachOnTheirOwnSpan() throws Exception {
        CostGuard guard = guard(builder -> builder);
        List<Permit> permits = new ArrayList<>();
        List<Span> spans = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            Span span = TELEMETRY
                    .getOpenTelemetry()
                    .getTracer("test")
                    .spanBuilder("span " + i)
                    .startSpan();
            within(span, () -> permits.add(guard.acquire(tokens(10))));
            spans.add(span);
        }
        for (int i = 2; i >= 0; i--) {
            permits.get(i).settle(Cost.requests(1).input(i + 1));
        }
        spans.forEach(Span::end);

        assertThat(TELEMETRY.getSpans()).allSatisfy(span -> {
            long number = Long.parseLong(span.getName().substring("span ".length()));
            assertThat(longOf(span.getAttributes(), "gen_ai.usage.input_tokens"))
                    .isEqualTo(number + 1);
        });
    }

    @Test
    void aModelWhoseNameIsAPageLongIsToldInShort() {
        CostGuard guard = guard(builder -> builder);
        String name = "m".repeat(1 << 20);

        SpanData span = inSpan(() -> guard.acquire(GuardedCall.of(name)
                        .with("provider", "openai")
                        .with("apiKey", "")
                        .cost(Cost.requests(1).input(1)))
                .close());

        assertThat(stringOf(event(span, "costguard.granted").getAttributes(), "gen_ai.request.model"))
                .hasSize(100);
        assertThat(TELEMETRY.getMetrics().stream()
                        .filter(metric -> metric.getName().equals("costguard.decisions"))
                        .flatMap(metric -> metric.getData().getPoints().stream()))
                .allSatisfy(point -> assertThat(String.valueOf(
                                point.getAttributes().get(AttributeKey.stringKey("gen_ai.request.model"))))
                        .hasSizeLessThanOrEqualTo(100));
    }

    @Test
    void aDenialSaysWhichLimitAndIsNoErrorOfTheSpan() {
        CostGuard guard = guard(builder -> builder);

        SpanData span = inSpan(() -> {
            guard.acquire(tokens(950)).close();
            assertThatExceptionOfType(BudgetExceededException.class).isThrownBy(() -> guard.acquire(tokens(100)));
        });

        EventData denied = event(span, "costguard.denied");
        assertThat(stringOf(denied.getAttributes(), "costguard.budget")).isEqualTo("b");
        assertThat(stringOf(denied.getAttributes(), "costguard.limit")).isEqualTo("tokens per 30 days (token bucket)");
        assertThat(stringOf(denied.getAttributes(), "costguard.denied_by")).isEqualTo("redis");
        assertThat(stringOf(denied.getAttributes(), "error.type")).isEqualTo(BudgetExceededException.class.getName());
        assertThat(doubleOf(denied.getAttributes(), "costguard.retry_after")).isGreaterThan(0);
        assertThat(span.getStatus()).isEqualTo(StatusData.unset());
    }

    @Test
    void aCallThatCanNeverGoHasNoTimeToComeBack() {
        CostGuard guard = guard(builder -> builder);

        SpanData span = inSpan(() -> assertThat(guard.tryAcquire(tokens(1_001))).isEmpty());

        assertThat(event(span, "costguard.denied").getAttributes().asMap().keySet())
                .extracting(AttributeKey::getKey)
                .contains("costguard.denied_by")
                .doesNotContain("costguard.retry_after");
    }

    @Test
    void aDryRunIsNoDecision() {
        CostGuard guard = guard(builder -> builder.budget(
                Budget.named("trial").dryRun().limit(Limit.requests(1).per(LONG))));

        SpanData span = inSpan(() -> {
            guard.acquire(tokens(1)).close();
            guard.acquire(tokens(1)).close();
        });

        assertThat(stringOf(event(span, "costguard.would_be_denied").getAttributes(), "costguard.budget"))
                .isEqualTo("trial");
        assertThat(stringOf(span.getAttributes(), "costguard.decision")).isEqualTo("granted");
        assertThat(count("denied")).isZero();
    }

    @Test
    void aWaitIsToldWhenItBeginsAndWhenItIsOver() throws Exception {
        CostGuard guard = guard(builder -> builder);
        Permit all = guard.acquire(tokens(1_000));
        CompletableFuture<Void> released = CompletableFuture.runAsync(() -> {
            while (guard.stats().waitingCalls() == 0) {
                LockSupport.parkNanos(1_000_000);
            }
            all.release();
        });

        SpanData span = inSpan(() -> guard.acquire(tokens(500).whenExhausted(WhenExhausted.waitUpTo(LONG)))
                .close());

        released.get();
        assertThat(span.getEvents())
                .extracting(EventData::getName)
                .containsExactly("costguard.waiting", "costguard.granted", "costguard.settled");
        assertThat(stringOf(span.getEvents().get(0).getAttributes(), "costguard.budget"))
                .isEqualTo("b");
        assertThat(doubleOf(span.getAttributes(), "costguard.wait.duration")).isGreaterThan(0);
        assertThat(metric("costguard.wait.duration").getHistogramData().getPoints())
                .singleElement()
                .satisfies(point -> assertThat(point.getCount()).isEqualTo(1));
    }

    @Test
    void whereNobodySaidWhatWasUsedThereIsNoUsage() {
        CostGuard guard = guard(builder -> builder);

        SpanData span = inSpan(() -> guard.acquire(tokens(100)).close());

        assertThat(span.getAttributes().asMap().keySet())
                .extracting(AttributeKey::getKey)
                .contains("costguard.cost.usd", "costguard.outcome")
                .noneMatch(key -> key.startsWith("gen_ai."));
        assertThat(TELEMETRY.getMetrics()).noneMatch(metric -> metric.getName().startsWith("gen_ai."));
    }

    @Test
    void aSpanThatEndedBeforeItsCallIsLeftAsItIs() throws Exception {
        CostGuard guard = guard(builder -> builder);
        List<Permit> permits = new ArrayList<>();
        SpanData span = inSpan(() -> permits.add(guard.acquire(tokens(100))));

        permits.get(0).settle(Cost.requests(1).input(70));

        assertThat(TELEMETRY.getSpans()).containsExactly(span);
        assertThat(tokensUsed("input").getSum()).isEqualTo(70);
    }

    // ----------------------------------------------------------------------------------------------------- metrics

    @Test
    void tokensAreAMetricOfTheConventions() throws Exception {
        CostGuard guard = guard(builder -> builder);

        guard.acquire(tokens(100)).settle(Cost.requests(1).input(70).output(5).usd("0.125"));

        MetricData usage = metric("gen_ai.client.token.usage");
        assertThat(usage.getUnit()).isEqualTo("{token}");
        HistogramPointData input = tokensUsed("input");
        assertThat(input.getSum()).isEqualTo(70);
        assertThat(input.getBoundaries()).startsWith(1.0, 4.0, 16.0).endsWith(67_108_864.0);
        assertThat(input.getAttributes())
                .isEqualTo(Attributes.builder()
                        .put("gen_ai.operation.name", "chat")
                        .put("gen_ai.provider.name", "mistral_ai")
                        .put("gen_ai.request.model", "mistral-large")
                        .put("gen_ai.token.type", "input")
                        .build());
        assertThat(tokensUsed("output").getSum()).isEqualTo(5);
        assertThat(metric("costguard.spend").getDoubleSumData().getPoints())
                .singleElement()
                .satisfies(point -> assertThat(point.getValue()).isEqualTo(0.125));
        assertThat(count("granted")).isEqualTo(1);
    }

    @Test
    void whatIsNoModelIsNotInTheMetricOfTheConventions() throws Exception {
        CostGuard guard = guard(builder -> builder);

        guard.acquire(GuardedCall.of("search").cost(Cost.requests(1).input(3)))
                .settle(Cost.requests(1).input(3));

        assertThat(TELEMETRY.getMetrics())
                .extracting(MetricData::getName)
                .contains("costguard.decisions")
                .doesNotContain("gen_ai.client.token.usage");
    }

    @Test
    void anOutageOfRedisIsToldAsWhatBecameOfTheCall() {
        CostGuard closed = guard(CostGuardTelemetryIT::away);
        CostGuard opened = guard(builder -> away(builder).whenRedisFails(WhenRedisFails.failOpen()));

        SpanData span = inSpan(() -> {
            opened.acquire(tokens(1)).close();
            assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> closed.acquire(tokens(1)));
        });

        assertThat(stringOf(event(span, "costguard.failed_closed").getAttributes(), "error.type"))
                .isEqualTo(GuardUnavailableException.class.getName());
        assertThat(span.getEvents()).extracting(EventData::getName).contains("costguard.failed_open");
        assertThat(count("failed_open")).isEqualTo(1);
        assertThat(count("failed_closed")).isEqualTo(1);
    }

    // -------------------------------------------------------------------------------------------------------- HTTP

    @Test
    void anHttpCallIsOnTheSpanThatSentItAndItsKeyIsNowhere() throws Exception {
        HttpServer provider = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        open.add(() -> provider.stop(0));
        byte[] answer = ("{\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"message\":{\"content\":\"hi\"}}],"
                        + "\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":7,\"total_tokens\":18}}")
                .getBytes(StandardCharsets.UTF_8);
        provider.createContext("/v1/chat/completions", exchange -> {
            exchange.getRequestBody().readAllBytes();
            exchange.getResponseHeaders().add("Content-Type", "application/json");
            exchange.sendResponseHeaders(200, answer.length);
            exchange.getResponseBody().write(answer);
            exchange.close();
        });
        provider.start();
        String host = "127.0.0.1:" + provider.getAddress().getPort();
        CostGuard guard = guard(builder -> builder.provider(host, "openai"));
        HttpClient client = GuardedHttpClient.wrap(HttpClient.newHttpClient(), guard);
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://" + host + "/v1/chat/completions"))
                .header("Authorization", "Bearer " + KEY)
                .POST(
                        HttpRequest.BodyPublishers.ofString(
                                "{\"model\":\"gpt-4o-2024-08-06\",\"max_tokens\":50,\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}"))
                .build();

        SpanData span = inSpan(() -> client.send(request, HttpResponse.BodyHandlers.ofString()));

        assertThat(longOf(span.getAttributes(), "gen_ai.usage.input_tokens")).isEqualTo(11);
        assertThat(longOf(span.getAttributes(), "gen_ai.usage.output_tokens")).isEqualTo(7);
        assertThat(stringOf(span.getAttributes(), "costguard.outcome")).isEqualTo("reported");
        assertThat(tokensUsed("input").getSum()).isEqualTo(11);
        String all = TELEMETRY.getSpans() + " " + TELEMETRY.getMetrics();
        assertThat(all)
                .contains("gpt-4o")
                .doesNotContain("sk-canary")
                .doesNotContain("apiKey")
                .doesNotContain("hello");
    }

    @Test
    void noAttributeButProviderAndModelOfACallIsTold() {
        CompletableFuture<String> fingerprint = new CompletableFuture<>();
        CostGuard guard = guard(builder -> builder.listener(new GuardListener() {
            @Override
            public void onGranted(Grant event) {
                fingerprint.complete(String.valueOf(event.call().attributes().get("apiKey")));
            }
        }));

        inSpan(() -> {
            guard.acquire(tokens(1)).close();
            assertThat(guard.tryAcquire(tokens(1_001))).isEmpty();
        });

        assertThat(TELEMETRY.getSpans() + " " + TELEMETRY.getMetrics())
                .contains("mistral-large")
                .doesNotContain("acme")
                .doesNotContain("sk-canary")
                .doesNotContain(fingerprint.join());
    }

    // ---------------------------------------------------------------------------------------------------- the page

    @Test
    void thePageOfTheMetricsHasAllThatIsTold() throws Exception {
        CostGuard guard = guard(builder -> builder.budget(
                Budget.named("trial").dryRun().limit(Limit.requests(1).per(LONG))));
        CostGuard closed = guard(CostGuardTelemetryIT::away);
        CostGuard opened = guard(builder -> away(builder).whenRedisFails(WhenRedisFails.failOpen()));
        SpanData span = inSpan(() -> {
            Permit all = guard.acquire(tokens(1_000));
            assertThat(guard.tryAcquire(tokens(1))).isEmpty();
            CompletableFuture<Void> released = CompletableFuture.runAsync(() -> {
                while (guard.stats().waitingCalls() == 0) {
                    LockSupport.parkNanos(1_000_000);
                }
                all.settle(Cost.requests(1)
                        .input(2)
                        .cacheRead(1)
                        .output(2)
                        .reasoning(1)
                        .usd("0.1"));
            });
            guard.acquire(tokens(500).whenExhausted(WhenExhausted.waitUpTo(LONG)))
                    .close();
            released.get();
            opened.acquire(tokens(1)).close();
            assertThatExceptionOfType(GuardUnavailableException.class).isThrownBy(() -> closed.acquire(tokens(1)));
        });
        String page = Files.readString(Path.of("../docs/metrics.md"));

        Set<String> told = new TreeSet<>();
        for (EventData event : span.getEvents()) {
            told.add(event.getName());
            event.getAttributes().forEach((key, value) -> told.add(key.getKey()));
        }
        span.getAttributes().forEach((key, value) -> told.add(key.getKey()));
        assertThat(told)
                .hasSizeGreaterThan(15)
                .allSatisfy(
                        name -> assertThat(page).contains(name.replaceFirst("gen_ai\\.usage\\.(?!input_tokens)", "`")));
        Set<String> metrics = new TreeSet<>();
        for (MetricData metric : TELEMETRY.getMetrics()) {
            Set<String> attributes = new TreeSet<>();
            metric.getData()
                    .getPoints()
                    .forEach(point ->
                            point.getAttributes().forEach((key, value) -> attributes.add("`" + key.getKey() + "`")));
            String instrument = metric.getType() == MetricDataType.HISTOGRAM ? "histogram" : "counter";
            metrics.add("| `" + metric.getName() + "` | " + instrument + " | `" + metric.getUnit() + "` | "
                    + String.join(", ", attributes) + " |");
        }
        assertThat(page).contains(metrics);
        assertThat(metrics).hasSize(4);
    }

    @Test
    void nothingIsUsedButThePublicApiAndThatOfOpenTelemetry() {
        classes()
                .that()
                .resideInAPackage("io.costguard.opentelemetry")
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage(
                        "java..",
                        "org.jspecify..",
                        "io.costguard",
                        "io.costguard.opentelemetry",
                        "io.opentelemetry.api..",
                        "io.opentelemetry.context..")
                .check(new ClassFileImporter()
                        .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
                        .importPackages("io.costguard.opentelemetry"));
    }

    // ------------------------------------------------------------------------------------------------------- the parts

    private CostGuard guard(UnaryOperator<CostGuard.Builder> more) {
        RedisForTests redis = RedisForTests.shared();
        CostGuard guard = more.apply(CostGuard.builder()
                        .redis(redis.url())
                        .keyPrefix(redis.keyPrefix())
                        .decisionTimeout(Duration.ofSeconds(30))
                        .listener(new CostGuardTelemetry(TELEMETRY.getOpenTelemetry()))
                        .budget(Budget.named("b")
                                .limit(Limit.tokens(1_000).per(LONG).tokenBucket())))
                .build();
        open.add(guard);
        return guard;
    }

    private static CostGuard.Builder away(CostGuard.Builder builder) {
        return builder.redis("redis://127.0.0.1:1").decisionTimeout(Duration.ofMillis(10));
    }

    private static GuardedCall tokens(long tokens) {
        return CALL.cost(Cost.requests(1).input(tokens));
    }

    private interface Body {
        void run() throws Exception;
    }

    private static SpanData inSpan(Body body) {
        Span span = TELEMETRY
                .getOpenTelemetry()
                .getTracer("test")
                .spanBuilder("calls")
                .startSpan();
        within(span, body);
        span.end();
        return TELEMETRY.getSpans().get(TELEMETRY.getSpans().size() - 1);
    }

    private static void within(Span span, Body body) {
        Scope scope = span.makeCurrent();
        try {
            body.run();
        } catch (Exception e) {
            throw new AssertionError(e);
        } finally {
            scope.close();
        }
    }

    private static EventData event(SpanData span, String name) {
        return span.getEvents().stream()
                .filter(event -> event.getName().equals(name))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no " + name + " in " + span.getEvents()));
    }

    private static MetricData metric(String name) {
        return TELEMETRY.getMetrics().stream()
                .filter(metric -> metric.getName().equals(name))
                .findFirst()
                .orElseThrow();
    }

    private static HistogramPointData tokensUsed(String type) {
        return metric("gen_ai.client.token.usage").getHistogramData().getPoints().stream()
                .filter(point -> type.equals(stringOf(point.getAttributes(), "gen_ai.token.type")))
                .findFirst()
                .orElseThrow();
    }

    private static long count(String decision) {
        return metric("costguard.decisions").getLongSumData().getPoints().stream()
                .filter(point -> decision.equals(stringOf(point.getAttributes(), "costguard.decision")))
                .mapToLong(point -> point.getValue())
                .sum();
    }

    private static String stringOf(Attributes attributes, String key) {
        return String.valueOf(attributes.get(AttributeKey.stringKey(key)));
    }

    private static long longOf(Attributes attributes, String key) {
        Long value = attributes.get(AttributeKey.longKey(key));
        assertThat(value).as(key).isNotNull();
        return value == null ? 0 : value;
    }

    private static double doubleOf(Attributes attributes, String key) {
        Double value = attributes.get(AttributeKey.doubleKey(key));
        assertThat(value).as(key).isNotNull();
        return value == null ? 0 : value;
    }
}
