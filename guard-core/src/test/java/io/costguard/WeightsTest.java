package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class WeightsTest {
    private static final List<Unit> TOKEN_UNITS = List.of(Unit.TOKENS, Unit.INPUT_TOKENS, Unit.OUTPUT_TOKENS);

    /** Of each part another number of tokens: 100,000 plain, 20,000 read, 3,000 written; 400 plain, 50 of reasoning. */
    private static final Cost COST = Cost.requests(7)
            .input(123_000)
            .cacheRead(20_000)
            .cacheWrite(3_000)
            .output(450)
            .reasoning(50)
            .nanoUsd(8);

    @ParameterizedTest
    @EnumSource(Unit.class)
    void withoutWeightsEveryTokenCountsOnce(Unit unit) {
        assertThat(charge(Weights.none(), unit, COST)).isEqualTo(unit.of(COST));
    }

    @Test
    void eachPartCountsWhatIsSaidOfItInTheUnitsThatHaveIt() {
        Weights weights =
                Weights.none().cacheRead("0.1").cacheWrite("1.25").output(5).reasoning(2);

        assertThat(charge(weights, Unit.INPUT_TOKENS, COST)).isEqualTo(100_000 + 2_000 + 3_750);
        assertThat(charge(weights, Unit.OUTPUT_TOKENS, COST)).isEqualTo(2_000 + 100);
        assertThat(charge(weights, Unit.TOKENS, COST)).isEqualTo(105_750 + 2_100);
    }

    @Test
    void reasoningCountsAsOtherOutputUnlessSaidOtherwise() {
        assertThat(charge(Weights.none().output("1.5"), Unit.OUTPUT_TOKENS, COST))
                .isEqualTo(675);
    }

    @Test
    void anAmountIsRoundedUpOnceAtTheEnd() {
        Weights weights =
                Weights.none().cacheRead("0.4").cacheWrite("0.4").output("0.4").reasoning("0.001");
        Cost cost = Cost.requests(1).input(2).cacheRead(1).cacheWrite(1).output(1);

        assertThat(charge(weights, Unit.OUTPUT_TOKENS, cost)).isEqualTo(1);
        assertThat(charge(weights, Unit.INPUT_TOKENS, cost)).isEqualTo(1);
        assertThat(charge(weights, Unit.TOKENS, cost)).isEqualTo(2);
        assertThat(charge(weights, Unit.TOKENS, cost.reasoning(1))).isEqualTo(1);
    }

    @Test
    void whatTakesMoreThanALimitCanHoldCountsTheMostThatItCan() {
        Cost most = Cost.requests(1)
                .input(Cost.MAX_AMOUNT - 1)
                .cacheRead(Cost.MAX_AMOUNT - 1)
                .output(1);

        assertThat(charge(Weights.none(), Unit.TOKENS, most)).isEqualTo(Cost.MAX_AMOUNT);
        assertThat(charge(Weights.none().output(2), Unit.TOKENS, most)).isEqualTo(Cost.MAX_AMOUNT);
        assertThat(charge(Weights.none().cacheRead(1_000), Unit.TOKENS, most)).isEqualTo(Cost.MAX_AMOUNT);
        assertThat(charge(Weights.none().cacheRead("0.999").output(0), Unit.TOKENS, most))
                .isEqualTo(exactly("0.999", Cost.MAX_AMOUNT - 1));
    }

    private static long exactly(String weight, long tokens) {
        return new BigDecimal(weight)
                .multiply(BigDecimal.valueOf(tokens))
                .setScale(0, RoundingMode.CEILING)
                .longValueExact();
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void whateverTheCostAndTheWeightsTheAmountIsExact(long seed) {
        Random random = new Random(seed);
        for (int i = 0; i < 10_000; i++) {
            BigDecimal[] weight = {weight(random), weight(random), weight(random), weight(random)};
            Weights weights = Weights.none()
                    .cacheRead(weight[0].toPlainString())
                    .cacheWrite(weight[1].toPlainString())
                    .output(weight[2].toPlainString())
                    .reasoning(weight[3].toPlainString());
            Cost cost = cost(random);
            BigDecimal input = times(cost.input() - cost.cacheRead() - cost.cacheWrite(), BigDecimal.ONE)
                    .add(times(cost.cacheRead(), weight[0]))
                    .add(times(cost.cacheWrite(), weight[1]));
            BigDecimal output =
                    times(cost.output() - cost.reasoning(), weight[2]).add(times(cost.reasoning(), weight[3]));

            assertThat(TOKEN_UNITS)
                    .as("%s, %s", weights, cost)
                    .extracting(unit -> charge(weights, unit, cost))
                    .containsExactly(rounded(input.add(output)), rounded(input), rounded(output));
        }
    }

    static long[] seeds() {
        return new long[] {1, 2, 3, Long.getLong("guard.seed", System.nanoTime())};
    }

    private static BigDecimal times(long tokens, BigDecimal weight) {
        return weight.multiply(BigDecimal.valueOf(tokens));
    }

    private static long rounded(BigDecimal amount) {
        return amount.setScale(0, RoundingMode.CEILING)
                .min(BigDecimal.valueOf(Cost.MAX_AMOUNT))
                .longValueExact();
    }

    /** As often small as large, with none to three decimals. */
    private static BigDecimal weight(Random random) {
        int decimals = random.nextInt(4);
        long bound = (random.nextBoolean() ? 2L : 1_000L) * Math.round(Math.pow(10, decimals));
        return BigDecimal.valueOf(random.nextLong(bound + 1), decimals);
    }

    /** Of every order of magnitude. */
    private static Cost cost(Random random) {
        long input = tokens(random, Cost.MAX_AMOUNT);
        long read = tokens(random, input);
        long output = tokens(random, Cost.MAX_AMOUNT - input);
        return Cost.requests(1)
                .input(input)
                .cacheRead(read)
                .cacheWrite(tokens(random, input - read))
                .output(output)
                .reasoning(tokens(random, output));
    }

    private static long tokens(Random random, long most) {
        return Math.min(most, random.nextLong(1L << random.nextInt(54)));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "-1", "+1", "1e2", ".5", "5.", "0.0001", "1000.001", "10000", "1,5", "NaN", "\u0661", " 1"})
    void whatIsNoWeightIsRefused(String weight) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Weights.none().output(weight))
                .withMessage("a weight must be from 0 to 1000, with at most three decimals, not '" + weight + "'");
    }

    @ParameterizedTest
    @ValueSource(longs = {-1, Long.MIN_VALUE, 1_001, Long.MAX_VALUE})
    void aWholeNumberThatIsNoWeightIsRefused(long weight) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Weights.none().cacheRead(weight))
                .withMessageContaining("not '" + weight + "'");
    }

    @Test
    void theSameWeightIsEqualHoweverWritten() {
        assertThat(Weights.none().cacheWrite("1.250"))
                .isEqualTo(Weights.none().cacheWrite("1.25"))
                .hasSameHashCodeAs(Weights.none().cacheWrite("1.25"))
                .isNotEqualTo(Weights.none());
        assertThat(Weights.none().cacheRead(1_000)).isEqualTo(Weights.none().cacheRead("1000.000"));
        assertThat(Weights.none().output(5).output(1)).isEqualTo(Weights.none());
        assertThat(Weights.none().outputAsReserved()).isNotEqualTo(Weights.none());
    }

    // --- output as reserved

    @Test
    void outputThatWasReservedAndNotUsedStays() {
        Weights weights = Weights.none().outputAsReserved();
        Cost reserved = Cost.requests(1).input(900).output(300);
        Cost used = Cost.requests(1).input(800).output(20);

        assertThat(weights.charge(Unit.TOKENS, used, reserved)).isEqualTo(1_100);
        assertThat(weights.charge(Unit.OUTPUT_TOKENS, used, reserved)).isEqualTo(300);
        assertThat(weights.charge(Unit.INPUT_TOKENS, used, reserved)).isEqualTo(800);
        assertThat(Weights.none().charge(Unit.TOKENS, used, reserved)).isEqualTo(820);
    }

    @Test
    void outputAboveWhatWasReservedIsChargedToo() {
        Weights weights = Weights.none().output(2).outputAsReserved();

        assertThat(weights.charge(
                        Unit.TOKENS,
                        Cost.requests(1).input(10).output(400),
                        Cost.requests(1).input(10).output(300)))
                .isEqualTo(810);
    }

    // --- as providers count

    @Test
    void anthropicCountsWhatIsWrittenToACacheAndNotWhatIsReadFromIt() {
        assertThat(charge(Weights.anthropic(), Unit.INPUT_TOKENS, COST)).isEqualTo(103_000);
        assertThat(charge(Weights.anthropic(), Unit.OUTPUT_TOKENS, COST)).isEqualTo(450);
    }

    @Test
    void openAiCountsCachedPromptsAndTheOutputThatWasAskedFor() {
        assertThat(Weights.openAi().charge(Unit.TOKENS, COST, COST.reasoning(0).output(4_000)))
                .isEqualTo(127_000);
    }

    @Test
    void geminiCountsInputAlone() {
        assertThat(charge(Weights.gemini(), Unit.TOKENS, COST)).isEqualTo(123_000);
    }

    @Test
    void bedrockCountsOutputAtTheModelsRateAndNotWhatIsReadFromACache() {
        assertThat(charge(Weights.bedrock(5), Unit.TOKENS, COST)).isEqualTo(103_000 + 5 * 450);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Weights.bedrock(0))
                .withMessage("a burndown rate must be at least 1, not 0");
    }

    private static long charge(Weights weights, Unit unit, Cost cost) {
        return weights.charge(unit, cost, cost);
    }
}
