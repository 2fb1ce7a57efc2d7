package io.costguard.settle;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.PriceList;
import io.costguard.describe.Dialect;
import io.costguard.describe.Estimator;
import io.costguard.describe.RequestFacts;
import io.costguard.describe.Target;
import io.costguard.describe.Tokenizers;
import io.costguard.describe.Usage;
import io.costguard.describe.dialects.Dialects;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Interactions of the Gemini API, of which there is no recording. */
class GeminiInteractionsTest {
    private static final Target TARGET =
            Target.of("POST", URI.create("https://generativelanguage.googleapis.com/v1beta/interactions"));
    private static final Dialect DIALECT = Dialects.bundled().of(TARGET).orElseThrow();

    /** As Google's deep research reported it, but for what was cached and the kinds: 119,631 + 8,396 + 14,812 + 41,495 = 184,334. */
    private static final String USAGE = "'usage':{'cached_tokens_by_modality':[{'modality':'audio','tokens':30}],"
            + "'input_tokens_by_modality':[{'modality':'text','tokens':119581},{'modality':'audio','tokens':50}],"
            + "'output_tokens_by_modality':[{'modality':'text','tokens':7276},{'tokens':1120,'modality':'image'}],"
            + "'tool_use_tokens_by_modality':null,'total_cached_tokens':40,'total_input_tokens':119631,"
            + "'total_output_tokens':8396,'total_thought_tokens':14812,'total_tokens':184334,'total_tool_use_tokens':41495}";

    private static final Usage READ = Usage.of(119_591 - 20 + 41_495, 7_276)
            .withCacheRead(40)
            .withAudioInput(20)
            .withReasoning(14_812)
            .withImageOutput(1_120);

    @Test
    void usageIsReadToTheToken() {
        Metered metered = metered(
                "application/json",
                "{'status':'completed','steps':[{'type':'model_output','content':[{'type':'text','text':'hi'}]}],"
                        + USAGE + "}");

        assertThat(metered.usage()).contains(READ);
        assertThat(READ.allInput() + READ.allOutput()).isEqualTo(184_334);
        assertThat(metered.state()).isEqualTo(Metered.State.COMPLETE);
        assertThat(metered.outputCounted()).isEqualTo(counted("hi"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"interaction.completed", "interaction.complete"})
    void aStreamEndsWithItsUsage(String type) {
        Metered metered = metered(
                "text/event-stream",
                "event: interaction.created\n"
                        + "data: {'interaction':{'id':'v1','status':'in_progress'},'event_type':'interaction.created'}\n\n"
                        + "data: {'index':0,'delta':{'type':'text','text':'1, 2'},'event_type':'step.delta'}\n\n"
                        + "data: {'interaction':{'status':'completed'," + USAGE + "},'event_type':'" + type + "'}\n\n");

        assertThat(metered.usage()).contains(READ);
        assertThat(metered.state()).isEqualTo(Metered.State.COMPLETE);
        assertThat(metered.outputCounted()).isEqualTo(counted("1, 2"));
    }

    @Test
    void anErrorInAStreamIsOne() {
        assertThat(metered(
                                "text/event-stream",
                                "data: {'event_type':'error','error':{'code':'overloaded','message':'no'}}\n\n")
                        .error())
                .isEqualTo("overloaded");
    }

    @Test
    void anInteractionInTheBackgroundIsStillToCome() {
        assertThat(metered("application/json", "{'status':'in_progress','id':'v1'}")
                        .state())
                .isEqualTo(Metered.State.PARTIAL);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "'input':'#'",
                "'input':{'type':'text','text':'#'}",
                "'input':[{'type':'text','text':'#'}]",
                "'input':[{'role':'user','content':'#'}]",
                "'input':[{'type':'user_input','content':[{'type':'text','text':'#'}]}]",
                "'input':[{'type':'function_result','result':'#'}]",
                "'input':[{'type':'function_call','arguments':{'of':['#']}}]",
                "'system_instruction':'#'",
                "'tools':[{'type':'function','description':'#'}]",
            })
    void textOfThePromptIsCountedWhereverItStands(String members) {
        String text = "the quick brown fox jumps over the lazy dog ".repeat(50);

        assertThat(read("{'model':'m'," + members.replace("#", text) + "}").inputTokens())
                .isBetween(counted(text), counted(text) + 20);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "'input':[{'type':'image','data':'#','mime_type':'image/png'}]",
                "'input':[{'type':'user_input','content':[{'type':'image','data':'#'}]}]",
            })
    void whatIsBase64IsNotCountedAsText(String members) {
        assertThat(read("{'model':'gemini-2.5-flash'," + members.replace("#", "A".repeat(1_000_000)) + "}")
                        .inputTokens())
                .isBetween(1L, 10_000L);
    }

    @Test
    void theModelOrTheAgentAndTheCapAreInTheBody() {
        RequestFacts facts = read("{'model':'gemini-3-flash','generation_config':{'max_output_tokens':70}}");

        assertThat(facts.models()).containsExactly("gemini-3-flash");
        assertThat(facts.outputCap()).hasValue(70);
        assertThat(read("{'agent':'deep-research','input':'hi'}").models()).containsExactly("deep-research");
    }

    private static long counted(String text) {
        return Tokenizers.of("m").count(text);
    }

    private static RequestFacts read(String body) {
        return new Estimator(PriceList.bundled())
                .read(DIALECT, TARGET, body.replace('\'', '"').getBytes(StandardCharsets.UTF_8));
    }

    private static Metered metered(String contentType, String body) {
        Meter meter = new Meter(DIALECT, "m", contentType, "");
        meter.accept(ByteBuffer.wrap(body.replace('\'', '"').getBytes(StandardCharsets.UTF_8)));
        return meter.result();
    }
}
