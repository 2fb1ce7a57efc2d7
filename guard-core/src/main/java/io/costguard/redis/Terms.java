package io.costguard.redis;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.costguard.Budget;
import io.costguard.Limit;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.DayOfWeek;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.YearMonth;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.temporal.ChronoUnit;
import java.time.temporal.TemporalAdjusters;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * The limits of a budget as the script reads them, and their balances in the values it writes; the layout is described at the head
 * of {@code guard.lua}. What does not depend on the time is worked out once a budget.
 */
final class Terms {
    private static final int BUCKET = 0;
    private static final int LONG_BUCKET = 1;
    private static final int ALIGNED = 2;
    private static final int CALENDAR = 3;
    private static final int SLIDING = 4;
    private static final int IN_FLIGHT = 5;

    private static final int VERSION = 1;
    /** A value that has a line tells its life as so much more. */
    private static final int HAS_LINE = 128;

    private static final int BYTES_A_NAME = 3 + 4;
    private static final int BYTES_A_BALANCE = 7 + 3;
    private static final int BOUNDS = 5;
    /** Of a sliding window or a lease, in the length of which there is one less: the oldest counts as a whole. */
    private static final int SLOTS = 16;

    private static final long ERAS = 1L << 24;
    /** A bucket that holds more parts of a unit would leave less of 2^53 for its debts than seven times as much. */
    private static final long MOST_PARTS_HELD = 1L << 50;

    private static final long MOST_PARTS_A_UNIT = (1L << 32) - 1;
    /** 67 seconds: longer than any decision may take. */
    private static final int SHORTEST_LIFE = 26;
    /** 142 years: what is longer is as good as for ever. */
    private static final int LONGEST_LIFE = 52;

    private static final long EPOCH_TO_MONDAY_MICROS = micros(Duration.ofDays(4));
    private static final long NOMINAL_MONTH_MICROS = micros(Duration.ofDays(31));

    private static final Cache<Budget, Terms> KNOWN =
            Caffeine.newBuilder().weakKeys().build();

    private final List<Limit> limits;
    private final int[] kinds;
    private final long[] parts;
    private final int headBytes;
    private final int valueBytes;
    private final int fields;
    private final byte[] format;
    private final byte[] fixed;
    private final byte[] settleFormat;
    private final byte[] reserveFormat;
    private final long[] coolDowns;

    private Terms(List<Limit> limits) {
        this.limits = limits;
        int count = limits.size();
        this.kinds = limits.stream().mapToInt(Terms::kind).toArray();
        this.parts = new long[count];
        for (int i = 0; i < count; i++) {
            parts[i] = kinds[i] == BUCKET ? partsOfAUnit(limits.get(i)) : 1;
        }
        ByteBuffer head = ByteBuffer.allocate(1 + count * BYTES_A_NAME).put((byte) (VERSION << 5 | count));
        StringBuilder value =
                new StringBuilder(">c").append(head.capacity()).append("BI7").append("i7I3".repeat(count));
        StringBuilder terms = new StringBuilder("BBc0HBc0B").append("i8i8I4".repeat(count));
        int extraBytes = 0;
        int extraFields = 0;
        for (int i = 0; i < count; i++) {
            int id = id(limits.get(i), kinds[i]);
            head.put((byte) (id >> 16)).putShort((short) id).putInt((int) parts[i]);
            if (kinds[i] != BUCKET) {
                value.append(kinds[i] == CALENDAR ? "I7I7I7" : kinds[i] >= SLIDING ? "I7c" + 7 * (SLOTS - 1) : "I7");
                extraBytes += 7 * (kinds[i] == CALENDAR ? 3 : kinds[i] >= SLIDING ? SLOTS : 1);
                terms.append("i8".repeat(kinds[i] == CALENDAR ? 1 + BOUNDS : 2));
                extraFields += kinds[i] == CALENDAR ? 1 + BOUNDS : 2;
            }
        }
        this.headBytes = head.capacity() + 1 + 7;
        this.valueBytes = headBytes + count * BYTES_A_BALANCE + extraBytes;
        this.fields = 5 + 3 * count + extraFields;
        this.format = ascii(terms);
        this.settleFormat = ascii("H" + "I3i8".repeat(count));
        this.reserveFormat = ascii("H" + "I8".repeat(count));
        ByteBuffer out = ByteBuffer.allocate(6 + value.length() + head.capacity() + count * 20);
        out.put((byte) count).put((byte) value.length()).put(ascii(value));
        out.putShort((short) valueBytes).put((byte) head.capacity()).put(head.array());
        out.put((byte) life());
        for (int i = 0; i < count; i++) {
            Limit limit = limits.get(i);
            long rate = kinds[i] == BUCKET ? limit.amount() / commonDivisor(limit) : -kinds[i];
            out.putLong(limit.capacity() * parts[i]).putLong(rate).putInt((int) parts[i]);
        }
        this.fixed = out.array();
        this.coolDowns =
                limits.stream().mapToLong(limit -> micros(limit.coolDown())).toArray();
    }

    /** Whether so long after an era of a sliding window or of calls in flight its slot is gone. */
    static boolean isGone(long era, long now) {
        return Math.floorMod(now - era, ERAS) >= SLOTS;
    }

    /**
     * For how long at least what is charged from now on counts together with what is sent then, now being between these two.
     *
     * <p>Calls in flight are heard of at least every third of a lease; so half of one after that has been possible, they are still known.
     */
    static long countsNanos(Limit limit, long earliestMicros, long latestMicros) {
        long period = periodMicros(limit.window());
        long start = limit.window().label().equals("week") ? EPOCH_TO_MONDAY_MICROS : 0;
        return switch (kind(limit)) {
            case ALIGNED -> nanos(untilNext(period, earliestMicros - start) - (latestMicros - earliestMicros));
            case SLIDING -> nanos(untilNext(slotMicros(limit), earliestMicros) - (latestMicros - earliestMicros));
            case CALENDAR -> nanos(endOfCalendarWindow(limit, earliestMicros) - latestMicros);
            case IN_FLIGHT -> nanos(period / 2);
            default -> Long.MAX_VALUE;
        };
    }

    private static long untilNext(long period, long micros) {
        return period - Math.floorMod(micros, period);
    }

    private static long endOfCalendarWindow(Limit limit, long micros) {
        long end = Long.MAX_VALUE;
        for (long bound : bounds(limit, micros)) {
            end = bound > micros ? Math.min(end, bound) : end;
        }
        return end;
    }

    private static long nanos(long micros) {
        return Math.max(0, micros) * 1_000;
    }

    private static long slotMicros(Limit limit) {
        return (periodMicros(limit.window()) + SLOTS - 2) / (SLOTS - 1);
    }

    static Terms of(Budget budget) {
        Terms terms = KNOWN.getIfPresent(budget);
        return terms != null ? terms : KNOWN.get(budget, unknown -> new Terms(unknown.limits()));
    }

    /** How many fields of a request they are. */
    int fields() {
        return fields;
    }

    /** At most so many bytes. */
    int size() {
        return fixed.length + kinds.length * (1 + BOUNDS) * 8;
    }

    byte[] format() {
        return format;
    }

    /** Of each limit, in microseconds; 0 where it has none. */
    long[] coolDowns() {
        return coolDowns;
    }

    /** Of a settle, or a correction, of one subject under these terms. */
    byte[] settleFormat() {
        return settleFormat;
    }

    /** Of what is reserved of one subject under these terms. */
    byte[] reserveFormat() {
        return reserveFormat;
    }

    /** Writes these terms; {@code serverMicros} is about what time it is at the server. */
    void write(ByteBuffer out, long serverMicros) {
        out.put(fixed);
        for (int i = 0; i < kinds.length; i++) {
            if (kinds[i] == BUCKET) {
                continue;
            }
            Limit limit = limits.get(i);
            out.putLong(periodMicros(limit.window()));
            switch (kinds[i]) {
                case LONG_BUCKET -> out.putLong(limit.amount());
                case SLIDING, IN_FLIGHT -> out.putLong(slotMicros(limit));
                case ALIGNED -> out.putLong(limit.window().label().equals("week") ? EPOCH_TO_MONDAY_MICROS : 0);
                default -> {
                    for (long bound : bounds(limit, serverMicros)) {
                        out.putLong(bound);
                    }
                }
            }
        }
    }

    /** Reads a value as the script replies with it. */
    State read(ByteBuffer in) {
        boolean hasLine = (in.get(in.position() + headBytes - 7 - 1) & HAS_LINE) != 0;
        int from = in.position() + headBytes;
        long[] eras = new long[kinds.length];
        long[] balances = new long[kinds.length];
        for (int i = 0; i < kinds.length; i++) {
            long balance = number(in, from, 7);
            balances[i] = kinds[i] >= ALIGNED ? limits.get(i).capacity() - balance : Math.floorDiv(balance, parts[i]);
            eras[i] = number(in, from + 7, 3);
            from += BYTES_A_BALANCE;
        }
        in.position(in.position() + valueBytes);
        return new State(eras, balances, hasLine);
    }

    /**
     * How the limits of a subject stand, each in the era it is in.
     *
     * @param hasLine whether anybody waits, or a hold lasts
     */
    record State(long[] eras, long[] balances, boolean hasLine) {}

    /** Seven bytes have a sign. */
    private static long number(ByteBuffer in, int at, int bytes) {
        long number = bytes == 7 ? in.get(at) : in.get(at) & 0xff;
        for (int i = 1; i < bytes; i++) {
            number = (number << 8) | (in.get(at + i) & 0xff);
        }
        return number;
    }

    private static int kind(Limit limit) {
        if (limit.algorithm() instanceof Limit.Algorithm.InFlight) {
            return IN_FLIGHT;
        }
        if (limit.algorithm() instanceof Limit.Algorithm.SlidingWindow) {
            return SLIDING;
        }
        if (limit.algorithm() instanceof Limit.Algorithm.FixedWindow fixed) {
            boolean even =
                    limit.window() instanceof Limit.Window.Span && fixed.zone().equals(ZoneOffset.UTC);
            return even ? ALIGNED : CALENDAR;
        }
        long parts = partsOfAUnit(limit);
        return parts <= MOST_PARTS_A_UNIT && parts <= MOST_PARTS_HELD / limit.capacity() ? BUCKET : LONG_BUCKET;
    }

    /** In how many parts a unit must be told so that what comes in a microsecond is a whole number of them. */
    private static long partsOfAUnit(Limit limit) {
        return periodMicros(limit.window()) / commonDivisor(limit);
    }

    private static long commonDivisor(Limit limit) {
        return commonDivisor(limit.amount(), periodMicros(limit.window()));
    }

    private static long commonDivisor(long one, long other) {
        return other == 0 ? one : commonDivisor(other, one % other);
    }

    private static long periodMicros(Limit.Window window) {
        return window instanceof Limit.Window.Span span ? span.micros() : NOMINAL_MONTH_MICROS;
    }

    /** The exponent of a power of two of microseconds, after which an empty balance is full whatever its limit. */
    private int life() {
        double longest = 0;
        for (int i = 0; i < kinds.length; i++) {
            Limit limit = limits.get(i);
            double period = periodMicros(limit.window());
            longest = Math.max(longest, kinds[i] >= ALIGNED ? period * 2 : period * limit.capacity() / limit.amount());
        }
        int exponent = SHORTEST_LIFE;
        while (exponent < LONGEST_LIFE && Math.scalb(1.0, exponent) <= longest) {
            exponent++;
        }
        return exponent;
    }

    /**
     * The same for the same unit, window and algorithm, whatever the amount: a changed amount keeps its balance. Has the kind of
     * the limit in the lowest three bits, of which a bucket and a long one differ in nothing else.
     */
    private static int id(Limit limit, int kind) {
        int algorithm = kind == LONG_BUCKET ? BUCKET : kind;
        String name = limit.unit() + "/" + algorithm + "/" + periodMicros(limit.window()) + "/" + limit.name();
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(name.getBytes(StandardCharsets.UTF_8));
            return ((ByteBuffer.wrap(digest).getInt() >>> 11) << 3) | kind;
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("this Java runtime has no SHA-256", e);
        }
    }

    private static byte[] ascii(CharSequence text) {
        return text.toString().getBytes(StandardCharsets.US_ASCII);
    }

    /** Where calendar windows begin and end, from the one before {@code serverMicros} to the one after the next. */
    private static long[] bounds(Limit limit, long serverMicros) {
        ZoneId zone = limit.algorithm() instanceof Limit.Algorithm.FixedWindow fixed ? fixed.zone() : ZoneOffset.UTC;
        ZonedDateTime at = Instant.EPOCH.plus(serverMicros, ChronoUnit.MICROS).atZone(zone);
        String label = limit.window().label();
        ZonedDateTime start = startOf(label, at);
        UnaryOperator<ZonedDateTime> before = bound -> startOf(label, bound.minusNanos(1_000));
        long[] bounds = new long[BOUNDS];
        ZonedDateTime bound = before.apply(start);
        for (int i = 0; i < bounds.length; i++) {
            bounds[i] = ChronoUnit.MICROS.between(Instant.EPOCH, bound.toInstant());
            bound = next(label, bound);
        }
        return bounds;
    }

    private static ZonedDateTime startOf(String label, ZonedDateTime at) {
        LocalDate day = at.toLocalDate();
        return switch (label) {
            case "hour" -> at.truncatedTo(ChronoUnit.HOURS);
            case "day" -> day.atStartOfDay(at.getZone());
            case "week" ->
                day.with(TemporalAdjusters.previousOrSame(DayOfWeek.MONDAY)).atStartOfDay(at.getZone());
            default -> YearMonth.from(day).atDay(1).atStartOfDay(at.getZone());
        };
    }

    private static ZonedDateTime next(String label, ZonedDateTime start) {
        LocalDate day = start.toLocalDate();
        return switch (label) {
            case "hour" -> nextHour(start);
            case "day" -> day.plusDays(1).atStartOfDay(start.getZone());
            case "week" -> day.plusDays(7).atStartOfDay(start.getZone());
            default -> YearMonth.from(day).plusMonths(1).atDay(1).atStartOfDay(start.getZone());
        };
    }

    /** Which takes longer to come where the clock is set back by half an hour, as on Lord Howe Island. */
    private static ZonedDateTime nextHour(ZonedDateTime start) {
        ZonedDateTime next = start;
        for (int hours = 1; !next.isAfter(start); hours++) {
            next = startOf("hour", start.plusHours(hours));
        }
        return next;
    }

    private static long micros(Duration span) {
        return span.toNanos() / 1_000;
    }
}
