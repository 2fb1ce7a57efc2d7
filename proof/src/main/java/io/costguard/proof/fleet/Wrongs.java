package io.costguard.proof.fleet;

import java.util.function.Consumer;

/** What came out wrong of the injections of one row, and after which plan. Safe for use by many threads. */
final class Wrongs {
    private static final int SHOWN = 5;

    private final Consumer<String> history;
    private final String row;
    private String plan = "";
    private int count;

    Wrongs(Consumer<String> history, String row) {
        this.history = history;
        this.row = row;
    }

    /** What is injected from now on. */
    synchronized void plan(String injection) {
        plan = injection;
    }

    synchronized void more(String injection) {
        plan += "; " + injection;
    }

    synchronized void add(String what) {
        count++;
        if (count <= SHOWN) {
            tell(what);
        }
    }

    /** What says nothing against the library. */
    synchronized void tell(String what) {
        history.accept(row + ", " + plan + ": " + what);
    }

    synchronized int count() {
        return count;
    }
}
