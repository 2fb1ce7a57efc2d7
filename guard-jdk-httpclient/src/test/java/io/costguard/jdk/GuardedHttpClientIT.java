package io.costguard.jdk;

import static com.github.tomakehurst.wiremock.client.WireMock.anyUrl;
import static com.github.tomakehurst.wiremock.client.WireMock.post;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.github.tomakehurst.wiremock.verification.LoggedRequest;
import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.GuardListener;
import io.costguard.GuardedCall;
import io.costguard.Outcome;
import io.costguard.http.tck.AdapterContract;
import io.costguard.http.tck.Client;
import io.costguard.http.tck.PiecemealProvider;
import io.costguard.testing.FaultyLink;
import io.costguard.testing.Recordings;
import io.costguard.testing.RedisForTests;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.CookieManager;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpResponse.BodySubscribers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class GuardedHttpClientIT extends AdapterContract {

    @Test
    @Tag("threat-9")
    void wrappingTwiceForOneGuardReservesOnce() throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        CostGuard guard = guard(roomy());
        HttpClient once = GuardedHttpClient.wrap(HttpClient.newHttpClient(), guard);

        HttpClient twice = GuardedHttpClient.wrap(once, guard);

        assertThat(twice.send(chat(), BodyHandlers.ofByteArray()).body()).isEqualTo(CHAT.response());
        assertThat(events.settled().outcome()).isEqualTo(Outcome.REPORTED);
        assertThat(used(guard)).isEqualTo(1);
    }

    @Test
    void everyBodyHandlerGetsTheBodyAndIsMetered(@TempDir Path folder) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        HttpClient client = GuardedHttpClient.wrap(HttpClient.newHttpClient(), guard(roomy()));
        String text = new String(CHAT.response(), StandardCharsets.UTF_8);

        assertThat(client.send(chat(), BodyHandlers.ofString()).body()).isEqualTo(text);
        assertThat(client.send(chat(), BodyHandlers.ofFile(folder.resolve("body")))
                        .body())
                .hasContent(text);
        assertThat(client.send(chat(), BodyHandlers.ofLines()).body().toList())
                .isEqualTo(text.lines().toList());
        assertThat(client.send(chat(), BodyHandlers.buffering(BodyHandlers.ofString(), 7))
                        .body())
                .isEqualTo(text);
        assertThat(client.send(chat(), BodyHandlers.discarding()).body()).isNull();

        for (int i = 0; i < 5; i++) {
            assertThat(events.settled().outcome()).isEqualTo(Outcome.REPORTED);
        }
    }

    @Test
    void aHandlerOfPushesIsTaken() throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        HttpClient client = GuardedHttpClient.wrap(HttpClient.newHttpClient(), guard(roomy()));

        HttpResponse<byte[]> response = client.sendAsync(
                        chat(),
                        BodyHandlers.ofByteArray(),
                        HttpResponse.PushPromiseHandler.of(
                                pushed -> BodyHandlers.ofByteArray(), new ConcurrentHashMap<>()))
                .get();

        assertThat(response.body()).isEqualTo(CHAT.response());
        assertThat(events.settled().outcome()).isEqualTo(Outcome.REPORTED);
    }

    @Test
    void aFaultOfTheCallersHandlerIsHisAndSettlesTheCall() throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        HttpClient client = GuardedHttpClient.wrap(HttpClient.newHttpClient(), guard(roomy()));

        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> client.send(chat(), response -> {
                    throw new IllegalStateException("the caller's");
                }))
                .withStackTraceContaining("the caller's");

        GuardListener.Settlement settled = events.settled();
        assertThat(settled.outcome()).isEqualTo(Outcome.COUNTED);
        assertThat(settled.actual().input()).isEqualTo(settled.estimate().input());
    }

    @Test
    void cancellingAFutureWhileTheBodyComesKeepsWhatPassed() throws Exception {
        List<byte[]> pieces = Recordings.pieces(STREAM.response(), 17).subList(0, 60);
        URI provider = opened(PiecemealProvider.silentAfter(STREAM, pieces)).uri();
        HttpClient client = GuardedHttpClient.wrap(HttpClient.newHttpClient(), guard(roomy()));
        CountDownLatch begun = new CountDownLatch(1);

        CompletableFuture<HttpResponse<Void>> future = client.sendAsync(
                HttpRequest.newBuilder(provider)
                        .POST(BodyPublishers.ofByteArray(STREAM.request()))
                        .build(),
                BodyHandlers.ofByteArrayConsumer(bytes -> begun.countDown()));
        assertThat(begun.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(future.cancel(true)).isTrue();

        GuardListener.Settlement settled = events.settled();
        assertThat(settled.outcome()).isEqualTo(Outcome.COUNTED);
        assertThat(settled.actual().input()).isEqualTo(settled.estimate().input());
        assertThat(settled.actual().output()).isLessThan(settled.estimate().output());
    }

    @Test
    void aCallThatIsCancelledAsItIsGrantedIsGivenBackAndNeverSent() throws Exception {
        List<LoggedRequest> seen = record();
        CompletableFuture<Future<?>> sent = new CompletableFuture<>();
        FaultyLink link = opened(FaultyLink.to(RedisForTests.shared()));
        CostGuard guard = listening(link.url(), new GuardListener() {
            @Override
            public void onGranted(Grant event) {
                sent.join().cancel(true);
            }
        });
        HttpClient client = GuardedHttpClient.wrap(HttpClient.newHttpClient(), guard);
        guard.status(GuardedCall.of("gpt-4o")); // connects
        // Granted before it is sent for, it would be granted on this thread, which has nothing to cancel yet.
        link.replies().hold("EVALSHA");

        CompletableFuture<?> future = client.sendAsync(chat(), BodyHandlers.ofInputStream());
        sent.complete(future);
        link.replies().pass();

        assertThat(events.settled().outcome()).isEqualTo(Outcome.RELEASED);
        assertThat(future).isCancelled();
        assertThat(used(guard)).isZero();
        assertThat(seen).isEmpty();
    }

    @Test
    void aCallWhoseResponseComesJustAfterItWasCancelledIsSettledAndItsBodyCancelled() throws Exception {
        List<byte[]> pieces = Recordings.pieces(STREAM.response(), 17).subList(0, 60);
        URI provider = opened(PiecemealProvider.silentAfter(STREAM, pieces)).uri();
        CompletableFuture<Future<?>> sent = new CompletableFuture<>();
        CountDownLatch answered = new CountDownLatch(1);
        ExecutorService worker = Executors.newSingleThreadExecutor();
        AtomicBoolean isFirst = new AtomicBoolean(true);
        // Whoever sends the call returns only after its response has come, and it was cancelled.
        Executor executor = task -> {
            worker.execute(task);
            if (isFirst.getAndSet(false)) {
                try {
                    assertThat(answered.await(10, TimeUnit.SECONDS)).isTrue();
                    worker.submit(() -> {}).get();
                    worker.submit(() -> {}).get();
                    sent.get(10, TimeUnit.SECONDS).cancel(true);
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            }
        };
        HttpClient client = GuardedHttpClient.wrap(
                HttpClient.newBuilder().executor(executor).build(), guard(roomy()));

        CompletableFuture<?> future = client.sendAsync(
                HttpRequest.newBuilder(provider)
                        .POST(BodyPublishers.ofByteArray(STREAM.request()))
                        .build(),
                response -> {
                    answered.countDown();
                    return BodySubscribers.ofInputStream();
                });
        sent.complete(future);

        assertThat(events.settled().outcome()).isEqualTo(Outcome.COUNTED);
        assertThat(future).isCancelled();
        worker.shutdown();
    }

    @Test
    @Tag("fault-37")
    void aCallIsSettledOnceWhetherItEndsOrIsCancelledOrItsBodyIsClosedFirst() throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        Queue<Outcome> settled = new ConcurrentLinkedQueue<>();
        CostGuard guard = listening(new GuardListener() {
            @Override
            public void onSettled(Settlement event) {
                settled.add(event.outcome());
            }
        });
        HttpClient client = GuardedHttpClient.wrap(HttpClient.newHttpClient(), guard);
        int calls = 60;
        for (int i = 0; i < calls; i++) {
            // From before it is decided to after its body was read.
            int micros = i * 100;
            CompletableFuture<HttpResponse<InputStream>> future =
                    client.sendAsync(chat(), BodyHandlers.ofInputStream());
            FutureTask<Boolean> canceller = new FutureTask<>(() -> {
                LockSupport.parkNanos(TimeUnit.MICROSECONDS.toNanos(micros));
                return future.cancel(true);
            });
            new Thread(canceller).start();
            try (InputStream body = future.get(10, TimeUnit.SECONDS).body()) {
                assertThat(body.readNBytes(i * 10)).isNotNull();
            } catch (CancellationException e) {
                assertThat(future).isCancelled();
            }
            canceller.get();
            events.settled();
        }

        guard.flush();
        assertThat(settled).hasSize(calls);
        assertThat(used(guard))
                .isEqualTo(settled.stream()
                        .filter(outcome -> outcome != Outcome.RELEASED)
                        .count());
        System.out.printf(
                "of %d calls, ended or cancelled: %s%n",
                calls, settled.stream().collect(Collectors.groupingBy(outcome -> outcome, Collectors.counting())));
    }

    private CostGuard listening(GuardListener listener) {
        return listening(RedisForTests.shared().url(), listener);
    }

    private CostGuard listening(String redis, GuardListener listener) {
        return opened(CostGuard.builder()
                .redis(redis)
                .keyPrefix(RedisForTests.shared().keyPrefix())
                .decisionTimeout(Duration.ofSeconds(10))
                .budget(roomy())
                .listener(events)
                .listener(listener)
                .build());
    }

    @Test
    void whatTheClientIsIsWhatItWasBuiltAs() {
        CookieManager cookies = new CookieManager();
        ProxySelector proxy = ProxySelector.of(null);
        HttpClient client = GuardedHttpClient.newBuilder(guard(roomy()))
                .version(HttpClient.Version.HTTP_1_1)
                .followRedirects(HttpClient.Redirect.ALWAYS)
                .connectTimeout(Duration.ofSeconds(3))
                .cookieHandler(cookies)
                .proxy(proxy)
                .executor(Runnable::run)
                .priority(7)
                .build();

        assertThat(client).isInstanceOf(GuardedHttpClient.class);
        assertThat(client.version()).isEqualTo(HttpClient.Version.HTTP_1_1);
        assertThat(client.followRedirects()).isEqualTo(HttpClient.Redirect.ALWAYS);
        assertThat(client.connectTimeout()).hasValue(Duration.ofSeconds(3));
        assertThat(client.cookieHandler()).hasValue(cookies);
        assertThat(client.proxy()).hasValue(proxy);
        assertThat(client.executor()).isPresent();
        assertThat(client.authenticator()).isEmpty();
        assertThat(client.sslContext()).isNotNull();
        assertThat(client.sslParameters()).isNotNull();
        assertThat(client.newWebSocketBuilder()).isNotNull();
    }

    @Test
    void closingItClosesTheClientWithinWhereClientsCanBeClosed() throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        GuardedHttpClient guarded = (GuardedHttpClient) GuardedHttpClient.wrap(client, guard(roomy()));

        if (AutoCloseable.class.isInstance(client)) {
            guarded.close();
            assertThat(HttpClient.class.getMethod("isTerminated").invoke(client))
                    .isEqualTo(true);
        } else {
            assertThatExceptionOfType(UnsupportedOperationException.class).isThrownBy(guarded::close);
        }
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallWaitsForRedisNoLongerThanItMayTakeAndIsGivenBack(Mode mode) throws Exception {
        FaultyLink link = opened(FaultyLink.to(RedisForTests.shared()));
        CostGuard guard = opened(CostGuard.builder()
                .redis(link.url())
                .keyPrefix(RedisForTests.shared().keyPrefix())
                .decisionTimeout(Duration.ofMinutes(1))
                .budget(roomy())
                .listener(events)
                .build());
        assertThat(used(guard)).isZero();
        link.replies().hold("EVALSHA");
        readTimeout = Duration.ofMillis(300);
        Client client = client(guard, Denials.answer(), mode);

        try (Client.Answer unavailable = client.send(request(PROVIDER.baseUrl() + "/v1/chat/completions"))) {
            assertThat(unavailable.status()).isEqualTo(503);
        }

        link.replies().pass();
        assertThat(events.settled().outcome()).isEqualTo(Outcome.RELEASED);
        assertThat(used(guard)).isZero();
    }

    private static Client.Sent request(String uri) {
        return new Client.Sent(
                "POST",
                URI.create(uri),
                Map.of("authorization", "Bearer sk-canary"),
                CHAT.request(),
                Client.Body.BYTES);
    }

    private static HttpRequest chat() {
        return HttpRequest.newBuilder(URI.create(PROVIDER.baseUrl() + "/v1/chat/completions"))
                .header("authorization", "Bearer sk-canary")
                .POST(BodyPublishers.ofByteArray(CHAT.request()))
                .build();
    }

    @Override
    protected Client client(CostGuard guard, Denials denials, Mode mode) {
        HttpClient client = GuardedHttpClient.newBuilder(guard, denials)
                .followRedirects(HttpClient.Redirect.NORMAL)
                .connectTimeout(connectTimeout)
                .build();
        return mode == Mode.SYNC ? new Sync(client, readTimeout) : new Async(client, readTimeout);
    }

    private static HttpRequest request(Client.Sent request, Duration timeout) {
        HttpRequest.Builder builder = HttpRequest.newBuilder(request.uri()).timeout(timeout);
        request.headers().forEach(builder::header);
        if (request.method().equals("GET")) {
            return builder.build();
        }
        InputStream once = new ByteArrayInputStream(request.body());
        BodyPublisher body = request.form() == Client.Body.ONE_SHOT
                ? BodyPublishers.ofInputStream(() -> once)
                : BodyPublishers.ofByteArray(request.body());
        return builder.method(request.method(), body).build();
    }

    private static Client.Answer response(HttpResponse<InputStream> response) {
        return Client.Answer.of(response.statusCode(), response.headers().map(), response.body());
    }

    private record Sync(HttpClient client, Duration timeout) implements Client {
        @Override
        public Answer send(Sent request) throws IOException, InterruptedException {
            return response(client.send(request(request, timeout), BodyHandlers.ofInputStream()));
        }

        @Override
        public void sendAndCancel(Sent request, Moment when) throws Exception {
            Thread caller = Thread.currentThread();
            FutureTask<Void> canceller = new FutureTask<>(() -> {
                when.await();
                caller.interrupt();
                return null;
            });
            new Thread(canceller).start();
            try {
                throw new AssertionError("answered: " + send(request).status());
            } catch (IOException | InterruptedException e) {
                assertThat(Thread.interrupted()).isFalse();
                canceller.get();
            }
        }
    }

    private record Async(HttpClient client, Duration timeout) implements Client {
        @Override
        public Answer send(Sent request) throws IOException, InterruptedException {
            try {
                return response(client.sendAsync(request(request, timeout), BodyHandlers.ofInputStream())
                        .get());
            } catch (ExecutionException e) {
                if (e.getCause() instanceof IOException failure) {
                    throw failure;
                }
                throw new AssertionError(e);
            }
        }

        @Override
        public void sendAndCancel(Sent request, Moment when) throws Exception {
            CompletableFuture<HttpResponse<InputStream>> future =
                    client.sendAsync(request(request, timeout), BodyHandlers.ofInputStream());
            when.await();
            assertThat(future.cancel(true)).isTrue();
        }
    }
}
