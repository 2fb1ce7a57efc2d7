package io.costguard.examples.command;

import io.costguard.Budget;
import io.costguard.BudgetExceededException;
import io.costguard.Cost;
import io.costguard.CostGuard;
import io.costguard.Denial;
import io.costguard.GuardListener;
import io.costguard.GuardUnavailableException;
import io.costguard.Limit;
import io.costguard.LimitStatus;
import io.costguard.MisfitException;
import io.costguard.Permit;
import io.costguard.PriceList;
import io.costguard.VirtualTime;
import io.costguard.WhenExhausted;
import io.costguard.describe.OutputHistory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** Recorded calls, made again in virtual time by a guard with other budgets: its decisions are those of the library. */
final class Replay {
    private final List<RecordedCall> calls;
    private final Settings settings;
    private final VirtualTime time;
    private final OutputHistory history;
    private final CostGuard guard;
    private final Map<String, LimitTally> limits = new LinkedHashMap<>();
    private final List<ReplayReport.Waited> waited = new ArrayList<>();
    private final List<ReplayReport.Denied> denied = new ArrayList<>();
    private int wentAtOnce;
    private @Nullable Denial lastWaitsFor;
    private boolean lastWasOverspent;

    /**
     * What may be otherwise than it was.
     *
     * @param learnedPercent for how many calls in a hundred the output that is reserved is to be enough; 0 where nothing is learned
     */
    record Settings(List<Budget> budgets, WhenExhausted whenExhausted, int learnedPercent, PriceList prices) {}

    private Replay(List<RecordedCall> calls, Settings settings, String redisUrl) {
        this.calls = calls;
        this.settings = settings;
        this.time = VirtualTime.beginningAt(calls.get(0).at());
        this.history = OutputCurve.history(settings.learnedPercent());
        for (Budget budget : settings.budgets()) {
            for (Limit limit : budget.limits()) {
                limits.put(key(budget.name(), limit.name()), new LimitTally(budget, limit));
            }
        }
        CostGuard.Builder builder = CostGuard.builder()
                .redis(redisUrl)
                .keyPrefix("costguard-replay")
                .decisionTimeout(Duration.ofMinutes(1))
                .preCheck(Duration.ZERO)
                .whenExhausted(settings.whenExhausted())
                .prices(settings.prices())
                .listener(new Told());
        settings.budgets().forEach(builder::budget);
        this.guard = builder.buildIn(time);
    }

    /**
     * Makes the calls again.
     *
     * @param calls in the order of their time
     * @param redisUrl which gets keys of their own, for a day
     * @throws IllegalArgumentException for budgets that make no sense
     * @throws BadInputException for a call that they cannot judge
     */
    static ReplayReport run(List<RecordedCall> calls, Settings settings, String redisUrl) {
        return new Replay(calls, settings, redisUrl).run();
    }

    private ReplayReport run() {
        try (guard) {
            for (RecordedCall call : calls) {
                time.at(call.at(), () -> ask(call));
            }
            time.run();
        }
        return new ReplayReport(
                calls,
                wentAtOnce,
                waited,
                denied,
                List.copyOf(limits.values()),
                OutputCurve.of(calls, settings.budgets()));
    }

    private void ask(RecordedCall call) {
        long assumed = OutputCurve.assumedOutput(settings.budgets(), call);
        Cost estimate = call.estimate(settings.prices(), call.reserved(history.enough(call.kind()), assumed));
        lastWaitsFor = null;
        CompletableFuture<Permit> answer = guard.acquireAsync(call.call().cost(estimate));
        Denial waitsFor = lastWaitsFor;
        // What a future's continuation throws is lost; what is due throws where time passes.
        CompletableFuture<Void> unused = answer.<Void>handle((permit, failure) -> {
            time.at(time.now(), () -> {
                if (failure == null) {
                    go(call, permit, waitsFor);
                } else {
                    end(call, failure, waitsFor);
                }
            });
            return null;
        });
    }

    private void go(RecordedCall call, Permit permit, @Nullable Denial waitedFor) {
        Duration wait = Duration.between(call.at(), time.now());
        if (waitedFor == null || wait.isZero()) {
            wentAtOnce++;
        } else {
            waited.add(new ReplayReport.Waited(call, wait, waitedFor));
            tally(waitedFor.budget(), waitedFor.limit()).waited(wait);
        }
        time.at(time.now().plus(call.duration()), () -> settle(call, permit));
    }

    private void end(RecordedCall call, Throwable failure, @Nullable Denial waitedFor) {
        if (failure instanceof BudgetExceededException exceeded) {
            Denial denial = exceeded.denial();
            Duration wait = waitedFor == null ? Duration.ZERO : Duration.between(call.at(), time.now());
            denied.add(new ReplayReport.Denied(call, wait, denial));
            tally(denial.budget(), denial.limit()).denied();
        } else if (failure instanceof MisfitException) {
            throw new BadInputException(call.where() + ": " + failure.getMessage());
        } else {
            throw new IllegalStateException(call.where() + ": " + failure.getMessage(), failure);
        }
    }

    private void settle(RecordedCall call, Permit permit) {
        lastWasOverspent = false;
        permit.settle(call.used(settings.prices()));
        history.had(call.kind(), call.usage().allOutput());
        if (lastWasOverspent) {
            try {
                for (LimitStatus status : guard.status(call.call())) {
                    tally(status.budget(), status.limit()).left(status.balance(), call.call(), time.now());
                }
            } catch (GuardUnavailableException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    private LimitTally tally(String budget, String limit) {
        LimitTally tally = limits.get(key(budget, limit));
        if (tally == null) {
            throw new IllegalStateException("nobody said that budget '" + budget + "' has a limit of " + limit);
        }
        return tally;
    }

    private static String key(String budget, String limit) {
        return budget + "\n" + limit;
    }

    /** What the guard tells while it is asked. */
    private final class Told implements GuardListener {
        @Override
        public void onWaiting(Waiting event) {
            lastWaitsFor = event.expected();
        }

        @Override
        public void onGranted(Grant event) {
            for (Left left : event.left()) {
                tally(left.budget(), left.limit()).left(left.balance(), event.call(), time.now());
            }
        }

        @Override
        public void onDenied(Denied event) {
            if (event.by() == Denied.By.DRY_RUN) {
                tally(event.denial().budget(), event.denial().limit()).deniedInDryRun();
            }
        }

        @Override
        public void onSettled(Settlement event) {
            for (Budget budget : settings.budgets()) {
                if (budget.appliesTo(event.call().attributes())) {
                    for (Limit limit : budget.limits()) {
                        lastWasOverspent |=
                                tally(budget.name(), limit.name()).settled(event.estimate(), event.actual());
                    }
                }
            }
        }
    }
}
