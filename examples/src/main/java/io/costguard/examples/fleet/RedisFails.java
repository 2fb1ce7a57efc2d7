package io.costguard.examples.fleet;

import io.costguard.Share;
import io.costguard.WhenRedisFails;

/** What becomes of calls while Redis is away. */
public enum RedisFails {
    CLOSED,
    OPEN,
    LEASED;

    private static final Share SLICE = Share.percent(25);

    WhenRedisFails policy() {
        return switch (this) {
            case CLOSED -> WhenRedisFails.failClosed();
            case OPEN -> WhenRedisFails.failOpen();
            case LEASED -> WhenRedisFails.spendLeased(SLICE);
        };
    }
}
