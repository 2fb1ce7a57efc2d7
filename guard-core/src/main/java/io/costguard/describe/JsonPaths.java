package io.costguard.describe;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The places in a JSON document that somebody wants to see: {@code usage.prompt_tokens}, {@code choices[].delta.content}. A path
 * that ends with {@code **} is everything below it, names of members included. Immutable.
 */
public final class JsonPaths {
    static final String ITEM = "[]";

    final Node root = new Node();

    /** A place, and what is wanted below it. */
    static final class Node {
        private final Map<String, Node> below = new HashMap<>();
        /** The path of the values that are wanted here. */
        @Nullable String path;
        /** The path under which everything below is wanted. */
        @Nullable String everything;

        @Nullable Node member(String name) {
            return everything != null ? this : below.get(name);
        }

        @Nullable Node item() {
            return everything != null ? this : below.get(ITEM);
        }
    }

    private JsonPaths() {}

    public static JsonPaths of(String... paths) {
        JsonPaths all = new JsonPaths();
        for (String path : paths) {
            Node node = all.root;
            for (String step : path.replace("[]", ".[]").split("\\.", -1)) {
                if (step.equals("**")) {
                    node.everything = path;
                } else {
                    node = node.below.computeIfAbsent(step, key -> new Node());
                }
            }
            if (node.everything == null) {
                node.path = path;
            }
        }
        return all;
    }
}
