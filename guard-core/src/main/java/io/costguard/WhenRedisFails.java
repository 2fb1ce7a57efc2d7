package io.costguard;

/** What becomes of a call when Redis cannot decide within the guard's deadline. Immutable. */
public final class WhenRedisFails {
    private static final WhenRedisFails CLOSED = new WhenRedisFails("failClosed");
    private static final WhenRedisFails OPEN = new WhenRedisFails("failOpen");

    private final String name;

    private WhenRedisFails(String name) {
        this.name = name;
    }

    /** The call is not sent, and the error says why; an outage is logged once, as a warning. The default. */
    public static WhenRedisFails failClosed() {
        return CLOSED;
    }

    /** The call is sent and counted nowhere; listeners are told of each, and an outage is logged once, as an error. */
    public static WhenRedisFails failOpen() {
        return OPEN;
    }

    boolean isOpen() {
        return this == OPEN;
    }

    @Override
    public String toString() {
        return name;
    }
}
