package io.costguard.describe;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The places in a JSON document that somebody wants to see: {@code usage.prompt_tokens}, {@code choices[].delta.content}. A path
 * that ends with {@code **} is everything below it, names of members included. Immutable.
 */
public final class JsonPaths {
    private static final String ITEM = "[]";
    private static final String EVERYTHING = ".**";

    final Node root = new Node();
    private final List<String> values;
    private final List<String> files;
    private final List<String> ends;

    /** A place, and what is wanted below it. */
    static final class Node {
        private final Map<String, Node> below = new HashMap<>();
        /** The path of the values that are wanted here. */
        @Nullable String path;
        /** The path under which everything below is wanted. */
        @Nullable String everything;
        /** The path of the objects whose ends are wanted here. */
        @Nullable String end;

        private boolean isFile;

        boolean isFile() {
            return isFile;
        }

        @Nullable Node member(String name) {
            return everything != null ? this : below.get(name);
        }

        @Nullable Node item() {
            return everything != null ? this : below.get(ITEM);
        }
    }

    private JsonPaths(List<String> values, List<String> files, List<String> ends) {
        this.values = values;
        this.files = files;
        this.ends = ends;
        values.forEach(this::addValue);
        files.forEach(path -> addValue(path).isFile = true);
        ends.forEach(path -> node(path).end = path);
    }

    public static JsonPaths of(String... paths) {
        return new JsonPaths(List.of(paths), List.of(), List.of());
    }

    /** These, and texts that may have many megabytes: they are told as they stand in the document, and not copied. */
    public JsonPaths andFiles(String... paths) {
        return new JsonPaths(values, joined(files, paths), ends);
    }

    /** These, and where each object at one of {@code paths} ends, as {@link Field.Kind#END}. */
    public JsonPaths andEnds(String... paths) {
        return new JsonPaths(values, files, joined(ends, paths));
    }

    private static List<String> joined(List<String> some, String... more) {
        List<String> all = new ArrayList<>(some);
        all.addAll(List.of(more));
        return List.copyOf(all);
    }

    private Node addValue(String path) {
        boolean everything = path.endsWith(EVERYTHING);
        Node node = node(everything ? path.substring(0, path.length() - EVERYTHING.length()) : path);
        if (everything) {
            node.everything = path;
        } else {
            node.path = path;
        }
        return node;
    }

    private Node node(String path) {
        Node node = root;
        for (String step : path.replace(ITEM, "." + ITEM).split("\\.", -1)) {
            node = node.below.computeIfAbsent(step, key -> new Node());
        }
        return node;
    }
}
