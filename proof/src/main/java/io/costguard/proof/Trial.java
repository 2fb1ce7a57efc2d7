package io.costguard.proof;

import java.io.PrintStream;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;

/** What a check is given: what and how much it is to try, by which seed, and where to tell what that came to. Safe for use by many threads. */
public final class Trial {
    private static final int LESS = 50;

    private final long seed;
    private final Effort effort;
    private final Set<String> parts;
    private final PrintStream out;
    /** Parts that are to be tried, and that nobody has asked for. */
    private final Set<String> unknown;

    private Outcome outcome = Outcome.NOT_TRIED;

    /** What is tried for itself. */
    interface Part {
        void run() throws Exception;
    }

    /** @param parts of the check that are to be tried; all, where none is named */
    Trial(long seed, Effort effort, Set<String> parts, PrintStream out) {
        this.seed = seed;
        this.effort = effort;
        this.parts = Set.copyOf(parts);
        this.out = out;
        this.unknown = new TreeSet<>(parts);
    }

    /** Whether that part of the check is to be tried. */
    public synchronized boolean has(String part) {
        unknown.remove(part);
        return parts.isEmpty() || parts.contains(part);
    }

    void part(String name, Part part) throws Exception {
        if (has(name)) {
            part.run();
        }
    }

    public long seed() {
        return seed;
    }

    /** Of the seed and that name alone: what one part draws changes nothing of what another one does. */
    public Random random(String part) {
        // Far apart, so that no part of one seed is another part of the next.
        return new Random(seed * 0x9E3779B97F4A7C15L + part.hashCode());
    }

    /** How many: a fiftieth of those of the quick run, but one at least, where it is to be brief. */
    public int times(int quick, int full) {
        return switch (effort) {
            case BRIEF -> Math.max(1, quick / LESS);
            case QUICK -> quick;
            case FULL -> full;
        };
    }

    /** What there was of that was as much as it should be. */
    public void atLeast(String name, long value, long bar) {
        tell(Figure.atLeast(name, value, bar));
    }

    /** What there was of that was no more than it may be. */
    public void atMost(String name, long value, long bar) {
        tell(Figure.atMost(name, value, bar));
    }

    /** There was nothing of that. */
    public void none(String name, long value) {
        tell(Figure.none(name, value));
    }

    /** There was as much of that as there is. */
    public void all(String name, long value, long of) {
        tell(Figure.all(name, value, of));
    }

    /** What happened where a figure is short: the history, as short as it could be made, and how to run it again. */
    public synchronized void history(String text) {
        out.println(text.indent(4).stripTrailing());
    }

    private synchronized void tell(Figure figure) {
        out.println(figure);
        Outcome its = figure.isMet() ? Outcome.MET : Outcome.SHORT;
        outcome = outcome == Outcome.NOT_TRIED ? its : outcome.and(its);
    }

    /** {@return what it came to: it was not tried where it told of nothing, or has no such part} */
    synchronized Outcome outcome() {
        return unknown.isEmpty() ? outcome : Outcome.NOT_TRIED;
    }
}
