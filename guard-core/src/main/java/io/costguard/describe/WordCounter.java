package io.costguard.describe;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Counts the tokens of texts word by word, and remembers what it counted: nearly all words of a text were in others before, and
 * whole texts come again with each turn of a conversation. What it keeps of a word is its count and 48 bits of a digest under a seed
 * of its own, in a table of a fixed size in which the last word of a slot stays; nothing of a text can be told from that.
 *
 * <p>Texts are cut where OpenAI's tokenizers always cut: behind a word, its contraction included, before the blank or the sign that the next
 * one begins with, behind the last line of several, and around the digits of a number, of which each three are a token. They do not look
 * across such a place, so that the sum is the count. Where there is none for long they are cut all the same, which adds a token or two
 * to a hundred.
 *
 * <p>A tokenizer takes about a quarter of a microsecond a letter, and a call would wait for it. So only the first texts have all their new words
 * counted. After these, of a text with many new words some are, spread over all of it, and the others estimated by what those came to. So it
 * is with a text that is long, of which some pieces are read; one that comes again is known by a digest of all of it.
 *
 * <p>Safe for use by many threads.
 */
final class WordCounter implements Tokenizers.Counter {
    private static final int SLOTS = 1 << 16;
    private static final long COUNT = 0xffff;
    private static final int LONGEST_WORD = 128;

    /** Of texts that are at least so long it is remembered what all of it came to. */
    private static final int SHORTEST_KNOWN = 1_024;

    private static final int TEXTS = 2_000;

    /** So many characters of a text are read, and of a longer one a part more of it, in pieces of some length from all of it. */
    private static final int READ = 16_384;

    private static final int SHARE_READ = 8;
    private static final int PIECE = 256;

    /** So many characters of new words are counted, and of a text with more of them one of so many more. */
    private static final int COUNTED = 384;

    private static final int SAMPLE = 64;

    /** So many of a text, while there is something to learn. */
    private static final int COUNTED_TO_LEARN = 8_192;

    /** In characters: some ten thousand words, of which most texts are made. */
    private static final int TO_LEARN = 1 << 16;

    /** Odd, so that no bit of a character is lost (it is that of Knuth's MMIX generator). */
    private static final long MULTIPLIER = 6_364_136_223_846_793_005L;

    private final Tokenizers.Counter tokenizer;
    private final AtomicLongArray known = new AtomicLongArray(SLOTS);
    private final long seed;
    /** By their digests. */
    private final Cache<Long, Long> texts =
            Caffeine.newBuilder().maximumSize(TEXTS).executor(Runnable::run).build();

    private final AtomicInteger toLearn = new AtomicInteger(TO_LEARN);

    WordCounter(Tokenizers.Counter tokenizer) {
        this(tokenizer, new SplittableRandom().nextLong());
    }

    WordCounter(Tokenizers.Counter tokenizer, long seed) {
        this.tokenizer = tokenizer;
        this.seed = seed;
    }

    @Override
    public long count(String text) {
        // Whose characters cost less each than those of a string.
        char[] chars = text.toCharArray();
        if (chars.length < SHORTEST_KNOWN) {
            return countOf(chars);
        }
        long digest = digest(chars);
        Long count = texts.getIfPresent(digest);
        if (count == null) {
            count = countOf(chars);
            texts.put(digest, count);
        }
        return count;
    }

    /** From now on every text is a new one, of new words. There is no more to learn than there was. */
    void forget() {
        texts.invalidateAll();
        for (int slot = 0; slot < SLOTS; slot++) {
            known.setOpaque(slot, 0);
        }
    }

    /** In four lanes, of which the next character need not wait for the last. */
    private long digest(char[] chars) {
        long a = seed;
        long b = ~seed;
        long c = seed * MULTIPLIER;
        long d = ~c;
        int i = 0;
        for (; i + 3 < chars.length; i += 4) {
            a = (a ^ chars[i]) * MULTIPLIER;
            b = (b ^ chars[i + 1]) * MULTIPLIER;
            c = (c ^ chars[i + 2]) * MULTIPLIER;
            d = (d ^ chars[i + 3]) * MULTIPLIER;
        }
        for (; i < chars.length; i++) {
            a = (a ^ chars[i]) * MULTIPLIER;
        }
        long all = a ^ a >>> 32;
        for (long lane : new long[] {b, c, d, chars.length}) {
            all = (all ^ lane ^ lane >>> 32) * MULTIPLIER;
            all ^= all >>> 29;
        }
        return all;
    }

    private long countOf(char[] chars) {
        Sum sum = new Sum(chars);
        int pieces = 1 + (chars.length - 1) / (READ + chars.length / SHARE_READ);
        if (pieces == 1) {
            read(chars, 0, chars.length, sum);
            return sum.tokens();
        }
        SplittableRandom which = new SplittableRandom(seed ^ chars.length);
        long guessedOfRead = 0;
        int from = 0;
        int left = 0;
        int chosen = 0;
        while (from < chars.length) {
            int to = cutAfter(chars, from + PIECE);
            if (left == 0) {
                left = pieces;
                chosen = 1 + which.nextInt(pieces);
            }
            if (left == chosen) {
                read(chars, from, to, sum);
                guessedOfRead += Tokenizers.guess(chars, from, to);
            }
            left--;
            from = to;
        }
        long guessed = Tokenizers.guess(chars, 0, chars.length);
        return guessedOfRead == 0 ? (guessed + 50) / 100 : Math.round((double) guessed / guessedOfRead * sum.tokens());
    }

    /** The next place at which the tokenizers cut, if one is near. */
    private static int cutAfter(char[] text, int near) {
        for (int at = near; at < Math.min(text.length, near + PIECE); at++) {
            if (isCut(text, text[at - 1], text[at], at)) {
                return at;
            }
        }
        boolean isAmidCharacter = near < text.length && Character.isLowSurrogate(text[near]);
        return Math.min(text.length, isAmidCharacter ? near + 1 : near);
    }

    private void read(char[] chars, int begin, int end, Sum sum) {
        int from = begin;
        long hash = seed;
        char before = 0;
        for (int i = begin; i < end; i++) {
            char c = chars[i];
            boolean isInWord = isLetter(c) && isLetter(before) && i - from < LONGEST_WORD;
            int numberEnd = isDigit(c) ? Math.min(end, numberEnd(chars, i)) : i;
            if (!isInWord && (numberEnd > i || isCut(chars, before, c, i) || isTooLong(chars, from, i))) {
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
            before = c;
        }
        sum.add(from, end, hash);
    }

    /** Whether the tokenizers always cut before the character at {@code at}. */
    private static boolean isCut(char[] text, char before, char c, int at) {
        if (isLetter(before) || isIdeograph(before)) {
            return isMark(c);
        } else if (c == ' ' && before == ' ') {
            return at + 1 < text.length && isPrinted(text[at + 1]);
        } else if (before == '\n') {
            return c > ' ' ? c != '/' && c < 128 : isLastOfLines(text, at);
        }
        return c == ' ' && isPrinted(before);
    }

    /** Whether the white space that begins here ends without a new line. */
    private static boolean isLastOfLines(char[] text, int from) {
        int at = from;
        while (at < text.length && (text[at] == ' ' || text[at] == '\t')) {
            at++;
        }
        return at < text.length && isPrinted(text[at]);
    }

    /** Neither of a word nor an apostrophe. */
    private static boolean isMark(char c) {
        return c < 128
                ? !isLetter(c) && c != '\''
                : c == '\u3001' || c == '\u3002' || c == '\uff0c' || c == '\uff1a' || c == '\uff1b';
    }

    private static boolean isIdeograph(char c) {
        return c >= '\u4e00' && c <= '\u9fff';
    }

    /** Of ASCII. */
    private static boolean isPrinted(char c) {
        return c > ' ' && c < 127;
    }

    private static boolean isLetter(char c) {
        int lower = c | 0x20;
        return lower >= 'a' && lower <= 'z';
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    /**
     * Where a number ends that begins there; there where it is none by itself. White space before it goes with other white space before
     * that, and digits of other scripts go with these.
     */
    private static int numberEnd(char[] text, int from) {
        char before = from > 0 ? text[from - 1] : '.';
        char beforeThat = from > 1 ? text[from - 2] : '.';
        boolean apart = before < 128 && !isDigit(before) && (before > ' ' || (beforeThat > ' ' && beforeThat < 128));
        int end = from;
        while (apart && end < text.length && isDigit(text[end])) {
            end++;
        }
        return end == text.length || text[end] < 128 ? end : from;
    }

    private static boolean isTooLong(char[] text, int from, int to) {
        return to - from >= LONGEST_WORD && !Character.isLowSurrogate(text[to]);
    }

    private static int slot(long hash) {
        return (int) (hash & COUNT);
    }

    /** What the words of one text come to. */
    private final class Sum {
        private final char[] chars;
        private long counted;
        private int learning = Math.min(COUNTED_TO_LEARN, toLearn.get());
        /** Of the new words that were not counted: where each begins and ends, and its digest. */
        private int[] bounds = new int[64];

        private long[] hashes = new long[32];
        private int fresh;
        private int freshLength;

        Sum(char[] chars) {
            this.chars = chars;
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
            long entry = known.getOpaque(slot(hash));
            if ((entry ^ hash) >>> 16 == 0 && entry != 0) {
                counted += entry & COUNT;
            } else if (learning > 0) {
                learning -= to - from;
                toLearn.addAndGet(from - to);
                counted += count(from, to, hash);
            } else {
                addFresh(from, to, hash);
            }
        }

        private void addFresh(int from, int to, long hash) {
            if (fresh == hashes.length) {
                hashes = Arrays.copyOf(hashes, 2 * fresh);
                bounds = Arrays.copyOf(bounds, 4 * fresh);
            }
            hashes[fresh] = hash;
            bounds[2 * fresh] = from;
            bounds[2 * fresh + 1] = to;
            fresh++;
            freshLength += to - from;
        }

        /** Of new words of about one length, one in so many is counted: at unequal distances, as what is alike may come at equal ones. */
        long tokens() {
            int oneIn = 1 + (freshLength - 1) / (COUNTED + freshLength / SAMPLE);
            long[] sample = new long[Integer.SIZE];
            long[] sampleGuessed = new long[Integer.SIZE];
            long[] guessed = new long[Integer.SIZE];
            int[] passedOver = new int[Integer.SIZE];
            for (int i = 0; i < fresh; i++) {
                int from = bounds[2 * i];
                int to = bounds[2 * i + 1];
                int length = Integer.numberOfLeadingZeros(to - from);
                long guess = Tokenizers.guess(chars, from, to);
                guessed[length] += guess;
                if (--passedOver[length] < 0) {
                    sample[length] += count(from, to, hashes[i]);
                    sampleGuessed[length] += guess;
                    passedOver[length] = (int) Long.remainderUnsigned(hashes[i], 2 * oneIn - 1);
                }
            }
            double estimated = 0;
            for (int length = 0; length < Integer.SIZE; length++) {
                estimated +=
                        guessed[length] > 0 ? (double) guessed[length] / sampleGuessed[length] * sample[length] : 0;
            }
            return counted + Math.round(estimated);
        }

        private long count(int from, int to, long hash) {
            long count = tokenizer.count(new String(chars, from, to - from));
            known.setOpaque(slot(hash), (hash & ~COUNT) | count);
            return count;
        }
    }
}
