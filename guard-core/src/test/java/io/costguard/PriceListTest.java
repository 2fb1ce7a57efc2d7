package io.costguard;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.costguard.describe.Usage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.ResourceLock;
import org.junit.jupiter.api.parallel.Resources;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@ResourceLock(Resources.SYSTEM_ERR)
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

    @ParameterizedTest
    @ValueSource(
            strings = {
                "input_cost_per_tokn",
                "input_cost_per_tokens",
                "input_cost_per_1k_tokens",
                "input_cost_per_million_tokens",
                "Input_Cost_Per_Token",
                "inptu_cost_per_token",
                "input_price_per_token",
                "output_cost_per_token_above_200k_token",
                "output_cost_per_token_batch",
                "cache_read_cost_per_token",
                "cache_read_input_token_costs"
            })
    void aFieldThatLooksLikeAPriceAndIsNoneIsLoggedWithItsModel(String field) {
        assertThat(Logged.by(() -> parseAnyhow(
                        "{'m':{'input_cost_per_token':1e-6,'" + field + "':1e-6},'n':{'" + field + "':1e-6}}")))
                .containsOnlyOnce("WARN")
                .contains("prices of your own: no price is called '" + field + "' of model 'm'")
                .doesNotContain("'n'");
    }

    @Test
    void aMisspeltPriceInATableOfTiersIsLoggedToo() {
        assertThat(Logged.by(
                        () -> parseAnyhow("{'m':{'tiered_pricing':[{'range':[0,9],'input_cost_per_tokn':1e-6}]}}")))
                .contains("'input_cost_per_tokn' of model 'm'");
    }

    @Test
    void ofManyMisspeltPricesAFewAreLogged() {
        assertThat(Logged.by(() ->
                        parseAnyhow("{'m':{'cost1':1,'cost2':1,'cost3':1,'cost4':1,'cost5':1,'cost6':1,'cost7':1}}")))
                .contains("'cost5'")
                .doesNotContain("'cost6'")
                .contains("nor as 2 others are");
    }

    @Test
    void theBundledListHasNoneThatIsMisspelt() throws IOException {
        try (InputStream in = requireNonNull(PriceList.class.getResourceAsStream("prices.json"))) {
            String bundled = new String(in.readAllBytes(), StandardCharsets.UTF_8);

            assertThat(Logged.by(() -> parseAnyhow(bundled))).isEmpty();
        }
    }

    /** Those in the schema of its test_aaamodel_prices_and_context_window_json_is_valid. */
    @Test
    void noPriceOfLiteLlmsListIsTakenForMisspelt() throws IOException {
        String all;
        try (InputStream in = PriceListTest.class.getResourceAsStream("litellm-prices.txt")) {
            all = new String(requireNonNull(in).readAllBytes(), StandardCharsets.US_ASCII);
        }
        String fields = all.lines().map(field -> "'" + field + "':1e-6").collect(Collectors.joining(","));

        assertThat(Logged.by(() -> parseAnyhow("{'m':{" + fields + "}}"))).isEmpty();
        assertThat(fields).contains("output_cost_per_second_1080p");
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
                "{'m':{'input_cost_per_token':1e99999999999}} | of model 'm' must be a number of dollars, not 1e99999999999",
                "{'m':{'input_cost_per_token':1e-999999}} | must have at most 100 decimals, not 999999",
                "{'m':{'input_cost_per_token_above_1k_tokens_flex':'1'}} | input_cost_per_token_above_1k_tokens_flex of model 'm' must be",
                "{'m':{'tiered_pricing':[1]}} | a tier of model 'm' must be an object",
                "{'m':{'tiered_pricing':[{'range':[1e99999]}]}} | not JSON",
                "{'m':{'input_cost_per_token_above_1k_tokens':'1'}} | input_cost_per_token_above_1k_tokens of model 'm' must be",
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
    void aListThatIsCutOffIsRefusedWithNothingOfTheParsersOwn() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> parse("{\n'm':{'input_cost_per_token':1"))
                .withMessageContaining("expected close marker for Object at line 2")
                .withMessageNotContaining("REDACTED");
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

    @Test
    void aProvidersOwnPriceIsFoundBeforeTheModels() throws IOException {
        PriceList list = parse("{'m':{'input_cost_per_token':1e-6},'groq/m':{'input_cost_per_token':2e-6}}");

        assertThat(list.nanoUsd("groq", "M", MILLION)).hasValue(2_000_000_000L);
        assertThat(list.nanoUsd("nobody", "m", MILLION)).hasValue(1_000_000_000L);
        assertThat(list.nanoUsd("m", MILLION)).hasValue(1_000_000_000L);
    }

    @ParameterizedTest
    @CsvSource({
        "azure, gpt-4o, azure/gpt-4o",
        "azure, grok-4-1-fast, azure_ai/grok-4-1-fast",
        "vertex, gemini-2.5-pro, vertex_ai/gemini-2.5-pro",
        "vertex, gemini-2.5-pro, gemini/gemini-2.5-pro",
        "vertex, claude-sonnet-4-5@20250929, claude-sonnet-4-5-20250929",
        "vertex, claude-sonnet-4-5@20250929, vertex_ai/claude-sonnet-4-5@20250929",
        "vertex, claude-opus-5@default, vertex_ai/claude-opus-5",
        "gemini, models/gemini-2.5-flash, gemini/gemini-2.5-flash",
        "gemini, gemini-2.0-flash-001, gemini/gemini-2.0-flash",
        "together, meta-llama/Llama-3.3-70B-Instruct-Turbo, together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "fireworks, accounts/fireworks/models/glm-5, fireworks_ai/accounts/fireworks/models/glm-5",
        "openrouter, anthropic/claude-haiku-4.5, openrouter/anthropic/claude-haiku-4.5",
        "bedrock, us.anthropic.claude-haiku-4-5-20251001-v1:0, us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "bedrock, us.anthropic.claude-haiku-4-5-20251001-v1:0, anthropic.claude-haiku-4-5-20251001-v1:0",
        "bedrock, us.anthropic.claude-haiku-4-5-20251001-v1:0, bedrock/anthropic.claude-haiku-4-5",
        "bedrock, arn:aws:bedrock:eu-west-1:1:inference-profile/eu.amazon.nova-lite-v1:0, amazon.nova-lite-v1:0",
        "bedrock, anthropic.claude-3-sonnet-20240229-v1:0:28k, anthropic.claude-3-sonnet",
        "openai, ft:gpt-4o-2024-08-06:acme::9x, ft:gpt-4o-2024-08-06",
        "openai, ft:gpt-4o-2024-08-06:acme::9x, ft:gpt-4o",
        "xai, grok-4-latest, xai/grok-4",
        "my-gateway, m, my-gateway/m"
    })
    void aModelIsFoundUnderTheNamesThatListsHave(String provider, String asked, String listed) throws IOException {
        PriceList list = parse("{'" + listed + "':{'input_cost_per_token':1e-6}}");

        assertThat(list.nanoUsd(provider, asked, MILLION)).hasValue(1_000_000_000L);
    }

    @ParameterizedTest
    @CsvSource({
        "deepseek, deepseek-v3, deepseek/deepseek",
        "openai, davinci-002, davinci",
        "openai, ft:gpt-4o-2024-08-06:acme::9x, gpt-4o",
        "openrouter, m, groq/m",
        "openai, gpt-4o-mini, gpt-4o",
        "bedrock, us.m, m"
    })
    void anotherModelIsNotTakenForIt(String provider, String asked, String listed) throws IOException {
        PriceList list = parse("{'" + listed + "':{'input_cost_per_token':1e-6}}");

        assertThat(list.nanoUsd(provider, asked, MILLION)).isEmpty();
    }

    @Test
    void aLaterListWinsUnderWhateverNameAndWithinAListTheNameAsItIsAsked() throws IOException {
        PriceList before =
                parse("{'openai/m':{'input_cost_per_token':1e-6},'m-2024-08-06':{'input_cost_per_token':5e-6}}");
        PriceList list = before.plus(parse("{'m':{'input_cost_per_token':2e-6}}"));

        assertThat(before.nanoUsd("openai", "m-2024-08-06", MILLION)).hasValue(5_000_000_000L);
        assertThat(before.nanoUsd("openai", "m-2025-01-01", MILLION)).hasValue(1_000_000_000L);
        for (String asked : List.of("m", "m-2024-08-06", "m-2025-01-01")) {
            assertThat(list.nanoUsd("openai", asked, MILLION)).as(asked).hasValue(2_000_000_000L);
        }
    }

    @Test
    void anAliasHasThePriceOfItsModelUnlessItHasItsOwn() throws IOException {
        PriceList list = parse("{'m':{'aliases':['Other','own',1,['x']],'input_cost_per_token':1e-6},"
                + "'own':{'input_cost_per_token':2e-6}}");

        assertThat(list.nanoUsd("other", MILLION)).hasValue(1_000_000_000L);
        assertThat(list.nanoUsd("own", MILLION)).hasValue(2_000_000_000L);
    }

    @Test
    void ofTheTiersInWhichACallMayBeServedTheDearestCounts() throws IOException {
        PriceList list = parse("{'m':{'input_cost_per_token':2e-6,'input_cost_per_token_flex':1e-6,"
                + "'input_cost_per_token_priority':3e-6}}");
        Usage million = Usage.of(1_000_000, 0);

        assertThat(list.nanoUsd("", "m", Set.of(ServiceTier.FLEX), million)).hasValue(1_000_000_000L);
        assertThat(list.nanoUsd("", "m", Set.of(ServiceTier.FLEX, ServiceTier.STANDARD), million))
                .hasValue(2_000_000_000L);
        assertThat(list.nanoUsd("", "m", Set.of(ServiceTier.values()), million)).hasValue(3_000_000_000L);
        assertThat(list.nanoUsd("", "m", million)).hasValue(2_000_000_000L);
        assertThat(list.nanoUsd("", "nobody-knows", Set.of(ServiceTier.FLEX), million))
                .isEmpty();
    }

    @Test
    void aRowOfATableThatSaysNothingIsNoRow() throws IOException {
        PriceList list = parse("{'m':{'tiered_pricing':[{'range':[0,10],'input_cost_per_token':1e-6},"
                + "{'range':[10,20],'input_cost_per_token':2e-6},{'range':[20,30]}]}}");

        assertThat(list.nanoUsd("m", Usage.of(100, 0))).hasValue(200_000);
    }

    @Test
    void aTierOfSomethingElseThanTokensIsPassedOver() throws IOException {
        PriceList list = parse("{'m':{'input_cost_per_token':1e-6,'tiered_pricing':[{'max_results_range':[0,25],"
                + "'input_cost_per_query':5e-3},{'range':[],'input_cost_per_token':5e-3}]}}");

        assertThat(list.nanoUsd("m", MILLION)).hasValue(1_000_000_000L);
    }

    @Test
    void theOwnNameOfAPriceWinsOverItsOther() throws IOException {
        String own = "'cache_read_input_token_cost':1e-7";
        String other = "'input_cost_per_token_cache_hit':9e-7";
        for (String both : new String[] {own + "," + other, other + "," + own}) {
            assertThat(parse("{'m':{'input_cost_per_token':1e-6," + both + "}}")
                            .nanoUsd("m", Usage.NONE.withCacheRead(1_000_000)))
                    .hasValue(100_000_000);
        }
    }

    @Test
    void aListSaysWhereItIsFrom(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("mine.json"), "{}");

        assertThat(PriceList.bundled().plus(PriceList.read(file))).hasToString(file + ", the bundled prices");
    }

    /** As their providers print them, for a million tokens of input and of output. */
    @ParameterizedTest
    @CsvSource({
        "openai, gpt-4o-2024-08-06, 2.5, 10",
        "openai, text-embedding-3-small, 0.02, 0",
        "azure, gpt-5-nano, 0.05, 0.4",
        "anthropic, claude-haiku-4-5-20251001, 1, 5",
        "anthropic, claude-opus-4-1-20250805, 15, 75",
        "gemini, gemini-2.5-flash, 0.3, 2.5",
        "vertex, gemini-2.5-flash, 0.3, 2.5",
        "bedrock, us.anthropic.claude-haiku-4-5-20251001-v1:0, 1.1, 5.5",
        "bedrock, global.anthropic.claude-haiku-4-5-20251001-v1:0, 1, 5",
        "bedrock, us.amazon.nova-2-lite-v1:0, 0.33, 2.75",
        "mistral, mistral-small-latest, 0.1, 0.3",
        "groq, llama3-8b-8192, 0.05, 0.08",
        "cohere, command-a-03-2025, 2.5, 10",
        "deepseek, deepseek-reasoner, 0.55, 2.19",
        "openrouter, anthropic/claude-haiku-4.5, 1, 5",
        "together, meta-llama/Llama-3.3-70B-Instruct-Turbo, 0.88, 0.88",
        "fireworks, accounts/fireworks/models/deepseek-v3p2, 0.56, 1.68"
    })
    void theBundledListHasModelsOfEachProvider(String provider, String model, BigDecimal input, BigDecimal output) {
        PriceList bundled = PriceList.bundled();

        assertThat(bundled.nanoUsd(provider, model, Usage.of(10_000, 0)))
                .hasValue(input.movePointRight(7).longValueExact());
        assertThat(bundled.nanoUsd(provider, model, Usage.of(0, 10_000)))
                .hasValue(output.movePointRight(7).longValueExact());
    }

    /** As OpenAI prints them, for a million tokens of input, cached input and output. */
    @ParameterizedTest
    @CsvSource({
        "gpt-5.4-2026-03-05, 5, 0.5, 30",
        "gpt-5-2025-08-07, 2.5, 0.25, 20",
        "gpt-4o-2024-08-06, 4.25, 2.125, 17",
        "gpt-4o-2024-05-13, 8.75, 8.75, 26.25",
        "o4-mini, 2, 0.5, 8"
    })
    void theBundledListHasWhatOpenAisModelsCostWithPriority(
            String model, BigDecimal input, BigDecimal cached, BigDecimal output) {
        assertThat(priority(model, Usage.of(10_000, 0)))
                .hasValue(input.movePointRight(7).longValueExact());
        assertThat(priority(model, Usage.NONE.withCacheRead(10_000)))
                .hasValue(cached.movePointRight(7).longValueExact());
        assertThat(priority(model, Usage.of(0, 10_000)))
                .hasValue(output.movePointRight(7).longValueExact());
    }

    private static OptionalLong priority(String model, Usage usage) {
        return PriceList.bundled().nanoUsd("openai", model, Set.of(ServiceTier.PRIORITY), usage);
    }

    private static void parseAnyhow(String json) {
        try {
            parse(json);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static PriceList parse(String json) throws IOException {
        return PriceList.parse(new ByteArrayInputStream(json.replace('\'', '"').getBytes(StandardCharsets.UTF_8)));
    }
}
