package io.costguard.settle;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Cost;
import io.costguard.Outcome;
import io.costguard.PriceList;
import io.costguard.ServiceTier;
import io.costguard.describe.Dialect;
import io.costguard.describe.Target;
import io.costguard.describe.Usage;
import io.costguard.describe.dialects.Dialects;
import io.costguard.testing.Recordings;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is read in answers on OpenAI's paths, of what no recording shows. */
class OpenAiAnswersTest {

    @Test
    void reasoningIsPartOfTheAnswerUnlessTheTotalShowsThatItIsNot() {
        assertThat(usage("{'usage':{'prompt_tokens':32,'completion_tokens':109,'total_tokens':141,"
                        + "'completion_tokens_details':{'reasoning_tokens':94}}}"))
                .isEqualTo(Usage.of(32, 15).withReasoning(94));
        assertThat(usage("{'usage':{'prompt_tokens':32,'completion_tokens':109,'total_tokens':235,"
                        + "'completion_tokens_details':{'reasoning_tokens':94}}}"))
                .isEqualTo(Usage.of(32, 109).withReasoning(94));
    }

    @Test
    void reasoningThatIsMoreThanTheAnswerIsNotInIt() {
        assertThat(
                        usage(
                                "{'usage':{'prompt_tokens':33,'completion_tokens':71,'total_tokens':104,'reasoning_tokens':953}}"))
                .isEqualTo(Usage.of(33, 71).withReasoning(953));
    }

    @Test
    void whatTheTotalHasBeyondAllThatIsToldIsReasoning() {
        assertThat(usage("{'usage':{'prompt_tokens':20,'completion_tokens':424,'total_tokens':1016}}"))
                .isEqualTo(Usage.of(20, 424).withReasoning(572));
        assertThat(usage("{'usage':{'prompt_tokens':20,'completion_tokens':424,'total_tokens':1016,"
                        + "'completion_tokens_details':{'reasoning_tokens':500}}}"))
                .isEqualTo(Usage.of(20, 424).withReasoning(572));
    }

    @Test
    void aTotalThatIsLessThanItsPartsTellsNothing() {
        assertThat(usage("{'usage':{'prompt_tokens':20,'completion_tokens':4,'total_tokens':0}}"))
                .isEqualTo(Usage.of(20, 4));
    }

    @Test
    void whereThereIsNothingButATotalItIsTheInput() {
        assertThat(metered("/embeddings", "application/json", "{'data':[],'usage':{'total_tokens':10}}")
                        .usage())
                .contains(Usage.of(10, 0));
    }

    @Test
    void usageInTheChoiceOfAnEventIsRead() {
        Metered metered = metered("/chat/completions", "text/event-stream", """
                data: {'choices':[{'delta':{'content':'hi'}}]}

                data: {'choices':[{'delta':{},'finish_reason':'stop','usage':{'prompt_tokens':9,'completion_tokens':4,'total_tokens':13,'cached_tokens':2}}]}

                data: [DONE]

                """);

        assertThat(metered.usage()).contains(Usage.of(7, 4).withCacheRead(2));
    }

    @Test
    void audioThatACacheServedIsCountedOnce() {
        assertThat(usage("{'usage':{'prompt_tokens':100,'completion_tokens':1,"
                        + "'prompt_tokens_details':{'cached_tokens':64,'audio_tokens':90}}}"))
                .isEqualTo(Usage.of(0, 1).withCacheRead(64).withAudioInput(36));
    }

    @Test
    void whatDeepSeeksCacheServedIsReadUnderItsOwnNameToo() {
        assertThat(usage("{'usage':{'prompt_tokens':10,'completion_tokens':1,'prompt_cache_hit_tokens':6}}"))
                .isEqualTo(Usage.of(4, 1).withCacheRead(6));
    }

    @Test
    void whatAProviderBehindOpenRouterBillsToTheUsersOwnKeyIsAddedToItsCost() {
        String usage = "{'usage':{'prompt_tokens':10,'completion_tokens':1,'cost':0.0001,'is_byok':%s,"
                + "'cost_details':{'upstream_inference_cost':0.002}}}";

        assertThat(usage(usage.formatted("true")).nanoUsd()).hasValue(2_100_000);
        assertThat(usage(usage.formatted("false")).nanoUsd()).hasValue(100_000);
    }

    @ParameterizedTest
    @ValueSource(strings = {"-1", "'free'", "1e999999999", "null"})
    void aCostThatIsNoneLeavesTheTokens(String cost) {
        Usage usage = usage("{'usage':{'prompt_tokens':10,'completion_tokens':1,'cost':" + cost + "}}");

        assertThat(usage).isEqualTo(Usage.of(10, 1));
    }

    @Test
    void groqsUsageIsTheSameInBothItsPlaces() {
        String usage = "{'prompt_tokens':12,'completion_tokens':26,'total_tokens':38}";

        assertThat(usage("{'usage':" + usage + ",'x_groq':{'usage':" + usage + "}}"))
                .isEqualTo(Usage.of(12, 26));
    }

    @ParameterizedTest
    @CsvSource({"response.completed", "response.incomplete", "response.failed"})
    void aStreamOfAResponseEndsWithItsUsage(String type) {
        Metered metered = metered(
                "/responses",
                "text/event-stream",
                "data: {'type':'response.created','response':{'usage':null,'error':null}}\n\n"
                        + "data: {'type':'" + type
                        + "','response':{'usage':{'input_tokens':9,'output_tokens':4,'input_tokens_details':{'cached_tokens':2}}}}\n\n");

        assertThat(metered.usage()).contains(Usage.of(7, 4).withCacheRead(2));
        assertThat(metered.state()).isEqualTo(Metered.State.COMPLETE);
    }

    @Test
    void aStreamOfAResponseThatFailsTellsWhy() throws IOException {
        StringBuilder stream = new StringBuilder();
        try (InputStream events = Recordings.class.getResourceAsStream(
                "/io/costguard/testing/wire/response-only/openai-responses-insufficient-quota.stream-events.jsonl")) {
            new String(Objects.requireNonNull(events).readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .forEach(event -> stream.append("data: ").append(event).append("\n\n"));
        }

        Metered metered = metered("/responses", "text/event-stream", stream.toString());

        assertThat(metered.error()).contains("insufficient_quota");
        assertThat(metered.state()).isEqualTo(Metered.State.COMPLETE);
    }

    @Test
    void theTextOfAStreamedResponseIsCountedOnce() {
        Metered metered = metered("/responses", "text/event-stream", """
                data: {'type':'response.output_text.delta','delta':'hello'}

                data: {'type':'response.output_text.done','text':'hello'}

                data: {'type':'response.output_item.done','item':{'content':[{'text':'hello'}]}}

                """);

        assertThat(metered.outputCounted()).isEqualTo(counted("hello"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "/chat/completions | {'service_tier':'flex','usage':{'prompt_tokens':1}} | FLEX",
                "/chat/completions | {'service_tier':'on_demand','x_groq':{'usage':{'prompt_tokens':1}}} | STANDARD",
                "/chat/completions | {'usage':{'prompt_tokens':1,'service_tier':'standard'}} | STANDARD",
                "/chat/completions | {'service_tier':'auto'} | ",
                "/chat/completions | {'service_tier':null} | ",
                "/chat/completions | {'service_tier':1} | ",
                "/responses | {'status':'completed','service_tier':'priority'} | PRIORITY",
                "/responses | {'status':'completed','service_tier':'default'} | STANDARD"
            })
    void anAnswerTellsTheTierInWhichItWasServed(String path, String body, ServiceTier tier) {
        assertThat(metered(path, "application/json", body).tier()).isEqualTo(Optional.ofNullable(tier));
    }

    @Test
    void aStreamTellsItsTierInItsEventsAndTheLastThatIsOneCounts() {
        assertThat(metered("/responses", "text/event-stream", """
                                data: {'type':'response.created','response':{'service_tier':'auto'}}

                                data: {'type':'response.completed','response':{'service_tier':'priority','usage':{'input_tokens':1}}}

                                """).tier()).contains(ServiceTier.PRIORITY);
        assertThat(metered("/chat/completions", "text/event-stream", """
                                data: {'choices':[{'delta':{'content':'a'}}],'service_tier':'flex'}

                                data: {'choices':[{'delta':{'content':'b'}}],'service_tier':null}

                                """).tier())
                .contains(ServiceTier.FLEX);
    }

    @ParameterizedTest
    @CsvSource({"queued, ESTIMATE_KEPT", "in_progress, ESTIMATE_KEPT", "completed, COUNTED"})
    void aResponseThatIsMadeInTheBackgroundKeepsItsEstimate(String status, Outcome outcome) {
        Metered metered =
                metered("/responses", "application/json", "{'status':'" + status + "','usage':null,'output':[]}");

        assertThat(new Charges(PriceList.bundled())
                        .of(
                                new Ending.Answered(200, metered),
                                Cost.requests(1).input(10).output(1_000),
                                Optional.of(dialect("/responses")),
                                "openai",
                                "gpt-5",
                                Set.of(ServiceTier.STANDARD))
                        .outcome())
                .isEqualTo(outcome);
    }

    @Test
    void aTranscriptTellsItsAudioApart() {
        assertThat(metered(
                                "/audio/transcriptions",
                                "application/json",
                                "{'text':'Hello.','usage':{'type':'tokens','input_tokens':14,'output_tokens':45,'total_tokens':59,"
                                        + "'input_token_details':{'text_tokens':4,'audio_tokens':10}}}")
                        .usage())
                .contains(Usage.of(4, 45).withAudioInput(10));
    }

    @ParameterizedTest
    @CsvSource({
        "/audio/transcriptions, transcript.text.done, 40, 0, 0",
        "/audio/speech, speech.audio.done, 0, 40, 0",
        "/images/generations, image_generation.completed, 0, 0, 40",
        "/images/edits, image_edit.completed, 0, 0, 40",
    })
    void aStreamOfPicturesOrSoundEndsWithItsUsage(String path, String type, long text, long sound, long pictures) {
        Metered metered = metered(
                path,
                "text/event-stream",
                "data: {'type':'" + type + "','usage':{'input_tokens':9,'output_tokens':40,'total_tokens':49}}\n\n");

        assertThat(metered.usage())
                .contains(Usage.of(9, text).withAudioOutput(sound).withImageOutput(pictures));
        assertThat(metered.state()).isEqualTo(Metered.State.COMPLETE);
    }

    @Test
    void picturesAreToldApartInWhatWasGivenAndInWhatWasMade() {
        assertThat(metered(
                                "/images/edits",
                                "application/json",
                                "{'data':[],'usage':{'input_tokens':50,'output_tokens':1130,'total_tokens':1180,"
                                        + "'input_tokens_details':{'text_tokens':10,'image_tokens':40},"
                                        + "'output_tokens_details':{'text_tokens':74,'image_tokens':1056}}}")
                        .usage())
                .contains(Usage.of(10, 74).withImageInput(40).withImageOutput(1_056));
    }

    @Test
    void whatACacheServedOfPicturesIsCountedOnce() {
        assertThat(usage("{'usage':{'prompt_tokens':100,'completion_tokens':1,"
                        + "'prompt_tokens_details':{'cached_tokens':64,'audio_tokens':10,'image_tokens':90}}}"))
                .isEqualTo(Usage.of(0, 1).withCacheRead(64).withAudioInput(10).withImageInput(26));
    }

    @Test
    void aSoundIsNotTakenForAnEndedAnswer() {
        Metered metered = metered("/audio/speech", "audio/mpeg", "ID3 and what follows\n\n");

        assertThat(metered.usage()).isEmpty();
        assertThat(metered.state()).isEqualTo(Metered.State.PARTIAL);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "data: {'object':'error','message':'no','type':'BadRequestError','code':400}\n\n",
                "data: {'error':{'message':'no','type':'server_error'}}\n\n",
                "data: {'error':'no'}\n\n",
                "data: {'choices':[],'x_groq':{'error':'no'}}\n\n",
            })
    void anErrorInAStreamIsOneInAnyHostsForm(String event) {
        assertThat(metered("/chat/completions", "text/event-stream", event).error())
                .isNotEmpty();
    }

    private static long counted(String text) {
        return metered("/chat/completions", "application/json", "{'choices':[{'message':{'content':'" + text + "'}}]}")
                .outputCounted();
    }

    private static Usage usage(String body) {
        return metered("/chat/completions", "application/json", body).usage().orElseThrow();
    }

    private static Metered metered(String path, String contentType, String body) {
        Meter meter = new Meter(dialect(path), "gpt-5", contentType, "");
        meter.accept(ByteBuffer.wrap(body.replace('\'', '"').getBytes(StandardCharsets.UTF_8)));
        return meter.result();
    }

    private static Dialect dialect(String path) {
        return Dialects.bundled()
                .of(Target.of("POST", URI.create("https://api.openai.com/v1" + path)))
                .orElseThrow();
    }
}
