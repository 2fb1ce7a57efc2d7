package io.costguard.describe.dialects;

import io.costguard.describe.Target;

/** What stays the same of an API key that changes while its account does not. */
final class AccountKey {
    private static final String JSON_WEB_TOKEN = "eyJ";

    private AccountKey() {}

    /**
     * Of Azure, the resource where the key is a token of an hour ("How to configure Azure OpenAI with Microsoft Entra ID"); of Bedrock and of
     * Vertex AI, what their own paths go by.
     */
    static String of(String key, Target target) {
        return switch (target.provider()) {
            case "azure" -> key.startsWith(JSON_WEB_TOKEN) ? target.host() : key;
            case "bedrock" -> AwsKey.of(key, target);
            case "vertex" -> {
                String project = GoogleUrl.project(target);
                yield project.isEmpty() ? key : project;
            }
            default -> key;
        };
    }
}
