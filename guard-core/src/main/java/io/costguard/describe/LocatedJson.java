package io.costguard.describe;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.exc.StreamReadException;
import com.fasterxml.jackson.core.io.ContentReference;
import com.fasterxml.jackson.core.util.JsonParserDelegate;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import java.io.IOException;
import java.math.BigDecimal;
import java.time.DateTimeException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.yaml.snakeyaml.error.Mark;
import org.yaml.snakeyaml.error.MarkedYAMLException;

/**
 * A value in JSON, or in YAML, that knows where it stands, so that what is wrong with it can be said: all that is asked of it in vain is
 * a {@link BadValueException}. Immutable.
 *
 * @param where like {@code budgets.json:12:7}: the file, the line, and the column
 * @param value a map of texts to {@code LocatedJson}, a list of {@code LocatedJson}, a text, a {@code BigDecimal}, or a {@code Boolean}
 */
public record LocatedJson(String where, Object value) {
    /** What stands there makes no sense; the message begins with the place. */
    public static final class BadValueException extends IllegalArgumentException {
        private static final long serialVersionUID = 1L;

        BadValueException(String message) {
            super(message);
        }
    }

    private static final long LARGEST_EXPONENT = 1_000_000_000;
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();

    /**
     * {@return the one value in a text}
     *
     * @param file its name, for errors
     * @param firstLine the number of its first line
     * @param text what is in it
     * @throws BadValueException where it is none; it says where, and why
     */
    public static LocatedJson read(String file, int firstLine, String text) {
        return read(file, firstLine, "JSON", () -> FACTORY.createParser(text));
    }

    /**
     * {@return the one value in a text in YAML, as far as JSON has its like: without anchors and aliases}
     *
     * @param file its name, for errors
     * @param text what is in it
     * @throws BadValueException where it is none; it says where, and why: also where the parser is not on the class path
     */
    public static LocatedJson readYaml(String file, String text) {
        try {
            return read(file, 1, "YAML", () -> Yaml.parser(text));
        } catch (NoClassDefFoundError e) {
            throw new BadValueException(
                    file + ": YAML is read by com.fasterxml.jackson.dataformat:jackson-dataformat-yaml,"
                            + " which is not on the class path; add it, or write the file in JSON");
        }
    }

    /** Apart, as it needs what need not be there. */
    private static final class Yaml extends JsonParserDelegate {
        private static final JsonFactory FACTORY = YAMLFactory.builder()
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .build();

        private final YAMLParser yaml;

        private Yaml(YAMLParser yaml) {
            super(yaml);
            this.yaml = yaml;
        }

        static JsonParser parser(String text) throws IOException {
            return new Yaml((YAMLParser) FACTORY.createParser(text));
        }

        @Override
        public @Nullable JsonToken nextToken() throws IOException {
            JsonToken token = next();
            if (yaml.isCurrentAlias()) {
                throw new JsonParseException(
                        this, "an alias means nothing here; quote a text that begins with *", currentTokenLocation());
            }
            return token;
        }

        /** The parser's own error has its place elsewhere, and lines of the text in its message. */
        private @Nullable JsonToken next() throws IOException {
            try {
                return super.nextToken();
            } catch (StreamReadException e) {
                if (e.getCause() instanceof MarkedYAMLException marked && marked.getProblemMark() != null) {
                    Mark at = marked.getProblemMark();
                    throw new JsonParseException(
                            this,
                            String.valueOf(marked.getProblem()),
                            new JsonLocation(ContentReference.unknown(), -1, at.getLine() + 1, at.getColumn() + 1));
                }
                throw e;
            }
        }
    }

    /** Makes a parser. */
    private interface Opened {
        JsonParser parser() throws IOException;
    }

    private static LocatedJson read(String file, int firstLine, String language, Opened opened) {
        try (JsonParser json = opened.parser()) {
            if (json.nextToken() == null) {
                throw new BadValueException(file + ":" + firstLine + ": there is nothing in it");
            }
            LocatedJson read = read(json, file, firstLine);
            if (json.nextToken() != null) {
                throw new BadValueException(place(json, file, firstLine) + ": there is more than one value");
            }
            return read;
        } catch (StreamReadException e) {
            JsonLocation at = e.getLocation() == null ? JsonLocation.NA : e.getLocation();
            throw new BadValueException(place(at, file, firstLine) + ": not " + language + ": " + why(e));
        } catch (IOException e) {
            throw new BadValueException(file + ":" + firstLine + ": " + e.getMessage());
        }
    }

    /**
     * Why a parser could not go on, without the places that it names, which are not those of the file.
     *
     * @param e what the parser threw
     * @return that
     */
    public static String why(StreamReadException e) {
        return String.valueOf(e.getOriginalMessage()).replaceFirst(" \\(start marker at .*", "");
    }

    private static LocatedJson read(JsonParser json, String file, int firstLine) throws IOException {
        String where = place(json, file, firstLine);
        switch (json.currentToken()) {
            case START_OBJECT -> {
                Map<String, LocatedJson> members = new LinkedHashMap<>();
                while (json.nextToken() == JsonToken.FIELD_NAME) {
                    String name = json.currentName();
                    json.nextToken();
                    members.put(name, read(json, file, firstLine));
                }
                return new LocatedJson(where, members);
            }
            case START_ARRAY -> {
                List<LocatedJson> elements = new ArrayList<>();
                while (json.nextToken() != JsonToken.END_ARRAY) {
                    elements.add(read(json, file, firstLine));
                }
                return new LocatedJson(where, elements);
            }
            case VALUE_STRING -> {
                return new LocatedJson(where, json.getText());
            }
            case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> {
                return new LocatedJson(where, number(json, where));
            }
            case VALUE_TRUE, VALUE_FALSE -> {
                return new LocatedJson(where, json.getBooleanValue());
            }
            default -> throw new BadValueException(where + ": " + json.getText() + " means nothing here; leave it out");
        }
    }

    private static BigDecimal number(JsonParser json, String where) throws IOException {
        try {
            BigDecimal number = json.getDecimalValue();
            if (Math.abs((long) number.scale()) <= LARGEST_EXPONENT) {
                return number;
            }
        } catch (NumberFormatException e) {
            // Said below: what the largest exponent is depends on the Java that runs.
        }
        throw new BadValueException(where + ": " + json.getText() + " is too large, or too small");
    }

    private static String place(JsonParser json, String file, int firstLine) {
        return place(json.currentTokenLocation(), file, firstLine);
    }

    private static String place(JsonLocation at, String file, int firstLine) {
        return file + ":" + (firstLine + Math.max(1, at.getLineNr()) - 1) + ":" + Math.max(1, at.getColumnNr());
    }

    /**
     * {@return the members of an object, in their order}
     *
     * @param what what people call it, for errors
     */
    public Map<String, LocatedJson> members(String what) {
        if (!(value instanceof Map<?, ?> map)) {
            throw bad(what + " must be an object");
        }
        Map<String, LocatedJson> members = new LinkedHashMap<>();
        map.forEach((name, member) -> members.put((String) name, (LocatedJson) member));
        return members;
    }

    /**
     * {@return the elements of an array}
     *
     * @param what what people call it, for errors
     */
    public List<LocatedJson> elements(String what) {
        if (!(value instanceof List<?> list)) {
            throw bad(what + " must be an array");
        }
        return list.stream().map(LocatedJson.class::cast).toList();
    }

    /**
     * {@return the texts of an array of them}
     *
     * @param what what people call it, for errors
     */
    public String[] texts(String what) {
        return elements(what).stream().map(element -> element.text(what)).toArray(String[]::new);
    }

    /**
     * {@return a text}
     *
     * @param what what people call it, for errors
     */
    public String text(String what) {
        if (value instanceof String text) {
            return text;
        }
        throw bad(what + " must be a text");
    }

    /**
     * {@return whether it is {@code true}}
     *
     * @param what what people call it, for errors
     */
    public boolean flag(String what) {
        if (value instanceof Boolean flag) {
            return flag;
        }
        throw bad(what + " must be true or false");
    }

    /**
     * {@return a whole number that is not negative}
     *
     * @param what what people call it, for errors
     */
    public long count(String what) {
        try {
            if (value instanceof BigDecimal number && number.signum() >= 0) {
                return number.longValueExact();
            }
        } catch (ArithmeticException e) {
            // Said below.
        }
        throw bad(what + " must be a whole number from 0, not " + shown());
    }

    /**
     * {@return a number, or the digits of one}
     *
     * @param what what people call it, for errors
     */
    public String decimal(String what) {
        if (value instanceof BigDecimal number && Math.abs((long) number.scale()) < 100) {
            return number.toPlainString();
        }
        return text(what);
    }

    /**
     * {@return what a text means}
     *
     * @param <T> what the body gives
     * @param what what people call it, for errors
     * @param like an example
     * @param parser throws where a text means nothing
     */
    public <T> T parsed(String what, String like, Function<String, T> parser) {
        try {
            return parser.apply(text(what));
        } catch (DateTimeException e) {
            throw bad(what + " must be like " + like + ", not " + shown());
        }
    }

    /**
     * {@return a duration, as ISO 8601 has it}
     *
     * @param what what people call it, for errors
     */
    public Duration duration(String what) {
        return parsed(what, "PT2.5S", Duration::parse);
    }

    private String shown() {
        return value instanceof String text ? "'" + text + "'" : String.valueOf(value);
    }

    /**
     * {@return an error with its place}
     *
     * @param what what people call it, for errors
     */
    public BadValueException bad(String what) {
        return new BadValueException(where + ": " + what);
    }
}
