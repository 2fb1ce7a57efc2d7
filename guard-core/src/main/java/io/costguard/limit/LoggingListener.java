package io.costguard.limit;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import io.costguard.Budget;
import io.costguard.GuardListener;
import io.costguard.GuardedCall;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What an operator must not miss: the first denial of a subject in a minute, the first loss, and limits that have little left. */
public final class LoggingListener implements GuardListener {
    private static final Logger log = LoggerFactory.getLogger("io.costguard.CostGuard");

    private final Cache<Object, Boolean> told = Caffeine.newBuilder()
            .maximumSize(10_000)
            .expireAfterWrite(Duration.ofMinutes(1))
            .build();
    private final Supplier<List<Budget>> budgets;

    /** @param what was told of it: who denied it, or that this limit has little left */
    private record Subject(String budget, List<@Nullable String> values, Object what) {}

    /** @param budgets those that there are when it is asked */
    public LoggingListener(Supplier<List<Budget>> budgets) {
        this.budgets = budgets;
    }

    @Override
    public void onDenied(Denied event) {
        if (event.by() == Denied.By.PRE_CHECK) {
            return; // it repeats a denial that was told a moment ago
        }
        if (isFirst(event.call(), event.denial().budget(), event.by())) {
            String verb = event.by() == Denied.By.DRY_RUN ? "would have been denied (dry run)" : "denied";
            String why = new Admission.Refused(event.denial(), event.by(), event.waited())
                    .exception()
                    .getMessage();
            log.warn("{} {}: {}; not repeated for a minute", event.call(), verb, why);
        }
    }

    @Override
    public void onNearLimit(NearLimit event) {
        if (isFirst(event.call(), event.budget(), event.limit())) {
            log.warn("{}, after {}; not repeated before its use has fallen and risen again", event, event.call());
        }
    }

    private boolean isFirst(GuardedCall call, String budget, Object what) {
        List<@Nullable String> values = new ArrayList<>();
        budgets.get().stream()
                .filter(each -> each.name().equals(budget))
                .flatMap(each -> each.countedPer().stream())
                .forEach(attribute -> values.add(call.attributes().get(attribute)));
        return told.asMap().putIfAbsent(new Subject(budget, values, what), true) == null;
    }

    @Override
    public void onRegressed(Regression event) {
        if (event.lost() == Regression.Lost.BALANCES && told.asMap().putIfAbsent(event.lost(), true) == null) {
            log.warn(
                    "Redis lost what it had written last, as in a failover, a restart or a flush: more goes than the budgets say, by as"
                            + " much as was lost ({} found out); not repeated for a minute",
                    event.call());
        }
    }
}
