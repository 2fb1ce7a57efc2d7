package io.costguard.examples.command;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.exc.StreamReadException;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * A JSON value that knows where it stands, so that what is wrong with it can be said.
 *
 * @param where like {@code budgets.json:12}
 * @param value a map of texts to {@code Json}, a list of {@code Json}, a text, a {@code BigDecimal}, or a {@code Boolean}
 */
record Json(String where, Object value) {
    private static final long LARGEST_EXPONENT = 1_000_000_000;
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();

    /** @throws BadInputException for a file that is not there, or no text */
    static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (NoSuchFileException e) {
            throw new BadInputException(file + ": there is no such file");
        } catch (IOException e) {
            throw new BadInputException(file + ": cannot be read as UTF-8 text: " + e);
        }
    }

    /**
     * The one value in a text.
     *
     * @param firstLine the number of its first line
     */
    static Json read(String file, int firstLine, String text) {
        try (JsonParser json = FACTORY.createParser(text)) {
            if (json.nextToken() == null) {
                throw new BadInputException(file + ":" + firstLine + ": there is nothing");
            }
            Json read = read(json, file, firstLine);
            if (json.nextToken() != null) {
                throw new BadInputException(place(json, file, firstLine) + ": there is more than one value");
            }
            return read;
        } catch (StreamReadException e) {
            int line = e.getLocation() == null ? 1 : e.getLocation().getLineNr();
            // The parser's own place has lines of the text that it was given.
            String why = String.valueOf(e.getOriginalMessage()).replaceFirst(" \\(start marker at .*", "");
            throw new BadInputException(file + ":" + (firstLine + line - 1) + ": not JSON: " + why);
        } catch (IOException e) {
            throw new BadInputException(file + ":" + firstLine + ": " + e.getMessage());
        }
    }

    private static Json read(JsonParser json, String file, int firstLine) throws IOException {
        String where = place(json, file, firstLine);
        switch (json.currentToken()) {
            case START_OBJECT -> {
                Map<String, Json> members = new LinkedHashMap<>();
                while (json.nextToken() == JsonToken.FIELD_NAME) {
                    String name = json.currentName();
                    json.nextToken();
                    members.put(name, read(json, file, firstLine));
                }
                return new Json(where, members);
            }
            case START_ARRAY -> {
                List<Json> elements = new ArrayList<>();
                while (json.nextToken() != JsonToken.END_ARRAY) {
                    elements.add(read(json, file, firstLine));
                }
                return new Json(where, elements);
            }
            case VALUE_STRING -> {
                return new Json(where, json.getText());
            }
            case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> {
                return new Json(where, number(json, where));
            }
            case VALUE_TRUE, VALUE_FALSE -> {
                return new Json(where, json.getBooleanValue());
            }
            default -> throw new BadInputException(where + ": " + json.getText() + " means nothing here; leave it out");
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
        throw new BadInputException(where + ": " + json.getText() + " is too large, or too small");
    }

    private static String place(JsonParser json, String file, int firstLine) {
        return file + ":" + (firstLine + json.currentTokenLocation().getLineNr() - 1);
    }

    /** The members of an object, in their order. */
    Map<String, Json> members(String what) {
        if (!(value instanceof Map<?, ?> map)) {
            throw bad(what + " must be an object");
        }
        Map<String, Json> members = new LinkedHashMap<>();
        map.forEach((name, member) -> members.put((String) name, (Json) member));
        return members;
    }

    List<Json> elements(String what) {
        if (!(value instanceof List<?> list)) {
            throw bad(what + " must be an array");
        }
        return list.stream().map(Json.class::cast).toList();
    }

    String[] texts(String what) {
        return elements(what).stream().map(element -> element.text(what)).toArray(String[]::new);
    }

    String text(String what) {
        if (value instanceof String text) {
            return text;
        }
        throw bad(what + " must be a text");
    }

    boolean flag(String what) {
        if (value instanceof Boolean flag) {
            return flag;
        }
        throw bad(what + " must be true or false");
    }

    /** A whole number that is not negative. */
    long count(String what) {
        try {
            if (value instanceof BigDecimal number && number.signum() >= 0) {
                return number.longValueExact();
            }
        } catch (ArithmeticException e) {
            // Said below.
        }
        throw bad(what + " must be a whole number from 0, not " + shown());
    }

    /** A number, or the digits of one. */
    String decimal(String what) {
        if (value instanceof BigDecimal number && Math.abs((long) number.scale()) < 100) {
            return number.toPlainString();
        }
        return text(what);
    }

    /** What a text means. */
    <T> T parsed(String what, String like, Function<String, T> parser) {
        try {
            return parser.apply(text(what));
        } catch (DateTimeException e) {
            throw bad(what + " must be like " + like + ", not " + shown());
        }
    }

    Duration duration(String what) {
        return parsed(what, "PT2.5S", Duration::parse);
    }

    private String shown() {
        return value instanceof String text ? "'" + text + "'" : String.valueOf(value);
    }

    BadInputException bad(String what) {
        return new BadInputException(where + ": " + what);
    }
}
