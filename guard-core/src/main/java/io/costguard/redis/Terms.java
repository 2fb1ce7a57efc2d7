package io.costguard.redis;

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

/** The limits of a subject as the script reads them: each with its name, algorithm, capacity, amount and period. */
final class Terms {
    private static final byte BUCKET = 1;
    private static final byte ALIGNED = 2;
    private static final byte CALENDAR = 3;
    private static final int WINDOWS_SENT = 4;
    private static final int BYTES_A_LIMIT = 8 + 1 + 3 * 8 + 1 + (WINDOWS_SENT + 1) * 8;
    private static final long EPOCH_TO_MONDAY_MICROS = micros(Duration.ofDays(4));
    private static final long NOMINAL_MONTH_MICROS = micros(Duration.ofDays(31));

    private final List<Limit> limits;

    Terms(List<Limit> limits) {
        this.limits = limits;
    }

    int size() {
        return 1 + limits.size() * BYTES_A_LIMIT;
    }

    /** Writes these terms; {@code serverMicros} is about what time it is at the server. */
    void write(ByteBuffer out, long serverMicros) {
        out.put((byte) limits.size());
        for (Limit limit : limits) {
            byte algorithm = algorithm(limit);
            out.put(id(limit));
            out.put(algorithm);
            out.putLong(limit.capacity());
            out.putLong(limit.amount());
            out.putLong(periodMicros(limit.window()));
            if (algorithm == ALIGNED) {
                out.putLong(limit.window().label().equals("week") ? EPOCH_TO_MONDAY_MICROS : 0);
            } else if (algorithm == CALENDAR) {
                long[] bounds = bounds(limit, serverMicros);
                out.put((byte) bounds.length);
                for (long bound : bounds) {
                    out.putLong(bound);
                }
            }
        }
    }

    private static byte algorithm(Limit limit) {
        if (limit.algorithm() instanceof Limit.Algorithm.FixedWindow fixed) {
            boolean even =
                    limit.window() instanceof Limit.Window.Span && fixed.zone().equals(ZoneOffset.UTC);
            return even ? ALIGNED : CALENDAR;
        }
        return BUCKET;
    }

    private static long periodMicros(Limit.Window window) {
        return window instanceof Limit.Window.Span span ? span.micros() : NOMINAL_MONTH_MICROS;
    }

    /** The same for the same unit, window and algorithm, whatever the amount: a changed amount keeps its balance. */
    private static byte[] id(Limit limit) {
        String name = limit.unit() + "/" + algorithm(limit) + "/" + periodMicros(limit.window()) + "/" + limit.name();
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(name.getBytes(StandardCharsets.UTF_8));
            return Arrays.copyOf(digest, 8);
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
