package io.costguard.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.Budget;
import io.costguard.CallAttributes;
import io.costguard.Denials;
import io.costguard.GuardListener;
import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.Outcome;
import io.costguard.PriceList;
import io.costguard.Recorder;
import io.costguard.WhenExhausted;
import io.costguard.WhenRedisFails;
import io.costguard.describe.Dialect;
import io.costguard.describe.Estimator;
import io.costguard.describe.OutputHistory;
import io.costguard.describe.Target;
import io.costguard.describe.dialects.Dialects;
import io.costguard.limit.Cardinality;
import io.costguard.limit.Fingerprint;
import io.costguard.limit.Ledger;
import io.costguard.limit.Limiter;
import io.costguard.limit.Listeners;
import io.costguard.limit.Subjects;
import io.costguard.redis.Redis;
import io.costguard.redis.RedisLedger;
import io.costguard.settle.Charges;
import io.costguard.testing.RedisForTests;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A bug at each stage of the guard: the policy applies, and the user's call is none the worse for it. */
@Tag("fault-38")
class FaultsOfOurOwnIT {
    private static final Duration AT_MOST = Duration.ofMinutes(1);
    private static final byte[] REQUEST =
            "{\"model\":\"gpt-4o\",\"max_tokens\":50,\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}"
                    .getBytes(StandardCharsets.UTF_8);
    private static final byte[] RESPONSE =
            "{\"choices\":[{\"message\":{\"content\":\"Hi\"}}],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":1}}"
                    .getBytes(StandardCharsets.UTF_8);
    private static final Dialect DIALECT = Dialects.bundled()
            .of(Target.of("POST", URI.create("https://api.test/v1/chat/completions")))
            .orElseThrow();

    private final Recorder events = new Recorder();
    private final RedisForTests redis = RedisForTests.shared();
    private final String prefix = redis.keyPrefix();
    private final Ledger ledger =
            new RedisLedger(Redis.at(redis.url(), Duration.ofSeconds(5)), prefix, Duration.ofSeconds(5));
    private Limit limit = Limit.requests(100).perMinute();

    @AfterEach
    void close() {
        ledger.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"requestPaths", "request"})
    void aRequestThatCannotBeReadIsEstimatedByItsLength(String stage) throws Exception {
        HttpCall call = call(failing(stage, IllegalStateException::new), ledger, WhenRedisFails.failClosed());

        call.body(REQUEST);
        Exchange exchange = admitted(call.admit(Denials.THROW, AT_MOST, () -> false));
        exchange.noAnswer();

        assertThat(settlement().estimate().input()).isPositive();
        assertThat(settlement().outcome()).isEqualTo(Outcome.ESTIMATE_KEPT);
    }

    @Test
    void aRequestThatCannotBeAskedForUsageIsSentAsItIs() {
        HttpCall call = call(failing("askForUsage", IllegalStateException::new), ledger, WhenRedisFails.failClosed());

        assertThat(call.body(REQUEST)).isSameAs(REQUEST);
    }

    @ParameterizedTest
    @ValueSource(strings = {"apiKey", "provider"})
    void aCallThatCannotBeDescribedIsNotSentWhenTheGuardFailsClosed(String stage) {
        HttpCall call = call(failing(stage, IllegalStateException::new), ledger, WhenRedisFails.failClosed());
        call.body(REQUEST);

        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() -> call.admit(Denials.THROW, AT_MOST, () -> false))
                .withMessageContaining("the guard failed");
        assertThatExceptionOfType(ExecutionException.class)
                .isThrownBy(() -> call.admitAsync(Denials.THROW, AT_MOST).get())
                .withCauseInstanceOf(GuardUnavailableException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"apiKey", "provider"})
    void aCallThatCannotBeDescribedGoesUncountedWhenTheGuardFailsOpen(String stage) throws Exception {
        HttpCall call = call(failing(stage, IllegalStateException::new), ledger, WhenRedisFails.failOpen());
        call.body(REQUEST);

        admitted(call.admit(Denials.THROW, AT_MOST, () -> false)).noAnswer();
        admitted(call.admitAsync(Denials.THROW, AT_MOST).get()).noAnswer();

        assertThat(events.failedOpen).hasSize(2);
        assertThat(events.settlements).isEmpty();
    }

    @Test
    void aLedgerThatBreaksIsLikeOneThatIsAway() throws Exception {
        Ledger broken = brokenLedger(IllegalStateException::new);

        assertThatExceptionOfType(GuardUnavailableException.class)
                .isThrownBy(() ->
                        call(DIALECT, broken, WhenRedisFails.failClosed()).admit(Denials.THROW, AT_MOST, () -> false))
                .withMessageContaining("the guard failed");
        assertThat(answered(call(DIALECT, broken, WhenRedisFails.failClosed())
                                .admitAsync(Denials.answer(), AT_MOST)
                                .get())
                        .status())
                .isEqualTo(503);
        admitted(call(DIALECT, broken, WhenRedisFails.failOpen()).admit(Denials.THROW, AT_MOST, () -> false))
                .noAnswer();
        assertThat(events.failedOpen).hasSize(1);
    }

    @Test
    void aDenialThatCannotBeWrittenAsTheProviderWouldIsStillADenial() throws Exception {
        Dialect dialect = failing("errorBody", IllegalStateException::new);
        limit = Limit.requests(1).perMinute();
        admitted(call(DIALECT, ledger, WhenRedisFails.failClosed()).admit(Denials.THROW, AT_MOST, () -> false));

        Admittance admittance =
                call(dialect, ledger, WhenRedisFails.failOpen()).admit(Denials.answer(), AT_MOST, () -> false);

        assertThat(events.failedOpen).isEmpty();
        assertThat(answered(admittance).status()).isEqualTo(429);
        assertThat(new String(answered(admittance).body(), StandardCharsets.UTF_8))
                .contains("budget 'b' is spent");
    }

    @ParameterizedTest
    @ValueSource(strings = {"responsePaths", "response", "usage"})
    void anAnswerThatCannotBeMeteredKeepsItsEstimate(String stage) throws Exception {
        HttpCall call = call(failing(stage, IllegalStateException::new), ledger, WhenRedisFails.failClosed());
        call.body(REQUEST);
        Exchange exchange = admitted(call.admit(Denials.THROW, AT_MOST, () -> false));

        answer(exchange, 200, RESPONSE);

        assertThat(settlement().actual()).isEqualTo(settlement().estimate());
        assertThat(settlement().outcome()).isEqualTo(Outcome.ESTIMATE_KEPT);
    }

    @Test
    void aFaultAboutRateLimitHeadersDoesNotReachTheUsersResponse() throws Exception {
        limit = Limit.requests(100).perMinute().correctedByProvider();
        HttpCall call = call(failing("remaining", IllegalStateException::new), ledger, WhenRedisFails.failClosed());
        call.body(REQUEST);
        Exchange exchange = admitted(call.admit(Denials.THROW, AT_MOST, () -> false));

        answer(exchange, 200, RESPONSE);

        assertThat(settlement().outcome()).isEqualTo(Outcome.REPORTED);
        assertThat(settlement().actual().input()).isEqualTo(8);
    }

    @Test
    void anEndThatCannotBeJudgedKeepsItsEstimate() throws Exception {
        HttpCall call = call(failing("billable", IllegalStateException::new), ledger, WhenRedisFails.failClosed());
        call.body(REQUEST);
        Exchange exchange = admitted(call.admit(Denials.THROW, AT_MOST, () -> false));

        answer(exchange, 503, "{\"error\":{\"type\":\"server_error\"}}".getBytes(StandardCharsets.UTF_8));

        assertThat(settlement().outcome()).isEqualTo(Outcome.ESTIMATE_KEPT);
    }

    @Test
    void anErrorOfTheMachineIsNeverHidden() throws Exception {
        HttpCall reading = call(failing("request", OutOfMemoryError::new), ledger, WhenRedisFails.failOpen());
        assertThatExceptionOfType(OutOfMemoryError.class).isThrownBy(() -> reading.body(REQUEST));

        Ledger broken = brokenLedger(OutOfMemoryError::new);
        assertThatExceptionOfType(OutOfMemoryError.class)
                .isThrownBy(() ->
                        call(DIALECT, broken, WhenRedisFails.failOpen()).admit(Denials.THROW, AT_MOST, () -> false));
        assertThatExceptionOfType(OutOfMemoryError.class)
                .isThrownBy(
                        () -> call(DIALECT, broken, WhenRedisFails.failOpen()).admitAsync(Denials.THROW, AT_MOST));

        Exchange metering = admitted(call(failing("response", OutOfMemoryError::new), ledger, WhenRedisFails.failOpen())
                .admit(Denials.THROW, AT_MOST, () -> false));
        assertThatExceptionOfType(OutOfMemoryError.class).isThrownBy(() -> answer(metering, 200, RESPONSE));
    }

    // ------------------------------------------------------------------------------------------------------- the parts

    private HttpCall call(Dialect dialect, Ledger ledger, WhenRedisFails policy) {
        Fingerprint fingerprint = new Fingerprint(new byte[16]);
        PriceList prices = PriceList.bundled();
        Limiter limiter = new Limiter(
                new Subjects(
                        List.of(Budget.named("b").limit(limit)),
                        prefix,
                        "apiKey",
                        fingerprint,
                        new Cardinality(1_000, System::nanoTime)),
                ledger,
                prices,
                fingerprint,
                WhenExhausted.reject(),
                policy,
                Duration.ofSeconds(5),
                Duration.ZERO,
                Listeners.of(events));
        return new HttpCall(
                limiter,
                new Estimator(prices),
                OutputHistory.none(),
                new Charges(prices),
                StreamUsage.ASKED_FOR,
                new CallSites(),
                new KnownCalls(),
                new HeaderAttributes(Map.of()),
                Optional.of(dialect),
                Target.of("POST", URI.create("https://api.test/v1/chat/completions")),
                name -> List.of(),
                CallAttributes.none());
    }

    private static Dialect failing(String stage, Supplier<Throwable> bug) {
        return failing(Dialect.class, DIALECT, stage, bug);
    }

    private Ledger brokenLedger(Supplier<Throwable> bug) {
        return failing(Ledger.class, ledger, "reserve", bug);
    }

    /** The real one, with a bug in the methods whose names begin with {@code stage}. */
    private static <T> T failing(Class<T> type, T real, String stage, Supplier<Throwable> bug) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(), new Class<?>[] {type}, (proxy, method, arguments) -> {
                    if (method.getName().startsWith(stage)) {
                        throw bug.get();
                    }
                    try {
                        return method.invoke(real, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getTargetException();
                    }
                }));
    }

    private static void answer(Exchange exchange, int status, byte[] body) {
        Map<String, String> headers = Map.of("content-type", "application/json");
        exchange.answered(status, name -> Optional.ofNullable(headers.get(name)));
        exchange.bytes(ByteBuffer.wrap(body));
        exchange.complete();
    }

    private static Exchange admitted(Admittance admittance) {
        assertThat(admittance).isInstanceOf(Admittance.Admitted.class);
        return ((Admittance.Admitted) admittance).exchange();
    }

    private static LocalAnswer answered(Admittance admittance) throws IOException {
        assertThat(admittance).isInstanceOf(Admittance.Answered.class);
        return ((Admittance.Answered) admittance).answer();
    }

    private GuardListener.Settlement settlement() {
        assertThat(events.settlements).hasSize(1);
        return events.settlements.get(0);
    }
}
