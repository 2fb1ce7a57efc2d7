package io.costguard.describe;

import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a file in a request is, as far as its tokens depend on it: told by its first bytes, whatever the request says that it is. Of a file of
 * many megabytes a few kilobytes are decoded, of a PDF up to half a megabyte. Nothing is thrown: what cannot be told is as large as a rule
 * ({@link MediaTokens}) allows. The formats are those of "Portable Network Graphics (PNG) Specification", "ITU-T T.81" (JPEG),
 * "Graphics Interchange Format", "WebP Container Specification", "ISO 32000" (PDF) and "Multimedia Programming Interface and Data
 * Specifications" (WAV). Immutable.
 *
 * @param kind what it is
 * @param width of a picture, in pixels; 0 if it is not known
 * @param height likewise
 * @param amount of a PDF its pages, of sound its milliseconds, of text its tokens, of all else its bytes
 */
public record Media(Kind kind, int width, int height, long amount) {
    /** What a file may be. */
    public enum Kind {
        /** A picture. */
        PICTURE,
        /** A PDF. */
        PDF,
        /** Sound. */
        SOUND,
        /** A film. */
        FILM,
        /** Text. */
        TEXT,
        /** Any other document, such as of an office. */
        DOCUMENT
    }

    /** Where a picture's size stands behind its other headers, as in a JPEG with a preview, it is looked for no further. */
    private static final int HEAD = 128 << 10;

    private static final int SHORT_HEAD = 1 << 10;

    /** At either end of a PDF: there stands how many pages it has, if it can be read without unpacking. */
    private static final int END_OF_PDF = 64 << 10;

    /** Of a PDF whose pages are not told in the clear: scanned ones have more, those of text less. */
    private static final long BYTES_A_PAGE = 10_000;

    /** More than any provider takes (Gemini API, "Document understanding"). */
    private static final long MOST_PAGES = 1_000;

    /** Speech at 32 kbit/s, lower than MP3 is mostly used at; other formats go down to half of that. */
    private static final long BYTES_A_SECOND_OF_MP3 = 4_000;

    private static final long BYTES_A_SECOND = 2_000;

    /** The tree of the pages says how many there are, and so does the head of a file that is made for the web. */
    private static final Pattern PAGES =
            Pattern.compile("/Count\\s+([0-9]{1,9})|/Linearized\\b[^>]{0,300}?/N\\s+([0-9]{1,9})");

    private static final Pattern PAGE = Pattern.compile("/Type\\s*/Page\\b(?!s)");

    /**
     * {@return a picture, document or the like that is not in the request: nothing but its kind is known}
     *
     * @param kind what it is said to be
     */
    public static Media elsewhere(Kind kind) {
        return new Media(kind, 0, 0, kind == Kind.PDF ? 1 : 0);
    }

    /**
     * {@return whether this is base64 or a URL, and not a text that is given as it is}
     *
     * @param data of a file, as text
     */
    public static boolean isEncoded(CharSequence data) {
        Base64Text text = Base64Text.of(data);
        return text.isUrl() || text.isEncoded();
    }

    /**
     * {@return a file that is given as base64, with or without {@code data:…,} before it, or by its URL}
     *
     * @param data of a file, as text
     * @param otherwise what it is if its first bytes do not tell
     */
    public static Media of(CharSequence data, Kind otherwise) {
        Base64Text text = Base64Text.of(data);
        if (text.isUrl()) {
            String url = data.subSequence(0, Math.min(data.length(), 2_000)).toString();
            return elsewhere(url.toLowerCase(Locale.ROOT).contains(".pdf") ? Kind.PDF : otherwise);
        }
        return of(new Bytes(text.decoded(0, 64)), text, otherwise);
    }

    private static Media of(Bytes magic, Base64Text text, Kind otherwise) {
        long size = text.bytes();
        if (magic.has(0, "\u0089PNG") && magic.has(12, "IHDR")) {
            return picture(magic.int32(16), magic.int32(20));
        } else if (magic.has(0, "GIF8")) {
            return picture(magic.little16(6), magic.little16(8));
        } else if (magic.has(0, "RIFF") && magic.has(8, "WEBP")) {
            return webp(magic);
        } else if (magic.has(0, "\u00ff\u00d8\u00ff")) {
            Media told = jpeg(new Bytes(text.decoded(0, SHORT_HEAD)));
            return told.width() > 0 ? told : jpeg(new Bytes(text.decoded(0, HEAD)));
        } else if (magic.has(0, "%PDF-")) {
            return new Media(Kind.PDF, 0, 0, pages(text));
        } else if (magic.has(0, "RIFF") && magic.has(8, "WAVE")) {
            return wave(magic, size);
        } else if (magic.has(0, "ID3") || (magic.at(0) == 0xff && (magic.at(1) & 0xe6) == 0xe2)) {
            return sound(size, BYTES_A_SECOND_OF_MP3);
        } else if ((magic.at(0) == 0xff && (magic.at(1) & 0xf6) == 0xf0)
                || magic.has(0, "OggS")
                || magic.has(0, "fLaC")
                || magic.has(4, "ftypM4A")) {
            return sound(size, BYTES_A_SECOND);
        } else if (magic.has(4, "ftyphei") || magic.has(4, "ftypmif") || magic.has(4, "ftypavif")) {
            return elsewhere(Kind.PICTURE);
        } else if (magic.has(4, "ftyp") || magic.has(0, "\u001aE\u00df\u00a3")) {
            return new Media(Kind.FILM, 0, 0, size);
        } else if (otherwise != Kind.SOUND && magic.isText()) {
            return new Media(Kind.TEXT, 0, 0, tokens(text));
        }
        return switch (otherwise) {
            case SOUND -> sound(size, BYTES_A_SECOND);
            case PICTURE, PDF -> elsewhere(otherwise);
            case FILM, TEXT, DOCUMENT -> new Media(otherwise, 0, 0, size);
        };
    }

    private static Media picture(int width, int height) {
        return width > 0 && height > 0 ? new Media(Kind.PICTURE, width, height, 0) : elsewhere(Kind.PICTURE);
    }

    private static Media webp(Bytes head) {
        if (head.has(12, "VP8 ")) {
            return picture(head.little16(26) & 0x3fff, head.little16(28) & 0x3fff);
        } else if (head.has(12, "VP8L")) {
            int bits = head.little16(21) | head.little16(23) << 16;
            return picture((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1);
        } else if (head.has(12, "VP8X")) {
            return picture((head.little16(24) | head.at(26) << 16) + 1, (head.little16(27) | head.at(29) << 16) + 1);
        }
        return elsewhere(Kind.PICTURE);
    }

    /** The size stands in the first frame header, one of the segments that follow each other. */
    private static Media jpeg(Bytes head) {
        int at = 2;
        while (head.at(at) == 0xff) {
            int marker = head.at(at + 1);
            if (marker == 0xff) {
                at++;
            } else if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc) {
                return at + 9 <= head.all.length
                        ? picture(head.big16(at + 7), head.big16(at + 5))
                        : elsewhere(Kind.PICTURE);
            } else {
                at += 2 + head.big16(at + 2);
            }
        }
        return elsewhere(Kind.PICTURE);
    }

    /** Its chunks may come in any order, and what it says of their length may be wrong in one that was written as a stream. */
    private static Media wave(Bytes head, long size) {
        int at = 12;
        while (at < 48 && !head.has(at, "fmt ")) {
            at += 8 + head.little16(at + 4);
        }
        int bytesASecond = head.little16(at + 16) | head.little16(at + 18) << 16;
        return sound(size, bytesASecond > 0 ? bytesASecond : BYTES_A_SECOND);
    }

    private static Media sound(long size, long bytesASecond) {
        return new Media(Kind.SOUND, 0, 0, size * 1_000 / bytesASecond);
    }

    private static long pages(Base64Text text) {
        int size = text.bytes();
        int head = Math.min(size, END_OF_PDF);
        int tail = Math.max(head, size - END_OF_PDF);
        StringBuilder clear = new StringBuilder(latin(text.decoded(0, head)));
        // Of the four ways in which its digits may be grouped there, one makes sense.
        for (int without = 0; without < 4 && tail < size; without++) {
            clear.append(latin(text.decoded(tail, size, without)));
        }
        long told = 0;
        Matcher counts = PAGES.matcher(clear);
        while (counts.find()) {
            told = Math.max(told, Long.parseLong(counts.group(1) != null ? counts.group(1) : counts.group(2)));
        }
        long seen = PAGE.matcher(clear).results().count();
        if (told == 0) {
            // Between the ends there are as many.
            told = seen > 0 ? seen * size / (head + size - tail) : 1 + size / BYTES_A_PAGE;
        }
        return Math.min(MOST_PAGES, Math.max(told, seen));
    }

    private static String latin(byte[] bytes) {
        return new String(bytes, StandardCharsets.ISO_8859_1);
    }

    /** Counted in its beginning, and as dense after that. */
    private static long tokens(Base64Text text) {
        byte[] head = text.decoded(0, HEAD);
        long tokens = Tokenizers.heuristic(new String(head, StandardCharsets.UTF_8));
        return head.length == 0 ? 0 : (long) Math.ceil((double) tokens * text.bytes() / head.length);
    }

    /** Bytes of which those that are missing are 0. */
    private record Bytes(byte[] all) {
        int at(int index) {
            return index < all.length ? all[index] & 0xff : 0;
        }

        int big16(int index) {
            return at(index) << 8 | at(index + 1);
        }

        int little16(int index) {
            return at(index + 1) << 8 | at(index);
        }

        int int32(int index) {
            return big16(index) << 16 | big16(index + 2);
        }

        boolean has(int index, String text) {
            for (int i = 0; i < text.length(); i++) {
                if (at(index + i) != text.charAt(i)) {
                    return false;
                }
            }
            return true;
        }

        boolean isText() {
            for (byte each : all) {
                if (each >= 0 && each < ' ' && each != '\n' && each != '\r' && each != '\t') {
                    return false;
                }
            }
            return all.length > 0;
        }
    }
}
