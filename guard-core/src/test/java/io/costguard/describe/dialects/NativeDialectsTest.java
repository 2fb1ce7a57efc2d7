package io.costguard.describe.dialects;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.PriceList;
import io.costguard.ServiceTier;
import io.costguard.describe.Dialect;
import io.costguard.describe.Estimator;
import io.costguard.describe.Field;
import io.costguard.describe.JsonScan;
import io.costguard.describe.RequestFacts;
import io.costguard.describe.Target;
import io.costguard.describe.Usage;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the recordings do not show of providers with formats of their own. */
class NativeDialectsTest {
    private static final String GEMINI = "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash";
    private static final String VERTEX =
            "https://us-central1-aiplatform.googleapis.com/v1/projects/mine/locations/l/publishers/";
    private static final String CLAUDE_ON_VERTEX = VERTEX + "anthropic/models/claude-sonnet-4-5@20250929:rawPredict";
    private static final String MESSAGES = "https://api.anthropic.com/v1/messages";
    private static final String COHERE = "https://api.cohere.com/v2/chat";
    private static final String OLLAMA = "http://localhost:11434/api/chat";
    private static final String LLAMA_CPP = "http://localhost:8080/completion";
    private static final String TGI = "https://me.us-east-1.aws.endpoints.huggingface.cloud/";

    private final Estimator estimator = new Estimator(PriceList.bundled());

    @ParameterizedTest
    @CsvSource({
        GEMINI + ":generateContent, gemini",
        GEMINI + ":streamGenerateContent?alt=sse, gemini",
        GEMINI + ":embedContent, gemini",
        "https://generativelanguage.googleapis.com/v1beta/tunedModels/mine:generateContent, gemini",
        "https://proxy.example.com/v1beta/models/gemini-2.5-pro:generateContent, gemini",
        GEMINI + ":countTokens, ",
        "https://generativelanguage.googleapis.com/v1beta/cachedContents, ",
        VERTEX + "google/models/gemini-2.5-pro:generateContent, vertex",
        VERTEX + "google/models/text-embedding-005:predict, vertex",
        VERTEX + "google/models/imagen-4.0-generate-001:predict, ",
        VERTEX + "google/models/gemini-2.5-pro:countTokens, ",
        "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/endpoints/123:generateContent, vertex",
        VERTEX + "anthropic/models/claude-sonnet-4-5@20250929:rawPredict, vertex",
        VERTEX + "anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict, vertex",
        VERTEX + "anthropic/models/count-tokens:rawPredict, ",
        "https://generativelanguage.googleapis.com/v1beta/interactions, gemini",
        "https://generativelanguage.googleapis.com/v1beta/interactions/1/cancel, ",
        "https://api.example.com/v1/interactions, ",
        "https://api.anthropic.com/v1/complete, anthropic",
        "https://bedrock-mantle.us-east-1.api.aws/anthropic/v1/messages, bedrock",
        "https://bedrock-mantle.us-east-1.api.aws/v1/responses, bedrock",
        "https://bedrock-runtime-fips.us-east-1.amazonaws.com/openai/v1/chat/completions, bedrock",
        "https://api.anthropic.com/v1/messages/count_tokens, ",
        "https://api.cohere.com/v1/chat, cohere",
        "https://api.cohere.ai/v2/rerank, cohere",
        "https://api.cohere.com/v1/generate, cohere",
        "https://api.cohere.com/v1/tokenize, ",
        "https://api.example.com/v2/chat, ",
        "http://localhost:11434/api/generate, ollama",
        "http://localhost:11434/api/embed, ollama",
        "https://ollama.com/api/chat, ollama",
        "https://models.example.com/api/chat, ollama",
        "http://localhost:11434/api/pull, ",
        "https://api.groq.com/api/chat, ",
        LLAMA_CPP + ", llamacpp",
        "https://api.example.com/v1/completion, ",
        TGI + ", huggingface",
        TGI + "generate_stream, huggingface",
        TGI + "tokenize, ",
        "https://example.com/generate, "
    })
    void aRequestIsOfTheProviderOfItsUrl(String url, String provider) {
        Target target = target(url);

        assertThat(Dialects.bundled().of(target).map(dialect -> dialect.provider(target)))
                .isEqualTo(Optional.ofNullable(provider));
    }

    @ParameterizedTest
    @CsvSource({
        GEMINI + ":generateContent, gemini-2.5-flash",
        VERTEX + "google/models/text-embedding-005:predict, text-embedding-005",
        CLAUDE_ON_VERTEX + ", claude-sonnet-4-5-20250929",
        VERTEX + "anthropic/models/claude-opus-4-6@default:streamRawPredict, claude-opus-4-6",
        LLAMA_CPP + ", localhost:8080",
        TGI + ", me.us-east-1.aws.endpoints.huggingface.cloud"
    })
    void aModelThatTheBodyDoesNotNameIsThatOfTheUrlOrTheHost(String url, String model) {
        assertThat(read(url, "{}").models()).containsExactly(model);
    }

    @Test
    void llamaCppServesTheModelThatIsAskedFor() {
        assertThat(read(LLAMA_CPP, "{\"model\":\"qwen3\",\"prompt\":\"hi\"}").models())
                .containsExactly("qwen3");
    }

    @ParameterizedTest
    @CsvSource({
        GEMINI + ":generateContent, x-goog-api-key, k, k",
        GEMINI + ":generateContent?key=a%2Fb&alt=sse, accept, x, a/b",
        GEMINI + ":generateContent?alt=sse&key=k, authorization, Bearer hourly, k",
        GEMINI + ":generateContent, x-goog-user-project, mine, mine",
        GEMINI + ":generateContent, authorization, Bearer k, k",
        GEMINI + ":generateContent?monkey=k, accept, x, ''",
        VERTEX + "google/models/gemini-2.5-pro:generateContent, authorization, Bearer hourly, mine",
        "https://aiplatform.googleapis.com/v1/publishers/google/models/m:generateContent?key=k, accept, x, k",
        CLAUDE_ON_VERTEX + ", authorization, Bearer hourly, mine",
        "https://res.services.ai.azure.com/anthropic/v1/messages, authorization, Bearer eyJ0eXAi.of.an-hour, res.services.ai.azure.com",
        "https://res.services.ai.azure.com/anthropic/v1/messages, x-api-key, k, k",
        "https://bedrock-mantle.us-east-1.api.aws/anthropic/v1/messages, authorization, "
                + "'AWS4-HMAC-SHA256 Credential=ASIAY34FZKBOKMUTVV7A/20261124/us-east-1/bedrock/aws4_request, Signature=1', 609629065308",
        "https://api.anthropic.com/v1/complete, x-api-key, k, k",
        COHERE + ", authorization, Bearer k, k",
        OLLAMA + ", accept, x, ''"
    })
    void theKeyIsWhateverNamesTheAccount(String url, String header, String value, String key) {
        assertThat(dialect(url)
                        .apiKey(
                                target(url),
                                name -> Optional.ofNullable(
                                        Map.of(header, value).get(name))))
                .isEqualTo(key);
    }

    @Test
    void geminiTakesNamesWithUnderscoresAndOneForAListOfOne() {
        RequestFacts camel = read(GEMINI + ":generateContent", """
                {"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[{"parts":[{"text":"Hello"},\
                {"inlineData":{"data":"AAAA"}}]}],"generationConfig":{"maxOutputTokens":50,"candidateCount":3}}""");

        assertThat(camel.outputCap()).hasValue(50);
        assertThat(camel.choices()).isEqualTo(3);
        assertThat(camel.inputTokens()).isGreaterThan(258);
        assertThat(read(GEMINI + ":generateContent", """
                        {"system_instruction":{"parts":{"text":"Be brief."}},"contents":{"parts":[{"text":"Hello"},\
                        {"inline_data":{"data":"AAAA"}}]},"generation_config":{"max_output_tokens":50,"candidate_count":3}}""")).isEqualTo(camel);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                GEMINI + ":generateContent|{\"contents\":[{\"parts\":[{\"inlineData\":{\"data\":\"%s\"}}]}]}",
                GEMINI + ":embedContent|{\"content\":{\"parts\":[{\"inlineData\":{\"data\":\"%s\"}}]}}",
                COHERE + "|{\"messages\":[{\"content\":[{\"image_url\":{\"url\":\"data:image/png;base64,%s\"}}]}]}",
                "https://api.cohere.com/v2/embed|{\"images\":[\"data:image/png;base64,%s\"]}",
                OLLAMA + "|{\"messages\":[{\"role\":\"user\",\"images\":[\"%s\"]}]}",
                "http://localhost:11434/api/generate|{\"images\":[\"%s\"]}",
                LLAMA_CPP + "|{\"prompt\":{\"prompt_string\":\"a\",\"multimodal_data\":[\"%s\"]}}",
                MESSAGES + "|{\"messages\":[{\"content\":[{\"type\":\"image\",\"source\":{\"data\":\"%s\"}}]}]}"
            })
    void whatIsBase64IsNotCountedAsText(String url, String body) {
        assertThat(read(url, body.formatted("A".repeat(1_000_000))).inputTokens())
                .isLessThan(1_000_000 / 100);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{'contents':[{'parts':[PICTURE]}]}                                                                       | 1120",
                "{'contents':[{'parts':[PICTURE]}],'generationConfig':{'mediaResolution':'MEDIA_RESOLUTION_LOW'}}         | 280",
                "{'generation_config':{'media_resolution':'MEDIA_RESOLUTION_LOW'},'contents':[{'parts':PICTURE}]}         | 280",
                "{'contents':[{'parts':[PICTURE,LOW]}],'generationConfig':{'mediaResolution':'MEDIA_RESOLUTION_MEDIUM'}}  | 840",
            })
    void aPictureIsSeenAsCloselyAsItsPartSaysOrTheRequest(String body, long tokens) {
        String picture = "{\"inlineData\":{\"data\":\"iVBORw0KGgoAAAANSUhEUgAABAAAAAQA\",\"mimeType\":\"image/png\"}";
        String low = picture + ",\"mediaResolution\":{\"level\":\"media_resolution_low\"}";

        assertThat(read(
                                GEMINI.replace("2.5-flash", "3-pro-preview") + ":generateContent",
                                body.replace('\'', '"')
                                        .replace("LOW]", low + "}]")
                                        .replace("PICTURE", picture + "}"))
                        .inputTokens())
                .isEqualTo(tokens);
    }

    @Test
    void theTextOfADocumentIsCountedThough() {
        assertThat(read(
                                MESSAGES,
                                "{\"messages\":[{\"content\":[{\"type\":\"document\",\"source\":{\"data\":\""
                                        + "word ".repeat(1_000) + "\"}}]}]}")
                        .inputTokens())
                .isGreaterThan(1_000);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                GEMINI + ":batchEmbedContents",
                VERTEX + "google/models/text-embedding-005:predict",
                "https://api.cohere.com/v2/embed",
                "https://api.cohere.com/v2/rerank",
                "http://localhost:11434/api/embed"
            })
    void anEmbeddingHasNoOutput(String url) {
        assertThat(estimator
                        .estimate(read(url, "{}"), 1_000, OptionalLong.empty())
                        .output())
                .isZero();
    }

    @Test
    void tokensThatAreGivenAsNumbersAreCounted() {
        assertThat(read(LLAMA_CPP, "{\"prompt\":[1,2,3,\"word\"]}").inputTokens())
                .isBetween(5L, 6L);
        assertThat(read("http://localhost:11434/api/generate", "{\"context\":[1,2,3]}")
                        .inputTokens())
                .isEqualTo(read("http://localhost:11434/api/generate", "{}").inputTokens() + 3);
    }

    @ParameterizedTest
    @CsvSource({LLAMA_CPP + ", n_predict", TGI + ", parameters.max_new_tokens", OLLAMA + ", options.num_predict"})
    void theCapIsUnderTheNameThatTheServerHasForIt(String url, String path) {
        String value = path.contains(".") ? "{\"" + path.replace(".", "\":{\"") + "\":%d}}" : "{\"" + path + "\":%d}";

        assertThat(read(url, value.formatted(70)).outputCap()).hasValue(70);
        assertThat(read(url, value.formatted(-1)).outputCap()).isEqualTo(OptionalLong.empty());
    }

    @Test
    void whatGooglesToolsFetchedIsInputAndThinkingIsOnTop() {
        Usage usage = dialect(GEMINI + ":generateContent")
                .usage(Map.of(
                        "promptTokenCount", 70L,
                        "cachedContentTokenCount", 30L,
                        "toolUsePromptTokenCount", 79L,
                        "candidatesTokenCount", 53L,
                        "thoughtsTokenCount", 199L));

        assertThat(usage).isEqualTo(Usage.of(119, 53).withCacheRead(30).withReasoning(199));
        assertThat(usage.allInput() + usage.allOutput()).isEqualTo(401);
    }

    @Test
    void whatAnthropicKeepsForAnHourIsToldApart() {
        String usage = "{\"input_tokens\":3,\"cache_creation_input_tokens\":100,\"cache_creation\":"
                + "{\"ephemeral_5m_input_tokens\":40,\"ephemeral_1h_input_tokens\":60},\"output_tokens\":5}";

        for (String body : List.of("{\"usage\":" + usage + "}", "{\"message\":{\"usage\":" + usage + "}}")) {
            assertThat(usage(MESSAGES, body))
                    .isEqualTo(Usage.of(3, 5).withCacheWrite(40).withCacheWriteLong(60));
        }
    }

    @Test
    void eachTimeThatAnthropicRanAModelIsCountedThoughItsUsageLeavesSomeOut() {
        String usage =
                "{\"input_tokens\":23000,\"output_tokens\":1000,\"cache_creation_input_tokens\":7,\"iterations\":["
                        + "{\"type\":\"compaction\",\"input_tokens\":180000,\"output_tokens\":3500,\"cache_read_input_tokens\":20},"
                        + "{\"type\":\"message\",\"input_tokens\":23000,\"output_tokens\":1000,\"cache_creation_input_tokens\":7,"
                        + "\"cache_creation\":{\"ephemeral_1h_input_tokens\":7}}]}";

        for (String body : List.of("{\"usage\":" + usage + "}", "{\"message\":{\"usage\":" + usage + "}}")) {
            assertThat(usage(MESSAGES, body))
                    .isEqualTo(Usage.of(203_000, 4_500).withCacheRead(20).withCacheWriteLong(7));
        }
    }

    @Test
    void anAnswerOfAnthropicsThatTookOneRunIsCountedOnce() {
        assertThat(usage(
                        MESSAGES,
                        "{\"usage\":{\"input_tokens\":10,\"output_tokens\":5,"
                                + "\"iterations\":[{\"type\":\"message\",\"input_tokens\":10,\"output_tokens\":5}]}}"))
                .isEqualTo(Usage.of(10, 5));
        assertThat(usage(MESSAGES, "{\"usage\":{\"input_tokens\":10,\"output_tokens\":5,\"iterations\":null}}"))
                .isEqualTo(Usage.of(10, 5));
    }

    @Test
    void llamaCppTellsWhichOfThePromptWasInItsCache() {
        assertThat(
                        usage(
                                LLAMA_CPP,
                                "{\"content\":\"hi\",\"stop\":true,\"tokens_predicted\":4,\"tokens_evaluated\":20,\"timings\":{\"cache_n\":12}}"))
                .isEqualTo(Usage.of(8, 4).withCacheRead(12));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"text\":\"hi\",\"meta\":{\"billed_units\":{\"input_tokens\":9,\"output_tokens\":4}}}",
                "{\"generations\":[{\"text\":\"hi\"}],\"meta\":{\"billed_units\":{\"input_tokens\":9,\"output_tokens\":4}}}",
                "{\"event_type\":\"stream-end\",\"is_finished\":true,\"response\":{\"meta\":{\"billed_units\":"
                        + "{\"input_tokens\":9,\"output_tokens\":4}}}}"
            })
    void cohereBillsTheFirstVersionOfItsApiAlike(String body) {
        assertThat(usage("https://api.cohere.com/v1/chat", body)).isEqualTo(Usage.of(9, 4));
    }

    @ParameterizedTest
    @CsvSource({
        GEMINI + ":generateContent, 400, false",
        GEMINI + ":generateContent, 503, false",
        GEMINI + ":generateContent, 599, true",
        CLAUDE_ON_VERTEX + ", 529, false",
        COHERE + ", 498, false",
        COHERE + ", 400, false",
        COHERE + ", 409, true",
        OLLAMA + ", 503, false",
        LLAMA_CPP + ", 503, false",
        TGI + ", 503, false",
        TGI + ", 424, true"
    })
    void anErrorMayHaveBeenBilledUnlessItSurelyRefused(String url, int status, boolean billable) {
        assertThat(dialect(url).billable(status, "")).isEqualTo(billable);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                GEMINI
                        + ":generateContent|429|{\"error\":{\"code\":429,\"message\":\"why\",\"status\":\"RESOURCE_EXHAUSTED\"}}",
                GEMINI
                        + ":generateContent|402|{\"error\":{\"code\":402,\"message\":\"why\",\"status\":\"FAILED_PRECONDITION\"}}",
                GEMINI
                        + ":generateContent|503|{\"error\":{\"code\":503,\"message\":\"why\",\"status\":\"UNAVAILABLE\"}}",
                COHERE + "|429|{\"message\":\"why\"}",
                OLLAMA + "|429|{\"error\":\"why\"}",
                LLAMA_CPP + "|503|{\"error\":{\"code\":503,\"message\":\"why\",\"type\":\"unavailable_error\"}}",
                TGI + "|429|{\"error\":\"why\",\"error_type\":\"overloaded\"}"
            })
    void anAnswerInAProvidersPlaceIsAnErrorOfItsShape(String url, int status, String body) {
        assertThat(new String(dialect(url).errorBody(status, "why"), StandardCharsets.UTF_8))
                .isEqualTo(body);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                GEMINI + ":generateContent|{\"error\":{\"code\":400,\"status\":\"INVALID_ARGUMENT\"}}|INVALID_ARGUMENT",
                CLAUDE_ON_VERTEX + "|{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\"}}|RESOURCE_EXHAUSTED",
                COHERE + "|{\"message\":\"invalid request: secret\"}|error",
                COHERE + "|{\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\"}}|ERROR",
                OLLAMA + "|{\"error\":\"model 'secret' not found\"}|error",
                LLAMA_CPP + "|{\"error\":{\"code\":400,\"type\":\"invalid_request_error\"}}|invalid_request_error",
                TGI + "|{\"error\":\"Model is overloaded\",\"error_type\":\"overloaded\"}|overloaded"
            })
    void anErrorIsKnownByItsTypeAndNotByItsText(String url, String body, String error) {
        assertThat(told(url, body).errors).containsExactly(error);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                MESSAGES + " | {\"service_tier\":\"standard_only\"} | STANDARD",
                MESSAGES + " | {\"service_tier\":\"auto\"} | STANDARD PRIORITY",
                MESSAGES + " | {} | STANDARD",
                GEMINI + ":generateContent | {\"serviceTier\":\"priority\"} | PRIORITY",
                GEMINI + ":generateContent | {\"service_tier\":\"SERVICE_TIER_FLEX\"} | FLEX",
                GEMINI + ":generateContent | {} | STANDARD"
            })
    void aRequestMayBeServedInTheTiersThatItAllows(String url, String body, String tiers) {
        assertThat(read(url, body).tiers())
                .containsExactlyInAnyOrder(Stream.of(tiers.split(" ", -1))
                        .map(ServiceTier::valueOf)
                        .toArray(ServiceTier[]::new));
    }

    @Test
    void onVertexAiTheTierIsAskedForInAHeader() {
        String url = VERTEX + "google/models/gemini-2.5-pro:generateContent";

        assertThat(estimator
                        .read(
                                dialect(url),
                                target(url),
                                name -> Optional.of("priority")
                                        .filter(value -> name.equalsIgnoreCase("x-vertex-ai-llm-shared-request-type")),
                                "{}".getBytes(StandardCharsets.UTF_8))
                        .tiers())
                .containsExactly(ServiceTier.PRIORITY);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                MESSAGES + " | {\"usage\":{\"input_tokens\":1,\"service_tier\":\"priority\"}} | priority",
                MESSAGES + " | {\"message\":{\"usage\":{\"input_tokens\":1,\"service_tier\":\"batch\"}}} | batch",
                GEMINI + ":generateContent | {\"usageMetadata\":{\"serviceTier\":\"flex\"}} | flex",
                VERTEX + "google/models/gemini-2.5-pro:generateContent "
                        + "| {\"usageMetadata\":{\"trafficType\":\"ON_DEMAND_PRIORITY\"}} | ON_DEMAND_PRIORITY"
            })
    void anAnswerTellsTheTierInWhichItWasServed(String url, String body, String tier) {
        Told told = told(url, body);

        assertThat(told.tiers).containsExactly(tier);
        assertThat(told.counts.keySet()).doesNotContain("service_tier");
    }

    @Test
    void geminiTellsItsTierInAHeaderToo() {
        Told told = new Told();
        dialect(GEMINI + ":generateContent")
                .responseHeaders(
                        name -> Optional.of("standard").filter(value -> name.equals("x-gemini-service-tier")), told);

        assertThat(told.tiers).containsExactly("standard");
    }

    private RequestFacts read(String url, String body) {
        return estimator.read(dialect(url), target(url), body.getBytes(StandardCharsets.UTF_8));
    }

    private static Usage usage(String url, String body) {
        return dialect(url).usage(told(url, body).counts);
    }

    private static Told told(String url, String body) {
        Told told = new Told();
        byte[] json = body.getBytes(StandardCharsets.UTF_8);
        assertThat(JsonScan.read(
                        json,
                        0,
                        json.length,
                        dialect(url).responsePaths(),
                        field -> dialect(url).response(field, told)))
                .isTrue();
        return told;
    }

    private static Target target(String url) {
        return Target.of("POST", URI.create(url));
    }

    private static Dialect dialect(String url) {
        return Dialects.bundled().of(target(url)).orElseThrow();
    }

    /** What a dialect tells of one document. */
    private static final class Told implements Dialect.ResponseReader {
        private final Map<String, Long> counts = new HashMap<>();
        private final List<String> errors = new ArrayList<>();
        private final List<String> tiers = new ArrayList<>();

        @Override
        public void later() {}

        @Override
        public void tier(String name) {
            tiers.add(name);
        }

        @Override
        public void reported(String name, OptionalLong count) {
            counts.put(name, count.orElseThrow());
        }

        @Override
        public void part(String name, Field value) {
            counts.merge(name, value.count().orElseThrow(), Long::sum);
        }

        @Override
        public void kind(String name) {}

        @Override
        public void ofKind(Field value) {}

        @Override
        public void kindEnds(String name) {}

        @Override
        public void text(String text) {}

        @Override
        public void wholeText(String text) {}

        @Override
        public void document(byte[] json) {}

        @Override
        public void error(String typeOrCode) {
            errors.add(typeOrCode);
        }

        @Override
        public void end() {}
    }
}
