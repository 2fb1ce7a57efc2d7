package io.costguard.describe.dialects;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.describe.Dialect;
import io.costguard.describe.ErrorBody;
import io.costguard.describe.Target;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DialectsTest {
    private static final Target TARGET = Target.of("POST", URI.create("https://host/v1"));
    private static final Dialect OPENAI = dialect("/v1/chat/completions");
    private static final Dialect ANTHROPIC = dialect("/v1/messages");
    private static final List<Dialect> ALL = List.of(
            OPENAI,
            ANTHROPIC,
            dialect("/v1beta/models/m:generateContent"),
            dialectAt("https://api.cohere.com/v2/chat"),
            dialectAt("http://localhost:11434/api/chat"),
            dialectAt("https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse"),
            dialect("/completion"),
            dialectAt("https://router.huggingface.co/generate"));

    @ParameterizedTest
    @CsvSource({
        "POST, https://api.openai.com/v1/chat/completions, openai",
        "POST, http://localhost:8080/proxy/v1/chat/completions?x=1, openai",
        "POST, https://api.anthropic.com/v1/messages, anthropic",
        "POST, https://api.anthropic.com/v1/messages?beta=true, anthropic",
        "GET, https://api.openai.com/v1/chat/completions, ",
        "POST, https://res.openai.azure.com/openai/deployments/mine/chat/completions?api-version=1, azure",
        "POST, https://api.openai.com/v1/responses, openai",
        "POST, https://api.openai.com/v1/responses/resp_1/cancel, ",
        "POST, https://api.openai.com/v1/completions, openai",
        "POST, https://api.mistral.ai/v1/fim/completions, mistral",
        "POST, https://openrouter.ai/api/v1/embeddings, openrouter",
        "POST, https://api.openai.com/v1/moderations, openai",
        "POST, https://api.openai.com/v1/images/generations, openai",
        "POST, https://api.openai.com/v1/audio/speech, openai",
        "POST, https://api.openai.com/v1/batches, ",
        "POST, https://api.anthropic.com/v1/messages/batches, ",
        "POST, mailto:someone, ",
        "POST, https://api.openai.com, "
    })
    void aRequestIsOfTheDialectOfItsPath(String method, URI uri, String provider) {
        Target target = Target.of(method, uri);

        assertThat(Dialects.bundled().of(target).map(dialect -> dialect.provider(target)))
                .isEqualTo(Optional.ofNullable(provider));
    }

    @ParameterizedTest
    @CsvSource({
        "authorization, Bearer k, k",
        "authorization, bearer  k , k",
        "authorization, k, k",
        "authorization, Basic dXNlcjpr, Basic dXNlcjpr",
        "x-api-key, k, k",
        "api-key, k, k",
        "x-goog-api-key, k, k",
        "x-other, k, ''"
    })
    void theKeyIsWhereverTheProviderTakesIt(String header, String value, String key) {
        for (Dialect dialect : ALL) {
            assertThat(dialect.apiKey(TARGET, headers(Map.of(header, value))))
                    .as("%s", dialect)
                    .isEqualTo(key);
        }
    }

    @ParameterizedTest
    @CsvSource({"key=k, k", "alt=sse&key=a%2Fb&key=c, a/b", "monkey=k, ''", "key=%zz, %zz", "key, ''"})
    void orInTheQuery(String query, String key) {
        Target target = new Target("POST", "host", "/v1", query, "");
        for (Dialect dialect : ALL) {
            assertThat(dialect.apiKey(target, headers(Map.of("authorization", " "))))
                    .as("%s", dialect)
                    .isEqualTo(key);
            assertThat(dialect.apiKey(target, headers(Map.of("x-goog-api-key", "of the header"))))
                    .as("%s", dialect)
                    .isEqualTo("of the header");
        }
    }

    private static Function<String, Optional<String>> headers(Map<String, String> headers) {
        return name -> Optional.ofNullable(headers.get(name));
    }

    @ParameterizedTest
    @CsvSource({
        "400, content_filter, true",
        "400, content_policy_violation, true",
        "400, invalid_request_error, false",
        "503, server_error, false",
        "500, server_error, true",
        "451, '', true"
    })
    void openAiMayHaveBilledAnErrorUnlessItSurelyRefused(int status, String error, boolean billable) {
        assertThat(OPENAI.billable(status, error)).isEqualTo(billable);
    }

    @ParameterizedTest
    @CsvSource({
        "400, invalid_request_error, false",
        "529, overloaded_error, false",
        "503, overloaded_error, false",
        "500, api_error, true",
        "503, '', true"
    })
    void anthropicMayHaveBilledAnErrorUnlessItSurelyRefused(int status, String error, boolean billable) {
        assertThat(ANTHROPIC.billable(status, error)).isEqualTo(billable);
    }

    @ParameterizedTest
    @CsvSource({"429, rate_limit_error", "402, insufficient_quota", "503, server_error"})
    void anAnswerInOpenAisPlaceIsAnErrorOfItsShape(int status, String type) {
        assertThat(text(OPENAI.errorBody(status, "why \"so\"")))
                .startsWith("{\"error\":{\"message\":\"why \\\"so\\\"\",\"type\":\"" + type
                        + "\",\"param\":null,\"code\":\"");
    }

    @ParameterizedTest
    @CsvSource({"429, rate_limit_error", "402, billing_error", "503, overloaded_error"})
    void anAnswerInAnthropicsPlaceIsAnErrorOfItsShape(int status, String type) {
        assertThat(text(ANTHROPIC.errorBody(status, "why")))
                .isEqualTo("{\"type\":\"error\",\"error\":{\"type\":\"" + type + "\",\"message\":\"why\"}}");
    }

    @Test
    void whereNoProviderIsKnownAnErrorIsPlain() {
        assertThat(text(ErrorBody.plain("why"))).isEqualTo("{\"error\":{\"message\":\"why\"}}");
    }

    @Test
    void anthropicCountsWhatACacheServedApart() {
        assertThat(ANTHROPIC
                        .usage(Map.of("input_tokens", 10L, "cache_read_input_tokens", 100L))
                        .allInput())
                .isEqualTo(110);
    }

    private static Dialect dialect(String path) {
        return dialectAt("https://host" + path);
    }

    private static Dialect dialectAt(String url) {
        return Dialects.bundled().of(Target.of("POST", URI.create(url))).orElseThrow();
    }

    private static String text(byte[] body) {
        return new String(body, StandardCharsets.UTF_8);
    }
}
