package io.costguard.limit;

import io.costguard.GuardUnavailableException;
import io.costguard.WhenRedisFails;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Logs once of each outage that nobody decides. Safe for use by many threads. */
final class Outage {
    private static final Logger log = LoggerFactory.getLogger("io.costguard.CostGuard");
    /** Not sooner is another one told, so that a Redis which comes and goes does not fill the log. */
    private static final long QUIET_NANOS = TimeUnit.MINUTES.toNanos(1);

    private final LongSupplier nanoTime;
    /** The one that lasts; null where none does. */
    private final AtomicReference<@Nullable Told> lasting = new AtomicReference<>();

    private record Told(long atNanos) {}

    Outage(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
    }

    void undecided(GuardUnavailableException cause, WhenRedisFails policy) {
        if (lasting.get() != null || !lasting.compareAndSet(null, new Told(nanoTime.getAsLong()))) {
            return;
        }
        if (policy == WhenRedisFails.failOpen()) {
            log.error(
                    "Redis could not decide, and calls go uncounted, as the guard was told to (failOpen): {}; not"
                            + " repeated until it has decided again",
                    cause.getMessage());
        } else if (policy.slice().isPresent()) {
            log.warn(
                    "Redis could not decide, and calls are sent while what was leased beforehand covers them ({}): {}; not"
                            + " repeated until it has decided again",
                    policy,
                    cause.getMessage());
        } else {
            log.warn(
                    "Redis could not decide, and calls are not sent (failClosed): {}; not repeated until it has decided"
                            + " again",
                    cause.getMessage());
        }
    }

    void decided() {
        Told told = lasting.get();
        if (told != null && nanoTime.getAsLong() - told.atNanos() >= QUIET_NANOS) {
            lasting.compareAndSet(told, null);
        }
    }
}
