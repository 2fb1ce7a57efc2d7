package io.costguard.describe.dialects;

import io.costguard.describe.Field;
import io.costguard.describe.JsonPaths;
import io.costguard.describe.Target;
import java.util.List;

/**
 * Moderations ("Create moderation"). OpenAI's are free (API guide, "Moderation") and report no usage: what is counted of them is requests.
 * Where a host reports one, it is charged.
 */
final class OpenAiModerations extends OpenAi {
    private static final JsonPaths REQUEST = JsonPaths.of("model");
    private static final JsonPaths RESPONSE = paths(List.of("usage"));

    OpenAiModerations() {
        super("/moderations");
    }

    @Override
    public void target(Target target, RequestReader request) {
        request.modelUnlessGiven("omni-moderation-latest");
        request.noOutput();
    }

    @Override
    public JsonPaths requestPaths() {
        return REQUEST;
    }

    @Override
    public void request(Field field, RequestReader request) {
        request.model(field.text());
    }

    @Override
    public JsonPaths responsePaths() {
        return RESPONSE;
    }
}
