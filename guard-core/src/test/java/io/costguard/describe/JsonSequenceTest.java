package io.costguard.describe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.costguard.describe.dialects.Dialects;
import io.costguard.testing.Recordings;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonSequenceTest {
    private static final JsonPaths PATHS = JsonPaths.of("model", "choices[].delta.content", "usage.**", "n");
    private static final byte[] END = {'.', '.'};

    private final JsonSequence sequence = new JsonSequence(PATHS);

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "x",
                "a longer text than that before it",
                "Grüße, 你好 🎉",
                "a \\n newline",
                "a \\\"quote\\\"",
                "\\u00e9",
                "\\u00E9\\/\\b\\f\\t",
                "\\ud83d\\ude00",
                "\\ud83d",
                "\\x",
                "\\u12",
                "\\u12g4",
                "\\u-123",
                "\\u\u0661\u0661\u0661\u0661",
                "\u007f",
                "\\",
                "\u0001",
                "' , 'content':'",
                "\ufffd"
            })
    void anEventIsReadAsByItselfWhateverItsTextIs(String text) {
        same(event("first", "s"));
        same(event(text, "salt"));
        same(event("and on", text));
        same(event(text, text));
        same(event("last", "s"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "0",
                "7",
                "12",
                "012",
                "00",
                "-1",
                "1.0",
                "1e3",
                "1234567890123456789",
                "",
                "1 ",
                "1a",
                "+1",
                "null",
                "'1'"
            })
    void anEventIsReadAsByItselfWhateverItsNumbersAre(String number) {
        same(event("first", "s"));
        same(event("first", "s").replace("'n':1", "'n':" + number));
        same(event("and on", "s").replace("'index':0", "'index':" + number));
        same(event("last", "s").replace("'n':1", "'n':34"));
    }

    @Test
    void whatDiffersInMoreThanAStringIsReadAsByItself() {
        same(event("first", "s"));
        same(event("first", "s").replace("'n':1", "'n':12"));
        same(event("first", "s").replace("null", "'stop'"));
        same(event("first", "s").replace("'content'", "'refusal'"));
        same(event("first", "s") + " ");
        same(event("first", "s").replace("}]", "}"));
        same(event("first", "s").replace("'salt'", "'usage':{'a':'b'},'salt'"));
        same(event("first", "s").replace("'salt'", "'usage':{'c':'d'},'salt'"));
        same("'only a text'");
        same("");
    }

    @Test
    void bytesThatAreNotUtf8AreRefusedAsByTheParser() {
        same(event("first", "s"));
        for (byte[] wrong : new byte[][] {{(byte) 0xff}, {(byte) 0xc3}, {(byte) 0xed, (byte) 0xa0, (byte) 0x80}}) {
            for (String place : List.of("first", "salty")) {
                byte[] document = json(event("first", "salty")).getBytes(StandardCharsets.UTF_8);
                int at = new String(document, StandardCharsets.UTF_8).lastIndexOf(place);
                System.arraycopy(wrong, 0, document, at, wrong.length);
                same(document);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"UTF-8", "UTF-16LE", "UTF-16BE"})
    void eventsBehindAByteOrderMarkAreReadAsByThemselves(String charset) {
        for (String text : List.of("first", "second", "first", "\u4f60")) {
            same(("\ufeff" + json(event(text, text))).getBytes(Charset.forName(charset)));
        }
    }

    /** In UTF-16 half a character may look like a quote, and what is read as a text end amid a character. */
    @Test
    void eventsInUtf16AreReadAsByThemselvesWhateverTheirCharacters() {
        byte[] first = "{\"a\":\"\u6122\",\"n\":1}".getBytes(StandardCharsets.UTF_16BE);
        byte[] second = "{\"a\":\"\u6222\",\"n\":1}".getBytes(StandardCharsets.UTF_16BE);
        int text = "{\"a\":\"".length() * 2;
        byte[] halfMore = new byte[first.length + 1];
        System.arraycopy(first, 0, halfMore, 0, text + 1);
        halfMore[text + 1] = 'a';
        System.arraycopy(first, text + 1, halfMore, text + 2, first.length - text - 1);

        same(first);
        same(second);
        same(halfMore);
    }

    /** Each recorded event after each kind of change to it or to another. */
    @Test
    void recordedEventsAreReadAsByThemselvesHoweverTheyAreChanged() {
        Random random = new Random(1);
        for (Recordings.Exchange exchange : Recordings.all()) {
            List<byte[]> events = events(exchange);
            Dialect dialect =
                    Dialects.bundled().of(Target.of("POST", exchange.url())).orElseThrow();
            JsonSequence read = new JsonSequence(dialect.eventPaths());
            for (int i = 0; i < 300 && !events.isEmpty(); i++) {
                byte[] event = events.get(random.nextInt(events.size()));
                same(read, dialect.eventPaths(), random.nextInt(3) == 0 ? event : changed(event, random));
            }
        }
    }

    private static List<byte[]> events(Recordings.Exchange exchange) {
        return new String(exchange.response(), StandardCharsets.UTF_8)
                .lines()
                .map(line -> line.startsWith("data: ") ? line.substring(6) : line)
                .filter(line -> line.startsWith("{"))
                .map(line -> line.getBytes(StandardCharsets.UTF_8))
                .toList();
    }

    private static byte[] changed(byte[] event, Random random) {
        byte[] some = "x\"\\{}[]:,0 \n\u00e4".getBytes(StandardCharsets.UTF_8);
        int at = random.nextInt(event.length);
        byte[] changed = event.clone();
        switch (random.nextInt(3)) {
            case 0 -> changed[at] = some[random.nextInt(some.length)];
            case 1 -> {
                changed = Arrays.copyOf(event, event.length + 1);
                System.arraycopy(event, at, changed, at + 1, event.length - at);
            }
            default -> {
                changed = Arrays.copyOf(event, event.length - 1);
                System.arraycopy(event, at + 1, changed, at, event.length - at - 1);
            }
        }
        return changed;
    }

    private static String event(String content, String salt) {
        return String.format(
                "{'id':'a','model':'m','choices':[{'index':0,'delta':{'content':'%s'},'end':null}],'salt':'%s','n':1}",
                content, salt);
    }

    @Test
    void anotherEventIsReadWhereItEndsWithWhatItShould() {
        same(event("first", "s"));
        byte[] bytes = (json(event("second", "salt")) + "..and on").getBytes(StandardCharsets.UTF_8);
        int length = bytes.length - "..and on".length();
        List<Field> told = new ArrayList<>();

        for (int to = 0; to < length + 2; to++) {
            assertThat(sequence.readAnother(bytes, 0, to, END, told::add)).isZero();
        }
        assertThat(sequence.readAnother(bytes, 0, bytes.length, new byte[] {'.', '-'}, told::add))
                .isZero();
        assertThat(told).isEmpty();
        assertThat(sequence.readAnother(bytes, 0, length + 2, END, told::add)).isEqualTo(length);
        assertThat(told).extracting(Field::text).containsExactly("m", "second", "1");
    }

    @Test
    void noEventIsAnotherBeforeOneWasRead() {
        JsonSequence first = new JsonSequence(JsonPaths.of("model"));
        byte[] bytes = (json(event("first", "s")) + "..").getBytes(StandardCharsets.UTF_8);

        assertThat(first.readAnother(bytes, 0, bytes.length, END, field -> true))
                .isZero();
    }

    @Test
    void anEventIsAnotherOfASequenceBefore() {
        same(event("first", "s"));
        byte[] bytes = (json(event("second", "salt").replace("'a'", "'b'").replace("1", "234")) + "..")
                .getBytes(StandardCharsets.UTF_8);
        List<Field> told = new ArrayList<>();

        assertThat(new JsonSequence(PATHS).readAnother(bytes, 0, bytes.length, END, told::add))
                .isEqualTo(bytes.length - END.length);
        assertThat(told).extracting(Field::text).containsExactly("m", "second", "234");
    }

    @Test
    void nothingThatAnEventSaidIsKeptForOtherSequences() {
        JsonPaths paths = JsonPaths.of("model", "n").andTexts("choices[].delta.content");

        same(new JsonSequence(paths), paths, json(event("secret", "salt")).getBytes(StandardCharsets.UTF_8));

        assertThat(paths.seen.shapes()).singleElement().satisfies(shape -> {
            assertThat(new String(shape.bytes, StandardCharsets.UTF_8))
                    .isEqualTo(json(event("", "")
                            .replace("'a'", "''")
                            .replace("'m'", "''")
                            .replace("1", "0")));
            assertThat(shape.told).extracting(value -> value.field().text()).containsExactly("", "", "0");
        });
    }

    /** Arguments of a function have names that the answer chose. */
    @Test
    void anEventWithNamesOfItsOwnIsNotKeptForOtherSequences() {
        JsonPaths paths = JsonPaths.of("n").andTexts("arguments.**");

        same(
                new JsonSequence(paths),
                paths,
                json("{'arguments':{'secret':'x'},'n':1}").getBytes(StandardCharsets.UTF_8));

        assertThat(paths.seen.shapes()).isEmpty();
    }

    @Test
    void ofTextsStringsAreToldAndNeitherNamesNorOtherValues() {
        JsonPaths paths = JsonPaths.of().andTexts("a", "b.**");
        List<Field> told = new ArrayList<>();
        byte[] document = json("{'a':'one','b':{'name':'two','n':3,'c':['four',null]},'a':5}")
                .getBytes(StandardCharsets.UTF_8);

        JsonScan.read(document, 0, document.length, paths, told::add);

        assertThat(told)
                .extracting(Field::path, Field::kind, Field::text)
                .containsExactly(
                        tuple("a", Field.Kind.TEXT, "one"),
                        tuple("b.**", Field.Kind.TEXT, "two"),
                        tuple("b.**", Field.Kind.TEXT, "four"));
    }

    @Test
    void whatNobodyMadeAnythingOfIsToldAgainOnlyWhereItDiffers() {
        List<String> told = new ArrayList<>();
        JsonSequence.Reader ofContents = field -> {
            told.add(field.text());
            return field.path().endsWith("content");
        };
        for (String event : List.of(
                event("a", "s"),
                event("b", "t"),
                event("b", "u"),
                event("b", "u").replace("'m'", "'n'"))) {
            byte[] bytes = json(event).getBytes(StandardCharsets.UTF_8);
            assertThat(sequence.read(bytes, 0, bytes.length, ofContents)).isTrue();
        }

        assertThat(told).containsExactly("m", "a", "1", "b", "b", "n", "b");
    }

    private static String json(String document) {
        return document.replace('\'', '"');
    }

    private void same(String document) {
        same(json(document).getBytes(StandardCharsets.UTF_8));
    }

    private void same(byte[] document) {
        same(sequence, PATHS, document);
    }

    private static void same(JsonSequence read, JsonPaths paths, byte[] document) {
        List<Field> alone = new ArrayList<>();
        boolean whole = JsonScan.read(document, 0, document.length, paths, alone::add);
        List<Field> told = new ArrayList<>();
        // In the middle of a buffer, as framings give it.
        byte[] buffer = new byte[document.length + 9];
        System.arraycopy(document, 0, buffer, 4, document.length);

        assertThat(read.read(buffer, 4, document.length, told::add))
                .as(() -> new String(document, StandardCharsets.UTF_8))
                .isEqualTo(whole);
        assertThat(told).as(() -> new String(document, StandardCharsets.UTF_8)).isEqualTo(alone);
    }
}
