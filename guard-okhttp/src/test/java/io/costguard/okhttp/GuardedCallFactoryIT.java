package io.costguard.okhttp;

import static com.github.tomakehurst.wiremock.client.WireMock.aResponse;
import static com.github.tomakehurst.wiremock.client.WireMock.anyUrl;
import static com.github.tomakehurst.wiremock.client.WireMock.post;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.github.tomakehurst.wiremock.verification.LoggedRequest;
import io.costguard.Budget;
import io.costguard.BudgetExceededException;
import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.GuardListener;
import io.costguard.Limit;
import io.costguard.Outcome;
import io.costguard.UnknownCalls;
import io.costguard.WhenExhausted;
import io.costguard.testing.FaultyLink;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import kotlin.jvm.JvmClassMappingKt;
import kotlin.jvm.functions.Function0;
import kotlin.reflect.KClass;
import okhttp3.Call;
import okhttp3.Callback;
import okhttp3.Dispatcher;
import okhttp3.EventListener;
import okhttp3.MediaType;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import okhttp3.ResponseBody;
import okio.BufferedSink;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import retrofit2.Retrofit;
import retrofit2.http.Body;
import retrofit2.http.POST;

class GuardedCallFactoryIT extends OkHttpContract {

    @Override
    protected Call.Factory guarded(OkHttpClient client, CostGuard guard, Denials denials) {
        return new GuardedCallFactory(client, guard, denials);
    }

    // --- attributes

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallAndItsCloneAreToldWhatIsSaidWhereItWasMadeWhereverTheyBegin(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        Call.Factory calls = guarded(byHeader());
        Call call = CostGuard.with(Map.of("run", "7")).call(() -> calls.newCall(chat()));

        for (Call each : List.of(call, call.clone())) {
            Outcomes outcomes = CostGuard.with(Map.of("run", "8")).call(() -> opened(Outcomes.of(each, mode)));
            outcomes.response().close();
            assertThat(events.granted().call().attributes()).containsEntry("run", "7");
        }
    }

    // --- cancelled

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallThatIsCancelledBeforeItBeginsIsNotAskedFor(Mode mode) throws Exception {
        FaultyLink link = opened(FaultyLink.to(REDIS));
        CostGuard guard = connected(link, Duration.ofSeconds(10));
        int asked = link.requests().passed("EVALSHA");
        Call call = guarded(guard).newCall(chat());
        call.cancel();

        Outcomes outcomes = opened(Outcomes.of(call, mode));

        assertThat(outcomes.failure()).hasMessage("Canceled");
        assertThat(call.isCanceled()).isTrue();
        assertThat(link.requests().passed("EVALSHA")).isEqualTo(asked);
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallThatIsCancelledWhileRedisStallsEndsAtOnceAndIsGivenBack(Mode mode) throws Exception {
        List<LoggedRequest> seen = record();
        FaultyLink link = opened(FaultyLink.to(REDIS));
        CostGuard guard = connected(link, Duration.ofSeconds(10));
        link.replies().hold("EVALSHA");
        Call call = guarded(guard).newCall(chat());
        Outcomes outcomes = opened(Outcomes.of(call, mode));
        link.replies().awaitWithheld(1);

        call.cancel();

        assertThat(outcomes.failure()).hasMessage("Canceled");
        link.replies().pass();
        assertThat(events.settled().outcome()).isEqualTo(Outcome.RELEASED);
        assertThat(used(guard)).isZero();
        assertThat(seen).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallThatIsCancelledWhileItStandsInLineLeavesAtOnce(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        Waits waits = new Waits(() -> {});
        CostGuard guard = patient(waits, "gpt-*");
        Call.Factory calls = guarded(guard);
        assertThat(send(calls, uri())).isEqualTo(200);
        Call call = calls.newCall(chat());
        Outcomes outcomes = opened(Outcomes.of(call, mode));
        waits.next();
        assertThat(waiting(guard)).isEqualTo(1);

        call.cancel();

        assertThat(outcomes.failure()).hasMessage("Canceled");
        await(() -> waiting(guard) == 0);
        assertThat(used(guard)).isEqualTo(1);
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void allCallsThatWaitCanBeCancelledTogether(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        Waits waits = new Waits(() -> {});
        CostGuard guard = patient(waits, "gpt-*");
        GuardedCallFactory calls = new GuardedCallFactory(new OkHttpClient(), guard);
        assertThat(send(calls, uri())).isEqualTo(200);
        Outcomes first = opened(Outcomes.of(calls.newCall(chat()), mode));
        Outcomes second = opened(Outcomes.of(calls.newCall(chat()), mode));
        waits.next();
        waits.next();

        calls.cancelAll();

        assertThat(first.failure()).hasMessage("Canceled");
        assertThat(second.failure()).hasMessage("Canceled");
        await(() -> waiting(guard) == 0);
        Call third = calls.newCall(chat());
        Outcomes later = opened(Outcomes.of(third, mode));
        waits.next();
        assertThat(later.isTold()).isFalse();
        third.cancel();
        assertThat(later.failure()).hasMessage("Canceled");
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallThatIsCancelledAsItIsGrantedIsGivenBack(Mode mode) throws Exception {
        List<LoggedRequest> seen = record();
        CompletableFuture<Call> granted = new CompletableFuture<>();
        CostGuard guard = listening(new GuardListener() {
            @Override
            public void onGranted(Grant event) {
                granted.join().cancel();
            }
        });
        granted.complete(guarded(guard).newCall(chat()));

        Outcomes outcomes = opened(Outcomes.of(granted.join(), mode));

        assertThat(outcomes.failure()).hasMessage("Canceled");
        assertThat(events.settled().outcome()).isEqualTo(Outcome.RELEASED);
        assertThat(used(guard)).isZero();
        assertThat(seen).isEmpty();
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallThatIsCancelledAsItIsSentIsGivenBack(Mode mode) throws Exception {
        List<LoggedRequest> seen = record();
        CostGuard guard = guard(roomy());
        CompletableFuture<Call> sent = new CompletableFuture<>();
        OkHttpClient client = new OkHttpClient.Builder()
                .eventListener(new EventListener() {
                    @Override
                    public void callStart(Call sending) {
                        sent.join().cancel();
                    }
                })
                .build();
        sent.complete(guarded(client, guard, Denials.answer()).newCall(chat()));

        Outcomes outcomes = opened(Outcomes.of(sent.join(), mode));

        assertThat(outcomes.failure()).hasMessage("Canceled");
        assertThat(events.settled().outcome()).isEqualTo(Outcome.RELEASED);
        assertThat(used(guard)).isZero();
        assertThat(seen).isEmpty();
    }

    @Test
    void aCallThatIsCancelledWhileTheDispatcherKeepsItIsGivenBack() throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        CostGuard guard = guard(roomy());
        Dispatcher dispatcher = new Dispatcher();
        dispatcher.setMaxRequestsPerHost(1);
        OkHttpClient client = new OkHttpClient.Builder().dispatcher(dispatcher).build();
        Call.Factory calls = guarded(client, guard, Denials.answer());
        CountDownLatch goesOn = new CountDownLatch(1);
        calls.newCall(chat()).enqueue(new Callback() {
            @Override
            public void onFailure(Call call, IOException e) {}

            @Override
            public void onResponse(Call call, Response response) throws IOException {
                response.close();
                try {
                    goesOn.await();
                } catch (InterruptedException e) {
                    throw new InterruptedIOException();
                }
            }
        });
        assertThat(events.settled().outcome()).isNotEqualTo(Outcome.RELEASED);
        Call second = calls.newCall(chat());
        Outcomes outcomes = opened(Outcomes.of(second, Mode.ASYNC));
        await(() -> dispatcher.queuedCallsCount() == 1);

        second.cancel();
        goesOn.countDown();

        assertThat(outcomes.failure()).hasMessage("Canceled");
        assertThat(events.settled().outcome()).isEqualTo(Outcome.RELEASED);
        assertThat(used(guard)).isEqualTo(1);
    }

    @Test
    void aThreadThatIsInterruptedWhileItsCallWaitsStaysInterruptedAndHoldsNothing() throws Exception {
        FaultyLink link = opened(FaultyLink.to(REDIS));
        CostGuard guard = connected(link, Duration.ofSeconds(10));
        link.replies().hold("EVALSHA");
        Call call = guarded(guard).newCall(chat());
        FutureTask<Boolean> interrupted = new FutureTask<>(() -> {
            assertThatExceptionOfType(InterruptedIOException.class)
                    .isThrownBy(call::execute)
                    .withMessageContaining("while the call waited");
            return Thread.currentThread().isInterrupted();
        });
        Thread thread = new Thread(interrupted);
        thread.start();
        link.replies().awaitWithheld(1);

        thread.interrupt();

        assertThat(interrupted.get(10, TimeUnit.SECONDS)).isTrue();
        link.replies().pass();
        assertThat(events.settled().outcome()).isEqualTo(Outcome.RELEASED);
        assertThat(used(guard)).isZero();
    }

    // --- the time of a call

    @ParameterizedTest
    @EnumSource(Mode.class)
    void theTimeThatACallWaitedIsTakenFromTheTimeToSendIt(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT).withFixedDelay(30_000)));
        AtomicLong deadline = new AtomicLong();
        OkHttpClient hasty = new OkHttpClient.Builder()
                .callTimeout(Duration.ofMillis(500))
                .addInterceptor(chain -> {
                    deadline.set(chain.call().timeout().deadlineNanoTime());
                    return chain.proceed(chain.request());
                })
                .build();
        Call call = guarded(hasty, guard(roomy()), Denials.answer()).newCall(chat());
        call.timeout().timeout(1, TimeUnit.SECONDS);

        long before = System.nanoTime();
        Outcomes outcomes = opened(Outcomes.of(call, mode));
        events.granted();
        long granted = System.nanoTime();
        IOException failure = outcomes.failure();

        assertThat(failure)
                .isInstanceOf(InterruptedIOException.class)
                .hasMessageMatching("timeout: the call waited \\d+ ms for its budgets, and may take 1000 ms in all")
                .hasCauseInstanceOf(InterruptedIOException.class);
        assertThat(deadline.get() - before).isGreaterThanOrEqualTo(TimeUnit.SECONDS.toNanos(1));
        assertThat(deadline.get() - granted).isLessThan(TimeUnit.SECONDS.toNanos(1));
        assertThat(events.settled().outcome()).isEqualTo(Outcome.ESTIMATE_KEPT);
    }

    // --- the dispatcher

    @Test
    void callsWhoseDecisionIsHeldDoNotHoldUpAnotherToTheSameHost() throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        FaultyLink link = opened(FaultyLink.to(REDIS));
        CostGuard stalled = connected(link, Duration.ofSeconds(10));
        OkHttpClient client = new OkHttpClient();
        link.replies().hold("EVALSHA");
        List<Call> held = new ArrayList<>();
        List<Outcomes> outcomes = new ArrayList<>();
        for (int i = 0; i < 2 * client.dispatcher().getMaxRequestsPerHost(); i++) {
            held.add(guarded(client, stalled, Denials.answer()).newCall(chat()));
            outcomes.add(opened(Outcomes.of(held.get(i), Mode.ASYNC)));
        }
        link.replies().awaitWithheld(1);

        Outcomes other = opened(
                Outcomes.of(guarded(client, guard(roomy()), Denials.answer()).newCall(chat("gpt-4")), Mode.ASYNC));

        try (Response response = other.response()) {
            assertThat(response.code()).isEqualTo(200);
        }
        assertThat(outcomes).noneMatch(Outcomes::isTold);
        held.forEach(Call::cancel);
        for (Outcomes each : outcomes) {
            assertThat(each.failure()).hasMessage("Canceled");
        }
        link.replies().pass();
        await(() -> used(stalled) == 0);
    }

    @Test
    void callsThatStandInLineDoNotHoldUpThoseOfAnotherModel() throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        Waits waits = new Waits(() -> {});
        CostGuard guard = patient(waits, "gpt-3.5*");
        OkHttpClient client = new OkHttpClient();
        Call.Factory calls = guarded(client, guard, Denials.answer());
        send(calls, uri());
        List<Call> waiting = new ArrayList<>();
        List<Outcomes> outcomes = new ArrayList<>();
        for (int i = 0; i < 2 * client.dispatcher().getMaxRequestsPerHost(); i++) {
            waiting.add(calls.newCall(chat()));
            outcomes.add(opened(Outcomes.of(waiting.get(i), Mode.ASYNC)));
        }
        for (int i = 0; i < waiting.size(); i++) {
            waits.next();
        }

        assertThat(client.dispatcher().runningCallsCount()).isZero();
        assertThat(client.dispatcher().queuedCallsCount()).isZero();
        Outcomes other = opened(Outcomes.of(calls.newCall(chat("gpt-4")), Mode.ASYNC));
        try (Response response = other.response()) {
            assertThat(response.code()).isEqualTo(200);
        }
        assertThat(outcomes).noneMatch(Outcomes::isTold);

        waiting.forEach(Call::cancel);
        for (Outcomes each : outcomes) {
            assertThat(each.failure()).hasMessage("Canceled");
        }
        await(() -> waiting(guard) == 0);
    }

    @Test
    @Tag("fault-36")
    void fiveCallsThatStandInLineDelayThoseOfAnotherModelByAtMostFiftyMilliseconds() throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        Waits waits = new Waits(() -> {});
        CostGuard guard = patient(waits, "gpt-3.5*");
        OkHttpClient client = new OkHttpClient();
        Call.Factory calls = guarded(client, guard, Denials.answer());
        send(calls, uri());
        Duration alone = halfOfTheCallsTakeAtMost(calls);
        List<Call> waiting = new ArrayList<>();
        List<Outcomes> outcomes = new ArrayList<>();
        for (int i = 0; i < client.dispatcher().getMaxRequestsPerHost(); i++) {
            waiting.add(calls.newCall(chat()));
            outcomes.add(opened(Outcomes.of(waiting.get(i), Mode.ASYNC)));
            waits.next();
        }

        Duration beside = halfOfTheCallsTakeAtMost(calls);

        System.out.printf(
                "calls of one model take %d us, and %d us beside %d of another that wait%n",
                alone.toNanos() / 1_000, beside.toNanos() / 1_000, waiting.size());
        assertThat(beside.minus(alone)).isLessThanOrEqualTo(Duration.ofMillis(50));
        assertThat(outcomes).noneMatch(Outcomes::isTold);
        waiting.forEach(Call::cancel);
        for (Outcomes each : outcomes) {
            assertThat(each.failure()).hasMessage("Canceled");
        }
    }

    private Duration halfOfTheCallsTakeAtMost(Call.Factory calls) throws Exception {
        List<Duration> took = new ArrayList<>();
        for (int i = 0; i < 21; i++) {
            long begin = System.nanoTime();
            Outcomes outcomes = opened(Outcomes.of(calls.newCall(chat("gpt-4")), Mode.ASYNC));
            try (Response response = outcomes.response()) {
                assertThat(response.code()).isEqualTo(200);
            }
            took.add(Duration.ofNanos(System.nanoTime() - begin));
        }
        return took.stream().sorted().toList().get(10);
    }

    @Test
    void aDispatcherThatWasShutDownIsToldOfBeforeTheGuardIsAsked() throws Exception {
        FaultyLink link = opened(FaultyLink.to(REDIS));
        CostGuard guard = connected(link, Duration.ofSeconds(10));
        int asked = link.requests().passed("EVALSHA");
        OkHttpClient client = new OkHttpClient();
        client.dispatcher().executorService().shutdown();

        Outcomes outcomes =
                opened(Outcomes.of(guarded(client, guard, Denials.answer()).newCall(chat()), Mode.ASYNC));

        assertThat(outcomes.failure())
                .isInstanceOf(InterruptedIOException.class)
                .hasMessage("executor rejected");
        assertThat(link.requests().passed("EVALSHA")).isEqualTo(asked);
    }

    @Test
    void aCallIsGivenBackWhenItsDispatcherIsShutDownWhileItWaits() throws Exception {
        ExecutorService executor = Executors.newCachedThreadPool();
        OkHttpClient client =
                new OkHttpClient.Builder().dispatcher(new Dispatcher(executor)).build();
        CostGuard guard = listening(new GuardListener() {
            @Override
            public void onGranted(Grant event) {
                executor.shutdown();
            }
        });

        Outcomes outcomes =
                opened(Outcomes.of(guarded(client, guard, Denials.answer()).newCall(chat()), Mode.ASYNC));

        assertThat(outcomes.failure()).isInstanceOf(InterruptedIOException.class);
        assertThat(events.settled().outcome()).isEqualTo(Outcome.RELEASED);
        assertThat(used(guard)).isZero();
    }

    // --- what a call is

    @Test
    void aDenialIsToldOfThisCallByAnotherThread() throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        CostGuard guard =
                guard(Budget.named("rate").per().limit(Limit.requests(1).perDay()));
        send(guarded(guard), uri());

        for (Denials denials : List.of(Denials.answer(), Denials.throwException())) {
            Call call = guarded(new OkHttpClient(), guard, denials).newCall(chat());
            Outcomes.Told told = opened(Outcomes.of(call, Mode.ASYNC)).next();

            assertThat(told.call()).isSameAs(call);
            assertThat(told.by()).isNotSameAs(Thread.currentThread());
            assertThat(told.outcome())
                    .isInstanceOf(denials == Denials.answer() ? Response.class : BudgetExceededException.class);
        }
    }

    @Test
    void aDenialThatIsThrownShowsWhereTheCallWasMade() throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        CostGuard guard =
                guard(Budget.named("rate").per().limit(Limit.requests(1).perDay()));
        Call.Factory calls = guarded(new OkHttpClient(), guard, Denials.throwException());
        send(calls, uri());

        assertThatExceptionOfType(BudgetExceededException.class)
                .isThrownBy(() -> send(calls, uri()))
                .satisfies(thrown ->
                        assertThat(thrown).hasStackTraceContaining("aDenialThatIsThrownShowsWhereTheCallWasMade"));
    }

    @ParameterizedTest
    @CsvSource({"SYNC, SYNC", "SYNC, ASYNC", "ASYNC, SYNC", "ASYNC, ASYNC"})
    void aCallCanBeMadeOnce(Mode first, Mode second) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        Call call = guarded(guard(roomy())).newCall(chat());
        assertThat(call.isExecuted()).isFalse();
        Outcomes outcomes = opened(Outcomes.of(call, first));
        await(call::isExecuted);

        assertThatIllegalStateException()
                .isThrownBy(() -> {
                    if (second == Mode.SYNC) {
                        call.execute().close();
                    } else {
                        call.enqueue(outcomes);
                    }
                })
                .withMessage("Already Executed");
        outcomes.response().close();
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCloneIsACallOfItsOwn(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        CostGuard guard = guard(roomy());
        Request request = chat();
        Call call = guarded(guard).newCall(request);
        assertThat(call.request()).isSameAs(request);
        call.cancel();
        assertThat(opened(Outcomes.of(call, mode)).failure()).hasMessage("Canceled");

        Call clone = call.clone();

        assertThat(clone.request()).isSameAs(request);
        assertThat(clone.isExecuted()).isFalse();
        assertThat(clone.isCanceled()).isFalse();
        try (Response response = opened(Outcomes.of(clone, mode)).response()) {
            assertThat(response.request()).isSameAs(request);
            assertThat(body(response).bytes()).isEqualTo(CHAT.response());
        }
        assertThat(events.settled().outcome()).isEqualTo(Outcome.REPORTED);
        assertThat(used(guard)).isEqualTo(1);
    }

    @Test
    void aCloneThatAnInterceptorSendsIsACallOfItsOwn() throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        CostGuard guard = guard(roomy());
        AtomicBoolean first = new AtomicBoolean(true);
        OkHttpClient twice = new OkHttpClient.Builder()
                .addInterceptor(chain -> {
                    if (first.getAndSet(false)) {
                        try (Response response = chain.call().clone().execute()) {
                            body(response).bytes();
                        }
                    }
                    return chain.proceed(chain.request());
                })
                .build();

        assertThat(send(guarded(twice, guard, Denials.answer()), uri())).isEqualTo(200);

        assertThat(used(guard)).isEqualTo(2);
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void theInterceptorsOfTheClientRun(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        List<LoggedRequest> seen = record();
        OkHttpClient client = new OkHttpClient.Builder()
                .addInterceptor(chain -> chain.proceed(
                        chain.request().newBuilder().header("x-added", "yes").build()))
                .build();

        Call call = guarded(client, guard(roomy()), Denials.answer()).newCall(chat());
        opened(Outcomes.of(call, mode)).response().close();

        assertThat(seen)
                .singleElement()
                .satisfies(sent -> assertThat(sent.getHeader("x-added")).isEqualTo("yes"));
    }

    @ParameterizedTest
    @EnumSource(Mode.class)
    void aCallThatIsNotGuardedIsSentAsItIs(Mode mode) throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(aResponse().withBody("fine")));
        CostGuard guard = opened(CostGuard.builder()
                .redis(REDIS.url())
                .unknownCalls(UnknownCalls.passThrough())
                .build());
        Call call = guarded(guard)
                .newCall(new Request.Builder()
                        .url(PROVIDER.baseUrl() + "/elsewhere")
                        .post(RequestBody.create(new byte[0]))
                        .build());

        Outcomes.Told told = opened(Outcomes.of(call, mode)).next();

        assertThat(told.call()).isSameAs(call);
        try (Response response = (Response) told.outcome()) {
            assertThat(body(response).string()).isEqualTo("fine");
        }
    }

    @Test
    void aBodyThatCannotBeReadIsToldAsOkHttpTellsIt() throws Exception {
        LinkedBlockingQueue<Throwable> uncaught = new LinkedBlockingQueue<>();
        ExecutorService executor = Executors.newCachedThreadPool(task -> {
            Thread thread = new Thread(task);
            thread.setUncaughtExceptionHandler((by, thrown) -> uncaught.add(thrown));
            return thread;
        });
        OkHttpClient client =
                new OkHttpClient.Builder().dispatcher(new Dispatcher(executor)).build();
        Call.Factory calls = guarded(client, guard(roomy()), Denials.answer());

        Call broken = calls.newCall(chat(new IOException("of the user's")));
        assertThat(opened(Outcomes.of(broken, Mode.ASYNC)).failure()).hasMessage("of the user's");
        Call faulty = calls.newCall(chat(new IllegalStateException("of the user's")));
        assertThat(opened(Outcomes.of(faulty, Mode.ASYNC)).failure()).hasMessageContaining("canceled due to");

        assertThat(uncaught.poll(10, TimeUnit.SECONDS)).hasMessage("of the user's");
        executor.shutdown();
    }

    // --- OkHttp 5

    @Test
    void theTagsOfACallAreThoseOfTheCallThatIsSent() throws Exception {
        assumeOkHttp5();
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        AtomicReference<Object> seen = new AtomicReference<>();
        OkHttpClient client = new OkHttpClient.Builder()
                .addInterceptor(chain -> {
                    seen.set(call("tag", chain.call(), List.of(Class.class), String.class));
                    return chain.proceed(chain.request());
                })
                .build();
        Request request = chat().newBuilder().tag(Integer.class, 7).build();
        Call call = guarded(client, guard(roomy()), Denials.answer()).newCall(request);
        KClass<String> string = JvmClassMappingKt.getKotlinClass(String.class);
        KClass<Long> number = JvmClassMappingKt.getKotlinClass(Long.class);
        Function0<String> text = () -> "computed";
        Function0<Long> nine = () -> 9L;

        assertThat(call("tag", call, List.of(Class.class), Integer.class)).isEqualTo(7);
        assertThat(call("tag", call, List.of(Class.class), String.class)).isNull();
        assertThat(call("tag", call, List.of(Class.class, Function0.class), String.class, text))
                .isEqualTo("computed");
        assertThat(call("tag", call, List.of(KClass.class), string)).isEqualTo("computed");
        assertThat(call("tag", call, List.of(KClass.class, Function0.class), number, nine))
                .isEqualTo(9L);
        call.execute().close();
        assertThat(seen).hasValue("computed");
    }

    @Test
    void aListenerOfACallHearsOfTheCallThatIsSent() throws Exception {
        assumeOkHttp5();
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        List<String> heard = new ArrayList<>();
        Call call = guarded(guard(roomy())).newCall(chat());
        EventListener listener = new EventListener() {
            @Override
            public void callStart(Call sent) {
                heard.add("start");
            }

            @Override
            public void callEnd(Call sent) {
                heard.add("end");
            }
        };
        call("addEventListener", call, List.of(EventListener.class), listener);

        call.execute().close();

        assertThat(heard).containsExactly("start", "end");
    }

    private static void assumeOkHttp5() {
        assumeTrue(System.getProperty("okhttp.version").startsWith("5"));
    }

    /** A method of {@link Call} that is not there at compile time. */
    private static Object call(String name, Call receiver, List<Class<?>> parameters, Object... arguments) {
        try {
            Method method = Call.class.getMethod(name, parameters.toArray(Class<?>[]::new));
            return method.invoke(receiver, arguments);
        } catch (NoSuchMethodException | IllegalAccessException | InvocationTargetException e) {
            throw new LinkageError(e.getMessage(), e);
        }
    }

    // --- Retrofit

    /** A service as Retrofit has it. */
    interface Chats {
        @POST("/v1/chat/completions")
        retrofit2.Call<ResponseBody> chat(@Body RequestBody body);
    }

    @Test
    void retrofitTakesItsCalls() throws Exception {
        PROVIDER.stubFor(post(anyUrl()).willReturn(replay(CHAT)));
        CostGuard guard = guard(roomy());
        Chats chats = new Retrofit.Builder()
                .baseUrl(PROVIDER.baseUrl())
                .callFactory(guarded(guard))
                .build()
                .create(Chats.class);
        retrofit2.Call<ResponseBody> call =
                chats.chat(RequestBody.create(CHAT.request(), MediaType.get("application/json")));

        assertThat(call.execute().code()).isEqualTo(200);
        LinkedBlockingQueue<Integer> codes = new LinkedBlockingQueue<>();
        call.clone().enqueue(new retrofit2.Callback<>() {
            @Override
            public void onResponse(retrofit2.Call<ResponseBody> answered, retrofit2.Response<ResponseBody> response) {
                codes.add(response.code());
            }

            @Override
            public void onFailure(retrofit2.Call<ResponseBody> failed, Throwable failure) {
                codes.add(-1);
            }
        });

        assertThat(codes.poll(10, TimeUnit.SECONDS)).isEqualTo(200);
        assertThat(events.settled().outcome()).isEqualTo(Outcome.REPORTED);
        assertThat(events.settled().outcome()).isEqualTo(Outcome.REPORTED);
    }

    // --- the words

    private CostGuard listening(GuardListener listener) {
        return opened(CostGuard.builder()
                .redis(REDIS.url())
                .keyPrefix(REDIS.keyPrefix())
                .decisionTimeout(Duration.ofSeconds(10))
                .budget(roomy())
                .listener(events)
                .listener(listener)
                .build());
    }

    /** A guard that lets one call of these models go, and has the others wait. */
    private CostGuard patient(GuardListener waits, String models) {
        return opened(CostGuard.builder()
                .redis(REDIS.url())
                .keyPrefix(REDIS.keyPrefix())
                .decisionTimeout(Duration.ofSeconds(10))
                .budget(Budget.named("line")
                        .models(models)
                        .per()
                        .limit(Limit.requests(1).perHour()))
                .whenExhausted(WhenExhausted.waitUpTo(Duration.ofDays(1)))
                .listener(events)
                .listener(waits)
                .build());
    }

    private static Request chat(String model) {
        String body = new String(CHAT.request(), StandardCharsets.UTF_8).replace(CHAT.model(), model);
        return chat().newBuilder()
                .post(RequestBody.create(body, MediaType.get("application/json")))
                .build();
    }

    /** A request whose body cannot be written. */
    private static Request chat(Exception fault) {
        return chat().newBuilder()
                .post(new RequestBody() {
                    @Override
                    public MediaType contentType() {
                        return MediaType.get("application/json");
                    }

                    @Override
                    public void writeTo(BufferedSink sink) throws IOException {
                        if (fault instanceof IOException failure) {
                            throw failure;
                        }
                        throw (RuntimeException) fault;
                    }
                })
                .build();
    }

    /** What comes true. */
    private interface Condition {
        boolean isTrue() throws Exception;
    }

    private static void await(Condition condition) throws Exception {
        long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        while (!condition.isTrue()) {
            assertThat(System.nanoTime() - deadline).as("nanoseconds too late").isNegative();
            Thread.onSpinWait();
        }
    }
}
