package io.costguard.limit;

import io.costguard.Budget;
import io.costguard.GuardUnavailableException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Budgets of which some are shared with other regions, as this process goes by them. Safe for use by many threads. */
public final class SharedBudgets {
    private static final Logger log = LoggerFactory.getLogger(SharedBudgets.class);

    private final List<String> names;
    private final int least;
    private final Limiter limiter;
    private final Divider divider;
    private final LongSupplier nanoTime;
    private final ReentrantLock changing = new ReentrantLock();
    private volatile List<Budget> all = List.of();
    private volatile long untilNanos;
    private Map<String, Integer> percents = Map.of();

    /** Makes a share of a budget. */
    public interface Divider {
        Budget of(Budget whole, int percent);
    }

    /**
     * @param names of those that are shared
     * @param least the percentage that is in force while it is not known how much is
     */
    public SharedBudgets(List<String> names, int least, Limiter limiter, Divider divider, LongSupplier nanoTime) {
        this.names = names;
        this.least = least;
        this.limiter = limiter;
        this.divider = divider;
        this.nanoTime = nanoTime;
        this.untilNanos = nanoTime.getAsLong() - 1;
    }

    /** Puts other budgets in the place of all that there were. */
    public void update(List<Budget> whole) {
        changing.lock();
        try {
            all = whole;
            putInForce();
        } finally {
            changing.unlock();
        }
    }

    List<String> names() {
        return names;
    }

    int least() {
        return least;
    }

    long nanoTime() {
        return nanoTime.getAsLong();
    }

    Budget whole(String name) {
        return all.stream()
                .filter(budget -> budget.name().equals(name))
                .findAny()
                .orElseThrow(() -> new IllegalStateException("there is no budget '" + name + "' any more"));
    }

    Budget share(String name, int percent) {
        return divider.of(whole(name), percent);
    }

    /** How the limits of a share stand. */
    List<Standing> standings(Budget share) throws GuardUnavailableException {
        return limiter.standings(share);
    }

    /** Goes by these percentages until then, and by the least after that; of which there is none, by the least now. */
    void follow(Map<String, Integer> latest, long until) {
        changing.lock();
        try {
            if (!latest.equals(percents)) {
                percents = latest;
                putInForce();
                log.info("this region has these shares of its budgets, in percent: {}", latest);
            }
        } finally {
            changing.unlock();
        }
        untilNanos = until;
    }

    private void putInForce() {
        limiter.update(new InForce(divided(percents), this::isOver, divided(Map.of())));
    }

    private List<Budget> divided(Map<String, Integer> by) {
        List<Budget> divided = new ArrayList<>();
        for (Budget budget : all) {
            divided.add(
                    names.contains(budget.name()) ? divider.of(budget, by.getOrDefault(budget.name(), least)) : budget);
        }
        return divided;
    }

    private boolean isOver() {
        return nanoTime.getAsLong() - untilNanos > 0;
    }
}
