package io.costguard;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Duration;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;

/**
 * An amount of a {@link Unit} over a window, with the algorithm that counts it. Immutable: each step gives a new one.
 *
 * <pre>{@code
 * Limit.requests(500).perMinute()
 * Limit.tokens(200_000).perMinute().burst(50_000)
 * Limit.usd("25.00").perDay().fixedWindow(ZoneId.of("Europe/Berlin"))
 * }</pre>
 *
 * <p><b>Token bucket</b> (the default below a day): refills evenly, at the amount over the window, up to its capacity,
 * which is the amount unless {@link #burst(long)} says otherwise. Within any one window up to capacity plus the amount may
 * go: a full bucket, and what refills meanwhile.
 *
 * <p><b>Fixed window</b> (the default for a day and longer): the amount in each window of the calendar, aligned to UTC or
 * to a given zone; a week begins on Monday. Across the border of two windows up to twice the amount may go.
 *
 * <p><b>Sliding window</b> ({@link #slidingWindow()}): the amount in <em>any</em> window of that length, wherever it begins; what a
 * provider wants that counts hard. The window is cut into fifteen slots, and the oldest counts for as long as any of it is in the window: what
 * was used comes back up to a fifteenth of the window late.
 *
 * <p>What is used above an estimate is charged all the same: as debt, which the refill, the windows or the slots to come pay off.
 *
 * <p><b>Calls in flight</b> ({@link #concurrentCalls}): how many may be under way at once, in the whole fleet. A call counts 1, whatever it
 * costs, from when it is let go until its permit is settled, released or closed, or its body is closed; a call that nothing is heard of any
 * more, as its process died, for as long as the guard's {@code lease} and up to a fifteenth of it.
 *
 * <p>A limit may have a {@link #coolDown cool-down}: who runs into it stays away for a while, whatever comes back meanwhile.
 *
 * <p>Every token counts 1, unless {@link #weighing(Weights)} says otherwise. The amount, the capacity, and all that is told of the balance
 * ({@link Denial}, {@link LimitStatus}) are in tokens as they weigh.
 */
public final class Limit {
    static final Duration DEFAULT_LEASE = Duration.ofMinutes(10);
    private static final Duration LONGEST_WINDOW = Duration.ofDays(366);
    private static final Window UNLESS_LEASED = new Window.Span(micros(DEFAULT_LEASE));
    private static final List<ChronoUnit> LARGEST_FIRST =
            List.of(ChronoUnit.DAYS, ChronoUnit.HOURS, ChronoUnit.MINUTES, ChronoUnit.SECONDS, ChronoUnit.MILLIS);

    private final Unit unit;
    private final long amount;
    private final Window window;
    private final Algorithm algorithm;
    private final long burst;
    private final boolean burstGiven;
    private final boolean correctedByProvider;
    private final Weights weights;
    private final Duration coolDown;
    private final String name;

    private Limit(
            Unit unit,
            long amount,
            Window window,
            Algorithm algorithm,
            long burst,
            boolean burstGiven,
            boolean correctedByProvider,
            Weights weights,
            Duration coolDown) {
        this.unit = unit;
        this.amount = amount;
        this.window = window;
        this.algorithm = algorithm;
        this.burst = burst;
        this.burstGiven = burstGiven;
        this.correctedByProvider = correctedByProvider;
        this.weights = weights;
        this.coolDown = coolDown;
        this.name = unit.label() + qualifier();
    }

    /** How a limit counts. */
    public sealed interface Algorithm {
        /** Refills evenly, up to a capacity. */
        record TokenBucket() implements Algorithm {}

        /**
         * Begins anew at each border of the calendar in {@code zone}.
         *
         * @param zone whose calendar
         */
        record FixedWindow(ZoneId zone) implements Algorithm {}

        /** Looks back from now, whenever that is. */
        record SlidingWindow() implements Algorithm {}

        /** Counts what has begun and not ended; the window is for how long one is counted of which nothing is heard. */
        record InFlight() implements Algorithm {}
    }

    /** The span that an amount is for: of one length, or as long as the calendar says. */
    public sealed interface Window {
        /** {@return how people call it: {@code minute}} */
        String label();

        /**
         * Always so many microseconds long.
         *
         * @param micros how many
         */
        record Span(long micros) implements Window {
            @Override
            public String label() {
                Duration length = Duration.of(micros, ChronoUnit.MICROS);
                if (length.equals(Duration.ofDays(7))) {
                    return "week";
                }
                for (ChronoUnit unit : LARGEST_FIRST) {
                    if (length.toNanos() % unit.getDuration().toNanos() == 0) {
                        long count = length.dividedBy(unit.getDuration());
                        String plural = unit == ChronoUnit.MILLIS
                                ? "milliseconds"
                                : unit.toString().toLowerCase(Locale.ROOT);
                        return count == 1 ? plural.substring(0, plural.length() - 1) : count + " " + plural;
                    }
                }
                return micros + " microseconds";
            }
        }

        /** A calendar month. */
        record Month() implements Window {
            @Override
            public String label() {
                return "month";
            }
        }
    }

    /**
     * {@return an amount of requests}
     *
     * @param amount how much
     */
    public static Amount requests(long amount) {
        return new Amount(Unit.REQUESTS, amount);
    }

    /**
     * Input and output tokens together.
     *
     * @param amount how much
     * @return that amount
     */
    public static Amount tokens(long amount) {
        return new Amount(Unit.TOKENS, amount);
    }

    /**
     * {@return an amount of input tokens}
     *
     * @param amount how much
     */
    public static Amount inputTokens(long amount) {
        return new Amount(Unit.INPUT_TOKENS, amount);
    }

    /**
     * {@return an amount of output tokens}
     *
     * @param amount how much
     */
    public static Amount outputTokens(long amount) {
        return new Amount(Unit.OUTPUT_TOKENS, amount);
    }

    /**
     * Dollars as digits with at most nine decimals: {@code "25.00"}.
     *
     * @param dollars as digits, or as a number, without a sign or an exponent
     * @return that amount
     */
    public static Amount usd(String dollars) {
        return new Amount(Unit.USD, Dollars.parse(dollars));
    }

    /**
     * Dollars with at most nine decimals.
     *
     * @param dollars as digits, or as a number, without a sign or an exponent
     * @return that amount
     */
    public static Amount usd(BigDecimal dollars) {
        return new Amount(Unit.USD, Dollars.nano(dollars));
    }

    /**
     * So many calls at once: a limit already, which has neither a window nor another algorithm. A slot is freed when its call ends; that of
     * a process that died, by the guard's {@code lease}.
     *
     * @param calls how many
     * @return that limit
     */
    public static Limit concurrentCalls(long calls) {
        return new Amount(Unit.CONCURRENT_CALLS, calls).limit(UNLESS_LEASED, new Algorithm.InFlight());
    }

    /** How much of a unit; it becomes a {@link Limit} by the window that it is for. */
    public static final class Amount {
        private final Unit unit;
        private final long amount;

        private Amount(Unit unit, long amount) {
            if (amount <= 0 || amount > Cost.MAX_AMOUNT) {
                throw new IllegalArgumentException("a limit of " + unit.label()
                        + " must be above 0 and below 2^53, not " + amount + (unit == Unit.USD ? " nano-dollars" : ""));
            }
            this.unit = unit;
            this.amount = amount;
        }

        /** {@return the limit per second} */
        public Limit perSecond() {
            return per(Duration.ofSeconds(1));
        }

        /** {@return the limit per minute} */
        public Limit perMinute() {
            return per(Duration.ofMinutes(1));
        }

        /** {@return the limit per hour} */
        public Limit perHour() {
            return per(Duration.ofHours(1));
        }

        /** {@return the limit per day of the calendar: a fixed window} */
        public Limit perDay() {
            return per(Duration.ofDays(1));
        }

        /**
         * Per week, which begins on Monday.
         *
         * @return that limit
         */
        public Limit perWeek() {
            return per(Duration.ofDays(7));
        }

        /**
         * Per month of the calendar: a fixed window.
         *
         * @return that limit
         */
        public Limit perMonth() {
            return limit(new Window.Month(), new Algorithm.FixedWindow(ZoneOffset.UTC));
        }

        /**
         * Per {@code length}, from a millisecond to 366 days, in whole microseconds.
         *
         * @param length how long
         * @return that limit
         */
        public Limit per(Duration length) {
            checkLength("a limit's window", length);
            Algorithm algorithm = length.compareTo(Duration.ofDays(1)) < 0
                    ? new Algorithm.TokenBucket()
                    : new Algorithm.FixedWindow(ZoneOffset.UTC);
            return limit(new Window.Span(micros(length)), algorithm);
        }

        private Limit limit(Window window, Algorithm algorithm) {
            return new Limit(unit, amount, window, algorithm, amount, false, false, Weights.none(), Duration.ZERO);
        }
    }

    /**
     * This limit as a token bucket.
     *
     * @return the limit that does so
     */
    public Limit tokenBucket() {
        return with(new Algorithm.TokenBucket());
    }

    /**
     * This limit as a fixed window aligned to UTC.
     *
     * @return the limit that does so
     */
    public Limit fixedWindow() {
        return fixedWindow(ZoneOffset.UTC);
    }

    /**
     * This limit as a fixed window aligned to the calendar of {@code zone}.
     *
     * @param zone whose calendar
     * @return the limit that does so
     */
    public Limit fixedWindow(ZoneId zone) {
        return with(new Algorithm.FixedWindow(zone.normalized()));
    }

    /**
     * This limit as a sliding window: no window of its length, wherever it begins, holds more than the amount.
     *
     * @return the limit that does so
     */
    public Limit slidingWindow() {
        return with(new Algorithm.SlidingWindow());
    }

    /**
     * This token bucket with a capacity of {@code capacity} instead of the amount: the most that may go at once.
     *
     * @param capacity the most that may go at once
     * @return the limit with that capacity
     */
    public Limit burst(long capacity) {
        if (capacity <= 0 || capacity > Cost.MAX_AMOUNT) {
            throw new IllegalArgumentException("a burst must be above 0 and below 2^53, not " + capacity);
        }
        return new Limit(unit, amount, window, algorithm, capacity, true, correctedByProvider, weights, coolDown);
    }

    /**
     * {@link #burst(long)} for dollars.
     *
     * @param dollars as digits, or as a number, without a sign or an exponent
     * @return the limit with that capacity
     */
    public Limit burst(String dollars) {
        if (unit != Unit.USD) {
            throw new IllegalArgumentException("a burst in dollars is for a limit in dollars, not in " + unit.label());
        }
        return burst(Dollars.parse(dollars));
    }

    /**
     * This limit, corrected by what the provider says in the rate-limit headers of its answers: where the balance is above what the
     * provider has left, as when others use the same key without a guard, it is brought down to that, for the whole fleet. It is never
     * raised. What has come back to this limit since the call was sent stays, as the provider may have counted then.
     *
     * <p>For a token bucket that mirrors a limit of the provider's, of the same unit and window, in a budget that is counted per
     * {@code model} and {@code apiKey}; anything else is an error at {@code build()}. OpenAI tells of requests and tokens, Anthropic
     * of input and output tokens too. Calls that are reserved here and have not reached the provider yet are charged here already, and
     * not there: what the provider has left is more than there will be, so that the lower of the two is never too low.
     *
     * @return the limit that is
     */
    public Limit correctedByProvider() {
        return new Limit(unit, amount, window, algorithm, burst, burstGiven, true, weights, coolDown);
    }

    /**
     * This limit, in which tokens count as {@code weights} say: what its calls are charged, what a provider says it has left, and what is
     * told of its balance are tokens as they weigh. Weights that make a difference to what this limit counts are a part of its
     * {@link #name()}: limits that weigh otherwise are balances of their own, and one that begins to weigh otherwise begins anew.
     *
     * <p>For a limit of tokens, input tokens or output tokens, of which at least some must count; anything else is an error at
     * {@code build()}.
     *
     * @param weights what tokens count
     * @return the limit that weighs so
     */
    public Limit weighing(Weights weights) {
        return new Limit(
                unit,
                amount,
                window,
                algorithm,
                burst,
                burstGiven,
                correctedByProvider,
                Objects.requireNonNull(weights),
                coolDown);
    }

    /**
     * This limit with a cool-down: where a call asks more of it than is there, nobody goes for so long, of those that are counted together
     * with it in this budget; what comes back meanwhile is there afterwards. Redis decides it, for the whole fleet.
     *
     * <p>It begins with the call that is denied, or has to wait for this limit, and calls that are denied while it lasts do not make it longer.
     * It ends by itself, or with {@link CostGuard#reset}. A call that leaves others their share ({@link WhenExhausted#leaving}) begins none,
     * nor does one that waits in line already, or {@link CostGuard#status}. In a budget that is a {@link Budget#dryRun()} it denies as little as
     * the limit does, and is reported.
     *
     * @param length from a millisecond to 366 days, in whole microseconds
     * @return the limit that does so
     */
    public Limit coolDown(Duration length) {
        checkLength("a cool-down", length);
        return new Limit(unit, amount, window, algorithm, burst, burstGiven, correctedByProvider, weights, length);
    }

    private static void checkLength(String what, Duration length) {
        if (length.compareTo(Duration.ofMillis(1)) < 0 || length.compareTo(LONGEST_WINDOW) > 0) {
            throw new IllegalArgumentException(what + " must be from a millisecond to 366 days long, not " + length);
        }
        if (length.toNanos() % 1_000 != 0) {
            throw new IllegalArgumentException(what + " must be whole microseconds, not " + length);
        }
    }

    private Limit with(Algorithm other) {
        return new Limit(unit, amount, window, other, burst, burstGiven, correctedByProvider, weights, coolDown);
    }

    /** This limit, as a guard with this lease counts it: other than before only for calls in flight. */
    Limit leased(Duration lease) {
        Window leased = new Window.Span(micros(lease));
        return isInFlight() && !window.equals(leased)
                ? new Limit(unit, amount, leased, algorithm, burst, burstGiven, correctedByProvider, weights, coolDown)
                : this;
    }

    /**
     * A share of this limit, rounded down.
     *
     * @throws IllegalArgumentException if that is nothing
     */
    Limit of(Share share) {
        if (share.of(amount) == 0 || share.of(burst) == 0) {
            throw new IllegalArgumentException(this + ": " + share + " of it is nothing");
        }
        return new Limit(
                unit,
                share.of(amount),
                window,
                algorithm,
                share.of(burst),
                burstGiven,
                correctedByProvider,
                weights,
                coolDown);
    }

    private static long micros(Duration length) {
        return length.toNanos() / 1_000;
    }

    /** {@return what it counts} */
    public Unit unit() {
        return unit;
    }

    /** {@return how much may go per window; nano-dollars for {@link Unit#USD}} */
    public long amount() {
        return amount;
    }

    /** {@return the span that the amount is for; of calls in flight, for how long one counts of which nothing is heard} */
    public Window window() {
        return window;
    }

    /** {@return whether it counts calls in flight: what is charged of it is given back when the call ends, whatever it used} */
    public boolean isInFlight() {
        return unit == Unit.CONCURRENT_CALLS;
    }

    /** {@return how it counts} */
    public Algorithm algorithm() {
        return algorithm;
    }

    /** {@return the most that may go at once: the burst of a token bucket, the amount otherwise} */
    public long capacity() {
        return burst;
    }

    /** {@return what its tokens count; {@link Weights#none()} unless said} */
    public Weights weights() {
        return weights;
    }

    /**
     * For how long nobody goes after a call asked more than was there; zero unless said.
     *
     * @return the limit that does so
     */
    public Duration coolDown() {
        return coolDown;
    }

    /**
     * {@return what a call is charged that used {@code used}, in whole units of this limit as they weigh, rounded up, and at most
     * {@link Cost#MAX_AMOUNT}}
     *
     * @param used what it used
     * @param reserved what it was charged for before; {@code used} itself where there is nothing of that to stay
     */
    public long charge(Cost used, Cost reserved) {
        return weights.charge(unit, used, reserved);
    }

    /** {@return whether its provider's rate-limit headers correct it} */
    public boolean isCorrectedByProvider() {
        return correctedByProvider;
    }

    /**
     * How much comes back in {@code span}, in whole units and at most {@link Cost#MAX_AMOUNT}.
     *
     * @param span a time
     * @return that much
     * @throws IllegalStateException if this is no token bucket, to which nothing comes back evenly
     */
    public long refill(Duration span) {
        if (!(algorithm instanceof Algorithm.TokenBucket) || !(window instanceof Window.Span every)) {
            throw new IllegalStateException(this + " is no token bucket");
        }
        BigInteger product = BigInteger.valueOf(amount).multiply(BigInteger.valueOf(span.toNanos()));
        BigInteger period = BigInteger.valueOf(every.micros()).multiply(BigInteger.valueOf(1_000));
        return product.divide(period).min(BigInteger.valueOf(Cost.MAX_AMOUNT)).longValueExact();
    }

    /**
     * {@return what this limit is called, whatever its amount: {@code tokens per minute}} Two limits of one name in one budget would
     * be the same balance.
     */
    public String name() {
        return name;
    }

    private String qualifier() {
        return isInFlight() ? "" : " per " + window.label() + qualifier(algorithm, window) + weights.label(unit);
    }

    /** The algorithm, where it is not the one that this window has by default. */
    private static String qualifier(Algorithm algorithm, Window window) {
        boolean isShort = window instanceof Window.Span span
                && span.micros() < Duration.ofDays(1).toNanos() / 1_000;
        if (algorithm instanceof Algorithm.FixedWindow fixed) {
            return isShort || !fixed.zone().equals(ZoneOffset.UTC) ? " (fixed window, " + fixed.zone() + ")" : "";
        }
        if (algorithm instanceof Algorithm.SlidingWindow) {
            return " (sliding window)";
        }
        return isShort ? "" : " (token bucket)";
    }

    /** Itself, if it makes sense. */
    Limit checked() {
        check();
        return this;
    }

    /** @throws IllegalArgumentException where algorithm, window and burst do not go together */
    void check() {
        if (isInFlight() && (burstGiven || !(algorithm instanceof Algorithm.InFlight))) {
            throw new IllegalArgumentException(this
                    + ": calls are counted while they last, and no more at once than said;"
                    + " drop .burst(..), .tokenBucket(), .fixedWindow(..) or .slidingWindow()");
        }
        if (isInFlight() && !coolDown.isZero()) {
            throw new IllegalArgumentException(
                    this + ": a call that ends makes room for the next at once; drop .coolDown(..)");
        }
        if (burstGiven && !(algorithm instanceof Algorithm.TokenBucket)) {
            throw new IllegalArgumentException(
                    this + ": a burst needs a token bucket; add .tokenBucket() or drop .burst(..)");
        }
        if (correctedByProvider && (unit == Unit.USD || !(algorithm instanceof Algorithm.TokenBucket))) {
            throw new IllegalArgumentException(
                    this + ": a provider tells what is left of requests and tokens, which refill evenly;"
                            + " drop .correctedByProvider(), or make it a token bucket of those");
        }
        if (!weights.equals(Weights.none()) && !unit.isTokens()) {
            throw new IllegalArgumentException(
                    this + ": weights are for tokens; drop .weighing(..), or make it a limit of those");
        }
        if (unit.isTokens() && !weights.count(unit)) {
            throw new IllegalArgumentException(this + ": by its weights, none of its tokens count");
        }
        if (!(algorithm instanceof Algorithm.FixedWindow) && window instanceof Window.Month) {
            throw new IllegalArgumentException(
                    this + ": months differ in length; say .per(Duration), or use .fixedWindow()");
        }
        if (algorithm instanceof Algorithm.FixedWindow fixed
                && !fixed.zone().equals(ZoneOffset.UTC)
                && !isOfCalendar()) {
            throw new IllegalArgumentException(
                    this + ": a zone means something for windows of an hour, a day, a week or a month only");
        }
    }

    private boolean isOfCalendar() {
        return Set.of("hour", "day", "week", "month").contains(window.label());
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Limit that
                && unit == that.unit
                && amount == that.amount
                && window.equals(that.window)
                && algorithm.equals(that.algorithm)
                && burst == that.burst
                && burstGiven == that.burstGiven
                && correctedByProvider == that.correctedByProvider
                && weights.equals(that.weights)
                && coolDown.equals(that.coolDown);
    }

    @Override
    public int hashCode() {
        return Objects.hash(unit, amount, window, algorithm, burst, burstGiven, correctedByProvider, weights, coolDown);
    }

    /** Like {@code 200000 tokens per minute}. */
    @Override
    public String toString() {
        return (unit == Unit.USD ? Dollars.format(amount) : amount + " " + (amount == 1 ? unit.one() : unit.label()))
                + qualifier();
    }
}
