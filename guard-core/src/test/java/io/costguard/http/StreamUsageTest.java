package io.costguard.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.describe.Dialect;
import io.costguard.describe.Target;
import io.costguard.describe.dialects.Dialects;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which requests a guard may put something into. */
class StreamUsageTest {
    private static final Target TARGET = Target.of("POST", URI.create("https://api.openai.com/v1/chat/completions"));
    private static final Dialect DIALECT = Dialects.bundled().of(TARGET).orElseThrow();
    private static final byte[] BODY = "{\"stream\":true}".getBytes(StandardCharsets.UTF_8);

    @Test
    void aRequestIsSentAsItIsUnlessTheUserSaysOtherwise() {
        assertThat(StreamUsage.AS_REQUESTED.sent(DIALECT, TARGET, name -> Optional.empty(), BODY))
                .isSameAs(BODY);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "sk-1", "Bearer sk-1", "bearer  sk-1", "Basic dTpw"})
    void aRequestThatShowsItsKeyIsAskedForUsage(String authorization) {
        assertThat(sent("Authorization", authorization)).asString().contains("include_usage");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "Content-Encoding | gzip",
                "Content-MD5 | 1B2M2Y8AsgTpgAmY7PhCfg==",
                "Digest | SHA-256=abc=",
                "Content-Digest | sha-256=:abc=:",
                "Repr-Digest | sha-256=:abc=:",
                "Signature | sig1=:abc=:",
                "x-amz-content-sha256 | e3b0c442",
                "x-ms-content-sha256 | abc=",
                "x-content-sha256 | abc=",
                "Authorization | AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/bedrock/aws4_request, Signature=abc",
                "Authorization | HMAC-SHA256 SignedHeaders=date&Signature=abc",
                "Authorization | Signature version=\"1\",keyId=\"a\"",
                "Authorization | Digest username=\"u\", qop=auth-int",
                "Authorization | Bearerish x"
            })
    void aRequestWhoseHeadersSpeakForItsBodyIsSentAsItIs(String name, String value) {
        assertThat(sent(name, value)).isSameAs(BODY);
    }

    private static byte[] sent(String name, String value) {
        Map<String, String> headers = Map.of(name.toLowerCase(Locale.ROOT), value);
        return StreamUsage.ASKED_FOR.sent(
                DIALECT, TARGET, asked -> Optional.ofNullable(headers.get(asked.toLowerCase(Locale.ROOT))), BODY);
    }
}
