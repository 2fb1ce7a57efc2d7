package io.costguard.describe.dialects;

import static java.nio.charset.StandardCharsets.UTF_16BE;
import static java.nio.charset.StandardCharsets.UTF_16LE;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.describe.Dialect;
import io.costguard.describe.Providers;
import io.costguard.describe.Target;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.net.URI;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Who is asked for usage in its stream, and which bytes that puts into a request. */
class StreamOptionsTest {
    private static final String CHAT = "https://api.openai.com/v1/chat/completions";
    private static final String STREAM = "{\"stream\":true}";

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{'stream':true} | {'stream_options':{'include_usage':true},'stream':true}",
                "` \n{ 'stream' : true } ` | ` \n{'stream_options':{'include_usage':true}, 'stream' : true } `",
                "{'model':'ü','stream':true} | {'stream_options':{'include_usage':true},'model':'ü','stream':true}",
                "{'str\\u0065am':true} | {'stream_options':{'include_usage':true},'str\\u0065am':true}",
                "{'stream':true,'stream_options':{}} | {'stream':true,'stream_options':{'include_usage':true}}",
                "{'a':{'é':{}},'stream_options': { } ,'stream':true} "
                        + "| {'a':{'é':{}},'stream_options': {'include_usage':true } ,'stream':true}",
                "{'stream_options':{'include_obfuscation':false},'stream':true} "
                        + "| {'stream_options':{'include_usage':true,'include_obfuscation':false},'stream':true}",
                "{'x':'\\\"stream_options\\\":{','stream':true} "
                        + "| {'stream_options':{'include_usage':true},'x':'\\\"stream_options\\\":{','stream':true}",
                "{'metadata':{'stream_options':{}},'stream':true} "
                        + "| {'stream_options':{'include_usage':true},'metadata':{'stream_options':{}},'stream':true}"
            })
    void aStreamIsAskedForUsageAndEveryOtherByteStaysAsItIs(String request, String asking) {
        assertThat(asked(CHAT, json(request)))
                .hasValueSatisfying(body -> assertThat(body).asString(UTF_8).isEqualTo(json(asking)));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{'stream':false}",
                "{'stream':'true'}",
                "{'stream':null}",
                "{'messages':[{'stream':true}]}",
                "{'metadata':{'stream':true}}",
                "{'stream':true,'stream_options':{'include_usage':true}}",
                "{'stream':true,'stream_options':{'include_usage':false}}",
                "{'stream':true,'stream_options':{'include_usage':null}}",
                "{'stream':true,'stream_options':{'include\\u005fusage':false}}",
                "{'stream':true,'stream_options':null}",
                "{'stream':true,'stream_options':[]}",
                "{'stream':true,'data_sources':[{'type':'azure_search'}]}"
            })
    void aRequestThatIsNoStreamOrSaysItselfIsLeftAsItIs(String request) {
        assertThat(asked(CHAT, json(request))).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "null",
                "true",
                "[{'stream':true}]",
                "{'stream':true",
                "{'stream':true,}",
                "{'stream':true}}",
                "{'stream':true}{}",
                "{'stream':true} x",
                "{stream:true}",
                "{'stream':true,'stream':true}",
                "{'stream':true,'stream':false}",
                "{'stream':true,'stream_options':{},'stream_options':{}}",
                "{'stream':true,'model':'a','model':'b'}",
                "\ufeff{'stream':true}"
            })
    void aBodyThatIsNotOneObjectThatReadsOneWayIsLeftAsItIs(String request) {
        assertThat(asked(CHAT, json(request))).isEmpty();
    }

    @Test
    void aBodyThatIsNotInUtf8IsLeftAsItIs() {
        Target target = Target.of("POST", URI.create(CHAT));

        assertThat(dialect(target).askForUsage(target, STREAM.getBytes(UTF_16LE)))
                .isEmpty();
        assertThat(dialect(target).askForUsage(target, STREAM.getBytes(UTF_16BE)))
                .isEmpty();
    }

    @Test
    void aBodyBeyondTheBoundsOfDepthIsLeftAsItIs() {
        String deep = "{\"stream\":true,\"a\":" + "{\"a\":".repeat(1_000_000) + "1" + "}".repeat(1_000_000) + "}";

        assertThat(asked(CHAT, deep)).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://api.openai.com/v1/completions",
                "https://api.deepseek.com/chat/completions",
                "https://api.deepseek.com/beta/completions",
                "https://api.anthropic.com/v1/chat/completions",
                "https://api.fireworks.ai/inference/v1/chat/completions",
                "http://localhost:11434/v1/chat/completions",
                "https://vllm.test/v1/chat/completions",
                "https://res.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-09-01-preview",
                "https://res.openai.azure.com/openai/deployments/d/chat/completions?x=1&api-version=2024-10-21",
                "https://res.openai.azure.com/openai/v1/chat/completions",
                "https://res.services.ai.azure.com/openai/v1/chat/completions?api-version=preview"
            })
    void aProviderThatTakesTheQuestionIsAsked(String url) {
        assertThat(asked(url, STREAM)).isPresent();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://api.mistral.ai/v1/chat/completions",
                "https://api.mistral.ai/v1/fim/completions",
                "https://api.groq.com/openai/v1/chat/completions",
                "https://openrouter.ai/api/v1/chat/completions",
                "https://api.perplexity.ai/chat/completions",
                "https://api.together.xyz/v1/chat/completions",
                "https://api.x.ai/v1/chat/completions",
                "https://api.cohere.com/compatibility/v1/chat/completions",
                "https://gateway.example.com/v1/chat/completions",
                "https://res.openai.azure.com/openai/deployments/d/chat/completions",
                "https://res.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-08-01-preview",
                "https://res.openai.azure.com/openai/deployments/d/chat/completions?my-api-version=2025-01-01",
                "https://res.services.ai.azure.com/models/chat/completions?api-version=2024-12-01",
                "https://api.openai.com/v1/responses",
                "https://api.openai.com/v1/embeddings",
                "https://api.openai.com/v1/audio/speech",
                "https://api.anthropic.com/v1/messages"
            })
    void aProviderThatTellsUnaskedOrIsNotKnownToTakeTheQuestionIsNotAsked(String url) {
        assertThat(asked(url, STREAM)).isEmpty();
    }

    @Test
    void noRecordedRequestThatWasAskedForUsageOrIsNoStreamIsChanged() {
        assertThat(Recordings.all())
                .filteredOn(exchange -> asked(exchange).isPresent())
                .extracting(Exchange::folder)
                .containsExactly("openai-chat-stream-no-usage");
    }

    private static Optional<byte[]> asked(Exchange exchange) {
        Target target = Target.of("POST", exchange.url());
        return dialect(target).askForUsage(target, exchange.request());
    }

    private static Optional<byte[]> asked(String url, String body) {
        URI uri = URI.create(url);
        Target target = Target.of(
                "POST",
                uri.getScheme(),
                uri.getHost(),
                uri.getPort(),
                uri.getPath(),
                uri.getRawQuery() == null ? "" : uri.getRawQuery(),
                Providers.bundled().with("vllm.test", "vllm"));
        return dialect(target).askForUsage(target, body.getBytes(UTF_8));
    }

    private static Dialect dialect(Target target) {
        return Dialects.bundled().of(target).orElseThrow();
    }

    private static String json(String text) {
        return text.replace('\'', '"');
    }
}
