package io.costguard.examples.fleet;

import io.costguard.GuardedCall;
import io.costguard.testing.Recordings;
import io.costguard.testing.Recordings.Exchange;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The calls that the fleet makes: recorded requests to three models. */
public final class Calls {
    private static final Map<String, Exchange> BY_FOLDER = Stream.of(
                    "anthropic-messages-basic",
                    "anthropic-messages-cache-read",
                    "anthropic-messages-stream-cache-read",
                    "anthropic-messages-stream-web-search",
                    "openai-chat-cached-prompt",
                    "openai-chat-stream-tools-include-usage")
            .map(Recordings::of)
            .collect(Collectors.toUnmodifiableMap(Exchange::folder, Function.identity()));

    private static final List<Exchange> MIXED = Stream.of(
                    "anthropic-messages-basic",
                    "openai-chat-cached-prompt",
                    "anthropic-messages-stream-cache-read",
                    "anthropic-messages-cache-read",
                    "anthropic-messages-basic",
                    "openai-chat-stream-tools-include-usage",
                    "anthropic-messages-basic",
                    "anthropic-messages-cache-read")
            .map(Calls::of)
            .toList();

    /** Their models, under the names by which the guard knows them; the last one is the dearest. */
    public static final List<String> MODELS = List.of("gpt-4o-mini", "claude-3-5-sonnet", "claude-opus-4-1");

    private Calls() {}

    static Exchange of(String folder) {
        Exchange exchange = BY_FOLDER.get(folder);
        if (exchange == null) {
            throw new IllegalArgumentException("no call '" + folder + "'");
        }
        return exchange;
    }

    /** A little of everything but the dearest, most of it to one model, so that its budget is spent soon. */
    public static Exchange mixed(int index) {
        return MIXED.get(index % MIXED.size());
    }

    /** One to this model: with a streamed answer, or with one in one piece where there is one. */
    public static Exchange to(String model, boolean isStream) {
        List<Exchange> all = BY_FOLDER.values().stream()
                .filter(exchange -> modelOf(exchange).equals(model))
                .sorted((one, other) -> one.folder().compareTo(other.folder()))
                .toList();
        return all.stream()
                .filter(exchange -> exchange.isStream() == isStream)
                .findFirst()
                .or(() -> all.stream().findFirst())
                .orElseThrow(() -> new IllegalArgumentException("no model '" + model + "'"));
    }

    static String modelOf(Exchange exchange) {
        return GuardedCall.of(exchange.model()).model();
    }

    /** Any call to this model with this key, to ask how its limits stand. */
    public static GuardedCall like(String model, ApiKey key) {
        return GuardedCall.of(model)
                .with("provider", to(model, false).provider())
                .with("apiKeyFingerprint", key.fingerprint());
    }
}
