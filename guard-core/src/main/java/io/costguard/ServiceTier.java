package io.costguard;

import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * How soon, and at which prices, a provider serves a call: a request asks for a tier, and the answer tells in which it was served, which may
 * be another. Each has prices of its own in a {@link PriceList}. What is paid for by capacity and not by token (OpenAI's scale tier, Groq's
 * performance tier, Bedrock's reserved tier, Vertex AI's provisioned throughput) counts as {@link #STANDARD}.
 *
 * <p>The names are those of OpenAI's API reference ("Create chat completion", {@code service_tier}), Anthropic's "Service tiers", the Gemini
 * API's "Priority inference" and "Flex inference", Vertex AI's {@code TrafficType}, Bedrock's {@code ServiceTier} and Groq's "Service Tiers".
 */
public enum ServiceTier {
    /** What most calls are served in. */
    STANDARD(""),
    /** Cheaper, and served when there is room. */
    FLEX("_flex"),
    /** Cheaper, in files that are worked off within a day. */
    BATCH("_batches"),
    /** Dearer, and served first. */
    PRIORITY("_priority"),
    /** Dearer still, of few models of OpenAI's. */
    ULTRAFAST("_ultrafast");

    private static final Map<String, ServiceTier> NAMES = Map.ofEntries(
            Map.entry("default", STANDARD),
            Map.entry("standard", STANDARD),
            Map.entry("standard_only", STANDARD),
            Map.entry("on_demand", STANDARD),
            Map.entry("scale", STANDARD),
            Map.entry("performance", STANDARD),
            Map.entry("reserved", STANDARD),
            Map.entry("provisioned_throughput", STANDARD),
            Map.entry("flex", FLEX),
            Map.entry("on_demand_flex", FLEX),
            Map.entry("batch", BATCH),
            Map.entry("priority", PRIORITY),
            Map.entry("fast", PRIORITY),
            Map.entry("on_demand_priority", PRIORITY),
            Map.entry("ultrafast", ULTRAFAST));

    private static final String GOOGLES_PREFIX = "service_tier_";

    private final String suffix;

    ServiceTier(String suffix) {
        this.suffix = suffix;
    }

    /** What its fields in a price list end with. */
    String suffix() {
        return suffix;
    }

    /**
     * {@return the tier in which a call was served}
     *
     * @param name as a response gives it, whatever its case; empty for one that is not known, or decides nothing, such as {@code auto}
     */
    public static Optional<ServiceTier> served(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        return Optional.ofNullable(
                NAMES.get(lower.startsWith(GOOGLES_PREFIX) ? lower.substring(GOOGLES_PREFIX.length()) : lower));
    }

    /**
     * {@return the tiers in which a request may be served}
     *
     * @param name as the request gives it, whatever its case; one that is not known may be any, and {@code auto} leaves the choice between
     *     the standard tier and a dearer one to the account's settings
     */
    public static Set<ServiceTier> allowed(String name) {
        return name.equalsIgnoreCase("auto")
                ? Set.of(STANDARD, PRIORITY)
                : served(name).map(Set::of).orElse(Set.of(values()));
    }
}
