package io.costguard.describe.dialects;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Cost;
import io.costguard.PriceList;
import io.costguard.ServiceTier;
import io.costguard.Unit;
import io.costguard.describe.Dialect;
import io.costguard.describe.Estimator;
import io.costguard.describe.Remaining;
import io.costguard.describe.RequestFacts;
import io.costguard.describe.Target;
import io.costguard.describe.Tokenizers;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is read in requests on OpenAI's paths, whoever offers them. */
class OpenAiTest {
    private static final String OPENAI = "https://api.openai.com/v1";
    private static final String AZURE = "https://res.openai.azure.com/openai/deployments/mine";

    private final Estimator estimator = new Estimator(PriceList.bundled());

    static List<Exchange> answered() {
        return Recordings.all().stream()
                .filter(exchange -> exchange.reportedInput().isPresent())
                .filter(exchange -> Dialects.bundled()
                        .of(Target.of("POST", exchange.url()))
                        .filter(dialect -> dialect instanceof OpenAi)
                        .isPresent())
                .toList();
    }

    @BeforeAll
    static void loadTokenizers() throws ExecutionException, InterruptedException {
        Tokenizers.loaded("gpt-4o").get();
        Tokenizers.loaded("gpt-4").get();
    }

    @ParameterizedTest
    @MethodSource("answered")
    void theInputOfARecordedRequestIsNotEstimatedTooLow(Exchange exchange) {
        RequestFacts facts = read(exchange.url().toString(), exchange.request());

        assertThat(facts.isReadable()).isTrue();
        assertThat(facts.models()).containsExactly(exchange.model());
        assertThat(facts.inputTokens())
                .isGreaterThanOrEqualTo(exchange.reportedInput().getAsLong() * 95 / 100);
    }

    @Test
    void whereTheTokenizerIsNotPublicHalfOfTheEstimatesAreAtMostThirtyPercentTooHigh() {
        List<Long> percents = answered().stream()
                .filter(exchange -> !List.of("openai", "ollama").contains(exchange.provider()))
                .map(exchange -> 100
                        * read(exchange.url().toString(), exchange.request()).inputTokens()
                        / exchange.reportedInput().getAsLong())
                .sorted()
                .toList();

        assertThat(percents.get(percents.size() / 2)).isLessThanOrEqualTo(130);
    }

    @Test
    void theDeploymentIsTheModelWhereTheBodyHasNone() {
        assertThat(read(AZURE + "/chat/completions?api-version=1", "{'messages':[]}")
                        .models())
                .containsExactly("mine");
        assertThat(read(AZURE + "/chat/completions?api-version=1", "{'model':'gpt-4o'}")
                        .models())
                .containsExactly("gpt-4o");
        assertThat(read(OPENAI + "/chat/completions", "{'messages':[]}").models())
                .isEmpty();
    }

    @Test
    void ofTheModelsThatMayAnswerEachIsRead() {
        assertThat(read(
                                "https://openrouter.ai/api/v1/chat/completions",
                                "{'model':'openai/gpt-4o-mini','models':['openai/gpt-4o']}")
                        .models())
                .containsExactly("openai/gpt-4o-mini", "openai/gpt-4o");
    }

    @Test
    void aHostsNameForAModelOfOpenAiHasItsTokenizer() {
        String text = "0123456789".repeat(100);

        assertThat(Tokenizers.of("openai/gpt-4o").count(text))
                .isEqualTo(Tokenizers.of("gpt-4o").count(text))
                .isNotEqualTo(Tokenizers.of("a model of nobody").count(text));
    }

    @Test
    void whatAResponseIsAskedForIsItsInputInAnyForm() {
        String text = "Tell me all about the history of the world, please.";
        long tokens = read(OPENAI + "/responses", "{'model':'gpt-5','input':'" + text + "'}")
                .inputTokens();

        assertThat(tokens)
                .isEqualTo(read(
                                OPENAI + "/responses",
                                "{'model':'gpt-5','input':[{'role':'user','content':[{'type':'input_text','text':'"
                                        + text + "'}]}]}")
                        .inputTokens());
        assertThat(read(OPENAI + "/responses", "{'model':'gpt-5','input':[],'instructions':'" + text + "'}")
                        .inputTokens())
                .isEqualTo(Tokenizers.of("gpt-5").count(text));
        assertThat(read(
                                OPENAI + "/responses",
                                "{'model':'gpt-5','input':[{'type':'function_call_output','output':'" + text + "'}]}")
                        .inputTokens())
                .isEqualTo(tokens);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{'type':'input_image','image_url':'data:image/png;base64,DATA'}          | iVBORw0KGgoAAAANSUhEUgAABAAAAAQA",
                "{'type':'input_image','image_url':'data:image/png;base64,DATA'}          | AAAA",
                "{'type':'input_file','file_data':'data:application/pdf;base64,DATA'}     | JVBERi0xLjcgPDwvVHlwZSAvUGFnZT4+",
                "{'type':'input_audio','input_audio':{'data':'DATA','format':'wav'}}      | AAAA"
            })
    void whatIsNotTextInAResponsesInputIsNotCountedAsText(String part, String base64) {
        RequestFacts facts = read(
                OPENAI + "/responses",
                "{'model':'gpt-5','input':[{'role':'user','content':["
                        + part.replace("DATA", base64 + "A".repeat(100_000)) + "]}]}");

        assertThat(facts.inputTokens()).isBetween(50L, 1_800L);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{'type':'input_image','image_url':'DATA','detail':'low'}                          | 85",
                "{'detail':'low','image_url':'DATA','type':'input_image'}                          | 85",
                "{'type':'input_image','image_url':'DATA'}                                         | 765",
                "{'detail':'low','image_url':'DATA'},{'image_url':'DATA'}                          | 850",
                "{'image_url':'DATA'},{'image_url':'DATA','detail':'low'}                          | 850",
                "{'detail':'low','image_url':'DATA','detail':'high'}                               | 765",
                "{'type':'input_image','image_url':'https://example.com/a.png'}                    | 1445",
                "{'type':'input_image','image_url':'https://example.com/a.png','detail':'low'}     | 85",
                "{'type':'input_image','file_id':'file-1','detail':'low'}                          | 85",
                "{'type':'input_file','file_url':'https://example.com/a.pdf'}                      | 1765",
            })
    void aPictureIsSeenAsCloselyAsItsPartSaysBeforeItOrAfter(String parts, long tokens) {
        String ofAThousandSquared = "iVBORw0KGgoAAAANSUhEUgAABAAAAAQA";
        String content = parts.replace("DATA", "data:image/png;base64," + ofAThousandSquared);
        String inChat = content.replaceAll("'image_url':('[^']*')(,'detail':'[a-z]*')?", "'image_url':{'url':$1$2}")
                .replaceAll("('detail':'[a-z]*'),'image_url':\\{", "'image_url':{$1,");

        assertThat(read(
                                OPENAI + "/responses",
                                "{'model':'gpt-4.1','input':[{'role':'user','content':[" + content + "]}]}")
                        .inputTokens())
                .isEqualTo(tokens + 7);
        if (!parts.contains("file_")) {
            assertThat(read(
                                    OPENAI + "/chat/completions",
                                    "{'model':'gpt-4.1','messages':[{'role':'user','content':[" + inChat + "]}]}")
                            .inputTokens())
                    .isEqualTo(tokens + 7);
        }
    }

    @Test
    void reasoningThatIsSentBackIsCountedByItsLength() {
        assertThat(read(
                                OPENAI + "/responses",
                                "{'model':'gpt-5','input':[{'type':'reasoning','encrypted_content':'"
                                        + "gAAA".repeat(250) + "'}]}")
                        .inputTokens())
                .isBetween(200L, 210L);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{'prompt':'a','max_tokens':7}                              | 1",
                "{'prompt':'a','max_tokens':7,'n':2}                        | 2",
                "{'prompt':'a','max_tokens':7,'n':2,'best_of':5}            | 5",
                "{'prompt':['a','b','c'],'max_tokens':7,'n':2}              | 6",
                "{'prompt':[1,2,3],'max_tokens':7}                          | 1",
                "{'prompt':['a','b'],'max_tokens':7,'n':9007199254740991}   | 9007199254740991",
            })
    void eachPromptGetsItsOwnChoices(String body, long choices) {
        RequestFacts facts = read(OPENAI + "/completions", body);

        assertThat(facts.choices()).isEqualTo(choices);
        assertThat(facts.outputCap()).hasValue(7);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "/completions | {'prompt':[15339,1917]}",
                "/embeddings  | {'input':[15339,1917]}",
                "/embeddings  | {'input':[[15339],[1917]]}",
                "/embeddings  | {'input':['hello','world']}",
                "/completions | {'prompt':'hello','suffix':'world'}",
            })
    void aPromptOfTokensIsAsLongAsItsText(String path, String body) {
        assertThat(read(OPENAI + path, body.replace("{", "{'model':'text-embedding-3-small',"))
                        .inputTokens())
                .isEqualTo(2);
    }

    @Test
    void anEmbeddingHasNoOutput() {
        Cost cost = estimator.estimate(
                read(OPENAI + "/embeddings", "{'model':'gpt-4o','input':'hello'}"), 1_000, OptionalLong.empty());

        assertThat(cost.input()).isEqualTo(1);
        assertThat(cost.output()).isZero();
        assertThat(cost.nanoUsd()).isEqualTo(2_500);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"{'input':'Is this well said?'}", "{'model':'omni-moderation-2024-09-26','input':['a','b']}"})
    void aModerationIsARequestThatIsFree(String body) {
        assertThat(estimator.estimate(read(OPENAI + "/moderations", body), 1_000, OptionalLong.empty()))
                .isEqualTo(Cost.requests(1).nanoUsd(0));
    }

    @Test
    void aModerationThatNamesNoModelHasOpenAis() {
        assertThat(read(OPENAI + "/moderations", "{'input':'hello'}").models())
                .containsExactly("omni-moderation-latest");
    }

    @ParameterizedTest
    @CsvSource({"low, 408", "medium, 1756", "high, 7024", "auto, 1000"})
    void aPictureHasAsManyTokensAsItsQualityTakes(String quality, long tokens) {
        RequestFacts facts = read(
                OPENAI + "/images/generations",
                "{'model':'gpt-image-1','prompt':'a cat','n':3,'quality':'" + quality + "'}");

        assertThat(estimator.estimate(facts, 1_000, OptionalLong.empty()).output())
                .isEqualTo(3 * tokens);
    }

    @Test
    void aSpokenAnswerIsEstimatedByItsText() {
        RequestFacts facts = read(
                OPENAI + "/audio/speech",
                "{'model':'gpt-4o-mini-tts','input':'" + "Hello there. ".repeat(100) + "','voice':'alloy'}");

        assertThat(facts.outputCap()).hasValue(2_600);
    }

    @ParameterizedTest
    @CsvSource({"/audio/transcriptions, 10000", "/images/edits, 7821", "/chat/completions, 500000"})
    void aFormWithAFileIsNotCountedAsText(String path, long tokens) {
        byte[] form = new byte[1_000_000];
        form[0] = '-';

        assertThat(read(OPENAI + path, form).inputTokens()).isEqualTo(tokens);
    }

    @Test
    void whatMistralHasLeftIsReadUnderItsOwnNames() {
        Map<String, String> headers = Recordings.of("mistral-chat-tools").headers();
        Instant now = Instant.parse("2026-01-01T00:00:00Z");

        assertThat(dialect(OPENAI + "/chat/completions")
                        .remaining(name -> Optional.ofNullable(headers.get(name)), now, now))
                .containsExactly(new Remaining(Unit.REQUESTS, 95), new Remaining(Unit.TOKENS, 99_692));
    }

    @ParameterizedTest
    @CsvSource({
        "https://res.openai.azure.com/openai/v1/responses, authorization, Bearer eyJ0eXAi.of.an-hour, res.openai.azure.com",
        "https://res.openai.azure.com/openai/v1/responses, authorization, Bearer key, key",
        "https://res.openai.azure.com/openai/v1/responses, api-key, key, key",
        "https://api.openai.com/v1/responses, authorization, Bearer eyJ, eyJ",
        "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1/chat/completions, authorization, "
                + "'AWS4-HMAC-SHA256 Credential=AKIAY34FZKBOKMUTVV7A/20261124/us-east-1/bedrock/aws4_request, Signature=1', AKIAY34FZKBOKMUTVV7A",
        "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1/chat/completions, authorization, "
                + "'AWS4-HMAC-SHA256 Credential=ASIAY34FZKBOKMUTVV7A/20261124/us-east-1/bedrock/aws4_request, Signature=1', 609629065308",
        "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1/chat/completions, authorization, Bearer ABSKexample, ABSKexample",
        "https://us-central1-aiplatform.googleapis.com/v1/projects/mine/locations/us-central1/endpoints/openapi/chat/completions, "
                + "authorization, Bearer ya29.of-an-hour, mine",
        "https://aiplatform.googleapis.com/v1/endpoints/openapi/chat/completions, authorization, Bearer key, key",
    })
    void whereKeysChangeByTheHourOrTheCallTheirAccountStandsForThem(
            String url, String header, String value, String key) {
        Target target = Target.of("POST", URI.create(url));

        assertThat(dialect(url)
                        .apiKey(
                                target,
                                name -> Optional.ofNullable(
                                        Map.of(header, value).get(name))))
                .isEqualTo(key);
    }

    @ParameterizedTest
    @CsvSource({
        "/audio/transcriptions, gpt-4o-transcribe",
        "/audio/translations, whisper-1",
        "/images/edits, gpt-image-1"
    })
    void theModelOfAFormIsRead(String path, String model) {
        RequestFacts facts = readForm(path, "file", "x".repeat(100_000), "model", model, "n", "3", "quality", "low");

        assertThat(facts.models()).containsExactly(model);
        assertThat(facts.isReadable()).isFalse();
    }

    @Test
    void whatAnEditMayMakeAtMostIsReadInItsForm() {
        RequestFacts facts = readForm("/images/edits", "n", "3", "image", "a picture", "quality", "low", "model", "m");

        assertThat(facts.choices()).isEqualTo(3);
        assertThat(facts.outputCap()).hasValue(408);
        assertThat(facts.inputTokens()).isGreaterThan(6_800);
    }

    private RequestFacts readForm(String path, String... fields) {
        StringBuilder form = new StringBuilder();
        for (int i = 0; i < fields.length; i += 2) {
            form.append("--limit-1\r\nContent-Disposition: form-data; name=\"" + fields[i] + "\"\r\n\r\n"
                    + fields[i + 1] + "\r\n");
        }
        return read(OPENAI + path, form.append("--limit-1--\r\n").toString());
    }

    @Test
    void withoutACapTheOutputIsWhatTheBudgetAssumes() {
        assertThat(read(OPENAI + "/responses", "{'model':'gpt-5','input':'a'}").outputCap())
                .isEqualTo(OptionalLong.empty());
        assertThat(read(OPENAI + "/responses", "{'model':'gpt-5','input':'a','max_output_tokens':20}")
                        .outputCap())
                .hasValue(20);
    }

    @ParameterizedTest
    @CsvSource({
        "/chat/completions, flex, FLEX",
        "/chat/completions, priority, PRIORITY",
        "/chat/completions, on_demand, STANDARD",
        "/responses, priority, PRIORITY",
        "/responses, default, STANDARD"
    })
    void aRequestMayBeServedInTheTierThatItAsksFor(String path, String asked, ServiceTier tier) {
        assertThat(read(OPENAI + path, "{'model':'gpt-5','service_tier':'" + asked + "'}")
                        .tiers())
                .containsExactly(tier);
    }

    @Test
    void aRequestThatAsksForNoTierIsServedInTheStandardOne() {
        assertThat(read(OPENAI + "/responses", "{'model':'gpt-5'}").tiers()).containsExactly(ServiceTier.STANDARD);
        assertThat(read(OPENAI + "/responses", "{'model':'gpt-5','service_tier':null}")
                        .tiers())
                .containsExactly(ServiceTier.STANDARD);
    }

    @Test
    void theEstimateIsOfTheDearestTierThatTheRequestAllows() throws IOException {
        Estimator priced =
                new Estimator(PriceList.parse(new ByteArrayInputStream("""
                {
                  "m": { "input_cost_per_token": 0, "output_cost_per_token": 2e-6, "output_cost_per_token_flex": 1e-6,
                    "output_cost_per_token_priority": 5e-6 },
                  "dearer": { "input_cost_per_token": 0, "output_cost_per_token": 3e-6 }
                }
                """.getBytes(StandardCharsets.UTF_8))));

        assertThat(nanoUsd(priced, "'model':'m'")).hasValue(2_000_000);
        assertThat(nanoUsd(priced, "'model':'m','service_tier':'flex'")).hasValue(1_000_000);
        assertThat(nanoUsd(priced, "'model':'m','service_tier':'auto'")).hasValue(5_000_000);
        assertThat(nanoUsd(priced, "'model':'m','service_tier':'flex','service_tier':'default'"))
                .hasValue(2_000_000);
        assertThat(nanoUsd(priced, "'models':['m','dearer']")).hasValue(3_000_000);
        assertThat(nanoUsd(priced, "'models':['m','dearer'],'service_tier':'priority'"))
                .hasValue(5_000_000);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "OPENAI/chat/completions | {'model':'m','max_tokens':1000} | 2000000",
                "OPENAI/chat/completions | {'model':'m','max_tokens':1000,'modalities':['text']} | 2000000",
                "OPENAI/chat/completions | {'model':'m','max_tokens':1000,'modalities':['text','audio']} | 8000000",
                "OPENAI/chat/completions | {'model':'m','max_tokens':1000,'modalities':['image','text']} | 30000000",
                "OPENAI/chat/completions | {'model':'same','max_tokens':1000,'modalities':['image','audio']} | 2000000",
                "OPENAI/images/generations | {'model':'m','quality':'low'} | 12240000",
                "OPENAI/audio/speech | {'model':'m','input':'hello'} | 80000",
                "GEMINI/m:generateContent | {'generationConfig':{'maxOutputTokens':1000}} | 2000000",
                "GEMINI/m:generateContent | {'generationConfig':{'maxOutputTokens':1000,'responseModalities':['TEXT','IMAGE']}} | 30000000",
                "GEMINI/m:generateContent | {'generation_config':{'max_output_tokens':1000,'response_modalities':'Audio'}} | 8000000",
                "GEMINI/m-image:generateContent | {'generationConfig':{'maxOutputTokens':1000}} | 30000000",
            })
    void theEstimateIsOfTheDearestKindThatTheAnswerMayBe(String url, String body, long nanoUsd) throws IOException {
        String prices = "'input_cost_per_token':0,'output_cost_per_token':2e-6";
        String kinds = prices + ",'output_cost_per_audio_token':8e-6,'output_cost_per_image_token':30e-6";
        String list = "{'m':{" + kinds + "},'m-image':{" + kinds + "},'same':{" + prices + "}}";

        assertThat(estimate(url, body, list)).hasValue(nanoUsd);
    }

    @Test
    void soundAndPicturesOfThePromptHaveTheirOwnPricesInTheEstimateToo() throws IOException {
        String list =
                "{'m':{'input_cost_per_token':0,'input_cost_per_audio_token':4e-5,'input_cost_per_image_token':1e-5}}";
        String body = "{'model':'m','max_tokens':1,'messages':[{'role':'user','content':[#]}]}";
        String picture = "{'type':'image_url','image_url':{'url':'https://example.com/a.png'}}";
        String sound = "{'type':'input_audio','input_audio':{'data':'" + "A".repeat(40_000) + "'}}";
        String url = "OPENAI/chat/completions";

        long text = read(OPENAI + "/chat/completions", body.replace("#", "")).inputTokens();
        long seen =
                read(OPENAI + "/chat/completions", body.replace("#", picture)).inputTokens() - text;
        long heard =
                read(OPENAI + "/chat/completions", body.replace("#", sound)).inputTokens() - text;
        assertThat(seen).isPositive();
        assertThat(heard).isPositive();
        assertThat(estimate(url, body.replace("#", ""), list)).hasValue(0);
        assertThat(estimate(url, body.replace("#", picture + "," + sound), list))
                .hasValue(seen * 10_000 + heard * 40_000);
    }

    private static OptionalLong estimate(String place, String body, String list) throws IOException {
        String url = place.replace("OPENAI", OPENAI)
                .replace("GEMINI", "https://generativelanguage.googleapis.com/v1beta/models");
        Estimator priced = new Estimator(
                PriceList.parse(new ByteArrayInputStream(list.replace('\'', '"').getBytes(StandardCharsets.UTF_8))));
        RequestFacts facts = priced.read(
                dialect(url),
                Target.of("POST", URI.create(url)),
                body.replace('\'', '"').getBytes(StandardCharsets.UTF_8));
        return priced.estimate(facts, 0, OptionalLong.empty()).givenNanoUsd();
    }

    private static OptionalLong nanoUsd(Estimator estimator, String members) {
        String url = OPENAI + "/chat/completions";
        byte[] body = ("{" + members + ",'max_tokens':1000}").replace('\'', '"').getBytes(StandardCharsets.UTF_8);
        RequestFacts facts = estimator.read(dialect(url), Target.of("POST", URI.create(url)), body);
        return estimator.estimate(facts, 0, OptionalLong.empty()).givenNanoUsd();
    }

    private RequestFacts read(String url, String body) {
        return read(url, body.replace('\'', '"').getBytes(StandardCharsets.UTF_8));
    }

    private RequestFacts read(String url, byte[] body) {
        return estimator.read(dialect(url), Target.of("POST", URI.create(url)), body);
    }

    private static Dialect dialect(String url) {
        return Dialects.bundled().of(Target.of("POST", URI.create(url))).orElseThrow();
    }
}
