package io.costguard.examples.command;

import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.GuardedCall;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.List;

/**
 * What {@code costguard status}, {@code reset}, {@code hold} or {@code watch} was asked to do.
 *
 * @param guard over the balances of the fleet
 * @param call whose limits it is about
 * @param hold how long nobody is to go
 * @param every how long from one look to the next
 * @param ticks how many looks
 */
record GuardOptions(
        CostGuard.Builder guard, GuardedCall call, Duration hold, Duration every, long ticks, boolean json) {
    static final String HELP = """
            Usage: costguard status --budgets FILE [--redis URL] [CALL] [FLEET] [--json]
                   costguard reset  --budgets FILE [--redis URL] [CALL] [FLEET] [--json]
                   costguard hold   --budgets FILE [--redis URL] [CALL] [FLEET] [--json] --for DURATION
                   costguard watch  --budgets FILE [--redis URL] [CALL] [FLEET] [--json] [--every DURATION] [--ticks N]

            How the limits stand that a call falls under, in the whole fleet: for each, what it has, how much it can have,
            how many calls wait, when it is full if nobody asks, and how long such a call would wait if it came now.
            reset has them full again, and ends their holds; hold lets no such call go for a while; both then say how
            they stand. watch says it again and again, in a terminal, until it is interrupted. Nothing is charged.

              --redis URL        the fleet's Redis: redis://[user:password@]host[:port][/database], rediss:// for TLS;
                                 unless said what is in the environment variable COSTGUARD_REDIS, which others who use
                                 this machine cannot see, as they can an argument
              --budgets FILE     the fleet's budgets, as in examples/samples/budgets.json, or as YAML
              --for DURATION     how long nobody goes, like 30s or 5m, up to 1h
              --every DURATION   how long from one look to the next; 1s unless said
              --ticks N          ends after so many looks
              --json             as JSON: amounts in the limit's unit, dollars in nano-dollars; watch prints a line a look
              --help             this text

            CALL: as the fleet makes it
              --model MODEL      like gpt-4o
              --key-env VAR      the API key, in an environment variable
              --key-stdin        the API key, as the first line of the standard input
              --key-fingerprint F
                                 its fingerprint, as listeners are told it
              --attribute NAME=VALUE
                                 any other, like tenant=acme; as often as there are

            FLEET: what its guards were built with, where they were
              --prefix TEXT      keyPrefix; costguard unless said
              --fingerprint-key-env VAR
                                 fingerprintKey, as Base64, in an environment variable
              --partition-by NAME
                                 partitionBy; apiKey unless said
              --lease DURATION   lease; 10m unless said
              --prices FILE      more prices, as in LiteLLM's list; needed where a budget in dollars names a model of it

            Ends with 0; with 2 where an argument or a file makes no sense; with 1 where it fails otherwise, as when Redis
            does not answer. watch says that and goes on, and ends with 1 if it was so at its last look.
            """;

    /** How patient a person is. */
    private static final Duration DECISION_TIMEOUT = Duration.ofSeconds(5);

    private static final String KEY = "apiKey";

    /** @throws BadInputException that says what was wrong, and what to do */
    static GuardOptions parse(String command, List<String> arguments) {
        CostGuard.Builder guard = CostGuard.builder().decisionTimeout(DECISION_TIMEOUT);
        String redis = System.getenv().getOrDefault("COSTGUARD_REDIS", "");
        List<Budget> budgets = List.of();
        GuardedCall call = GuardedCall.of("");
        Duration hold = Duration.ZERO;
        Duration every = Duration.ofSeconds(1);
        long ticks = command.equals("watch") ? Long.MAX_VALUE : 1;
        boolean json = false;
        Arguments rest = new Arguments(arguments);
        while (rest.hasNext()) {
            String argument = rest.next();
            try {
                switch (argument) {
                    case "--redis" -> redis = rest.value();
                    case "--budgets" -> budgets = InputFiles.budgets(rest.path());
                    case "--prices" -> guard.prices(InputFiles.prices(rest.path()));
                    case "--prefix" -> guard.keyPrefix(rest.value());
                    case "--partition-by" -> guard.partitionBy(rest.value());
                    case "--lease" -> guard.lease(rest.duration(Duration.ofDays(1)));
                    case "--fingerprint-key-env" -> guard.fingerprintKey(base64(rest.value()));
                    case "--model" -> call = call.with("model", rest.value());
                    case "--key-env" -> call = call.with(KEY, environment(rest.value()));
                    case "--key-stdin" -> call = call.with(KEY, firstLine());
                    case "--key-fingerprint" -> call = call.with("apiKeyFingerprint", rest.value());
                    case "--attribute" -> call = with(call, rest.value());
                    case "--json" -> json = true;
                    case "--for" -> hold = of("hold", command, rest).duration(Duration.ofHours(1));
                    case "--every" -> every = of("watch", command, rest).duration(Duration.ofHours(1));
                    case "--ticks" -> ticks = of("watch", command, rest).number(1, Long.MAX_VALUE);
                    default -> throw rest.unknown();
                }
            } catch (IllegalArgumentException e) {
                throw new BadInputException(argument + ": " + e.getMessage());
            }
        }
        if (redis.isBlank()) {
            throw new BadInputException(
                    "where is Redis? --redis or COSTGUARD_REDIS names it, like redis://localhost:6379");
        }
        if (budgets.isEmpty()) {
            throw new BadInputException(
                    "which budgets? --budgets names a file of them, like examples/samples/budgets.json");
        }
        if (command.equals("hold") && hold.isZero()) {
            throw new BadInputException("for how long? --for says it, like 30s");
        }
        checkCall(budgets, call);
        budgets.forEach(guard.redis(redis)::budget);
        return new GuardOptions(guard, call, hold, every, ticks, json);
    }

    private static Arguments of(String theirs, String command, Arguments arguments) {
        if (!command.equals(theirs)) {
            throw arguments.unknown();
        }
        return arguments;
    }

    private static GuardedCall with(GuardedCall call, String attribute) {
        int equals = attribute.indexOf('=');
        if (equals < 1) {
            throw new BadInputException("--attribute must be like tenant=acme, not '" + attribute + "'");
        }
        String name = attribute.substring(0, equals);
        if (name.equals(KEY)) {
            throw new BadInputException(
                    "an argument can be seen by all who use this machine; give the key with --key-env or --key-stdin");
        }
        return call.with(name, attribute.substring(equals + 1));
    }

    /** A call without a model has balances of its own, which nobody means. */
    private static void checkCall(List<Budget> budgets, GuardedCall call) {
        boolean applies = false;
        for (Budget budget : budgets) {
            if (budget.appliesTo(call.attributes())) {
                applies = true;
                if (call.model().isEmpty() && budget.countedPer().contains("model")) {
                    throw new BadInputException(
                            "budget '" + budget.name() + "' is counted per model; say which with --model");
                }
            }
        }
        if (!applies) {
            throw new BadInputException("no budget applies to " + StatusReport.named(call)
                    + "; say more of it with --model or --attribute");
        }
    }

    private static String environment(String variable) {
        String value = System.getenv(variable);
        if (value == null || value.isBlank()) {
            throw new BadInputException("there is nothing in the environment variable " + variable + "; export it");
        }
        return value.strip();
    }

    private static byte[] base64(String variable) {
        try {
            return Base64.getDecoder().decode(environment(variable));
        } catch (IllegalArgumentException e) {
            throw new BadInputException("what is in the environment variable " + variable + " is not Base64");
        }
    }

    private static String firstLine() {
        try {
            String line = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)).readLine();
            if (line != null && !line.isBlank()) {
                return line.strip();
            }
        } catch (IOException e) {
            // Said below.
        }
        throw new BadInputException("there is no key on the standard input; --key-stdin reads its first line");
    }
}
