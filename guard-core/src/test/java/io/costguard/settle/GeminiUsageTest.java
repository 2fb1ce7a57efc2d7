package io.costguard.settle;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.describe.Dialect;
import io.costguard.describe.Target;
import io.costguard.describe.Usage;
import io.costguard.describe.dialects.Dialects;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is sound and what are pictures in what Gemini reports, which has them in lists ("ModalityTokenCount"). */
class GeminiUsageTest {
    private static final String HEARD = "{'modality':'TEXT','tokenCount':12},{'modality':'AUDIO','tokenCount':320},"
            + "{'tokenCount':258,'modality':'IMAGE'},{'modality':'VIDEO','tokenCount':10}";

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 4_096})
    void whatWasHeardAndSeenIsToldApartInHoweverManyPiecesItComes(int piece) {
        String body = "{'usageMetadata':{'promptTokenCount':600,'candidatesTokenCount':5,'promptTokensDetails':["
                + HEARD + "]}}";

        assertThat(usage("application/json", body, piece))
                .isEqualTo(Usage.of(22, 5).withAudioInput(320).withImageInput(258));
    }

    @Test
    void whatACacheServedOfThemIsNotCountedAgain() {
        String body =
                "{'usageMetadata':{'promptTokenCount':600,'cachedContentTokenCount':500,'promptTokensDetails':[" + HEARD
                        + "],'cacheTokensDetails':[{'modality':'AUDIO','tokenCount':300},{'modality':'IMAGE','tokenCount':200}]}}";

        assertThat(usage("application/json", body, 4_096))
                .isEqualTo(Usage.of(22, 0).withCacheRead(500).withAudioInput(20).withImageInput(58));
    }

    @Test
    void whatWasSpokenAndDrawnIsToldApart() {
        String body = "{'usageMetadata':{'promptTokenCount':9,'candidatesTokenCount':1400,'thoughtsTokenCount':30,"
                + "'candidatesTokensDetails':[{'modality':'IMAGE','tokenCount':1290},{'modality':'AUDIO','tokenCount':100}]}}";

        assertThat(usage("application/json", body, 4_096))
                .isEqualTo(
                        Usage.of(9, 10).withReasoning(30).withAudioOutput(100).withImageOutput(1_290));
    }

    @Test
    void ofAStreamTheLastEventCountsAndAnEventThatIsLikeOneBeforeIsRead() {
        StringBuilder stream = new StringBuilder();
        for (long drawn : new long[] {100, 700, 1_290}) {
            stream.append("data: {'usageMetadata':{'promptTokenCount':9,'candidatesTokenCount':")
                    .append(drawn + 10)
                    .append(",'candidatesTokensDetails':[{'modality':'IMAGE','tokenCount':")
                    .append(drawn)
                    .append("}]}}\n\n");
        }

        assertThat(usage("text/event-stream", stream.toString(), 4_096))
                .isEqualTo(Usage.of(9, 10).withImageOutput(1_290));
    }

    @Test
    void whatWasEmbeddedIsToldApartUnderAnotherName() {
        String body = "{'embeddings':[],'usageMetadata':{'promptTokenCount':40,'promptTokenDetails':["
                + "{'modality':'AUDIO','tokenCount':32},{'modality':'TEXT','tokenCount':8}]}}";

        assertThat(usage("application/json", body, 4_096))
                .isEqualTo(Usage.of(8, 0).withAudioInput(32));
    }

    @Test
    void aKindWithoutACountIsNone() {
        String body =
                "{'usageMetadata':{'promptTokenCount':9,'promptTokensDetails':[{'modality':'AUDIO'},{'tokenCount':9}]}}";

        assertThat(usage("application/json", body, 4_096)).isEqualTo(Usage.of(9, 0));
    }

    private static Usage usage(String contentType, String body, int piece) {
        byte[] bytes = body.replace('\'', '"').getBytes(StandardCharsets.UTF_8);
        Dialect gemini = Dialects.bundled()
                .of(Target.of(
                        "POST",
                        URI.create("https://generativelanguage.googleapis.com/v1beta/models/m:generateContent")))
                .orElseThrow();
        Meter meter = new Meter(gemini, "m", contentType, "");
        for (int at = 0; at < bytes.length; at += piece) {
            meter.accept(ByteBuffer.wrap(bytes, at, Math.min(piece, bytes.length - at)));
            meter.result();
        }
        return meter.result().usage().orElseThrow();
    }
}
