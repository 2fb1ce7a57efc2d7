package io.costguard.describe.dialects;

import io.costguard.describe.JsonObject;
import io.costguard.describe.Target;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The member of a request for a stream by which OpenAI is asked to report usage at its end, {@code stream_options.include_usage} ("Create chat
 * completion", "Create completion"), and who else is asked. Not asked are those that report it unasked: Groq, OpenRouter ("Usage Accounting"),
 * Perplexity, Together, xAI; Mistral, which does too, and answers 422 to the question (openai/openai-agents-python#442); and those of which it
 * is not known.
 */
final class StreamOptions {
    /**
     * DeepSeek ("Create FIM Completion"), Anthropic ("OpenAI SDK compatibility"), Ollama ("OpenAI compatibility"), Fireworks (LangChain's
     * {@code ChatFireworks.stream_usage}), vLLM (vllm-project/vllm#5135 and #5319), llama.cpp (its {@code server.cpp}).
     */
    private static final Set<String> WHO_TAKE_IT =
            Set.of("openai", "deepseek", "anthropic", "ollama", "fireworks", "vllm", "llamacpp");

    private static final String API_VERSION = "api-version=";

    /** Older versions of Azure OpenAI answer 400 (openai/openai-python#1469, Azure/azure-rest-api-specs#29157). */
    private static final String FIRST_VERSION = API_VERSION + "2024-09-01";

    private StreamOptions() {}

    /** As {@link io.costguard.describe.Dialect#askForUsage} has it. */
    static Optional<byte[]> askForUsage(Target target, byte[] body) {
        if (!takesIt(target)) {
            return Optional.empty();
        }
        return JsonObject.of(body)
                .filter(request -> request.isTrue("stream"))
                // Azure's own extension refuses it (openai/openai-python#2296).
                .filter(request -> !request.has("data_sources"))
                .flatMap(StreamOptions::asking);
    }

    private static Optional<byte[]> asking(JsonObject request) {
        if (!request.has("stream_options")) {
            return Optional.of(request.with("\"stream_options\":{\"include_usage\":true}"));
        }
        return request.object("stream_options")
                .filter(options -> !options.has("include_usage"))
                .map(options -> options.with("\"include_usage\":true"));
    }

    private static boolean takesIt(Target target) {
        return target.provider().equals("azure") ? isNewAzure(target) : WHO_TAKE_IT.contains(target.provider());
    }

    /** The paths of Azure OpenAI; not those of AI Foundry's other models, each of which takes what it takes. */
    private static boolean isNewAzure(Target target) {
        return target.path().contains("/openai/v1/")
                || (target.path().contains("/openai/deployments/")
                        && Stream.of(target.query().split("&")).anyMatch(StreamOptions::isNewVersion));
    }

    private static boolean isNewVersion(String parameter) {
        return parameter.startsWith(API_VERSION) && parameter.compareTo(FIRST_VERSION) >= 0;
    }
}
