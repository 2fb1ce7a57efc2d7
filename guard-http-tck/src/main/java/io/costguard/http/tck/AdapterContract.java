package io.costguard.http.tck;

import static com.github.tomakehurst.wiremock.client.WireMock.aResponse;
import static com.github.tomakehurst.wiremock.client.WireMock.any;
import static com.github.tomakehurst.wiremock.client.WireMock.anyUrl;
import static com.github.tomakehurst.wiremock.client.WireMock.post;
import static com.github.tomakehurst.wiremock.client.WireMock.urlPathEqualTo;
import static com.github.tomakehurst.wiremock.core.WireMockConfiguration.options;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.github.tomakehurst.wiremock.WireMockServer;
import com.github.tomakehurst.wiremock.client.ResponseDefinitionBuilder;
import com.github.tomakehurst.wiremock.http.Fault;
import com.github.tomakehurst.wiremock.verification.LoggedRequest;
import io.costguard.Attributes;
import io.costguard.Budget;
import io.costguard.BudgetExceededException;
import io.costguard.Cost;
import io.costguard.CostExceedsCapacityException;
import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.GuardListener;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.LimitStatus;
import io.costguard.Outcome;
import io.costguard.Outputs;
import io.costguard.Share;
import io.costguard.UnknownCalls;
import io.costguard.Weights;
import io.costguard.WhenExhausted;
import io.costguard.WhenRedisFails;
import io.costguard.describe.Tokenizers;
import io.costguard.http.HttpCall;
import io.costguard.testing.FaultyLink;
import io.costguard.testing.JavaProcess;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import io.costguard.testing.RedisForTests;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What every adapter must do, with a real Redis, a real client and real sockets; each sync and async. An adapter's tests extend it and
 * say how a client is made.
 */
@Timeout(60)
public abstract class AdapterContract {
    protected static final WireMockServer PROVIDER = new WireMockServer(options()
            .dynamicPort()
            .http2PlainDisabled(true) // its upgrade from HTTP/1.1 loses bodies of unknown length
            .bindAddress("127.0.0.1")
            .gzipDisabled(true)
            .disableRequestJournal()
            .asynchronousResponseEnabled(false));
    /** At which nobody listens. */
    protected static final String NOWHERE = "127.0.0.1:1";

    protected static final Exchange CHAT = Recordings.of("openai-chat-n2");
    private static final Exchange MESSAGES = Recordings.of("anthropic-messages-basic");
    protected static final Exchange STREAM = Recordings.of("openai-chat-stream-include-usage");

    /** The request for that stream, had it not asked for usage. */
    protected static final String UNASKED = new String(STREAM.request(), StandardCharsets.UTF_8)
            .replace(" \"stream_options\": {\"include_usage\": true},", "");

    /** That, as a guard sends it that asks for it. */
    protected static final String ASKED =
            UNASKED.replaceFirst("\\{", Matcher.quoteReplacement("{\"stream_options\":{\"include_usage\":true},"));

    /** Of what is once enough, where the same adapter is tested on several versions of its client. */
    static final String EVERY_WIRE = "every-wire";

    /** Of what is the guard's own doing and takes long: once two clients are tested for it, a third need not be. */
    static final String CORE = "core";

    /** Of an answer that is larger than the heap. */
    private static final int HUGE_MEGABYTES = Integer.getInteger("costguard.hugeMegabytes", 128);

    /** Of a client; shorter where a test waits for its end. */
    protected Duration connectTimeout = Duration.ofSeconds(10);

    /** Likewise, for an answer. */
    protected Duration readTimeout = Duration.ofSeconds(10);

    private final RedisForTests redis = RedisForTests.shared();
    private final String prefix = redis.keyPrefix();
    protected final Events events = new Events();
    private final List<AutoCloseable> open = new ArrayList<>();

    /** How the client is called. */
    public enum Mode {
        SYNC,
        ASYNC
    }

    /** What not every client can do. */
    public enum Ability {
        FOLLOW_REDIRECTS,
        /** A response whose body nobody can read any more is garbage, though its connection is open. */
        FORGET_RESPONSES,
        /** A body in which a chunk is malformed fails, and does not seem to end there. */
        TELL_MALFORMED_CHUNKS
    }

    /** Whether the client can do this; what needs it is left out otherwise. */
    protected boolean can(Ability ability, Mode mode) {
        return true;
    }

    /**
     * A client that is guarded by {@code guard}, shows denials in this way, follows redirects if it can, connects within {@link
     * #connectTimeout} and waits for an answer for {@link #readTimeout}.
     */
    protected abstract Client client(CostGuard guard, Denials denials, Mode mode);

    /** How a body comes over the wire. */
    enum Wire {
        WHOLE,
        PIECES,
        GZIPPED_PIECES
    }

    @BeforeAll
    static void startProvider() throws Exception {
        PROVIDER.start();
        Tokenizers.loaded("gpt-4o").get();
        Tokenizers.loaded("gpt-4").get();
    }

    @AfterAll
    static void stopProvider() {
        PROVIDER.stop();
    }

    @BeforeEach
    void forgetStubs() {
        PROVIDER.resetAll();
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable each : open) {
            each.close();
        }
    }

    // --- recorded exchanges

    static Stream<Arguments> recordings() {
        return Recordings.all().stream()
                // Names no model, and has no output: held in a test of its own.
                .filter(exchange -> !exchange.folder().equals("openai-moderations-basic"))
                .flatMap(exchange -> Arrays.stream(Mode.values()).map(mode -> Arguments.of(exchange, mode)));
    }

    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("recordings")
    @Tag("invariant-9")
    void aRecordedExchangeSettlesToWhatTheProviderReportedAndItsBytesPassUnchanged(Exchange exchange, Mode mode)
            throws Exception {
        assertSettledAndUnchanged(exchange, mode, Wire.PIECES);
    }

    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("recordings")
    @Tag(EVERY_WIRE)
    void soDoesOneThatComesAtOnceOrEncoded(Exchange exchange, Mode mode) throws Exception {
        assertSettledAndUnchanged(exchange, mode, Wire.WHOLE);
        assertSettledAndUnchanged(exchange, mode, Wire.GZIPPED_PIECES);
    }

    private void assertSettledAndUnchanged(Exchange exchange, Mode mode, Wire wire) throws Exception {
        byte[] body = wire == Wire.GZIPPED_PIECES ? gzip(exchange.response()) : exchange.response();
        List<byte[]> pieces = wire == Wire.WHOLE ? List.of(body) : Recordings.pieces(body, 17);
        URI provider = opened(
                        wire == Wire.GZIPPED_PIECES
                                ? PiecemealProvider.gzipped(exchange, pieces)
                                : PiecemealProvider.plain(exchange, pieces))
                .uri();
        CostGuard guard = opened(builder(redis.url())
                .budget(roomy())
                .provider(provider.getAuthority(), exchange.provider())
                .build());
        Client client = client(guard, Denials.answer(), mode);

        Client.Sent request = new Client.Sent("POST", provider, headers(), exchange.request(), Client.Body.BYTES);
        if (wire == Wire.GZIPPED_PIECES) {
            // Said by the caller, so that OkHttp leaves the decoding to him.
            request.headers().put("accept-encoding", "gzip");
        }
        Client.Answer answer = client.send(request);

        assertThat(answer.status()).isEqualTo(exchange.status());
        assertThat(answer.bytes()).isEqualTo(body);
        GuardListener.Settlement settled = events.settled();
        // An endpoint that has one model is named by its host.
        String model = exchange.model().isEmpty() ? provider.getAuthority() : exchange.model();
        assertThat(settled.call().model()).isEqualTo(GuardedCall.of(model).model());
        if (exchange.isUsageReported()) {
            // A prompt that was still in a cache may be reported as none.
            long reported = exchange.reportedInput().orElse(0);
            assertThat(settled.outcome()).isEqualTo(Outcome.REPORTED);
            assertThat(settled.actual().input())
                    .isEqualTo(reported > 0 ? reported : settled.estimate().input());
            assertThat(settled.actual().output())
                    .isEqualTo(exchange.reportedOutput().orElse(0));
        } else if (exchange.status() == 200) {
            assertThat(settled.outcome()).isEqualTo(Outcome.COUNTED);
            assertThat(settled.actual().input()).isEqualTo(settled.estimate().input());
            assertThat(settled.actual().output() > 0)
                    .isEqualTo(settled.estimate().output() > 0);
        } else {
            assertThat(settled.outcome()).isEqualTo(Outcome.REFUNDED);
            assertThat(settled.actual().input() + settled.actual().output()).isZero();
        }
        assertThat(settled.actual().requests()).isEqualTo(1);
    }

    static Stream<Arguments> hugeAnswers() {
        String event =
                "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"%s\"}}\n\n"
                        .formatted("good morning ".repeat(1_000));
        return Stream.of(
                Arguments.of(Mode.SYNC, Recordings.of("anthropic-messages-stream-cache-read"), "", event, """
                        data: {"type":"message_delta","usage":{"input_tokens":9,"output_tokens":40}}

                        data: {"type":"message_stop"}

                        """),
                Arguments.of(
                        Mode.ASYNC,
                        MESSAGES,
                        "{\"content\":[{\"type\":\"text\",\"text\":\"",
                        "good morning ".repeat(1_000),
                        "\"}],\"usage\":{\"input_tokens\":9,\"output_tokens\":40}}"));
    }

    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("hugeAnswers")
    @Tag(EVERY_WIRE)
    @Timeout(300)
    @Tag("fault-32")
    void anAnswerLargerThanTheHeapPassesUnchangedAndItsUsageIsFound(
            Mode mode, Exchange exchange, String begin, String repeated, String end) throws Exception {
        List<byte[]> pieces = new ArrayList<>();
        pieces.add(begin.getBytes(StandardCharsets.UTF_8));
        byte[] piece = repeated.getBytes(StandardCharsets.UTF_8);
        pieces.addAll(Collections.nCopies((int) (((long) HUGE_MEGABYTES << 20) / piece.length), piece));
        pieces.add(end.getBytes(StandardCharsets.UTF_8));
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        pieces.forEach(digest::update);
        URI provider = opened(PiecemealProvider.plain(exchange, pieces)).uri();

        String told = JavaProcess.run(
                SmallHeap.class,
                List.of("-Xmx64m", "-Dguard.redis.url=" + redis.url()),
                getClass().getName(),
                mode.name(),
                exchange.folder(),
                provider.toString(),
                redis.keyPrefix());

        assertThat(told.lines())
                .contains(HexFormat.of().formatHex(digest.digest()), "REPORTED: 9 input and 40 output tokens");
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    @Tag(CORE)
    void whatSuchCallsUsedOfLateIsWhatIsReservedInTheWholeFleet(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        long choices = CHAT.number("request_n").orElseThrow();
        long each = (CHAT.reportedOutput().orElseThrow() + choices - 1) / choices;

        Client one = client(learning(), Denials.answer(), mode);
        assertThat(reservedOutput(one)).isEqualTo(choices * 1_000);
        // A window's worth, so that others are told.
        for (int i = 0; i < 50; i++) {
            reservedOutput(one);
        }
        assertThat(untilLearned(one)).isEqualTo(choices * each);
        assertThat(untilLearned(client(learning(), Denials.answer(), mode))).isEqualTo(choices * each);
    }

    /** What is reserved once it is no longer what the budget assumes; fewer calls than from which the process would learn itself. */
    private long untilLearned(Client client) throws Exception {
        long reserved = reservedOutput(client);
        for (int i = 1; i < 19 && reserved % 1_000 == 0; i++) {
            reserved = reservedOutput(client);
        }
        return reserved;
    }

    private CostGuard learning() {
        return opened(
                builder(redis.url()).budget(roomy()).outputs(Outputs.learned()).build());
    }

    private long reservedOutput(Client client) throws Exception {
        client.send(request(CHAT)).bytes();
        events.settled();
        return events.granted().estimate().output();
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aPathIsTheSameHoweverItIsEncoded(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        URI encoded = URI.create(PROVIDER.baseUrl() + "/v1/ch%61t/completions");

        client(guard(roomy()), Denials.answer(), mode).send(to(encoded)).bytes();

        assertThat(events.settled().outcome()).isEqualTo(Outcome.REPORTED);
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    @Tag("invariant-9")
    void theProviderGetsTheRequestAsItWasMade(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        List<LoggedRequest> seen = record();

        for (Client.Body form : Client.Body.values()) {
            client(guard(roomy()), Denials.answer(), mode)
                    .send(request(CHAT, form))
                    .bytes();
        }

        assertThat(seen).hasSize(2).allSatisfy(request -> {
            assertThat(request.getBody()).isEqualTo(CHAT.request());
            assertThat(request.getHeader("authorization")).isEqualTo("Bearer sk-canary");
            assertThat(request.getHeader("content-type")).startsWith("application/json");
        });
        assertThat(events.granted().estimate().input()).isEqualTo(11);
        assertThat(events.granted().estimate().input()).isEqualTo(11);
    }

    // --- usage in streams

    @ParameterizedTest
    @CsvSource({"SYNC, BYTES", "SYNC, ONE_SHOT", "ASYNC, BYTES", "ASYNC, ONE_SHOT"})
    void aStreamIsAskedForUsageAndSettlesToItIfTheUserSaysSo(Mode mode, Client.Body form) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(STREAM)));
        List<LoggedRequest> seen = record();

        Client.Answer answer = client(asking(), Denials.answer(), mode).send(stream(form));

        assertThat(answer.bytes()).isEqualTo(STREAM.response());
        assertThat(seen).singleElement().satisfies(sent -> {
            assertThat(sent.getBodyAsString()).isEqualTo(ASKED);
            if (form == Client.Body.BYTES) {
                assertThat(sent.getHeader("content-length")).isEqualTo(String.valueOf(ASKED.length()));
            }
        });
        GuardListener.Settlement settled = events.settled();
        assertThat(settled.outcome()).isEqualTo(Outcome.REPORTED);
        assertThat(settled.actual().input()).isEqualTo(STREAM.reportedInput().orElseThrow());
        assertThat(settled.actual().output()).isEqualTo(STREAM.reportedOutput().orElseThrow());
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aStreamIsSentAsItWasMadeUnlessTheUserSaysOtherwise(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(STREAM)));
        List<LoggedRequest> seen = record();
        CostGuard guard = opened(builder(redis.url())
                .budget(roomy())
                .provider(authority(), "openai")
                .build());

        for (Client.Body form : Client.Body.values()) {
            client(guard, Denials.answer(), mode).send(stream(form)).bytes();
        }

        assertThat(seen).extracting(LoggedRequest::getBodyAsString).containsExactly(UNASKED, UNASKED);
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void whatNeedNotOrMustNotBeAskedForUsageIsSentAsItWasMade(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(STREAM)));
        List<LoggedRequest> seen = record();
        Client client = client(asking(), Denials.answer(), mode);
        Client.Sent digested = stream(Client.Body.BYTES);
        digested.headers().put("content-digest", "sha-256=:abc=:");
        byte[] larger = (UNASKED + " ".repeat(HttpCall.MOST_READ)).getBytes(StandardCharsets.UTF_8);
        List<Client.Sent> requests =
                List.of(request(STREAM), request(CHAT), digested, request(STREAM, larger), request(MESSAGES));

        for (Client.Sent request : requests) {
            client.send(request).bytes();
        }

        assertThat(seen).hasSameSizeAs(requests);
        for (int i = 0; i < requests.size(); i++) {
            assertThat(Arrays.equals(seen.get(i).getBody(), requests.get(i).body()))
                    .as("request %d", i)
                    .isTrue();
        }
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aRedirectedStreamAsksTheSameAgain(Mode mode) throws Exception {
        assumeThat(can(Ability.FOLLOW_REDIRECTS, mode)).isTrue();
        PROVIDER.stubFor(post(urlPathEqualTo("/v1/chat/completions"))
                .willReturn(aResponse().withStatus(307).withHeader("location", PROVIDER.baseUrl() + "/there")));
        PROVIDER.stubFor(post(urlPathEqualTo("/there")).willReturn(replay(STREAM)));
        List<LoggedRequest> seen = record();

        client(asking(), Denials.answer(), mode).send(stream(Client.Body.BYTES)).bytes();

        assertThat(seen).extracting(LoggedRequest::getBodyAsString).containsExactly(ASKED, ASKED);
        assertThat(events.settled().outcome()).isEqualTo(Outcome.REPORTED);
    }

    // --- attributes

    @ParameterizedTest
    @EnumSource(Mode.class)
    @Tag("threat-5")
    void aHeaderIsAnAttributeOfItsCallAndIsNotSent(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        List<LoggedRequest> seen = record();
        Client client = client(
                byHeader(Budget.named("tenants")
                        .where("tenant", "acme", "other")
                        .per("tenant")
                        .limit(Limit.requests(1).perDay())),
                Denials.answer(),
                mode);

        assertThat(client.send(of("acme", Client.Body.BYTES)).status()).isEqualTo(200);
        assertThat(events.granted().call().attributes()).containsEntry("tenant", "acme");
        assertThat(client.send(of("acme", Client.Body.BYTES)).status()).isEqualTo(402);
        assertThat(client.send(of("other", Client.Body.ONE_SHOT)).status()).isEqualTo(200);
        assertThat(client.send(of("third", Client.Body.ONE_SHOT)).status()).isEqualTo(200);

        assertThat(seen).hasSize(3).allSatisfy(sent -> {
            assertThat(sent.containsHeader("x-tenant")).isFalse();
            assertThat(sent.getHeader("authorization")).isEqualTo("Bearer sk-canary");
            assertThat(sent.getBody()).isEqualTo(CHAT.request());
        });
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void noAttributeIsSentWithARedirect(Mode mode) throws Exception {
        assumeThat(can(Ability.FOLLOW_REDIRECTS, mode)).isTrue();
        PROVIDER.stubFor(post(urlPathEqualTo("/v1/chat/completions"))
                .willReturn(aResponse().withStatus(307).withHeader("location", PROVIDER.baseUrl() + "/there")));
        PROVIDER.stubFor(post(urlPathEqualTo("/there")).willReturn(replay(CHAT)));
        List<LoggedRequest> seen = record();

        client(byHeader(roomy()), Denials.answer(), mode)
                .send(of("acme", Client.Body.BYTES))
                .bytes();

        assertThat(seen).hasSize(2).noneMatch(sent -> sent.containsHeader("x-tenant"));
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void noAttributeIsSentWithACallThatIsNotRead(Mode mode) throws Exception {
        PROVIDER.stubFor(any(anyUrl()).willReturn(aResponse().withBody("ok")));
        List<LoggedRequest> seen = record();
        Client guarding = client(byHeader(roomy()), Denials.answer(), mode);
        Client passing = client(
                opened(headers(builder(redis.url()))
                        .unknownCalls(UnknownCalls.passThrough())
                        .build()),
                Denials.answer(),
                mode);
        Client.Sent get = get("/v1/models");
        get.headers().put("X-TENANT", "acme");
        Client.Sent post = new Client.Sent(
                "POST", URI.create(PROVIDER.baseUrl() + "/elsewhere"), get.headers(), new byte[3], Client.Body.BYTES);
        Client.Sent large =
                new Client.Sent("POST", chat(), get.headers(), new byte[HttpCall.MOST_READ + 1], Client.Body.BYTES);

        for (Client.Sent request : List.of(get, post, large)) {
            guarding.send(request).bytes();
            assertThat(events.granted().call().attributes()).containsEntry("tenant", "acme");
            passing.send(request).bytes();
        }

        assertThat(seen)
                .extracting(sent -> sent.containsHeader("x-tenant"))
                .hasSize(6)
                .containsOnly(false);
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void noAttributeIsSentByAGuardThatIsSwitchedOff(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        List<LoggedRequest> seen = record();
        CostGuard off;
        System.setProperty("costguard.enabled", "false");
        try {
            off = byHeader(roomy());
        } finally {
            System.clearProperty("costguard.enabled");
        }

        client(off, Denials.answer(), mode).send(of("acme", Client.Body.BYTES)).bytes();

        assertThat(seen).singleElement().matches(sent -> !sent.containsHeader("x-tenant"));
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallWithoutTheAttributeThatABudgetIsCountedPerIsRefusedByName(Mode mode) throws Exception {
        List<LoggedRequest> seen = record();
        Client client = client(
                byHeader(Budget.named("tenants")
                        .per("tenant")
                        .limit(Limit.requests(1).perDay())),
                Denials.answer(),
                mode);

        Client.Answer answer = client.send(request(CHAT));

        assertThat(answer.status()).isEqualTo(402);
        assertThat(text(answer)).contains("unknown attribute 'tenant': budget 'tenants' is counted per it");
        assertThat(seen).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aHeaderThatCanBeNoAttributeIsRefusedEvenWhereFaultsPass(Mode mode) throws Exception {
        List<LoggedRequest> seen = record();
        CostGuard open = opened(headers(builder(redis.url()))
                .budget(roomy())
                .whenRedisFails(WhenRedisFails.failOpen())
                .build());

        Client.Answer answer = client(open, Denials.answer(), mode).send(of("x".repeat(5_000), Client.Body.BYTES));

        assertThat(answer.status()).isEqualTo(402);
        assertThat(text(answer)).contains("'tenant' must be at most 4,096 characters long, not 5000");
        assertThat(seen).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallIsToldWhatIsSaidOfTheThreadThatMakesIt(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        Client client = client(byHeader(roomy()), Denials.answer(), mode);
        Map<String, String> said = Map.of("run", "7", "tenant", "around");

        CostGuard.with(said).call(() -> client.send(request(CHAT)).bytes());

        assertThat(events.granted().call().attributes())
                .hasSize(3 + told(mode, said).size())
                .containsAllEntriesOf(told(mode, said));
        client.send(request(CHAT)).bytes();
        assertThat(events.granted().call().attributes()).hasSize(3);
    }

    /** What a call is told of that which is said of the thread that makes it. */
    protected Map<String, String> told(Mode mode, Map<String, String> said) {
        return said;
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void itsHeaderCountsBeforeThat(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        Client client = client(byHeader(roomy()), Denials.answer(), mode);

        CostGuard.with(Map.of("tenant", "around"))
                .call(() -> client.send(of("acme", Client.Body.BYTES)).bytes());

        assertThat(events.granted().call().attributes()).containsEntry("tenant", "acme");
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    @Tag(CORE)
    void aRunOfAnAgentSpendsNoMoreThanItMay(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        long cents = 1_000_000_000L / 100;
        CostGuard guard = opened(builder(redis.url())
                .attributes(Attributes.header("X-Run").as("run"))
                .budget(Budget.named("run")
                        .where("run", "*")
                        .per("run")
                        .limit(Limit.usd("0.02").perDay().slidingWindow()))
                .build());
        Client client = client(guard, Denials.answer(), mode);
        Client.Sent one = request(CHAT);
        one.headers().put("x-run", "1");
        Client.Sent another = request(CHAT);
        another.headers().put("x-run", "2");

        long spent = 0;
        Client.Answer last = client.send(one);
        while (last.status() == 200) {
            last.bytes();
            spent += events.settled().actual().nanoUsd();
            last = client.send(one);
        }

        assertThat(last.status()).isEqualTo(402);
        assertThat(last.header("x-cost-guard")).contains("denied; budget=run; limit=\"usd per day (sliding window)\"");
        assertThat(spent).isPositive().isLessThanOrEqualTo(2 * cents);
        assertThat(client.send(another).status()).isEqualTo(200);
        assertThat(client.send(request(CHAT)).status()).isEqualTo(200);
    }

    /** A request of that tenant. */
    private static Client.Sent of(String tenant, Client.Body form) {
        Client.Sent request = request(CHAT, form);
        request.headers().put("X-TENANT", tenant);
        return request;
    }

    private CostGuard byHeader(Budget budget) {
        return opened(headers(builder(redis.url())).budget(budget).build());
    }

    private static CostGuard.Builder headers(CostGuard.Builder builder) {
        return builder.attributes(Attributes.header("X-Tenant").as("tenant"));
    }

    // --- rate-limit headers

    @ParameterizedTest
    @CsvSource({"SYNC, 200", "ASYNC, 200", "SYNC, 500", "ASYNC, 429"})
    @Tag(CORE)
    void whatAnAnswerSaysThatIsLeftCorrectsTheBalanceOfTheFleet(Mode mode, int status) throws Exception {
        PROVIDER.stubFor(post(anyUrl())
                .willReturn(replay(CHAT)
                        .withStatus(status)
                        .withHeader("x-ratelimit-limit-requests", "500")
                        .withHeader("X-RateLimit-Remaining-Requests", "7")
                        .withHeader("x-ratelimit-reset-requests", "59m10s")
                        .withHeader("x-ratelimit-remaining-tokens", "-3")));
        Budget budget = Budget.named("rate")
                .limit(Limit.requests(50).perHour().correctedByProvider())
                .limit(Limit.requests(60).per(Duration.ofHours(2)))
                .limit(Limit.tokens(1_000_000).perHour().correctedByProvider());
        CostGuard guard = guard(budget);

        client(guard, Denials.answer(), mode).send(request(CHAT)).bytes();

        assertThat(events.corrected()).satisfies(correction -> {
            assertThat(correction.limit()).isEqualTo("requests per hour");
            assertThat(correction.remaining()).isEqualTo(7);
        });
        GuardedCall call = GuardedCall.of(CHAT.model()).with("apiKey", "sk-canary");
        assertThat(guard(budget).status(call)).extracting(LimitStatus::balance).startsWith(7L, 59L);
    }

    // --- weights

    @ParameterizedTest
    @EnumSource(Mode.class)
    @Tag(CORE)
    void aCachedPromptCountsAsItsLimitWeighsIt(Mode mode) throws Exception {
        Exchange cached = Recordings.of("anthropic-messages-cache-read");
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(cached)));
        Limit input = Limit.inputTokens(100_000).perDay();
        CostGuard guard = guard(
                Budget.named("weighed").per().limit(input.weighing(Weights.anthropic())),
                Budget.named("whole").per().limit(input));

        client(guard, Denials.answer(), mode).send(request(cached)).bytes();

        assertThat(events.granted().estimate().input()).isGreaterThan(1_000);
        Cost actual = events.settled().actual();
        assertThat(actual.cacheRead()).isEqualTo(1_163);
        assertThat(guard.status(GuardedCall.of(cached.model())))
                .extracting(LimitStatus::balance)
                .containsExactly(100_000L - 4, 100_000L - 1_167);
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    @Tag(CORE)
    void whatAProviderHasLeftIsInItsOwnWeights(Mode mode) throws Exception {
        Exchange cached = Recordings.of("anthropic-messages-cache-read");
        PROVIDER.stubFor(post(anyUrl())
                .willReturn(replay(cached).withHeader("anthropic-ratelimit-input-tokens-remaining", "90000")));
        Budget budget = Budget.named("weighed")
                .limit(Limit.inputTokens(100_000)
                        .per(Duration.ofDays(366))
                        .tokenBucket()
                        .weighing(Weights.anthropic())
                        .correctedByProvider());

        client(guard(budget), Denials.answer(), mode).send(request(cached)).bytes();

        GuardListener.Correction correction = events.corrected();
        assertThat(correction.limit()).endsWith("(cache reads x0)");
        GuardedCall call = GuardedCall.of(cached.model()).with("apiKey", "sk-canary");
        long givenBack = events.granted().estimate().input();
        assertThat(guard(budget).status(call).get(0).balance())
                .isBetween(correction.remaining(), correction.remaining() + givenBack);
    }

    @ParameterizedTest
    @CsvSource({"SYNC, 200", "ASYNC, 200", "SYNC, 401", "ASYNC, 401"})
    @Tag(CORE)
    void outputThatACallAskedForStaysChargedAsItsLimitWeighsItUnlessTheCallWasRefused(Mode mode, int status)
            throws Exception {
        ResponseDefinitionBuilder answer = replay(MESSAGES);
        PROVIDER.stubFor(post(anyUrl())
                .willReturn(status == 200 ? answer : answer.withStatus(status).withBody("{}")));
        CostGuard guard = guard(Budget.named("reserved")
                .per()
                .limit(Limit.tokens(100_000).perDay().weighing(Weights.openAi())));

        client(guard, Denials.answer(), mode).send(request(MESSAGES)).bytes();

        Cost estimate = events.granted().estimate();
        Cost actual = events.settled().actual();
        assertThat(estimate.output()).isEqualTo(1_024).isGreaterThan(actual.output());
        assertThat(used(guard)).isEqualTo(status == 200 ? actual.input() + estimate.output() : 0);
    }

    // --- denials

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aDenialThatPassesSoonIsA429InTheProvidersShape(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        Client client =
                client(guard(Budget.named("rate").limit(Limit.requests(1).perMinute())), Denials.answer(), mode);
        client.send(request(CHAT)).bytes();
        PROVIDER.resetAll();

        Client.Answer denied = client.send(request(CHAT));

        assertThat(denied.status()).isEqualTo(429);
        assertThat(denied.header("x-cost-guard")).contains("denied; budget=rate; limit=\"requests per minute\"");
        assertThat(Long.parseLong(denied.header("retry-after").orElseThrow())).isBetween(1L, 60L);
        assertThat(Long.parseLong(denied.header("retry-after-ms").orElseThrow()))
                .isBetween(1L, 60_000L);
        assertThat(denied.header("ratelimit").orElseThrow()).startsWith("\"rate: requests per minute\";r=0;t=");
        assertThat(denied.header("x-should-retry")).isEmpty();
        assertThat(denied.header("content-type")).contains("application/json");
        assertThat(text(denied))
                .contains("\"type\":\"rate_limit_error\"")
                .contains("\"code\":\"rate_limit_exceeded\"")
                .contains("budget 'rate' is spent");
        assertThat(events.denied().by()).isEqualTo(GuardListener.Denied.By.REDIS);
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aDenialUnderAHoldSaysThatItIsHeldAndThatNothingFits(Mode mode) throws Exception {
        CostGuard guard = guard(Budget.named("rate").limit(Limit.requests(9).perMinute()));
        guard.hold(GuardedCall.of(CHAT.model()).with("apiKey", "sk-canary"), Duration.ofSeconds(50));

        Client.Answer denied = client(guard, Denials.answer(), mode).send(request(CHAT));

        assertThat(denied.status()).isEqualTo(429);
        assertThat(denied.header("ratelimit").orElseThrow()).startsWith("\"rate: requests per minute\";r=0;t=");
        assertThat(text(denied)).contains("budget 'rate' is held for ").doesNotContain("spent");
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aDenialThatDoesNotPassSoonIsA402(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(MESSAGES)));
        Client client = client(
                guard(Budget.named("money")
                        .per()
                        .limit(Limit.usd("0.016").perMonth().fixedWindow())),
                Denials.answer(),
                mode);
        client.send(request(MESSAGES)).bytes();

        Client.Answer denied = client.send(request(MESSAGES));

        assertThat(denied.status()).isEqualTo(402);
        assertThat(denied.header("x-should-retry")).contains("false");
        assertThat(denied.header("retry-after")).isEmpty();
        assertThat(text(denied))
                .startsWith("{\"type\":\"error\",\"error\":{\"type\":\"billing_error\"")
                .contains("$0.01");
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallAboveCapacityIsA402AndNeverSent(Mode mode) throws Exception {
        Client client =
                client(guard(Budget.named("small").limit(Limit.tokens(100).perMinute())), Denials.answer(), mode);

        Client.Answer denied = client.send(request(CHAT));

        assertThat(denied.status()).isEqualTo(402);
        assertThat(denied.header("x-should-retry")).contains("false");
        assertThat(text(denied)).contains("can never let this call go").contains("at most 100");
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void denialsAreThrownIfTheUserSaysSo(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        Client client = client(
                guard(Budget.named("rate")
                        .limit(Limit.requests(1).perMinute())
                        .limit(Limit.tokens(10_000).perMinute())),
                Denials.throwException(),
                mode);
        client.send(request(CHAT)).bytes();

        assertThatExceptionOfType(BudgetExceededException.class)
                .isThrownBy(() -> client.send(request(CHAT)))
                .satisfies(thrown -> {
                    assertThat(thrown.denial().budget()).isEqualTo("rate");
                    assertThat(thrown.denial().requested()).isEqualTo(1);
                    assertThat(thrown.denial().available()).isZero();
                });
        String larger = new String(CHAT.request(), StandardCharsets.UTF_8).replace("{", "{\"max_tokens\":20000,");
        assertThatExceptionOfType(CostExceedsCapacityException.class)
                .isThrownBy(() -> client.send(request(CHAT, larger.getBytes(StandardCharsets.UTF_8))));
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aModelWithoutAPriceUnderALimitInDollarsIsRefusedByName(Mode mode) throws Exception {
        byte[] body = "{\"model\":\"nobody-knows\",\"messages\":[]}".getBytes(StandardCharsets.UTF_8);
        CostGuard guard = guard(Budget.named("money").per().limit(Limit.usd("5").perDay()));

        Client.Answer refused = client(guard, Denials.answer(), mode).send(request(CHAT, body));

        assertThat(refused.status()).isEqualTo(402);
        assertThat(text(refused)).contains("nobody-knows").contains("has no price");
        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> client(guard, Denials.throwException(), mode).send(request(CHAT, body)))
                .withMessageContaining("nobody-knows");
    }

    // --- Redis is away

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallIsNotSentWhenRedisCannotDecide(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        List<LoggedRequest> seen = record();
        CostGuard guard = opened(unreachable().build());

        Client.Answer unavailable = client(guard, Denials.answer(), mode).send(request(CHAT));

        assertThat(unavailable.status()).isEqualTo(503);
        assertThat(unavailable.header("x-cost-guard")).isPresent();
        assertThat(text(unavailable)).contains("Redis did not decide");
        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> client(guard, Denials.throwException(), mode).send(request(CHAT)));
        assertThat(seen).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallIsSentUncountedWhenRedisCannotDecideAndTheUserSaysSo(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        CostGuard guard =
                opened(unreachable().whenRedisFails(WhenRedisFails.failOpen()).build());

        Client.Answer answer = client(guard, Denials.answer(), mode).send(request(CHAT));

        assertThat(answer.status()).isEqualTo(200);
        assertThat(answer.bytes()).isEqualTo(CHAT.response());
        assertThat(events.failedOpen.poll(10, TimeUnit.SECONDS)).isNotNull();
        assertThat(events.settled).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    @Tag(CORE)
    void aCallIsSentByWhatWasLeasedWhenRedisCannotDecideAndIsNotOnceThatIsSpent(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        FaultyLink link = opened(FaultyLink.to(redis));
        CostGuard guard = opened(builder(link.url())
                .decisionTimeout(Duration.ofSeconds(1))
                .budget(Budget.named("one").per().limit(Limit.requests(100).per(Duration.ofDays(366))))
                .whenRedisFails(WhenRedisFails.spendLeased(Share.percent(1)))
                .build());
        GuardedCall any = GuardedCall.of("any");
        while (guard.leased(any).isEmpty()) {
            try {
                guard.acquire(any);
            } catch (GuardUnavailableException e) {
                // This machine has stalled.
            }
        }
        link.refuseConnections();
        link.resetConnections();
        Client client = client(guard, Denials.answer(), mode);

        Client.Answer first = client.send(request(CHAT));
        Client.Answer second = client.send(request(CHAT));

        assertThat(first.status()).isEqualTo(200);
        assertThat(first.bytes()).isEqualTo(CHAT.response());
        assertThat(events.spentLeased).hasSize(1);
        assertThat(second.status()).isEqualTo(503);
        assertThat(events.failedOpen).isEmpty();
    }

    // --- unknown calls

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallThatNoDialectKnowsIsChargedOneRequestUnderItsHost(Mode mode) throws Exception {
        PROVIDER.stubFor(any(anyUrl()).willReturn(aResponse().withBody("fine")));
        CostGuard guard = guard(Budget.named("all")
                .limit(Limit.requests(5).perDay())
                .limit(Limit.usd("1").perDay()));

        client(guard, Denials.answer(), mode).send(get("/search?q=x")).bytes();

        GuardListener.Grant granted = events.granted();
        assertThat(granted.call().model()).isEqualTo("localhost");
        assertThat(granted.estimate()).isEqualTo(Cost.requests(1).nanoUsd(0));
        assertThat(events.settled().outcome()).isEqualTo(Outcome.ESTIMATE_KEPT);
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallThatNoDialectKnowsIsPassedThroughIfTheUserSaysSo(Mode mode) throws Exception {
        PROVIDER.stubFor(any(anyUrl()).willReturn(aResponse().withBody("fine")));
        CostGuard guard =
                opened(unreachable().unknownCalls(UnknownCalls.passThrough()).build());

        assertThat(text(client(guard, Denials.answer(), mode).send(get("/search"))))
                .isEqualTo("fine");
    }

    // --- how calls end

    @ParameterizedTest
    @CsvSource({
        "SYNC, 401, REFUNDED",
        "ASYNC, 401, REFUNDED",
        "SYNC, 404, REFUNDED",
        "ASYNC, 413, REFUNDED",
        "SYNC, 429, REFUNDED",
        "ASYNC, 429, REFUNDED",
        "SYNC, 402, INPUT_KEPT",
        "ASYNC, 409, INPUT_KEPT",
        "SYNC, 500, ESTIMATE_KEPT",
        "ASYNC, 500, ESTIMATE_KEPT",
        "SYNC, 502, ESTIMATE_KEPT",
        "ASYNC, 504, ESTIMATE_KEPT",
        "SYNC, 524, ESTIMATE_KEPT"
    })
    @Tag("fault-22")
    void anErrorIsChargedAsTheTableSays(Mode mode, int status, Outcome outcome) throws Exception {
        PROVIDER.stubFor(post(anyUrl())
                .willReturn(aResponse()
                        .withStatus(status)
                        .withHeader("content-type", "application/json")
                        .withHeader("retry-after", "1e9")
                        .withBody("{\"error\":{\"message\":\"no\",\"type\":\"t\"}}")));

        Client.Answer answer = client(guard(roomy()), Denials.answer(), mode).send(request(CHAT));

        assertThat(answer.status()).isEqualTo(status);
        assertThat(text(answer)).contains("\"no\"");
        assertThat(events.settled().outcome()).isEqualTo(outcome);
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    @Tag("fault-21")
    void aCallThatNeverConnectedIsGivenBackWithItsRequest(Mode mode) throws Exception {
        CostGuard guard = guard(roomy());
        Client client = client(guard, Denials.answer(), mode);

        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> client.send(to(URI.create("http://" + NOWHERE + "/v1/chat/completions"))));

        assertThat(events.settled().outcome()).isEqualTo(Outcome.RELEASED);
        assertThat(used(guard)).isZero();
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    @Tag("fault-21")
    void aHostWithoutATrustedCertificateIsNeverSentTo(Mode mode) throws Exception {
        WireMockServer tls = new WireMockServer(
                options().httpDisabled(true).dynamicHttpsPort().bindAddress("127.0.0.1"));
        tls.start();
        try {
            Client client = client(guard(roomy()), Denials.answer(), mode);

            assertThatExceptionOfType(IOException.class)
                    .isThrownBy(() -> client.send(to(URI.create(tls.baseUrl() + "/v1/chat/completions"))));

            assertThat(events.settled().outcome()).isEqualTo(Outcome.RELEASED);
        } finally {
            tls.stop();
        }
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallThatCouldNotConnectInTimeIsGivenBack(Mode mode) throws Exception {
        CostGuard guard = guard(roomy());
        FullHost host = opened(new FullHost());
        connectTimeout = Duration.ofMillis(300);

        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> client(guard, Denials.answer(), mode).send(to(host.uri())));

        assertThat(events.settled().outcome()).isEqualTo(Outcome.RELEASED);
        assertThat(used(guard)).isZero();
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    @Tag("fault-20")
    void aCallThatIsCancelledWhileItConnectsIsGivenBack(Mode mode) throws Exception {
        CostGuard guard = guard(roomy());
        FullHost host = opened(new FullHost());

        client(guard, Denials.answer(), mode).sendAndCancel(to(host.uri()), () -> events.granted());

        assertThat(events.settled().outcome()).isEqualTo(Outcome.RELEASED);
        assertThat(used(guard)).isZero();
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    @Tag("fault-20")
    void aCallThatIsCancelledWhileRedisDecidesIsGivenBackAndNeverSent(Mode mode) throws Exception {
        List<LoggedRequest> seen = record();
        FaultyLink link = opened(FaultyLink.to(redis));
        CostGuard guard = opened(builder(link.url())
                .decisionTimeout(Duration.ofSeconds(3))
                .budget(roomy())
                .build());
        guard.status(GuardedCall.of(CHAT.model()).with("apiKey", "sk-canary")); // connects
        link.replies().dropNext("EVALSHA"); // which is asked for again, with the same answer

        client(guard, Denials.answer(), mode)
                .sendAndCancel(request(CHAT), () -> link.replies().awaitWithheld(1));

        assertThat(events.settled().outcome()).isEqualTo(Outcome.RELEASED);
        assertThat(used(guard)).isZero();
        assertThat(seen).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallThatIsCancelledWhileItStandsInLineLeavesAtOnceAndIsNeverSent(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        List<LoggedRequest> seen = record();
        BlockingQueue<GuardListener.Waiting> waits = new LinkedBlockingQueue<>();
        CostGuard guard = opened(builder(redis.url())
                .budget(Budget.named("line").per().limit(Limit.requests(1).perMinute()))
                .whenExhausted(WhenExhausted.waitUpTo(Duration.ofHours(1)))
                .listener(new GuardListener() {
                    @Override
                    public void onWaiting(Waiting event) {
                        waits.add(event);
                    }
                })
                .build());
        readTimeout = Duration.ofMinutes(5);
        Client client = client(guard, Denials.answer(), mode);
        client.send(request(CHAT)).bytes();

        client.sendAndCancel(
                request(CHAT),
                () -> assertThat(waits.poll(10, TimeUnit.SECONDS)).isNotNull());

        long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        while (waiting(guard) > 0) {
            assertThat(System.nanoTime() - deadline).as("nanoseconds too late").isNegative();
            Thread.onSpinWait();
        }
        assertThat(used(guard)).isEqualTo(1);
        assertThat(seen).hasSize(1);
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallThatIsNotAnsweredInTimeKeepsItsEstimate(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT).withFixedDelay(30_000)));
        readTimeout = Duration.ofMillis(500);
        Client client = client(guard(roomy()), Denials.answer(), mode);

        assertThatExceptionOfType(IOException.class).isThrownBy(() -> client.send(request(CHAT)));

        assertThat(events.settled().outcome()).isEqualTo(Outcome.ESTIMATE_KEPT);
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    @Tag("fault-21")
    void aCallThatWasSentAndNotAnsweredKeepsItsEstimate(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(aResponse().withFault(Fault.CONNECTION_RESET_BY_PEER)));
        Client client = client(guard(roomy()), Denials.answer(), mode);

        assertThatExceptionOfType(IOException.class).isThrownBy(() -> client.send(request(CHAT)));

        GuardListener.Settlement settled = events.settled();
        assertThat(settled.outcome()).isEqualTo(Outcome.ESTIMATE_KEPT);
        assertThat(settled.actual()).isEqualTo(settled.estimate());
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    @Tag("fault-25")
    void aStreamThatIsClosedHalfWayKeepsItsInputAndWhatPassed(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(STREAM)));
        Client client = client(guard(roomy()), Denials.answer(), mode);

        try (Client.Answer answer = client.send(request(STREAM))) {
            assertThat(answer.body().readNBytes(300)).hasSize(300);
        }

        GuardListener.Settlement settled = events.settled();
        assertThat(settled.actual().input())
                .isGreaterThanOrEqualTo(settled.estimate().input());
        assertThat(settled.actual().output()).isLessThan(settled.estimate().output());
        assertThat(events.settled).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    @Tag("fault-25")
    void aStreamThatTheServerCutsKeepsItsInputAndWhatPassed(Mode mode) throws Exception {
        assumeThat(can(Ability.TELL_MALFORMED_CHUNKS, mode)).isTrue();
        PROVIDER.stubFor(post(anyUrl()).willReturn(aResponse().withFault(Fault.MALFORMED_RESPONSE_CHUNK)));
        Client client = client(guard(roomy()), Denials.answer(), mode);

        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> client.send(request(STREAM)).bytes());

        GuardListener.Settlement settled = events.settled();
        assertThat(settled.actual().input())
                .isGreaterThanOrEqualTo(settled.estimate().input());
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aBodyThatIsOpenForLongerThanTheLeaseHoldsItsSlotUntilItIsClosed(Mode mode) throws Exception {
        List<byte[]> pieces = Recordings.pieces(STREAM.response(), 17).subList(0, 20);
        URI provider = opened(PiecemealProvider.silentAfter(STREAM, pieces)).uri();
        CostGuard guard = opened(inFlight().build());
        Client client = client(guard, Denials.answer(), mode);
        GuardedCall marker = GuardedCall.of("marker");

        try (Client.Answer answer =
                client.send(new Client.Sent("POST", provider, headers(), STREAM.request(), Client.Body.BYTES))) {
            assertThat(answer.body().read()).isNotNegative();
            // What a guard holds when it is closed lapses with its lease, which began after that of the body.
            try (CostGuard closed = inFlight().build()) {
                assertThat(closed.tryAcquire(marker)).isPresent();
            }
            awaitSlots(guard, marker, 1);
            awaitSlots(guard, GuardedCall.of(STREAM.model()).with("apiKey", "sk-canary"), 0);
        }

        awaitSlots(guard, GuardedCall.of(STREAM.model()).with("apiKey", "sk-canary"), 1);
    }

    private CostGuard.Builder inFlight() {
        return builder(redis.url())
                .lease(Duration.ofSeconds(1))
                .budget(Budget.named("in flight").limit(Limit.concurrentCalls(1)));
    }

    private static void awaitSlots(CostGuard guard, GuardedCall call, long free) throws GuardUnavailableException {
        while (guard.status(call).get(0).balance() != free) {
            assertThat(Thread.currentThread().isInterrupted()).as("timed out").isFalse();
        }
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    @Tag("fault-25")
    void aResponseThatIsForgottenIsSettledAndReportedOnceItIsGone(Mode mode) throws Exception {
        assumeThat(can(Ability.FORGET_RESPONSES, mode)).isTrue();
        List<byte[]> pieces = Recordings.pieces(STREAM.response(), 17).subList(0, 20);
        URI provider = opened(PiecemealProvider.silentAfter(STREAM, pieces)).uri();
        Client client = client(guard(roomy()), Denials.answer(), mode);
        PrintStream err = System.err;
        ByteArrayOutputStream log = new ByteArrayOutputStream();
        System.setErr(new PrintStream(log, true, StandardCharsets.UTF_8));
        GuardListener.Settlement settled;
        try {
            readALittleAndForget(client, provider);
            settled = settledAfterGarbageCollection();
        } finally {
            System.setErr(err);
        }

        assertThat(log.toString(StandardCharsets.UTF_8))
                .contains("was never closed", mode == Mode.SYNC ? "readALittleAndForget" : "the call was made here");
        assertThat(settled.actual().input())
                .isGreaterThanOrEqualTo(settled.estimate().input());
    }

    private GuardListener.Settlement settledAfterGarbageCollection() throws InterruptedException {
        long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        while (System.nanoTime() - deadline < 0) {
            System.gc();
            GuardListener.Settlement settled = events.settled.poll(100, TimeUnit.MILLISECONDS);
            if (settled != null) {
                return settled;
            }
        }
        throw new AssertionError("never settled");
    }

    private static void readALittleAndForget(Client client, URI provider) throws Exception {
        Client.Answer answer =
                client.send(new Client.Sent("POST", provider, headers(), STREAM.request(), Client.Body.BYTES));
        assertThat(answer.body().read()).isNotNegative();
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    @Tag("fault-37")
    void aCallThatIsCancelledOnItsWayIsSettledOnce(Mode mode) throws Exception {
        BlockingQueue<String> arrived = new LinkedBlockingQueue<>();
        PROVIDER.addMockServiceRequestListener((request, response) -> arrived.add(request.getUrl()));
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(STREAM).withFixedDelay(2_000)));
        Client client = client(guard(roomy()), Denials.answer(), mode);

        client.sendAndCancel(
                request(STREAM),
                () -> assertThat(arrived.poll(10, TimeUnit.SECONDS)).isNotNull());

        assertThat(events.settled().outcome()).isEqualTo(Outcome.ESTIMATE_KEPT);
        assertThat(events.settled).isEmpty();
    }

    // --- redirects, bodies

    @ParameterizedTest
    @EnumSource(Mode.class)
    @Tag("fault-23")
    void aChainOfRedirectsIsOneCall(Mode mode) throws Exception {
        assumeThat(can(Ability.FOLLOW_REDIRECTS, mode)).isTrue();
        for (int i = 0; i < 3; i++) {
            String here = i == 0 ? "/v1/chat/completions" : "/hop" + i;
            String next = i == 2 ? "/there" : "/hop" + (i + 1);
            PROVIDER.stubFor(post(urlPathEqualTo(here))
                    .willReturn(aResponse().withStatus(307).withHeader("location", PROVIDER.baseUrl() + next)));
        }
        PROVIDER.stubFor(post(urlPathEqualTo("/there")).willReturn(replay(CHAT)));

        Client.Answer answer = client(guard(roomy()), Denials.answer(), mode).send(request(CHAT));

        assertThat(answer.bytes()).isEqualTo(CHAT.response());
        assertThat(events.settled().actual().output())
                .isEqualTo(CHAT.reportedOutput().getAsLong());
        assertThat(events.granted).hasSize(1);
    }

    @ParameterizedTest
    @CsvSource({
        "SYNC, BYTES, not json",
        "ASYNC, BYTES, {\"model\":",
        "SYNC, ONE_SHOT, '\ufeff{}'",
        "ASYNC, ONE_SHOT, [[[[",
        "SYNC, BYTES, ''",
        "ASYNC, BYTES, ''"
    })
    @Tag("fault-30")
    void aBodyThatCannotBeReadPassesThroughAndKeepsAnEstimate(Mode mode, Client.Body form, String body)
            throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(aResponse().withStatus(200).withBody("whatever")));
        List<LoggedRequest> seen = record();
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);

        Client.Sent request = new Client.Sent("POST", chat(), headers(), bytes, form);
        Client.Answer answer = client(guard(roomy()), Denials.answer(), mode).send(request);

        assertThat(text(answer)).isEqualTo("whatever");
        assertThat(seen)
                .singleElement()
                .satisfies(sent -> assertThat(sent.getBody()).isEqualTo(bytes));
        GuardListener.Settlement settled = events.settled();
        assertThat(settled.outcome()).isEqualTo(Outcome.ESTIMATE_KEPT);
        assertThat(settled.actual().output()).isEqualTo(1_000);
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aBodyBeyondTheBoundIsSentWholeAndEstimatedByItsLength(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        List<LoggedRequest> seen = record();
        byte[] body = new byte[HttpCall.MOST_READ + 100_000];
        Arrays.fill(body, (byte) 'x');

        client(guard(roomy()), Denials.answer(), mode).send(request(CHAT, body)).bytes();

        assertThat(seen)
                .singleElement()
                .satisfies(
                        sent -> assertThat(Arrays.equals(sent.getBody(), body)).isTrue());
        assertThat(events.granted().estimate().input()).isGreaterThanOrEqualTo(HttpCall.MOST_READ / 2);
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aListenerThatThrowsBreaksNothing(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        CostGuard guard = opened(builder(redis.url())
                .budget(roomy())
                .listener(new GuardListener() {
                    @Override
                    public void onGranted(Grant event) {
                        throw new IllegalStateException("of the user's");
                    }

                    @Override
                    public void onSettled(Settlement event) {
                        throw new IllegalStateException("of the user's");
                    }
                })
                .build());

        assertThat(client(guard, Denials.answer(), mode).send(request(CHAT)).bytes())
                .isEqualTo(CHAT.response());
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    @Tag("threat-1")
    void theApiKeyIsCountedApartAndNeverKept(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        CostGuard guard = guard(Budget.named("keyed").limit(Limit.requests(1).perDay()));
        Client client = client(guard, Denials.answer(), mode);

        for (String key : List.of("sk-canary", "sk-other")) {
            Client.Sent request = request(CHAT);
            request.headers().put("authorization", "Bearer " + key);
            assertThat(client.send(request).status()).isEqualTo(200);
            assertThat(events.granted().call().attributes().get("apiKey"))
                    .hasSize(32)
                    .doesNotContain(key);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "SYNC, authorization, 'Basic ', ''",
        "ASYNC, x-api-key, '', ''",
        "SYNC, api-key, '', ''",
        "ASYNC, x-goog-api-key, '', ''",
        "SYNC, x-other, '', '?key='"
    })
    void aKeyCountsApartWhereverItStands(Mode mode, String header, String scheme, String query) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        CostGuard guard = guard(
                Budget.named("keyed").per("apiKey").limit(Limit.requests(1).perDay()));
        Client client = client(guard, Denials.answer(), mode);

        for (String key : List.of("canary-1", "canary-2")) {
            for (int status : new int[] {200, 402}) {
                Client.Sent request = to(URI.create(chat() + (query.isEmpty() ? "" : query + key)));
                request.headers().remove("authorization");
                request.headers().put(header, scheme + key);
                assertThat(client.send(request).status()).isEqualTo(status);
            }
        }
    }

    static Stream<Arguments> secretPlaces() {
        String basic = Base64.getEncoder().encodeToString("user:canary-basic".getBytes(StandardCharsets.UTF_8));
        return Stream.of(
                        Arguments.of("authorization", "Bearer canary-bearer", "", "canary-bearer"),
                        Arguments.of("authorization", "Basic " + basic, "", basic),
                        Arguments.of("x-api-key", "canary-x", "", "canary-x"),
                        Arguments.of("api-key", "canary-azure", "", "canary-azure"),
                        Arguments.of("x-goog-api-key", "canary-goog", "", "canary-goog"),
                        Arguments.of("x-other", "", "?key=canary-query", "canary-query"),
                        Arguments.of("x-other", "", "canary-user:canary-password@", "canary-password"))
                .flatMap(place -> Arrays.stream(Mode.values())
                        .map(mode ->
                                Arguments.of(mode, place.get()[0], place.get()[1], place.get()[2], place.get()[3])));
    }

    @ParameterizedTest(name = "{0} {1} {3}")
    @MethodSource("secretPlaces")
    @Tag("threat-1")
    @Tag("threat-2")
    void neitherKeysNorPromptsNorAnswersAreToldToAnyoneElse(
            Mode mode, String header, String value, String inUri, String secret) throws Exception {
        PROVIDER.stubFor(post(anyUrl())
                .willReturn(aResponse()
                        .withHeader("content-type", "application/json")
                        .withBody("{\"choices\":[{\"message\":{\"content\":\"canary-answer\"}}],\"error\":{\"type\":"
                                + "\"canary-error\"}}")));
        List<LoggedRequest> seen = record();
        String host = (inUri.endsWith("@") ? inUri : "") + "127.0.0.1:" + PROVIDER.port();
        String query = inUri.startsWith("?") ? inUri : "";
        byte[] body = ("{\"model\":\"gpt-4o\",\"user\":\"canary-body\",\"messages\":[{\"role\":\"user\",\"content\":"
                        + "\"canary-prompt\"}]}")
                .getBytes(StandardCharsets.UTF_8);
        List<Client.Sent> requests = new ArrayList<>();
        for (String path : List.of("/v1/chat/completions", "/elsewhere", "/v1/chat/completions")) {
            Client.Sent request = new Client.Sent(
                    "POST", URI.create("http://" + host + path + query), headers(), body, Client.Body.BYTES);
            request.headers().remove("authorization");
            request.headers().put(header, value);
            request.headers().put("x-tenant", "a-tenant-in-clear");
            requests.add(request);
        }

        try (Leaks leaks = Leaks.watch(redis)) {
            Budget one =
                    Budget.named("one").per("apiKey").limit(Limit.requests(2).perDay());
            Budget tenants = Budget.named("tenants")
                    .where("tenant", "*")
                    .per("tenant")
                    .limit(Limit.requests(100).perDay());
            CostGuard.Builder working =
                    headers(builder(redis.url())).budget(one).budget(tenants).listener(leaks);
            Client answering = client(opened(working.build()), Denials.answer(), mode);
            Client throwing = client(opened(working.build()), Denials.throwException(), mode);
            Client failing = client(opened(unreachable().listener(leaks).build()), Denials.throwException(), mode);
            Client open = client(
                    opened(unreachable()
                            .listener(leaks)
                            .whenRedisFails(WhenRedisFails.failOpen())
                            .build()),
                    Denials.throwException(),
                    mode);
            Client priceless = client(
                    guard(Budget.named("money")
                            .providers("openai")
                            .per("tenant")
                            .limit(Limit.usd("5").perDay())),
                    Denials.throwException(),
                    mode);
            for (Client.Sent request : requests) {
                answering.send(request).bytes();
                open.send(request).bytes();
                for (Client strict : List.of(throwing, failing, priceless)) {
                    try {
                        strict.send(request).bytes();
                    } catch (IOException e) {
                        leaks.failed(e);
                    }
                }
            }
            events.settled();

            assertThat(seen)
                    .anySatisfy(sent -> assertThat(sent.getBodyAsString()).contains("canary-body", "canary-prompt"));
            if (!value.isEmpty()) {
                assertThat(seen)
                        .anySatisfy(sent -> assertThat(sent.getHeader(header)).contains(secret));
            }
            leaks.assertNothingToldOf(List.of(secret, "canary"), prefix);
            leaks.assertRedisKnowsNothingOf("a-tenant-in-clear", prefix);
        }
    }

    // --- the words

    protected static Budget roomy() {
        return Budget.named("roomy")
                .per()
                .limit(Limit.requests(1_000).perDay())
                .limit(Limit.tokens(100_000_000).perDay());
    }

    /** What the first limit of all calls lacks. */
    protected static long used(CostGuard guard) throws GuardUnavailableException {
        LimitStatus requests = guard.status(GuardedCall.of(CHAT.model()).with("apiKey", "sk-canary"))
                .get(0);
        return requests.capacity() - requests.balance();
    }

    /** How many calls wait for that limit. */
    protected static long waiting(CostGuard guard) throws GuardUnavailableException {
        return guard.status(GuardedCall.of(CHAT.model()).with("apiKey", "sk-canary"))
                .get(0)
                .waiting();
    }

    protected CostGuard guard(Budget... budgets) {
        CostGuard.Builder builder = builder(redis.url());
        for (Budget budget : budgets) {
            builder.budget(budget);
        }
        return opened(builder.build());
    }

    /** A guard that asks for usage in streams, of a provider that takes the question. */
    protected CostGuard asking() {
        return opened(builder(redis.url())
                .budget(roomy())
                .provider(authority(), "openai")
                .streamUsage()
                .build());
    }

    private static String authority() {
        return URI.create(PROVIDER.baseUrl()).getAuthority();
    }

    private CostGuard.Builder builder(String url) {
        // A machine that stalls fails no test.
        return CostGuard.builder()
                .redis(url)
                .keyPrefix(prefix)
                .listener(events)
                .decisionTimeout(Duration.ofSeconds(10));
    }

    /** A guard whose Redis refuses connections. */
    private CostGuard.Builder unreachable() {
        return builder("redis://" + NOWHERE)
                .decisionTimeout(Duration.ofMillis(20))
                .budget(roomy());
    }

    protected <T extends AutoCloseable> T opened(T opened) {
        open.add(0, opened);
        return opened;
    }

    protected static List<LoggedRequest> record() {
        List<LoggedRequest> seen = new ArrayList<>();
        PROVIDER.addMockServiceRequestListener((request, response) -> seen.add(LoggedRequest.createFrom(request)));
        return seen;
    }

    protected static ResponseDefinitionBuilder replay(Exchange exchange) {
        return aResponse()
                .withStatus(exchange.status())
                .withHeader("content-type", exchange.contentType())
                .withBody(exchange.response());
    }

    private static URI chat() {
        return URI.create(PROVIDER.baseUrl() + "/v1/chat/completions");
    }

    static Map<String, String> headers() {
        Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        headers.put("content-type", "application/json");
        headers.put("authorization", "Bearer sk-canary");
        return headers;
    }

    private static Client.Sent request(Exchange exchange) {
        return request(exchange, exchange.request());
    }

    private static Client.Sent request(Exchange exchange, byte[] body) {
        URI uri = URI.create(PROVIDER.baseUrl() + exchange.url().getPath());
        return new Client.Sent("POST", uri, headers(), body, Client.Body.BYTES);
    }

    private static Client.Sent request(Exchange exchange, Client.Body form) {
        Client.Sent request = request(exchange);
        return new Client.Sent("POST", request.uri(), request.headers(), request.body(), form);
    }

    private static Client.Sent stream(Client.Body form) {
        return new Client.Sent("POST", chat(), headers(), UNASKED.getBytes(StandardCharsets.UTF_8), form);
    }

    private static Client.Sent to(URI uri) {
        return new Client.Sent("POST", uri, headers(), CHAT.request(), Client.Body.BYTES);
    }

    private static Client.Sent get(String path) {
        return new Client.Sent("GET", URI.create(PROVIDER.baseUrl() + path), headers(), new byte[0], Client.Body.BYTES);
    }

    private static String text(Client.Answer response) throws IOException {
        return new String(response.bytes(), StandardCharsets.UTF_8);
    }

    private static byte[] gzip(byte[] body) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(body);
        }
        return out.toByteArray();
    }

    /** What the guard told. */
    protected static final class Events implements GuardListener {
        private final BlockingQueue<Grant> granted = new LinkedBlockingQueue<>();
        private final BlockingQueue<Denied> denied = new LinkedBlockingQueue<>();
        private final BlockingQueue<Settlement> settled = new LinkedBlockingQueue<>();
        private final BlockingQueue<Correction> corrected = new LinkedBlockingQueue<>();
        private final BlockingQueue<FailedOpen> failedOpen = new LinkedBlockingQueue<>();
        private final BlockingQueue<SpentLeased> spentLeased = new LinkedBlockingQueue<>();

        @Override
        public void onGranted(Grant event) {
            granted.add(event);
        }

        @Override
        public void onDenied(Denied event) {
            denied.add(event);
        }

        @Override
        public void onSettled(Settlement event) {
            settled.add(event);
        }

        @Override
        public void onCorrected(Correction event) {
            corrected.add(event);
        }

        @Override
        public void onFailedOpen(FailedOpen event) {
            failedOpen.add(event);
        }

        @Override
        public void onSpentLeased(SpentLeased event) {
            spentLeased.add(event);
        }

        public Grant granted() throws InterruptedException {
            return next(granted);
        }

        public Denied denied() throws InterruptedException {
            return next(denied);
        }

        public Settlement settled() throws InterruptedException {
            return next(settled);
        }

        public Correction corrected() throws InterruptedException {
            return next(corrected);
        }

        private static <T> T next(BlockingQueue<T> queue) throws InterruptedException {
            T event = queue.poll(10, TimeUnit.SECONDS);
            if (event == null) {
                throw new AssertionError("nothing was told");
            }
            return event;
        }
    }
}
