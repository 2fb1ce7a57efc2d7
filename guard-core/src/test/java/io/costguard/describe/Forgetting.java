package io.costguard.describe;

import io.costguard.PriceList;
import java.util.List;

/** So that what was read before is read as if it were read first. Safe for use by many threads. */
public final class Forgetting {
    /** One of each tokenizer. */
    private static final List<String> MODELS = List.of("gpt-4o", "gpt-4");

    private Forgetting() {}

    /** Each text that this process counts is a new one from now on. */
    public static void texts() {
        for (String model : MODELS) {
            if (Tokenizers.of(model) instanceof WordCounter counter) {
                counter.forget();
            }
        }
    }

    /** {@return one to which each text is a new one, and each name of a model} */
    public static Estimator estimator() {
        texts();
        // Such a list has looked up nothing yet.
        return new Estimator(PriceList.bundled().plus(PriceList.bundled()));
    }
}
