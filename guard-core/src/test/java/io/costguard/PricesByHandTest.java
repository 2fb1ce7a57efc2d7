package io.costguard;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.describe.Usage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Prices as their providers print them, and what calls cost by them, worked out on paper in dollars. */
class PricesByHandTest {
    private static final String LIST = """
            {
              "plain": { "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05 },
              "cents": { "input_cost_per_token": 0.00003, "output_cost_per_token": 0.00006 },
              "embedding": { "mode": "embedding", "input_cost_per_token": 2e-08, "output_cost_per_token": 0 },
              "input-alone": { "input_cost_per_token": 1e-07 },
              "free": { "input_cost_per_token": 0, "output_cost_per_token": 0 },
              "dust": { "input_cost_per_token": 1e-12, "output_cost_per_token": 1e-12 },
              "nano": { "input_cost_per_token": 5e-08, "output_cost_per_token": 4e-07, "cache_read_input_token_cost": 5e-09 },
              "odd": { "input_cost_per_token": 5.46875e-07, "output_cost_per_token": 1.75e-05 },
              "cached": { "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-06 },
              "hit": { "input_cost_per_token": 2.8e-07, "output_cost_per_token": 4.2e-07, "input_cost_per_token_cache_hit": 2.8e-08 },
              "claude": { "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05, "cache_read_input_token_cost": 3e-07,
                "cache_creation_input_token_cost": 3.75e-06, "cache_creation_input_token_cost_above_1hr": 6e-06 },
              "claude-no-hour": { "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
                "cache_creation_input_token_cost": 3.75e-06 },
              "long": { "input_cost_per_token": 3e-06, "input_cost_per_token_above_200k_tokens": 6e-06,
                "output_cost_per_token": 1.5e-05, "output_cost_per_token_above_200k_tokens": 2.25e-05,
                "cache_read_input_token_cost": 3e-07, "cache_read_input_token_cost_above_200k_tokens": 6e-07,
                "cache_creation_input_token_cost": 3.75e-06, "cache_creation_input_token_cost_above_200k_tokens": 7.5e-06,
                "cache_creation_input_token_cost_above_1hr": 6e-06,
                "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 1.2e-05 },
              "gemini": { "input_cost_per_token": 1.25e-06, "input_cost_per_token_above_200k_tokens": 2.5e-06,
                "output_cost_per_token": 1e-05, "output_cost_per_token_above_200k_tokens": 1.5e-05,
                "cache_read_input_token_cost": 1.25e-07 },
              "flash-1.5": { "input_cost_per_token": 7.5e-08, "input_cost_per_token_above_128k_tokens": 1.5e-07,
                "output_cost_per_token": 3e-07, "output_cost_per_token_above_128k_tokens": 6e-07 },
              "qwen": { "input_cost_per_token": 4e-07, "input_cost_per_token_above_256k_tokens": 5e-07,
                "output_cost_per_token": 2.4e-06, "output_cost_per_token_above_256k_tokens": 3e-06 },
              "gpt": { "input_cost_per_token": 5e-06, "input_cost_per_token_above_272k_tokens": 1e-05,
                "output_cost_per_token": 3e-05, "output_cost_per_token_above_272k_tokens": 4.5e-05,
                "cache_read_input_token_cost": 5e-07, "cache_read_input_token_cost_above_272k_tokens": 1e-06 },
              "exact": { "input_cost_per_token": 1e-06, "input_cost_per_token_above_271999_tokens": 2e-06 },
              "grok": { "litellm_provider": "xai", "input_cost_per_token": 3e-06, "input_cost_per_token_above_128k_tokens": 6e-06,
                "output_cost_per_token": 1.5e-05, "output_cost_per_token_above_128k_tokens": 3e-05 },
              "steps": { "input_cost_per_token": 1e-06, "input_cost_per_token_above_128k_tokens": 2e-06,
                "input_cost_per_token_above_1000k_tokens": 4e-06, "output_cost_per_token": 8e-06 },
              "table": { "tiered_pricing": [
                { "range": [0, 256000.0], "input_cost_per_token": 5e-08, "output_cost_per_token": 4e-07 },
                { "range": [256000.0, 1000000.0], "input_cost_per_token": 2.5e-07, "output_cost_per_token": 2e-06 } ] },
              "table-cached": { "tiered_pricing": [
                { "range": [0, 1000], "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06, "cache_read_input_token_cost": 1e-07 },
                { "range": [1000, 2000], "input_cost_per_token": 3e-06, "output_cost_per_token": 4e-06 } ] },
              "audio": { "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05, "input_cost_per_audio_token": 4e-05,
                "output_cost_per_audio_token": 8e-05 },
              "audio-unsaid": { "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05 },
              "heard": { "input_cost_per_token": 3e-07, "output_cost_per_token": 2.5e-06, "input_cost_per_audio_token": 1e-06 },
              "thinker": { "input_cost_per_token": 4e-07, "output_cost_per_token": 1.2e-06, "output_cost_per_reasoning_token": 4e-06 },
              "searcher": { "input_cost_per_token": 1e-06, "output_cost_per_token": 1e-06, "input_cost_per_request": 0.005 },
              "request-tiers": { "input_cost_per_token": 0, "input_cost_per_request": 0.012, "input_cost_per_token_above_1k_tokens": 1e-06 },
              "tiers-of-service": { "input_cost_per_token": 2e-06, "input_cost_per_token_flex": 1e-06,
                "input_cost_per_token_priority": 4e-06, "input_cost_per_token_batches": 1e-06, "output_cost_per_token": 8e-06,
                "input_cost_per_token_above_272k_tokens_priority": 8e-06 },
              "gpt-tiers": { "input_cost_per_token": 1.25e-06, "input_cost_per_token_flex": 6.25e-07,
                "input_cost_per_token_priority": 2.5e-06, "input_cost_per_token_batches": 6e-07, "output_cost_per_token": 1e-05,
                "output_cost_per_token_flex": 5e-06, "output_cost_per_token_priority": 2e-05, "output_cost_per_token_batches": 4e-06,
                "cache_read_input_token_cost": 1.25e-07, "cache_read_input_token_cost_flex": 6.25e-08,
                "cache_read_input_token_cost_priority": 2.5e-07, "input_cost_per_token_ultrafast": 7.5e-06,
                "output_cost_per_token_ultrafast": 6e-05 },
              "long-tiers": { "input_cost_per_token": 2e-06, "input_cost_per_token_above_200k_tokens": 4e-06,
                "input_cost_per_token_priority": 5e-06, "input_cost_per_token_above_200k_tokens_flex": 3e-06,
                "input_cost_per_token_flex": 1e-06, "output_cost_per_token": 1e-05,
                "output_cost_per_token_above_200k_tokens": 1.5e-05, "output_cost_per_token_priority": 1.2e-05,
                "output_cost_per_token_above_200k_tokens_flex": 7e-06, "output_cost_per_token_flex": 5e-06,
                "cache_creation_input_token_cost": 2.5e-06, "cache_creation_input_token_cost_above_200k_tokens_flex": 3.5e-06,
                "cache_creation_input_token_cost_above_1hr": 4e-06, "cache_creation_input_token_cost_above_1hr_above_200k_tokens_flex": 4.5e-06 },
              "parts-tiers": { "input_cost_per_token": 1e-06, "input_cost_per_token_priority": 2e-06, "output_cost_per_token": 4e-06,
                "output_cost_per_token_flex": 2e-06, "input_cost_per_audio_token": 3e-06, "input_cost_per_audio_token_priority": 5e-06,
                "output_cost_per_reasoning_token": 6e-06, "cache_read_input_token_cost": 5e-07,
                "cache_creation_input_token_cost_priority": 2.5e-06 },
              "grok-tiers": { "litellm_provider": "xai", "input_cost_per_token": 3e-06, "input_cost_per_token_priority": 4e-06,
                "input_cost_per_token_above_128k_tokens_priority": 9e-06, "output_cost_per_token": 0 },
              "pictures": { "input_cost_per_token": 3e-07, "output_cost_per_token": 2.5e-06, "input_cost_per_image": 0.0011,
                "input_cost_per_image_token": 1e-06, "output_cost_per_image_token": 3e-05, "input_cost_per_query": 0.1,
                "input_cost_per_character": 1, "input_cost_per_second": 1 },
              "most": { "input_cost_per_token": 1000, "output_cost_per_token": 1000 }
            }
            """;

    /** Input, cache read, cache write, cache write long, audio input, output, reasoning, audio output. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                // 1000 x 0.0000025 + 500 x 0.00001
                "plain            | 1000, 0, 0, 0, 0, 500, 0, 0            | 0.0075",
                // 123 x 0.00003 + 45 x 0.00006
                "cents            | 123, 0, 0, 0, 0, 45, 0, 0              | 0.00639",
                // 8191 x 0.00000002
                "embedding        | 8191, 0, 0, 0, 0, 0, 0, 0              | 0.00016382",
                // 77 x 0.0000001; output is free
                "input-alone      | 77, 0, 0, 0, 0, 1000, 0, 0             | 0.0000077",
                "free             | 5000, 5000, 0, 0, 0, 5000, 0, 0        | 0",
                // 1 x 0.000000000001, and 1000 and 1001 of it
                "dust             | 1, 0, 0, 0, 0, 0, 0, 0                 | 0.000000000001",
                "dust             | 999, 0, 0, 0, 0, 1, 0, 0               | 0.000000001",
                "dust             | 1000, 0, 0, 0, 0, 1, 0, 0              | 0.000000001001",
                // 7 x 0.00000005 + 3 x 0.000000005 + 11 x 0.0000004
                "nano             | 7, 3, 0, 0, 0, 11, 0, 0                | 0.000004765",
                // 3 x 0.000000546875 + 1 x 0.0000175
                "odd              | 3, 0, 0, 0, 0, 1, 0, 0                 | 0.000019140625",
                // 100 x 0.0000025 + 900 x 0.00000125 + 10 x 0.00001
                "cached           | 100, 900, 0, 0, 0, 10, 0, 0            | 0.001475",
                // 100 x 0.00000028 + 900 x 0.000000028 + 10 x 0.00000042
                "hit              | 100, 900, 0, 0, 0, 10, 0, 0            | 0.0000574",
                // 10 x 0.000003 + 1000 x 0.0000003 + 200 x 0.00000375 + 300 x 0.000006 + 50 x 0.000015
                "claude           | 10, 1000, 200, 300, 0, 50, 0, 0        | 0.00363",
                // 10 x 0.000003 + 1000 x 0.000003 + (200 + 300) x 0.00000375 + 50 x 0.000015
                "claude-no-hour   | 10, 1000, 200, 300, 0, 50, 0, 0        | 0.005655",
                // 199999 x 0.000003 + 1000 x 0.000015
                "long             | 199999, 0, 0, 0, 0, 1000, 0, 0         | 0.614997",
                // 200000 x 0.000003 + 1000 x 0.000015
                "long             | 200000, 0, 0, 0, 0, 1000, 0, 0         | 0.615",
                // 200001 x 0.000006 + 1000 x 0.0000225
                "long             | 200001, 0, 0, 0, 0, 1000, 0, 0         | 1.222506",
                // what is read from the cache, or written, is of the prompt: 1 x 0.000006 + 150000 x 0.0000006 + 30000
                // x 0.0000075
                // + 20000 x 0.000012 + 1 x 0.0000225
                "long             | 1, 150000, 30000, 20000, 0, 1, 0, 0    | 0.5550285",
                // 150000 x 0.0000003 + 30000 x 0.00000375 + 20000 x 0.000006 + 300000 x 0.000015: the answer's length
                // does not count
                "long             | 0, 150000, 30000, 20000, 0, 300000, 0, 0 | 4.7775",
                // a tier keeps what it does not say: 200001 x 0.0000025 + 100 x 0.000000125 + 10 x 0.000015
                "gemini           | 200001, 100, 0, 0, 0, 10, 0, 0         | 0.500165",
                // 128000 x 0.000000075 + 10 x 0.0000003
                "flash-1.5        | 128000, 0, 0, 0, 0, 10, 0, 0           | 0.009603",
                // 128001 x 0.00000015 + 10 x 0.0000006
                "flash-1.5        | 128001, 0, 0, 0, 0, 10, 0, 0           | 0.01920615",
                // 256000 x 0.0000004 + 10 x 0.0000024
                "qwen             | 256000, 0, 0, 0, 0, 10, 0, 0           | 0.102424",
                // 256001 x 0.0000005 + 10 x 0.000003
                "qwen             | 256001, 0, 0, 0, 0, 10, 0, 0           | 0.1280305",
                // 272000 x 0.000005 + 10 x 0.00003
                "gpt              | 272000, 0, 0, 0, 0, 10, 0, 0           | 1.3603",
                // 1 x 0.00001 + 272000 x 0.000001 + 10 x 0.000045
                "gpt              | 1, 272000, 0, 0, 0, 10, 0, 0           | 0.27246",
                // 271999 x 0.000001, 272000 x 0.000002
                "exact            | 271999, 0, 0, 0, 0, 0, 0, 0            | 0.271999",
                "exact            | 272000, 0, 0, 0, 0, 0, 0, 0            | 0.544",
                // xAI's tiers begin at their edge: 127999 x 0.000003 + 10 x 0.000015
                "grok             | 127999, 0, 0, 0, 0, 10, 0, 0           | 0.384147",
                // 128000 x 0.000006 + 10 x 0.00003
                "grok             | 128000, 0, 0, 0, 0, 10, 0, 0           | 0.7683",
                // 128000 x 0.000001 + 8 x 0.000008; then 128001 x 0.000002; then 1000000 x 0.000002; then 1000001 x
                // 0.000004
                "steps            | 128000, 0, 0, 0, 0, 8, 0, 0            | 0.128064",
                "steps            | 128001, 0, 0, 0, 0, 8, 0, 0            | 0.256066",
                "steps            | 1000000, 0, 0, 0, 0, 8, 0, 0           | 2.000064",
                "steps            | 1000001, 0, 0, 0, 0, 8, 0, 0           | 4.000068",
                // 256000 x 0.00000005 + 10 x 0.0000004
                "table            | 256000, 0, 0, 0, 0, 10, 0, 0           | 0.012804",
                // 256001 x 0.00000025 + 10 x 0.000002
                "table            | 256001, 0, 0, 0, 0, 10, 0, 0           | 0.06402025",
                // above the last range 2000000 x 0.00000025
                "table            | 2000000, 0, 0, 0, 0, 0, 0, 0           | 0.5",
                // 100 x 0.000001 + 900 x 0.0000001
                "table-cached     | 100, 900, 0, 0, 0, 0, 0, 0             | 0.00019",
                // 101 x 0.000003 + 900 x 0.000003
                "table-cached     | 101, 900, 0, 0, 0, 0, 0, 0             | 0.003003",
                // 20 x 0.0000025 + 100 x 0.00004 + 30 x 0.00001 + 50 x 0.00008
                "audio            | 20, 0, 0, 0, 100, 30, 0, 50            | 0.00835",
                // (20 + 100) x 0.0000025 + (30 + 50) x 0.00001
                "audio-unsaid     | 20, 0, 0, 0, 100, 30, 0, 50            | 0.0011",
                // 20 x 0.0000003 + 100 x 0.000001 + 30 x 0.0000025
                "heard            | 20, 0, 0, 0, 100, 30, 0, 0             | 0.000181",
                // 20 x 0.0000004 + 30 x 0.0000012 + 400 x 0.000004
                "thinker          | 20, 0, 0, 0, 0, 30, 400, 0             | 0.001644",
                // 100 x 0.000003 + (10 + 400) x 0.000015
                "claude           | 100, 0, 0, 0, 0, 10, 400, 0            | 0.00645",
                // 10 x 0.000001 + 20 x 0.000001 + 0.005
                "searcher         | 10, 0, 0, 0, 0, 20, 0, 0               | 0.00503",
                // 1001 x 0.000001 + 0.012
                "request-tiers    | 1001, 0, 0, 0, 0, 20, 0, 0             | 0.013001",
                // 300000 x 0.000002 + 10 x 0.000008: the standard tier
                "tiers-of-service | 300000, 0, 0, 0, 0, 10, 0, 0           | 0.60008",
                // 258 x 0.0000003 + 10 x 0.0000025
                "pictures         | 258, 0, 0, 0, 0, 10, 0, 0              | 0.0001024",
                // 4 x 1000 + 5 x 1000
                "most             | 4, 0, 0, 0, 0, 5, 0, 0                 | 9000"
            })
    void aCallCostsWhatItsProviderBills(String model, String tokens, BigDecimal dollars) throws IOException {
        assertThat(prices().nanoUsd(model, usage(tokens))).isEqualTo(upToNano(dollars));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                // 100 x 0.00000125 + 900 x 0.000000125 + 50 x 0.00001
                "STANDARD  | gpt-tiers        | 100, 900, 0, 0, 0, 50, 0, 0       | 0.0007375",
                // 100 x 0.000000625 + 900 x 0.0000000625 + 50 x 0.000005
                "FLEX      | gpt-tiers        | 100, 900, 0, 0, 0, 50, 0, 0       | 0.00036875",
                // 100 x 0.0000025 + 900 x 0.00000025 + 50 x 0.00002
                "PRIORITY  | gpt-tiers        | 100, 900, 0, 0, 0, 50, 0, 0       | 0.001475",
                // no cache price for batches: 100 x 0.0000006 + 900 x 0.000000125 + 50 x 0.000004
                "BATCH     | gpt-tiers        | 100, 900, 0, 0, 0, 50, 0, 0       | 0.0003725",
                // nor for ultrafast: 100 x 0.0000075 + 900 x 0.000000125 + 50 x 0.00006
                "ULTRAFAST | gpt-tiers        | 100, 900, 0, 0, 0, 50, 0, 0       | 0.0038625",
                // a model without prices of a tier has its standard ones: 1000 x 0.0000025 + 500 x 0.00001
                "FLEX      | plain            | 1000, 0, 0, 0, 0, 500, 0, 0       | 0.0075",
                "PRIORITY  | plain            | 1000, 0, 0, 0, 0, 500, 0, 0       | 0.0075",
                // 1000 x 0.000004 + 10 x 0.000008, whose output has no price for priority
                "PRIORITY  | tiers-of-service | 1000, 0, 0, 0, 0, 10, 0, 0        | 0.00408",
                // 272000 x 0.000004, then 272001 x 0.000008, which only priority says of long prompts
                "PRIORITY  | tiers-of-service | 272000, 0, 0, 0, 0, 0, 0, 0       | 1.088",
                "PRIORITY  | tiers-of-service | 272001, 0, 0, 0, 0, 0, 0, 0       | 2.176008",
                // 272001 x 0.000001
                "FLEX      | tiers-of-service | 272001, 0, 0, 0, 0, 0, 0, 0       | 0.272001",
                // 200000 x 0.000001 + 10 x 0.000005
                "FLEX      | long-tiers       | 200000, 0, 0, 0, 0, 10, 0, 0      | 0.20005",
                // 200001 x 0.000003 + 10 x 0.000007
                "FLEX      | long-tiers       | 200001, 0, 0, 0, 0, 10, 0, 0      | 0.600073",
                // 1 x 0.000003 + 100000 x 0.0000035 + 100000 x 0.0000045
                "FLEX      | long-tiers       | 1, 0, 100000, 100000, 0, 0, 0, 0  | 0.800003",
                // 1 x 0.000001 + 100 x 0.0000025 + 100 x 0.000004, which flex does not say of short prompts
                "FLEX      | long-tiers       | 1, 0, 100, 100, 0, 0, 0, 0        | 0.000651",
                // priority does not say what long prompts cost: of input its own 5 is dearer than 4, of output 15 than
                // its 12
                // 200001 x 0.000005 + 10 x 0.000015
                "PRIORITY  | long-tiers       | 200001, 0, 0, 0, 0, 10, 0, 0      | 1.000155",
                // 200001 x 0.000004 + 10 x 0.000015
                "BATCH     | long-tiers       | 200001, 0, 0, 0, 0, 10, 0, 0      | 0.800154",
                // 10 x 0.000002 + 20 x 0.0000005 + 30 x 0.0000025 + 40 x 0.000005 + 50 x 0.000004 + 60 x 0.000006
                "PRIORITY  | parts-tiers      | 10, 20, 30, 0, 40, 50, 60, 0      | 0.000865",
                // 10 x 0.000001 + 20 x 0.0000005 + 30 x 0.000001 + 40 x 0.000003 + 50 x 0.000002 + 60 x 0.000006 + 70 x
                // 0.000002
                "FLEX      | parts-tiers      | 10, 20, 30, 0, 40, 50, 60, 70     | 0.00077",
                // at xAI's edge: 127999 x 0.000004, then 128000 x 0.000009
                "PRIORITY  | grok-tiers       | 127999, 0, 0, 0, 0, 0, 0, 0       | 0.511996",
                "PRIORITY  | grok-tiers       | 128000, 0, 0, 0, 0, 0, 0, 0       | 1.152"
            })
    void aCallCostsWhatItsProviderBillsInItsServiceTier(
            ServiceTier tier, String model, String tokens, BigDecimal dollars) throws IOException {
        assertThat(prices().nanoUsd("", model, Set.of(tier), usage(tokens))).isEqualTo(upToNano(dollars));
    }

    @Test
    void theTokensOfACostThatItTellsApartHaveTheirOwnPrices() throws IOException {
        // 100 x 0.000003 + 1000 x 0.0000003 + 200 x 0.00000375 + 50 x 0.000015
        assertThat(prices().nanoUsd(
                                "claude",
                                Cost.requests(1)
                                        .input(1_300)
                                        .cacheRead(1_000)
                                        .cacheWrite(200)
                                        .output(50)))
                .isEqualTo(upToNano(new BigDecimal("0.0021")));
        // 20 x 0.0000004 + 30 x 0.0000012 + 400 x 0.000004
        assertThat(prices().nanoUsd(
                                "thinker",
                                Cost.requests(1).input(20).output(430).reasoning(400)))
                .isEqualTo(upToNano(new BigDecimal("0.001644")));
    }

    @Test
    void whatIsPaidForARequestIsPaidForEach() throws IOException {
        // 2 x 0.005 + 10 x 0.000001 + 20 x 0.000001
        assertThat(prices().nanoUsd("searcher", Cost.requests(2).input(10).output(20)))
                .isEqualTo(upToNano(new BigDecimal("0.01003")));
    }

    @Test
    void picturesHaveAPriceOfTheirOwnWhereTheListSaysSo() throws IOException {
        Usage usage = Usage.of(12, 10).withImageInput(258).withImageOutput(1_290);

        // 12 x 0.0000003 + 258 x 0.000001 + 10 x 0.0000025 + 1290 x 0.00003
        assertThat(prices().nanoUsd("pictures", usage)).isEqualTo(upToNano(new BigDecimal("0.0389866")));
        // (12 + 258) x 0.0000025 + (10 + 1290) x 0.00001
        assertThat(prices().nanoUsd("audio-unsaid", usage)).isEqualTo(upToNano(new BigDecimal("0.013675")));
    }

    private static OptionalLong upToNano(BigDecimal dollars) {
        return OptionalLong.of(
                dollars.movePointRight(9).setScale(0, RoundingMode.UP).longValueExact());
    }

    private static Usage usage(String tokens) {
        long[] n = Stream.of(tokens.split(",", -1))
                .map(String::strip)
                .mapToLong(Long::parseLong)
                .toArray();
        return new Usage(n[0], n[1], n[2], n[3], n[4], 0, n[5], n[6], n[7], 0, OptionalLong.empty());
    }

    private static PriceList prices() throws IOException {
        return PriceList.parse(new ByteArrayInputStream(LIST.getBytes(StandardCharsets.UTF_8)));
    }
}
