package io.costguard.examples;

import java.util.Iterator;
import java.util.List;
import java.util.Optional;

/** What the demo was asked to do. */
record Settings(Optional<String> redisUrl, int processes, int calls) {
    static final String HELP = """
            Usage: ./demo [--redis URL] [--processes N] [--calls N] [--help]

            Starts a Redis, a provider that replays recorded exchanges, and a fleet of processes which share their
            budgets, by turns on OkHttp and on java.net.http. Prints a line per call as it happens, and ends with a
            summary in which the ledger in Redis and the provider's own bill are held side by side.

              --redis URL      use this Redis, like redis://localhost:6379, instead of one of its own; its keys get a
                               random prefix and are gone after two days
              --processes N    how many processes, 1 to 16; 2 unless said
              --calls N        how many calls each of them makes, 1 to 100000; 8 unless said
              --help           this text
            """;

    /** @throws IllegalArgumentException that says what was wrong, and what to do */
    static Settings parse(List<String> arguments) {
        Settings settings = new Settings(Optional.empty(), 2, 8);
        Iterator<String> rest = arguments.iterator();
        while (rest.hasNext()) {
            String flag = rest.next();
            settings = switch (flag) {
                case "--redis" -> new Settings(Optional.of(value(flag, rest)), settings.processes, settings.calls);
                case "--processes" ->
                    new Settings(settings.redisUrl, number(flag, value(flag, rest), 16), settings.calls);
                case "--calls" ->
                    new Settings(settings.redisUrl, settings.processes, number(flag, value(flag, rest), 100_000));
                default ->
                    throw new IllegalArgumentException("unknown argument '" + flag + "'; --help says what there is");
            };
        }
        return settings;
    }

    private static String value(String flag, Iterator<String> rest) {
        if (!rest.hasNext()) {
            throw new IllegalArgumentException(flag + " needs a value");
        }
        return rest.next();
    }

    private static int number(String flag, String value, int most) {
        try {
            int number = Integer.parseInt(value);
            if (number >= 1 && number <= most) {
                return number;
            }
        } catch (NumberFormatException e) {
            // Said below.
        }
        throw new IllegalArgumentException(flag + " must be a number from 1 to " + most + ", not '" + value + "'");
    }
}
