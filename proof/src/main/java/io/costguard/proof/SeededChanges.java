package io.costguard.proof;

import io.costguard.proof.SeededChange.Outcome;
import io.costguard.proof.SeededChange.Told;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** Whether the checks find what is wrong, of faults that are put in one at a time; and find nothing where none is. */
final class SeededChanges implements Check {
    private static final int TOLD_LINES = 40;

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
        Set<String> checks = new TreeSet<>();
        int tried = 0;
        int foundHere = 0;
        for (SeededChange change : changes) {
            if (change.name().contains(only)) {
                checks.add(change.checks());
                tried++;
            }
        }
        int met = 0;
        for (String each : checks) {
            Told told = SeededChange.unchanged(each, trial.seed());
            if (told.outcome() == Outcome.MET) {
                met++;
            } else {
                tell(trial, "with nothing changed, " + each + " is " + told.outcome(), told);
            }
        }
        for (SeededChange change : changes) {
            if (change.name().contains(only)) {
                Told told = change.tell(trial.seed());
                if (told.outcome() == Outcome.SHORT) {
                    foundHere++;
                } else {
                    tell(trial, change.name() + ": " + change.checks() + " is " + told.outcome(), told);
                }
            }
        }
        trial.all("checks that are met where nothing is changed", met, checks.size());
        trial.all(found, foundHere, tried);
    }

    private static void tell(Trial trial, String what, Told told) {
        List<String> lines = told.printed().lines().toList();
        trial.history(what
                + "\n"
                + String.join("\n", lines.subList(Math.max(0, lines.size() - TOLD_LINES), lines.size()))
                        .indent(4));
    }
}
