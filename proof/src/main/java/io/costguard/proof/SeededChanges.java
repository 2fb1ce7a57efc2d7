package io.costguard.proof;

import io.costguard.proof.SeededChange.Outcome;
import io.costguard.proof.SeededChange.Told;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Whether the checks find what is wrong, of faults that are put in one at a time; and find nothing where none is. */
final class SeededChanges implements Check {
    private static final int TOLD_LINES = 40;
    /** Each has a JVM and servers of its own, which mostly wait for each other. */
    private static final int AT_ONCE = 2;

    private final String found;
    private final List<SeededChange> changes;

    static SeededChanges bugs() {
        return new SeededChanges("seeded bugs found", SeededBugs.ALL);
    }

    static SeededChanges mutants() {
        return new SeededChanges("script mutants killed", ScriptMutants.ALL);
    }

    /** @param found what those are called that are found */
    private SeededChanges(String found, List<SeededChange> changes) {
        this.found = found;
        this.changes = changes;
    }

    @Override
    public void run(Trial trial) throws Exception {
        String only = System.getProperty("proof.seeded", "");
        List<SeededChange> seeded =
                changes.stream().filter(change -> change.name().contains(only)).toList();
        String checks = seeded.stream()
                .flatMap(change -> Stream.of(change.checks().split(",")))
                .distinct()
                .sorted()
                .collect(Collectors.joining(","));
        List<Callable<Told>> runs = new ArrayList<>(List.of(() -> SeededChange.unchanged(checks, trial.seed())));
        seeded.forEach(change -> runs.add(() -> change.tell(trial.seed())));
        ExecutorService threads = Executors.newFixedThreadPool(AT_ONCE);
        try {
            List<Future<Told>> told = threads.invokeAll(runs);
            int met = is(Outcome.MET, told.get(0).get(), "with nothing changed, " + checks, trial);
            int foundHere = 0;
            for (int i = 0; i < seeded.size(); i++) {
                SeededChange change = seeded.get(i);
                foundHere += is(Outcome.SHORT, told.get(i + 1).get(), change.name() + ": " + change.checks(), trial);
            }
            trial.all("runs with nothing changed that are met", met, 1);
            trial.all(found, foundHere, seeded.size());
        } finally {
            threads.shutdownNow();
        }
    }

    /** {@return 1 if that is its outcome; else 0, and what it printed is told} */
    private static int is(Outcome outcome, Told told, String what, Trial trial) {
        if (told.outcome() == outcome) {
            return 1;
        }
        List<String> lines = told.printed().lines().toList();
        trial.history(what + " is " + told.outcome() + "\n"
                + String.join("\n", lines.subList(Math.max(0, lines.size() - TOLD_LINES), lines.size()))
                        .indent(4));
        return 0;
    }
}
