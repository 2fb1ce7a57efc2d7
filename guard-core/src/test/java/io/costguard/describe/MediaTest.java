package io.costguard.describe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import io.costguard.describe.Media.Kind;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MediaTest {
    private static final int DAMAGED = 3_000;

    @ParameterizedTest
    @ValueSource(strings = {"png", "jpg", "gif"})
    void aPictureTellsItsSize(String format) throws IOException {
        assertThat(of(picture(format, 1_234, 567))).isEqualTo(new Media(Kind.PICTURE, 1_234, 567, 0));
    }

    @Test
    void aJpegTellsItsSizeBehindAPreview() throws IOException {
        byte[] picture = picture("jpg", 640, 480);
        ByteBuffer withPreview = ByteBuffer.allocate(picture.length + 60_002);
        withPreview.put(picture, 0, 2).putShort((short) 0xffe1).putShort((short) 60_000);
        withPreview.position(60_004).put(picture, 2, picture.length - 2);

        assertThat(of(withPreview.array())).isEqualTo(new Media(Kind.PICTURE, 640, 480, 0));
    }

    @ParameterizedTest
    @CsvSource({
        "52494646 24000000 57454250 56503820 18000000 300100 9d012a 8002 e001, 640, 480",
        "52494646 24000000 57454250 5650384c 18000000 2f 7fc27700, 640, 480",
        "52494646 24000000 57454250 56503858 0a000000 10000000 7f0200 df0100, 640, 480",
    })
    void aWebPictureOfEachKindTellsItsSize(String hex, int width, int height) {
        byte[] header = new byte[hex.replace(" ", "").length() / 2];
        for (int i = 0; i < header.length; i++) {
            header[i] = (byte) Integer.parseInt(hex.replace(" ", "").substring(2 * i, 2 * i + 2), 16);
        }

        assertThat(of(header)).isEqualTo(new Media(Kind.PICTURE, width, height, 0));
    }

    @Test
    void aPictureIsReadInEachWayInWhichBase64IsWritten() throws IOException {
        byte[] picture = picture("jpg", 640, 480);
        String base64 = Base64.getEncoder().encodeToString(picture);
        Media media = new Media(Kind.PICTURE, 640, 480, 0);

        assertThat(base64).contains("/", "+");
        assertThat(List.of(
                        base64,
                        "data:image/jpeg;base64," + base64,
                        Base64.getUrlEncoder().encodeToString(picture),
                        Base64.getMimeEncoder().encodeToString(picture),
                        Base64.getMimeEncoder().encodeToString(picture).replace("\r\n", "\\n"),
                        base64.replace("/", "\\/").replace("+", "\\u002B")))
                .allSatisfy(text -> assertThat(Media.of(text, Kind.DOCUMENT)).isEqualTo(media));
    }

    @Test
    void whatIsDamagedIsWhatItSeemsToBeAndNothingIsThrown() throws IOException {
        Random random = new Random(11);
        List<byte[]> files = List.of(
                picture("png", 100, 50),
                picture("jpg", 100, 50),
                picture("gif", 100, 50),
                wave(8_000, 16_000),
                pdf("<</Type /Pages /Count 3>>"),
                new byte[0]);
        for (byte[] file : files) {
            for (int i = 0; i < DAMAGED; i++) {
                byte[] damaged = Arrays.copyOf(file, random.nextInt(file.length + 1));
                for (int bytes = random.nextInt(4); bytes > 0 && damaged.length > 0; bytes--) {
                    damaged[random.nextInt(Math.min(40, damaged.length))] = (byte) random.nextInt();
                }
                String text = Base64.getEncoder().encodeToString(damaged);
                assertThatCode(() -> Media.of(text, Kind.PICTURE)).doesNotThrowAnyException();
                assertThat(MediaTokens.of("gpt-4o").tokens(Media.of(text, Kind.PICTURE), MediaTokens.Detail.AUTO))
                        .isNotNegative();
            }
        }
    }

    @Test
    void aPictureThatEndsBeforeItsSizeMayHaveAny() throws IOException {
        for (String format : List.of("png", "jpg", "gif")) {
            String cut = Base64.getEncoder().encodeToString(Arrays.copyOf(picture(format, 640, 480), 8));

            assertThat(Media.of(cut, Kind.PICTURE)).isEqualTo(Media.elsewhere(Kind.PICTURE));
        }
    }

    /** As a JPEG that has its size where the first part of it ends that is looked at. */
    @Test
    void aJpegTellsItsSizeWhereverThatStands() {
        for (int before = 980; before < 1_060; before++) {
            byte[] file = ByteBuffer.allocate(2_000)
                    .putInt(0xffd8ffe0)
                    .putShort((short) before)
                    .position(4 + before)
                    .putInt(0xffc00011)
                    .put((byte) 8)
                    .putShort((short) 767)
                    .putShort((short) 1_023)
                    .array();

            assertThat(of(file)).as("behind %d bytes", before).isEqualTo(new Media(Kind.PICTURE, 1_023, 767, 0));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "https://example.com/cat.png, PICTURE, PICTURE",
        "https:\\/\\/example.com\\/cat.png, PICTURE, PICTURE",
        "gs://bucket/cat, PICTURE, PICTURE",
        "https://example.com/paper.PDF, DOCUMENT, PDF"
    })
    void ofAUrlOnlyTheKindIsKnown(String url, Kind otherwise, Kind kind) {
        assertThat(Media.of(url, otherwise)).isEqualTo(Media.elsewhere(kind));
    }

    @Test
    void aDocumentHasThePagesThatItSays() {
        assertThat(of(pdf("2 0 obj <</Type /Pages /Kids [3 0 R] /Count 12>>")).amount())
                .isEqualTo(12);
        assertThat(of(pdf("1 0 obj <</Linearized 1 /L 9999 /H [ 1 2 ] /N 7 /T 9>>"))
                        .amount())
                .isEqualTo(7);
        assertThat(of(pdf(" ".repeat(600_000) + "2 0 obj <</Type/Pages/Count 40/Kids[]>>"))
                        .amount())
                .isEqualTo(40);
        assertThat(of(pdf("<</Type /Pages /Count 999999999>>")).amount()).isEqualTo(1_000);
    }

    /** As Android and MIME break its lines, and as some write slashes in JSON. */
    @Test
    void aLongDocumentHasThePagesThatItSaysHoweverItsBase64IsWritten() {
        byte[] bytes = new byte[300_000];
        new Random(1).nextBytes(bytes);
        byte[] file = pdf(new String(bytes, StandardCharsets.ISO_8859_1) + "2 0 obj <</Type/Pages/Count 400/Kids[]>>");
        String base64 = Base64.getEncoder().encodeToString(file);
        String lines = Base64.getMimeEncoder(76, new byte[] {'\n'}).encodeToString(file);

        for (String written : List.of(base64, base64.replace("/", "\\/"), lines, lines.replace("\n", "\\n"))) {
            assertThat(Media.of(written, Kind.DOCUMENT).amount()).isEqualTo(400);
        }
    }

    @Test
    void aDocumentThatDoesNotSayHasThePagesThatAreSeenOrThoseOfItsSize() {
        assertThat(of(pdf("<</Type /Page>> <</Type/Page /Parent 1 0 R>> <</Type /Pages>>"))
                        .amount())
                .isEqualTo(2);
        // Between the ends, of which 64 KB are read each, are as many as in them.
        assertThat(of(pdf("<</Type /Page>> ".repeat(1 << 14))).amount()).isEqualTo(1_000);
        assertThat(of(pdf("<</Type /Page>>" + " ".repeat(1 << 20))).amount()).isEqualTo(8);
        assertThat(of(pdf("x".repeat(95_000))).amount()).isEqualTo(10);
    }

    @Test
    void soundLastsAsLongAsItsHeadSays() {
        assertThat(of(wave(32_000, 96_000))).isEqualTo(new Media(Kind.SOUND, 0, 0, 3_001));
    }

    @Test
    void packedSoundLastsAsLongAsItMay() {
        byte[] mp3 = new byte[40_000];
        mp3[0] = (byte) 0xff;
        mp3[1] = (byte) 0xfb;

        assertThat(of(mp3)).isEqualTo(new Media(Kind.SOUND, 0, 0, 10_000));
        assertThat(of("ID3".getBytes(StandardCharsets.US_ASCII)).kind()).isEqualTo(Kind.SOUND);
        assertThat(of("OggS".getBytes(StandardCharsets.US_ASCII)).kind()).isEqualTo(Kind.SOUND);
        assertThat(Media.of(Base64.getEncoder().encodeToString(new byte[3_000]), Kind.SOUND))
                .isEqualTo(new Media(Kind.SOUND, 0, 0, 1_500));
    }

    @Test
    void textIsCountedAsText() {
        String text = "What goes up must come down, they say.\n";
        long tokens = Tokenizers.heuristic(text.repeat(100));

        assertThat(of(text.repeat(100).getBytes(StandardCharsets.UTF_8)).amount())
                .isBetween(tokens, tokens + 2);
        // Of a long one the beginning, and the rest as dense.
        assertThat(of(text.repeat(10_000).getBytes(StandardCharsets.UTF_8)).amount())
                .isBetween(99 * tokens, 101 * tokens);
    }

    @Test
    void whatIsNoneOfTheseHasItsSize() {
        byte[] zip = new byte[3_000];
        System.arraycopy("PK\3\4".getBytes(StandardCharsets.US_ASCII), 0, zip, 0, 4);

        assertThat(of(zip)).isEqualTo(new Media(Kind.DOCUMENT, 0, 0, 3_000));
    }

    private static Media of(byte[] file) {
        return Media.of(Base64.getEncoder().encodeToString(file), Kind.DOCUMENT);
    }

    private static byte[] picture(String format, int width, int height) throws IOException {
        BufferedImage picture = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        Random random = new Random(1);
        for (int i = 0; i < 40; i++) {
            picture.setRGB(random.nextInt(width), random.nextInt(height), random.nextInt());
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        assertThat(ImageIO.write(picture, format, bytes)).isTrue();
        return bytes.toByteArray();
    }

    private static byte[] pdf(String content) {
        return ("%PDF-1.7\n" + content).getBytes(StandardCharsets.ISO_8859_1);
    }

    /** As it is written as a stream, when its length is not known yet. */
    private static byte[] wave(int bytesASecond, int bytes) {
        return ByteBuffer.allocate(44 + bytes)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put("RIFF".getBytes(StandardCharsets.US_ASCII))
                .putInt(-1)
                .put("WAVEfmt ".getBytes(StandardCharsets.US_ASCII))
                .putInt(16)
                .putShort((short) 1)
                .putShort((short) 1)
                .putInt(bytesASecond / 2)
                .putInt(bytesASecond)
                .array();
    }
}
