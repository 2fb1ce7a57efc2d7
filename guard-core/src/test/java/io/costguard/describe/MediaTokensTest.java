package io.costguard.describe;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.describe.Media.Kind;
import io.costguard.describe.MediaTokens.Detail;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The examples that providers give, and what was reported. */
class MediaTokensTest {
    @ParameterizedTest
    @CsvSource({
        // OpenAI, "Images and vision"
        "gpt-4o,                 1024, 1024, HIGH,  765",
        "gpt-4o,                 2048, 4096, HIGH,  1105",
        "gpt-4o,                 4096, 8192, LOW,   85",
        "gpt-4.1,                1024, 1024, AUTO,  765",
        "gpt-4o-mini,            1024, 1024, HIGH,  25501",
        "gpt-4o-mini,            1024, 1024, LOW,   2833",
        "gpt-5,                  1024, 1024, HIGH,  630",
        "gpt-5.1,                1024, 1024, HIGH,  630",
        "o3,                     1024, 1024, HIGH,  675",
        "computer-use-preview,   1024, 1024, HIGH,  581",
        "gpt-4.1-mini,           1024, 1024, HIGH,  1659",
        "gpt-4.1-mini,           1800, 2400, HIGH,  2353",
        "o4-mini,                1024, 1024, AUTO,  1762",
        "gpt-5-nano,             16,   16,   AUTO,  3",
        "gpt-5-mini,             1024, 1024, LOW,   1659",
        "gpt-5.2,                1024, 1024, HIGH,  1229",
        "gpt-5.4,                1600, 1600, HIGH,  3000",
        "gpt-5.5,                3200, 3200, AUTO,  12000",
        "gpt-6-sol,              3200, 960,  FULL,  3600",
        "gpt-6-sol,              640,  480,  LOW,   231",
        "gpt-6-sol,              640,  480,  HIGH,  360",
        "openai/gpt-4o,          1024, 1024, HIGH,  765",
        "gpt-image-1,            1024, 1024, AUTO,  194",
        "gpt-image-1,            1024, 1024, HIGH,  4354",
        "gpt-image-2,            1024, 1536, AUTO,  6563",
        // Anthropic, "Images and vision"
        "claude-sonnet-4-5,      200,  200,  AUTO,  64",
        "claude-sonnet-4-5,      1000, 1000, AUTO,  1296",
        "claude-sonnet-4-5,      1092, 1092, AUTO,  1521",
        "claude-3-5-sonnet,      3840, 2160, AUTO,  1568",
        "claude-opus-4-7,        1920, 1080, AUTO,  2691",
        "claude-opus-4-7,        2000, 1500, AUTO,  3888",
        "claude-opus-4-7,        3840, 2160, AUTO,  4784",
        "claude-sonnet-5,        2000, 1500, AUTO,  3888",
        "anthropic.claude-3-haiku-20240307-v1:0, 1000, 1000, AUTO, 1296",
        "us.anthropic.claude-sonnet-4-20250514-v1:0, 2000, 1500, AUTO, 1568",
        // Google, "Image understanding" and "Media resolution"
        "gemini-2.5-flash,       8,    8,    AUTO,  258",
        "gemini-2.5-flash,       384,  384,  AUTO,  258",
        "gemini-2.5-flash,       960,  540,  AUTO,  1806",
        "gemini-3-pro-preview,   8,    8,    AUTO,  1120",
        "gemini-3-pro-preview,   960,  540,  LOW,   280",
        "gemini-3-pro-preview,   960,  540,  MEDIUM, 560",
        "gemini-3-pro-preview,   960,  540,  FULL,  2240",
        // Cohere, "Using Cohere's Models to Work with Image Inputs"
        "command-a-vision-07-2025, 10000, 20000, HIGH, 2304",
        "command-a-vision-07-2025, 768, 768, AUTO, 256",
        "command-a-vision-07-2025, 10000, 20000, LOW, 256",
        // Mistral, "Vision": 1,440 and 2,600, and the ends of rows
        "pixtral-12b,            720,  512,  AUTO,  1472",
        "pixtral-12b,            1024, 686,  AUTO,  2795",
        "mistral-small,          1540, 1540, AUTO,  3080",
        // Amazon, "Image understanding": 800, 1,300, 1,800, 2,400, 2,600
        "amazon.nova-lite-v1:0,  800,  400,  AUTO,  798",
        "amazon.nova-lite-v1:0,  900,  900,  AUTO,  1377",
        "amazon.nova-lite-v1:0,  1400, 900,  AUTO,  2020",
        "amazon.nova-lite-v1:0,  1800, 900,  AUTO,  2534",
        "amazon.nova-lite-v1:0,  1300, 1300, AUTO,  2600",
        // xAI, "Image Understanding"
        "grok-4,                 448,  448,  AUTO,  512",
        "grok-4,                 4000, 4000, AUTO,  1792",
        // Together, "Vision"
        "meta-llama/llama-3.2-11b-vision-instruct, 559, 559, AUTO, 1601",
        "meta-llama/llama-3.2-11b-vision-instruct, 559, 561, AUTO, 3202",
        "meta-llama/llama-3.2-11b-vision-instruct, 1600, 1200, AUTO, 6404",
        "qwen2.5-vl-72b,         1000, 1000, AUTO,  1296",
        "gemma3,                 4000, 3000, AUTO,  258",
        "llava,                  4000, 3000, AUTO,  2880",
        "nobody-knows,           10,   10,   AUTO,  1601",
    })
    void aPictureHasTheTokensOfItsModelsRule(String model, int width, int height, Detail detail, long tokens) {
        assertThat(MediaTokens.of(model).tokens(new Media(Kind.PICTURE, width, height, 0), detail))
                .isEqualTo(tokens);
        assertThat(MediaTokens.of(model).tokens(new Media(Kind.PICTURE, width, height, 0), detail))
                .isLessThanOrEqualTo(MediaTokens.of(model).tokens(Media.elsewhere(Kind.PICTURE), Detail.FULL));
    }

    @ParameterizedTest
    @CsvSource({
        "gpt-4o, AUTO, 1445",
        "gpt-4o, LOW, 85",
        "gpt-4.1-mini, AUTO, 2489",
        "gpt-5.5, AUTO, 3000",
        "gpt-5.5, FULL, 12000",
        "gpt-6-sol, FULL, 36000",
        "claude-sonnet-4-5, AUTO, 1568",
        "claude-opus-4-8, AUTO, 4784",
        "gemini-2.5-pro, AUTO, 2322",
        "gemini-3-pro-preview, AUTO, 1120",
        "command-a-vision-07-2025, AUTO, 3328",
        "pixtral-12b, AUTO, 4160",
        "amazon.nova-pro-v1:0, AUTO, 2600",
        "grok-4, AUTO, 1792",
        "nobody-knows, AUTO, 4784"
    })
    void aPictureOfUnknownSizeHasTheMostOfItsRule(String model, Detail detail, long tokens) {
        assertThat(MediaTokens.of(model).tokens(Media.elsewhere(Kind.PICTURE), detail))
                .isBetween(tokens * 97 / 100, tokens);
    }

    @ParameterizedTest
    @CsvSource({
        // Measured: 2,100 to 2,750, and 2,350 to 3,150
        "claude-haiku-4-5, AUTO, 3000",
        "claude-opus-4-8, AUTO, 3200",
        "gemini-2.5-pro, AUTO, 258",
        "gemini-3-pro-preview, AUTO, 560",
        "gemini-3-pro-preview, HIGH, 1120",
        "gpt-4o, AUTO, 1765",
        "gpt-5.2, AUTO, 2796",
        "amazon.nova-pro-v1:0, AUTO, 3000"
    })
    void aPageHasItsTextAndItsPicture(String model, Detail detail, long tokens) {
        assertThat(MediaTokens.of(model).tokens(new Media(Kind.PDF, 0, 0, 10), detail))
                .isEqualTo(10 * tokens);
    }

    @Test
    void aSecondOfSoundHasTheTokensOfItsProvider() {
        Media minute = new Media(Kind.SOUND, 0, 0, 60_000);

        assertThat(MediaTokens.of("gpt-4o-audio-preview").tokens(minute, Detail.AUTO))
                .isBetween(600L, 610L);
        assertThat(MediaTokens.of("gemini-2.5-flash").tokens(minute, Detail.AUTO))
                .isBetween(1_920L, 1_930L);
    }

    @Test
    void aPackedDocumentHasNoMoreThanAHundredPages() {
        MediaTokens.Rule rule = MediaTokens.of("claude-sonnet-4-5");

        assertThat(rule.tokens(new Media(Kind.DOCUMENT, 0, 0, 4_000), Detail.AUTO))
                .isEqualTo(1_001);
        assertThat(rule.tokens(new Media(Kind.DOCUMENT, 0, 0, 40_000_000), Detail.AUTO))
                .isEqualTo(300_000);
    }

    @ParameterizedTest
    @CsvSource({
        "low, LOW",
        "high, HIGH",
        "auto, AUTO",
        "original, FULL",
        "MEDIA_RESOLUTION_MEDIUM, MEDIUM",
        "media_resolution_ultra_high, FULL",
        "MEDIA_RESOLUTION_UNSPECIFIED, AUTO",
        "nonsense, AUTO"
    })
    void aDetailIsKnownByTheNamesOfAllProviders(String written, Detail detail) {
        assertThat(Detail.of(written)).isEqualTo(detail);
    }
}
