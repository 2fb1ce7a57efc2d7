package io.costguard;

import java.time.Duration;

/** A process that reserves, settles, and halts at a named point, as a crash or a SIGKILL would end it. */
final class Halting {
    static final int HALTED = 42;

    /** Where it halts. */
    enum Point {
        BEFORE_THE_RESERVE,
        AFTER_THE_RESERVE,
        IN_THE_LISTENER_OF_THE_GRANT,
        AFTER_THE_FLUSH,
        NOWHERE
    }

    private Halting() {}

    static CostGuard.Builder guard(String redisUrl, String keyPrefix) {
        return CostGuard.builder()
                .redis(redisUrl)
                .keyPrefix(keyPrefix)
                .decisionTimeout(Duration.ofSeconds(10))
                .budget(Budget.named("b")
                        .per()
                        .limit(Limit.tokens(1_000).per(Duration.ofDays(366)).tokenBucket()));
    }

    static CostGuard.Builder guardOfCallsInFlight(String redisUrl, String keyPrefix, long calls, Duration lease) {
        return CostGuard.builder()
                .redis(redisUrl)
                .keyPrefix(keyPrefix)
                .decisionTimeout(Duration.ofSeconds(10))
                .lease(lease)
                .budget(Budget.named("b").per().limit(Limit.concurrentCalls(calls)));
    }

    /** Halts with two calls in flight. */
    static final class InFlight {
        private InFlight() {}

        /** Arguments: where Redis is, the key prefix. */
        public static void main(String[] args) throws Exception {
            try (CostGuard guard = guardOfCallsInFlight(args[0], args[1], 3, Duration.ofSeconds(1))
                    .build()) {
                Permit first = guard.acquire(call());
                Permit second = guard.acquire(call());
                Runtime.getRuntime().halt(first.equals(second) ? 0 : HALTED);
            }
        }
    }

    static GuardedCall call() {
        return GuardedCall.of("gpt-4o").cost(Cost.requests(1).input(100));
    }

    /** Arguments: where Redis is, the key prefix, the point. */
    public static void main(String[] args) throws Exception {
        Point point = Point.valueOf(args[2]);
        GuardListener inTheListener = new GuardListener() {
            @Override
            public void onGranted(Grant event) {
                haltAt(Point.IN_THE_LISTENER_OF_THE_GRANT, point);
            }
        };
        try (CostGuard guard = guard(args[0], args[1]).listener(inTheListener).build()) {
            guard.status(call());
            haltAt(Point.BEFORE_THE_RESERVE, point);
            Permit permit = guard.acquire(call());
            haltAt(Point.AFTER_THE_RESERVE, point);
            permit.settle(Cost.requests(1).input(10));
            guard.flush();
            haltAt(Point.AFTER_THE_FLUSH, point);
        }
    }

    private static void haltAt(Point here, Point point) {
        if (here == point) {
            Runtime.getRuntime().halt(HALTED);
        }
    }
}
