package io.costguard.examples.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import com.sun.net.httpserver.HttpContext;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.Limit;
import io.costguard.testing.RedisForTests;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A server with the filter, and callers that reach it through sockets. */
@Timeout(120)
class GateFilterIT {
    private static final Budget CALLERS = Budget.named("callers")
            .per("ip")
            .limit(Limit.requests(2).per(Duration.ofDays(1)).slidingWindow());

    private final RedisForTests redis = RedisForTests.shared();
    private final HttpClient client = HttpClient.newHttpClient();
    private final AtomicInteger handled = new AtomicInteger();
    private final HttpServer server;
    private final HttpContext context;
    private final List<CostGuard> guards = new ArrayList<>();

    GateFilterIT() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        context = server.createContext("/", exchange -> {
            handled.incrementAndGet();
            if (exchange.getRequestURI().getPath().equals("/broken")) {
                throw new IOException("as a handler may");
            }
            exchange.sendResponseHeaders(204, -1);
            exchange.close();
        });
        server.start();
    }

    @AfterEach
    void end() {
        server.stop(0);
        guards.forEach(CostGuard::close);
    }

    @Test
    void aCallerIsToldWhatItHasLeft() throws Exception {
        guardedBy(redis.url(), CALLERS);

        HttpResponse<String> answer = get();

        assertThat(answer.statusCode()).isEqualTo(204);
        assertThat(answer.headers().firstValue("RateLimit-Policy"))
                .contains("\"callers: requests per day (sliding window)\";q=2;w=86400");
        assertThat(answer.headers().firstValue("RateLimit").orElseThrow())
                .matches("\"callers: requests per day \\(sliding window\\)\";r=1;t=[0-9]+");
    }

    @Test
    void aCallerThatHasNothingLeftIsToldWhenToComeBackAndReachesNoHandler() throws Exception {
        guardedBy(redis.url(), CALLERS);
        get();
        get();

        HttpResponse<String> denied = get();

        assertThat(denied.statusCode()).isEqualTo(429);
        assertThat(handled).hasValue(2);
        String retryAfter = denied.headers().firstValue("Retry-After").orElseThrow();
        assertThat(Long.parseLong(retryAfter)).isBetween(1L, 100_000L);
        assertThat(denied.headers().firstValue("RateLimit"))
                .contains("\"callers: requests per day (sliding window)\";r=0;t=" + retryAfter);
        assertThat(denied.headers().firstValue("Content-Type")).contains("application/problem+json");
        assertThat(denied.body())
                .isEqualTo("{\"type\":\"https://iana.org/assignments/http-problem-types#quota-exceeded\","
                        + "\"title\":\"Too Many Requests\","
                        + "\"violated-policies\":[\"callers: requests per day (sliding window)\"]}");
    }

    @Test
    void eachUserHasALimitOfItsOwn() throws Exception {
        guardedBy(
                redis.url(),
                Budget.named("users")
                        .where("user", "*")
                        .per("user")
                        .limit(Limit.requests(1).per(Duration.ofDays(1)).slidingWindow()));

        assertThat(List.of(statusFor("ann"), statusFor("bob"), statusFor("ann")))
                .containsExactly(204, 204, 429);
    }

    @Test
    void aRequestIsInFlightUntilItsHandlerEndsHoweverThatIs() throws Exception {
        CostGuard guard =
                guardedBy(redis.url(), Budget.named("at once").per("ip").limit(Limit.concurrentCalls(1)));
        // Unlike a GET, the client does not repeat it.
        HttpRequest broken =
                request("/broken").POST(HttpRequest.BodyPublishers.noBody()).build();

        for (int i = 0; i < 3; i++) {
            assertThatIOException().isThrownBy(() -> client.send(broken, HttpResponse.BodyHandlers.ofString()));
            guard.flush();
        }

        assertThat(handled).hasValue(3);
    }

    @Test
    void withoutARedisNobodyGetsThrough() throws Exception {
        try (RedisForTests gone = RedisForTests.start()) {
            guardedBy(gone.url(), CALLERS);
            gone.kill();

            HttpResponse<String> answer = get();

            assertThat(answer.statusCode()).isEqualTo(503);
            assertThat(answer.headers().firstValue("Retry-After")).contains("1");
            assertThat(handled).hasValue(0);
        }
    }

    private CostGuard guardedBy(String url, Budget budget) {
        CostGuard guard = CostGuard.builder()
                .redis(url)
                .keyPrefix(redis.keyPrefix())
                .decisionTimeout(Duration.ofSeconds(url.equals(redis.url()) ? 60 : 1))
                .budget(budget)
                .build();
        guards.add(guard);
        context.getFilters().add(new GateFilter(new Gate(guard, "api"), GateFilterIT::who));
        return guard;
    }

    private HttpResponse<String> get() throws Exception {
        return client.send(request("/").build(), HttpResponse.BodyHandlers.ofString());
    }

    private int statusFor(String user) throws Exception {
        HttpRequest request =
                request("/").header("Authorization", "Bearer token-of-" + user).build();
        return client.send(request, HttpResponse.BodyHandlers.discarding()).statusCode();
    }

    /** As a server may know its users. */
    private static Map<String, String> who(HttpExchange exchange) {
        Map<String, String> who = new HashMap<>(GateFilter.ip(exchange));
        String token = exchange.getRequestHeaders().getFirst("Authorization");
        if (token != null) {
            who.put("user", token.substring("Bearer token-of-".length()));
        }
        return who;
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(
                URI.create("http://127.0.0.1:" + server.getAddress().getPort() + path));
    }
}
