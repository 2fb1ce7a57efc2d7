package io.costguard.examples;

import java.util.Iterator;
import java.util.List;
import java.util.Optional;

/**
 * What the demo was asked to do.
 *
 * @param port of the page; 0 for any that is free, empty for no page
 * @param waitSeconds how long it waits for a page to be opened, once its own calls are over
 */
record Settings(Optional<String> redisUrl, int processes, int calls, Optional<Integer> port, int waitSeconds) {
    static final String HELP = """
            Usage: ./demo [--headless | --port N] [--wait N] [--redis URL] [--processes N] [--calls N] [--help]

            Starts a Redis, a provider that replays recorded exchanges, and a fleet of processes which share their
            budgets, by turns on OkHttp and on java.net.http. Prints a line per call as it happens, and a summary in
            which the ledger in Redis and the provider's own bill are held side by side.

            It serves a page, too, on which all of that can be watched and driven. While the page is open the demo
            stays; else it ends with its summary.

              --headless       no page
              --port N         serve the page at this port of the loopback interface; any free one unless said
              --wait N         once its own calls are over, wait for N seconds for the page to be opened, 0 to 3600;
                               a minute unless said where it is run from a terminal, else not at all
              --redis URL      use this Redis, like redis://localhost:6379, instead of one of its own; its keys get a
                               random prefix and are gone after two days. It is not stopped from the page
              --processes N    how many processes, 1 to 16; 2 unless said
              --calls N        how many calls each of them makes, 1 to 100000; 8 unless said
              --help           this text
            """;

    private static final Settings USUAL = new Settings(Optional.empty(), 2, 8, Optional.of(0), 0);

    /** @throws IllegalArgumentException that says what was wrong, and what to do */
    static Settings parse(List<String> arguments) {
        Settings settings = USUAL;
        Iterator<String> rest = arguments.iterator();
        while (rest.hasNext()) {
            String flag = rest.next();
            settings = switch (flag) {
                case "--redis" -> settings.withRedis(value(flag, rest));
                case "--processes" -> settings.withProcesses(number(flag, value(flag, rest), 1, 16));
                case "--calls" -> settings.withCalls(number(flag, value(flag, rest), 1, 100_000));
                case "--headless" -> settings.withPort(Optional.empty());
                case "--port" -> settings.withPort(Optional.of(number(flag, value(flag, rest), 1, 65_535)));
                case "--wait" -> settings.waiting(number(flag, value(flag, rest), 0, 3_600));
                default ->
                    throw new IllegalArgumentException("unknown argument '" + flag + "'; --help says what there is");
            };
        }
        if (arguments.contains("--headless") && arguments.contains("--port")) {
            throw new IllegalArgumentException("--headless serves no page, so that there is no --port to say");
        }
        return settings;
    }

    private Settings withRedis(String url) {
        return new Settings(Optional.of(url), processes, calls, port, waitSeconds);
    }

    private Settings withProcesses(int number) {
        return new Settings(redisUrl, number, calls, port, waitSeconds);
    }

    private Settings withCalls(int number) {
        return new Settings(redisUrl, processes, number, port, waitSeconds);
    }

    private Settings withPort(Optional<Integer> number) {
        return new Settings(redisUrl, processes, calls, number, waitSeconds);
    }

    private Settings waiting(int seconds) {
        return new Settings(redisUrl, processes, calls, port, seconds);
    }

    private static String value(String flag, Iterator<String> rest) {
        if (!rest.hasNext()) {
            throw new IllegalArgumentException(flag + " needs a value");
        }
        return rest.next();
    }

    private static int number(String flag, String value, int least, int most) {
        try {
            int number = Integer.parseInt(value);
            if (number >= least && number <= most) {
                return number;
            }
        } catch (NumberFormatException e) {
            // Said below.
        }
        throw new IllegalArgumentException(
                flag + " must be a number from " + least + " to " + most + ", not '" + value + "'");
    }
}
