package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CallAttributesTest {
    private static final CallAttributes ACME = CallAttributes.of("tenant", "acme");

    private final ExecutorService pool = Executors.newSingleThreadExecutor();

    @AfterEach
    void closePool() {
        pool.shutdownNow();
    }

    // --- what they are

    @Test
    void eachStepGivesNewOnes() {
        CallAttributes more = ACME.with("run", "7").with("tenant", "other").whenExhausted(WhenExhausted.reject());

        assertThat(ACME.attributes()).isEqualTo(Map.of("tenant", "acme"));
        assertThat(ACME.whenExhausted()).isEmpty();
        assertThat(more.attributes()).isEqualTo(Map.of("tenant", "other", "run", "7"));
        assertThat(more.whenExhausted()).contains(WhenExhausted.reject());
        assertThat(more).hasToString("{run=7, tenant=other}, reject");
    }

    @Test
    void ofTwoTheLaterCounts() {
        WhenExhausted patient = WhenExhausted.waitUpTo(Duration.ofMinutes(1));
        CallAttributes both =
                ACME.with("run", "7").whenExhausted(WhenExhausted.reject()).with(CallAttributes.of("tenant", "other"));

        assertThat(both.attributes()).isEqualTo(Map.of("tenant", "other", "run", "7"));
        assertThat(both.whenExhausted()).contains(WhenExhausted.reject());
        assertThat(both.with(CallAttributes.none().whenExhausted(patient)).whenExhausted())
                .contains(patient);
    }

    @ParameterizedTest
    @ValueSource(strings = {"model", "provider", "apiKey", "apiKeyFingerprint"})
    void whatTheGuardReadsItselfCannotBeSaid(String attribute) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> CostGuard.with(Map.of(attribute, "x")))
                .withMessageStartingWith("attribute '" + attribute + "' is what the guard reads in a call itself");
    }

    @ParameterizedTest
    @CsvSource({"api_key, apiKey", "Model, model", "PROVIDER, provider"})
    void norCanItBeSpelledOtherwise(String attribute, String meant) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> CallAttributes.of(attribute, "x"))
                .withMessage("unknown attribute '" + attribute + "'; did you mean '" + meant + "'?");
    }

    @Test
    void aBlankNameAndALongValueAreRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> CallAttributes.of(" ", "x"));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> CallAttributes.of("tenant", "x".repeat(4_097)))
                .withMessage("attribute 'tenant' must be at most 4,096 characters long, not 4097");
    }

    // --- of a thread

    @Test
    void theyAreSaidUntilTheBodyReturns() {
        String answer = CostGuard.with(Map.of("tenant", "acme")).call(() -> {
            assertThat(said()).isEqualTo(Map.of("tenant", "acme"));
            return "done";
        });

        assertThat(answer).isEqualTo("done");
        assertThat(said()).isEmpty();
    }

    @Test
    void whatTheBodyThrowsIsThrownAndNothingIsSaidAfterIt() {
        IOException failure = new IOException("the body's");

        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> ACME.call(() -> {
                    throw failure;
                }))
                .isSameAs(failure);
        assertThat(said()).isEmpty();
    }

    @Test
    void inAnotherOnesBodyTheyAreAddedAndAfterItTheOthersAreLeft() {
        ACME.with("run", "7").call(() -> {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> CostGuard.with(Map.of("run", "8", "user", "ann"))
                            .call(() -> {
                                assertThat(said()).isEqualTo(Map.of("tenant", "acme", "run", "8", "user", "ann"));
                                throw new IllegalArgumentException();
                            }));
            assertThat(said()).isEqualTo(Map.of("tenant", "acme", "run", "7"));
            return true;
        });
    }

    @Test
    void threadsOfAPoolAreNotTold() throws Exception {
        Map<String, String> seen =
                ACME.call(() -> pool.submit(CallAttributesTest::said).get());

        assertThat(seen).isEmpty();
    }

    @Test
    void tasksOfAWrappedExecutorAreToldWhatIsSaidWhereTheyAreHandedOverAndLeaveNothing() throws Exception {
        Executor wrapped = CostGuard.wrap(pool);

        Map<String, String> seen = ACME.call(() ->
                CompletableFuture.supplyAsync(CallAttributesTest::said, wrapped).get());

        assertThat(seen).isEqualTo(Map.of("tenant", "acme"));
        assertThat(pool.submit(CallAttributesTest::said).get()).isEmpty();
        assertThat(CompletableFuture.supplyAsync(CallAttributesTest::said, wrapped)
                        .get())
                .isEmpty();
    }

    @Test
    void aTaskThatRunsUnderSomethingElseIsToldOnlyWhatWasSaidWhereItWasHandedOver() {
        List<Runnable> later = new ArrayList<>();
        Executor wrapped = CostGuard.wrap(later::add);
        List<Map<String, String>> seen = new ArrayList<>();
        ACME.call(() -> {
            wrapped.execute(() -> seen.add(said()));
            return true;
        });

        CallAttributes.of("run", "7").call(() -> {
            later.forEach(Runnable::run);
            assertThat(said()).isEqualTo(Map.of("run", "7"));
            return true;
        });

        assertThat(seen).containsExactly(Map.of("tenant", "acme"));
    }

    @Test
    @EnabledForJreRange(min = JRE.JAVA_21, disabledReason = "there are no virtual threads before")
    void eachVirtualThreadIsToldItsOwn() throws Exception {
        int threads = 1_000;
        CyclicBarrier all = new CyclicBarrier(threads);
        ExecutorService virtual = (ExecutorService)
                Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
        try {
            List<Future<Map<String, String>>> seen = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                CallAttributes own = CallAttributes.of("run", "" + i);
                seen.add(virtual.submit(() -> own.call(() -> {
                    all.await(60, TimeUnit.SECONDS);
                    return said();
                })));
            }
            for (int i = 0; i < threads; i++) {
                assertThat(seen.get(i).get()).isEqualTo(Map.of("run", "" + i));
            }
        } finally {
            virtual.shutdownNow();
        }
    }

    // --- of a call

    @Test
    void aCallSaysItselfWhatCountsAndIsToldTheRest() {
        GuardedCall call = GuardedCall.of("m").with("tenant", "own").within(ACME.with("run", "7"));

        assertThat(call.attributes()).isEqualTo(Map.of("model", "m", "provider", "", "tenant", "own", "run", "7"));
    }

    @Test
    void itsOwnAnswerToASpentBudgetCountsBeforeTheOneAroundIt() {
        WhenExhausted patient = WhenExhausted.waitUpTo(Duration.ofMinutes(1));
        CallAttributes around = CallAttributes.none().whenExhausted(patient);

        assertThat(GuardedCall.of("m").within(around).whenExhausted()).contains(patient);
        assertThat(GuardedCall.of("m")
                        .whenExhausted(WhenExhausted.reject())
                        .within(around)
                        .whenExhausted())
                .contains(WhenExhausted.reject());
    }

    private static Map<String, String> said() {
        return CallAttributes.current().attributes();
    }
}
