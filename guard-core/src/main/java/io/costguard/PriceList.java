package io.costguard;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.costguard.describe.Usage;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * What a token of each model costs, in the format of LiteLLM's {@code model_prices_and_context_window.json}: an object of models,
 * each with {@code input_cost_per_token}, {@code output_cost_per_token} and, where they differ,
 * {@code cache_read_input_token_cost} and {@code cache_creation_input_token_cost}, in dollars. Other members are passed over.
 *
 * <p>Immutable. Sums are exact, and rounded up to a nano-dollar once a call.
 */
public final class PriceList {
    private static final JsonFactory JSON = new JsonFactory();
    private static final int PICO_DIGITS = 12;
    private static final int MOST_DECIMALS = 100;
    private static final long PICO_A_NANO = 1_000;

    private final Map<String, Price> prices;

    /** Of a token, in billionths of a thousandth of a dollar. */
    private record Price(long input, long cacheRead, long cacheWrite, long output) {}

    private PriceList(Map<String, Price> prices) {
        this.prices = prices;
    }

    private static final class Bundled {
        private static final PriceList LIST = load();

        private static PriceList load() {
            try (InputStream in = PriceList.class.getResourceAsStream("prices.json")) {
                if (in == null) {
                    throw new IllegalStateException("the jar lacks its prices");
                }
                return parse(in);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** The small list that comes with this library: models of OpenAI and Anthropic. Its source and date are in the jar. */
    public static PriceList bundled() {
        return Bundled.LIST;
    }

    /** The list in a file. */
    public static PriceList read(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return parse(in);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
        }
    }

    /**
     * The list in a stream, which stays the caller's to close.
     *
     * @throws IllegalArgumentException where it is not such a list; it says where and why
     */
    public static PriceList parse(InputStream in) throws IOException {
        Map<String, Price> prices = new HashMap<>();
        try (JsonParser json = JSON.createParser(in)) {
            if (json.nextToken() != JsonToken.START_OBJECT) {
                throw bad(json, "a price list must be an object of models");
            }
            while (json.nextToken() == JsonToken.FIELD_NAME) {
                String model = json.currentName();
                if (json.nextToken() != JsonToken.START_OBJECT) {
                    throw bad(json, "model '" + model + "' must be an object");
                }
                Price price = price(json, model);
                if (price != null && !model.equals("sample_spec")) {
                    prices.put(model.toLowerCase(Locale.ROOT), price);
                }
            }
        } catch (JsonParseException e) {
            throw new IllegalArgumentException(
                    "not JSON: " + e.getOriginalMessage() + " at line "
                            + e.getLocation().getLineNr(),
                    e);
        }
        return new PriceList(Map.copyOf(prices));
    }

    private static @Nullable Price price(JsonParser json, String model) throws IOException {
        Map<String, Long> costs = new HashMap<>();
        while (json.nextToken() == JsonToken.FIELD_NAME) {
            String name = json.currentName();
            JsonToken value = json.nextToken();
            switch (name) {
                case "input_cost_per_token",
                        "output_cost_per_token",
                        "cache_read_input_token_cost",
                        "cache_creation_input_token_cost" -> {
                    if (value.isNumeric()) {
                        costs.put(name, pico(json, model, name));
                    } else if (value != JsonToken.VALUE_NULL && !model.equals("sample_spec")) {
                        throw bad(json, name + " of model '" + model + "' must be a number of dollars");
                    }
                }
                default -> json.skipChildren();
            }
        }
        Long input = costs.get("input_cost_per_token");
        Long output = costs.getOrDefault("output_cost_per_token", 0L);
        if (input == null) {
            return null;
        }
        return new Price(
                input,
                costs.getOrDefault("cache_read_input_token_cost", input),
                costs.getOrDefault("cache_creation_input_token_cost", input),
                output);
    }

    private static long pico(JsonParser json, String model, String name) throws IOException {
        BigDecimal dollars = json.getDecimalValue();
        if (dollars.signum() < 0 || dollars.compareTo(BigDecimal.valueOf(1_000)) > 0) {
            throw bad(json, name + " of model '" + model + "' must be from 0 to 1000 dollars, not " + dollars);
        }
        if (dollars.scale() > MOST_DECIMALS) {
            throw bad(
                    json,
                    name + " of model '" + model + "' must have at most " + MOST_DECIMALS + " decimals, not "
                            + dollars.scale());
        }
        return dollars.movePointRight(PICO_DIGITS).setScale(0, RoundingMode.UP).longValueExact();
    }

    private static IllegalArgumentException bad(JsonParser json, String what) {
        return new IllegalArgumentException(
                what + " (line " + json.currentLocation().getLineNr() + ")");
    }

    /** This list with the prices of {@code other}, which win. */
    public PriceList plus(PriceList other) {
        Map<String, Price> both = new HashMap<>(prices);
        both.putAll(other.prices);
        return new PriceList(Map.copyOf(both));
    }

    /** What so many tokens cost, none of the prompt served by a cache; empty for a model without a price. */
    public OptionalLong nanoUsd(String model, Cost cost) {
        return nanoUsd(model, Usage.of(cost.input(), cost.output()));
    }

    /** What this usage costs, in nano-dollars; empty for a model without a price. */
    public OptionalLong nanoUsd(String model, Usage usage) {
        Price price = prices.get(model.toLowerCase(Locale.ROOT));
        if (price == null) {
            price = prices.get(ModelNames.canonical(model));
        }
        if (price == null) {
            return OptionalLong.empty();
        }
        long pico = sum(
                sum(
                        times(usage.input() + usage.audioInput(), price.input()),
                        times(usage.cacheRead(), price.cacheRead())),
                sum(
                        times(usage.cacheWrite() + usage.cacheWriteLong(), price.cacheWrite()),
                        times(usage.allOutput(), price.output())));
        long nano = pico / PICO_A_NANO + (pico % PICO_A_NANO == 0 ? 0 : 1);
        return OptionalLong.of(Math.min(nano, Cost.MAX_AMOUNT));
    }

    // What does not fit a long is above the most that can be counted, which is what both stand for then.

    private static long times(long tokens, long pico) {
        long product = tokens * pico;
        return Math.multiplyHigh(tokens, pico) == 0 && product >= 0 ? product : Long.MAX_VALUE;
    }

    private static long sum(long one, long other) {
        long sum = one + other;
        return sum >= 0 ? sum : Long.MAX_VALUE;
    }
}
