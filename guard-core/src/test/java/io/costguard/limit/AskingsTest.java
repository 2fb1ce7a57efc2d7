package io.costguard.limit;

import static io.costguard.Awaiting.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.MisfitException;
import io.costguard.PriceList;
import java.lang.ref.WeakReference;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class AskingsTest {
    private static final Budget RATE =
            Budget.named("rate").limit(Limit.tokens(100).perMinute());
    private static final Budget MONEY = Budget.named("money")
            .where("tenant", "*")
            .per()
            .limit(Limit.usd("1").perDay());

    private final Askings askings = askings(RATE, MONEY);

    @Test
    void aCallThatIsUsedAgainAsksTheSame() {
        GuardedCall call = call("sk-1");

        assertThat(askings.of(call)).isSameAs(askings.of(call));
        assertThat(askings.of(call.cost(Cost.requests(1).input(9)))).isEqualTo(askings.of(call));
    }

    @Test
    void aKeysFingerprintStandsForTheKey() {
        Asking known = askings.of(call("sk-1"));
        String fingerprint = known.call().attributes().getOrDefault("apiKey", "");

        Asking asking = askings.of(GuardedCall.of(known.call().model()).with("apiKeyFingerprint", fingerprint));

        assertThat(asking.claims().get(0).subject().key())
                .isEqualTo(known.claims().get(0).subject().key());
        assertThat(asking.call().attributes()).containsEntry("apiKey", fingerprint);
    }

    @Test
    void withAnotherCostItAsksThat() {
        GuardedCall call = call("sk-1");

        for (int round = 0; round < 2; round++) {
            for (long tokens = 1; tokens < 5; tokens++) {
                Asking asking = askings.of(call.cost(Cost.requests(1).input(tokens)));

                assertThat(asking.claims().get(0).amounts()).containsExactly(tokens);
                assertThat(asking.call().cost().input()).isEqualTo(tokens);
            }
        }
    }

    @Test
    void dollarsOfTheCallAndOfThePriceListAreToldApart() {
        GuardedCall call = call("sk-1").with("tenant", "acme");
        Cost tokens = Cost.requests(1).input(1_000_000);

        assertThat(dollars(call.cost(tokens))).isEqualTo(2_500_000_000L);
        assertThat(dollars(call.cost(tokens.nanoUsd(0)))).isZero();
        assertThat(dollars(call.cost(tokens))).isEqualTo(2_500_000_000L);
    }

    @Test
    void dollarsAreThoseOfTheCallsProvider() {
        GuardedCall call =
                GuardedCall.of("llama3-8b-8192").with("tenant", "acme").with("apiKey", "sk-1");
        Cost tokens = Cost.requests(1).input(1_000_000);

        assertThat(dollars(call.with("provider", "groq").cost(tokens))).isEqualTo(50_000_000L);
    }

    @Test
    void aModelWithoutAPriceIsRefusedWithWhereItWasLookedForAndWhatToDo() {
        Askings dollars =
                askings(Budget.named("money").per().limit(Limit.usd("1").perDay()));

        assertThatExceptionOfType(MisfitException.class)
                .isThrownBy(() -> dollars.of(call("sk-1").with("model", "own").with("provider", "groq")))
                .withMessage(
                        "model 'own' of provider 'groq' has no price in the bundled prices, and budget 'money' limits"
                                + " dollars; add 'groq/own' with prices(PriceList.bundled().plus(PriceList.read(file))), give the"
                                + " call its cost with usd(..), or keep it out of that budget with models(..)");
        assertThatExceptionOfType(MisfitException.class)
                .isThrownBy(() -> dollars.of(GuardedCall.of("own")))
                .withMessageStartingWith("model 'own' without a provider has no price in the bundled prices")
                .withMessageContaining("add 'own' with");
    }

    @Test
    void aCallOfNoKnownModelIsRefusedAsThatAndNotForAMissingPrice() {
        Askings dollars =
                askings(Budget.named("money").per().limit(Limit.usd("1").perDay()));

        assertThatExceptionOfType(MisfitException.class)
                .isThrownBy(() -> dollars.of(call("sk-1").with("model", "").with("provider", "openai")))
                .withMessageStartingWith("the call's model is not known")
                .withMessageContaining("budget 'money' limits dollars")
                .withMessageNotContaining("openai/");
    }

    @Test
    void aNewCallWithEqualAttributesFallsUnderTheSameSubjects() {
        assertThat(askings.subjectsOf(call("sk-1"))).isEqualTo(askings.subjectsOf(call("sk-1")));
        assertThat(askings.subjectsOf(call("sk-1"))).isNotEqualTo(askings.subjectsOf(call("sk-2")));
        assertThat(askings.subjectsOf(call("sk-1")))
                .isNotEqualTo(askings.subjectsOf(call("sk-1").with("model", "gpt-4.1")));
    }

    @Test
    void whatWasFoundGoesWithTheAttributesItWasFoundFor() {
        List<WeakReference<Asking>> found = IntStream.range(0, 32)
                .mapToObj(i -> new WeakReference<>(askings.of(call("sk-" + i))))
                .toList();

        await(() -> {
            System.gc();
            askings.of(call("sk-of-a-newcomer"));
            return found.stream().allMatch(asking -> asking.refersTo(null));
        });
    }

    @Test
    void whatNoBudgetLooksAtIsShownAndChangesNothingElse() {
        List<Subject> subjects = askings.subjectsOf(call("sk-1"));

        for (int i = 0; i < 100; i++) {
            Asking asking = askings.of(call("sk-1").with("run", "" + i));

            assertThat(asking.claims().get(0).subject()).isSameAs(subjects.get(0));
            assertThat(asking.call().attributes()).containsEntry("run", "" + i);
        }
    }

    @Test
    void whoHasToShareHasABalanceOfItsOwnOnceThereIsRoom() {
        AtomicLong nanos = new AtomicLong();
        Askings one = askings(
                new Cardinality(1, nanos::get),
                Budget.named("tenants").per("tenant").limit(Limit.requests(1).perDay()));
        GuardedCall first = call("sk-1").with("tenant", "first");
        GuardedCall second = call("sk-1").with("tenant", "second");
        List<Subject> own = one.subjectsOf(first);
        List<Subject> shared = one.subjectsOf(second);
        assertThat(shared).isNotEqualTo(own);
        assertThat(one.subjectsOf(call("sk-1").with("tenant", "third"))).isEqualTo(shared);

        nanos.addAndGet(Duration.ofHours(1).toNanos());
        assertThat(one.subjectsOf(second)).isEqualTo(shared);
        nanos.addAndGet(Duration.ofHours(1).toNanos());

        assertThat(one.subjectsOf(second)).isNotEqualTo(shared).isNotEqualTo(own);
        assertThat(one.subjectsOf(first)).isEqualTo(shared);
    }

    @Test
    void anAttributeThatIsThereOnlySometimesIsLookedAtEachTime() {
        assertThat(askings.subjectsOf(call("sk-1"))).hasSize(1);
        assertThat(askings.subjectsOf(call("sk-1").with("tenant", "acme"))).hasSize(2);
        assertThat(askings.subjectsOf(call("sk-1"))).hasSize(1);
    }

    @Test
    void aCallThatCannotBeJudgedIsRefusedEachTime() {
        Askings strict =
                askings(Budget.named("b").per("tenant").limit(Limit.requests(1).perDay()));
        GuardedCall call = call("sk-1");

        for (int i = 0; i < 2; i++) {
            assertThatExceptionOfType(MisfitException.class)
                    .isThrownBy(() -> strict.of(call))
                    .withMessageStartingWith("unknown attribute 'tenant'")
                    .withMessageContaining("has only [apiKey, model, provider]");
        }
    }

    @Test
    void moreCallsThanAreRememberedEachFindTheirOwn() {
        List<GuardedCall> calls =
                IntStream.range(0, 5_000).mapToObj(i -> call("sk-" + i)).toList();
        List<List<Subject>> first = calls.stream().map(askings::subjectsOf).toList();

        assertThat(first).doesNotHaveDuplicates();
        assertThat(calls.stream().map(askings::subjectsOf)).isEqualTo(first);
    }

    private long dollars(GuardedCall call) {
        return askings.of(call).claims().get(1).amounts()[0];
    }

    private static GuardedCall call(String key) {
        return GuardedCall.of("gpt-4o")
                .with("apiKey", key)
                .cost(Cost.requests(1).input(9));
    }

    private static Askings askings(Budget... budgets) {
        return askings(new Cardinality(100_000, System::nanoTime), budgets);
    }

    private static Askings askings(Cardinality cardinality, Budget... budgets) {
        Fingerprint fingerprint = new Fingerprint(new byte[16]);
        return new Askings(
                new Subjects(List.of(budgets), "p", "apiKey", fingerprint, cardinality),
                PriceList.bundled(),
                fingerprint);
    }
}
