package io.costguard.redis;

import io.costguard.Budget;
import io.costguard.Leased;
import io.costguard.Limit;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.Collectors;

/** Two budgets, and what each of three clients does in four steps. */
public record InterleavingPlan(List<Budget> budgets, List<List<Step>> steps) {
    private static final long CAPACITY = 10;

    /**
     * What a client may do one after the other. A word with {@code ?} is answered, and the answer is lost; one with {@code !} does not
     * arrive for the present; of one with {@code +} the answer is lost, and it is sent again at once.
     */
    private static final List<String> HABITS = List.of(
            "reserve settle reserve settle",
            "reserve+ late settle+ late",
            "reserve? again settle reserve",
            "reserve? cancel late reserve",
            "reserve! cancel late reserve",
            "reserve! late cancel reserve",
            "reserve! late again settle",
            "reserve settle? again late",
            "reserve settle? cancel settle",
            "reserve settle! cancel settle",
            "reserve settle_and_reserve? cancel settle",
            "reserve settle_and_reserve! late cancel",
            "reserve reset reserve settle",
            "charge reserve settle refund",
            "join ask settle reserve",
            "join ask ask settle",
            "join+ ask+ settle late",
            "join? again ask settle",
            "join? cancel join ask",
            "join! late cancel join",
            "join ask? again settle",
            "join ask? cancel ask",
            "join leave reserve settle",
            "join ask leave settle",
            "reserve join settle ask",
            "reserve hold settle reset",
            "hold join reset ask");

    /** What a client does. */
    enum Deed {
        RESERVE,
        JOIN,
        ASK,
        LEAVE,
        SETTLE,
        SETTLE_AND_RESERVE,
        RESET,
        CHARGE,
        REFUND,
        HOLD,
        /** Sends what it does not know the outcome of again. */
        AGAIN,
        /** Has that undone. */
        CANCEL,
        /** A copy of what it sent last arrives. */
        LATE;

        /** Whether it has to do with what was sent before. */
        boolean looksBack() {
            return this == AGAIN || this == CANCEL || this == LATE;
        }
    }

    /** What becomes of what is sent. */
    enum Fate {
        HEARD,
        LOST,
        UNSENT,
        HEARD_AGAIN
    }

    /**
     * @param amounts of each limit of each budget; of none where it has nothing to do with that
     * @param percent how much of what was charged was used; 0 where a call that joins cannot wait for long
     */
    record Step(Deed deed, Fate fate, List<long[]> amounts, int percent) {
        @Override
        public String toString() {
            String what = deed == Deed.SETTLE || (deed == Deed.JOIN && percent == 0)
                    ? " at " + percent + " %"
                    : amounts.stream().map(Arrays::toString).collect(Collectors.joining(" ", " ", ""));
            return deed + what + (fate == Fate.HEARD ? "" : ", " + fate);
        }
    }

    /** {@return any plans in which there is too little for all} Each habit is in one of them before any is in another. */
    public static List<InterleavingPlan> any(int count, Random random) {
        List<InterleavingPlan> plans = new ArrayList<>();
        List<String> habits = new ArrayList<>();
        while (plans.size() < count) {
            List<Budget> budgets = budgets(random);
            List<List<Step>> steps = new ArrayList<>();
            while (steps.size() < Interleavings.CLIENTS) {
                if (habits.isEmpty()) {
                    habits.addAll(HABITS);
                    Collections.shuffle(habits, random);
                }
                steps.add(Arrays.stream(habits.remove(habits.size() - 1).split(" "))
                        .map(word -> step(word, budgets, random))
                        .toList());
            }
            plans.add(new InterleavingPlan(budgets, steps));
        }
        return plans;
    }

    /** {@return how many it takes for each habit to be in one} */
    public static int enough() {
        return (HABITS.size() + Interleavings.CLIENTS - 1) / Interleavings.CLIENTS;
    }

    private static List<Budget> budgets(Random random) {
        List<Budget> budgets = new ArrayList<>();
        for (int i = 0; i < Interleavings.SUBJECTS; i++) {
            Budget budget = Budget.named("b" + i);
            int limits = 1 + random.nextInt(2);
            for (int which = 0; which < limits; which++) {
                budget = budget.limit(limit(which, random));
            }
            budgets.add(i > 0 && random.nextInt(4) == 0 ? budget.dryRun() : budget);
        }
        return budgets;
    }

    /** None of them gives anything back within the microseconds that an order takes. */
    private static Limit limit(int which, Random random) {
        Limit.Amount of = which == 0 ? Limit.requests(CAPACITY) : Limit.tokens(CAPACITY);
        return switch (random.nextInt(which == 0 ? 5 : 4)) {
            case 0 -> of.perHour();
            case 1 -> of.per(Duration.ofDays(30)).tokenBucket();
            case 2 -> of.perDay();
            case 3 -> of.perHour().slidingWindow();
            default -> Leased.calls(CAPACITY, Duration.ofHours(1));
        };
    }

    private static Step step(String word, List<Budget> budgets, Random random) {
        String name = word.replaceAll("[?!+]", "").toUpperCase(Locale.ROOT);
        Deed deed = Deed.valueOf(name);
        Fate fate = word.endsWith("?")
                ? Fate.LOST
                : word.endsWith("!") ? Fate.UNSENT : word.endsWith("+") ? Fate.HEARD_AGAIN : Fate.HEARD;
        // Both, or one of them.
        int without = random.nextInt(4);
        List<long[]> amounts = new ArrayList<>();
        for (int i = 0; i < budgets.size(); i++) {
            long[] its = new long[i == without ? 0 : budgets.get(i).limits().size()];
            for (int limit = 0; limit < its.length; limit++) {
                its[limit] = amount(deed, budgets.get(i).limits().get(limit), limit, random);
            }
            amounts.add(its);
        }
        return new Step(deed, fate, amounts, List.of(0, 30, 60, 130).get(random.nextInt(4)));
    }

    private static long amount(Deed deed, Limit limit, int which, Random random) {
        if (deed == Deed.HOLD || ((deed == Deed.CHARGE || deed == Deed.REFUND) && limit.isInFlight())) {
            return 0;
        } else if (which > 0 && random.nextInt(4) == 0) {
            return 0;
        } else if (random.nextInt(12) == 0) {
            // What is above capacity goes when it is full, and leaves a debt.
            return CAPACITY + 1 + random.nextInt(3);
        }
        // Some of what is given back was never charged.
        long least = deed == Deed.REFUND ? 7 : 3;
        return least + random.nextInt(5);
    }
}
