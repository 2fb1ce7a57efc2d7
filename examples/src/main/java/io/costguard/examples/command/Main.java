package io.costguard.examples.command;

import io.costguard.CostGuard;
import io.costguard.GuardUnavailableException;
import io.costguard.MisfitException;
import io.costguard.PriceList;
import io.costguard.WhenExhausted;
import io.costguard.testing.RedisForTests;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;

/** The command {@code costguard}. */
final class Main {
    private static final String HELP = """
            Usage: costguard COMMAND [ARGUMENTS]

              status    how the limits of a call stand in the fleet
              watch     the same, again and again
              reset     has them full again, and ends holds
              hold      lets no such call go for a while
              replay    what would have happened to recorded calls under other budgets

            COMMAND --help says more.
            """;

    /** Of a terminal: to its upper left corner, and everything away from there. */
    private static final String REDRAWN = "\033[H\033[J";

    private Main() {}

    public static void main(String[] args) {
        System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "warn");
        // A command looks at the fleet's balances whether or not guards of this machine are switched off.
        System.setProperty("costguard.enabled", "true");
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        PrintStream err = new PrintStream(System.err, true, StandardCharsets.UTF_8);
        int status = 0;
        try {
            run(List.of(args), out, err);
        } catch (BadInputException e) {
            err.println("costguard: " + e.getMessage());
            status = 2;
        } catch (GuardUnavailableException e) {
            err.println("costguard: " + e.getMessage());
            status = 1;
        }
        out.flush();
        System.exit(status);
    }

    private static void run(List<String> arguments, PrintStream out, PrintStream err) throws GuardUnavailableException {
        if (arguments.isEmpty() || arguments.get(0).equals("--help")) {
            out.print(HELP);
            return;
        }
        String command = arguments.get(0);
        List<String> rest = arguments.subList(1, arguments.size());
        boolean help = rest.contains("--help");
        switch (command) {
            case "replay" -> out.print(help ? ReplayOptions.HELP : replay(ReplayOptions.parse(rest)));
            case "status", "reset", "hold", "watch" -> {
                if (help) {
                    out.print(GuardOptions.HELP);
                } else {
                    ask(command, GuardOptions.parse(command, rest), out, err);
                }
            }
            default -> throw new BadInputException("unknown command '" + command + "'; --help says what there is");
        }
    }

    private static void ask(String command, GuardOptions options, PrintStream out, PrintStream err)
            throws GuardUnavailableException {
        try (CostGuard guard = guard(options)) {
            if (command.equals("reset")) {
                guard.reset(options.call());
            } else if (command.equals("hold")) {
                guard.hold(options.call(), options.hold());
            }
            String before = command.equals("watch") && !options.json() ? REDRAWN : "";
            for (long left = options.ticks(); left > 1; left--) {
                try {
                    out.print(before + status(guard, options));
                } catch (GuardUnavailableException e) {
                    out.print(before);
                    err.println("costguard: " + e.getMessage());
                }
                Thread.sleep(options.every().toMillis());
            }
            out.print(before + status(guard, options));
        } catch (MisfitException e) {
            throw new BadInputException(e.getMessage() + "; --attribute NAME=VALUE gives it one");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static CostGuard guard(GuardOptions options) {
        try {
            return options.guard().build();
        } catch (IllegalArgumentException e) {
            throw new BadInputException(String.valueOf(e.getMessage()));
        }
    }

    private static String status(CostGuard guard, GuardOptions options) throws GuardUnavailableException {
        StatusReport report = new StatusReport(options.call(), Instant.now(), guard.status(options.call()));
        return options.json() ? report.json() : report.text();
    }

    private static String replay(ReplayOptions options) {
        if (options.seed().isPresent()) {
            return String.join("\n", SampleCalls.of(options.seed().getAsLong(), options.generated())) + "\n";
        }
        List<RecordedCall> calls = RecordedCall.read(options.calls().orElseThrow());
        Replay.Settings settings = new Replay.Settings(
                InputFiles.budgets(options.budgets().orElseThrow()),
                options.longestWait().isZero() ? WhenExhausted.reject() : WhenExhausted.waitUpTo(options.longestWait()),
                options.learnedPercent(),
                options.prices().map(InputFiles::prices).orElseGet(PriceList::bundled));
        try (RedisForTests redis = RedisForTests.start()) {
            ReplayReport report = Replay.run(calls, settings, redis.url());
            return options.json() ? report.json() : report.text();
        } catch (IllegalArgumentException e) {
            throw new BadInputException(options.budgets().orElseThrow() + ": " + e.getMessage());
        }
    }
}
