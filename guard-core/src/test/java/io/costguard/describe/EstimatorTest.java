package io.costguard.describe;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Cost;
import io.costguard.GuardedCall;
import io.costguard.PriceList;
import io.costguard.describe.dialects.Dialects;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.lang.management.ManagementFactory;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class EstimatorTest {
    private static final String TWO_PROMPTS = "openai-completions-prompt-list-n2";

    private final Estimator estimator = new Estimator(PriceList.bundled());

    static List<Exchange> answered() {
        return Recordings.all().stream()
                .filter(exchange -> exchange.reportedInput().isPresent())
                .toList();
    }

    @BeforeAll
    static void loadTokenizers() throws ExecutionException, InterruptedException {
        Tokenizers.loaded("gpt-4o").get();
        Tokenizers.loaded("gpt-4").get();
    }

    @ParameterizedTest
    @MethodSource("answered")
    void theModelOfARecordedRequestIsRead(Exchange exchange) {
        RequestFacts facts = read(exchange);

        assertThat(facts.isReadable()).isTrue();
        // An endpoint that has one model is named by its host.
        assertThat(facts.models())
                .containsExactly(exchange.model().isEmpty() ? exchange.url().getHost() : exchange.model());
    }

    @ParameterizedTest
    @MethodSource("answered")
    void theCapAndTheChoicesOfARecordedRequestAreRead(Exchange exchange) {
        RequestFacts facts = read(exchange);

        assertThat(facts.outputCap())
                .isEqualTo(
                        exchange.reportedOutput().isPresent()
                                ? exchange.number("request_max_tokens")
                                : OptionalLong.of(0));
        long prompts = exchange.folder().equals(TWO_PROMPTS) ? 2 : 1;
        assertThat(facts.choices())
                .isEqualTo(prompts * exchange.number("request_n").orElse(1));
    }

    @Test
    void aNameOfAMegabyteIsKeptAsItIsCounted() {
        String name = "gpt-4o-" + "y".repeat(1 << 20);

        assertThat(model("{\"model\":\"" + name + "\"}"))
                .isEqualTo(GuardedCall.of(name).model());
    }

    @Test
    void theOutputIsTheCapForEachChoiceOrWhatTheBudgetAssumes() {
        assertThat(estimate("{\"model\":\"gpt-4o\",\"max_tokens\":50,\"n\":3}").output())
                .isEqualTo(150);
        assertThat(estimate("{\"model\":\"gpt-4o\",\"n\":2}").output()).isEqualTo(2_000);
        assertThat(estimate("{\"model\":\"gpt-4o\",\"max_tokens\":0}").output()).isEqualTo(1_000);
        assertThat(estimate("{\"model\":\"gpt-4o\",\"max_tokens\":-5}").output())
                .isEqualTo(1_000);
        assertThat(estimate("{\"model\":\"gpt-4o\",\"max_tokens\":9007199254740991,\"n\":9}")
                        .output())
                .isEqualTo(Cost.MAX_AMOUNT / 2);
    }

    @Test
    @Tag("fault-33")
    void ofTwoModelsInOneRequestTheDearerCounts() {
        assertThat(model("{\"model\":\"gpt-4\",\"model\":\"gpt-4o-mini\"}")).isEqualTo("gpt-4");
        assertThat(model("{\"model\":\"gpt-4o-mini\",\"model\":\"gpt-4\"}")).isEqualTo("gpt-4");
        assertThat(model("{\"model\":\"gpt-4\",\"model\":\"nobody-knows\"}")).isEqualTo("nobody-knows");
    }

    @Test
    void aPictureIsNotCountedAsText() {
        String picture = "A".repeat(1_000_000);

        assertThat(
                        read("{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":"
                                        + "{\"url\":\"data:image/png;base64," + picture + "\"}}]}]}")
                                .inputTokens())
                .isLessThan(2_000);
    }

    @Test
    void aRequestOfTwentyMegabytesOfPicturesIsReadWithLittleMemory() {
        String picture = "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,"
                + "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQ" + "A".repeat(5_000_000) + "\"}}";
        byte[] body = ("{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":["
                        + String.join(",", picture, picture, picture, picture) + "]}]}")
                .getBytes(StandardCharsets.UTF_8);
        Target target = Target.of("POST", Recordings.of("openai-chat-n2").url());
        Dialect openAi = Dialects.bundled().of(target).orElseThrow();
        com.sun.management.ThreadMXBean threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        long thread = Thread.currentThread().getId();

        // Once before, so that what is made once is there.
        assertThat(estimator.read(openAi, target, body).inputTokens()).isEqualTo(4 * 255 + 7);
        long before = threads.getThreadAllocatedBytes(thread);
        estimator.read(openAi, target, body);

        assertThat(threads.getThreadAllocatedBytes(thread) - before).isLessThan(100_000);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "{", "nonsense", "\0", "[1,2", "{\"model\":\"gpt-4o\",\"messages\":[{\"content\":\"cut"})
    void aRequestThatCannotBeReadIsEstimatedByItsLength(String body) {
        RequestFacts facts = read(body);

        assertThat(facts.isReadable()).isFalse();
        assertThat(facts.inputTokens()).isEqualTo(body.length() / 2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"[", "{\"model\":"})
    void aRequestThatIsNestedAMillionTimesIsEstimatedByItsLength(String unit) {
        String body = unit.repeat(1_000_000);

        assertThat(read(body).isReadable()).isFalse();
        assertThat(read(body).inputTokens()).isEqualTo(body.length() / 2);
    }

    @Test
    void aCapOfAMillionDigitsIsNone() {
        String cap = "1".repeat(1_000_000);

        assertThat(read("{\"model\":\"gpt-4o\",\"max_tokens\":" + cap + "}").outputCap())
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"UTF-8", "UTF-16LE", "UTF-16BE"})
    void aRequestWithAByteOrderMarkIsRead(String charset) {
        byte[] body = "\ufeff{\"model\":\"gpt-4o\",\"max_tokens\":7}".getBytes(Charset.forName(charset));

        RequestFacts facts = read(body);

        assertThat(facts.models()).containsExactly("gpt-4o");
        assertThat(facts.outputCap()).hasValue(7);
    }

    @Test
    void anEscapedNameInARequestIsTheName() {
        RequestFacts facts = read("{\"m\\u006fdel\":\"gpt-4o\",\"max\\u005ftokens\":7}");

        assertThat(facts.models()).containsExactly("gpt-4o");
        assertThat(facts.outputCap()).hasValue(7);
    }

    @Test
    void aModelWithoutAPriceHasNoDollars() {
        assertThat(estimate("{\"model\":\"nobody-knows\"}").givenNanoUsd()).isEqualTo(OptionalLong.empty());
        assertThat(estimate("{\"model\":\"gpt-4o\",\"max_tokens\":100}").givenNanoUsd())
                .hasValue(1_000_000);
    }

    @Test
    void theHeuristicKnowsScriptsDigitsAndCode() throws Exception {
        Tokenizers.Counter tokenizer = Tokenizers.of("gpt-4o");
        for (String text : List.of(
                "The quick brown fox jumps over the lazy dog, and then it has a rest under the tree. ",
                "31415926535897932384626433832795028841971693993751 ",
                "for (int i = 0; i < values.length; i++) { sum += values[i] * weights[i]; } ",
                "\u4eba\u5de5\u667a\u80fd\u662f\u8ba1\u7b97\u673a\u79d1\u5b66\u7684\u4e00\u4e2a\u5206\u652f",
                "\u0414\u043e\u0431\u0440\u044b\u0439 \u0434\u0435\u043d\u044c, \u043a\u0430\u043a \u0434\u0435\u043b\u0430? ")) {
            long real = tokenizer.count(text.repeat(20));
            assertThat(Tokenizers.heuristic(text.repeat(20))).as(text).isBetween(real, real * 5 / 2);
        }
    }

    private RequestFacts read(Exchange exchange) {
        Target target = Target.of("POST", exchange.url());
        return estimator.read(Dialects.bundled().of(target).orElseThrow(), target, exchange.request());
    }

    private RequestFacts read(String body) {
        return read(body.getBytes(StandardCharsets.UTF_8));
    }

    private RequestFacts read(byte[] body) {
        Target target = Target.of("POST", Recordings.of("openai-chat-n2").url());
        Dialect openAi = Dialects.bundled().of(target).orElseThrow();
        return estimator.read(openAi, target, body);
    }

    private Cost estimate(String body) {
        return estimator.estimate(read(body), 1_000, OptionalLong.empty());
    }

    private String model(String body) {
        return estimator.model(read(body));
    }
}
