package io.costguard.describe.dialects;

import io.costguard.describe.Dialect;
import io.costguard.describe.Target;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The dialects there are: a user's own first, then those of this library. Immutable. */
public final class Dialects {
    private static final Dialects BUNDLED = new Dialects(List.of(
            new OpenAiChat(),
            new OpenAiResponses(),
            new OpenAiCompletions(),
            new OpenAiEmbeddings(),
            new OpenAiModerations(),
            new OpenAiImages(),
            new OpenAiAudio(),
            new AnthropicMessages(),
            new Gemini(),
            new GeminiInteractions(),
            new Cohere(),
            new Ollama(),
            new LlamaCpp(),
            new TextGenerationInference(),
            new Bedrock()));

    private final List<Dialect> all;

    private Dialects(List<Dialect> all) {
        this.all = all;
    }

    /** Those that come with this library. */
    public static Dialects bundled() {
        return BUNDLED;
    }

    /** These, and {@code dialect}, which is asked first. */
    public Dialects with(Dialect dialect) {
        List<Dialect> more = new ArrayList<>(all.size() + 1);
        more.add(dialect);
        more.addAll(all);
        return new Dialects(List.copyOf(more));
    }

    /** The first that speaks for a request. */
    public Optional<Dialect> of(Target target) {
        for (Dialect dialect : all) {
            if (dialect.speaksFor(target)) {
                return Optional.of(dialect);
            }
        }
        return Optional.empty();
    }
}
