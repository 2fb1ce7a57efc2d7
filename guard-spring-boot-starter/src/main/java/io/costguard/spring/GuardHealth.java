package io.costguard.spring;

import io.costguard.CostGuard;
import io.costguard.GuardUnavailableException;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** Whether the guard can decide: Redis answers, and its user may do there what is needed. Without state. */
final class GuardHealth {
    private final CostGuard guard;
    private final CostGuardProperties.WhenRedisFails whenRedisFails;

    GuardHealth(CostGuard guard, CostGuardProperties.WhenRedisFails whenRedisFails) {
        this.guard = guard;
        this.whenRedisFails = whenRedisFails;
    }

    /**
     * What Spring Boot makes a health of, whichever its version.
     *
     * @param status UP; where the guard cannot decide DOWN if it fails closed, and UNKNOWN if calls go on
     */
    record Told(String status, Map<String, Object> details) {}

    Told look() {
        Map<String, Object> details = new LinkedHashMap<>();
        if (guard.isSwitchedOff()) {
            details.put("guard", "switched off: calls go unguarded");
            return new Told("UNKNOWN", details);
        }
        details.put("budgets", guard.budgets().size());
        details.put(
                "whenRedisFails", whenRedisFails.name().toLowerCase(Locale.ROOT).replace('_', '-'));
        Optional<String> wrong = wrong();
        details.put("redis", wrong.orElse("decides"));
        if (wrong.isEmpty()) {
            return new Told("UP", details);
        }
        return new Told(whenRedisFails == CostGuardProperties.WhenRedisFails.FAIL_CLOSED ? "DOWN" : "UNKNOWN", details);
    }

    private Optional<String> wrong() {
        try {
            return guard.lackingRights();
        } catch (GuardUnavailableException e) {
            return Optional.of(String.valueOf(e.getMessage()));
        }
    }
}
