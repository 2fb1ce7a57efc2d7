package io.costguard.examples.fleet;

import io.costguard.Share;
import io.costguard.WhenRedisFails;

/** What becomes of calls while Redis is away. */
public enum RedisFails {
    CLOSED(WhenRedisFails.failClosed()),
    OPEN(WhenRedisFails.failOpen()),
    LEASED(WhenRedisFails.spendLeased(Share.percent(25)));

    private final WhenRedisFails policy;

    RedisFails(WhenRedisFails policy) {
        this.policy = policy;
    }

    WhenRedisFails policy() {
        return policy;
    }
}
