package io.costguard.examples;

import io.costguard.describe.Dialect;
import io.costguard.describe.Field;
import io.costguard.describe.JsonPaths;
import io.costguard.describe.Target;
import io.costguard.describe.Usage;
import java.util.Map;

/**
 * A wire format of one's own: a translator at {@code POST /translate}, which takes {@code {"model":"t1","text":".."}} and answers
 * {@code {"translation":"..","billed":{"in":12,"out":15}}}. A guard takes it with {@code builder.dialect(new OwnDialect())}.
 */
public final class OwnDialect implements Dialect {
    private static final JsonPaths REQUEST = JsonPaths.of("model", "text");
    private static final JsonPaths RESPONSE =
            JsonPaths.of("billed.in", "billed.out").andTexts("translation");

    @Override
    public boolean speaksFor(Target target) {
        return target.method().equals("POST") && target.path().equals("/translate");
    }

    @Override
    public String provider(Target target) {
        return "translator";
    }

    @Override
    public JsonPaths requestPaths() {
        return REQUEST;
    }

    @Override
    public void request(Field field, RequestReader request) {
        if (field.path().equals("model")) {
            request.model(field.text());
        } else {
            request.text(field.text());
        }
    }

    /** The translation is counted where the usage is missing. */
    @Override
    public JsonPaths responsePaths() {
        return RESPONSE;
    }

    @Override
    public void response(Field field, ResponseReader response) {
        response.reported(field.path(), field);
    }

    @Override
    public Usage usage(Map<String, Long> counts) {
        return Usage.of(counts.getOrDefault("billed.in", 0L), counts.getOrDefault("billed.out", 0L));
    }
}
