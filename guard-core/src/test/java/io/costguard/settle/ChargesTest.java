package io.costguard.settle;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Cost;
import io.costguard.Outcome;
import io.costguard.PriceList;
import io.costguard.ServiceTier;
import io.costguard.describe.Dialect;
import io.costguard.describe.Target;
import io.costguard.describe.Usage;
import io.costguard.describe.dialects.Dialects;
import io.costguard.settle.Charges.Charged;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.LongSupplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("fault-22")
class ChargesTest {
    private static final Optional<Dialect> OPENAI =
            Dialects.bundled().of(Target.of("POST", URI.create("https://api.openai.com/v1/chat/completions")));
    private static final Optional<Dialect> ANTHROPIC =
            Dialects.bundled().of(Target.of("POST", URI.create("https://api.anthropic.com/v1/messages")));
    private static final String MODEL = "gpt-4o";
    private static final Set<ServiceTier> STANDARD = Set.of(ServiceTier.STANDARD);
    /** gpt-4o: 2.5 dollars a million of input, 10 of output. */
    private static final Cost ESTIMATE =
            Cost.requests(1).input(1_000).output(500).usd("0.0075");

    private static final Usage USAGE = Usage.of(900, 100);
    private static final Cost USED = Cost.requests(1).input(900).output(100).usd("0.00325");
    private static final Cost REQUEST_ALONE = Cost.requests(1).usd("0");

    private final Charges charges = new Charges(PriceList.bundled());

    static IntStream statuses() {
        return IntStream.rangeClosed(200, 599);
    }

    @ParameterizedTest
    @MethodSource("statuses")
    void reportedUsageCountsWhateverTheStatus(int status) {
        assertThat(answered(status, metered(Optional.of(USAGE), 0, "", Metered.State.COMPLETE), OPENAI))
                .isEqualTo(new Charged(USED, Outcome.REPORTED));
    }

    @Test
    void outputIsNotCountedWhereUsageIsReported() {
        LongSupplier nobodyCounts = () -> {
            throw new AssertionError("counted");
        };

        assertThat(answered(
                        200,
                        new Metered(Optional.of(USAGE), nobodyCounts, Optional.empty(), "", Metered.State.COMPLETE),
                        OPENAI))
                .isEqualTo(new Charged(USED, Outcome.REPORTED));
    }

    @Test
    void whereNoInputIsReportedItsEstimateStays() {
        assertThat(answered(200, metered(Optional.of(Usage.of(0, 100)), 0, "", Metered.State.COMPLETE), OPENAI))
                .isEqualTo(new Charged(Cost.requests(1).input(1_000).output(100).usd("0.0035"), Outcome.REPORTED));
    }

    @Test
    void whatTheProviderSaysThatACallCostIsWhatItCost() {
        Metered metered =
                metered(Optional.of(USAGE.withNanoUsd(OptionalLong.of(123_456))), 0, "", Metered.State.COMPLETE);

        assertThat(answered(200, metered, OPENAI))
                .isEqualTo(new Charged(Cost.requests(1).input(900).output(100).nanoUsd(123_456), Outcome.REPORTED));
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, Long.MIN_VALUE, Cost.MAX_AMOUNT + 1, Long.MAX_VALUE})
    void moneyThatMakesNoSenseIsNotBelieved(long nanoUsd) {
        Metered metered =
                metered(Optional.of(USAGE.withNanoUsd(OptionalLong.of(nanoUsd))), 0, "", Metered.State.COMPLETE);

        assertThat(answered(200, metered, OPENAI)).isEqualTo(new Charged(USED, Outcome.REPORTED));
    }

    @ParameterizedTest
    @ValueSource(longs = {0, Cost.MAX_AMOUNT})
    void whatCostsNothingOrTheMostThatThereIsIsBelieved(long nanoUsd) {
        Metered metered =
                metered(Optional.of(USAGE.withNanoUsd(OptionalLong.of(nanoUsd))), 0, "", Metered.State.COMPLETE);

        assertThat(answered(200, metered, OPENAI).actual())
                .isEqualTo(Cost.requests(1).input(900).output(100).nanoUsd(nanoUsd));
    }

    @Test
    void aProvidersOwnPriceIsCharged() throws IOException {
        PriceList prices = PriceList.bundled().plus(list("{'groq/gpt-4o':{'input_cost_per_token':1e-6}}"));
        Metered metered = metered(Optional.of(USAGE), 0, "", Metered.State.COMPLETE);

        assertThat(new Charges(prices)
                        .of(new Ending.Answered(200, metered), ESTIMATE, OPENAI, "groq", MODEL, STANDARD)
                        .actual())
                .isEqualTo(Cost.requests(1).input(900).output(100).usd("0.0009"));
    }

    @ParameterizedTest
    @CsvSource({"FLEX, 0.0005", "STANDARD, 0.001", "PRIORITY, 0.002"})
    void whatIsChargedIsOfTheTierInWhichTheAnswerSaysThatItWasServed(ServiceTier tier, String dollars)
            throws IOException {
        Metered reported = served(Optional.of(USAGE), Optional.of(tier));

        assertThat(inTiers(Set.of(ServiceTier.PRIORITY), new Ending.Answered(200, reported)))
                .isEqualTo(Cost.requests(1).input(900).output(100).usd(dollars));
    }

    @Test
    void whereTheAnswerDoesNotTellItsTierTheDearestThatTheRequestAllowedIsCharged() throws IOException {
        Ending untold = new Ending.Answered(200, served(Optional.of(USAGE), Optional.empty()));
        Cost used = Cost.requests(1).input(900).output(100);

        assertThat(inTiers(Set.of(ServiceTier.FLEX), untold)).isEqualTo(used.usd("0.0005"));
        assertThat(inTiers(Set.of(ServiceTier.STANDARD, ServiceTier.PRIORITY), untold))
                .isEqualTo(used.usd("0.002"));
    }

    @Test
    void whatIsCountedOrKeptIsChargedInItsTierToo() throws IOException {
        Metered counted = served(Optional.empty(), Optional.of(ServiceTier.FLEX));
        Set<ServiceTier> asked = Set.of(ServiceTier.PRIORITY);

        assertThat(inTiers(asked, new Ending.Cut(200, counted)))
                .isEqualTo(Cost.requests(1).input(1_000).output(40).usd("0.00052"));
        assertThat(inTiers(asked, new Ending.Answered(418, served(Optional.empty(), Optional.empty()))))
                .isEqualTo(Cost.requests(1).input(1_000).usd("0.002"));
    }

    @Test
    void whatTheProviderSaysThatACallCostIsWhatItCostInAnyTier() throws IOException {
        Usage told = USAGE.withNanoUsd(OptionalLong.of(123_456));

        assertThat(inTiers(
                        Set.of(ServiceTier.PRIORITY),
                        new Ending.Answered(200, served(Optional.of(told), Optional.of(ServiceTier.PRIORITY)))))
                .isEqualTo(Cost.requests(1).input(900).output(100).nanoUsd(123_456));
    }

    @ParameterizedTest
    @ValueSource(ints = {200, 201, 206})
    void aSuccessWithoutUsageIsTheInputEstimateAndTheOutputThatPassed(int status) {
        assertThat(answered(status, metered(Optional.empty(), 40, "", Metered.State.COMPLETE), OPENAI))
                .isEqualTo(new Charged(Cost.requests(1).input(1_000).output(40).usd("0.0029"), Outcome.COUNTED));
    }

    @Test
    void aSuccessThatCannotBeReadKeepsItsEstimate() {
        assertThat(answered(200, Metered.NOTHING, OPENAI)).isEqualTo(new Charged(ESTIMATE, Outcome.ESTIMATE_KEPT));
    }

    @Test
    void whatNeverLeftIsGivenBackWithItsRequest() {
        assertThat(charges.of(new Ending.NeverSent(), ESTIMATE, OPENAI, "openai", MODEL, STANDARD))
                .isEqualTo(new Charged(Cost.requests(0).usd("0"), Outcome.RELEASED));
    }

    @Test
    void whatWasSentAndNotAnsweredKeepsItsEstimate() {
        assertThat(charges.of(new Ending.NoAnswer(), ESTIMATE, OPENAI, "openai", MODEL, STANDARD))
                .isEqualTo(new Charged(ESTIMATE, Outcome.ESTIMATE_KEPT));
    }

    @ParameterizedTest
    @ValueSource(ints = {300, 301, 302, 303, 307, 308, 401, 403, 404, 405, 413, 415, 422, 429})
    void aRefusalKeepsTheRequestAlone(int status) {
        for (Optional<Dialect> dialect : List.of(OPENAI, ANTHROPIC)) {
            assertThat(error(status, "", dialect)).isEqualTo(new Charged(REQUEST_ALONE, Outcome.REFUNDED));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {408, 499, 500, 502, 504, 520, 521, 522, 523, 524, 525, 526, 527})
    void anErrorThatAGatewayMayGiveWhileTheModelWorksKeepsTheEstimate(int status) {
        for (Optional<Dialect> dialect : List.of(OPENAI, ANTHROPIC)) {
            assertThat(error(status, "", dialect)).isEqualTo(new Charged(ESTIMATE, Outcome.ESTIMATE_KEPT));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {402, 406, 409, 410, 418, 451})
    void anyOtherRefusalKeepsTheInput(int status) {
        assertThat(error(status, "", OPENAI))
                .isEqualTo(new Charged(Cost.requests(1).input(1_000).usd("0.0025"), Outcome.INPUT_KEPT));
    }

    @ParameterizedTest
    @CsvSource({
        "400, invalid_request_error, REFUNDED",
        "400, invalid_request_error content_filter, INPUT_KEPT",
        "400, content_policy_violation, INPUT_KEPT",
        "503, server_error, REFUNDED"
    })
    void openAiKnowsWhichOfItsErrorsAreNotBilled(int status, String error, Outcome outcome) {
        assertThat(error(status, error, OPENAI).outcome()).isEqualTo(outcome);
    }

    @ParameterizedTest
    @CsvSource({
        "400, invalid_request_error, REFUNDED",
        "529, overloaded_error, REFUNDED",
        "503, api_error, ESTIMATE_KEPT"
    })
    void anthropicKnowsWhichOfItsErrorsAreNotBilled(int status, String error, Outcome outcome) {
        assertThat(error(status, error, ANTHROPIC).outcome()).isEqualTo(outcome);
    }

    @ParameterizedTest
    @MethodSource("statuses")
    void anUnknownProviderKeepsTheEstimate(int status) {
        assertThat(answered(status, Metered.NOTHING, Optional.empty()))
                .isEqualTo(new Charged(ESTIMATE, Outcome.ESTIMATE_KEPT));
    }

    @Test
    void aStreamThatIsCutKeepsTheLargerOfUsageSeenAndWhatPassed() {
        Metered little = metered(Optional.of(Usage.of(10, 1)), 3, "", Metered.State.PARTIAL);
        Metered much = metered(Optional.of(Usage.of(5_000, 1)), 3, "", Metered.State.PARTIAL);

        assertThat(cut(little))
                .isEqualTo(new Charged(Cost.requests(1).input(1_000).output(3).usd("0.00253"), Outcome.COUNTED));
        assertThat(cut(much))
                .isEqualTo(new Charged(Cost.requests(1).input(5_000).output(1).usd("0.01251"), Outcome.REPORTED));
    }

    @Test
    void ofACutStreamInputAndOutputAreWeighedTogetherAndWhatWasReportedCountsWhereBothAreAsMuch() {
        Metered moreOutput = metered(Optional.of(Usage.of(990, 20)), 3, "", Metered.State.PARTIAL);
        Metered asMuch = metered(Optional.of(Usage.of(990, 13)), 3, "", Metered.State.PARTIAL);

        assertThat(cut(moreOutput))
                .isEqualTo(new Charged(Cost.requests(1).input(990).output(20).usd("0.002675"), Outcome.REPORTED));
        assertThat(cut(asMuch).outcome()).isEqualTo(Outcome.REPORTED);
    }

    @Test
    void aStreamThatIsCutBeforeItsFirstByteKeepsTheInput() {
        assertThat(cut(metered(Optional.empty(), 0, "", Metered.State.PARTIAL)))
                .isEqualTo(new Charged(Cost.requests(1).input(1_000).usd("0.0025"), Outcome.COUNTED));
    }

    @Test
    void anErrorInsideAStreamIsLikeACut() {
        Metered metered = metered(Optional.of(Usage.of(10, 1)), 3, "overloaded_error", Metered.State.COMPLETE);

        assertThat(answered(200, metered, ANTHROPIC).actual())
                .isEqualTo(Cost.requests(1).input(1_000).output(3).usd("0.00253"));
    }

    @ParameterizedTest
    @CsvSource({"300, REFUNDED", "429, REFUNDED", "402, INPUT_KEPT", "500, ESTIMATE_KEPT", "503, REFUNDED"})
    void anErrorThatIsClosedUnreadIsChargedByItsStatus(int status, Outcome outcome) {
        Ending unread = new Ending.Cut(status, metered(Optional.empty(), 0, "", Metered.State.PARTIAL));

        assertThat(charges.of(unread, ESTIMATE, OPENAI, "openai", MODEL, STANDARD)
                        .outcome())
                .isEqualTo(outcome);
    }

    private Charged error(int status, String error, Optional<Dialect> dialect) {
        return answered(status, metered(Optional.empty(), 0, error, Metered.State.COMPLETE), dialect);
    }

    private Charged answered(int status, Metered metered, Optional<Dialect> dialect) {
        return charges.of(new Ending.Answered(status, metered), ESTIMATE, dialect, "openai", MODEL, STANDARD);
    }

    private Charged cut(Metered metered) {
        return charges.of(new Ending.Cut(200, metered), ESTIMATE, OPENAI, "openai", MODEL, STANDARD);
    }

    private static Metered served(Optional<Usage> usage, Optional<ServiceTier> tier) {
        return new Metered(usage, () -> 40, tier, "", Metered.State.COMPLETE);
    }

    /** At a dollar for a million tokens, half of that in flex, and twice as much with priority. */
    private static Cost inTiers(Set<ServiceTier> tiers, Ending ending) throws IOException {
        PriceList prices = list("{'m':{'input_cost_per_token':1e-6,'output_cost_per_token':1e-6,"
                + "'input_cost_per_token_flex':5e-7,'output_cost_per_token_flex':5e-7,"
                + "'input_cost_per_token_priority':2e-6,'output_cost_per_token_priority':2e-6}}");
        return new Charges(prices)
                .of(ending, ESTIMATE, OPENAI, "openai", "m", tiers)
                .actual();
    }

    private static PriceList list(String json) throws IOException {
        return PriceList.parse(new ByteArrayInputStream(json.replace('\'', '"').getBytes(StandardCharsets.UTF_8)));
    }

    private static Metered metered(Optional<Usage> usage, long output, String error, Metered.State state) {
        return new Metered(usage, () -> output, Optional.empty(), error, state);
    }
}
