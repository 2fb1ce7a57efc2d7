package io.costguard;

import java.util.Locale;
import java.util.Set;

/**
 * Where the guard finds an attribute of an HTTP call that it does not know by itself: in a header that the caller's code puts into the
 * request, and that no provider gets. Immutable.
 *
 * <pre>{@code
 * CostGuard.builder()
 *     .attributes(Attributes.header("X-Tenant").as("tenant"))
 *     .budget(Budget.named("tenants").where("tenant", "*").per("tenant").limit(Limit.usd("5.00").perDay()))
 * }</pre>
 *
 * <p>Whoever can set the header chooses the budget: name only headers that the application sets itself. {@link CallAttributes} says the
 * same without a header, and {@link CostGuard#with} for all calls of a thread.
 */
public final class Attributes {
    /** A key as an attribute would be shown in logs and events. */
    private static final Set<String> SECRET = Set.of(
            "authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "set-cookie");

    private final String header;
    private final String attribute;

    private Attributes(String header, String attribute) {
        this.header = header;
        this.attribute = attribute;
    }

    /**
     * A header of requests, whatever its case; it is taken out of each before that is sent, whether or not the call is guarded. A request
     * without it, or in which it is blank, does not have the attribute. One in which it has several values that differ, or one of more than
     * 4,096 characters, is refused as a {@link MisfitException}.
     *
     * @param name the header's name; case does not matter
     * @return the attribute, called as the header
     * @throws IllegalArgumentException if no header can have this name (RFC 9110, section 5.1), or if it is one that holds keys
     */
    public static Header header(String name) {
        if (!name.matches("[A-Za-z0-9!#$%&'*+.^_`|~-]+")) {
            throw new IllegalArgumentException("no header can have the name '" + name + "'");
        }
        if (SECRET.contains(name.toLowerCase(Locale.ROOT))) {
            throw new IllegalArgumentException("header '" + name
                    + "' holds keys, which no attribute shows; a budget for each" + " API key is per(\"apiKey\")");
        }
        return new Header(name.toLowerCase(Locale.ROOT));
    }

    /** A header whose value is an attribute, which is still to be named. Immutable. */
    public static final class Header {
        private final String name;

        private Header(String name) {
            this.name = name;
        }

        /**
         * Its value as this attribute.
         *
         * @param attribute the attribute's name
         * @return the attribute under that name
         * @throws IllegalArgumentException if {@code attribute} is blank, or one that the guard reads itself: {@code model},
         *     {@code provider} or {@code apiKey}
         */
        public Attributes as(String attribute) {
            return new Attributes(name, AttributeMap.checkedOwnName(attribute));
        }
    }

    /** In lower case. */
    String header() {
        return header;
    }

    String attribute() {
        return attribute;
    }
}
