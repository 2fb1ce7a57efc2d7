package io.costguard.describe;

import static org.assertj.core.api.Assertions.assertThat;

import com.knuddels.jtokkit.Encodings;
import com.knuddels.jtokkit.api.Encoding;
import com.knuddels.jtokkit.api.EncodingType;
import io.costguard.testing.Recordings;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class WordCounterTest {
    private static final Map<EncodingType, Encoding> ENCODINGS = new ConcurrentHashMap<>();

    private static final String ENGLISH =
            "The quick brown fox doesn't jump over the lazy dog; it has a rest under the tree, and then (at 10:45) it goes. ";
    private static final String CHINESE =
            "\u4eba\u5de5\u667a\u80fd\u662f\u8ba1\u7b97\u673a\u79d1\u5b66\u7684\u4e00\u4e2a\u5206\u652f\uff0c\u5b83\u4f01\u56fe\u4e86\u89e3\u667a\u80fd\u7684\u5b9e\u8d28\u3002";

    /** What the tokenizers tell apart, and what stands near it. */
    private static final List<String> PIECES = List.of(
            "a",
            "word",
            "Word",
            "WORD",
            "camelCase",
            "is",
            "s",
            "'",
            "'s",
            "'ll",
            "'LL",
            "'x",
            "1",
            "7",
            "42",
            "007",
            "123",
            "12345",
            " ",
            "  ",
            "   ",
            "\t",
            "\n",
            "\r\n",
            " \n",
            ".",
            ",",
            ";",
            "//",
            "/",
            "\"",
            "{\"",
            "\":",
            "\\n",
            "<|endoftext|>",
            "_",
            "-",
            "--",
            "\u00e9",
            "e\u0301",
            "\u0130",
            "\u0416\u0443\u043a",
            "\u4eba\u5de5",
            "\u0661\u0662",
            "\u01c5",
            "\u02b0",
            "\ud83d\ude00",
            "\u00a0",
            "\u3000",
            "\u0000",
            "\u2019");

    @ParameterizedTest
    @EnumSource(names = {"O200K_BASE", "CL100K_BASE"})
    void theSumOfTheWordsIsTheCountOfTheText(EncodingType type) {
        Encoding encoding = encoding(type);
        WordCounter counter = new WordCounter(encoding::countTokensOrdinary);
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int i = 0; i < 20_000; i++) {
            StringBuilder text = new StringBuilder();
            for (int piece = random.nextInt(20); piece >= 0; piece--) {
                text.append(PIECES.get(random.nextInt(PIECES.size())));
            }
            assertThat(counter.count(text.toString()))
                    .as("seed %d: %s", seed, text)
                    .isEqualTo(encoding.countTokensOrdinary(text.toString()));
        }
        for (int number = 0; number < 10_000; number++) {
            assertThat(counter.count("no. " + number)).isEqualTo(encoding.countTokensOrdinary("no. " + number));
            assertThat(counter.count("0" + number)).isEqualTo(encoding.countTokensOrdinary("0" + number));
        }
        for (Recordings.Exchange exchange : Recordings.all()) {
            String text = new String(exchange.request(), StandardCharsets.UTF_8).replaceAll("[A-Za-z0-9+/]{400,}", "");
            String read = text.substring(0, Math.min(text.length(), 16_384));
            assertThat(new WordCounter(encoding::countTokensOrdinary).count(read))
                    .isEqualTo(encoding.countTokensOrdinary(read));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"O200K_BASE", "CL100K_BASE"})
    void ofALongTextPiecesAreReadAndItsCountIsKnownWhenItComesAgain(EncodingType type) {
        Encoding encoding = encoding(type);
        AtomicLong asked = new AtomicLong();
        WordCounter counter = telling(encoding, asked);
        StringBuilder all = new StringBuilder();
        for (Recordings.Exchange exchange : Recordings.all()) {
            all.append(new String(exchange.request(), StandardCharsets.UTF_8).replaceAll("[A-Za-z0-9+/]{400,}", ""));
            all.append(new String(exchange.response(), StandardCharsets.UTF_8).replaceAll("[A-Za-z0-9+/]{400,}", ""));
        }
        assertThat(all).hasSizeGreaterThan(150_000);
        int tooFar = 0;
        for (int from = 0; from + 50_000 < all.length(); from += 5_000) {
            String text = all.substring(from, from + 50_000);
            long real = encoding.countTokensOrdinary(text);
            long count = counter.count(text);
            tooFar += Math.abs(count - real) > real / 20 ? 1 : 0;

            asked.set(0);
            assertThat(counter.count(text)).isEqualTo(count);
            assertThat(asked).hasValue(0);
        }
        assertThat(tooFar).isLessThanOrEqualTo(1);
    }

    @ParameterizedTest
    @EnumSource(names = {"O200K_BASE", "CL100K_BASE"})
    void onceItHasLearnedTextsOfNewWordsAreEstimatedByAFewOfThem(EncodingType type) {
        Encoding encoding = encoding(type);
        AtomicLong asked = new AtomicLong();
        Random random = new Random(1);
        WordCounter counter = learned(encoding, asked, random);
        int tooFar = 0;
        for (int i = 0; i < 100; i++) {
            String text = words(random, 4_096);
            long real = encoding.countTokensOrdinary(text);
            asked.set(0);
            long count = counter.count(text);

            assertThat(asked).hasValueBetween(300, 900);
            tooFar += Math.abs(count - real) > real / 20 ? 1 : 0;
        }
        assertThat(tooFar).isLessThanOrEqualTo(3);
    }

    @Test
    void whatIsForgottenIsANewTextOfNewWordsAgain() {
        Encoding encoding = encoding(EncodingType.O200K_BASE);
        AtomicLong asked = new AtomicLong();
        Random random = new Random(1);
        WordCounter counter = learned(encoding, asked, random);
        for (int length : List.of(100, 4_096)) {
            String text = words(random, length);
            counter.count(text);
            counter.count(text);
            asked.set(0);
            counter.count(text);
            assertThat(asked).hasValue(0);

            counter.forget();
            counter.count(text);
            long first = asked.get();
            counter.forget();
            asked.set(0);
            counter.count(text);

            assertThat(asked).hasPositiveValue().hasValue(first);
        }
    }

    @Test
    void whatIsAlikeInATextIsEstimatedByWhatIsLikeIt() {
        Encoding encoding = encoding(EncodingType.O200K_BASE);
        Random random = new Random(1);
        WordCounter counter = learned(encoding, new AtomicLong(), random);
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 12; i++) {
            // No tokenizer's heuristic is right about both.
            text.append(words(random, 200)).append(" int ".repeat(3)).append("=".repeat(120));
        }
        long real = encoding.countTokensOrdinary(text.toString());

        assertThat(counter.count(text.toString())).isBetween(real * 93 / 100, real * 107 / 100);
    }

    /** One that tells how many characters it had counted. Two words may share a slot; with its seed none do that are long. */
    private static WordCounter telling(Encoding encoding, AtomicLong asked) {
        return new WordCounter(
                text -> {
                    asked.addAndGet(text.length());
                    return encoding.countTokensOrdinary(text);
                },
                1);
    }

    /** One that takes no more time to learn. */
    private static WordCounter learned(Encoding encoding, AtomicLong asked, Random random) {
        WordCounter counter = telling(encoding, asked);
        for (int i = 0; i < 10; i++) {
            counter.count(words(random, 10_000));
        }
        return counter;
    }

    private static String words(Random random, int length) {
        StringBuilder words = new StringBuilder();
        while (words.length() < length) {
            random.ints(2 + random.nextInt(8), 'a', 'z' + 1).forEach(words::appendCodePoint);
            words.append(' ');
        }
        return words.toString();
    }

    @ParameterizedTest
    @EnumSource(names = {"O200K_BASE", "CL100K_BASE"})
    void longTextsAreCountedToWithinFivePerCent(EncodingType type) {
        Encoding encoding = encoding(type);
        Random random = new Random(1);
        StringBuilder hexadecimal = new StringBuilder();
        random.ints(8_000)
                .forEach(each -> hexadecimal.append(Integer.toHexString(each)).append(' '));
        StringBuilder mixed = new StringBuilder();
        random.ints(2_000, 0, 100_000)
                .forEach(each ->
                        mixed.append(each).append(ENGLISH, 0, each % 100).append(CHINESE, 0, each % 20));
        for (String text :
                List.of(ENGLISH.repeat(900), CHINESE.repeat(3_000), hexadecimal.toString(), mixed.toString())) {
            long real = encoding.countTokensOrdinary(text);
            assertThat(new WordCounter(encoding::countTokensOrdinary).count(text))
                    .isBetween(real * 95 / 100, real * 105 / 100);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"O200K_BASE", "CL100K_BASE"})
    void whatWasCountedBeforeIsNotCountedAgain(EncodingType type) {
        Encoding encoding = encoding(type);
        AtomicLong asked = new AtomicLong();
        WordCounter counter = telling(encoding, asked);
        counter.count(ENGLISH);
        counter.count(CHINESE);
        asked.set(0);

        counter.count(ENGLISH.repeat(10));
        counter.count(CHINESE);

        // "The" where a sentence goes on is not "The" where a text begins.
        assertThat(asked).hasValueLessThan(ENGLISH.length() / 4);
    }

    @Test
    void ofAMegabyteOfNewWordsFewAreCounted() {
        AtomicLong asked = new AtomicLong();
        WordCounter counter = new WordCounter(text -> asked.addAndGet(text.length()) > 0 ? 1 : 0);
        StringBuilder text = new StringBuilder();
        new Random(1)
                .ints(100_000, 0, Integer.MAX_VALUE)
                .forEach(each -> text.append(Integer.toString(each, 26).replaceAll("[0-9]", "z"))
                        .append(' '));

        counter.count(text.toString());

        assertThat(asked).hasValueLessThan(8_192 + 512 + text.length() / 40);
    }

    private static Encoding encoding(EncodingType type) {
        return ENCODINGS.computeIfAbsent(
                type, any -> Encodings.newLazyEncodingRegistry().getEncoding(any));
    }
}
