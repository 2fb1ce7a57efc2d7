package io.costguard.examples.page;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.costguard.CostGuard;
import io.costguard.LimitStatus;
import io.costguard.examples.fleet.Amounts;
import io.costguard.examples.fleet.ApiKey;
import io.costguard.examples.fleet.Budgets;
import io.costguard.examples.fleet.Calls;
import io.costguard.examples.fleet.Fleet;
import io.costguard.examples.fleet.FleetRedis;
import io.costguard.examples.fleet.Provider;
import io.costguard.examples.fleet.RedisFails;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The page's server, over HTTP, with a fleet of two processes behind it. */
@Timeout(120)
class PageIT {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static final String MINI = "gpt-4o-mini";

    private static FleetRedis redis;
    private static Provider provider;
    private static Fleet fleet;
    private static Page page;
    private static CostGuard other;

    @BeforeAll
    static void start() throws IOException {
        redis = FleetRedis.start();
        provider = Provider.start();
        fleet = new Fleet(redis, provider, Budgets.USUAL);
        page = Page.start(0, fleet);
        fleet.add();
        fleet.add();
        other = Fleet.guard(redis.url(), fleet.keyPrefix(), Budgets.USUAL).build();
    }

    @AfterAll
    static void end() {
        other.close();
        page.close();
        fleet.close();
        provider.close();
        redis.close();
    }

    /** As it is when the demo begins: all balances full, nothing under way. */
    @BeforeEach
    void beginAnew() throws Exception {
        redis.run();
        fleet.conduct(Budgets.USUAL, RedisFails.CLOSED);
        provider.behave(new Provider.Manner(50, 0, 0));
        post(Map.of("action", "wait", "on", true));
        while (fleet.members().size() < 2) {
            fleet.add();
        }
        await(
                "nothing is under way",
                state -> state.at("/live/line").isEmpty()
                        && state.at("/live/inFlight").isEmpty()
                        && state.at("/redisAnswers").asBoolean());
        for (String model : Calls.MODELS) {
            for (ApiKey key : ApiKey.values()) {
                other.reset(Calls.like(model, key));
            }
        }
        await(
                "all are full",
                state -> state.at("/ledger/requests").asLong() == 0
                        && of(state.at("/balances"))
                                .flatMap(each -> of(each.at("/limits")))
                                .allMatch(limit -> limit.at("/fullInMillis").asLong() == 0));
    }

    @Test
    void whatItShowsIsWhatTheGuardSays() throws Exception {
        JsonNode before = state();
        ask("call", MINI, "search");

        JsonNode shown = await(
                "a call is settled, and all have refilled",
                state -> more(before, state, "settled") == 1
                        && state.at("/ledger/requests").asLong() == 1
                        && state.at("/balances/0/limits/0/fullInMillis").asLong() == 0);

        for (String model : Calls.MODELS) {
            for (ApiKey key : ApiKey.values()) {
                for (LimitStatus limit : other.status(Calls.like(model, key))) {
                    if (limit.budget().equals("rate")) {
                        assertThat(balance(shown, model, key.team(), limit.limit()))
                                .as(limit.toString())
                                .isEqualTo(limit.balance());
                    }
                }
            }
        }
        assertThat(JSON.treeToValue(shown.at("/ledger"), Amounts.class))
                .isEqualTo(Fleet.ledger(other.status(Calls.like(MINI, ApiKey.SEARCH))));
        assertThat(shown.at("/ledger/nanoUsd").asLong())
                .as("of one call, what its provider charges")
                .isEqualTo(shown.at("/provider/bill/nanoUsd").asLong()
                        - before.at("/provider/bill/nanoUsd").asLong());
    }

    @Test
    void ofABurstSomeGoSomeWaitInOrderAndSomeAreDenied() throws Exception {
        JsonNode before = state();
        ask("burst", MINI, "support");

        JsonNode waiting = await("some wait", state -> state.at("/live/line").size() >= 2);
        assertThat(of(waiting.at("/live/line")).map(call -> call.at("/model").asText()))
                .containsOnly(MINI);
        assertThat(of(waiting.at("/live/line"))
                        .map(call -> call.at("/sinceMillis").asLong() / 1_000))
                .as("in the order in which they asked, to the second")
                .isSorted();

        // So that the rest need not wait for long.
        ask(Map.of("action", "budgets", "budgets", new Budgets(60, 120_000, 6, 300, 200)));
        JsonNode after =
                await("all are over", state -> more(before, state, "settled") + more(before, state, "denied") == 14);
        assertThat(more(before, after, "granted")).isGreaterThanOrEqualTo(8);
        assertThat(more(before, after, "denied")).isPositive();
        assertThat(more(before, after, "settled")).isEqualTo(more(before, after, "granted"));
    }

    @Test
    void whoShallNotWaitIsDeniedAtOnce() throws Exception {
        post(Map.of("action", "wait", "on", false));
        JsonNode before = state();
        ask("burst", MINI, "search");

        JsonNode after =
                await("all are over", state -> more(before, state, "settled") + more(before, state, "denied") == 14);

        assertThat(more(before, after, "waited")).isZero();
        assertThat(more(before, after, "denied")).isPositive();
    }

    @Test
    void aStreamThatIsCutIsSettledByWhatPassed() throws Exception {
        JsonNode before = state();
        ask("cut", "claude-3-5-sonnet", "search");

        JsonNode cut = await("it is settled", state -> more(before, state, "settled") == 1)
                .at("/live/settled/0");

        assertThat(cut.at("/model").asText()).isEqualTo("claude-3-5-sonnet");
        assertThat(cut.at("/numbers/charged/output").asLong())
                .as("of the 221 tokens that it has")
                .isBetween(2L, 200L);
    }

    @Test
    void anAgentIsStoppedByTheBudgetOfItsRun() throws Exception {
        ask(Map.of("action", "agent", "team", "support"));

        JsonNode after = await(
                "it is stopped",
                state -> of(state.at("/live/runs"))
                        .anyMatch(run -> run.at("/said").asText().equals("stopped by its budget")));

        JsonNode run = after.at("/live/runs/0");
        assertThat(run.at("/calls").asLong()).isPositive();
        assertThat(run.at("/charged/nanoUsd").asLong())
                .isPositive()
                .isLessThanOrEqualTo(Budgets.USUAL.centsPerRun() * 10_000_000L);
    }

    @Test
    void budgetsAreInForceAtTheNextCall() throws Exception {
        Budgets smaller = new Budgets(2, 120_000, 6, 300, 200);
        ask(Map.of("action", "budgets", "budgets", smaller));
        JsonNode before = state();
        post(Map.of("action", "wait", "on", false));
        ask("burst", MINI, "search");

        JsonNode after =
                await("all are over", state -> more(before, state, "settled") + more(before, state, "denied") == 14);

        assertThat(more(before, after, "granted")).isBetween(2L, 3L);
        assertThat(after.at("/balances/0/limits/0/capacity").asLong()).isEqualTo(2);
    }

    @Test
    void closedNothingIsSentWhileRedisIsAwayAndThingsGoOnWhenItIsBack() throws Exception {
        ask("redis", false);
        await("it is away", state -> !state.at("/redisAnswers").asBoolean());
        JsonNode before = state();
        ask("call", MINI, "search");

        JsonNode away = await(
                "it is not sent", state -> state.at("/live/inOutage/notSent").asLong() == 1);
        assertThat(away.at("/provider/bill")).isEqualTo(before.at("/provider/bill"));

        ask("redis", true);
        await("it answers", state -> state.at("/redisAnswers").asBoolean());
        ask("call", MINI, "search");
        await(
                "it came back with what it held",
                state -> more(before, state, "settled") == 1
                        && state.at("/ledger/requests").asLong()
                                == before.at("/ledger/requests").asLong() + 1);
    }

    @Test
    void openCallsGoUncountedWhileRedisIsAway() throws Exception {
        ask(Map.of("action", "whenRedisFails", "policy", "OPEN"));
        ask("redis", false);
        await("it is away", state -> !state.at("/redisAnswers").asBoolean());
        JsonNode before = state();
        ask("call", MINI, "search");

        JsonNode away = await(
                "it is answered",
                state -> state.at("/provider/bill/requests").asLong()
                        == before.at("/provider/bill/requests").asLong() + 1);

        assertThat(away.at("/live/inOutage/uncounted").asLong()).isEqualTo(1);
        assertThat(away.at("/ledger")).isEqualTo(before.at("/ledger"));
    }

    @Test
    void leasedCallsGoByWhatWasLeasedWhileRedisIsAway() throws Exception {
        ask(Map.of("action", "whenRedisFails", "policy", "LEASED"));
        JsonNode before = state();
        // A process leases what it uses, a moment later.
        for (int i = 0; i < 2; i++) {
            ask("call", MINI, "search");
        }
        await(
                "one has leased",
                state -> more(before, state, "settled") == 2
                        && balance(state, MINI, "search", "requests per 40 seconds") <= 4);
        ask("redis", false);
        await("it is away", state -> !state.at("/redisAnswers").asBoolean());
        for (int i = 0; i < 2; i++) {
            ask("call", MINI, "search");
        }

        JsonNode away = await(
                "each went, or did not",
                state -> state.at("/live/inOutage/leased").asLong()
                                + state.at("/live/inOutage/notSent").asLong()
                        == 2);
        assertThat(away.at("/live/inOutage/leased").asLong()).isPositive();
    }

    @Test
    void aProcessThatIsKilledIsGoneAndAnotherOneTakesCalls() throws Exception {
        String killed = fleet.members().get(0).name();
        ask(Map.of("action", "kill", "name", killed));
        await(
                "it is gone",
                state -> of(state.at("/members"))
                        .noneMatch(each -> each.at("/name").asText().equals(killed)));

        ask(Map.of("action", "add"));
        JsonNode added = await("there are two", state -> state.at("/members").size() == 2);
        String name = added.at("/members/1/name").asText();
        ask("call", MINI, "search");
        ask("call", MINI, "search");

        await(
                "it makes calls",
                state -> of(state.at("/live/settled"))
                        .anyMatch(call -> call.at("/worker").asText().equals(name)));
    }

    @Test
    void theProvidersOwnLimitHoldsTheFleet() throws Exception {
        ask(Map.of("action", "provider", "manner", new Provider.Manner(50, 0, 1)));
        ask("burst", MINI, "support");

        await(
                "it refuses, and calls are held",
                state -> state.at("/provider/refused").asLong() > 0
                        && of(state.at("/live/news"))
                                .anyMatch(
                                        each -> each.at("/event/what").asText().equals("HELD")));
    }

    @Test
    void aFailureOfTheProviderKeepsTheEstimate() throws Exception {
        ask(Map.of("action", "provider", "manner", new Provider.Manner(50, 100, 0)));
        ask("call", MINI, "support");

        await(
                "its estimate stays",
                state -> state.at("/live/settled/0/numbers/outcome").asText().equals("ESTIMATE_KEPT"));
    }

    @Test
    void itsOwnTrafficIsPausedAndGoesOn() throws Exception {
        ask(Map.of("action", "traffic", "on", true));
        JsonNode before = state();
        await("calls are made", state -> more(before, state, "granted") > 1);

        ask(Map.of("action", "traffic", "on", false));
        assertThat(state().at("/settings/traffic").asBoolean()).isFalse();
    }

    @Test
    void eachKeyInRedisIsExplainedAndNoneHasAnApiKey() throws Exception {
        ask("call", MINI, "search");
        JsonNode shown = await(
                "its keys are there",
                state -> of(state.at("/redis/keys"))
                        .anyMatch(key -> key.at("/balances/model").asText().equals(MINI)));

        assertThat(of(shown.at("/redis/keys")).map(key -> key.at("/kind").asText()))
                .contains("BALANCES", "LANE")
                .doesNotContain("OTHER");
        assertThat(of(shown.at("/redis/keys")).map(key -> key.at("/ttlMillis").asLong()))
                .allMatch(ttl -> ttl > 0);
        assertThat(shown.toString()).doesNotContain("sk-demo");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "http://evil.example", "null", "https://127.0.0.1"})
    void nobodyElseMayAskForAnything(String origin) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(page.uri().resolve("do"))
                .POST(BodyPublishers.ofString("{\"action\":\"wait\",\"on\":false}"));
        if (!origin.isEmpty()) {
            request.header("origin", origin);
        }

        assertThat(HTTP.send(request.build(), BodyHandlers.ofString()).statusCode())
                .isEqualTo(403);
        assertThat(state().at("/settings/waits").asBoolean()).isTrue();
    }

    @Test
    void aNameThatLeadsHereIsNotTheAddressOfThePage() throws Exception {
        try (Socket socket =
                new Socket(InetAddress.getLoopbackAddress(), page.uri().getPort())) {
            socket.getOutputStream()
                    .write("GET /state HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n"
                            .getBytes(StandardCharsets.US_ASCII));

            assertThat(new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII))
                            .readLine())
                    .contains(" 421 ");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "{\"action\":\"burn\"}; burn",
                "{\"action\":\"call\",\"model\":\"gpt-9\",\"team\":\"search\"}; gpt-9",
                "{\"action\":\"call\",\"model\":\"gpt-4o-mini\"}; team",
                "{\"action\":\"kill\",\"name\":\"nobody\"}; nobody",
                "{\"action\":\"budgets\",\"budgets\":{\"requests\":0,\"tokens\":1,\"inFlight\":1,\"centsPerMinute\":1,\"centsPerRun\":1}}; requests must be from 1",
                "not json; not"
            })
    void whatMakesNoSenseIsRefusedAndNamed(String body, String said) throws Exception {
        HttpResponse<String> answer = post(body);

        assertThat(answer.statusCode()).isEqualTo(400);
        assertThat(answer.body()).contains(said);
    }

    @ParameterizedTest
    @CsvSource({
        "/, text/html",
        "/page.js, text/javascript",
        "/view.js, text/javascript",
        "/stage.js, text/javascript",
        "/page.css, text/css",
        "/icon.svg, image/svg+xml"
    })
    void itsFilesAreItsOwnAndNeedNobodyElse(String path, String type) throws Exception {
        HttpResponse<String> file = get(path);

        assertThat(file.statusCode()).isEqualTo(200);
        assertThat(file.headers().firstValue("content-type").orElseThrow()).startsWith(type);
        assertThat(file.body().replace("http://www.w3.org/2000/svg", "")).doesNotContain("http://", "https://");
    }

    @ParameterizedTest
    @ValueSource(strings = {"/nothing", "/Page.class", "/../Page.class"})
    void thereIsNothingElse(String path) throws Exception {
        assertThat(get(path).statusCode()).isEqualTo(404);
    }

    @Test
    void itIsKnownWhenThePageIsOpenAndWhenItIsClosed() throws Exception {
        HttpResponse<Stream<String>> live =
                HTTP.send(HttpRequest.newBuilder(page.uri().resolve("live")).build(), BodyHandlers.ofLines());
        page.awaitOpen(Duration.ofSeconds(60));
        assertThat(page.isOpen()).isTrue();

        live.body().close();
        page.awaitClosed();
        assertThat(page.isOpen()).isFalse();
    }

    private static void ask(String action, boolean on) throws Exception {
        ask(Map.of("action", action, "on", on));
    }

    private static void ask(String action, String model, String team) throws Exception {
        ask(Map.of("action", action, "model", model, "team", team));
    }

    private static void ask(Object action) throws Exception {
        HttpResponse<String> answer = post(action);
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(204);
    }

    private static HttpResponse<String> post(Object action) throws Exception {
        String body = action instanceof String text ? text : JSON.writeValueAsString(action);
        URI uri = page.uri();
        return HTTP.send(
                HttpRequest.newBuilder(uri.resolve("do"))
                        .header("origin", "http://" + uri.getAuthority())
                        .POST(BodyPublishers.ofString(body))
                        .build(),
                BodyHandlers.ofString());
    }

    private static HttpResponse<String> get(String path) throws Exception {
        return HTTP.send(HttpRequest.newBuilder(page.uri().resolve(path)).build(), BodyHandlers.ofString());
    }

    private static JsonNode state() throws Exception {
        // The first is what was last told, the second is after what was asked before.
        try (Stream<String> states = live()) {
            Iterator<String> each = states.iterator();
            each.next();
            return JSON.readTree(each.next());
        }
    }

    private static JsonNode await(String what, Predicate<JsonNode> until) throws Exception {
        long end = System.nanoTime() + Duration.ofSeconds(90).toNanos();
        List<String> last = new ArrayList<>(List.of(""));
        try (Stream<String> states = live()) {
            for (Iterator<String> each = states.iterator(); System.nanoTime() < end; ) {
                last.set(0, each.next());
                JsonNode state = JSON.readTree(last.get(0));
                if (until.test(state)) {
                    return state;
                }
            }
        }
        throw new AssertionError("never seen that " + what + "; the last state was " + last.get(0));
    }

    private static Stream<String> live() throws Exception {
        return HTTP.send(HttpRequest.newBuilder(page.uri().resolve("live")).build(), BodyHandlers.ofLines())
                .body()
                .filter(line -> line.startsWith("data: "))
                .map(line -> line.substring("data: ".length()));
    }

    private static Stream<JsonNode> of(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false);
    }

    private static long balance(JsonNode state, String model, String team, String limit) {
        return of(state.at("/balances"))
                .filter(each -> each.at("/model").asText().equals(model)
                        && each.at("/team").asText().equals(team))
                .flatMap(each -> of(each.at("/limits")))
                .filter(each -> each.at("/limit").asText().equals(limit))
                .mapToLong(each -> each.at("/balance").asLong())
                .findFirst()
                .orElse(-1);
    }

    private static long more(JsonNode before, JsonNode after, String count) {
        return after.at("/live/counts/" + count).asLong()
                - before.at("/live/counts/" + count).asLong();
    }
}
