package io.costguard;

import java.util.AbstractMap;
import java.util.AbstractSet;
import java.util.Iterator;
import java.util.Locale;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What is known of a call: a handful of names with their values, in the order of the names. Immutable; made for every call. */
final class AttributeMap extends AbstractMap<String, String> {
    static final AttributeMap NONE = new AttributeMap(new String[0]);

    private static final int LONGEST_VALUE = 4_096;
    private static final Set<String> BUILT_IN = Set.of("provider", "model", "apiKey", "apiKeyFingerprint");
    /** Whatever their length, they are kept in a short form. */
    private static final Set<String> SHORTENED = Set.of("model", "apiKey");

    /** Each name with its value behind it: for so few, looking through them is faster than hashing. */
    private final String[] pairs;

    private AttributeMap(String[] pairs) {
        this.pairs = pairs;
    }

    /** A name that somebody gave an attribute, which is not one of the guard's spelled otherwise. */
    static String checkedName(String name) {
        if (name.isBlank()) {
            throw new IllegalArgumentException("an attribute's name must not be blank");
        }
        String plain = name.toLowerCase(Locale.ROOT).replaceAll("[^a-z]", "");
        for (String known : BUILT_IN) {
            if (plain.equals(known.toLowerCase(Locale.ROOT)) && !name.equals(known)) {
                throw new IllegalArgumentException("unknown attribute '" + name + "'; did you mean '" + known + "'?");
            }
        }
        return name;
    }

    /** A name that is no attribute of which the guard finds the value itself. */
    static String checkedOwnName(String name) {
        if (BUILT_IN.contains(checkedName(name))) {
            throw new IllegalArgumentException(
                    "attribute '" + name
                            + "' is what the guard reads in a call itself, and cannot be said from outside; choose another name");
        }
        return name;
    }

    /** A value that is not too long for its attribute. */
    static String checkedValue(String name, String value) {
        if (value.length() > LONGEST_VALUE && !SHORTENED.contains(name)) {
            throw new IllegalArgumentException(
                    "attribute '" + name + "' must be at most 4,096 characters long, not " + value.length());
        }
        return value;
    }

    /** These attributes with another one, or with another value for one of them; the same if they say so already. */
    AttributeMap with(String name, String value) {
        int at = 0;
        while (at < pairs.length && pairs[at].compareTo(name) < 0) {
            at += 2;
        }
        int replaced = at < pairs.length && pairs[at].equals(name) ? 2 : 0;
        if (replaced > 0 && pairs[at + 1].equals(value)) {
            return this;
        }
        String[] more = new String[pairs.length + 2 - replaced];
        System.arraycopy(pairs, 0, more, 0, at);
        more[at] = name;
        more[at + 1] = value;
        System.arraycopy(pairs, at + replaced, more, at + 2, pairs.length - at - replaced);
        return new AttributeMap(more);
    }

    @Override
    public @Nullable String get(@Nullable Object name) {
        for (int i = 0; i < pairs.length; i += 2) {
            if (pairs[i].equals(name)) {
                return pairs[i + 1];
            }
        }
        return null;
    }

    @Override
    public boolean containsKey(@Nullable Object name) {
        return get(name) != null;
    }

    @Override
    public Set<Map.Entry<String, String>> entrySet() {
        return new AbstractSet<>() {
            @Override
            public int size() {
                return pairs.length / 2;
            }

            @Override
            public Iterator<Map.Entry<String, String>> iterator() {
                return new Iterator<>() {
                    private int at;

                    @Override
                    public boolean hasNext() {
                        return at < pairs.length;
                    }

                    @Override
                    public Map.Entry<String, String> next() {
                        if (!hasNext()) {
                            throw new NoSuchElementException();
                        }
                        at += 2;
                        return Map.entry(pairs[at - 2], pairs[at - 1]);
                    }
                };
            }
        };
    }
}
