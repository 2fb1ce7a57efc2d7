package io.costguard.describe;

import static org.assertj.core.api.Assertions.assertThat;

import io.costguard.Cost;
import io.costguard.PriceList;
import io.costguard.describe.dialects.Dialects;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonScanTest {
    private static final JsonPaths PATHS = JsonPaths.of("model", "list[].text", "list[]", "deep.**", "n");
    private static final int MUTATIONS = 400;

    static List<Exchange> recordings() {
        return Recordings.all().stream().toList();
    }

    @Test
    void valuesAreToldAtTheirPathsInTheirOrder() {
        assertThat(
                        fields(
                                "{'n':1,'other':{'model':'no'},'list':['a',{'text':'b','more':'no'},['no']],'model':null,'deep':{'k':[true]}}"))
                .containsExactly("n=1", "list[]=a", "list[].text=b", "model=null", "deep.**=k", "deep.**=true");
    }

    @Test
    void aMemberThatComesTwiceIsToldTwice() {
        assertThat(fields("{'model':'a','model':'b'}")).containsExactly("model=a", "model=b");
    }

    @Test
    void anEscapedNameIsTheName() {
        assertThat(fields("{'m\\u006fdel':'\\u0061'}")).containsExactly("model=a");
    }

    @ParameterizedTest
    @ValueSource(strings = {"UTF-8", "UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE"})
    void aByteOrderMarkIsPassedOver(String charset) {
        byte[] document = "\ufeff{\"model\":\"a\u00e4\ud83d\ude00\"}".getBytes(Charset.forName(charset));

        assertThat(whole(document)).contains(List.of("model=a\u00e4\ud83d\ude00"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"x", "\\\"", "\\u00e4", "\u4eba", "\ud83d\ude00"})
    void ofALongStringInPiecesTheBeginningIsReadAndAllThatFollowsIt(String unit) {
        String string = unit.repeat(1_000_000);
        byte[] document = ("{\"model\":\"" + string + "\",\"n\":1}").getBytes(StandardCharsets.UTF_8);

        List<String> told = pieces(document, new Random(1)).orElseThrow();

        assertThat(told).hasSize(2).last().isEqualTo("n=1");
        String read = told.get(0).substring("model=".length());
        assertThat(read.length()).isBetween(10_000, 300_000);
        assertThat(string.replace("\\u00e4", "\u00e4").replace("\\", "")).startsWith(read);
    }

    @Test
    void aFileIsToldAsItIsWrittenAndItsTextAsItIs() {
        JsonPaths paths = JsonPaths.of("n").andFiles("a[].file");
        byte[] document = ("  {\"a\":[{\"file\":\"" + "QU\\/JD\\u002b\\\"".repeat(1_000)
                        + "\"},{\"file\":7},{\"file\":\"\"}],\"n\":1}")
                .getBytes(StandardCharsets.UTF_8);
        List<Field> told = new ArrayList<>();
        List<Field> inPieces = new ArrayList<>();

        assertThat(JsonScan.read(document, 1, document.length - 1, paths, told::add))
                .isTrue();
        JsonScan.incremental(paths, inPieces::add, () -> {}).feed(document, 0, document.length);

        assertThat(told).extracting(Field::text).containsExactly("QU/JD+\"".repeat(1_000), "7", "", "1");
        assertThat(told.get(0).value()).hasSize(14_000);
        assertThat(inPieces).extracting(Field::text).containsExactly("QU/JD+\"".repeat(1_000), "7", "", "1");
    }

    @ParameterizedTest
    @ValueSource(strings = {"UTF-8", "UTF-16LE", "UTF-16BE"})
    void aFileIsToldBehindAByteOrderMarkToo(String charset) {
        byte[] document = "\ufeff{\"file\":\"QUJD\"}".getBytes(Charset.forName(charset));
        List<String> told = new ArrayList<>();

        assertThat(JsonScan.read(
                        document,
                        0,
                        document.length,
                        JsonPaths.of().andFiles("file"),
                        field -> told.add(field.value() + " is " + field.text())))
                .isTrue();
        assertThat(told).containsExactly("QUJD is QUJD");
    }

    @ParameterizedTest
    @ValueSource(strings = {"QUJD", "QUJD\\", "QUJD\\\""})
    void aFileThatDoesNotEndIsNoJson(String broken) {
        byte[] document = ("{\"n\":1,\"file\":\"" + broken).getBytes(StandardCharsets.UTF_8);
        List<String> told = new ArrayList<>();

        assertThat(JsonScan.read(
                        document,
                        0,
                        document.length,
                        JsonPaths.of("n").andFiles("file"),
                        field -> told.add(field.text())))
                .isFalse();
        assertThat(told).containsExactly("1");
    }

    @Test
    void theEndsOfObjectsAreToldWhereTheyAreWanted() {
        JsonPaths paths = JsonPaths.of("list[].a").andEnds("list[]", "deep.one");
        byte[] document = "{\"list\":[{\"a\":1,\"b\":{\"c\":2}},{},[{}],3],\"deep\":{\"one\":{},\"two\":{}}}"
                .getBytes(StandardCharsets.UTF_8);
        List<String> told = new ArrayList<>();

        JsonScan.read(document, 0, document.length, paths, field -> told.add(field.kind() + " " + field.path()));

        assertThat(told).containsExactly("NUMBER list[].a", "END list[]", "END list[]", "END deep.one");
    }

    @Test
    @Tag("fault-33")
    void aMillionOpenArraysAreNotFollowed() {
        assertThat(whole("[".repeat(1_000_000).getBytes(StandardCharsets.UTF_8)))
                .isEmpty();
        assertThat(pieces("[".repeat(1_000_000).getBytes(StandardCharsets.UTF_8), new Random(1)))
                .isEmpty();
    }

    @Test
    void aNumberOfAMillionDigitsIsNoCount() {
        byte[] document = ("{\"n\":" + "1".repeat(1_000_000) + "}").getBytes(StandardCharsets.UTF_8);
        List<Boolean> counts = new ArrayList<>();

        JsonScan.read(
                document,
                0,
                document.length,
                PATHS,
                field -> counts.add(field.count().isPresent()));
        JsonScan.incremental(PATHS, field -> counts.add(field.count().isPresent()), () -> {})
                .feed(document, 0, document.length);

        assertThat(counts).doesNotContain(true);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "{",
                "{'a'",
                "{'a':}",
                "{'a':1,}",
                "tru",
                "nonsense",
                "null",
                "1",
                "'a'",
                "'a",
                "{\"model\":\"a\u0000\"}"
            })
    void whatIsNotJsonIsSaidToBeUnreadable(String text) {
        assertThat(whole(text.replace('\'', '"').getBytes(StandardCharsets.UTF_8)))
                .isEmpty();
    }

    @ParameterizedTest
    @MethodSource("recordings")
    void aRecordedRequestThatIsDamagedAnywhereIsReadAlikeInPiecesOrKeptAtItsLength(Exchange exchange) {
        Random random = new Random(33);
        Estimator estimator = new Estimator(PriceList.bundled());
        Target target = Target.of("POST", exchange.url());
        Dialect dialect = Dialects.bundled().of(target).orElseThrow();
        assertThat(whole(exchange.request())).isEqualTo(pieces(exchange.request(), random));
        for (int i = 0; i < MUTATIONS; i++) {
            byte[] damaged = damaged(exchange.request(), random);

            Optional<List<String>> whole = whole(damaged);
            Optional<List<String>> pieces = pieces(damaged, random);
            if (whole.isPresent() && isPlain(damaged)) {
                assertThat(pieces)
                        .as(new String(damaged, StandardCharsets.UTF_8))
                        .isEqualTo(whole);
            }
            RequestFacts facts = estimator.read(dialect, target, damaged);
            Cost estimate = estimator.estimate(facts, 1_000, OptionalLong.empty());
            assertThat(estimate.requests()).isOne();
            if (!facts.isReadable()) {
                assertThat(facts.inputTokens()).isEqualTo(damaged.length / 2);
            }
        }
    }

    /** The parser for pieces reads UTF-8 only, and tells earlier what is none. It forgives a comma too many. */
    private static boolean isPlain(byte[] document) {
        for (byte each : document) {
            if (each <= 0) {
                return false;
            }
        }
        return true;
    }

    private static byte[] damaged(byte[] document, Random random) {
        byte[] damaged = document.clone();
        int at = random.nextInt(damaged.length);
        switch (random.nextInt(5)) {
            case 0 -> damaged[at] = (byte) random.nextInt(256);
            case 1 -> damaged[at] = (byte) "{}[]\",:\\0-.eE".charAt(random.nextInt(13));
            case 2 -> damaged = Arrays.copyOf(damaged, at);
            case 3 -> System.arraycopy(damaged, 0, damaged, at, Math.min(at, damaged.length - at));
            default -> {
                byte[] twice = Arrays.copyOf(damaged, damaged.length + at);
                System.arraycopy(damaged, 0, twice, damaged.length, at);
                damaged = twice;
            }
        }
        return damaged;
    }

    private static List<String> fields(String document) {
        byte[] bytes = document.replace('\'', '"').getBytes(StandardCharsets.UTF_8);
        List<String> whole = whole(bytes).orElseThrow();
        assertThat(pieces(bytes, new Random(1))).contains(whole);
        return whole;
    }

    /** What is told of a document at once; empty where it is none. */
    private static Optional<List<String>> whole(byte[] document) {
        List<String> told = new ArrayList<>();
        boolean readable = JsonScan.read(document, 0, document.length, PATHS, field -> told.add(text(field)));
        return readable ? Optional.of(told) : Optional.empty();
    }

    private static Optional<List<String>> pieces(byte[] document, Random random) {
        List<String> told = new ArrayList<>();
        JsonScan scan = JsonScan.incremental(PATHS, field -> told.add(text(field)), () -> {});
        for (int from = 0; from < document.length; ) {
            int length = Math.min(document.length - from, 1 + random.nextInt(17));
            scan.feed(document, from, length);
            from += length;
        }
        return scan.isReadable() && scan.isComplete() ? Optional.of(told) : Optional.empty();
    }

    private static String text(Field field) {
        return field.path() + "=" + field.text();
    }
}
