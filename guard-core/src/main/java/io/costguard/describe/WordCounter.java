package io.costguard.describe;

import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Counts the tokens of texts word by word, and remembers what it counted: nearly all words of a text were in others before, and
 * whole texts come again with each turn of a conversation. What it keeps of a word is its count and 48 bits of a digest under a seed
 * of its own, in a table of a fixed size in which the last word of a slot stays; nothing of a text can be told from that.
 *
 * <p>Texts are cut where OpenAI's tokenizers always cut, between an ASCII letter and an ASCII character that is none, but for the
 * apostrophe of a contraction, and around the digits of a number, of which each three are a token. Neither looks across such a place, so
 * that the sum is the count. Where there is none for long, as in Chinese, they are cut all the same, which adds a token or two to
 * hundreds. Of a text with too many new words some are counted, and the others estimated by what those came to.
 *
 * <p>Safe for use by many threads.
 */
final class WordCounter implements Tokenizers.Counter {
    private static final int SLOTS = 1 << 16;
    private static final long COUNT = 0xffff;
    private static final int LONGEST_WORD = 512;
    private static final int MOST_COUNTED = 8_192;

    /** Beyond that, one of so many new words is counted. */
    private static final int SAMPLE = 16;

    /** Odd, so that no bit of a character is lost (it is that of Knuth's MMIX generator). */
    private static final long MULTIPLIER = 6_364_136_223_846_793_005L;

    private final Tokenizers.Counter tokenizer;
    private final AtomicLongArray known = new AtomicLongArray(SLOTS);
    private final long seed;

    WordCounter(Tokenizers.Counter tokenizer) {
        this(tokenizer, new SplittableRandom().nextLong());
    }

    WordCounter(Tokenizers.Counter tokenizer, long seed) {
        this.tokenizer = tokenizer;
        this.seed = seed;
    }

    @Override
    public long count(String text) {
        Sum sum = new Sum(text);
        int from = 0;
        long hash = seed;
        boolean afterLetter = false;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean letter = isLetter(c);
            int numberEnd = isDigit(c) ? numberEnd(text, i) : i;
            boolean wordEnds = afterLetter && !letter && c < 128 && c != '\'';
            if (wordEnds || numberEnd > i || isTooLong(text, from, i)) {
                sum.add(from, i, hash);
                from = i;
                hash = seed;
            }
            if (numberEnd > i) {
                sum.addNumber(numberEnd - i);
                from = numberEnd;
                i = numberEnd - 1;
            } else {
                hash = (hash ^ c) * MULTIPLIER;
            }
            afterLetter = letter;
        }
        sum.add(from, text.length(), hash);
        return sum.tokens();
    }

    private static boolean isLetter(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    /**
     * Where a number ends that begins there; there where it is none by itself. White space before it goes with other white space before
     * that, and digits of other scripts go with these.
     */
    private static int numberEnd(String text, int from) {
        char before = from > 0 ? text.charAt(from - 1) : '.';
        char beforeThat = from > 1 ? text.charAt(from - 2) : '.';
        boolean apart = before < 128 && !isDigit(before) && (before > ' ' || (beforeThat > ' ' && beforeThat < 128));
        int end = from;
        while (apart && end < text.length() && isDigit(text.charAt(end))) {
            end++;
        }
        return end == text.length() || text.charAt(end) < 128 ? end : from;
    }

    private static boolean isTooLong(String text, int from, int to) {
        return to - from >= LONGEST_WORD && !Character.isLowSurrogate(text.charAt(to));
    }

    /** What the words of one text come to. */
    private final class Sum {
        private final String text;
        private long counted;
        /** Of new words only: how many there are, their length, and what they come to, once counted and once by the heuristic. */
        private int fresh;

        private int freshLength;
        private long freshCounted;
        private double freshGuessed;
        /** What the words come to that were not counted, by the heuristic. */
        private double uncounted;

        Sum(String text) {
            this.text = text;
        }

        void addNumber(int digits) {
            counted += (digits + 2) / 3;
        }

        void add(int from, int to, long digest) {
            if (from == to) {
                return;
            }
            // Multiplied, a bit tells on those above it only; these are the ones that name the slot.
            long hash = digest ^ digest >>> 32;
            int slot = (int) (hash & COUNT);
            long entry = known.getOpaque(slot);
            if ((entry ^ hash) >>> 16 == 0 && entry != 0) {
                counted += entry & COUNT;
            } else if (freshLength < MOST_COUNTED || fresh++ % SAMPLE == 0) {
                long count = tokenizer.count(text.substring(from, to));
                known.setOpaque(slot, (hash & ~COUNT) | count);
                freshLength += to - from;
                freshCounted += count;
                freshGuessed += Tokenizers.guess(text, from, to);
            } else {
                uncounted += Tokenizers.guess(text, from, to);
            }
        }

        long tokens() {
            double estimated = uncounted == 0 ? 0 : uncounted * freshCounted / freshGuessed;
            return counted + freshCounted + (long) Math.ceil(estimated);
        }
    }
}
