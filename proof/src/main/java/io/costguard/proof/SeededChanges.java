package io.costguard.proof;

import io.costguard.proof.SeededChange.Outcome;
import io.costguard.proof.SeededChange.Told;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

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
        List<String> checks =
                seeded.stream().map(SeededChange::checks).distinct().sorted().toList();
        ExecutorService threads = Executors.newFixedThreadPool(AT_ONCE);
        try {
            List<Future<Told>> unchanged = threads.invokeAll(checks.stream()
                    .<Callable<Told>>map(each -> () -> SeededChange.unchanged(each, trial.seed()))
                    .toList());
            List<Future<Told>> changed = threads.invokeAll(seeded.stream()
                    .<Callable<Told>>map(change -> () -> change.tell(trial.seed()))
                    .toList());
            int met = 0;
            for (int i = 0; i < checks.size(); i++) {
                met += is(Outcome.MET, unchanged.get(i).get(), "with nothing changed, " + checks.get(i), trial);
            }
            int foundHere = 0;
            for (int i = 0; i < seeded.size(); i++) {
                SeededChange change = seeded.get(i);
                foundHere += is(Outcome.SHORT, changed.get(i).get(), change.name() + ": " + change.checks(), trial);
            }
            trial.all("checks that are met where nothing is changed", met, checks.size());
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
