package io.costguard.proof;

import io.costguard.proof.SeededChange.Told;
import java.util.ArrayList;
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
        return new SeededChanges("seeded bugs found", SeededBugs.DOZEN);
    }

    static SeededChanges others() {
        return new SeededChanges("others of them found", SeededBugs.OTHERS);
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
                seeded.stream().map(SeededChange::check).distinct().sorted().toList();
        List<Callable<Told>> runs = new ArrayList<>();
        checks.forEach(check -> runs.add(() -> SeededChange.unchanged(check, trial.seed())));
        seeded.forEach(change -> runs.add(() -> change.tell(trial.seed())));
        ExecutorService threads = Executors.newFixedThreadPool(AT_ONCE);
        try {
            List<Future<Told>> told = threads.invokeAll(runs);
            int met = 0;
            for (int i = 0; i < checks.size(); i++) {
                Told its = told.get(i).get();
                met += counted(its.isMet(), its, "with nothing changed, " + checks.get(i), trial);
            }
            int foundHere = 0;
            for (int i = 0; i < seeded.size(); i++) {
                SeededChange change = seeded.get(i);
                Told its = told.get(checks.size() + i).get();
                foundHere += counted(
                        its.isShortOf(change.figures()),
                        its,
                        change.name() + ", where " + change.check() + " must be short of " + change.figures(),
                        trial);
            }
            trial.all("runs with nothing changed that are met", met, checks.size());
            trial.all(found, foundHere, seeded.size());
        } finally {
            threads.shutdownNow();
        }
    }

    /** {@return 1 if it is as it must be; else 0, and what it printed is told} */
    private static int counted(boolean isRight, Told told, String what, Trial trial) {
        if (isRight) {
            return 1;
        }
        List<String> lines = told.printed().lines().toList();
        trial.history(what + ", is " + told.outcome() + " " + told.shortOf() + "\n"
                + String.join("\n", lines.subList(Math.max(0, lines.size() - TOLD_LINES), lines.size()))
                        .indent(4));
        return 0;
    }
}
