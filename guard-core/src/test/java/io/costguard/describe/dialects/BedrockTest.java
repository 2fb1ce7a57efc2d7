package io.costguard.describe.dialects;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.PriceList;
import io.costguard.ServiceTier;
import io.costguard.describe.Dialect;
import io.costguard.describe.Estimator;
import io.costguard.describe.RequestFacts;
import io.costguard.describe.Target;
import io.costguard.describe.Tokenizers;
import io.costguard.describe.Usage;
import io.costguard.settle.Frames;
import io.costguard.settle.Meter;
import io.costguard.settle.Metered;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class BedrockTest {
    private static final String HOST = "https://bedrock-runtime.us-east-1.amazonaws.com";
    private static final String FRAMES = "application/vnd.amazon.eventstream";

    private final Dialect bedrock = Dialects.bundled().of(target("a", "invoke")).orElseThrow();
    private final Estimator estimator = new Estimator(PriceList.bundled());

    @ParameterizedTest
    @CsvSource({
        "/model/a.b-v1:0/converse, a.b-v1:0",
        "/model/a.b-v1%3A0/converse-stream, a.b-v1:0",
        "/proxy/model/a/invoke, a",
        "/model/a/invoke-with-response-stream, a",
        "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.a.b-v1%3A0/converse, us.a.b-v1:0",
        "/model/arn:aws:bedrock:us-east-1::foundation-model/a.b/invoke, a.b",
        "/model/arn:aws:bedrock:us-east-1:123456789012:provisioned-model/xyz/invoke, "
                + "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/xyz"
    })
    void theModelIsInThePath(String path, String model) {
        Target target = Target.of("POST", URI.create(HOST + path));

        assertThat(Dialects.bundled().of(target)).containsSame(bedrock);
        assertThat(bedrock.provider(target)).isEqualTo("bedrock");
        assertThat(read(target, "{}").models()).containsExactly(model);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/model/invoke",
                "/model//invoke",
                "/model/a/count-tokens",
                "/invoke",
                "/guardrail/a/converse",
                "/"
            })
    void otherPathsAreNotBedrocks(String path) {
        assertThat(bedrock.speaksFor(Target.of("POST", URI.create(HOST + path))))
                .isFalse();
    }

    @ParameterizedTest
    @CsvSource({
        // As in "A short note on AWS KEY ID".
        "authorization, 'AWS4-HMAC-SHA256 Credential=ASIAY34FZKBOKMUTVV7A/20261124/us-east-1/bedrock/aws4_request, Signature=1', 609629065308",
        "authorization, 'AWS4-HMAC-SHA256 Credential=ASIAY34FZKBOKXXXXXXX/20261125/us-east-1/bedrock/aws4_request, Signature=2', 609629065308",
        "authorization, 'AWS4-HMAC-SHA256 Credential=AKIAY34FZKBOKMUTVV7A/20261124/us-east-1/bedrock/aws4_request, Signature=1', AKIAY34FZKBOKMUTVV7A",
        "authorization, 'AWS4-HMAC-SHA256 Credential=ASIA189/20261124/us-east-1/bedrock/aws4_request', ASIA189",
        "authorization, 'AWS4-HMAC-SHA256 Credential=ASIA1890000000000000/20261124/us-east-1/bedrock/aws4_request', ASIA1890000000000000",
        "authorization, Bearer ABSKexample, ABSKexample",
        "authorization, Bearer bedrock-api-key-!, bedrock-api-key-!",
        "x-other, k, ''"
    })
    void theKeyIsTheAccessKeyOrTheAccountOfATemporaryOne(String header, String value, String key) {
        assertThat(key(HOST, Map.of(header, value))).isEqualTo(key);
    }

    @Test
    void theKeyOfASignedUrlIsInItsQuery() {
        assertThat(key(HOST + "?X-Amz-Credential=ASIAY34FZKBOKMUTVV7A%2F20261124", Map.of()))
                .isEqualTo("609629065308");
    }

    @Test
    void ofAShortTermApiKeyTheAccountCounts() {
        String url =
                "bedrock.amazonaws.com/?Action=CallWithBearerToken&X-Amz-Credential=ASIAY34FZKBOKMUTVV7A%2F20261124";
        String key = "bedrock-api-key-"
                + Base64.getEncoder().encodeToString((url + "&Version=1").getBytes(StandardCharsets.US_ASCII));

        assertThat(key(HOST, Map.of("authorization", "Bearer " + key))).isEqualTo("609629065308");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{'inferenceConfig':{'maxTokens':7}}",
                "{'inferenceConfig':{'max_new_tokens':7}}",
                "{'max_tokens':7}",
                "{'max_completion_tokens':7}",
                "{'max_tokens_to_sample':7}",
                "{'max_gen_len':7}",
                "{'maxTokens':7}",
                "{'textGenerationConfig':{'maxTokenCount':7}}"
            })
    void eachFamilyHasANameForTheCap(String body) {
        assertThat(read(body).outputCap()).hasValue(7);
    }

    @ParameterizedTest
    @ValueSource(strings = {"n", "num_generations", "numResults"})
    void severalAnswersAreChoices(String name) {
        assertThat(read("{'" + name + "':3}").choices()).isEqualTo(3);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'messages':[{'content':[{'text':'#'}]}]}",
                "{'messages':[{'content':[{'toolResult':{'content':[{'text':'#'}]}}]}]}",
                "{'messages':[{'content':[{'toolResult':{'content':[{'json':{'a':['#']}}]}}]}]}",
                "{'messages':[{'content':[{'toolUse':{'name':'a','input':{'a':'#'}}}]}]}",
                "{'messages':[{'content':[{'guardContent':{'text':{'text':'#'}}}]}]}",
                "{'messages':[{'content':[{'reasoningContent':{'reasoningText':{'text':'#'}}}]}]}",
                "{'messages':[{'content':[{'document':{'source':{'text':'#'}}}]}]}",
                "{'messages':[{'content':[{'type':'document','source':{'type':'text','data':'#'}}]}]}",
                "{'messages':[{'content':[{'type':'tool_result','content':[{'type':'text','text':'#'}]}]}]}",
                "{'messages':[{'content':'#'}]}",
                "{'system':[{'text':'#'}]}",
                "{'system':'#'}",
                "{'toolConfig':{'tools':[{'toolSpec':{'description':'#'}}]}}",
                "{'tools':[{'name':'a','description':'#'}]}",
                "{'prompt':'#'}",
                "{'inputText':'#'}",
                "{'message':'#'}",
                "{'texts':['#']}",
                "{'documents':[{'snippet':'#'}]}"
            })
    void textOfThePromptIsCountedWhereverItStands(String body) {
        String text = "What goes up must come down, they say. ".repeat(100);
        long tokens = Tokenizers.of("a model of nobody").count(text);

        assertThat(read(body.replace("#", text)).inputTokens()).isBetween(tokens, tokens + 1_000);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{'messages':[{'content':[{'image':{'format':'png','source':{'bytes':'#'}}}]}]} | 4787",
                "{'messages':[{'content':[{'toolResult':{'content':[{'image':{'source':{'bytes':'#'}}}]}}]}]} | 4787",
                "{'messages':[{'content':[{'type':'image','source':{'type':'base64','data':'#'}}]}]} | 4787",
                "{'messages':[{'content':[{'type':'image_url','image_url':{'url':'data:image/png;base64,#'}}]}]} | 4787",
                "{'messages':[{'content':[{'audio':{'format':'wav','source':{'bytes':'#'}}}]}]} | 12010",
                "{'messages':[{'content':[{'video':{'format':'mp4','source':{'bytes':'#'}}}]}]} | 5863",
                "{'inputText':'','inputImage':'#'} | 3",
                "{'images':['#']} | 3"
            })
    void whatIsNotTextIsNotCountedAsText(String body, long tokens) {
        assertThat(read(body.replace("#", "A".repeat(1_000_000))).inputTokens()).isEqualTo(tokens);
    }

    @Test
    void aDocumentIsEstimatedByItsSizeUpToTheMostPages() {
        String document = "{'messages':[{'content':[{'document':{'format':'pdf','source':{'bytes':'#'}}}]}]}";
        String anthropics = "{'messages':[{'content':[{'type':'document','source':{'data':'JVBERi0#'}}]}]}";

        assertThat(read(document.replace("#", "A".repeat(16_000))).inputTokens())
                .isEqualTo(3_004);
        assertThat(read(document.replace("#", "A".repeat(6_000_000))).inputTokens())
                .isEqualTo(300_003);
        assertThat(read(anthropics.replace("#", "A".repeat(15_993))).inputTokens())
                .isEqualTo(2 * 3_000 + 3);
    }

    @Test
    void cacheWritesAreToldByHowLongTheyAreKept() {
        assertThat(usage(
                        "{'usage':{'inputTokens':1,'outputTokens':2,'cacheReadInputTokens':3,'cacheWriteInputTokens':40,"
                                + "'cacheDetails':[{'inputTokens':30,'ttl':'1h'},{'inputTokens':10,'ttl':'5m'}]}}"))
                .contains(Usage.of(1, 2).withCacheRead(3).withCacheWrite(10).withCacheWriteLong(30));
        assertThat(usage("{'usage':{'inputTokens':1,'outputTokens':2,'cacheWriteInputTokens':40,"
                        + "'cacheDetails':[{'inputTokens':40,'ttl':'5m'}]}}"))
                .contains(Usage.of(1, 2).withCacheWrite(40));
        assertThat(usage("{'usage':{'input_tokens':1,'output_tokens':2,'cache_creation_input_tokens':40,"
                        + "'cache_creation':{'ephemeral_5m_input_tokens':10,'ephemeral_1h_input_tokens':30}}}"))
                .contains(Usage.of(1, 2).withCacheWrite(10).withCacheWriteLong(30));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'usage':{'inputTokens':9,'outputTokens':4,'totalTokens':13}}",
                "{'usage':{'input_tokens':9,'output_tokens':4}}",
                "{'usage':{'prompt_tokens':9,'completion_tokens':4}}",
                "{'inputTextTokenCount':9,'results':[{'tokenCount':4,'outputText':'a'}]}",
                "{'generation':'a','prompt_token_count':9,'generation_token_count':4}"
            })
    void eachFamilyReportsUsageInItsOwnWay(String body) {
        assertThat(usage(body)).contains(Usage.of(9, 4));
    }

    @Test
    void tokensThatACacheServedAreNotCountedTwice() {
        assertThat(
                        usage(
                                "{'usage':{'prompt_tokens':9,'completion_tokens':4,'prompt_tokens_details':{'cached_tokens':5}}}"))
                .contains(Usage.of(4, 4).withCacheRead(5));
    }

    @Test
    void usageInHeadersCountsWhereTheBodyHasNone() {
        Meter meter = new Meter(bedrock, "a", "application/json", "");
        Map<String, String> headers = Map.of(
                "x-amzn-bedrock-input-token-count", "9",
                "x-amzn-bedrock-output-token-count", "4",
                "x-amzn-bedrock-cache-read-input-token-count", "3",
                "x-amzn-bedrock-cache-write-input-token-count", "2");
        meter.headers(name -> Optional.ofNullable(headers.get(name)));

        assertThat(meter.result().usage())
                .contains(Usage.of(9, 4).withCacheRead(3).withCacheWrite(2));
    }

    @Test
    void aStreamOfClaudeReportsItsInputAtOnceAndTheRestAtItsEnd() {
        byte[] begun = Frames.joined(
                chunk("{'type':'message_start','message':{'usage':{'input_tokens':9,'output_tokens':1}}}"),
                chunk(
                        "{'type':'content_block_delta','delta':{'type':'text_delta','text':'Hello there, how are you?'}}"));
        byte[] ended = Frames.joined(
                begun,
                chunk("{'type':'message_delta','usage':{'output_tokens':7}}"),
                chunk("{'type':'message_stop','amazon-bedrock-invocationMetrics':{'inputTokenCount':9,"
                        + "'outputTokenCount':7,'invocationLatency':5,'firstByteLatency':1,"
                        + "'cacheReadInputTokenCount':3,'cacheWriteInputTokenCount':2}}"));

        assertThat(metered(begun).usage()).contains(Usage.of(9, 1));
        assertThat(metered(begun).outputCounted()).isGreaterThanOrEqualTo(6);
        assertThat(metered(begun).state()).isEqualTo(Metered.State.PARTIAL);
        assertThat(metered(ended).usage())
                .contains(Usage.of(9, 7).withCacheRead(3).withCacheWrite(2));
        assertThat(metered(ended).state()).isEqualTo(Metered.State.COMPLETE);
    }

    @Test
    void aCountThatTitanWritesWithAPointIsOne() {
        assertThat(metered(chunk("{'outputText':'a','inputTextTokenCount':28.0}"))
                        .usage())
                .contains(Usage.of(28, 0));
    }

    @Test
    void theTextOfAStreamOfNovaIsCounted() {
        byte[] begun =
                chunk("{'contentBlockDelta':{'delta':{'text':'Hello there, how are you?'},'contentBlockIndex':0}}");

        assertThat(metered(begun).outputCounted()).isGreaterThanOrEqualTo(6);
    }

    @Test
    void anExceptionInAStreamIsItsError() {
        byte[] stream = Frames.joined(
                Frames.event("contentBlockDelta", "{\"delta\":{\"text\":\"Hello there, how are you?\"}}"),
                Frames.exception("modelStreamErrorException", "{\"message\":\"try again\"}"));

        Metered metered = metered(stream);

        assertThat(metered.error()).isEqualTo("modelStreamErrorException");
        assertThat(metered.outputCounted()).isGreaterThanOrEqualTo(6);
        assertThat(metered.state()).isEqualTo(Metered.State.PARTIAL);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{'bytes':'!'}", "{'bytes':7}", "{'bytes':'YQ=='}", "{'bytes':null}"})
    void aChunkThatIsNoneTellsNothing(String payload) {
        Metered metered = metered(Frames.event("chunk", payload.replace('\'', '"')));

        assertThat(metered.usage()).isEmpty();
        assertThat(metered.outputCounted()).isZero();
        assertThat(metered.error()).isEmpty();
        assertThat(metered.state()).isEqualTo(Metered.State.PARTIAL);
    }

    @ParameterizedTest
    @CsvSource({
        "400, ValidationException, false",
        "400, '', false",
        "424, ModelErrorException, true",
        "503, ServiceUnavailableException, false",
        "503, '', true",
        "500, InternalServerException, true"
    })
    void anErrorMayHaveBeenBilledUnlessItSurelyRefused(int status, String error, boolean billable) {
        assertThat(bedrock.billable(status, error)).isEqualTo(billable);
    }

    @Test
    void theTypeOfAnErrorIsInItsHeaders() {
        Meter meter = new Meter(bedrock, "a", "application/json", "");
        meter.headers(name -> Optional.of("ServiceUnavailableException:http://internal.amazon.com/coral/")
                .filter(value -> name.equals("x-amzn-errortype")));

        assertThat(meter.result().error()).isEqualTo("ServiceUnavailableException");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{'serviceTier':{'type':'priority'}} | PRIORITY",
                "{'serviceTier':{'type':'reserved'}} | STANDARD",
                "{'service_tier':'flex','messages':[]} | FLEX",
                "{} | STANDARD"
            })
    void aRequestMayBeServedInTheTierThatItsBodyAsksFor(String body, ServiceTier tier) {
        assertThat(read(body).tiers()).containsExactly(tier);
    }

    @Test
    void whatIsInvokedAsksForItsTierInAHeaderAndIsToldInOne() {
        Function<String, Optional<String>> headers =
                name -> Optional.of("flex").filter(value -> name.equalsIgnoreCase("x-amzn-bedrock-service-tier"));
        Meter meter = new Meter(bedrock, "a", "application/json", "");
        meter.headers(headers);

        assertThat(estimator
                        .read(bedrock, target("a", "invoke"), headers, "{}".getBytes(StandardCharsets.UTF_8))
                        .tiers())
                .containsExactly(ServiceTier.FLEX);
        assertThat(meter.result().tier()).contains(ServiceTier.FLEX);
    }

    @Test
    void aConversationTellsItsTierInItsBodyOrAtTheEndOfItsStream() {
        String told = "{\"usage\":{\"inputTokens\":1,\"outputTokens\":2},\"serviceTier\":{\"type\":\"priority\"}}";
        Meter meter = new Meter(bedrock, "a", "application/json", "");
        meter.accept(ByteBuffer.wrap(told.getBytes(StandardCharsets.UTF_8)));

        assertThat(meter.result().tier()).contains(ServiceTier.PRIORITY);
        assertThat(metered(Frames.event("metadata", told)).tier()).contains(ServiceTier.PRIORITY);
    }

    @ParameterizedTest
    @CsvSource({"429, ThrottlingException", "402, ServiceQuotaExceededException", "503, ServiceUnavailableException"})
    void anAnswerInBedrocksPlaceIsAnErrorOfItsShape(int status, String type) {
        assertThat(new String(bedrock.errorBody(status, "why \"so\""), StandardCharsets.UTF_8))
                .isEqualTo("{\"__type\":\"" + type + "\",\"message\":\"why \\\"so\\\"\"}");
    }

    private static Target target(String model, String operation) {
        return Target.of("POST", URI.create(HOST + "/model/" + model + "/" + operation));
    }

    private String key(String url, Map<String, String> headers) {
        return bedrock.apiKey(Target.of("POST", URI.create(url)), name -> Optional.ofNullable(headers.get(name)));
    }

    private RequestFacts read(String body) {
        return read(target("a", "invoke"), body.replace('\'', '"'));
    }

    private RequestFacts read(Target target, String body) {
        return read(target, body.getBytes(StandardCharsets.UTF_8));
    }

    private RequestFacts read(Target target, byte[] body) {
        return estimator.read(bedrock, target, body);
    }

    private static byte[] chunk(String event) {
        String bytes =
                Base64.getEncoder().encodeToString(event.replace('\'', '"').getBytes(StandardCharsets.UTF_8));
        return Frames.event("chunk", "{\"bytes\":\"" + bytes + "\",\"p\":\"abc\"}");
    }

    private Metered metered(byte[] stream) {
        Meter meter = new Meter(bedrock, "a", FRAMES, "");
        meter.accept(ByteBuffer.wrap(stream));
        return meter.result();
    }

    private Optional<Usage> usage(String body) {
        Meter meter = new Meter(bedrock, "a", "application/json", "");
        meter.accept(ByteBuffer.wrap(body.replace('\'', '"').getBytes(StandardCharsets.UTF_8)));
        return meter.result().usage();
    }
}
