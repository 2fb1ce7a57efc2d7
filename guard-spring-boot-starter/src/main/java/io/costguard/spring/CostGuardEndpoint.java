package io.costguard.spring;

import io.costguard.Budget;
import io.costguard.CostGuard;
import io.costguard.GuardUnavailableException;
import io.costguard.GuardedCall;
import io.costguard.Limit;
import io.costguard.LimitStatus;
import io.costguard.Unit;
import java.time.Duration;
import java.util.List;
import org.springframework.boot.actuate.endpoint.InvalidEndpointRequestException;
import org.springframework.boot.actuate.endpoint.annotation.Endpoint;
import org.springframework.boot.actuate.endpoint.annotation.ReadOperation;
import org.springframework.boot.actuate.endpoint.annotation.Selector;
import org.springframework.boot.actuate.endpoint.annotation.Selector.Match;
import org.springframework.boot.actuate.endpoint.annotation.WriteOperation;
import org.springframework.lang.Nullable;

/**
 * The budgets and their balances, at {@code /actuator/costguard}. A call is named by its model and by attributes like {@code tenant=acme};
 * its key by {@code apiKeyFingerprint=..}, as listeners are told it. Safe for use by many threads.
 */
@Endpoint(id = "costguard")
@SuppressWarnings("deprecation") // of Nullable: the one that Spring Boot 3 and 4 both read here
public class CostGuardEndpoint {
    private final CostGuard guard;

    CostGuardEndpoint(CostGuard guard) {
        this.guard = guard;
    }

    /**
     * A budget, as it is said.
     *
     * @param name what it is called
     * @param per the attributes that it is counted per
     * @param limits its limits, like {@code 500 requests per minute}
     * @param assumedOutput output tokens that are reserved for a request that sets no cap
     * @param clampToCapacity whether a call above the capacity of a limit goes when that is full
     * @param dryRun whether it only reports
     * @param text all of it in a line
     */
    public record BudgetView(
            String name,
            List<String> per,
            List<String> limits,
            long assumedOutput,
            boolean clampToCapacity,
            boolean dryRun,
            String text) {}

    /**
     * A balance, in the unit of its limit, dollars in nano-dollars.
     *
     * @param budget the budget's name
     * @param limit the limit's name, like {@code tokens per minute}
     * @param unit what it counts
     * @param balance what is left, below 0 while in debt
     * @param capacity what there is when nothing is used
     * @param waiting how many calls wait for it
     * @param timeToFull how long until nothing is used, if nobody asks
     * @param newcomerWait how long this limit would keep such a call waiting, at least
     * @param text all of it in a line
     */
    public record LimitView(
            String budget,
            String limit,
            Unit unit,
            long balance,
            long capacity,
            long waiting,
            Duration timeToFull,
            Duration newcomerWait,
            String text) {}

    /**
     * The budgets in force.
     *
     * @param enabled whether calls are guarded
     * @param budgets in their order
     */
    public record Budgets(boolean enabled, List<BudgetView> budgets) {}

    /**
     * How the limits stand that a call falls under.
     *
     * @param limits budget by budget
     */
    public record Statuses(List<LimitView> limits) {}

    /** What is done by hand. */
    public enum Action {
        /** Balances are full again, and no hold lasts. */
        RESET,
        /** No such call goes for so long. */
        HOLD
    }

    /** {@return the budgets in force} */
    @ReadOperation
    public Budgets budgets() {
        return new Budgets(
                !guard.isSwitchedOff(),
                guard.budgets().stream().map(CostGuardEndpoint::view).toList());
    }

    private static BudgetView view(Budget budget) {
        return new BudgetView(
                budget.name(),
                budget.countedPer(),
                budget.limits().stream().map(Limit::toString).toList(),
                budget.assumedOutput(),
                budget.isClampedToCapacity(),
                budget.isDryRun(),
                budget.toString());
    }

    /**
     * How the limits stand that such a call falls under. Charges nothing.
     *
     * @param model the call's model, of which slashes are parts
     * @param attribute attributes of the call, like {@code tenant=acme}
     * @return one of each limit
     * @throws GuardUnavailableException if Redis does not answer in time
     */
    @ReadOperation
    public Statuses status(@Selector(match = Match.ALL_REMAINING) String[] model, @Nullable List<String> attribute)
            throws GuardUnavailableException {
        return new Statuses(guard.status(call(model, attribute)).stream()
                .map(CostGuardEndpoint::view)
                .toList());
    }

    private static LimitView view(LimitStatus status) {
        return new LimitView(
                status.budget(),
                status.limit(),
                status.unit(),
                status.balance(),
                status.capacity(),
                status.waiting(),
                status.timeToFull(),
                status.newcomerWait(),
                status.toString());
    }

    /**
     * Resets what such a call falls under, or holds such calls, in the whole fleet.
     *
     * @param model the call's model, of which slashes are parts
     * @param action what is to be done
     * @param duration for how long calls are held
     * @param attribute attributes of the call, like {@code tenant=acme}
     * @return how it stands then
     * @throws GuardUnavailableException if Redis does not answer in time
     */
    @WriteOperation
    public Statuses change(
            @Selector(match = Match.ALL_REMAINING) String[] model,
            Action action,
            @Nullable Duration duration,
            @Nullable List<String> attribute)
            throws GuardUnavailableException {
        GuardedCall call = call(model, attribute);
        switch (action) {
            case RESET -> guard.reset(call);
            case HOLD -> {
                if (duration == null) {
                    throw bad("a hold needs a duration, like 30s");
                }
                try {
                    guard.hold(call, duration);
                } catch (IllegalArgumentException e) {
                    throw bad(String.valueOf(e.getMessage()));
                }
            }
        }
        return status(model, attribute);
    }

    private static GuardedCall call(String[] model, @Nullable List<String> attributes) {
        GuardedCall call = GuardedCall.of(String.join("/", model));
        for (String each : attributes == null ? List.<String>of() : attributes) {
            int equals = each.indexOf('=');
            if (equals < 1) {
                throw bad("an attribute is like tenant=acme, not '" + each + "'");
            }
            if (each.startsWith("apiKey=")) {
                throw bad("a key must not stand in a request that others may log; say apiKeyFingerprint=..");
            }
            try {
                call = call.with(each.substring(0, equals), each.substring(equals + 1));
            } catch (IllegalArgumentException e) {
                throw bad(String.valueOf(e.getMessage()));
            }
        }
        return call;
    }

    private static InvalidEndpointRequestException bad(String reason) {
        return new InvalidEndpointRequestException(reason, reason);
    }
}
