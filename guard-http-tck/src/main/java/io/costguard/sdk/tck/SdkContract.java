package io.costguard.sdk.tck;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.costguard.Budget;
import io.costguard.BudgetExceededException;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.Denials;
import io.costguard.GuardListener;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.LimitStatus;
import io.costguard.Outcome;
import io.costguard.Permit;
import io.costguard.WhenExhausted;
import io.costguard.http.tck.Leaks;
import io.costguard.sdk.tck.ReplayingProvider.Answer;
import io.costguard.testing.Recordings.Exchange;
import io.costguard.testing.RedisForTests;
import java.io.Closeable;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What is true of every SDK that has a guard in it, with the real SDK, a real Redis, and a provider on this machine that answers as one was
 * recorded; sync and, where the SDK has that, async. The tests of an example extend it, and say how the SDK is made and used.
 *
 * <p>How often an SDK asks a guard that denies is not said by the example but measured, and is written in the table of {@code
 * docs/sdks.md}: a test fails where that says otherwise, and writes the row with {@code -Dcostguard.docs=write}.
 */
@Timeout(180)
@TestInstance(Lifecycle.PER_CLASS)
public abstract class SdkContract {
    private static final boolean WRITES_DOCS = "write".equals(System.getProperty("costguard.docs"));
    private static final Pattern VERSIONED_JAR = Pattern.compile(".*?-(\\d[\\w.+-]*)\\.jar");

    private final RedisForTests redis = RedisForTests.shared();
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final Map<Case, Future<Attempts>> measured = new HashMap<>();
    private @Nullable Future<Throwable> programWithoutRedis;

    /** How the SDK is called. */
    public enum Mode {
        SYNC,
        ASYNC
    }

    /** Where an SDK repeats a call that its provider refused. */
    public enum Retries {
        /** Above the guard: each attempt is a call to the guard. */
        ABOVE_THE_GUARD,
        /** Below it: the attempts are one call to the guard. */
        BELOW_THE_GUARD,
        /** It does not. */
        NONE
    }

    /** What a guard says in the place of a provider, or throws. */
    public enum Refusal {
        /** What passes soon. */
        PASSING("429"),
        /** What passes soon, of a call that has waited for it already: not to be tried again. */
        WAITED_IN_VAIN("429"),
        /** What does not pass soon. */
        LASTING("402"),
        /** Redis did not decide. */
        UNAVAILABLE("503"),
        /** What passes soon, thrown. */
        THROWN("`IOException`");

        private final String called;

        Refusal(String called) {
            this.called = called;
        }
    }

    /** What came of a call that a guard refused: how often the guard was asked, and what the caller got. */
    private record Attempts(int count, Throwable thrown) {}

    private record Case(Refusal refusal, Mode mode) {}

    // --- what an example says

    /** The SDK's name, by which it is known in the docs. */
    protected abstract String name();

    /** A class of the SDK, whose jar tells its version. */
    protected abstract Class<?> anchor();

    /** Where the guard goes in, in Markdown. */
    protected abstract String entry();

    /** How it is called: both, or what there is. */
    protected abstract Set<Mode> modes();

    /** How it is called for an answer that streams. */
    protected Set<Mode> streamingModes() {
        return modes();
    }

    /** In which of those its caller gets an event before the provider has sent the last. */
    protected Set<Mode> liveModes() {
        return streamingModes();
    }

    /** In which of those a stream that is given up is ended, and does not go on beneath. */
    protected Set<Mode> cancellingModes() {
        return liveModes();
    }

    protected abstract Retries retries();

    /** What answers a call. */
    protected abstract Exchange answer();

    /** What answers a streaming call. */
    protected abstract Exchange streamed();

    /**
     * The SDK with this guard in it.
     *
     * @param provider scheme, host and port: the rest of the base URL is the SDK's affair
     */
    protected abstract SdkClient client(CostGuard guard, URI provider, String apiKey, Mode mode) throws Exception;

    /** The SDK's own error that its caller gets. */
    protected abstract Class<? extends Throwable> thrownOn(Refusal refusal);

    /** In that mode, where it is another. */
    protected Class<? extends Throwable> thrownOn(Refusal refusal, Mode mode) {
        return thrownOn(refusal);
    }

    protected abstract Program program();

    /** How much of the body of {@link #streamed} holds the first event, and not the last. */
    protected int firstPart(byte[] body) {
        return body.length * 3 / 4;
    }

    /** What the guard takes for the key, where that is not all that the SDK is given. */
    protected String countedPer(String apiKey) {
        return apiKey;
    }

    // --- a call

    @ParameterizedTest
    @MethodSource("modes")
    void aCallIsReservedAndSettledToWhatTheProviderReported(Mode mode) throws Exception {
        try (Stage stage = new Stage(Answer.of(answer()))) {
            CostGuard guard = stage.guard(ledger());

            assertThat(stage.client(guard, mode).call(answer().model())).isNotBlank();

            GuardListener.Settlement settled = stage.settled();
            assertThat(settled.outcome()).isEqualTo(Outcome.REPORTED);
            assertThat(settled.call().model())
                    .isEqualTo(GuardedCall.of(answer().model()).model());
            assertThat(charged(guard))
                    .containsExactly(
                            1L,
                            answer().reportedInput().orElseThrow(),
                            answer().reportedOutput().orElseThrow());
            assertThat(stage.provider.asked()).isEqualTo(1);
        }
    }

    @ParameterizedTest
    @MethodSource("streamingModes")
    void aStreamIsWithItsCallerBeforeItHasEndedAndIsSettledAtItsEnd(Mode mode) throws Exception {
        CountDownLatch rest = new CountDownLatch(1);
        try (Stage stage = new Stage(Answer.of(streamed(), firstPart(streamed().response()), rest))) {
            CostGuard guard = stage.guard(ledger());
            if (!liveModes().contains(mode)) {
                rest.countDown();
            }

            try (SdkClient.Events events =
                    stage.client(guard, mode).stream(streamed().model())) {
                assertThat(events.next()).isTrue();
                if (liveModes().contains(mode)) {
                    assertThat(stage.settlements).isEmpty();
                    rest.countDown();
                }
                while (events.next()) {
                    // The rest.
                }
            }

            assertThat(stage.settled().outcome()).isEqualTo(Outcome.REPORTED);
            assertThat(charged(guard))
                    .containsExactly(
                            1L,
                            streamed().reportedInput().orElseThrow(),
                            streamed().reportedOutput().orElseThrow());
        }
    }

    @ParameterizedTest(allowZeroInvocations = true)
    @MethodSource("cancellingModes")
    void aStreamThatIsGivenUpKeepsWhatPassed(Mode mode) throws Exception {
        CountDownLatch never = new CountDownLatch(1);
        try (Stage stage = new Stage(Answer.of(streamed(), firstPart(streamed().response()), never))) {
            CostGuard guard = stage.guard(ledger());

            try (SdkClient.Events events =
                    stage.client(guard, mode).stream(streamed().model())) {
                assertThat(events.next()).isTrue();
            }

            GuardListener.Settlement settled = stage.settled();
            assertThat(settled.actual().input()).isPositive();
            assertThat(settled.actual().output())
                    .isPositive()
                    .isLessThan(settled.estimate().output());
            assertThat(charged(guard))
                    .containsExactly(
                            1L, settled.actual().input(), settled.actual().output());
        }
    }

    @ParameterizedTest
    @MethodSource("modes")
    void aCallWaitsForItsTurnAndGoes(Mode mode) throws Exception {
        try (Stage stage = new Stage(Answer.of(answer()))) {
            CostGuard guard = stage.guard(stage.builder()
                    .budget(Budget.named("one").per().limit(Limit.requests(1).perMinute()))
                    .whenExhausted(WhenExhausted.waitUpTo(Duration.ofMinutes(5))));
            Permit other = guard.acquire(GuardedCall.of("another"));
            SdkClient client = stage.client(guard, mode);

            Future<String> call = threads.submit(() -> client.call(answer().model()));
            stage.waiting();
            assertThat(stage.provider.asked()).isZero();
            other.release();

            assertThat(call.get()).isNotBlank();
            assertThat(charged(guard)).containsExactly(1L);
        }
    }

    @ParameterizedTest
    @MethodSource("modes")
    @Tag("fault-24")
    void eachAttemptOfACallIsAReservationOfItsOwnAfterTheOneBeforeWasSettled(Mode mode) throws Exception {
        try (Stage stage = new Stage(Answer.error(429), Answer.error(500), Answer.of(answer()))) {
            // Its provider says when to come back, which nobody else may do earlier.
            CostGuard guard = stage.guard(
                    stage.builder().budget(ledger()).whenExhausted(WhenExhausted.waitUpTo(Duration.ofMinutes(2))));
            SdkClient client = stage.client(guard, mode);

            Throwable failure = catchThrowable(() -> client.call(answer().model()));

            List<Outcome> outcomes = switch (retries()) {
                case ABOVE_THE_GUARD -> List.of(Outcome.REFUNDED, Outcome.ESTIMATE_KEPT, Outcome.REPORTED);
                case BELOW_THE_GUARD -> List.of(Outcome.REPORTED);
                case NONE -> List.of(Outcome.REFUNDED);
            };
            if (retries() == Retries.NONE) {
                assertThat(own(failure)).isInstanceOf(thrownOn(Refusal.PASSING));
            } else {
                assertThat(failure).isNull();
            }
            List<String> course = new ArrayList<>();
            List<Cost> actual = new ArrayList<>();
            for (Outcome outcome : outcomes) {
                GuardListener.Settlement settled = stage.settled();
                assertThat(settled.outcome()).isEqualTo(outcome);
                actual.add(settled.actual());
                course.addAll(List.of("granted", "settled"));
            }
            assertThat(stage.course).containsExactlyElementsOf(course);
            assertThat(stage.provider.asked()).isEqualTo(retries() == Retries.NONE ? 1 : 3);
            assertThat(charged(guard))
                    .containsExactly(
                            (long) outcomes.size(),
                            actual.stream().mapToLong(Cost::input).sum(),
                            actual.stream().mapToLong(Cost::output).sum());
        }
    }

    @ParameterizedTest
    @MethodSource("modes")
    void theApiKeyIsCountedApartAndNotToldToRedis(Mode mode) throws Exception {
        try (Leaks leaks = Leaks.watch(redis);
                Stage stage = new Stage(Answer.of(answer()))) {
            CostGuard guard = stage.guard(
                    Budget.named("keyed").per("apiKey").limit(Limit.requests(9).perDay()));
            stage.client(guard, mode).call(answer().model());
            stage.settled();

            assertThat(charged(guard, GuardedCall.of("any").with("apiKey", countedPer(stage.apiKey))))
                    .containsExactly(1L);
            leaks.assertRedisKnowsNothingOf(stage.apiKey, stage.prefix);
        }
    }

    // --- a denial

    @BeforeAll
    void measure() {
        // All at once, since SDKs wait between their attempts.
        programWithoutRedis = threads.submit(this::programWithoutRedis);
        for (Mode mode : modes()) {
            for (Refusal refusal : Refusal.values()) {
                measured.put(new Case(refusal, mode), threads.submit(() -> attempts(refusal, mode)));
            }
        }
    }

    @AfterAll
    void stop() {
        threads.shutdownNow();
    }

    private Attempts attempts(Refusal refusal, Mode mode) throws Exception {
        AttemptCounter counter = new AttemptCounter();
        try (Stage stage = new Stage()) {
            CostGuard guard = switch (refusal) {
                case PASSING -> busy(stage, stage.builder().dialect(counter));
                case WAITED_IN_VAIN ->
                    busy(
                            stage,
                            stage.builder()
                                    .dialect(counter)
                                    .whenExhausted(WhenExhausted.waitUpTo(Duration.ofMillis(10))));
                case THROWN -> busy(stage, stage.builder().dialect(counter).denials(Denials.throwException()));
                case LASTING -> spent(stage, stage.builder().dialect(counter));
                case UNAVAILABLE ->
                    stage.guard(stage.builder()
                            .redis("redis://127.0.0.1:1")
                            .decisionTimeout(Duration.ofMillis(20))
                            .budget(ledger())
                            .dialect(counter));
            };
            SdkClient client = stage.client(guard, mode);

            Throwable thrown = catchThrowable(() -> client.call(answer().model()));

            assertThat(thrown)
                    .as("what a caller gets of a call that is %s", refusal)
                    .isNotNull();
            assertThat(stage.provider.asked()).isZero();
            return new Attempts(counter.attempts(), own(thrown));
        }
    }

    private Attempts measured(Refusal refusal, Mode mode) throws Exception {
        return Objects.requireNonNull(measured.get(new Case(refusal, mode))).get();
    }

    /** Denies everything, with a second to come back after. */
    private static CostGuard busy(Stage stage, CostGuard.Builder builder) throws Exception {
        CostGuard guard = stage.guard(builder.budget(Budget.named("busy").per().limit(Limit.concurrentCalls(1))));
        stage.open.push(guard.acquire(GuardedCall.of("another"))::close);
        return guard;
    }

    /** Denies everything for a long time. */
    private static CostGuard spent(Stage stage, CostGuard.Builder builder) throws Exception {
        CostGuard guard = stage.guard(builder.budget(
                Budget.named("spent").per().limit(Limit.requests(1).per(Duration.ofDays(366)))));
        stage.open.push(guard.acquire(GuardedCall.of("another"))::close);
        return guard;
    }

    /** What was thrown, without what futures wrap it in. */
    private static Throwable own(Throwable thrown) {
        Throwable cause = thrown.getCause();
        return (thrown instanceof ExecutionException || thrown instanceof CompletionException) && cause != null
                ? own(cause)
                : thrown;
    }

    Stream<Arguments> refusals() {
        return modes().stream()
                .flatMap(mode -> Arrays.stream(Refusal.values()).map(refusal -> Arguments.of(refusal, mode)));
    }

    @ParameterizedTest
    @MethodSource("refusals")
    void aDenialIsTheSdksOwnError(Refusal refusal, Mode mode) throws Exception {
        Throwable thrown = measured(refusal, mode).thrown();

        assertThat(thrown).isExactlyInstanceOf(thrownOn(refusal, mode));
        if (refusal == Refusal.THROWN) {
            assertThat(thrown)
                    .satisfiesAnyOf(
                            itself -> assertThat(itself).isInstanceOf(BudgetExceededException.class),
                            itself -> assertThat(itself).hasRootCauseInstanceOf(BudgetExceededException.class));
        }
    }

    // --- the docs

    @Test
    void theDocsSayHowOftenADenialIsTried() throws Exception {
        String row = row();
        SdkDocs docs = SdkDocs.ofThisCheckout();
        if (WRITES_DOCS) {
            docs.write(name(), row);
        }

        assertThat(docs.row(name()))
                .as("written anew with -Dcostguard.docs=write")
                .contains(row);
    }

    private String row() throws Exception {
        List<String> cells = new ArrayList<>(List.of(name(), version(), entry()));
        for (Refusal refusal : Refusal.values()) {
            cells.add(attempts(refusal));
        }
        cells.add(errors());
        return "| " + String.join(" | ", cells) + " |";
    }

    private String version() throws Exception {
        Path jar = Path.of(
                anchor().getProtectionDomain().getCodeSource().getLocation().toURI());
        Matcher matcher = VERSIONED_JAR.matcher(String.valueOf(jar.getFileName()));
        assertThat(matcher.matches()).as("the version in the name of %s", jar).isTrue();
        return matcher.group(1);
    }

    private String attempts(Refusal refusal) throws Exception {
        Map<Mode, Integer> counts = new TreeMap<>();
        for (Mode mode : modes()) {
            counts.put(mode, measured(refusal, mode).count());
        }
        return Set.copyOf(counts.values()).size() == 1
                ? String.valueOf(counts.values().iterator().next())
                : counts.entrySet().stream()
                        .map(each ->
                                each.getValue() + " " + each.getKey().name().toLowerCase(Locale.ROOT))
                        .collect(Collectors.joining(", "));
    }

    /** Each error, and what it is thrown on. */
    private String errors() {
        Map<String, Set<String>> byError = new LinkedHashMap<>();
        for (Refusal refusal : Refusal.values()) {
            for (Mode mode : modes()) {
                byError.computeIfAbsent(thrownOn(refusal, mode).getSimpleName(), error -> new LinkedHashSet<>())
                        .add(refusal.called);
            }
        }
        return byError.entrySet().stream()
                .map(error -> "`" + error.getKey() + "` (" + String.join(", ", error.getValue()) + ")")
                .collect(Collectors.joining(", "));
    }

    @Test
    void theDocsShowTheProgram() throws Exception {
        SdkDocs docs = SdkDocs.ofThisCheckout();
        String source = docs.source(program().source());

        assertThat(docs.javaOf(name()))
                .isNotEmpty()
                .allSatisfy(shown -> assertThat(source).contains(shown));
    }

    // --- the program

    @Test
    void theProgramGetsItsAnswer() throws Exception {
        try (Stage stage = new Stage(Answer.of(answer()))) {
            assertThat(onceRedisDecides(stage.environment(redis.url()))).isNotBlank();
            assertThat(stage.provider.asked()).isEqualTo(1);
        }
    }

    /** What the program prints; its guard has the usual time for a decision, which a machine that stalls may miss. */
    private String onceRedisDecides(Map<String, String> environment) throws Exception {
        for (int i = 0; i < 20; i++) {
            try {
                return program().body().run(environment);
            } catch (Exception e) {
                if (!thrownOn(Refusal.UNAVAILABLE).isInstance(own(e))) {
                    throw e;
                }
            }
        }
        throw new AssertionError("Redis did not decide");
    }

    @Test
    void theProgramSendsNothingThatItsGuardDoesNotLetGo() throws Exception {
        assertThat(Objects.requireNonNull(programWithoutRedis).get())
                .isExactlyInstanceOf(thrownOn(Refusal.UNAVAILABLE));
    }

    private Throwable programWithoutRedis() throws Exception {
        try (Stage stage = new Stage(Answer.of(answer()))) {
            Map<String, String> environment = stage.environment("redis://127.0.0.1:1");

            Throwable thrown = catchThrowable(() -> program().body().run(environment));

            assertThat(stage.provider.asked()).isZero();
            assertThat(thrown).as("what the program throws").isNotNull();
            return own(thrown);
        }
    }

    // --- the words

    private static Budget ledger() {
        return Budget.named("ledger")
                .per()
                .limit(Limit.requests(1_000).perDay())
                .limit(Limit.inputTokens(100_000_000).perDay())
                .limit(Limit.outputTokens(100_000_000).perDay());
    }

    /** What each limit lacks that all calls share. */
    private static List<Long> charged(CostGuard guard) throws GuardUnavailableException {
        return charged(guard, GuardedCall.of("any"));
    }

    private static List<Long> charged(CostGuard guard, GuardedCall call) throws GuardUnavailableException {
        List<Long> charged = new ArrayList<>();
        for (LimitStatus limit : guard.status(call)) {
            charged.add(limit.capacity() - limit.balance());
        }
        return charged;
    }

    /** A provider, a key of its own in Redis, and what the guards of one test told. */
    private final class Stage implements AutoCloseable, GuardListener {
        private final ReplayingProvider provider;
        private final String prefix = redis.keyPrefix();
        private final String apiKey = "sk-canary-" + UUID.randomUUID();
        private final List<String> course = Collections.synchronizedList(new ArrayList<>());
        private final BlockingQueue<Settlement> settlements = new LinkedBlockingQueue<>();
        private final BlockingQueue<Waiting> waits = new LinkedBlockingQueue<>();
        private final Deque<Closeable> open = new ArrayDeque<>();

        Stage(Answer... answers) throws IOException {
            provider = new ReplayingProvider(answers);
            open.push(provider);
        }

        CostGuard.Builder builder() {
            // A machine that stalls fails no test.
            return CostGuard.builder()
                    .redis(redis.url())
                    .keyPrefix(prefix)
                    .listener(this)
                    .decisionTimeout(Duration.ofSeconds(10));
        }

        CostGuard guard(Budget budget) {
            return guard(builder().budget(budget));
        }

        SdkClient client(CostGuard guard, Mode mode) throws Exception {
            SdkClient client = SdkContract.this.client(guard, provider.uri(), apiKey, mode);
            open.push(client);
            return client;
        }

        Map<String, String> environment(String redisUrl) {
            return Map.of("REDIS_URL", redisUrl, "BASE_URL", provider.uri().toString(), "API_KEY", apiKey);
        }

        CostGuard guard(CostGuard.Builder builder) {
            CostGuard guard = builder.build();
            open.push(guard::close);
            return guard;
        }

        Settlement settled() throws InterruptedException {
            return next(settlements);
        }

        void waiting() throws InterruptedException {
            next(waits);
        }

        private static <T> T next(BlockingQueue<T> queue) throws InterruptedException {
            T event = queue.poll(30, TimeUnit.SECONDS);
            if (event == null) {
                throw new AssertionError("nothing was told");
            }
            return event;
        }

        @Override
        public void onGranted(Grant event) {
            course.add("granted");
        }

        @Override
        public void onWaiting(Waiting event) {
            waits.add(event);
        }

        @Override
        public void onSettled(Settlement event) {
            course.add("settled");
            settlements.add(event);
        }

        @Override
        public void close() throws IOException {
            for (Closeable each : open) {
                each.close();
            }
        }
    }
}
