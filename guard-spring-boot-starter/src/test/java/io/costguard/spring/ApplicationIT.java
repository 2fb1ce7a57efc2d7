package io.costguard.spring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.GuardListener;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.okhttp.CostGuardInterceptor;
import io.costguard.testing.RedisForTests;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Pattern;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.beans.factory.BeanCreationException;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.SpringBootVersion;
import org.springframework.boot.WebApplicationType;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.env.StandardEnvironment;
import org.springframework.core.env.SystemEnvironmentPropertySource;
import org.springframework.http.MediaType;
import org.springframework.web.client.RestClient;
import org.springframework.web.reactive.function.client.WebClient;
import redis.clients.jedis.UnifiedJedis;

/** Applications with the starter, a real Redis, and calls over a real connection. */
@Timeout(120)
class ApplicationIT {
    private static final GuardedCall CALL = GuardedCall.of("gpt-4o");

    private final RedisForTests redis = RedisForTests.shared();
    private final String keyPrefix = redis.keyPrefix();

    @TempDir
    Path folder;

    private Provider provider;

    @BeforeEach
    void start() throws IOException {
        provider = new Provider();
    }

    @AfterEach
    void stop() {
        provider.close();
    }

    /** Five lines, two of them for the test's own sake, and more. */
    private String yaml(String... more) {
        return """
                costguard:
                  redis: %s
                  key-prefix: %s
                  decision-timeout: 20s
                  budgets:
                    - {name: calls, per: [model], limits: [{requests: 2, per: day}]}
                """.formatted(redis.url(), keyPrefix) + String.join("\n", more);
    }

    private HttpResponse<String> send(HttpClient client, HttpRequest.Builder request)
            throws IOException, InterruptedException {
        return client.send(request.build(), BodyHandlers.ofString());
    }

    private HttpRequest.Builder call() {
        return HttpRequest.newBuilder(URI.create(provider.url()))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(Provider.REQUEST));
    }

    private static long balance(CostGuard guard) throws GuardUnavailableException {
        return guard.status(CALL).get(0).balance();
    }

    private static HttpClient guarded(ConfigurableApplicationContext application) {
        return application.getBean(CostGuardAutoConfiguration.HTTP_CLIENT, HttpClient.class);
    }

    @Test
    void theseTestsRunOnTheVersionThatTheyAreSaidToRunOn() {
        assertThat(SpringBootVersion.getVersion()).isEqualTo(System.getProperty("spring-boot.version"));
    }

    @Test
    void fiveLinesKeepCallsInsideABudget() throws Exception {
        try (ConfigurableApplicationContext application = Applications.whole(folder, yaml())) {
            HttpClient client = guarded(application);

            assertThat(send(client, call()).statusCode()).isEqualTo(200);
            assertThat(send(client, call()).statusCode()).isEqualTo(200);
            HttpResponse<String> denied = send(client, call());

            assertThat(denied.statusCode()).isEqualTo(402);
            assertThat(denied.headers().firstValue("X-Cost-Guard"))
                    .hasValueSatisfying(told -> assertThat(told).contains("denied", "budget=calls"));
            assertThat(provider.calls()).isEqualTo(2);
        }
    }

    @Test
    void aCallByOkHttpIsGuardedByTheInterceptor() throws Exception {
        try (ConfigurableApplicationContext application = Applications.small(folder, yaml())) {
            OkHttpClient client = new OkHttpClient.Builder()
                    .addInterceptor(application.getBean(CostGuardInterceptor.class))
                    .build();
            Request request = new Request.Builder()
                    .url(provider.url())
                    .post(RequestBody.create(Provider.REQUEST.getBytes(StandardCharsets.UTF_8)))
                    .build();
            try (Response response = client.newCall(request).execute()) {
                assertThat(response.code()).isEqualTo(200);
            }

            assertThat(balance(application.getBean(CostGuard.class))).isEqualTo(1);
            client.connectionPool().evictAll();
            client.dispatcher().executorService().shutdown();
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class Asking {
        final boolean isGivenAny;
        final boolean isGivenTheGuarded;

        Asking(
                ObjectProvider<HttpClient> any,
                @Qualifier(CostGuardAutoConfiguration.HTTP_CLIENT) ObjectProvider<HttpClient> guarded) {
            this.isGivenAny = any.getIfAvailable() != null;
            this.isGivenTheGuarded = guarded.getIfAvailable() != null;
        }
    }

    @Test
    void onlyWhoAsksForItByNameIsGivenTheGuardedHttpClient() throws Exception {
        try (ConfigurableApplicationContext application = Applications.small(folder, yaml(), Asking.class)) {
            assertThat(application.getBean(Asking.class).isGivenAny).isFalse();
            assertThat(application.getBean(Asking.class).isGivenTheGuarded).isTrue();
        }
    }

    @Test
    void springsOwnClientsAreLeftAloneUnlessThatIsAskedFor() throws Exception {
        try (ConfigurableApplicationContext application = Applications.whole(folder, yaml())) {
            callWithRestClient(application);

            assertThat(balance(application.getBean(CostGuard.class))).isEqualTo(2);
        }
    }

    @Test
    void springsOwnClientsAreGuardedWhereThatIsAskedFor() throws Exception {
        try (ConfigurableApplicationContext application =
                Applications.whole(folder, yaml("  http-clients.enabled: true"), WebClients.class)) {
            CostGuard guard = application.getBean(CostGuard.class);
            callWithRestClient(application);
            assertThat(balance(guard)).isEqualTo(1);

            application
                    .getBean(WebClient.Builder.class)
                    .build()
                    .post()
                    .uri(provider.url())
                    .contentType(MediaType.APPLICATION_JSON)
                    .bodyValue(Provider.REQUEST)
                    .retrieve()
                    .bodyToMono(String.class)
                    .block(Duration.ofMinutes(1));
            assertThat(balance(guard)).isZero();
        }
    }

    private void callWithRestClient(ConfigurableApplicationContext application) {
        String answer = application
                .getBean(RestClient.Builder.class)
                .build()
                .post()
                .uri(provider.url())
                .contentType(MediaType.APPLICATION_JSON)
                .body(Provider.REQUEST)
                .retrieve()
                .body(String.class);
        assertThat(answer).contains("chat.completion");
    }

    /** What spring-boot-starter-webclient or webflux has. */
    @Configuration(proxyBeanMethods = false)
    static class WebClients {
        @Bean
        WebClient.Builder webClientBuilder() {
            return WebClient.builder();
        }
    }

    @Test
    void allSettingsReachTheGuard() throws Exception {
        String settings = """
                  partition-by: tenant
                  fingerprint-key: 0123456789abcdef
                  when-exhausted: {wait-up-to: 30s, leaving: 20}
                  when-redis-fails: fail-open
                  denials: throw
                  unknown-calls: pass-through
                  stream-usage: true
                  pre-check: 0
                  lease: 5m
                  cardinality-limit: 10
                  near-limit: 0.8
                  attributes.header.tenant: X-Tenant
                """;
        try (ConfigurableApplicationContext application = Applications.small(folder, yaml(settings), Watching.class)) {
            CostGuard guard = application.getBean(CostGuard.class);
            HttpResponse<String> answer = send(guarded(application), call().header("X-Tenant", "acme"));

            assertThat(answer.statusCode()).isEqualTo(200);
            assertThat(guard.http().denials()).isEqualTo(Denials.THROW);
            assertThat(application.getBean(Watching.class).granted.get(0).call().attributes())
                    .containsEntry("tenant", "acme");

            application.getBean(Watching.class).granted.clear();
            send(guarded(application), HttpRequest.newBuilder(URI.create(provider.url() + "/unknown")));
            assertThat(application.getBean(Watching.class).granted).isEmpty();
        }
    }

    @Test
    void aCallWaitsWhereThatIsSaid() throws Exception {
        String yaml = """
                costguard:
                  redis: %s
                  key-prefix: %s
                  decision-timeout: 20s
                  when-exhausted.wait-up-to: 1m
                  budgets:
                    - {name: calls, limits: [{requests: 5, per: second, burst: 1}]}
                """.formatted(redis.url(), keyPrefix);
        try (ConfigurableApplicationContext application = Applications.small(folder, yaml)) {
            CostGuard guard = application.getBean(CostGuard.class);
            guard.acquire(CALL).close();

            assertThat(guard.acquire(CALL).waited()).isPositive();
        }
    }

    @Test
    void aCallGoesWithoutRedisWhereThatIsSaid() throws Exception {
        String yaml = yaml("  when-redis-fails: fail-open")
                .replace(redis.url(), "redis://localhost:1")
                .replace("20s", "100ms");
        try (ConfigurableApplicationContext application = Applications.small(folder, yaml)) {
            assertThat(application.getBean(CostGuard.class).tryAcquire(CALL)).isPresent();
        }
    }

    @Test
    void aSliceIsLeasedWhereThatIsSaid() throws Exception {
        String yaml = yaml("  when-redis-fails: spend-leased", "  leased-share: 50");
        try (ConfigurableApplicationContext application = Applications.small(folder, yaml)) {
            CostGuard guard = application.getBean(CostGuard.class);
            guard.acquire(CALL).release();

            Instant end = Instant.now().plusSeconds(60);
            while (guard.leased(CALL).stream().noneMatch(slice -> slice.leased() > 0)) {
                assertThat(Instant.now()).isBefore(end);
                Thread.onSpinWait();
            }
        }
    }

    /** Listeners, as a user has them. */
    @Configuration(proxyBeanMethods = false)
    static class Watching {
        final List<GuardListener.Grant> granted = new CopyOnWriteArrayList<>();

        @Bean
        GuardListener first() {
            return new GuardListener() {
                @Override
                public void onGranted(Grant event) {
                    granted.add(event);
                }
            };
        }

        @Bean
        GuardListener second() {
            return new GuardListener() {
                @Override
                public void onGranted(Grant event) {
                    granted.add(event);
                }
            };
        }
    }

    @Test
    void allListenersAreTold() throws Exception {
        try (ConfigurableApplicationContext application = Applications.small(folder, yaml(), Watching.class)) {
            application.getBean(CostGuard.class).acquire(CALL).release();

            assertThat(application.getBean(Watching.class).granted).hasSize(2);
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class Customizing {
        @Bean
        CostGuardBuilderCustomizer throwing() {
            return builder -> builder.denials(Denials.throwException());
        }
    }

    @Test
    void aCustomizerSaysMoreThanProperties() throws Exception {
        try (ConfigurableApplicationContext application =
                Applications.small(folder, yaml("  denials: answer"), Customizing.class)) {
            assertThat(application.getBean(CostGuard.class).http().denials()).isEqualTo(Denials.THROW);
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class OwnGuard {
        @Bean
        CostGuard own() {
            return CostGuard.builder().redis("redis://localhost:1").build();
        }
    }

    @Test
    void aGuardOfTheUsersOwnIsTheOnlyOne() throws Exception {
        try (ConfigurableApplicationContext application = Applications.small(folder, yaml(), OwnGuard.class)) {
            assertThat(application.getBeansOfType(CostGuard.class)).containsOnlyKeys("own");
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class TwoGuards {
        @Bean
        CostGuard ofTeam() {
            return CostGuard.builder().redis("redis://localhost:1").build();
        }

        @Bean
        CostGuard ofGuests() {
            return CostGuard.builder().redis("redis://localhost:1").build();
        }
    }

    @Test
    void anApplicationWithTwoGuardsStartsAndNothingIsMadeOfEither() throws Exception {
        try (ConfigurableApplicationContext application = Applications.whole(folder, yaml(), TwoGuards.class)) {
            assertThat(application.getBeansOfType(CostGuard.class)).containsOnlyKeys("ofTeam", "ofGuests");
            assertThat(application.containsBean(CostGuardAutoConfiguration.HTTP_CLIENT))
                    .isFalse();
            assertThat(application.getBeansOfType(CostGuardInterceptor.class)).isEmpty();
            assertThat(application.getBeansOfType(CostGuardEndpoint.class)).isEmpty();
        }
    }

    @Test
    void noClientIsMadeThatWasToBeGuardedByOneOfTwoGuards() throws Exception {
        try (ConfigurableApplicationContext application =
                Applications.whole(folder, yaml("  http-clients.enabled: true"), TwoGuards.class)) {
            assertThatExceptionOfType(BeanCreationException.class)
                    .isThrownBy(() -> application.getBean(RestClient.Builder.class))
                    .withMessageContaining(CostGuardAutoConfiguration.HTTP_CLIENT);
        }
    }

    @Test
    void budgetsMayStandInVariablesOfTheShell() throws Exception {
        Map<String, Object> variables = Map.of(
                "COSTGUARD_REDIS", redis.url(),
                "COSTGUARD_DECISIONTIMEOUT", "20s",
                "COSTGUARD_BUDGETS_0_NAME", "shell",
                "COSTGUARD_BUDGETS_0_PER_0", "model",
                "COSTGUARD_BUDGETS_0_WHERE_TENANT_0", "trial-*",
                "COSTGUARD_BUDGETS_0_CLAMPTOCAPACITY", "true",
                "COSTGUARD_BUDGETS_0_LIMITS_0_INPUTTOKENS", "70",
                "COSTGUARD_BUDGETS_0_LIMITS_0_PER", "day",
                "COSTGUARD_REDIS_PORT_6379_TCP", "tcp://10.0.0.1:6379");
        StandardEnvironment shell = new StandardEnvironment();
        shell.getPropertySources()
                .replace(
                        StandardEnvironment.SYSTEM_ENVIRONMENT_PROPERTY_SOURCE_NAME,
                        new SystemEnvironmentPropertySource(
                                StandardEnvironment.SYSTEM_ENVIRONMENT_PROPERTY_SOURCE_NAME, variables));
        SpringApplication application = new SpringApplication(Applications.NothingElse.class);
        application.setWebApplicationType(WebApplicationType.NONE);
        application.setEnvironment(shell);

        try (ConfigurableApplicationContext context = application.run("--spring.config.location=" + folder.toUri())) {
            io.costguard.Budget budget =
                    context.getBean(CostGuard.class).budgets().get(0);

            assertThat(budget.name()).isEqualTo("shell");
            assertThat(budget.countedPer()).containsExactly("model");
            assertThat(budget.isClampedToCapacity()).isTrue();
            assertThat(budget.limits()).extracting(io.costguard.Limit::name).containsExactly("input tokens per day");
        }
    }

    @Test
    void theGuardIsClosedWithItsApplication() throws Exception {
        CostGuard guard;
        try (ConfigurableApplicationContext application = Applications.small(folder, yaml())) {
            guard = application.getBean(CostGuard.class);
        }

        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> guard.acquire(CALL))
                .withMessageContaining("closed");
    }

    @Test
    void redisIsWhereSpringDataHasIt() throws Exception {
        String yaml = yaml("spring.data.redis: {host: " + redis.host() + ", port: " + redis.port() + "}")
                .replace("redis: " + redis.url(), "enabled: true");
        try (ConfigurableApplicationContext application = Applications.small(folder, yaml)) {
            assertThat(balance(application.getBean(CostGuard.class))).isEqualTo(2);
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class OwnClient {
        @Bean
        @SuppressWarnings("deprecation") // the one that both Jedis 6 and 7 have
        UnifiedJedis client() {
            return new redis.clients.jedis.JedisPooled(
                    URI.create(RedisForTests.shared().url()));
        }
    }

    @Test
    void aClientOfTheUsersOwnGoesBeforeWhatSpringDataHas() throws Exception {
        String yaml =
                yaml("spring.data.redis.url: redis://localhost:1").replace("redis: " + redis.url(), "enabled: true");
        try (ConfigurableApplicationContext application = Applications.small(folder, yaml, OwnClient.class)) {
            assertThat(balance(application.getBean(CostGuard.class))).isEqualTo(2);
        }
    }

    @Test
    void aGuardThatIsNotEnabledLetsAllGoWithoutARedis() throws Exception {
        String yaml = yaml().replace("redis: " + redis.url(), "enabled: false");
        try (ConfigurableApplicationContext application = Applications.small(folder, yaml)) {
            for (int i = 0; i < 3; i++) {
                assertThat(send(guarded(application), call()).statusCode()).isEqualTo(200);
            }
        }
    }

    @Test
    void budgetsMayStandInAFile() throws Exception {
        Path file = Files.writeString(
                folder.resolve("budgets.json"),
                "{\"budgets\": [{\"name\": \"file\", \"limits\": [{\"tokens\": 7, \"per\": \"day\"}]}]}");
        String yaml = "costguard: {redis: '" + redis.url() + "', budgets-file: '" + file + "'}";
        try (ConfigurableApplicationContext application = Applications.small(folder, yaml)) {
            assertThat(application.getBean(CostGuard.class).budgets())
                    .extracting(io.costguard.Budget::name)
                    .containsExactly("file");
        }
    }

    @Test
    void pricesOfAFileWinOverTheBundledOnes() throws Exception {
        Path file = Files.writeString(
                folder.resolve("prices.json"),
                "{\"my-own\": {\"input_cost_per_token\": 1, \"output_cost_per_token\": 1}}");
        String yaml = "costguard: {redis: '" + redis.url() + "', prices: 'file:" + file
                + "', budgets: [{name: b, models: [my-own, gpt-4o], limits: [{usd: 1, per: day}]}]}";
        try (ConfigurableApplicationContext application = Applications.small(folder, yaml)) {
            assertThat(application.getBean(CostGuard.class).budgets()).hasSize(1);
        }
    }

    @Test
    void budgetsOfPropertiesSayWhatAFileOfBudgetsSays() throws Exception {
        Path file = Files.writeString(folder.resolve("budgets.json"), """
                {"budgets": [{
                  "name": "team", "models": ["gpt-4o*"], "providers": ["openai"], "where": {"user": ["a*", "b*"]},
                  "per": ["user"], "assumedOutput": 500, "clampToCapacity": true, "dryRun": true,
                  "limits": [
                    {"requests": 5, "per": "second"},
                    {"tokens": 10, "per": "minute", "burst": 20, "coolDown": "PT10M"},
                    {"inputTokens": 10, "per": "PT5M", "weights": "anthropic"},
                    {"outputTokens": 10, "per": "hour", "algorithm": "slidingWindow"},
                    {"usd": 2.50, "per": "day", "zone": "Europe/Berlin"},
                    {"usd": 2.5, "per": "week", "algorithm": "tokenBucket", "burst": 1.25},
                    {"tokens": 10, "per": "day", "weights": {"cacheRead": 0.1, "output": 5}},
                    {"concurrentCalls": 7}]
                }, {"name": "provider", "limits": [{"tokens": 10, "per": "hour", "correctedByProvider": true}]},
                {"name": "all", "per": [], "limits": [{"requests": 10, "per": "month"}]}]}
                """);
        String yaml = """
                costguard:
                  redis: redis://localhost:1
                  budgets:
                    - name: team
                      models: [gpt-4o*]
                      providers: openai
                      where: {user: [a*, b*]}
                      per: [user]
                      assumed-output: 500
                      clamp-to-capacity: true
                      dryRun: true
                      limits:
                        - {requests: 5, per: second}
                        - {tokens: 10, per: minute, burst: 20, cool-down: 10m}
                        - {input-tokens: 10, per: PT5M, weights: anthropic}
                        - {outputTokens: 10, per: hour, algorithm: slidingWindow}
                        - {usd: 2.50, per: day, zone: Europe/Berlin}
                        - {usd: 2.5, per: week, algorithm: token-bucket, burst: 1.25}
                        - {tokens: 10, per: day, weights: {cache-read: 0.1, output: 5}}
                        - {concurrent-calls: 7}
                    - {name: provider, limits: [{tokens: 10, per: hour, corrected-by-provider: true}]}
                    - {name: all, per: [], limits: [{requests: 10, per: month}]}
                """;
        try (ConfigurableApplicationContext application = Applications.small(folder, yaml)) {
            assertThat(application.getBean(CostGuard.class).budgets())
                    .usingRecursiveComparison()
                    .withEqualsForType((one, other) -> one.pattern().equals(other.pattern()), Pattern.class)
                    .isEqualTo(io.costguard.BudgetFile.read(file));
        }
    }
}
