package io.costguard.spring;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.CostGuard;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.testing.RedisForTests;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.context.ConfigurableApplicationContext;

/** What an operator sees and does over HTTP. */
@Timeout(120)
class ActuatorIT {
    private static final HttpClient CLIENT = HttpClient.newHttpClient();
    private static final GuardedCall CALL = GuardedCall.of("gpt-4o").with("tenant", "acme");

    @TempDir
    static Path folder;

    private static RedisForTests redis;
    private static ConfigurableApplicationContext application;
    private static CostGuard guard;

    @BeforeAll
    static void start() throws IOException {
        redis = RedisForTests.start();
        application = Applications.serving(folder, yaml(redis.url(), "fail-closed"));
        guard = application.getBean(CostGuard.class);
    }

    @AfterAll
    static void stop() {
        application.close();
        redis.close();
    }

    @BeforeEach
    void reset() throws GuardUnavailableException {
        guard.reset(CALL);
    }

    private static String yaml(String url, String whenRedisFails) {
        return """
                costguard:
                  metrics.tags: [tenant]
                  decision-timeout: 20s
                  redis: %s
                  when-redis-fails: %s
                  budgets:
                    - {name: tenants, models: [gpt-4o*], where: {tenant: ['*']}, per: [tenant], limits: [{requests: 5, per: day}]}
                management:
                  endpoints.web.exposure.include: health, costguard, metrics
                  endpoint.health.show-details: always
                """.formatted(url, whenRedisFails);
    }

    private static HttpResponse<String> get(ConfigurableApplicationContext of, String path)
            throws IOException, InterruptedException {
        return CLIENT.send(HttpRequest.newBuilder(uri(of, path)).build(), BodyHandlers.ofString());
    }

    private static HttpResponse<String> post(String path, String body) throws IOException, InterruptedException {
        return post(application, path, body);
    }

    private static HttpResponse<String> post(ConfigurableApplicationContext to, String path, String body)
            throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(uri(to, path))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
        return CLIENT.send(request, BodyHandlers.ofString());
    }

    private static URI uri(ConfigurableApplicationContext of, String path) {
        return URI.create(
                "http://127.0.0.1:" + of.getEnvironment().getProperty("local.server.port") + "/actuator/" + path);
    }

    @Test
    void theBudgetsInForceAreShown() throws Exception {
        HttpResponse<String> answer = get(application, "costguard");

        assertThat(answer.statusCode()).isEqualTo(200);
        assertThat(answer.body())
                .contains("\"enabled\":true", "\"name\":\"tenants\"", "\"per\":[\"tenant\"]", "requests per day");
    }

    @Test
    void aStatusShowsBalancesByModelAndAttributes() throws Exception {
        guard.acquire(CALL).close();

        HttpResponse<String> answer = get(application, "costguard/gpt-4o?attribute=tenant%3Dacme");

        assertThat(answer.statusCode()).isEqualTo(200);
        assertThat(answer.body())
                .contains("\"budget\":\"tenants\"", "\"balance\":4", "\"capacity\":5", "\"unit\":\"REQUESTS\"");
        assertThat(get(application, "costguard/gpt-4o?attribute=tenant%3Dother&attribute=user%3Dx")
                        .body())
                .contains("\"balance\":5");
        assertThat(get(application, "costguard/gpt-4o").body()).isEqualTo("{\"limits\":[]}");
    }

    @Test
    void aResetHasBalancesFullAgain() throws Exception {
        guard.acquire(CALL).close();

        HttpResponse<String> answer = post("costguard/gpt-4o?attribute=tenant%3Dacme", "{\"action\": \"reset\"}");

        assertThat(answer.statusCode()).isEqualTo(200);
        assertThat(answer.body()).contains("\"balance\":5");
        assertThat(guard.status(CALL).get(0).balance()).isEqualTo(5);
    }

    @Test
    void aHoldLetsNobodyGo() throws Exception {
        HttpResponse<String> answer =
                post("costguard/gpt-4o?attribute=tenant%3Dacme", "{\"action\": \"hold\", \"duration\": \"10m\"}");

        assertThat(answer.statusCode()).isEqualTo(200);
        assertThat(guard.tryAcquire(CALL)).isEmpty();
    }

    @Test
    void aModelMayHaveSlashes() throws Exception {
        guard.acquire(GuardedCall.of("gpt-4o/mine").with("tenant", "acme")).close();

        assertThat(get(application, "costguard/gpt-4o/mine?attribute=tenant%3Dacme")
                        .body())
                .contains("\"balance\":4");
        assertThat(get(application, "costguard/mine?attribute=tenant%3Dacme").body())
                .isEqualTo("{\"limits\":[]}");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "tenant=acme              | {}",
                "tenant=acme              | {'action': 'resett'}",
                "tenant=acme              | {'action': 'hold'}",
                "tenant=acme              | {'action': 'hold', 'duration': '2h'}",
                "tenant                   | {'action': 'reset'}",
                "apiKey=secret            | {'action': 'reset'}",
                "apiKeyFingerprint=secret | {'action': 'reset'}",
            })
    void whatMakesNoSenseIsABadRequestAndChangesNothing(String attribute, String body) throws Exception {
        guard.acquire(CALL).close();

        String path = "costguard/gpt-4o?attribute=tenant%3Dacme&attribute=" + attribute.replace("=", "%3D");
        assertThat(post(path, body.replace('\'', '"')).statusCode()).isEqualTo(400);
        assertThat(guard.status(CALL).get(0).balance()).isEqualTo(4);
    }

    @Test
    void whatBecomesOfCallsIsInTheMetrics() throws Exception {
        guard.acquire(CALL).close();

        assertThat(get(application, "metrics/costguard.decisions?tag=outcome:granted&tag=tenant:acme")
                        .body())
                .contains("\"statistic\":\"COUNT\"");
        assertThat(get(application, "metrics/costguard.reservations.open").statusCode())
                .isEqualTo(200);
    }

    @Test
    void aGuardWhoseRedisDecidesIsUp() throws Exception {
        HttpResponse<String> health = get(application, "health/costguard");

        assertThat(health.statusCode()).isEqualTo(200);
        assertThat(health.body())
                .contains("\"status\":\"UP\"", "\"redis\":\"decides\"", "\"whenRedisFails\":\"fail-closed\"");
    }

    @Test
    void aGuardThatFailsClosedIsDownWhileRedisIsAway() throws Exception {
        redis.kill();
        HttpResponse<String> health = get(application, "health/costguard");
        redis.restart();

        assertThat(health.statusCode()).isEqualTo(503);
        assertThat(health.body()).contains("\"status\":\"DOWN\"").doesNotContain("decides");
    }

    @Test
    void whatAnOperatorForbidsIsNotThere(@TempDir Path other) throws Exception {
        String yaml = yaml(redis.url(), "fail-closed") + """
                  health.costguard.enabled: false
                  endpoint.costguard.access: read-only
                """;
        try (ConfigurableApplicationContext strict = Applications.serving(other, yaml)) {
            assertThat(get(strict, "health/costguard").statusCode()).isEqualTo(404);
            assertThat(post(strict, "costguard/gpt-4o", "{\"action\": \"reset\"}")
                            .statusCode())
                    .isEqualTo(405);
            assertThat(get(strict, "costguard/gpt-4o").statusCode()).isEqualTo(200);
        }
    }

    @ParameterizedTest
    @CsvSource({"fail-closed, DOWN", "fail-open, UNKNOWN"})
    void aGuardWhoseUserLacksRightsSaysWhich(String whenRedisFails, String status) throws Exception {
        try (RedisForTests strict = RedisForTests.start();
                redis.clients.jedis.Jedis admin = new redis.clients.jedis.Jedis(URI.create(strict.url()))) {
            admin.aclSetUser("poor", "on", ">password", "~costguard:*", "&*", "+@all", "-zadd");
            String url = "redis://poor:password@" + strict.host() + ":" + strict.port();
            try (CostGuard poor = CostGuard.builder().redis(url).build()) {
                GuardHealth.Told told = new GuardHealth(
                                poor,
                                CostGuardProperties.WhenRedisFails.valueOf(whenRedisFails
                                        .toUpperCase(java.util.Locale.ROOT)
                                        .replace('-', '_')))
                        .look();

                assertThat(told.status()).isEqualTo(status);
                assertThat(String.valueOf(told.details().get("redis"))).contains("ZADD", "ACL SETUSER <user>");
            }
        }
    }
}
