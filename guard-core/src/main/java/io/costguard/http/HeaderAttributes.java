package io.costguard.http;

import io.costguard.CallAttributes;
import io.costguard.MisfitException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;

/**
 * The headers by which requests say attributes of their calls. Immutable.
 *
 * @param byHeader each attribute by the name of its header, in lower case
 */
record HeaderAttributes(Map<String, String> byHeader) {

    /** The names of the headers, in lower case. */
    Set<String> names() {
        return byHeader.keySet();
    }

    /**
     * What a request says.
     *
     * @param headers all values of a header, by its name, whatever its case
     * @throws MisfitException for what cannot be the value of an attribute
     */
    CallAttributes in(Function<String, List<String>> headers) {
        CallAttributes said = CallAttributes.none();
        for (Map.Entry<String, String> each : byHeader.entrySet()) {
            Set<String> values = new TreeSet<>();
            headers.apply(each.getKey()).forEach(value -> values.add(value.strip()));
            values.remove("");
            if (values.size() > 1) {
                throw new MisfitException("header '" + each.getKey() + "' has " + values.size()
                        + " values in one request, and a call has one '" + each.getValue() + "'; send one");
            }
            for (String value : values) {
                said = with(said, each, value);
            }
        }
        return said;
    }

    private static CallAttributes with(CallAttributes said, Map.Entry<String, String> header, String value) {
        try {
            return said.with(header.getValue(), value);
        } catch (IllegalArgumentException e) {
            throw new MisfitException("header '" + header.getKey() + "': " + e.getMessage());
        }
    }
}
