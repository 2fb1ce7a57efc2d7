package io.costguard.settle;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Cost;
import io.costguard.PriceList;
import io.costguard.ServiceTier;
import io.costguard.describe.Target;
import io.costguard.describe.Tokenizers;
import io.costguard.describe.Usage;
import io.costguard.describe.dialects.Dialects;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is apart in what providers on OpenAI's paths answered. */
class OpenAiUsageTest {
    @BeforeAll
    static void loadTokenizers() throws ExecutionException, InterruptedException {
        Tokenizers.loaded("gpt-4o").get();
        Tokenizers.loaded("gpt-4").get();
    }

    @ParameterizedTest
    @CsvSource({
        "openai-chat-audio-input, 1, 0",
        "openai-chat-audio-output, 0, 12",
    })
    void audioIsCountedApart(String folder, long input, long output) {
        Usage usage = usage(folder);

        assertThat(usage.audioInput()).isEqualTo(input);
        assertThat(usage.audioOutput()).isEqualTo(output);
    }

    @ParameterizedTest
    @CsvSource({
        "openrouter-chat-stream-cost, 60000",
        "openrouter-chat-tools-cost, 678000",
        "perplexity-chat-sonar, 5020000",
        "perplexity-chat-sonar-stream, 5010000",
        "xai-responses-stream, 514350",
    })
    void whatTheProviderSaysThatItCostIsTaken(String folder, long nanoUsd) {
        assertThat(usage(folder).nanoUsd()).hasValue(nanoUsd);
    }

    @ParameterizedTest
    @CsvSource({"azure-chat-foundry-stream-usage", "openai-chat-n2"})
    void whereTheProviderDoesNotSayWhatItCostThereIsNoFigure(String folder) {
        assertThat(usage(folder).nanoUsd()).isEqualTo(OptionalLong.empty());
    }

    @Test
    void aPerplexityStreamRepeatsTheTextAndItIsCountedOnce() {
        Exchange exchange = Recordings.of("perplexity-chat-sonar-stream");

        assertThat(RecordingsTest.metered(exchange, exchange.response(), 4_096, "")
                        .outputCounted())
                .isEqualTo(Tokenizers.of("sonar").count("1 2 3"));
    }

    @Test
    void aModerationIsChargedItsRequestAlone() {
        Exchange exchange = Recordings.of("openai-moderations-basic");

        assertThat(charged(exchange, Cost.requests(1).nanoUsd(0)).actual()).isEqualTo(Cost.requests(1));
    }

    private static Usage usage(String folder) {
        Exchange exchange = Recordings.of(folder);
        return RecordingsTest.metered(exchange, exchange.response(), 17, "")
                .usage()
                .orElseThrow();
    }

    private static Charges.Charged charged(Exchange exchange, Cost estimate) {
        Metered metered = RecordingsTest.metered(exchange, exchange.response(), 17, "");
        return new Charges(PriceList.bundled())
                .of(
                        new Ending.Answered(exchange.status(), metered),
                        estimate,
                        Dialects.bundled().of(target(exchange)),
                        exchange.provider(),
                        exchange.model(),
                        Set.of(ServiceTier.STANDARD));
    }

    private static Target target(Exchange exchange) {
        return Target.of("POST", exchange.url());
    }
}
