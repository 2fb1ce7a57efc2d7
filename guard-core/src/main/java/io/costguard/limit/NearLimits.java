package io.costguard.limit;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.costguard.Limit;
import java.time.Duration;
import java.util.List;
import java.util.function.LongSupplier;

/**
 * Notices limits that come near their end, by what calls that went have left: each once, until its use has fallen well below. Safe for use
 * by many threads.
 */
public final class NearLimits {
    /** Of the share at which it is noticed: reservations that are larger than what is used would have a use go up and down around that. */
    private static final double FALLEN = 0.9;

    private static final int REMEMBERED = 10_000;
    private static final Duration UNSEEN = Duration.ofDays(1);

    private final double share;
    private final Cache<Near, Boolean> near;

    private record Near(Subject subject, String limit) {}

    /** What is told of each that is noticed. */
    interface Notice {
        void of(Subject subject, Limit limit, long balance);
    }

    /** @param share of what a limit can hold, above 0 and below 1 */
    public NearLimits(double share, LongSupplier nanoTime) {
        this.share = share;
        this.near = Caffeine.newBuilder()
                .maximumSize(REMEMBERED)
                .expireAfterAccess(UNSEEN)
                .ticker(nanoTime::getAsLong)
                .executor(Runnable::run)
                .build();
    }

    void look(List<Charge> charges, Notice notice) {
        for (Charge charge : charges) {
            Subject subject = charge.claim().subject();
            for (int i = 0; i < charge.balances().length; i++) {
                if (charge.claim().amounts()[i] > 0) {
                    look(subject, subject.limits().get(i), charge.balances()[i], notice);
                }
            }
        }
    }

    private void look(Subject subject, Limit limit, long balance, Notice notice) {
        long used = limit.capacity() - balance;
        double from = share * limit.capacity();
        if (used >= from) {
            Near it = new Near(subject, limit.name());
            if (near.getIfPresent(it) == null && near.asMap().putIfAbsent(it, true) == null) {
                notice.of(subject, limit, balance);
            }
        } else if (used < FALLEN * from && !near.asMap().isEmpty()) {
            near.invalidate(new Near(subject, limit.name()));
        }
    }

    long remembered() {
        return near.estimatedSize();
    }
}
