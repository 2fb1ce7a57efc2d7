package io.costguard.describe;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The places in a JSON document that somebody wants to see: {@code usage.prompt_tokens}, {@code choices[].delta.content}. A path
 * that ends with {@code **} is everything below it, names of members included. Immutable, and safe for use by many threads.
 */
public final class JsonPaths {
    private static final String ITEM = "[]";
    private static final String EVERYTHING = ".**";

    final Node root = new Node();
    /** What documents looked like in which these were found. */
    final JsonShape.Seen seen = new JsonShape.Seen();

    private final List<String> values;
    private final List<String> files;
    private final List<String> texts;
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
        private boolean isText;

        boolean isFile() {
            return isFile;
        }

        /** Whether nothing is wanted here but strings. */
        boolean isText() {
            return isText;
        }

        @Nullable Node member(String name) {
            return everything != null ? this : below.get(name);
        }

        @Nullable Node item() {
            return everything != null ? this : below.get(ITEM);
        }
    }

    private JsonPaths(List<String> values, List<String> files, List<String> texts, List<String> ends) {
        this.values = values;
        this.files = files;
        this.texts = texts;
        this.ends = ends;
        values.forEach(this::addValue);
        files.forEach(path -> addValue(path).isFile = true);
        texts.forEach(path -> addValue(path).isText = true);
        ends.forEach(path -> node(path).end = path);
    }

    /**
     * {@return fields at these paths}
     *
     * @param paths such as {@code usage.input_tokens}, {@code choices[].delta}
     */
    public static JsonPaths of(String... paths) {
        return new JsonPaths(List.of(paths), List.of(), List.of(), List.of());
    }

    /**
     * {@return these, and texts that may have many megabytes: they are told as they stand in the document, and not copied}
     *
     * @param paths such as {@code usage.input_tokens}, {@code choices[].delta}
     */
    public JsonPaths andFiles(String... paths) {
        return new JsonPaths(values, joined(files, paths), texts, ends);
    }

    /**
     * {@return these, and texts of the answer, which are told as {@link Field.Kind#TEXT}} What is there and is no string is not told; below a path that
     * ends with {@code **}, names are not.
     *
     * @param paths such as {@code usage.input_tokens}, {@code choices[].delta}
     */
    public JsonPaths andTexts(String... paths) {
        return new JsonPaths(values, files, joined(texts, paths), ends);
    }

    /**
     * {@return these, and where each object at one of {@code paths} ends, as {@link Field.Kind#END}}
     *
     * @param paths such as {@code usage.input_tokens}, {@code choices[].delta}
     */
    public JsonPaths andEnds(String... paths) {
        return new JsonPaths(values, files, texts, joined(ends, paths));
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
