package io.costguard.limit;

import io.costguard.Budget;
import io.costguard.Cost;
import io.costguard.Denial;
import io.costguard.GuardListener;
import io.costguard.GuardListener.Denied.By;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.Outcome;
import io.costguard.Slice;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tells all listeners what becomes of calls. None of them can break one, and no event is made that nobody hears. */
public final class Listeners {
    private static final Logger log = LoggerFactory.getLogger(GuardListener.class);

    private final List<GuardListener> listeners;
    /** The log hears of what is new about denials; anybody else hears everything. */
    private final boolean anybodyHears;

    /** Null where nobody wants to know. */
    private final @Nullable NearLimits nearLimits;

    private final AtomicBoolean reported = new AtomicBoolean();

    public Listeners(List<GuardListener> listeners, @Nullable NearLimits nearLimits) {
        this.listeners = List.copyOf(listeners);
        this.anybodyHears = listeners.stream().anyMatch(listener -> !(listener instanceof LoggingListener));
        this.nearLimits = nearLimits;
    }

    public static Listeners of(GuardListener... listeners) {
        return new Listeners(List.of(listeners), null);
    }

    /** Whether it is of use to tell what happens all the time. */
    public boolean anybodyHears() {
        return anybodyHears;
    }

    void granted(GuardedCall call, List<Charge> charges, Duration waited) {
        if (anybodyHears) {
            GuardListener.Grant event = new GuardListener.Grant(call, call.cost(), left(charges), waited);
            tell(listener -> listener.onGranted(event));
        }
        if (nearLimits != null) {
            nearLimits.look(charges, (subject, limit, balance) -> {
                GuardListener.NearLimit event = new GuardListener.NearLimit(
                        call, subject.budget().name(), limit.name(), limit.unit(), balance, limit.capacity());
                tell(listener -> listener.onNearLimit(event));
            });
        }
    }

    void denied(GuardedCall call, Denial denial, By by, Duration waited) {
        if (anybodyHears || by != By.PRE_CHECK) {
            GuardListener.Denied event = new GuardListener.Denied(call, denial, by, waited);
            tell(listener -> listener.onDenied(event));
        }
    }

    void waiting(GuardedCall call, Denial expected) {
        if (anybodyHears) {
            GuardListener.Waiting event = new GuardListener.Waiting(call, expected);
            tell(listener -> listener.onWaiting(event));
        }
    }

    void held(GuardedCall call, Duration hold) {
        GuardListener.Hold event = new GuardListener.Hold(call, hold);
        tell(listener -> listener.onHeld(event));
    }

    void corrected(GuardedCall call, Budget budget, Limit limit, long remaining) {
        GuardListener.Correction event =
                new GuardListener.Correction(call, budget.name(), limit.name(), limit.unit(), remaining);
        tell(listener -> listener.onCorrected(event));
    }

    void regressed(GuardedCall call, GuardListener.Regression.Lost lost) {
        GuardListener.Regression event = new GuardListener.Regression(call, lost);
        tell(listener -> listener.onRegressed(event));
    }

    void settled(GuardedCall call, Cost actual, Outcome outcome) {
        if (anybodyHears) {
            GuardListener.Settlement event = new GuardListener.Settlement(call, call.cost(), actual, outcome);
            tell(listener -> listener.onSettled(event));
        }
    }

    void failedOpen(GuardedCall call, GuardUnavailableException cause) {
        GuardListener.FailedOpen event = new GuardListener.FailedOpen(call, cause);
        tell(listener -> listener.onFailedOpen(event));
    }

    void failedClosed(GuardedCall call, GuardUnavailableException cause) {
        GuardListener.FailedClosed event = new GuardListener.FailedClosed(call, cause);
        tell(listener -> listener.onFailedClosed(event));
    }

    /** Tells nobody anything where {@link #anybodyHears} says so. */
    public void batch(int decisions, int settles, long tookNanos, GuardListener.Batch.Result result) {
        if (anybodyHears) {
            GuardListener.Batch event =
                    new GuardListener.Batch(decisions, settles, Duration.ofNanos(tookNanos), result);
            tell(listener -> listener.onBatch(event));
        }
    }

    void spentLeased(GuardedCall call, List<Slice> left, GuardUnavailableException cause) {
        GuardListener.SpentLeased event = new GuardListener.SpentLeased(call, left, cause);
        tell(listener -> listener.onSpentLeased(event));
    }

    private static List<GuardListener.Left> left(List<Charge> charges) {
        List<GuardListener.Left> left = new ArrayList<>();
        for (Charge charge : charges) {
            Budget budget = charge.claim().subject().budget();
            for (int i = 0; i < charge.balances().length; i++) {
                Limit limit = budget.limits().get(i);
                left.add(new GuardListener.Left(
                        budget.name(), limit.name(), limit.unit(), charge.balances()[i], limit.capacity()));
            }
        }
        return left;
    }

    private void tell(Consumer<GuardListener> event) {
        for (GuardListener listener : listeners) {
            try {
                event.accept(listener);
            } catch (RuntimeException e) {
                if (reported.compareAndSet(false, true)) {
                    log.error("a listener failed; the call goes on, and this is not reported again", e);
                }
            }
        }
    }
}
