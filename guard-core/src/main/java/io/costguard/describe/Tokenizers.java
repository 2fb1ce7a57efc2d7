package io.costguard.describe;

import com.knuddels.jtokkit.Encodings;
import com.knuddels.jtokkit.api.EncodingType;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;

/**
 * Counts the tokens of texts: by the model family's own tokenizer where it is public (OpenAI's), otherwise by a heuristic that
 * rather counts too many.
 *
 * <p>A tokenizer takes more than half a second to load. It is loaded on a thread of its own when it is first needed; until it is
 * there the heuristic counts, so that no call waits for it.
 */
public final class Tokenizers {
    private static final Map<EncodingType, CompletableFuture<Counter>> LOADED = new ConcurrentHashMap<>();

    /** By prefix, first match wins. */
    private static final List<Map.Entry<String, EncodingType>> FAMILIES = List.of(
            Map.entry("gpt-4o", EncodingType.O200K_BASE),
            Map.entry("chatgpt-4o", EncodingType.O200K_BASE),
            Map.entry("gpt-4.", EncodingType.O200K_BASE),
            Map.entry("gpt-5", EncodingType.O200K_BASE),
            Map.entry("gpt-oss", EncodingType.O200K_BASE),
            Map.entry("o1", EncodingType.O200K_BASE),
            Map.entry("o3", EncodingType.O200K_BASE),
            Map.entry("o4", EncodingType.O200K_BASE),
            Map.entry("gpt-4", EncodingType.CL100K_BASE),
            Map.entry("gpt-3.5", EncodingType.CL100K_BASE),
            Map.entry("gpt-35", EncodingType.CL100K_BASE),
            Map.entry("text-embedding-", EncodingType.CL100K_BASE),
            Map.entry("babbage-002", EncodingType.CL100K_BASE),
            Map.entry("davinci-002", EncodingType.CL100K_BASE));

    /** Google's, which are not public; that of Gemma is, and cuts likewise ("Gemma: Open Models Based on Gemini Research and Technology"). */
    private static final List<String> SPLITTING_NUMBERS = List.of("gemini", "gemma");

    /** In hundredths of a token. */
    private static final int[] ASCII =
            IntStream.range(0, 128).map(Tokenizers::asciiWeight).toArray();

    private Tokenizers() {}

    /** Counts the tokens of a text. */
    @FunctionalInterface
    public interface Counter {
        /**
         * {@return how many tokens it has}
         *
         * @param text what is counted
         */
        long count(String text);
    }

    /**
     * {@return the best counter for this model that there is right now}
     *
     * @param model the model's name
     */
    public static Counter of(String model) {
        CompletableFuture<Counter> tokenizer =
                encoding(model).map(Tokenizers::loading).orElseGet(CompletableFuture::new);
        if (tokenizer.isDone() && !tokenizer.isCompletedExceptionally()) {
            return tokenizer.join();
        }
        return SPLITTING_NUMBERS.stream().anyMatch(model::startsWith)
                ? text -> heuristic(text) + splitNumbers(text)
                : Tokenizers::heuristic;
    }

    /**
     * Done when the tokenizer of this model, if it has one, is loaded.
     *
     * @param model the model's name
     * @return done then
     */
    public static CompletableFuture<Void> loaded(String model) {
        return encoding(model)
                .map(type -> loading(type).thenAccept(tokenizer -> {}))
                .orElseGet(() -> CompletableFuture.completedFuture(null));
    }

    static Optional<EncodingType> encoding(String model) {
        // As hosts name it that offer the models of others too.
        int from = model.startsWith("openai/") ? "openai/".length() : 0;
        for (Map.Entry<String, EncodingType> family : FAMILIES) {
            if (model.startsWith(family.getKey(), from)) {
                return Optional.of(family.getValue());
            }
        }
        return Optional.empty();
    }

    private static CompletableFuture<Counter> loading(EncodingType type) {
        return LOADED.computeIfAbsent(type, key -> {
            CompletableFuture<Counter> tokenizer = new CompletableFuture<>();
            Thread loader = new Thread(
                    () -> {
                        try {
                            tokenizer.complete(new WordCounter(
                                    Encodings.newLazyEncodingRegistry().getEncoding(key)::countTokensOrdinary));
                        } catch (RuntimeException | LinkageError e) {
                            tokenizer.completeExceptionally(e);
                        }
                    },
                    "costguard-tokenizer");
            loader.setDaemon(true);
            loader.start();
            return tokenizer;
        });
    }

    /**
     * Tokens by the kind of character: measured against o200k, words have a token for about four letters, digits one for two or
     * three, and ideographs about one each; each is counted a little higher here, since other tokenizers cut finer.
     */
    static long heuristic(String text) {
        return (guess(text.toCharArray(), 0, text.length()) + 99) / 100;
    }

    /** What numbers have on top where each digit is a token, and the blank before the first. */
    private static long splitNumbers(String text) {
        double more = 0;
        char before = '.';
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c >= '0' && c <= '9') {
                more += 0.4 + (before == ' ' ? 0.9 : 0);
            }
            before = c;
        }
        return (long) Math.ceil(more);
    }

    /** {@link #heuristic} of a part of a text, in hundredths of a token. */
    static long guess(char[] text, int from, int to) {
        long hundredths = 0;
        for (int i = from; i < to; i++) {
            char c = text[i];
            if (c < ASCII.length) {
                hundredths += ASCII[c];
            } else {
                int point = Character.codePointAt(text, i, to);
                i += Character.charCount(point) - 1;
                hundredths += Character.isIdeographic(point) ? 130 : Character.isLetter(point) ? 70 : 150;
            }
        }
        return hundredths;
    }

    private static int asciiWeight(int c) {
        if (c >= 'a' && c <= 'z') {
            return 26;
        } else if (c >= '0' && c <= '9') {
            return 60;
        } else if (c >= 'A' && c <= 'Z') {
            return 45;
        }
        return c == ' ' ? 10 : c < ' ' ? 40 : 80;
    }
}
