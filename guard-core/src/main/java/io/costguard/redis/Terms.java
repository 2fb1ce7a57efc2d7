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
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * The limits of a budget as the script reads them, and their records in the values it writes. What does not depend on the time is
 * worked out once a budget.
 */
final class Terms {
    private static final int BUCKET = 0;
    private static final int LONG_BUCKET = 1;
    private static final int ALIGNED = 2;
    private static final int CALENDAR = 3;

    private static final int HEAD_BYTES = 1 + 1 + 7 + 4;
    private static final int BYTES_A_LIMIT = 3 + 4 * 8;
    private static final int CALENDAR_BYTES = 2 * 7;
    private static final int WINDOWS_SENT = 4;
    private static final long SHORT_PERIOD = 1L << 48;
    private static final long EPOCH_TO_MONDAY_MICROS = micros(Duration.ofDays(4));
    private static final long NOMINAL_MONTH_MICROS = micros(Duration.ofDays(31));

    private static final Cache<Budget, Terms> KNOWN =
            Caffeine.newBuilder().weakKeys().build();

    private final List<Limit> limits;
    private final int[] kinds;
    private final int calendars;
    private final byte[] fixed;
    private final int valueBytes;

    private Terms(List<Limit> limits) {
        this.limits = limits;
        this.kinds = limits.stream().mapToInt(Terms::kind).toArray();
        this.calendars =
                (int) Arrays.stream(kinds).filter(kind -> kind == CALENDAR).count();
        StringBuilder format = new StringBuilder(">BBI7I4");
        int bytes = HEAD_BYTES;
        for (int kind : kinds) {
            format.append(kind == BUCKET ? "I3i7I6I5" : kind == LONG_BUCKET ? "I3i7I7I5" : "I3I7I7I5");
            bytes += recordBytes(kind);
        }
        format.append("I7I7".repeat(calendars));
        this.valueBytes = bytes + calendars * CALENDAR_BYTES;
        ByteBuffer out = ByteBuffer.allocate(3 + format.length() + limits.size() * BYTES_A_LIMIT);
        out.put((byte) limits.size())
                .put((byte) Arrays.stream(kinds).filter(kind -> kind >= ALIGNED).count())
                .put((byte) format.length())
                .put(format.toString().getBytes(StandardCharsets.US_ASCII));
        for (int i = 0; i < kinds.length; i++) {
            write(out, limits.get(i), kinds[i]);
        }
        this.fixed = out.array();
    }

    static Terms of(Budget budget) {
        return KNOWN.get(budget, known -> new Terms(known.limits()));
    }

    int size() {
        return fixed.length + calendars * (WINDOWS_SENT + 1) * 8;
    }

    /** Writes these terms; {@code serverMicros} is about what time it is at the server. */
    void write(ByteBuffer out, long serverMicros) {
        out.put(fixed);
        for (int i = 0; calendars > 0 && i < kinds.length; i++) {
            if (kinds[i] == CALENDAR) {
                for (long bound : bounds(limits.get(i), serverMicros)) {
                    out.putLong(bound);
                }
            }
        }
    }

    /** Reads a value as the script replies with it. */
    State read(ByteBuffer in) {
        int from = in.position() + HEAD_BYTES;
        long[] eras = new long[kinds.length];
        long[] balances = new long[kinds.length];
        for (int i = 0; i < kinds.length; i++) {
            long amount = number(in, from + 3, 7);
            balances[i] = kinds[i] >= ALIGNED ? limits.get(i).capacity() - amount : amount;
            from += recordBytes(kinds[i]);
            eras[i] = number(in, from - 5, 5);
        }
        in.position(in.position() + valueBytes);
        return new State(eras, balances);
    }

    /** How the limits of a subject stand, each in the era it is in. */
    record State(long[] eras, long[] balances) {}

    /** Seven bytes have a sign. */
    private static long number(ByteBuffer in, int at, int bytes) {
        long number = bytes == 7 ? in.get(at) : in.get(at) & 0xff;
        for (int i = 1; i < bytes; i++) {
            number = (number << 8) | (in.get(at + i) & 0xff);
        }
        return number;
    }

    private static int recordBytes(int kind) {
        return kind == BUCKET ? 3 + 7 + 6 + 5 : 3 + 7 + 7 + 5;
    }

    private static void write(ByteBuffer out, Limit limit, int kind) {
        int id = id(limit, kind);
        out.put((byte) (id >> 16)).putShort((short) id).putLong(limit.capacity());
        long period = periodMicros(limit.window());
        switch (kind) {
            case ALIGNED ->
                out.putLong(0)
                        .putLong(period)
                        .putLong(limit.window().label().equals("week") ? EPOCH_TO_MONDAY_MICROS : 0);
            case CALENDAR -> out.putLong(WINDOWS_SENT + 1).putLong(period).putLong(0);
            default -> {
                long divisor = commonDivisor(limit.amount(), period);
                out.putLong(limit.amount() / divisor).putLong(period / divisor).putLong(divisor);
            }
        }
    }

    private static long commonDivisor(long one, long other) {
        return other == 0 ? one : commonDivisor(other, one % other);
    }

    private static int kind(Limit limit) {
        if (limit.algorithm() instanceof Limit.Algorithm.FixedWindow fixed) {
            boolean even =
                    limit.window() instanceof Limit.Window.Span && fixed.zone().equals(ZoneOffset.UTC);
            return even ? ALIGNED : CALENDAR;
        }
        return periodMicros(limit.window()) < SHORT_PERIOD ? BUCKET : LONG_BUCKET;
    }

    private static long periodMicros(Limit.Window window) {
        return window instanceof Limit.Window.Span span ? span.micros() : NOMINAL_MONTH_MICROS;
    }

    /**
     * The same for the same unit, window and algorithm, whatever the amount: a changed amount keeps its balance. Has the kind of
     * its record in the lowest two bits.
     */
    private static int id(Limit limit, int kind) {
        String name = limit.unit() + "/" + kind + "/" + periodMicros(limit.window()) + "/" + limit.name();
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(name.getBytes(StandardCharsets.UTF_8));
            return ((ByteBuffer.wrap(digest).getInt() >>> 10) << 2) | kind;
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("this Java runtime has no SHA-256", e);
        }
    }

    /** Where calendar windows begin and end, from the one before {@code serverMicros} to the one after the next. */
    private static long[] bounds(Limit limit, long serverMicros) {
        ZoneId zone = limit.algorithm() instanceof Limit.Algorithm.FixedWindow fixed ? fixed.zone() : ZoneOffset.UTC;
        ZonedDateTime at = Instant.EPOCH.plus(serverMicros, ChronoUnit.MICROS).atZone(zone);
        String label = limit.window().label();
        ZonedDateTime start = startOf(label, at);
        UnaryOperator<ZonedDateTime> before = bound -> startOf(label, bound.minusNanos(1_000));
        long[] bounds = new long[WINDOWS_SENT + 1];
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
            case "hour" -> startOf(label, start.plusHours(1));
            case "day" -> day.plusDays(1).atStartOfDay(start.getZone());
            case "week" -> day.plusDays(7).atStartOfDay(start.getZone());
            default -> YearMonth.from(day).plusMonths(1).atDay(1).atStartOfDay(start.getZone());
        };
    }

    private static long micros(Duration span) {
        return span.toNanos() / 1_000;
    }
}
