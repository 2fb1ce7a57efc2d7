package io.costguard;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.exc.StreamReadException;
import io.costguard.describe.LocatedJson;
import java.io.IOException;
import java.io.InputStream;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads one list of prices, in the format that {@link PriceList} describes. For one thread, and one list. */
final class PriceReader {
    private static final Logger log = LoggerFactory.getLogger(PriceList.class);
    private static final JsonFactory JSON = new JsonFactory();
    private static final int PICO_DIGITS = 12;
    private static final int MOST_DECIMALS = 100;
    private static final int MOST_TOLD = 5;

    /**
     * Prices in LiteLLM's list of what a usage does not know, by what they are of (the schema in its
     * {@code test_aaamodel_prices_and_context_window_json_is_valid}): pictures, film, seconds and the like; audio and pictures in a cache;
     * tools, by the call or the page; Databricks' own currency; the Batch API by its older name.
     */
    private static final Pattern OF_SOMETHING_ELSE = Pattern.compile(
            "(?:input|output)_cost_per_(?:image|video|audio_per_second|second|pixel|character|query|page)(?:_.+)?"
                    + "|cache_(?:creation|read)_input_(?:audio|image)_token_cost(?:_.+)?"
                    + "|cache_read_input_token_cost_per_audio_token"
                    + "|(?!input_|output_|cache_).+_cost_per_(?!token).+"
                    + "|(?:citation|input_dbu|output_dbu?)_cost_per_token"
                    + "|input_cost_per_token_batch_requests");

    private final JsonParser json;
    private final Map<String, Price> prices = new HashMap<>();
    private final Map<String, Price> aliases = new HashMap<>();

    /** Fields that look like prices and are none, with the first model that has one. */
    private final Map<String, String> strange = new LinkedHashMap<>();

    private PriceReader(JsonParser json) {
        this.json = json;
    }

    /**
     * The prices in a list, by name in lower case.
     *
     * @param list what it is called in the log
     * @throws IllegalArgumentException where it is no such list; it says where and why
     */
    static Map<String, Price> read(String list, InputStream in) throws IOException {
        try (JsonParser json = JSON.createParser(in)) {
            PriceReader reader = new PriceReader(json);
            reader.models();
            reader.tellWhatIsStrange(list);
            reader.aliases.forEach(reader.prices::putIfAbsent);
            return Map.copyOf(reader.prices);
        } catch (StreamReadException e) {
            throw new IllegalArgumentException(
                    "not JSON: " + LocatedJson.why(e) + " at line "
                            + e.getLocation().getLineNr(),
                    e);
        }
    }

    private void models() throws IOException {
        if (json.nextToken() != JsonToken.START_OBJECT) {
            throw bad("a price list must be an object of models");
        }
        while (json.nextToken() == JsonToken.FIELD_NAME) {
            String model = json.currentName();
            if (json.nextToken() != JsonToken.START_OBJECT) {
                throw bad("model '" + model + "' must be an object");
            }
            if (model.equals("sample_spec")) {
                json.skipChildren();
            } else {
                model(model);
            }
        }
    }

    private void tellWhatIsStrange(String list) {
        if (!strange.isEmpty()) {
            String some = strange.entrySet().stream()
                    .limit(MOST_TOLD)
                    .map(each -> "'" + each.getKey() + "' of model '" + each.getValue() + "'")
                    .collect(Collectors.joining(", "));
            int more = strange.size() - MOST_TOLD;
            log.warn(
                    "{}: no price is called {}{}: nothing is charged by it; see PriceList for what prices are called",
                    list,
                    some,
                    more > 0 ? ", nor as " + more + " others are" : "");
        }
    }

    private void model(String model) throws IOException {
        Price.Fields fields = new Price.Fields();
        List<String> names = new ArrayList<>();
        while (json.nextToken() == JsonToken.FIELD_NAME) {
            String name = json.currentName();
            JsonToken value = json.nextToken();
            if (Price.Fields.isPrice(name)) {
                if (value != JsonToken.VALUE_NULL) {
                    fields.put(name, pico(model, name));
                }
            } else if (name.equals("litellm_provider")) {
                fields.provider(json.getValueAsString(""));
            } else if (name.equals("tiered_pricing") && value == JsonToken.START_ARRAY) {
                tiers(model, fields);
            } else if (name.equals("aliases") && value == JsonToken.START_ARRAY) {
                while (json.nextToken() != JsonToken.END_ARRAY) {
                    if (json.currentToken() == JsonToken.VALUE_STRING) {
                        names.add(json.getText().toLowerCase(Locale.ROOT));
                    }
                    json.skipChildren();
                }
            } else {
                passOver(model, name);
            }
        }
        Price price = fields.price();
        if (price != null) {
            prices.put(model.toLowerCase(Locale.ROOT), price);
            names.forEach(name -> aliases.put(name, price));
        }
    }

    private void passOver(String model, String name) throws IOException {
        String lower = name.toLowerCase(Locale.ROOT);
        boolean looksLikeOne = lower.contains("cost") || lower.contains("price");
        if (looksLikeOne && !OF_SOMETHING_ELSE.matcher(name).matches()) {
            strange.putIfAbsent(name, model);
        }
        json.skipChildren();
    }

    private void tiers(String model, Price.Fields fields) throws IOException {
        while (json.nextToken() != JsonToken.END_ARRAY) {
            if (json.currentToken() != JsonToken.START_OBJECT) {
                throw bad("a tier of model '" + model + "' must be an object");
            }
            Map<String, Long> table = new HashMap<>();
            OptionalLong above = OptionalLong.empty();
            while (json.nextToken() == JsonToken.FIELD_NAME) {
                String name = json.currentName();
                JsonToken value = json.nextToken();
                if (Price.Fields.isPrice(name) && value != JsonToken.VALUE_NULL) {
                    table.put(name, pico(model, name));
                } else if (name.equals("range") && value == JsonToken.START_ARRAY) {
                    above = first();
                } else {
                    passOver(model, name);
                }
            }
            // A tier of something else than tokens has no range.
            above.ifPresent(size -> fields.put(size, table));
        }
    }

    private OptionalLong first() throws IOException {
        OptionalLong first = json.nextToken().isNumeric() ? OptionalLong.of(json.getLongValue()) : OptionalLong.empty();
        while (json.currentToken() != JsonToken.END_ARRAY) {
            json.skipChildren();
            json.nextToken();
        }
        return first;
    }

    private long pico(String model, String name) throws IOException {
        if (!json.currentToken().isNumeric()) {
            throw bad(name + " of model '" + model + "' must be a number of dollars");
        }
        BigDecimal dollars;
        try {
            dollars = json.getDecimalValue();
        } catch (NumberFormatException e) {
            throw bad(name + " of model '" + model + "' must be a number of dollars, not " + json.getText());
        }
        if (dollars.signum() < 0 || dollars.compareTo(BigDecimal.valueOf(1_000)) > 0) {
            throw bad(name + " of model '" + model + "' must be from 0 to 1000 dollars, not " + dollars);
        }
        if (dollars.scale() > MOST_DECIMALS) {
            throw bad(name + " of model '" + model + "' must have at most " + MOST_DECIMALS + " decimals, not "
                    + dollars.scale());
        }
        return dollars.movePointRight(PICO_DIGITS).setScale(0, RoundingMode.UP).longValueExact();
    }

    private IllegalArgumentException bad(String what) {
        return new IllegalArgumentException(
                what + " (line " + json.currentLocation().getLineNr() + ")");
    }
}
