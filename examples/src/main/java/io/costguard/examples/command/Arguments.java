package io.costguard.examples.command;

import java.nio.file.Path;
import java.time.Duration;
import java.time.format.DateTimeParseException;
import java.util.Iterator;
import java.util.List;

/** The arguments of a command, from left to right; what is wrong with one is a {@link BadInputException}. Not safe for use by many threads. */
final class Arguments {
    private final Iterator<String> rest;
    private String flag = "";

    Arguments(List<String> arguments) {
        this.rest = arguments.iterator();
    }

    boolean hasNext() {
        return rest.hasNext();
    }

    /** The next one, whose value is asked for next, if it has one. */
    String next() {
        flag = rest.next();
        return flag;
    }

    /** What to say of the last one where nobody knows it. */
    BadInputException unknown() {
        return new BadInputException("unknown argument '" + flag + "'; --help says what there is");
    }

    String value() {
        if (!rest.hasNext()) {
            throw new BadInputException(flag + " needs a value");
        }
        return rest.next();
    }

    Path path() {
        return Path.of(value());
    }

    /** @param longest in whole hours */
    Duration duration(Duration longest) {
        String value = value();
        try {
            Duration duration = Duration.parse(value.startsWith("P") ? value : "PT" + value);
            if (!duration.isNegative() && !duration.isZero() && duration.compareTo(longest) <= 0) {
                return duration;
            }
        } catch (DateTimeParseException e) {
            // Said below.
        }
        throw new BadInputException(
                flag + " must be a time like 30s or 5m, up to " + longest.toHours() + "h, not '" + value + "'");
    }

    long number(long least, long most) {
        String value = value();
        try {
            long number = Long.parseLong(value);
            if (number >= least && number <= most) {
                return number;
            }
        } catch (NumberFormatException e) {
            // Said below.
        }
        String range = least == Long.MIN_VALUE ? "a whole number" : "a number from " + least + " to " + most;
        throw new BadInputException(flag + " must be " + range + ", not '" + value + "'");
    }
}
