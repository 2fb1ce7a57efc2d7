package io.costguard.examples.command;

import io.costguard.Budget;
import io.costguard.BudgetFile;
import io.costguard.PriceList;
import io.costguard.WhenExhausted;
import io.costguard.testing.RedisForTests;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;

/** The command {@code costguard}. */
final class Main {
    private static final String HELP = """
            Usage: costguard COMMAND [ARGUMENTS]

              replay    what would have happened to recorded calls under other budgets; replay --help says more
            """;

    private Main() {}

    public static void main(String[] args) {
        System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "warn");
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        PrintStream err = new PrintStream(System.err, true, StandardCharsets.UTF_8);
        try {
            out.print(run(List.of(args)));
            out.flush();
        } catch (BadInputException e) {
            err.println("costguard: " + e.getMessage());
            System.exit(2);
        }
    }

    /** What the command prints. */
    private static String run(List<String> arguments) {
        if (arguments.isEmpty() || arguments.get(0).equals("--help")) {
            return HELP;
        }
        if (!arguments.get(0).equals("replay")) {
            throw new BadInputException("unknown command '" + arguments.get(0) + "'; --help says what there is");
        }
        return arguments.contains("--help")
                ? ReplayOptions.HELP
                : replay(ReplayOptions.parse(arguments.subList(1, arguments.size())));
    }

    private static String replay(ReplayOptions options) {
        if (options.seed().isPresent()) {
            return String.join("\n", SampleCalls.of(options.seed().getAsLong(), options.generated())) + "\n";
        }
        List<RecordedCall> calls = RecordedCall.read(options.calls().orElseThrow());
        Replay.Settings settings = new Replay.Settings(
                budgets(options.budgets().orElseThrow()),
                options.longestWait().isZero() ? WhenExhausted.reject() : WhenExhausted.waitUpTo(options.longestWait()),
                options.learnedPercent(),
                options.prices().map(Main::prices).orElseGet(PriceList::bundled));
        try (RedisForTests redis = RedisForTests.start()) {
            ReplayReport report = Replay.run(calls, settings, redis.url());
            return options.json() ? report.json() : report.text();
        } catch (IllegalArgumentException e) {
            throw new BadInputException(options.budgets().orElseThrow() + ": " + e.getMessage());
        }
    }

    private static List<Budget> budgets(Path file) {
        try {
            return BudgetFile.read(file);
        } catch (IllegalArgumentException e) {
            throw new BadInputException(String.valueOf(e.getMessage()));
        } catch (NoSuchFileException e) {
            throw new BadInputException(file + ": there is no such file");
        } catch (IOException e) {
            throw new BadInputException(file + ": cannot be read: " + e);
        }
    }

    private static PriceList prices(Path file) {
        try {
            return PriceList.bundled().plus(PriceList.read(file));
        } catch (IllegalArgumentException e) {
            throw new BadInputException(String.valueOf(e.getMessage()));
        } catch (IOException e) {
            throw new BadInputException(file + ": cannot be read: " + e);
        }
    }
}
