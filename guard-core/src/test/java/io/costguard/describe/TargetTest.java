package io.costguard.describe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.net.URI;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TargetTest {
    @ParameterizedTest
    @CsvSource({
        "https://API.openai.com/v1, api.openai.com, api.openai.com",
        "https://api.openai.com:443/v1, api.openai.com, api.openai.com",
        "http://api.openai.com:443/v1, api.openai.com:443, api.openai.com",
        "http://localhost:11434/api, localhost:11434, localhost",
        "http://[::1]:8000/v1, [::1]:8000, [::1]",
        "http://[::1]/v1, [::1], [::1]"
    })
    void theHostHasItsPortUnlessThatIsTheSchemesOwn(URI url, String host, String hostName) {
        Target target = Target.of("POST", url);

        assertThat(target.host()).isEqualTo(host);
        assertThat(target.hostName()).isEqualTo(hostName);
    }

    @ParameterizedTest
    @CsvSource({
        "https://api.groq.com/openai/v1, groq",
        "https://one.openai.azure.com/openai, azure",
        "https://openai.azure.com.evil.example/openai, ''",
        "https://europe-west1-aiplatform.googleapis.com/v1, vertex",
        "https://bedrock-runtime.eu-central-1.amazonaws.com/model, bedrock",
        "http://127.0.0.1:11434/api/chat, ollama",
        "http://127.0.0.1:8000/v1, ''"
    })
    void theProviderIsKnownByTheHost(URI url, String provider) {
        assertThat(Target.of("POST", url).provider()).isEqualTo(provider);
    }

    @Test
    void aHostOfOnesOwnWinsOverThoseOfTheLibrary() {
        Providers providers =
                Providers.bundled().with("*.corp.example:8000", "vLLM").with("api.groq.com", "mirror");

        assertThat(providers.of("llm.corp.example:8000")).isEqualTo("vllm");
        assertThat(providers.of("api.groq.com")).isEqualTo("mirror");
        assertThat(providers.of("api.mistral.ai")).isEqualTo("mistral");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "*", "a*b", "*.a.*", "https://a.example", "a.example/v1"})
    void whatIsNoHostIsRefused(String host) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Providers.bundled().with(host, "x"))
                .withMessageContaining("*.example.com");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Providers.bundled().with("a.example", " "))
                .withMessageContaining("blank");
    }
}
