package io.costguard;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.costguard.describe.Usage;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What calls of each model cost, in the format of LiteLLM's {@code model_prices_and_context_window.json}: an object of models, each with
 * prices in dollars.
 *
 * <ul>
 *   <li>{@code input_cost_per_token}, without which a model has no price, and {@code output_cost_per_token};
 *   <li>where they differ: {@code cache_read_input_token_cost} (also {@code input_cost_per_token_cache_hit}),
 *       {@code cache_creation_input_token_cost}, {@code cache_creation_input_token_cost_above_1hr}, {@code input_cost_per_audio_token},
 *       {@code output_cost_per_audio_token}, {@code input_cost_per_image_token}, {@code output_cost_per_image_token},
 *       {@code output_cost_per_reasoning_token};
 *   <li>{@code input_cost_per_request}, once a call;
 *   <li>each of these of a long prompt: {@code ..._above_200k_tokens}, whatever the number. The whole prompt decides, what a cache
 *       served of it included, and all of the call is billed so. {@code tiered_pricing} says the same as a table;
 *   <li>each of these, of a long prompt too, in another {@link ServiceTier}: {@code ..._flex}, {@code ..._batches},
 *       {@code ..._priority}, {@code ..._ultrafast}. Where one is missing that of the standard tier holds, for a priority call as well,
 *       which is then charged less than its bill; of a long prompt, the dearer of that and of the tier's own price of a short one;
 *   <li>{@code aliases}: more names of the model.
 * </ul>
 *
 * Other members are passed over.
 *
 * <p>A price is looked up by provider and model, in this order. Under each name first as {@code provider/model}, with the provider as the
 * guard or as LiteLLM names it, then as the model alone; of lists that were added, the later first.
 *
 * <ol>
 *   <li>the model as the call names it, in lower case;
 *   <li>without where it runs: {@code us.anthropic.claude-...}, an ARN, {@code models/...}; {@code @} before a version as {@code -}; of a
 *       fine-tuned model what it was made of, {@code ft:gpt-4o-...};
 *   <li>without date and version: as {@link ModelNames#canonical} has it, and without {@code -v1:0}.
 * </ol>
 *
 * <p>Safe for use by many threads. Immutable, but for {@link #reloading}. Sums are exact, and rounded up to a nano-dollar once a call.
 */
public final class PriceList {
    private static final Set<ServiceTier> STANDARD = Set.of(ServiceTier.STANDARD);

    private static final int MOST_FOUNDS_KEPT = 1_000;

    /** A longer one may be anything that a request says. */
    private static final int LONGEST_NAMES_KEPT = 300;

    /** How LiteLLM names providers that have another name here. */
    private static final Map<String, List<String>> PREFIXES = Map.of(
            "azure", List.of("azure_ai"),
            "vertex", List.of("vertex_ai", "gemini"),
            "together", List.of("together_ai"),
            "fireworks", List.of("fireworks_ai"));

    private static final Pattern PLACE = Pattern.compile(
            "^(?:arn:.*/|models/)?(?:(?:us|us-gov|eu|apac|ap|jp|au|ca|sa|global)\\.(?=[a-z0-9-]+\\.))?");
    private static final Pattern FINE_TUNED = Pattern.compile("^(ft:[^:]+):.*");
    private static final Pattern VERSION =
            Pattern.compile("^([a-z0-9]+\\.[^/]+?)-v[0-9]+(?::[0-9]+k?)*$|^(gemini-.+)-00[0-9]$");

    /** The last that was added first. */
    private final List<Layer> layers;

    /** A list from one place. */
    interface Layer {
        /** By name, in lower case. */
        Map<String, Price> prices();

        /** Counts how often {@link #prices} changed. */
        long edition();
    }

    private record Fixed(String name, Map<String, Price> prices) implements Layer {
        @Override
        public long edition() {
            return 0;
        }

        @Override
        public String toString() {
            return name;
        }
    }

    private record Asked(String provider, String model) {}

    private record Found(long edition, @Nullable Price price) {}

    private final Cache<Asked, Found> founds =
            Caffeine.newBuilder().maximumSize(MOST_FOUNDS_KEPT).build();

    private PriceList(List<Layer> layers) {
        this.layers = layers;
    }

    private static final class Bundled {
        private static final PriceList LIST = load();

        private static PriceList load() {
            try (InputStream in = PriceList.class.getResourceAsStream("prices.json")) {
                if (in == null) {
                    throw new IllegalStateException("the jar lacks its prices");
                }
                return of("the bundled prices", in);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** {@return the list that comes with this library} Its source and date are in the jar. It is read when this is called first. */
    public static PriceList bundled() {
        return Bundled.LIST;
    }

    /**
     * {@return the list in a file, as it is now}
     *
     * @param file where it is
     * @throws IllegalArgumentException where it is not such a list; it says where and why
     * @throws IOException if it cannot be read, or makes no sense
     */
    public static PriceList read(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return of(file.toString(), in);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
        }
    }

    /**
     * The list in a file, and what it becomes while the process runs. While prices are asked for, the file is looked at in the background,
     * every ten seconds at most: no call waits for it, and the first ones after a change may go by the old prices. A file that is gone or
     * is no price list changes nothing, and is logged once. Needs no closing.
     *
     * @param file where it is
     * @return the prices, as they become
     * @throws IllegalArgumentException where it is not such a list now; it says where and why
     * @throws IOException if it cannot be read, or makes no sense
     */
    public static PriceList reloading(Path file) throws IOException {
        return of(ReloadingFile.of(file));
    }

    static PriceList of(Layer layer) {
        return new PriceList(List.of(layer));
    }

    private static PriceList of(String name, InputStream in) throws IOException {
        return of(new Fixed(name, PriceReader.read(name, in)));
    }

    /**
     * {@return the list in a stream, which stays the caller's to close}
     *
     * @param in JSON in the format of such a file
     * @throws IllegalArgumentException where it is not such a list; it says where and why
     * @throws IOException if it cannot be read, or makes no sense
     */
    public static PriceList parse(InputStream in) throws IOException {
        return of("prices of your own", in);
    }

    /**
     * This list with the prices of {@code other}, which win.
     *
     * @param other whose prices win
     * @return both
     */
    public PriceList plus(PriceList other) {
        return new PriceList(
                Stream.concat(other.layers.stream(), layers.stream()).toList());
    }

    /**
     * {@link #nanoUsd(String, String, Cost)} where no provider is known.
     *
     * @param model the model's name, as a call has it
     * @param cost how much
     * @return billionths of a dollar; empty where the list has no price
     */
    public OptionalLong nanoUsd(String model, Cost cost) {
        return nanoUsd("", model, cost);
    }

    /**
     * {@link #nanoUsd(String, String, Usage)} where no provider is known.
     *
     * @param model the model's name, as a call has it
     * @param usage how many tokens of which kind
     * @return billionths of a dollar; empty where the list has no price
     */
    public OptionalLong nanoUsd(String model, Usage usage) {
        return nanoUsd("", model, usage);
    }

    /**
     * What this costs in the standard tier, in nano-dollars; empty for a model without a price. What it says of prompt caches and of
     * reasoning has prices of its own.
     *
     * @param provider empty if it is not known
     * @param model the model's name, as a call has it
     * @param cost how much
     * @return billionths of a dollar; empty where the list has no price
     */
    public OptionalLong nanoUsd(String provider, String model, Cost cost) {
        return nanoUsd(provider, model, STANDARD, Usage.of(cost), cost.requests());
    }

    /**
     * What one request with this usage costs in the standard tier, in nano-dollars; empty for a model without a price.
     *
     * @param provider empty if it is not known
     * @param model the model's name, as a call has it
     * @param usage how many tokens of which kind
     * @return billionths of a dollar; empty where the list has no price
     */
    public OptionalLong nanoUsd(String provider, String model, Usage usage) {
        return nanoUsd(provider, model, STANDARD, usage);
    }

    /**
     * What one request with this usage costs, in nano-dollars, in the dearest of the tiers in which it may be served; empty for a model
     * without a price.
     *
     * @param provider empty if it is not known
     * @param model the model's name, as a call has it
     * @param tiers at least one
     * @param usage how many tokens of which kind
     * @return billionths of a dollar; empty where the list has no price
     */
    public OptionalLong nanoUsd(String provider, String model, Set<ServiceTier> tiers, Usage usage) {
        return nanoUsd(provider, model, tiers, usage, 1);
    }

    private OptionalLong nanoUsd(String provider, String model, Set<ServiceTier> tiers, Usage usage, long requests) {
        Price price = price(provider, model);
        return price == null
                ? OptionalLong.empty()
                : tiers.stream()
                        .mapToLong(tier -> price.nanoUsd(tier, usage, requests))
                        .max();
    }

    /** Whether any provider has a price for this model. */
    boolean has(String model) {
        return find("", model) != null
                || layers.stream()
                        .flatMap(layer -> layer.prices().keySet().stream())
                        .filter(name -> name.contains("/"))
                        .map(name -> name.substring(0, name.indexOf('/')))
                        .distinct()
                        .anyMatch(provider -> find(provider, model) != null);
    }

    /**
     * Another number whenever prices have changed.
     *
     * @return which one
     */
    public long edition() {
        long edition = 0;
        for (Layer layer : layers) {
            edition += layer.edition();
        }
        return edition;
    }

    /** What {@link #find} finds, which is looked for once an edition: a name that the first list lacks is looked up by patterns. */
    private @Nullable Price price(String provider, String model) {
        // Before the prices, so that what is found while they change is looked for again.
        long edition = edition();
        Asked asked = new Asked(provider, model);
        Found found = founds.getIfPresent(asked);
        if (found == null || found.edition != edition) {
            found = new Found(edition, find(provider.toLowerCase(Locale.ROOT), model));
            if (provider.length() + model.length() <= LONGEST_NAMES_KEPT) {
                founds.put(asked, found);
            }
        }
        return found.price;
    }

    private @Nullable Price find(String provider, String model) {
        String asked = model.toLowerCase(Locale.ROOT);
        String placeless = null;
        String canonical = null;
        for (Layer layer : layers) {
            Map<String, Price> prices = layer.prices();
            Price price = named(prices, provider, asked);
            if (price == null) {
                placeless = placeless == null ? placeless(asked) : placeless;
                price = named(prices, provider, placeless);
            }
            if (price == null) {
                canonical = canonical == null
                        ? ModelNames.canonical(VERSION.matcher(placeless).replaceFirst("$1$2"))
                        : canonical;
                price = named(prices, provider, canonical);
            }
            if (price != null) {
                return price;
            }
        }
        return null;
    }

    private static String placeless(String model) {
        String name = PLACE.matcher(model).replaceFirst("");
        name = FINE_TUNED.matcher(name).replaceFirst("$1");
        return name.endsWith("@default") ? name.substring(0, name.length() - 8) : name.replace('@', '-');
    }

    private static @Nullable Price named(Map<String, Price> prices, String provider, String name) {
        Price price = provider.isEmpty() ? null : ofProvider(prices, provider, name);
        return price == null ? prices.get(name) : price;
    }

    private static @Nullable Price ofProvider(Map<String, Price> prices, String provider, String name) {
        Price price = prices.get(provider + "/" + name);
        for (String prefix : price == null ? PREFIXES.getOrDefault(provider, List.of()) : List.<String>of()) {
            price = price == null ? prices.get(prefix + "/" + name) : price;
        }
        return price;
    }

    /** Where these prices are from, the last that was added first. */
    @Override
    public String toString() {
        return layers.stream().map(Object::toString).collect(Collectors.joining(", "));
    }
}
