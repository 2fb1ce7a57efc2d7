package io.costguard.describe;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FormTest {
    private static final String FORM = """
            --limit
            Content-Disposition: form-data; name="file"; filename="; name=model"
            Content-Type: audio/wav

            RIFF--limit
            name="model"
            --limit
            content-disposition: form-data; name=model
            Content-Type: text/plain; charset=utf-8

            gpt-4o-transcribe
            --limit
            Content-Disposition: form-data; name="n"

            2
            --limit
            Content-Disposition: form-data; name="models"

            other
            --limit--
            """.replace("\n", "\r\n");

    @Test
    void fieldsAreToldByTheirNamesAndFilesAreNot() {
        assertThat(read(FORM))
                .containsExactly(
                        new Field("model", Field.Kind.STRING, "gpt-4o-transcribe"),
                        new Field("n", Field.Kind.NUMBER, "2"));
    }

    @Test
    void aFieldThatIsSaidTwiceIsToldTwice() {
        assertThat(read(FORM.replace("name=\"n\"", "name=\"model\"")))
                .extracting(Field::text)
                .containsExactly("gpt-4o-transcribe", "2");
    }

    @Test
    void aHeadThatIsLongerThanSuchAreIsOfNoField() {
        String field = "name=\"n\"";
        assertThat(read(FORM.replace(field, field + ";" + "x".repeat(1_000))))
                .extracting(Field::path)
                .containsExactly("model");
    }

    @Test
    void aFieldThatIsLongerThanSuchAreIsNotTold() {
        assertThat(read(FORM.replace("gpt-4o-transcribe", "m".repeat(1_001))))
                .extracting(Field::path)
                .containsExactly("n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "-", "--", "--\r\n", "--limit", "--limit\r\n", "{\"model\":\"m\"}", "model=m&n=2"})
    void whatIsNoFormHasNoFields(String body) {
        assertThat(read(body)).isEmpty();
    }

    @Test
    void aBoundaryThatIsTooLongIsNone() {
        assertThat(read(FORM.replace("--limit", "--" + "b".repeat(70)))).hasSize(2);
        assertThat(read(FORM.replace("--limit", "--" + "b".repeat(71)))).isEmpty();
    }

    @Test
    void aFormThatIsCutOrDamagedIsReadAsFarAsItMakesSense() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int i = 0; i < 20_000; i++) {
            byte[] body = FORM.substring(0, random.nextInt(FORM.length())).getBytes(StandardCharsets.UTF_8);
            for (int flips = random.nextInt(4); flips > 0 && body.length > 0; flips--) {
                body[random.nextInt(body.length)] = (byte) random.nextInt(256);
            }

            assertThat(read(body)).as("seed %d", seed).hasSizeLessThanOrEqualTo(3);
        }
    }

    private static List<Field> read(String body) {
        return read(body.getBytes(StandardCharsets.UTF_8));
    }

    private static List<Field> read(byte[] body) {
        List<Field> fields = new ArrayList<>();
        Form.read(body, List.of("model", "n"), fields::add);
        return fields;
    }
}
