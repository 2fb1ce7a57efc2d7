package io.costguard.describe;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * How many tokens a picture, a document or sound has, by the rule that is published for its model's family, whoever offers it. What is not
 * known of a file, such as of one by its URL, is taken to be as large as the rule allows. Safe for use by many threads.
 */
final class MediaTokens {
    /** How closely a model is to look, as requests say it. */
    enum Detail {
        AUTO,
        LOW,
        MEDIUM,
        HIGH,
        /** {@code original}, {@code ultra_high}. */
        FULL;

        static Detail of(String written) {
            String name = written.toLowerCase(Locale.ROOT);
            if (name.contains("original") || name.contains("ultra")) {
                return FULL;
            }
            return Arrays.stream(values())
                    .filter(detail -> name.endsWith(detail.name().toLowerCase(Locale.ROOT)))
                    .findFirst()
                    .orElse(AUTO);
        }
    }

    /** A picture whose size is not known may have any of these. */
    private static final List<Media> SHAPES = Stream.of(8_192, 6_144, 3_072)
            .map(height -> new Media(Media.Kind.PICTURE, 8_192, height, 0))
            .toList();

    /** As recorded of OpenAI's chat. */
    private static final long TOKENS_AROUND_SOUND = 7;

    /** Of a document of an office, whose text is packed: as many as if it were plain (recorded documents had half of that). */
    private static final long BYTES_A_TOKEN_OF_A_DOCUMENT = 4;

    private static final long MOST_TOKENS_OF_A_DOCUMENT = 300_000;

    /** Of a model that is not known: at least a tile of Llama 3.2, at most the most of Claude. */
    private static final Rule OTHER = new Native(1_601, 4_784);

    /** By the first that is found in a model's name. */
    private static final List<Family> FAMILIES = List.of(
            family("claude", MediaTokens::claude),
            // Gemini 1 and 2, and what they were called once; all others are newer.
            family("gemini-(?:[12]|pro-|flash-1|live-2)", name -> new Gemini2()),
            family("gemini", name -> new Gemini3()),
            // 256, and one before and after ("Gemma 3 model card").
            family("gemma", name -> new Fixed(258)),
            family("\\bnova\\b", name -> new Nova()),
            // Four tiles of 576 and the whole ("LLaVA-NeXT: Improved reasoning, OCR, and world knowledge").
            family("llava", name -> new Fixed(2_880)),
            family("pixtral", name -> new Mistral(16, 1_024)),
            family("mistral|ministral|magistral|devstral|voxtral", name -> new Mistral(28, 1_540)),
            family("grok", name -> new Grok()),
            // Of 512 × 512 (Oracle Cloud's "Cohere Embed Multilingual Image 3").
            family("\\bembed-", name -> new Fixed(1_610)),
            family("command|\\baya\\b|c4ai", name -> new Cohere()),
            family("qwen|qvq", name -> new Native(4, 16_384)),
            family("llama", name -> new Llama()),
            family("gpt-image", name -> new GptImage(!name.matches(".*gpt-image-1(?:-mini)?"))),
            family("computer-use", name -> new Tiles(65, 129)),
            family("4o-mini", name -> new Tiles(2_833, 5_667)),
            family("o4-mini|(?:^|/)codex-mini", name -> new Patches(172, 1_536, 1_536)),
            family("gpt-5[-.][4-9](?!\\d).*nano", name -> new Patches(246, 2_500, 2_500)),
            family("gpt-5[-.][4-9](?!\\d).*mini", name -> new Patches(162, 2_500, 2_500)),
            family("gpt-(?:4\\.1|5).*nano", name -> new Patches(246, 1_536, 1_536)),
            family("gpt-(?:4\\.1|5).*mini", name -> new Patches(162, 1_536, 1_536)),
            family("gpt-5[-.][23](?!\\d)", name -> new Patches(120, 1_536, 1_536)),
            family("gpt-5[-.][45](?!\\d)", name -> new Patches(120, 2_500, 10_000)),
            family("gpt-(?:5[-.][6-9](?!\\d)|[6-9])", name -> new Patches(120, 2_500, 30_000)),
            family("gpt-5", name -> new Tiles(70, 140)),
            family("gpt-", name -> new Tiles(85, 170)),
            family("\\bo[13]\\b", name -> new Tiles(75, 150)));

    /** The models whose names have something in common. */
    private record Family(Pattern names, Function<String, Rule> rule) {}

    private static Family family(String names, Function<String, Rule> rule) {
        return new Family(Pattern.compile(names), rule);
    }

    /** The rule of a model, by its canonical name. */
    static Rule of(String model) {
        for (Family family : FAMILIES) {
            if (family.names.matcher(model).find()) {
                return family.rule.apply(model);
            }
        }
        return OTHER;
    }

    /** What a family of models counts. */
    interface Rule {
        /** Tokens of a picture of so many pixels. */
        long picture(int width, int height, Detail detail);

        /** Tokens of a page of a PDF; what Anthropic gives as the most that the text of one has ("PDF support"). */
        default long page(Detail detail) {
            return 3_000;
        }

        /** Gemini's ("Understand and count tokens"), more than others have. */
        default long soundASecond() {
            return 32;
        }

        /** A recorded clip of Nova had a token for 180. */
        default long filmBytesAToken() {
            return 128;
        }

        default long tokens(Media media, Detail detail) {
            return switch (media.kind()) {
                case PICTURE -> media.width() > 0 ? picture(media.width(), media.height(), detail) : largest(detail);
                case PDF -> media.amount() * page(detail);
                case SOUND -> TOKENS_AROUND_SOUND + media.amount() * soundASecond() / 1_000;
                case FILM -> 1 + media.amount() / filmBytesAToken();
                case TEXT -> media.amount();
                case DOCUMENT -> Math.min(MOST_TOKENS_OF_A_DOCUMENT, 1 + media.amount() / BYTES_A_TOKEN_OF_A_DOCUMENT);
            };
        }

        /** Only one that is said to be seen in full may be larger than {@code high} shows it. */
        private long largest(Detail detail) {
            Detail shown = detail == Detail.AUTO ? Detail.HIGH : detail;
            return SHAPES.stream()
                    .mapToLong(shape -> picture(shape.width(), shape.height(), shown))
                    .max()
                    .orElseThrow();
        }
    }

    private MediaTokens() {}

    private static long ceil(long part, long of) {
        return (part + of - 1) / of;
    }

    private static long squares(long width, long height, long side) {
        return ceil(width, side) * ceil(height, side);
    }

    /** So long a side has a picture whose larger side is made {@code most}, if it is larger. */
    private static long fitted(long side, long larger, long most) {
        return larger <= most ? side : Math.max(1, side * most / larger);
    }

    /**
     * Anthropic's ("Images and vision", resolution and token cost): a token for each 28 × 28 pixels, of a picture that is made smaller if
     * either its longer side or its tokens are too many. From Claude 4.7 on it may be larger. Pages of PDFs had 2,100 to 2,800 tokens, and up to
     * 3,200 of those models, as they were measured.
     */
    private record Claude(int longestSide, long most, long tokensAPage) implements Rule {
        @Override
        public long picture(int width, int height, Detail detail) {
            long larger = Math.max(width, height);
            return Math.min(most, squares(fitted(width, larger, longestSide), fitted(height, larger, longestSide), 28));
        }

        @Override
        public long page(Detail detail) {
            return tokensAPage;
        }
    }

    private static Rule claude(String name) {
        Matcher version =
                Pattern.compile("claude-(?:[a-z]+-)?(\\d)(?:[-.](\\d)(?!\\d))?").matcher(name);
        boolean isOlder = false;
        if (version.find()) {
            int major = Integer.parseInt(version.group(1));
            isOlder = major < 4
                    || (major == 4
                            && (version.group(2) == null || version.group(2).compareTo("7") < 0));
        }
        return isOlder ? new Claude(1_568, 1_568, 3_000) : new Claude(2_576, 4_784, 3_200);
    }

    /**
     * Google's for Gemini 2 ("Image understanding", token calculation; "Document understanding"): 258 for a small picture or a page; a larger
     * one is cut into squares whose side is two thirds of its shorter one, with 258 each. As seen, the whole has 258 besides.
     */
    private record Gemini2() implements Rule {
        private static final long TOKENS_A_TILE = 258;

        @Override
        public long picture(int width, int height, Detail detail) {
            if (width <= 384 && height <= 384) {
                return TOKENS_A_TILE;
            }
            long side = Math.max(256, Math.min(width, height) * 2L / 3);
            return TOKENS_A_TILE * (1 + squares(width, height, side));
        }

        @Override
        public long page(Detail detail) {
            return TOKENS_A_TILE;
        }

        /** 263 a second ("Understand and count tokens"), at some 475 kbit/s. */
        @Override
        public long filmBytesAToken() {
            return 225;
        }
    }

    /** Google's for Gemini 3 ("Media resolution", token counts), whatever the size. */
    private record Gemini3() implements Rule {
        @Override
        public long picture(int width, int height, Detail detail) {
            return switch (detail) {
                case LOW -> 280;
                case MEDIUM -> 560;
                case AUTO, HIGH -> 1_120;
                case FULL -> 2_240;
            };
        }

        @Override
        public long page(Detail detail) {
            return switch (detail) {
                case LOW -> 280;
                case AUTO, MEDIUM -> 560;
                case HIGH, FULL -> 1_120;
            };
        }

        /** 300 a second at most ("Understand and count tokens"), at some 475 kbit/s. */
        @Override
        public long filmBytesAToken() {
            return 198;
        }
    }

    /** What OpenAI's models have in common. */
    private interface OpenAi extends Rule {
        /**
         * Of a page there is the text, and a picture of it ("File inputs"), of how many pixels it does not say. 1,000 tokens of text, some 700
         * words, and 150 pixels an inch on paper of Letter's form are assumed.
         */
        @Override
        default long page(Detail detail) {
            return 1_000 + picture(1_275, 1_650, detail == Detail.AUTO ? Detail.HIGH : detail);
        }

        /** A token for each 100 ms ("Managing costs", of the realtime API), as was recorded of chat. */
        @Override
        default long soundASecond() {
            return 10;
        }
    }

    /**
     * OpenAI's for its older models ("Images and vision", tile-based image tokenization): within 2,048 × 2,048, its shorter side then at most
     * 768, in squares of 512.
     */
    private record Tiles(long base, long tile) implements OpenAi {
        @Override
        public long picture(int width, int height, Detail detail) {
            return base + (detail == Detail.LOW ? 0 : tile * count(width, height, 768));
        }

        static long count(long width, long height, long shorterSide) {
            long larger = Math.max(width, height);
            long fittedWidth = fitted(width, larger, 2_048);
            long fittedHeight = fitted(height, larger, 2_048);
            long shorter = Math.min(fittedWidth, fittedHeight);
            return squares(fitted(fittedWidth, shorter, shorterSide), fitted(fittedHeight, shorter, shorterSide), 512);
        }
    }

    /**
     * Pictures that OpenAI's models edit (the same, GPT Image 1): tiles, with a shorter side of 512, and in high fidelity, which newer ones
     * always have ("Image generation", cost and latency), as many more as a picture of its form is made of. That newer ones count as GPT Image 1
     * does is assumed: no page says how they do.
     */
    private record GptImage(boolean alwaysInHighFidelity) implements OpenAi {
        @Override
        public long picture(int width, int height, Detail detail) {
            boolean isHigh = alwaysInHighFidelity || detail == Detail.HIGH || detail == Detail.FULL;
            long fidelity = !isHigh ? 0 : width == height ? 4_160 : 6_240;
            return 65 + 129 * Tiles.count(width, height, 512) + fidelity;
        }
    }

    /**
     * OpenAI's for its newer models (the same, patch-based image tokenization): squares of 32 pixels, no more than a number, times a factor.
     * {@code low} fits into 512 × 512 where there is an {@code original} too; otherwise it was seen to change nothing. The page gives
     * factors of small models alone. 1.2, of GPT-5.2 and 5.4, is what was billed ("Introducing GPT-5.4 mini and nano", OpenAI's developer
     * community); that later ones have it too is assumed. Small ones of GPT-5 were billed less there than the page has, 1.2 and 1.5: the page counts.
     */
    private record Patches(long percent, long most, long mostInFull) implements OpenAi {
        private static final int SIDE = 32;

        @Override
        public long picture(int width, int height, Detail detail) {
            boolean hasFull = mostInFull > most;
            long patches = switch (detail) {
                case LOW -> hasFull ? patches(width, height, most, 512) : patches(width, height, most, 2_048);
                case MEDIUM, HIGH -> patches(width, height, most, 2_048);
                case AUTO, FULL -> patches(width, height, mostInFull, hasFull ? longestInFull() : 2_048);
            };
            return ceil(patches * percent, 100);
        }

        private long longestInFull() {
            return mostInFull == 10_000 ? 6_000 : 65_535;
        }

        private static long patches(int width, int height, long most, long longest) {
            long larger = Math.max(width, height);
            double w = fitted(width, larger, longest);
            double h = fitted(height, larger, longest);
            long patches = squares((long) w, (long) h, SIDE);
            if (patches <= most) {
                return patches;
            }
            double shrink = Math.sqrt(SIDE * SIDE * most / (w * h));
            double columns = w * shrink / SIDE;
            double rows = h * shrink / SIDE;
            double adjusted =
                    shrink * Math.min(Math.max(1, Math.floor(columns)) / columns, Math.max(1, Math.floor(rows)) / rows);
            return Math.min(most, squares(Math.round(w * adjusted), Math.round(h * adjusted), SIDE));
        }
    }

    /** Amazon's ("Image understanding", of Amazon Nova): a line above the sizes that it lists, of which 2,600 is the most. */
    private record Nova() implements Rule {
        @Override
        public long picture(int width, int height, Detail detail) {
            double scale = Math.max(1, 900.0 / Math.max(width, height));
            return Math.min(2_600, 220 + (long) (width * scale * height * scale / 700));
        }
    }

    /** Mistral's ("Vision", of how many tokens correspond to an image; mistral-common, "Images"): squares, and the end of each row of them. */
    private record Mistral(int side, int longestSide) implements Rule {
        @Override
        public long picture(int width, int height, Detail detail) {
            long larger = Math.max(width, height);
            long rows = ceil(fitted(height, larger, longestSide), side);
            return rows * (ceil(fitted(width, larger, longestSide), side) + 1);
        }
    }

    /** xAI's: from 256 to 1,792, by size ("Consumption and Rate Limits"). By which rule, tiles of 448 and the whole, 256 each, is assumed. */
    private record Grok() implements Rule {
        @Override
        public long picture(int width, int height, Detail detail) {
            return Math.min(1_792, 256 * (1 + squares(width, height, 448)));
        }
    }

    /** Cohere's ("Using Cohere's Models to Work with Image Inputs"): tiles of 512 and the whole, 256 each, or the whole alone. */
    private record Cohere() implements Rule {
        @Override
        public long picture(int width, int height, Detail detail) {
            long larger = Math.max(width, height);
            if (detail == Detail.LOW || (detail == Detail.AUTO && larger <= 768)) {
                return 256;
            }
            long smaller = fitted(Math.min(width, height), larger, 2_048);
            long other = fitted(larger, larger, 2_048);
            return 256 * (1 + squares(fitted(smaller, smaller, 1_536), fitted(other, smaller, 1_536), 512));
        }
    }

    /** Together's for Llama ("Vision", pricing): up to two by two tiles of 560. */
    private record Llama() implements Rule {
        @Override
        public long picture(int width, int height, Detail detail) {
            return 1_601 * Math.min(2, ceil(width, 560)) * Math.min(2, ceil(height, 560));
        }
    }

    /** As large as it is, in squares of 28: Qwen's ("Qwen2-VL-7B-Instruct", image resolution). */
    private record Native(long least, long most) implements Rule {
        @Override
        public long picture(int width, int height, Detail detail) {
            return Math.max(least, Math.min(most, squares(width, height, 28)));
        }
    }

    /** Any picture alike. */
    private record Fixed(long tokens) implements Rule {
        @Override
        public long picture(int width, int height, Detail detail) {
            return tokens;
        }
    }
}
