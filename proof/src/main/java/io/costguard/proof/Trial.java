package io.costguard.proof;

import java.io.PrintStream;
import java.util.Locale;
import java.util.Random;

/** What a check is given: how much it is to try, by which seed, and where to tell what that came to. Safe for use by many threads. */
public final class Trial {
    private static final int LESS = 50;

    private final long seed;
    private final Effort effort;
    private final PrintStream out;
    private int figures;
    private boolean isShort;

    Trial(long seed, Effort effort, PrintStream out) {
        this.seed = seed;
        this.effort = effort;
        this.out = out;
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
        figure(name, value, ">= " + grouped(bar), value >= bar);
    }

    /** What there was of that was no more than it may be. */
    public void atMost(String name, long value, long bar) {
        figure(name, value, "<= " + grouped(bar), value <= bar);
    }

    /** There was nothing of that. */
    public void none(String name, long value) {
        figure(name, value, "0", value == 0);
    }

    /** There was as much of that as there is. */
    public void all(String name, long value, long of) {
        figure(name, value, "all " + grouped(of), value == of);
    }

    /** What happened where a figure is short: the history, as short as it could be made, and how to run it again. */
    public synchronized void history(String text) {
        out.println(text.indent(4).stripTrailing());
    }

    private synchronized void figure(String name, long value, String bar, boolean isMet) {
        out.printf("%-64s %15s   %-15s %s%n", name, grouped(value), bar, isMet ? "ok" : "short");
        figures++;
        isShort |= !isMet;
    }

    /** Whether it told of anything, and all of that was met. */
    synchronized boolean isMet() {
        return figures > 0 && !isShort;
    }

    private static String grouped(long value) {
        return String.format(Locale.ROOT, "%,d", value);
    }
}
