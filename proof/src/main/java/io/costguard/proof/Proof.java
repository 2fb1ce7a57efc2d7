package io.costguard.proof;

import io.costguard.proof.fleet.Faults;
import io.costguard.proof.fleet.Kills;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Runs all checks and prints one line a figure: name, value, bar, and ok or short. Exit status 1 where one is short, 2 where
 * nothing was run, 3 where a check could not be tried. {@code ./proof/run} builds it and passes its arguments on.
 */
public final class Proof {
    private static final List<Named> CHECKS = List.of(
            new Named("pairs", "processes that reserve and settle on one subject", new Pairs()),
            new Named(
                    "histories",
                    "random histories of a ledger, of lines and of windows, beside a model",
                    new Histories()),
            new Named("interleavings", "three clients with four steps each, in all orders", new AllOrders()),
            new Named(
                    "guards", "guards that race, end twice, are interrupted, and hear nonsense or late", new Guards()),
            new Named("clock", "the clock of Redis is set, forward and back", new Clock()),
            new Named("kills", "processes that are killed at any moment, and what they leave behind", new Kills()),
            new Named("faults", "every fault of Redis, again and again under load", new Faults()),
            new Named("fuzz", "hostile bodies, usages, headers and names change, stop and fool nothing", new Fuzz()),
            new Named("secrets", "keys, prompts and answers are in nothing that a guard tells", new Secrets()),
            new Named(
                    "bugs",
                    "whether other checks find a dozen faults that are put in",
                    SeededChanges.bugs(),
                    Effort.QUICK),
            new Named(
                    "other-bugs",
                    "the same of faults that only one of the other checks can find",
                    SeededChanges.others(),
                    Effort.FULL),
            new Named("mutants", "the same of mistakes in the scripts", SeededChanges.mutants(), Effort.FULL),
            new Named("soak", "1,000 calls a second leave nothing behind, and cost what is billed", new Soak()));

    private static final String USAGE = """
            arguments:
              --quick | --full | --brief   how much is tried: minutes, hours, or seconds
              --seed N                     1 unless given; the same seed draws the same histories
              --only NAME[:PART],...       some of these, or a part alone of one that has parts, as guards:race, faults:2:
            """
            + CHECKS.stream()
                    .map(check -> String.format("      %-14s %s%n", check.name, check.about))
                    .collect(Collectors.joining());

    /** @param from with how much effort at least it is made, unless it is named */
    private record Named(String name, String about, Check check, Effort from) {
        Named(String name, String about, Check check) {
            this(name, about, check, Effort.BRIEF);
        }
    }

    /** @param only by the name of a check the parts of it, none of which is all */
    private record Settings(Effort effort, long seed, Map<String, Set<String>> only) {
        boolean has(Named check) {
            return only.isEmpty() ? effort.compareTo(check.from) >= 0 : only.containsKey(check.name);
        }
    }

    private Proof() {}

    public static void main(String[] arguments) {
        if (List.of(arguments).contains("--help")) {
            System.out.print(USAGE);
            return;
        }
        Settings settings;
        try {
            settings = settings(arguments);
        } catch (IllegalArgumentException e) {
            System.err.print(e.getMessage() + "\n" + USAGE);
            System.exit(2);
            return;
        }
        System.exit(run(settings).status);
    }

    private static Outcome run(Settings settings) {
        long start = System.nanoTime();
        System.out.println("seed " + settings.seed + ", JDK " + Runtime.version() + ", "
                + Runtime.getRuntime().availableProcessors() + " processors");
        Outcome outcome = Outcome.MET;
        for (Named check : CHECKS) {
            if (settings.has(check)) {
                outcome = outcome.and(outcome(check, settings));
            }
        }
        Duration took = Duration.ofNanos(System.nanoTime() - start);
        System.out.println(took.toSeconds() + " s, seed " + settings.seed + ": " + outcome.said);
        return outcome;
    }

    private static Outcome outcome(Named check, Settings settings) {
        long start = System.nanoTime();
        System.out.println("\n" + check.name + ": " + check.about);
        Trial trial =
                new Trial(settings.seed, settings.effort, settings.only.getOrDefault(check.name, Set.of()), System.out);
        try {
            check.check.run(trial);
        } catch (Exception | Error e) {
            System.out.println("    could not be tried: " + e);
            e.printStackTrace();
            return Outcome.NOT_TRIED;
        } finally {
            System.out.println(
                    "    " + Duration.ofNanos(System.nanoTime() - start).toSeconds() + " s");
        }
        return trial.outcome();
    }

    private static Settings settings(String[] arguments) {
        Effort effort = Effort.QUICK;
        long seed = 1;
        Map<String, Set<String>> only = new LinkedHashMap<>();
        for (int i = 0; i < arguments.length; i++) {
            switch (arguments[i]) {
                case "--brief" -> effort = Effort.BRIEF;
                case "--quick" -> effort = Effort.QUICK;
                case "--full" -> effort = Effort.FULL;
                case "--seed" -> seed = number(arguments, ++i);
                case "--only" -> {
                    for (String named : List.of(value(arguments, ++i).split(","))) {
                        String[] words = named.split(":", 2);
                        Set<String> parts = only.computeIfAbsent(words[0], first -> new LinkedHashSet<>());
                        parts.addAll(List.of(words).subList(1, words.length));
                    }
                }
                default -> throw new IllegalArgumentException("unknown argument " + arguments[i]);
            }
        }
        Set<String> unknown = new LinkedHashSet<>(only.keySet());
        CHECKS.forEach(check -> unknown.remove(check.name));
        if (!unknown.isEmpty()) {
            throw new IllegalArgumentException("no check is named " + String.join(", ", unknown));
        }
        return new Settings(effort, seed, only);
    }

    private static long number(String[] arguments, int index) {
        String value = value(arguments, index);
        try {
            return Long.parseLong(value);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(arguments[index - 1] + " needs a whole number, not " + value, e);
        }
    }

    private static String value(String[] arguments, int index) {
        if (index == arguments.length) {
            throw new IllegalArgumentException(arguments[index - 1] + " needs a value");
        }
        return arguments[index];
    }
}
