package io.costguard;

import java.util.AbstractMap;
import java.util.AbstractSet;
import java.util.Iterator;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What is known of a call: a handful of names with their values, in the order of the names. Immutable; made for every call. */
final class Attributes extends AbstractMap<String, String> {
    static final Attributes NONE = new Attributes(new String[0]);

    /** Each name with its value behind it: for so few, looking through them is faster than hashing. */
    private final String[] pairs;

    private Attributes(String[] pairs) {
        this.pairs = pairs;
    }

    /** These attributes with another one, or with another value for one of them. */
    Attributes with(String name, String value) {
        int at = 0;
        while (at < pairs.length && pairs[at].compareTo(name) < 0) {
            at += 2;
        }
        int replaced = at < pairs.length && pairs[at].equals(name) ? 2 : 0;
        String[] more = new String[pairs.length + 2 - replaced];
        System.arraycopy(pairs, 0, more, 0, at);
        more[at] = name;
        more[at + 1] = value;
        System.arraycopy(pairs, at + replaced, more, at + 2, pairs.length - at - replaced);
        return new Attributes(more);
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
