package io.costguard.examples.command;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/** What {@code costguard replay} was asked to do. */
record ReplayOptions(
        Optional<Path> calls,
        Optional<Path> budgets,
        Optional<Path> prices,
        Duration longestWait,
        int learnedPercent,
        boolean json,
        OptionalLong seed,
        int generated) {
    static final String HELP = """
            Usage: costguard replay CALLS --budgets FILE [--wait DURATION] [--learned PERCENT] [--prices FILE] [--json]
                   costguard replay --generate SEED [--calls N]

            Makes recorded calls again under other budgets, in virtual time: a day takes seconds. The decisions are those
            of the library, by its own script, in a Redis that is started for it. Says which calls would have been denied,
            which would have waited and for how long, what would have been used above its reservation, and what would have
            been left unused; and how much output calls would have reserved, had they learned from those before.

              CALLS              a file with one JSON object a line: at, model, input, output; and where they are known
                                 provider, path, cacheRead and cacheWrite (of the input), reasoning (of the output),
                                 maxOutput, estimatedInput, serviceTier, usd, duration. Any other text is an attribute:
                                 user, team
              --budgets FILE     the budgets, as in examples/samples/budgets.json
              --wait DURATION    how long a call waits for its budgets, like 30s or 5m; unless said, it does not
              --learned PERCENT  reserve the output that was enough for so many of the calls before, 1 to 100, and not all
                                 that a call allows
              --prices FILE      more prices, as in LiteLLM's list; they win
              --json             all of it as JSON
              --generate SEED    prints a file of calls instead, the same for the same seed
              --calls N          how many, 1 to 1000000, beside those that were recorded of real providers; 600 unless said
              --help             this text

            Ends with 0; with 2 where an argument or a file makes no sense; with 1 where it fails otherwise.
            """;

    /** @throws BadInputException that says what was wrong, and what to do */
    static ReplayOptions parse(List<String> arguments) {
        Optional<Path> calls = Optional.empty();
        Optional<Path> budgets = Optional.empty();
        Optional<Path> prices = Optional.empty();
        Duration longestWait = Duration.ZERO;
        int learned = 0;
        boolean json = false;
        OptionalLong seed = OptionalLong.empty();
        int generated = 600;
        Arguments rest = new Arguments(arguments);
        while (rest.hasNext()) {
            String argument = rest.next();
            switch (argument) {
                case "--budgets" -> budgets = Optional.of(rest.path());
                case "--prices" -> prices = Optional.of(rest.path());
                case "--wait" -> longestWait = rest.duration(Duration.ofDays(1));
                case "--learned" -> learned = (int) rest.number(1, 100);
                case "--json" -> json = true;
                case "--generate" -> seed = OptionalLong.of(rest.number(Long.MIN_VALUE, Long.MAX_VALUE));
                case "--calls" -> generated = (int) rest.number(1, 1_000_000);
                default -> {
                    if (argument.startsWith("-") || calls.isPresent()) {
                        throw rest.unknown();
                    }
                    calls = Optional.of(Path.of(argument));
                }
            }
        }
        if (seed.isEmpty() && calls.isEmpty()) {
            throw new BadInputException("which calls? name a file of them, like examples/samples/calls.jsonl");
        }
        if (seed.isEmpty() && budgets.isEmpty()) {
            throw new BadInputException(
                    "which budgets? --budgets names a file of them, like examples/samples/budgets.json");
        }
        return new ReplayOptions(calls, budgets, prices, longestWait, learned, json, seed, generated);
    }
}
