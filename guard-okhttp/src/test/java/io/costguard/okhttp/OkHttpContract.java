package io.costguard.okhttp;

import static com.github.tomakehurst.wiremock.client.WireMock.aResponse;
import static com.github.tomakehurst.wiremock.client.WireMock.anyUrl;
import static com.github.tomakehurst.wiremock.client.WireMock.get;
import static com.github.tomakehurst.wiremock.client.WireMock.post;
import static com.github.tomakehurst.wiremock.core.WireMockConfiguration.options;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.github.tomakehurst.wiremock.WireMockServer;
import com.github.tomakehurst.wiremock.client.ResponseDefinitionBuilder;
import com.github.tomakehurst.wiremock.verification.LoggedRequest;
import io.costguard.Attributes;
import io.costguard.Budget;
import io.costguard.CallAttributes;
import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.GuardListener;
import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.Outcome;
import io.costguard.WhenExhausted;
import io.costguard.http.tck.AdapterContract;
import io.costguard.http.tck.Client;
import io.costguard.http.tck.PiecemealProvider;
import io.costguard.testing.FaultyLink;
import io.costguard.testing.Recordings;
import io.costguard.testing.RedisForTests;
import java.io.File;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import okhttp3.Cache;
import okhttp3.Call;
import okhttp3.Callback;
import okhttp3.MediaType;
import okhttp3.OkHttpClient;
import okhttp3.Protocol;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import okhttp3.ResponseBody;
import okio.Buffer;
import okio.BufferedSink;
import okio.BufferedSource;
import okio.Okio;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the guard must do with calls of OkHttp, however it comes to them. */
abstract class OkHttpContract extends AdapterContract {

    protected static final RedisForTests REDIS = RedisForTests.shared();

    /** Calls of {@code client} that are guarded. */
    protected abstract Call.Factory guarded(OkHttpClient client, CostGuard guard, Denials denials);

    @Test
    @Tag("fault-23")
    void aCallThatIsSentAgainOnANewConnectionIsOneCall() throws Exception {
        CostGuard guard = guard(roomy());
        ClosingProvider provider = opened(new ClosingProvider(CHAT));
        Call.Factory client = guarded(guard);

        for (int i = 0; i < 2; i++) {
            assertThat(send(client, provider.uri())).isEqualTo(200);
            assertThat(events.settled().outcome()).isEqualTo(Outcome.REPORTED);
        }

        assertThat(provider.requests()).isEqualTo(3);
        assertThat(used(guard)).isEqualTo(2);
    }

    @ParameterizedTest
    @CsvSource({"408,", "503, 0", "421,"})
    @Tag("fault-23")
    void anAnswerThatOkHttpRepeatsTheCallForIsOneCall(int status, @Nullable String retryAfter) throws Exception {
        ResponseDefinitionBuilder first = aResponse().withStatus(status);
        if (retryAfter != null) {
            first.withHeader("retry-after", retryAfter);
        }
        PROVIDER.stubFor(post(anyUrl()).inScenario("again").willReturn(first).willSetStateTo("second"));
        PROVIDER.stubFor(
                post(anyUrl()).inScenario("again").whenScenarioStateIs("second").willReturn(replay(CHAT)));
        CostGuard guard = guard(roomy());

        int answered = send(guarded(guard), uri());

        GuardListener.Settlement settled = events.settled();
        assertThat(used(guard)).isEqualTo(1);
        if (answered == 200) {
            assertThat(settled.outcome()).isEqualTo(Outcome.REPORTED);
        } else {
            // A 421 is repeated on connections that are shared by hosts only.
            assertThat(answered).isEqualTo(421);
        }
    }

    @Test
    void aStreamThatOkHttpRepeatsTheCallForAsksForUsageAgain() throws Exception {
        PROVIDER.stubFor(post(anyUrl())
                .inScenario("again")
                .willReturn(aResponse().withStatus(503).withHeader("retry-after", "0"))
                .willSetStateTo("second"));
        PROVIDER.stubFor(
                post(anyUrl()).inScenario("again").whenScenarioStateIs("second").willReturn(replay(STREAM)));
        List<LoggedRequest> seen = record();

        assertThat(send(guarded(asking()), uri(), UNASKED.getBytes(StandardCharsets.UTF_8)))
                .isEqualTo(200);

        assertThat(seen).extracting(LoggedRequest::getBodyAsString).containsExactly(ASKED, ASKED);
        assertThat(events.settled().outcome()).isEqualTo(Outcome.REPORTED);
    }

    @Test
    void noAttributeIsSentWhenOkHttpRepeatsTheCall() throws Exception {
        PROVIDER.stubFor(post(anyUrl())
                .inScenario("again")
                .willReturn(aResponse().withStatus(503).withHeader("retry-after", "0"))
                .willSetStateTo("second"));
        PROVIDER.stubFor(
                post(anyUrl()).inScenario("again").whenScenarioStateIs("second").willReturn(replay(CHAT)));
        List<LoggedRequest> seen = record();
        Request request = chat().newBuilder().header("X-Tenant", "acme").build();

        send(guarded(byHeader()), request);

        assertThat(seen).hasSize(2).noneMatch(sent -> sent.containsHeader("x-tenant"));
    }

    @Test
    void theNearestToACallIsWhatCounts() throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        Request request = chat().newBuilder()
                .header("X-Tenant", "of the header")
                .header("X-Team", "of the header")
                .tag(CallAttributes.class, CallAttributes.of("team", "of the tag"))
                .build();
        Call.Factory calls = guarded(byHeader());

        CostGuard.with(Map.of("run", "of the thread", "tenant", "of the thread", "team", "of the thread"))
                .call(() -> send(calls, request));

        assertThat(events.granted().call().attributes())
                .containsEntry("run", "of the thread")
                .containsEntry("tenant", "of the header")
                .containsEntry("team", "of the tag");
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aTagIsAnAnswerToASpentBudgetToo(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        CostGuard patient = opened(CostGuard.builder()
                .redis(REDIS.url())
                .keyPrefix(REDIS.keyPrefix())
                .decisionTimeout(Duration.ofSeconds(10))
                .budget(Budget.named("line").per().limit(Limit.requests(1).perMinute()))
                .whenExhausted(WhenExhausted.waitUpTo(Duration.ofMinutes(5)))
                .build());
        Call.Factory calls = guarded(patient);
        send(calls, uri());
        Request hasty = chat().newBuilder()
                .tag(CallAttributes.class, CallAttributes.none().whenExhausted(WhenExhausted.reject()))
                .build();

        Outcomes outcomes = opened(Outcomes.of(calls.newCall(hasty), mode));

        try (Response denied = outcomes.response()) {
            assertThat(denied.code()).isEqualTo(429);
            assertThat(denied.header("x-should-retry")).isNull(); // it did not wait
        }
    }

    protected final CostGuard byHeader() {
        return opened(CostGuard.builder()
                .redis(REDIS.url())
                .keyPrefix(REDIS.keyPrefix())
                .decisionTimeout(Duration.ofSeconds(10))
                .listener(events)
                .attributes(Attributes.header("X-Tenant").as("tenant"))
                .attributes(Attributes.header("X-Team").as("team"))
                .budget(roomy())
                .build());
    }

    @Test
    void aFailureAfterARepeatedCallKeepsTheEstimate() throws Exception {
        PROVIDER.stubFor(post(anyUrl())
                .willReturn(aResponse().withStatus(308).withHeader("location", "http://" + NOWHERE + "/")));

        assertThatExceptionOfType(ConnectException.class).isThrownBy(() -> send(guarded(guard(roomy())), uri()));

        assertThat(events.settled().outcome()).isEqualTo(Outcome.ESTIMATE_KEPT);
    }

    @Test
    @Tag("fault-23")
    @Tag("threat-9")
    void theApiKeyStaysBehindWhenACallIsRedirectedToAnotherHost() throws Exception {
        PROVIDER.stubFor(post("/v1/chat/completions")
                .willReturn(aResponse()
                        .withStatus(307)
                        .withHeader("location", uri().replace("localhost", "127.0.0.1") + "/there")));
        PROVIDER.stubFor(post("/v1/chat/completions/there").willReturn(replay(CHAT)));
        List<LoggedRequest> seen = record();

        assertThat(send(guarded(guard(roomy())), uri())).isEqualTo(200);

        assertThat(seen).hasSize(2);
        assertThat(seen.get(0).getHeader("authorization")).isEqualTo("Bearer sk-canary");
        assertThat(seen.get(1).containsHeader("authorization")).isFalse();
    }

    @Test
    @Tag("threat-9")
    void aClientWithAnInterceptorOfTheSameGuardReservesOnce() throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        CostGuard guard = guard(roomy());
        OkHttpClient guardedAlready = new OkHttpClient.Builder()
                .addInterceptor(new CostGuardInterceptor(guard))
                .build();

        assertThat(send(guarded(guardedAlready, guard, Denials.answer()), uri()))
                .isEqualTo(200);

        assertThat(events.settled().outcome()).isEqualTo(Outcome.REPORTED);
        assertThat(used(guard)).isEqualTo(1);
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    @Tag("fault-36")
    void aCallWhoseTimeEndsWhileItWaitsInLineSaysThatItWaited(Mode mode) throws Exception {
        FaultyLink link = opened(FaultyLink.to(REDIS));
        Waits waits = new Waits(() -> link.replies().hold("EVALSHA"));
        CostGuard guard = opened(over(link)
                .budget(Budget.named("line").per().limit(Limit.requests(1).per(Duration.ofSeconds(1))))
                .whenExhausted(WhenExhausted.waitUpTo(Duration.ofMinutes(1)))
                .listener(waits)
                .build());
        OkHttpClient hasty =
                new OkHttpClient.Builder().callTimeout(Duration.ofSeconds(2)).build();
        Call.Factory calls = guarded(hasty, guard, Denials.answer());
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        send(calls, uri());

        Call call = calls.newCall(chat());
        Outcomes outcomes = opened(Outcomes.of(call, mode));

        assertThat(outcomes.failure())
                .isInstanceOf(InterruptedIOException.class)
                .hasMessageStartingWith("timeout")
                .hasStackTraceContaining("the call waited ");
        assertThat(call.isCanceled()).isTrue();
        assertThat(waits.next()).isNotNull();
        link.replies().pass(); // else its guard would be closed only when Redis has had its time
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallWhoseTimeEndsWhileRedisStallsSaysThatItWaitedAndIsGivenBack(Mode mode) throws Exception {
        FaultyLink link = opened(FaultyLink.to(REDIS));
        CostGuard guard = connected(link, Duration.ofMinutes(1));
        link.replies().hold("EVALSHA");
        OkHttpClient hasty =
                new OkHttpClient.Builder().callTimeout(Duration.ofMillis(300)).build();
        Call call = guarded(hasty, guard, Denials.answer()).newCall(chat());

        Outcomes outcomes = opened(Outcomes.of(call, mode));

        assertThat(outcomes.failure())
                .isInstanceOf(InterruptedIOException.class)
                .hasMessageStartingWith("timeout")
                .hasStackTraceContaining("ms for its budgets, and may take 300 ms in all");
        assertThat(call.isCanceled()).isTrue();
        link.replies().pass();
        assertThat(events.settled().outcome()).isEqualTo(Outcome.RELEASED);
        assertThat(used(guard)).isZero();
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallDoesNotStandInLineForLongerThanItsTime(Mode mode) throws Exception {
        CostGuard guard = opened(CostGuard.builder()
                .redis(REDIS.url())
                .keyPrefix(REDIS.keyPrefix())
                .budget(Budget.named("line").per().limit(Limit.requests(1).perMinute()))
                .whenExhausted(WhenExhausted.waitUpTo(Duration.ofMinutes(5)))
                .build());
        OkHttpClient hasty =
                new OkHttpClient.Builder().callTimeout(Duration.ofSeconds(20)).build();
        Call.Factory calls = guarded(hasty, guard, Denials.answer());
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        send(calls, uri());

        Outcomes outcomes = opened(Outcomes.of(calls.newCall(chat()), mode));

        try (Response denied = outcomes.response()) {
            assertThat(denied.code()).isEqualTo(429);
        }
    }

    @Test
    void anAnswerFromTheCacheCostsNothing(@TempDir File folder) throws Exception {
        PROVIDER.stubFor(get(anyUrl())
                .willReturn(
                        aResponse().withHeader("cache-control", "max-age=60").withBody("cached")));
        CostGuard guard = guard(roomy());
        try (Cache cache = new Cache(folder, 1_000_000)) {
            Call.Factory client =
                    guarded(new OkHttpClient.Builder().cache(cache).build(), guard, Denials.answer());
            for (int i = 0; i < 3; i++) {
                Request request = new Request.Builder().url(uri()).build();
                try (Response response = client.newCall(request).execute()) {
                    assertThat(body(response).string()).isEqualTo("cached");
                }
            }
        }

        assertThat(events.settled().outcome()).isEqualTo(Outcome.ESTIMATE_KEPT);
        assertThat(events.settled().outcome()).isEqualTo(Outcome.RELEASED);
        assertThat(used(guard)).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    @Tag("fault-30")
    void aBodyThatCannotBeReadBeforehandIsWrittenOnceByOkHttpAndEstimated(boolean duplex) throws Exception {
        WireMockServer http2 = new WireMockServer(options().dynamicPort().bindAddress("127.0.0.1"));
        http2.start();
        try {
            http2.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
            OneShot body = new OneShot(MediaType.get("application/json"), CHAT.request(), -1, duplex);
            OkHttpClient http2Only = new OkHttpClient.Builder()
                    .protocols(List.of(Protocol.H2_PRIOR_KNOWLEDGE))
                    .build();
            Call.Factory client = guarded(http2Only, guard(roomy()), Denials.answer());
            Request request = new Request.Builder()
                    .url(http2.baseUrl() + "/v1/chat/completions")
                    .post(body)
                    .build();
            try (Response response = client.newCall(request).execute()) {
                assertThat(response.code()).isEqualTo(200);
                assertThat(body(response).bytes()).isEqualTo(CHAT.response());
            }
        } finally {
            http2.stop();
        }

        assertThat(events.granted().estimate().output()).isEqualTo(1_000);
        assertThat(events.settled().outcome()).isEqualTo(Outcome.REPORTED);
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallThatIsCancelledWhileItsAnswerStreamsKeepsWhatPassed(Mode mode) throws Exception {
        List<byte[]> pieces = Recordings.pieces(STREAM.response(), 17).subList(0, 60);
        PiecemealProvider provider = opened(PiecemealProvider.silentAfter(STREAM, pieces));
        Call call = guarded(guard(roomy()))
                .newCall(new Request.Builder()
                        .url(provider.uri().toString())
                        .post(RequestBody.create(STREAM.request(), MediaType.get("application/json")))
                        .build());
        Outcomes outcomes = opened(Outcomes.of(call, mode));

        try (Response response = outcomes.response()) {
            BufferedSource source = body(response).source();
            assertThat(source.readUtf8Line()).startsWith("data:");
            call.cancel();
            assertThatExceptionOfType(IOException.class).isThrownBy(source::readUtf8);
        }

        GuardListener.Settlement settled = events.settled();
        assertThat(settled.outcome()).isEqualTo(Outcome.COUNTED);
        assertThat(settled.actual().input()).isEqualTo(settled.estimate().input());
        assertThat(settled.actual().output()).isLessThan(settled.estimate().output());
    }

    /** A guard whose Redis is at the end of that link. */
    protected final CostGuard.Builder over(FaultyLink link) {
        return CostGuard.builder()
                .redis(link.url())
                .keyPrefix(REDIS.keyPrefix())
                .listener(events)
                .decisionTimeout(Duration.ofSeconds(10));
    }

    /** A guard that has talked to Redis over that link. */
    protected final CostGuard connected(FaultyLink link, Duration decisionTimeout) throws GuardUnavailableException {
        CostGuard guard = opened(
                over(link).budget(roomy()).decisionTimeout(decisionTimeout).build());
        assertThat(used(guard)).isZero();
        return guard;
    }

    /** Tells of calls that wait. */
    protected static final class Waits implements GuardListener {
        private final BlockingQueue<Waiting> told = new LinkedBlockingQueue<>();
        private final Runnable then;

        /** @param then what is to happen before the call goes on to wait */
        Waits(Runnable then) {
            this.then = then;
        }

        @Override
        public void onWaiting(Waiting event) {
            then.run();
            told.add(event);
        }

        Waiting next() throws InterruptedException {
            Waiting waiting = told.poll(10, TimeUnit.SECONDS);
            if (waiting == null) {
                throw new AssertionError("no call waits");
            }
            return waiting;
        }
    }

    /** What became of one call; fails at the end if that was told twice, or never. */
    protected static final class Outcomes implements Callback, AutoCloseable {
        private final BlockingQueue<Told> told = new LinkedBlockingQueue<>();
        private final AtomicInteger times = new AtomicInteger();

        /** @param outcome a response or a failure */
        record Told(Call call, Thread by, Object outcome) {}

        /** Begins the call. */
        static Outcomes of(Call call, Mode mode) {
            Outcomes outcomes = new Outcomes();
            if (mode == Mode.ASYNC) {
                call.enqueue(outcomes);
                return outcomes;
            }
            Thread thread = new Thread(() -> {
                try {
                    outcomes.onResponse(call, call.execute());
                } catch (IOException e) {
                    outcomes.onFailure(call, e);
                }
            });
            thread.start();
            return outcomes;
        }

        @Override
        public void onFailure(Call call, IOException e) {
            times.incrementAndGet();
            told.add(new Told(call, Thread.currentThread(), e));
        }

        @Override
        public void onResponse(Call call, Response response) {
            times.incrementAndGet();
            told.add(new Told(call, Thread.currentThread(), response));
        }

        Told next() throws InterruptedException {
            Told next = told.poll(20, TimeUnit.SECONDS);
            if (next == null) {
                throw new AssertionError("nothing became of the call");
            }
            return next;
        }

        IOException failure() throws InterruptedException {
            if (next().outcome() instanceof IOException failure) {
                return failure;
            }
            throw new AssertionError("the call was answered");
        }

        Response response() throws InterruptedException {
            Object outcome = next().outcome();
            if (outcome instanceof Response response) {
                return response;
            }
            throw new AssertionError((IOException) outcome);
        }

        boolean isTold() {
            return times.get() > 0;
        }

        @Override
        public void close() {
            assertThat(times).hasValue(1);
        }
    }

    protected static ResponseBody body(Response response) {
        ResponseBody body = response.body();
        if (body == null) {
            throw new AssertionError("a response without a body");
        }
        return body;
    }

    /** A request that is guarded. */
    protected static Request chat() {
        return new Request.Builder()
                .url(uri())
                .header("authorization", "Bearer sk-canary")
                .post(RequestBody.create(CHAT.request(), MediaType.get("application/json")))
                .build();
    }

    protected static String uri() {
        return "http://localhost:" + PROVIDER.port() + "/v1/chat/completions";
    }

    protected final Call.Factory guarded(CostGuard guard) {
        return guarded(new OkHttpClient(), guard, Denials.answer());
    }

    protected static int send(Call.Factory client, String url) throws IOException {
        return send(client, url, CHAT.request());
    }

    private static int send(Call.Factory client, String url, byte[] body) throws IOException {
        Request request = new Request.Builder()
                .url(url)
                .header("authorization", "Bearer sk-canary")
                .post(RequestBody.create(body, MediaType.get("application/json")))
                .build();
        return send(client, request);
    }

    protected static int send(Call.Factory client, Request request) throws IOException {
        try (Response response = client.newCall(request).execute()) {
            body(response).bytes();
            return response.code();
        }
    }

    @Override
    protected Client client(CostGuard guard, Denials denials, Mode mode) {
        OkHttpClient impatient = new OkHttpClient.Builder()
                .connectTimeout(connectTimeout)
                .readTimeout(readTimeout)
                .build();
        Call.Factory client = guarded(impatient, guard, denials);
        return mode == Mode.SYNC ? new Sync(client) : new Async(client);
    }

    private static Request request(Client.Sent request) {
        Request.Builder builder = new Request.Builder().url(request.uri().toString());
        request.headers().forEach(builder::header);
        if (request.method().equals("GET")) {
            return builder.build();
        }
        MediaType json = MediaType.get("application/json");
        RequestBody body = request.form() == Client.Body.ONE_SHOT
                ? new OneShot(json, request.body(), request.body().length, false)
                : RequestBody.create(request.body(), json);
        return builder.method(request.method(), body).build();
    }

    private static Client.Answer response(Response response) {
        return Client.Answer.of(
                response.code(), response.headers().toMultimap(), body(response).byteStream());
    }

    /** A body that fails when it is written a second time. */
    private static final class OneShot extends RequestBody {
        private final MediaType type;
        private final byte[] bytes;
        private final long length;
        private final boolean duplex;
        private boolean written;

        OneShot(MediaType type, byte[] bytes, long length, boolean duplex) {
            this.type = type;
            this.bytes = bytes;
            this.length = length;
            this.duplex = duplex;
        }

        @Override
        public MediaType contentType() {
            return type;
        }

        @Override
        public long contentLength() {
            return length;
        }

        @Override
        public boolean isDuplex() {
            return duplex;
        }

        @Override
        public boolean isOneShot() {
            return !duplex;
        }

        @Override
        public void writeTo(BufferedSink sink) throws IOException {
            if (written) {
                throw new IOException("a one-shot body is written a second time");
            }
            written = true;
            sink.write(bytes);
            if (duplex) {
                sink.close();
            }
        }
    }

    /** Closes each connection instead of answering what comes second on it, as a server does with a connection that was idle. */
    private static final class ClosingProvider implements AutoCloseable {
        private final ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        private final AtomicInteger requests = new AtomicInteger();
        private final byte[] answer;

        ClosingProvider(Recordings.Exchange exchange) throws IOException {
            byte[] body = exchange.response();
            Buffer buffer = new Buffer();
            buffer.writeUtf8("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ")
                    .writeUtf8(body.length + "\r\n\r\n")
                    .write(body);
            answer = buffer.readByteArray();
            Thread thread = new Thread(this::serve);
            thread.setDaemon(true);
            thread.start();
        }

        private void serve() {
            while (!server.isClosed()) {
                try (Socket socket = server.accept()) {
                    BufferedSource source = Okio.buffer(Okio.source(socket));
                    take(source);
                    socket.getOutputStream().write(answer);
                    socket.getOutputStream().flush();
                    take(source);
                } catch (IOException e) {
                    // The client closed its connection, or the test is over.
                }
            }
        }

        private void take(BufferedSource source) throws IOException {
            long length = 0;
            for (String line = source.readUtf8LineStrict(); !line.isEmpty(); line = source.readUtf8LineStrict()) {
                if (line.toLowerCase(Locale.ROOT).startsWith("content-length:")) {
                    length = Long.parseLong(
                            line.substring("content-length:".length()).strip());
                }
            }
            source.skip(length);
            requests.incrementAndGet();
        }

        String uri() {
            return "http://127.0.0.1:" + server.getLocalPort() + "/v1/chat/completions";
        }

        int requests() {
            return requests.get();
        }

        @Override
        public void close() throws IOException {
            server.close();
        }
    }

    private record Sync(Call.Factory client) implements Client {
        @Override
        public Answer send(Sent request) throws IOException {
            return response(client.newCall(request(request)).execute());
        }

        @Override
        public void sendAndCancel(Sent request, Moment when) throws Exception {
            Call call = client.newCall(request(request));
            FutureTask<Void> canceller = new FutureTask<>(() -> {
                when.await();
                call.cancel();
                return null;
            });
            new Thread(canceller).start();
            try (Response response = call.execute()) {
                throw new AssertionError("answered: " + response.code());
            } catch (IOException e) {
                canceller.get();
            }
        }
    }

    private record Async(Call.Factory client) implements Client {
        @Override
        public Answer send(Sent request) throws IOException, InterruptedException {
            return response(await(enqueue(client.newCall(request(request)))));
        }

        @Override
        public void sendAndCancel(Sent request, Moment when) throws Exception {
            Call call = client.newCall(request(request));
            CompletableFuture<Response> response = enqueue(call);
            when.await();
            call.cancel();
            try {
                throw new AssertionError("answered: " + await(response).code());
            } catch (IOException e) {
                assertThat(call.isCanceled()).isTrue();
            }
        }

        private static CompletableFuture<Response> enqueue(Call call) {
            CompletableFuture<Response> future = new CompletableFuture<>();
            call.enqueue(new Callback() {
                @Override
                public void onFailure(Call failed, IOException e) {
                    future.completeExceptionally(e);
                }

                @Override
                public void onResponse(Call answered, Response response) {
                    future.complete(response);
                }
            });
            return future;
        }

        private static Response await(CompletableFuture<Response> future) throws IOException, InterruptedException {
            try {
                return future.get();
            } catch (ExecutionException e) {
                if (e.getCause() instanceof IOException failure) {
                    throw failure;
                }
                throw new InterruptedIOException(String.valueOf(e.getCause()));
            }
        }
    }
}
