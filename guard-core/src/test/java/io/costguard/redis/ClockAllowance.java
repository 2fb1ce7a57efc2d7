package io.costguard.redis;

import io.costguard.Limit;
import java.math.BigInteger;
import java.time.Instant;
import java.time.LocalDate;
import java.time.YearMonth;
import java.time.ZoneId;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;

/**
 * What may be let go of one limit whose clock is set again and again, reckoned from the calls and the limit alone: what it gives in the time that
 * passed, and one capacity for each time that the clock was set.
 */
final class ClockAllowance {
    /** For so long the script may stand still behind a clock that was set back. */
    private static final long STANDS_STILL = 10_000_000;

    private static final int SLOTS = 15;

    private final Limit limit;
    private final BigInteger capacity;
    private final List<Grant> grants = new ArrayList<>();
    private final List<Long> jumps = new ArrayList<>();
    private BigInteger out = BigInteger.ZERO;
    private BigInteger lowest = BigInteger.ZERO;
    private BigInteger owed = BigInteger.ZERO;
    private long passed;
    private long boundaries;

    /** What is out of one call that was let go. */
    private static final class Grant {
        final long at;
        long used;

        Grant(long at, long used) {
            this.at = at;
            this.used = used;
        }
    }

    ClockAllowance(Limit limit) {
        this.limit = limit;
        this.capacity = BigInteger.valueOf(limit.capacity());
    }

    /** Time passes, as clocks say it: {@code from} and {@code to}, in microseconds. */
    void passes(long from, long to) {
        passed += to - from;
        if (limit.algorithm() instanceof Limit.Algorithm.FixedWindow window) {
            boundaries += boundaries(window.zone(), from, to);
        }
    }

    private long boundaries(ZoneId zone, long from, long to) {
        return switch (limit.window().label()) {
            case "month" -> ChronoUnit.MONTHS.between(YearMonth.from(day(zone, from)), YearMonth.from(day(zone, to)));
            case "day" -> ChronoUnit.DAYS.between(day(zone, from), day(zone, to));
            default -> Math.floorDiv(to, period()) - Math.floorDiv(from, period());
        };
    }

    private static LocalDate day(ZoneId zone, long micros) {
        return Instant.EPOCH.plus(micros, ChronoUnit.MICROS).atZone(zone).toLocalDate();
    }

    /** The clock is set. */
    void jumps() {
        jumps.add(passed);
    }

    /** So much is let go; says whether that is more than may be. */
    boolean isOverWith(long amount) {
        if (isCountedByCall()) {
            grants.add(new Grant(passed, amount));
            long from = passed - period();
            BigInteger held = BigInteger.ZERO;
            for (Grant grant : grants) {
                held = grant.at > from ? held.add(BigInteger.valueOf(grant.used)) : held;
            }
            long times = 1 + jumps.stream().filter(jump -> jump >= from).count();
            return held.compareTo(capacity.multiply(BigInteger.valueOf(times))) > 0;
        }
        lowest = lowest.min(level());
        out = out.add(BigInteger.valueOf(amount));
        return level().subtract(lowest).compareTo(capacity.multiply(scale())) > 0;
    }

    /** Of the grant before so many, so much is not used after all. */
    void returns(int grant, long amount) {
        if (isCountedByCall()) {
            grants.get(grant).used -= amount;
        } else {
            out = out.subtract(BigInteger.valueOf(amount));
        }
    }

    /** Which grant the last one was. */
    int last() {
        return grants.size() - 1;
    }

    /** More was used than was let go. */
    void owes(long amount) {
        owed = owed.add(BigInteger.valueOf(amount));
    }

    void isFull() {
        owed = BigInteger.ZERO;
    }

    /** In what time all is there again, wherever the clock was set to before: no longer than that takes and it stands still. */
    long untilFull() {
        BigInteger capacities = owed.divide(capacity).add(BigInteger.TWO);
        BigInteger micros;
        if (limit.algorithm() instanceof Limit.Algorithm.TokenBucket && !limit.isInFlight()) {
            micros = capacity.add(owed)
                    .multiply(BigInteger.valueOf(period()))
                    .divide(BigInteger.valueOf(limit.amount()))
                    .add(BigInteger.ONE);
        } else {
            micros = BigInteger.valueOf(longest()).multiply(capacities);
        }
        return micros.longValueExact() + STANDS_STILL + 1;
    }

    private long longest() {
        return switch (limit.window().label()) {
            case "month" -> ChronoUnit.DAYS.getDuration().multipliedBy(32).toNanos() / 1_000;
            case "day" -> ChronoUnit.HOURS.getDuration().multipliedBy(26).toNanos() / 1_000;
            default -> isCountedByCall() ? (period() / SLOTS + 1) * (SLOTS + 2) : period();
        };
    }

    private boolean isCountedByCall() {
        return limit.isInFlight() || limit.algorithm() instanceof Limit.Algorithm.SlidingWindow;
    }

    /** What is out beyond what was given so far. */
    private BigInteger level() {
        BigInteger given = capacity.multiply(BigInteger.valueOf(jumps.size() + boundaries));
        return limit.algorithm() instanceof Limit.Algorithm.TokenBucket
                ? out.subtract(given)
                        .multiply(scale())
                        .subtract(BigInteger.valueOf(passed).multiply(BigInteger.valueOf(limit.amount())))
                : out.subtract(given);
    }

    private BigInteger scale() {
        return limit.algorithm() instanceof Limit.Algorithm.TokenBucket ? BigInteger.valueOf(period()) : BigInteger.ONE;
    }

    private long period() {
        return ((Limit.Window.Span) limit.window()).micros();
    }
}
