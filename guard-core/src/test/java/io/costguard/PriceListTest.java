package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.costguard.describe.Usage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PriceListTest {
    private static final Cost MILLION = Cost.requests(1).input(1_000_000);

    @Test
    void theBundledListKnowsWhatItsProvidersPublished() {
        PriceList bundled = PriceList.bundled();

        assertThat(bundled.nanoUsd("gpt-4o", Usage.of(1_000_000, 0))).hasValue(2_500_000_000L);
        assertThat(bundled.nanoUsd("gpt-4o", Usage.NONE.withCacheRead(1_000_000)))
                .hasValue(1_250_000_000L);
        assertThat(bundled.nanoUsd("gpt-4o", Usage.of(0, 1_000_000))).hasValue(10_000_000_000L);
        assertThat(bundled.nanoUsd("nobody-knows", MILLION)).isEmpty();
    }

    @Test
    void aSnapshotWithoutAPriceOfItsOwnHasItsModels() throws IOException {
        PriceList list = parse("{'m':{'input_cost_per_token':1e-6},'m-2024-08-06':{'input_cost_per_token':2e-6}}");

        assertThat(list.nanoUsd("M", MILLION)).hasValue(1_000_000_000L);
        assertThat(list.nanoUsd("m-2024-08-06", MILLION)).hasValue(2_000_000_000L);
        assertThat(list.nanoUsd("m-2025-01-01", MILLION)).hasValue(1_000_000_000L);
    }

    @Test
    void whatTheCacheServesCostsWhatInputCostsUnlessSaid() throws IOException {
        Usage cached = Usage.NONE.withCacheRead(10).withCacheWrite(100);

        assertThat(parse("{'m':{'input_cost_per_token':1e-6}}").nanoUsd("m", cached))
                .hasValue(110_000);
        assertThat(parse("{'m':{'input_cost_per_token':1e-6,'cache_read_input_token_cost':1e-7,"
                                + "'cache_creation_input_token_cost':2e-6}}")
                        .nanoUsd("m", cached))
                .hasValue(201_000);
    }

    @Test
    void aSumIsRoundedUpOnceACallToTheNanoDollar() throws IOException {
        PriceList list = parse("{'m':{'input_cost_per_token':3e-10,'output_cost_per_token':1e-10}}");

        assertThat(list.nanoUsd("m", Usage.of(1, 0))).hasValue(1);
        assertThat(list.nanoUsd("m", Usage.of(3, 1))).hasValue(1);
        assertThat(list.nanoUsd("m", Usage.of(3, 2))).hasValue(2);
        assertThat(list.nanoUsd("m", Usage.of(0, 0))).hasValue(0);
    }

    @Test
    void aSumBeyondWhatCanBeCountedIsTheMostThatCan() throws IOException {
        assertThat(parse("{'m':{'input_cost_per_token':1000,'output_cost_per_token':1000}}")
                        .nanoUsd("m", Usage.of(Cost.MAX_AMOUNT, Cost.MAX_AMOUNT)))
                .hasValue(Cost.MAX_AMOUNT);
    }

    @Test
    void sumsAreExactHoweverLarge() throws IOException {
        PriceList list = parse("{'m':{'input_cost_per_token':2.5e-6,'cache_read_input_token_cost':999.999999999999,"
                + "'cache_creation_input_token_cost':3e-12,'output_cost_per_token':1000}}");
        Random random = new Random(7);
        for (int i = 0; i < 10_000; i++) {
            long[] tokens = random.longs(4, 0, Cost.MAX_AMOUNT)
                    .map(most -> most >> random.nextInt(53))
                    .toArray();
            BigInteger pico = BigInteger.ZERO;
            long[] prices = {2_500_000, 999_999_999_999_999L, 3, 1_000_000_000_000_000L};
            for (int j = 0; j < prices.length; j++) {
                pico = pico.add(BigInteger.valueOf(tokens[j]).multiply(BigInteger.valueOf(prices[j])));
            }
            BigInteger nano = pico.add(BigInteger.valueOf(999)).divide(BigInteger.valueOf(1_000));

            assertThat(list.nanoUsd(
                            "m",
                            Usage.of(tokens[0], tokens[3])
                                    .withCacheRead(tokens[1])
                                    .withCacheWrite(tokens[2])))
                    .hasValue(nano.min(BigInteger.valueOf(Cost.MAX_AMOUNT)).longValueExact());
        }
    }

    @Test
    void modelsWithoutATokenPriceAndWhatIsNotKnownArePassedOver() throws IOException {
        PriceList list = parse("{'sample_spec':{'input_cost_per_token':'a number','x':[{}]},"
                + "'picture':{'input_cost_per_image':0.04},'m':{'mode':'chat','more':{'deep':[1]},'input_cost_per_token':0,"
                + "'output_cost_per_token':null}}");

        assertThat(list.nanoUsd("sample_spec", MILLION)).isEmpty();
        assertThat(list.nanoUsd("picture", MILLION)).isEmpty();
        assertThat(list.nanoUsd("m", MILLION.output(9))).hasValue(0);
    }

    @Test
    void aListOfYourOwnWinsOverTheBundledOne() throws IOException {
        PriceList both = PriceList.bundled()
                .plus(parse("{'GPT-4o':{'input_cost_per_token':1e-6},'own':{'input_cost_per_token':0}}"));

        assertThat(both.nanoUsd("gpt-4o", MILLION)).hasValue(1_000_000_000L);
        assertThat(both.nanoUsd("own", MILLION)).hasValue(0);
        assertThat(both.nanoUsd("gpt-4o-mini", MILLION)).isPresent();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "[] | a price list must be an object of models",
                "{'m':1} | model 'm' must be an object",
                "{'m':{'input_cost_per_token':'1'}} | input_cost_per_token of model 'm' must be a number of dollars",
                "{'m':{'output_cost_per_token':-1}} | output_cost_per_token of model 'm' must be from 0 to 1000 dollars, not -1",
                "{'m':{'input_cost_per_token':1e999999}} | must be from 0 to 1000 dollars, not 1E+999999",
                "{'m':{'input_cost_per_token':1e-999999}} | must have at most 100 decimals, not 999999",
                "{'m':{'input_cost_per_token':1 | not JSON",
                "{'m' | not JSON",
                "nonsense | not JSON",
                "'' | a price list must be an object of models"
            })
    void aListThatIsNoneIsRefusedWithTheReason(String list, String why) {
        assertThatIllegalArgumentException().isThrownBy(() -> parse(list)).withMessageContaining(why);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{\n\n'm':1}", "{\n\nnonsense"})
    void anErrorSaysOnWhichLineItIs(String list) {
        assertThatIllegalArgumentException().isThrownBy(() -> parse(list)).withMessageContaining("line 3");
    }

    @Test
    void anErrorInAFileNamesTheFile(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("mine.json"), "[]");

        assertThatIllegalArgumentException()
                .isThrownBy(() -> PriceList.read(file))
                .withMessageContaining("mine.json")
                .withMessageContaining("must be an object");
        Files.writeString(file, "{\"m\":{\"input_cost_per_token\":1e-6}}");
        assertThat(PriceList.read(file).nanoUsd("m", MILLION)).hasValue(1_000_000_000L);
    }

    private static PriceList parse(String json) throws IOException {
        return PriceList.parse(new ByteArrayInputStream(json.replace('\'', '"').getBytes(StandardCharsets.UTF_8)));
    }
}
