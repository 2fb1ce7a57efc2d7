package io.costguard.proof;

import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a check tells in one line.
 *
 * @param bar as it is shown
 */
record Figure(String name, long value, String bar, boolean isMet) {
    /** Of a name that begins with two blanks at most: histories begin with more. */
    private static final Pattern LINE =
            Pattern.compile(" {0,2}(\\S.*?) +(-?[\\d,]+)   ((?:[<>]= |all )?-?[\\d,]+) +(ok|short)");

    static Figure none(String name, long value) {
        return new Figure(name, value, "0", value == 0);
    }

    static Figure atLeast(String name, long value, long bar) {
        return new Figure(name, value, ">= " + grouped(bar), value >= bar);
    }

    static Figure atMost(String name, long value, long bar) {
        return new Figure(name, value, "<= " + grouped(bar), value <= bar);
    }

    static Figure all(String name, long value, long of) {
        return new Figure(name, value, "all " + grouped(of), value == of);
    }

    /** {@return the figure that this line tells, if it is one; without blanks before its name} */
    static Optional<Figure> in(String line) {
        Matcher told = LINE.matcher(line);
        return told.matches()
                ? Optional.of(new Figure(
                        told.group(1),
                        Long.parseLong(told.group(2).replace(",", "")),
                        told.group(3),
                        told.group(4).equals("ok")))
                : Optional.empty();
    }

    @Override
    public String toString() {
        return String.format("%-64s %15s   %-15s %s", name, grouped(value), bar, isMet ? "ok" : "short");
    }

    private static String grouped(long value) {
        return String.format(Locale.ROOT, "%,d", value);
    }
}
